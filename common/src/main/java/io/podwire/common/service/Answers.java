package io.podwire.common.service;

import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

/** Answers unary calls whose methods return before the answer is known. */
public final class Answers {
    private Answers() {}

    /**
     * Answers a call when a result is there, on the thread that it is there by; its failure as the server answers one that
     * a method throws. To be called by the method itself. A client that is gone by then is nobody's error.
     *
     * @param result ends some day
     * @param message the answer of a result
     */
    public static <T, A> void when(
            CompletableFuture<T> result, StreamObserver<A> answer, Function<? super T, ? extends A> message) {
        if (answer instanceof ServerCallStreamObserver<A> call) {
            // Without one, an answer to a client that is gone is an exception.
            call.setOnCancelHandler(() -> {});
        }
        var _ = result.thenApply(message).whenComplete((made, failure) -> {
            if (failure == null) {
                answer.onNext(made);
                answer.onCompleted();
            } else {
                answer.onError(ErrorInterceptor.status(cause(failure), "a call"));
            }
        });
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }
}
