package io.podwire.node.cni;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import io.podwire.node.cni.CniException.Code;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.cni.v1.CniGrpc;
import io.podwire.proto.cni.v1.CniReply;
import io.podwire.proto.cni.v1.CniRequest;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The edge to cni-shim: turns requests into calls, and results and errors into a plugin's output. */
public final class CniGrpcService extends CniGrpc.CniImplBase {
    private static final Logger log = LoggerFactory.getLogger(CniGrpcService.class);

    /** What an answer may take to cni-shim, and the deadline's own way here: later than this before it is too late. */
    static final Duration ANSWER_TIME = Duration.ofMillis(100);

    private final AddFlow add;
    private final DelFlow del;
    private final CheckFlow check;
    private final GcFlow gc;
    private final StatusFlow status;
    private final Spool spool;
    private final Executor adds;
    private final Executor others;
    private final MeterRegistry meters;
    private final RecentConfigs configs = new RecentConfigs();

    /**
     * The service of one node.
     *
     * @param adds threads for ADDs, which may wait for policy-service
     * @param others threads for all else, so that no DEL waits behind ADDs that wait
     */
    public CniGrpcService(
            AddFlow add,
            DelFlow del,
            CheckFlow check,
            GcFlow gc,
            StatusFlow status,
            Spool spool,
            Executor adds,
            Executor others,
            MeterRegistry meters) {
        this.add = add;
        this.del = del;
        this.check = check;
        this.gc = gc;
        this.status = status;
        this.spool = spool;
        this.adds = adds;
        this.others = others;
        this.meters = meters;
    }

    /** One verb: reads its request, answers JSON or nothing. */
    @FunctionalInterface
    private interface Verb {
        Optional<ObjectNode> run(NetworkConfig config) throws CniException;
    }

    @Override
    public void add(CniRequest request, StreamObserver<CniReply> reply) {
        Context waiting = Context.current();
        answer(adds, request, reply, config -> {
            CniCall call = call(request, config);
            // A DEL that waits in the spool is older than this ADD, and wins over the ADD before it.
            spool.drain(call.key(), this::delSpooled);
            return Optional.of(add.add(call, () -> gone(waiting)));
        });
    }

    @Override
    public void del(CniRequest request, StreamObserver<CniReply> reply) {
        answer(others, request, reply, config -> {
            del.del(attachment(request, config), config.name());
            return Optional.empty();
        });
    }

    @Override
    public void check(CniRequest request, StreamObserver<CniReply> reply) {
        answer(others, request, reply, config -> {
            check.check(call(request, config));
            return Optional.empty();
        });
    }

    @Override
    public void gc(CniRequest request, StreamObserver<CniReply> reply) {
        answer(others, request, reply, config -> {
            gc.collect(config);
            return Optional.empty();
        });
    }

    @Override
    public void status(CniRequest request, StreamObserver<CniReply> reply) {
        answer(others, request, reply, config -> {
            status.status(config);
            return Optional.empty();
        });
    }

    /** Does the DELs that cni-shim wrote down while node-shim was away. */
    public void drainSpool() {
        spool.drain(this::delSpooled);
    }

    /**
     * True once cni-shim has ended, or gives up before it would read an answer. The deadline is looked at by itself: after
     * node-shim was stopped for a while, the thread of an ADD may run before the one that reads of the end.
     */
    static boolean gone(Context waiting) {
        Deadline deadline = waiting.getDeadline();
        return waiting.isCancelled()
                || (deadline != null && deadline.timeRemaining(TimeUnit.MILLISECONDS) < ANSWER_TIME.toMillis());
    }

    private void delSpooled(CniRequest request) throws CniException {
        NetworkConfig config = NetworkConfig.parse(request.getConfig().toByteArray());
        del.delSpooled(attachment(request, config), config.name());
    }

    private static CniCall call(CniRequest request, NetworkConfig config) throws CniException {
        return CniCall.of(
                request.getContainerId(),
                request.getNetns(),
                request.getIfname(),
                request.getArgs(),
                request.getNetnsOverride(),
                true,
                config);
    }

    /** What a DEL is about. Its CNI_NETNS and CNI_ARGS are not looked at: a pod that ADD refused for them can go. */
    private static EndpointKey attachment(CniRequest request, NetworkConfig config) throws CniException {
        return CniCall.of(request.getContainerId(), "", request.getIfname(), "", false, false, config)
                .key();
    }

    private void answer(Executor threads, CniRequest request, StreamObserver<CniReply> observer, Verb verb) {
        try {
            threads.execute(() -> serve(request, observer, verb));
        } catch (RejectedExecutionException e) {
            // On the transport's thread, which must not wait.
            serve(request, observer, _ -> {
                throw new CniException(
                        Code.TRY_AGAIN, "node-shim is stopping", "nothing was done; try again when it is back", e);
            });
        }
    }

    private void serve(CniRequest request, StreamObserver<CniReply> observer, Verb verb) {
        Timer.Sample sample = Timer.start(meters);
        Optional<CniVersion> version = Optional.empty();
        CniReply reply;
        String outcome;
        try {
            NetworkConfig config = configs.parse(request.getConfig());
            version = Optional.of(config.version());
            reply = verb.run(config).map(result -> reply(0, result)).orElse(CniReply.getDefaultInstance());
            outcome = "ok";
        } catch (CniException e) {
            outcome = e.code().name();
            log.warn(
                    "{} of {}/{} failed with code {}: {}: {}",
                    request.getCommand(),
                    request.getContainerId(),
                    request.getIfname(),
                    e.code().value(),
                    e.getMessage(),
                    e.details());
            reply = reply(1, CniResult.error(version, e));
        } catch (RuntimeException e) {
            outcome = Code.INTERNAL.name();
            log.error("{} of {}/{} failed", request.getCommand(), request.getContainerId(), request.getIfname(), e);
            reply = reply(
                    1,
                    CniResult.error(
                            version,
                            new CniException(Code.INTERNAL, "internal error", e + "; node-shim's log has more", e)));
        }
        observer.onNext(reply);
        observer.onCompleted();
        sample.stop(Timer.builder("podwire.cni")
                .description("CNI calls served, by verb and outcome")
                .tag("verb", request.getCommand().isEmpty() ? "?" : request.getCommand())
                .tag("outcome", outcome)
                .register(meters));
    }

    static CniReply reply(int exitCode, ObjectNode stdout) {
        try {
            return CniReply.newBuilder()
                    .setExitCode(exitCode)
                    .setStdout(ByteString.copyFrom(NetworkConfig.JSON.writeValueAsBytes(stdout)))
                    .build();
        } catch (JsonProcessingException e) {
            throw new AssertionError("a tree is always JSON", e);
        }
    }
}
