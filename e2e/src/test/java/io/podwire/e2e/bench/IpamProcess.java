package io.podwire.e2e.bench;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.podwire.e2e.mesh.Daemon;
import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A process of ipam-service, started as a lab and a Deployment start it. */
final class IpamProcess implements AutoCloseable {
    private static final Duration READY = Duration.ofSeconds(60);

    private final String target;
    private final Daemon process;

    private IpamProcess(String target, Daemon process) {
        this.target = target;
        this.process = process;
    }

    /**
     * Starts it, and waits until it serves.
     *
     * @param folder for its log
     * @param port of gRPC on loopback; the next one is that of HTTP
     * @param options further ones: its store and pools
     */
    static IpamProcess start(Path home, Path folder, int port, List<String> options) throws IOException {
        String target = "127.0.0.1:" + port;
        List<String> command = new ArrayList<>(List.of(
                home.resolve("bin/ipam-service").toString(),
                "--listen=" + target,
                "--http-listen=127.0.0.1:" + (port + 1)));
        command.addAll(options);
        Daemon process =
                new Daemon("ipam-service", Files.createDirectories(folder).resolve("log"), List.of(), command);
        process.start(List.of());
        IpamProcess ipam = new IpamProcess(target, process);
        ManagedChannel channel = ipam.channel();
        try {
            var _ = PoolsGrpc.newBlockingStub(channel)
                    .withWaitForReady()
                    .withDeadlineAfter(READY.toSeconds(), TimeUnit.SECONDS)
                    .listPools(ListPoolsRequest.getDefaultInstance());
            return ipam;
        } catch (StatusRuntimeException e) {
            ipam.close();
            throw new IOException("ipam-service does not serve, see " + folder.resolve("log"), e);
        } finally {
            channel.shutdownNow();
        }
    }

    /** A connection of its own. */
    ManagedChannel channel() {
        return NettyChannelBuilder.forTarget(target).usePlaintext().build();
    }

    /** Its memory. */
    JvmMemory memory() {
        return new JvmMemory(process.pid());
    }

    @Override
    public void close() {
        process.close();
    }
}
