package io.podwire.node.upstream;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A stream to a service that is opened again whenever it ends. Each new stream begins with the whole
 * state, so a message that was lost with an old one needs no repetition.
 *
 * <p>The loop given to the constructor owns all state; callbacks run on it.
 *
 * @param <Q> what is sent
 * @param <A> what is received
 */
final class ReconnectingStream<Q, A> {
    private static final Logger log = LoggerFactory.getLogger(ReconnectingStream.class);
    /** With the time of a connection and a first message less than the 5 s within which all is in sync after an outage. */
    private static final Duration LONGEST = Duration.ofSeconds(3);

    private final String service;
    private final ManagedChannel channel;
    private final EventLoop loop;
    private final Function<StreamObserver<A>, StreamObserver<Q>> call;
    private final Supplier<Q> first;
    private final Consumer<A> received;
    private final Consumer<StatusRuntimeException> refused;
    private final Backoff backoff = new Backoff(Duration.ofMillis(100), LONGEST, ThreadLocalRandom.current());

    private ClientCallStreamObserver<Q> requests;
    private int generation;
    private boolean complained;
    private boolean closed;
    private boolean firstOnly;
    private volatile boolean connected;

    /**
     * A stream that is not open yet.
     *
     * @param service named in the log
     * @param channel the stub's: it is told to connect at this stream's pace, since its own pause between
     *     two tries grows to two minutes
     * @param call the stub's method
     * @param first makes the first message of each stream
     * @param received takes each answer
     */
    ReconnectingStream(
            String service,
            ManagedChannel channel,
            EventLoop loop,
            Function<StreamObserver<A>, StreamObserver<Q>> call,
            Supplier<Q> first,
            Consumer<A> received) {
        this(service, channel, loop, call, first, received, _ -> {});
    }

    /**
     * The same.
     *
     * @param refused hears of each stream's end by an error
     */
    ReconnectingStream(
            String service,
            ManagedChannel channel,
            EventLoop loop,
            Function<StreamObserver<A>, StreamObserver<Q>> call,
            Supplier<Q> first,
            Consumer<A> received,
            Consumer<StatusRuntimeException> refused) {
        this.service = service;
        this.channel = channel;
        this.loop = loop;
        this.call = call;
        this.first = first;
        this.received = received;
        this.refused = refused;
    }

    /** Each stream has one message from this side: the method takes no more. Call before {@link #start}. */
    void sendOnlyTheFirst() {
        firstOnly = true;
    }

    /** Opens the stream, now and again after each end. */
    void start() {
        loop.execute(this::open);
    }

    /** Sends a message if the stream is open; else the next stream's first message says it all. On the loop only. */
    void send(Q message) {
        if (requests != null) {
            requests.onNext(message);
        }
    }

    /** Ends this stream with an error; another one opens after a while. On the loop only. */
    void reset(String reason) {
        if (requests != null) {
            ClientCallStreamObserver<Q> ending = requests;
            requests = null;
            ending.cancel(reason, null);
        }
    }

    /** Ends this stream for good. On the loop only. */
    void close() {
        ClientCallStreamObserver<Q> ending = requests;
        requests = null;
        // What is under way belongs to an older generation, and opens nothing.
        generation++;
        closed = true;
        connected = false;
        if (ending != null) {
            ending.cancel("closed", null);
        }
    }

    /** True while the stream has brought an answer and has not ended. */
    boolean connected() {
        return connected;
    }

    /** True when what is sent now goes to a service that has answered on this stream. On the loop only. */
    boolean reaches() {
        return connected && requests != null;
    }

    private void open() {
        if (closed) {
            return;
        }
        int mine = ++generation;
        requests = null;
        channel.resetConnectBackoff();
        var _ = call.apply(new ClientResponseObserver<Q, A>() {
            @Override
            public void beforeStart(ClientCallStreamObserver<Q> stream) {
                requests = stream;
            }

            @Override
            public void onNext(A answer) {
                loop.execute(() -> {
                    if (mine == generation) {
                        if (!connected) {
                            connected = true;
                            complained = false;
                            log.info("stream to {} is up", service);
                        }
                        backoff.reset();
                        received.accept(answer);
                    }
                });
            }

            @Override
            public void onError(Throwable failure) {
                loop.execute(() -> {
                    if (mine == generation && failure instanceof StatusRuntimeException status) {
                        refused.accept(status);
                    }
                    ended(mine, Status.fromThrowable(failure));
                });
            }

            @Override
            public void onCompleted() {
                loop.execute(() -> ended(mine, Status.OK));
            }
        });
        requests.onNext(first.get());
        if (firstOnly) {
            requests.onCompleted();
        }
    }

    private void ended(int which, Status status) {
        if (which != generation) {
            return;
        }
        requests = null;
        Duration wait = backoff.next();
        if (connected || !complained) {
            log.warn(
                    "stream to {} ended: {}; what is in the kernel stays, trying again until it is back",
                    service,
                    status.getDescription() == null ? status.getCode() : status.getDescription());
            complained = true;
        }
        connected = false;
        loop.schedule(wait, this::open);
    }
}
