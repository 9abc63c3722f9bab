package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** One change that somebody waits for. It is the thread's that serves it, until it is answered. */
final class Call<T> {
    private final String attempted;
    private final Function<LedgerSnapshot, Step<T>> decide;
    private final Duration deadline;
    private final CompletableFuture<Answer<T>> answer = new CompletableFuture<>();

    /**
     * What a call comes to.
     *
     * @param applied what to do once its change is in place, by whom the call is told
     */
    record Answer<T>(T result, Runnable applied) {}

    /**
     * A call that was not decided yet.
     *
     * @param deadline a monotonic time
     */
    Call(String attempted, Function<LedgerSnapshot, Step<T>> decide, Duration deadline) {
        this.attempted = attempted;
        this.decide = decide;
        this.deadline = deadline;
    }

    Duration deadline() {
        return deadline;
    }

    boolean answered() {
        return answer.isDone();
    }

    /** Ends when the call is answered, on the thread that serves it. */
    CompletableFuture<Answer<T>> answer() {
        return answer;
    }

    /**
     * Decides on what a transaction leaves, and adds its changes to it.
     *
     * @param fresh whether a decision that writes nothing may be answered
     * @return answers the call, once the transaction is in place; empty when it has to be decided again
     */
    Optional<Runnable> decide(Transaction transaction, boolean fresh) {
        Step<T> step;
        try {
            step = decide.apply(transaction.after());
        } catch (RuntimeException refusal) {
            return fresh ? Optional.of(() -> end(refusal)) : Optional.empty();
        }
        return switch (step) {
            case Step.Done<T>(T value) -> fresh ? Optional.of(() -> answer(value, Step.NOTHING)) : Optional.empty();
            case Step.Write<T>(List<Change> changes, T value, Runnable applied) ->
                transaction.add(changes) ? Optional.of(() -> answer(value, applied)) : Optional.empty();
        };
    }

    private void answer(T value, Runnable applied) {
        answer.complete(new Answer<>(value, applied));
    }

    /** Answers that it could not be decided or written. */
    void fail(ServiceException why) {
        end(new ServiceException(why.reason(), attempted + ": " + why.getMessage(), why));
    }

    /** Answers with this error, which nobody has to declare. */
    void end(Throwable why) {
        answer.completeExceptionally(why);
    }
}
