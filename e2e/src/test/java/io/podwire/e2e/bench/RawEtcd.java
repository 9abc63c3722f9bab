package io.podwire.e2e.bench;

import com.google.common.util.concurrent.MoreExecutors;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.PutOption;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.MethodDescriptor;
import io.podwire.e2e.mesh.Daemon;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * An etcd of one member on loopback, and transactions of the size of ipam-service's with nobody between: one compare,
 * and two values, each written by jetcd as ipam-service writes.
 */
final class RawEtcd implements AutoCloseable {
    static final URI ENDPOINT = URI.create("http://127.0.0.1:2379");
    private static final String PEERS = "http://127.0.0.1:2380";
    private static final Duration READY = Duration.ofSeconds(60);
    private static final Duration CALL = Duration.ofSeconds(10);
    /** As long as the value of a single address. */
    private static final int VALUE_BYTES = 170;

    private static final ByteSequence VALUE = bytes("x".repeat(VALUE_BYTES));

    private static final ClientInterceptor ON_CONNECTION = new ClientInterceptor() {
        @Override
        public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            return next.newCall(method, options.withExecutor(MoreExecutors.directExecutor()));
        }
    };

    private final Daemon process;
    private final Client client;
    private final long[] versions;

    private RawEtcd(Daemon process, Client client, int callers) {
        this.process = process;
        this.client = client;
        this.versions = new long[callers];
    }

    /**
     * Starts it.
     *
     * @param folder for its data, on the disk that is measured
     * @param callers that {@link #transaction} may have at most
     */
    static RawEtcd start(Path folder, int callers) throws IOException {
        Daemon process = new Daemon(
                "etcd",
                Files.createDirectories(folder).resolve("log"),
                List.of(),
                List.of(
                        "etcd",
                        "--name=bench",
                        "--data-dir=" + folder.resolve("data"),
                        "--listen-client-urls=" + ENDPOINT,
                        "--advertise-client-urls=" + ENDPOINT,
                        "--listen-peer-urls=" + PEERS,
                        "--initial-advertise-peer-urls=" + PEERS,
                        "--initial-cluster=bench=" + PEERS));
        process.start(List.of());
        Client client = Client.builder()
                .endpoints(ENDPOINT)
                .connectTimeout(READY)
                // As ipam-service's: no thread that only hands on.
                .executorService(MoreExecutors.newDirectExecutorService())
                .interceptor(ON_CONNECTION)
                .build();
        RawEtcd etcd = new RawEtcd(process, client, callers);
        try {
            var _ = client.getKVClient().get(bytes("/bench/")).get(READY.toSeconds(), TimeUnit.SECONDS);
            return etcd;
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            etcd.close();
            throw new IOException("etcd does not serve, see " + folder.resolve("log"), e);
        }
    }

    /** One transaction, over keys that no other caller writes. */
    void transaction(int caller) throws IOException {
        ByteSequence key = bytes("/bench/compared/" + caller);
        TxnResponse answer;
        try {
            answer = client.getKVClient()
                    .txn()
                    .If(new Cmp(key, Cmp.Op.EQUAL, CmpTarget.modRevision(versions[caller])))
                    .Then(
                            Op.put(key, VALUE, PutOption.DEFAULT),
                            Op.put(bytes("/bench/address/" + caller), VALUE, PutOption.DEFAULT))
                    .commit()
                    .get(CALL.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            throw new IOException("a transaction failed", e);
        }
        if (!answer.isSucceeded()) {
            throw new IOException("the compare of " + key + " with " + versions[caller] + " failed");
        }
        versions[caller] = answer.getHeader().getRevision();
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        client.close();
        process.close();
    }
}
