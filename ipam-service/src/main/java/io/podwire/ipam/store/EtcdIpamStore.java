package io.podwire.ipam.store;

import com.google.common.util.concurrent.MoreExecutors;
import io.etcd.jetcd.ByteSequence;
import io.etcd.jetcd.Client;
import io.etcd.jetcd.ClientBuilder;
import io.etcd.jetcd.KeyValue;
import io.etcd.jetcd.api.KVGrpc;
import io.etcd.jetcd.kv.GetResponse;
import io.etcd.jetcd.kv.TxnResponse;
import io.etcd.jetcd.op.Cmp;
import io.etcd.jetcd.op.CmpTarget;
import io.etcd.jetcd.op.Op;
import io.etcd.jetcd.options.DeleteOption;
import io.etcd.jetcd.options.GetOption;
import io.etcd.jetcd.options.PutOption;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Context;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.EventLoop;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The store in etcd (API v3), for several replicas of the service. A version is etcd's mod_revision.
 * The loop {@code etcd-probe} owns the answer to {@link #connected}; all else is stateless.
 */
public final class EtcdIpamStore implements IpamStore {
    private static final Logger log = LoggerFactory.getLogger(EtcdIpamStore.class);
    private static final int MAX_ANSWER_BYTES = 64 << 20;
    private static final Duration KEEPALIVE = Duration.ofSeconds(10);
    private static final Duration PROBE_PERIOD = Duration.ofSeconds(1);

    private static final Pattern CAUSE = Pattern.compile("cause=([^\\n]+)");

    private final List<URI> endpoints;
    private final String prefix;
    /** Written with each deletion: a range request tells what was written since, and not what is gone. */
    private final ByteSequence deletions;

    private final Duration timeout;
    private final ExecutorService calls = MoreExecutors.newDirectExecutorService();
    private final Client client;
    private final EventLoop probe = new EventLoop("etcd-probe");
    private volatile boolean connected;
    /** Whether the log has what the probe fails of since it last succeeded; of the loop alone. */
    private boolean told;

    private EtcdIpamStore(EtcdAccess access, String prefix, Duration timeout) {
        this.endpoints = access.endpoints();
        this.prefix = prefix;
        this.deletions = bytes(prefix + "deletions");
        this.timeout = timeout;
        this.client = client(access, timeout, calls);
        probe.execute(this::probe);
        probe.every(PROBE_PERIOD, this::probe);
    }

    private static Client client(EtcdAccess access, Duration timeout, ExecutorService calls) {
        ClientBuilder builder = Client.builder()
                .endpoints(access.endpoints())
                .interceptor(new Call(timeout))
                .executorService(calls)
                .connectTimeout(timeout)
                // A member that went silent leaves the rotation; etcd refuses pings more often than each 5 s.
                .keepaliveTime(KEEPALIVE)
                .keepaliveTimeout(timeout)
                .maxInboundMessageSize(MAX_ANSWER_BYTES);
        switch (access.transport()) {
            case EtcdAccess.Transport.Plain _ -> {}
            case EtcdAccess.Transport.Tls tls -> builder.sslContext(tls.context());
        }
        switch (access.login()) {
            case EtcdAccess.Login.None _ -> {}
            case EtcdAccess.Login.Password(String user, String password) ->
                builder.user(bytes(user)).password(bytes(password));
        }
        return builder.build();
    }

    /**
     * A store in this etcd; does not wait for it to answer.
     *
     * @param prefix of all keys, ends with '/'
     * @param timeout of each call
     */
    public static EtcdIpamStore connect(EtcdAccess access, String prefix, Duration timeout) {
        return new EtcdIpamStore(access, prefix, timeout);
    }

    /**
     * A store at these endpoints, without TLS and user.
     *
     * @param endpoints http://HOST:PORT of the members, at least one
     * @param prefix of all keys, ends with '/'
     * @param timeout of each call
     */
    public static EtcdIpamStore connect(List<URI> endpoints, String prefix, Duration timeout) {
        return connect(EtcdAccess.plain(endpoints), prefix, timeout);
    }

    @Override
    public Reading read(long since) {
        try {
            if (since > 0) {
                GetResponse written = range(since + 1);
                boolean deleted =
                        written.getKvs().stream().anyMatch(kv -> kv.getKey().equals(deletions));
                // A revision from before: this etcd was brought back from a backup.
                if (!deleted && written.getHeader().getRevision() >= since) {
                    return reading(written, false);
                }
            }
            return reading(range(0), true);
        } catch (CallFailed e) {
            throw unavailable("reading " + prefix, e);
        }
    }

    /** Keys that were written at a revision or later. */
    private GetResponse range(long from) throws CallFailed {
        // One range request is one revision; linearizable is etcd's default, said here because all rests on it.
        return await(client.getKVClient()
                .get(
                        bytes(prefix),
                        GetOption.builder()
                                .isPrefix(true)
                                .withSerializable(false)
                                .withSortField(GetOption.SortTarget.KEY)
                                .withSortOrder(GetOption.SortOrder.ASCEND)
                                .withMinModRevision(from)
                                .build()));
    }

    private Reading reading(GetResponse response, boolean whole) {
        return new Reading(
                response.getHeader().getRevision(),
                whole,
                response.getKvs().stream()
                        .filter(kv -> !kv.getKey().equals(deletions))
                        .map(this::entry)
                        .toList());
    }

    @Override
    public long revision() {
        // Of all of etcd: other writers' keys make it grow, too.
        GetOption option =
                GetOption.builder().withSerializable(false).withCountOnly(true).build();
        try {
            return await(client.getKVClient().get(bytes(prefix), option))
                    .getHeader()
                    .getRevision();
        } catch (CallFailed e) {
            throw unavailable("asking for the revision", e);
        }
    }

    @Override
    public Outcome compareAndSet(List<Change> changes) {
        try {
            return await(write(changes));
        } catch (CallFailed e) {
            throw e.getCause() instanceof ServiceException refused
                    ? refused
                    : unavailable("writing " + changes.size() + " keys below " + prefix, e);
        }
    }

    @Override
    public CompletableFuture<Outcome> write(List<Change> changes) {
        Cmp[] compares = changes.stream()
                .map(change -> new Cmp(key(change), Cmp.Op.EQUAL, CmpTarget.modRevision(change.expected())))
                .toArray(Cmp[]::new);
        List<Op> writes = new ArrayList<>();
        for (Change change : changes) {
            switch (change) {
                case Change.Put put -> writes.add(Op.put(key(put), bytes(put.value()), PutOption.DEFAULT));
                case Change.Delete delete -> writes.add(Op.delete(key(delete), DeleteOption.DEFAULT));
                case Change.Check _ -> {}
            }
        }
        if (changes.stream().anyMatch(Change.Delete.class::isInstance)) {
            writes.add(Op.put(deletions, ByteSequence.EMPTY, PutOption.DEFAULT));
        }
        return client.getKVClient()
                .txn()
                .If(compares)
                .Then(writes.toArray(Op[]::new))
                .commit()
                .orTimeout(longest().toNanos(), TimeUnit.NANOSECONDS)
                .handle((answer, failure) -> failure == null ? outcome(answer) : outcome(failure, changes.size()));
    }

    @Override
    public boolean waits() {
        return false;
    }

    private static Outcome outcome(TxnResponse answer) {
        return answer.isSucceeded() ? new Outcome.Applied(answer.getHeader().getRevision()) : new Outcome.Conflict();
    }

    private Outcome outcome(Throwable failure, int keys) {
        CallFailed failed = new CallFailed(failure instanceof CompletionException ? failure.getCause() : failure);
        if (failed.mayHaveHappened) {
            log.warn(
                    "a write to etcd at {} was not answered ({}), its outcome is unknown",
                    endpoints,
                    failed.getMessage());
            return new Outcome.Unknown();
        }
        throw unavailable("writing " + keys + " keys below " + prefix, failed);
    }

    @Override
    public boolean connected() {
        return connected;
    }

    @Override
    public void close() {
        probe.close();
        // jetcd begins no further try then.
        calls.shutdown();
        client.close();
    }

    private void probe() {
        try {
            var _ = await(client.getKVClient().get(bytes(prefix)));
            connected = true;
            told = false;
        } catch (CallFailed e) {
            connected = false;
            // Interrupted: the store is being closed.
            if (!told && !Thread.currentThread().isInterrupted()) {
                told = true;
                log.warn("etcd at {} does not answer: {}", endpoints, e.getMessage());
            }
        }
    }

    private Entry entry(KeyValue stored) {
        return new Entry(
                stored.getKey().toString(StandardCharsets.UTF_8).substring(prefix.length()),
                stored.getModRevision(),
                stored.getValue().toString(StandardCharsets.UTF_8));
    }

    private ByteSequence key(Change change) {
        return bytes(prefix + change.key());
    }

    private static ByteSequence bytes(String text) {
        return ByteSequence.from(text, StandardCharsets.UTF_8);
    }

    private ServiceException unavailable(String what, CallFailed failure) {
        return new ServiceException(
                ErrorReason.UNAVAILABLE,
                what + " in etcd at " + endpoints + " failed: " + failure.getMessage() + "; try again",
                failure);
    }

    /** The call's own deadline comes first; this is for a client that is stuck itself. */
    private Duration longest() {
        return timeout.multipliedBy(2);
    }

    private <T> T await(CompletableFuture<T> call) throws CallFailed {
        try {
            return call.get(longest().toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new CallFailed(e.getCause());
        } catch (TimeoutException e) {
            call.cancel(true);
            throw new CallFailed(new TimeoutException("no answer within " + timeout));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            call.cancel(true);
            throw new CallFailed(e);
        }
    }

    /** A call that gave no result. */
    private static final class CallFailed extends Exception {
        private static final long serialVersionUID = 1L;
        /** False when etcd answered that it did not do it. */
        private final boolean mayHaveHappened;

        CallFailed(Throwable cause) {
            super(reason(cause), cause);
            this.mayHaveHappened = switch (Status.fromThrowable(cause).getCode()) {
                case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED, UNKNOWN, INTERNAL, ABORTED, OK -> true;
                // RESOURCE_EXHAUSTED is etcd's "database space exceeded". The write that crosses the quota is applied
                // all the same; a claim finds it again by its request id.
                case INVALID_ARGUMENT,
                        NOT_FOUND,
                        ALREADY_EXISTS,
                        PERMISSION_DENIED,
                        RESOURCE_EXHAUSTED,
                        FAILED_PRECONDITION,
                        OUT_OF_RANGE,
                        UNIMPLEMENTED,
                        DATA_LOSS,
                        UNAUTHENTICATED -> false;
            };
        }
    }

    /**
     * The first line, which names the trouble, and what caused it: gRPC tells of a connection that does not come about,
     * for a certificate that is not trusted, say, by a stack trace in the description, and jetcd of a login that was
     * refused by the exception's cause.
     */
    private static String reason(Throwable failure) {
        String all = String.valueOf(failure.getMessage());
        String first = firstLine(all);
        Matcher described = CAUSE.matcher(all);
        String cause = described.find()
                ? described.group(1)
                : firstLine(String.valueOf(root(failure).getMessage()));
        return first.contains(cause) ? first : first + ", " + cause;
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse("");
    }

    private static Throwable root(Throwable failure) {
        return failure.getCause() == null ? failure : root(failure.getCause());
    }

    /**
     * Gives each call a deadline. jetcd lets a call wait for a connection, so that without one a write
     * which the caller gave up could still be sent, and applied, minutes later.
     *
     * <p>That deadline alone: gRPC would end a call to etcd with the call of ours on whose thread it begins, and the
     * write of sixteen callers must not end because one of them has its answer, or hangs up.
     *
     * <p>A call begins on its caller's thread, and a write ends on the connection's: nothing in it waits for anything,
     * and each thread more to wake up takes a tenth of the time of a write. A reading may be long, and is made out on a
     * thread of its own.
     */
    private record Call(Duration timeout) implements ClientInterceptor {
        @Override
        public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
            CallOptions timed = options.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS);
            boolean write = KVGrpc.getTxnMethod().getFullMethodName().equals(method.getFullMethodName());
            CallOptions own = write ? timed.withExecutor(MoreExecutors.directExecutor()) : timed;
            Context callers = Context.ROOT.attach();
            try {
                return next.newCall(method, own);
            } finally {
                Context.ROOT.detach(callers);
            }
        }
    }
}
