package io.podwire.common.service;

import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Turns what a service method throws into the status a client sees: one place for all services. */
final class ErrorInterceptor implements ServerInterceptor {
    private static final Logger log = LoggerFactory.getLogger(ErrorInterceptor.class);

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        ServerCall.Listener<Q> listener;
        try {
            // The method of a stream of requests runs here, that of a single request at onHalfClose.
            listener = next.startCall(call, headers);
        } catch (RuntimeException e) {
            close(call, e);
            return new ServerCall.Listener<>() {};
        }
        return new SimpleForwardingServerCallListener<>(listener) {
            @Override
            public void onMessage(Q message) {
                guarded(call, () -> super.onMessage(message));
            }

            @Override
            public void onHalfClose() {
                guarded(call, super::onHalfClose);
            }
        };
    }

    private static void guarded(ServerCall<?, ?> call, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            close(call, e);
        }
    }

    private static void close(ServerCall<?, ?> call, RuntimeException failure) {
        StatusRuntimeException mapped =
                status(failure, call.getMethodDescriptor().getFullMethodName());
        Metadata trailers = mapped.getTrailers();
        call.close(mapped.getStatus(), trailers == null ? new Metadata() : trailers);
    }

    /** What the client is told; what is not a ServiceException is a bug, and goes to the log. */
    static StatusRuntimeException status(Throwable failure, String what) {
        if (failure instanceof ServiceException e) {
            return GrpcErrors.toGrpc(e);
        }
        log.error("bug: {} failed", what, failure);
        return Status.INTERNAL
                .withDescription("internal error, see the service's log")
                .asRuntimeException();
    }
}
