package io.podwire.common.service;

import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Times each unary call by method and result, from its headers to its status. A stream lasts as long as whoever reads it,
 * which is no latency: streams are not timed. There are as many series as methods and results that have occurred.
 */
final class RequestTimes implements ServerInterceptor {
    private static final Duration[] BUCKETS = {
        Duration.ofNanos(250_000),
        Duration.ofNanos(500_000),
        Duration.ofMillis(1),
        Duration.ofNanos(2_500_000),
        Duration.ofMillis(5),
        Duration.ofMillis(10),
        Duration.ofMillis(25),
        Duration.ofMillis(50),
        Duration.ofMillis(100),
        Duration.ofMillis(250),
        Duration.ofMillis(500),
        Duration.ofSeconds(1),
        Duration.ofMillis(2_500),
        Duration.ofSeconds(5),
        Duration.ofSeconds(10)
    };

    private final MeterRegistry meters;
    private final Map<Result, Timer> timers = new ConcurrentHashMap<>();

    /** What a series is of. */
    private record Result(MethodDescriptor<?, ?> method, Status.Code code) {}

    RequestTimes(MeterRegistry meters) {
        this.meters = meters;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        MethodDescriptor<Q, A> method = call.getMethodDescriptor();
        if (method.getType() != MethodDescriptor.MethodType.UNARY) {
            return next.startCall(call, headers);
        }
        long began = System.nanoTime();
        // A caller may go away while the answer is on its way: the first end counts.
        AtomicBoolean ended = new AtomicBoolean();
        ServerCall<Q, A> timed = new SimpleForwardingServerCall<>(call) {
            @Override
            public void close(Status status, Metadata trailers) {
                end(ended, method, status.getCode(), began);
                super.close(status, trailers);
            }
        };
        return new SimpleForwardingServerCallListener<>(next.startCall(timed, headers)) {
            @Override
            public void onCancel() {
                end(ended, method, Status.Code.CANCELLED, began);
                super.onCancel();
            }
        };
    }

    private void end(AtomicBoolean ended, MethodDescriptor<?, ?> method, Status.Code code, long began) {
        if (ended.compareAndSet(false, true)) {
            timers.computeIfAbsent(new Result(method, code), this::timer)
                    .record(System.nanoTime() - began, TimeUnit.NANOSECONDS);
        }
    }

    private Timer timer(Result result) {
        return Timer.builder("podwire.grpc.requests")
                .description("Time of unary gRPC calls, from their headers to their status")
                .tag("service", Objects.requireNonNullElse(result.method().getServiceName(), ""))
                .tag("method", Objects.requireNonNullElse(result.method().getBareMethodName(), ""))
                .tag("code", result.code().name())
                .serviceLevelObjectives(BUCKETS)
                .register(meters);
    }
}
