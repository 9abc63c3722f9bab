package io.podwire.ipam.service;

import io.podwire.common.error.ServiceException;
import io.podwire.ipam.service.CasFlow.Step;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** One change that somebody waits for. It is the thread's that serves it, until it is answered; then its caller's. */
final class Call<T> {
    private final String attempted;
    private final Function<LedgerSnapshot, Step<T>> decide;
    private final Duration deadline;
    private T result;
    private Throwable failure;
    private Runnable applied = () -> {};
    /** Written last. */
    private volatile boolean answered;

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
        return answered;
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
            case Step.Done<T>(T value) -> fresh ? Optional.of(() -> answer(value)) : Optional.empty();
            case Step.Write<T>(List<Change> changes, T value, Runnable then) ->
                transaction.add(changes)
                        ? Optional.of(() -> {
                            applied = then;
                            answer(value);
                        })
                        : Optional.empty();
        };
    }

    private void answer(T value) {
        result = value;
        answered = true;
    }

    /** Answers that it could not be decided or written. */
    void fail(ServiceException why) {
        end(new ServiceException(why.reason(), attempted + ": " + why.getMessage(), why));
    }

    /** Answers with this error, which nobody has to declare. */
    void end(Throwable why) {
        failure = why;
        answered = true;
    }

    /** The answer, or its error; what is to be done once a change is in place is done by whom it is told, once. */
    T result() {
        if (failure instanceof Error error) {
            throw error;
        }
        if (failure instanceof RuntimeException e) {
            throw e;
        }
        applied.run();
        return result;
    }
}
