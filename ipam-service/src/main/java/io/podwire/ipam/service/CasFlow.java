package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import io.podwire.ipam.store.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/**
 * Decide, compare-and-set, and again until it holds or the patience is over.
 *
 * <p>Group commit: of the calls that come meanwhile the next write takes all ({@link CallLine}), each decided on what the
 * ones before it leave, as one compare-and-set. One call alone costs one write and no read: what is decided on
 * is what this process knows, and the store compares it. What writes nothing, as a refusal, is decided on a new reading.
 */
public final class CasFlow {
    private static final Duration FIRST_WAIT = Duration.ofMillis(2);
    private static final Duration LONGEST_WAIT = Duration.ofMillis(200);
    /** etcd takes 128 operations in a transaction, and the store adds one of its own. */
    private static final int MOST_KEYS = 120;

    private final IpamStore store;
    private final Duration patience;
    private final TimeSource time;
    private final Pause pause;
    private final RandomGenerator random;
    private final CallLine line;
    private final AtomicReference<LedgerSnapshot> known = new AtomicReference<>(LedgerSnapshot.NONE);

    /** What a decision comes to. */
    sealed interface Step<T> {
        /** Nothing has to change. */
        record Done<T>(T result) implements Step<T> {}

        /**
         * These changes, then the result.
         *
         * @param changes at most {@link #MOST_KEYS}
         * @param applied what to do once they are in place, on the thread of the call: others do not wait for it
         */
        record Write<T>(List<Change> changes, T result, Runnable applied) implements Step<T> {}
    }

    /** Waits; tests do it without time passing. */
    @FunctionalInterface
    public interface Pause {
        /** Waits that long. */
        void pause(Duration wait) throws InterruptedException;
    }

    /**
     * A flow over a store.
     *
     * @param patience how long to try, from the call on
     * @param random jitter of the waits
     */
    public CasFlow(IpamStore store, Duration patience, TimeSource time, Pause pause, RandomGenerator random) {
        this.store = store;
        this.patience = patience;
        this.time = time;
        this.pause = pause;
        this.random = random;
        this.line = new CallLine(patience, this::serve);
    }

    /** What the store holds now. */
    LedgerSnapshot read() {
        LedgerSnapshot before = known.get();
        LedgerSnapshot now = before.refreshed(store);
        // Whoever serves calls meanwhile knows better.
        var _ = known.compareAndSet(before, now);
        return now;
    }

    /** What the store held at the last reading or write of this process. */
    LedgerSnapshot known() {
        return known.get();
    }

    /** The store's revision, see {@link IpamStore#revision}. */
    long revision() {
        return store.revision();
    }

    /**
     * Runs one change.
     *
     * @param attempted first words of the error
     * @param decide a pure function of the snapshot; a refusal is its ServiceException
     * @throws ServiceException CONTENTION when others kept winning; UNAVAILABLE when the store does
     *     not answer, in which case the change may or may not be in place
     */
    <T> T run(String attempted, Function<LedgerSnapshot, Step<T>> decide) {
        Call<T> call = new Call<>(attempted, decide, time.monotonic().plus(patience));
        line.pass(call);
        return call.result();
    }

    /** Answers all calls of a batch; one thread at a time. */
    private void serve(List<Call<?>> batch) throws InterruptedException {
        Backoff backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, random);
        List<Call<?>> left = new ArrayList<>(batch);
        // The first reading of a process, and after that none as long as it is alone.
        boolean fresh = false;
        while (!left.isEmpty()) {
            Optional<ServiceException> failure;
            try {
                if (fresh || known.get() == LedgerSnapshot.NONE) {
                    known.set(known.get().refreshed(store));
                    fresh = true;
                }
                failure = attempt(left, fresh);
            } catch (ServiceException e) {
                failure = Optional.of(e);
            }
            left.removeIf(Call::answered);
            if (failure.isPresent()) {
                giveUp(left, failure.get(), backoff);
            }
            fresh = true;
        }
    }

    /**
     * Decides as many calls as one write takes, and writes.
     *
     * @param fresh whether what is known was read after all calls had come
     * @return why the write is to be tried again; empty where it is in place
     */
    private Optional<ServiceException> attempt(List<Call<?>> calls, boolean fresh) {
        LedgerSnapshot from = known.get();
        Transaction transaction = new Transaction(from, MOST_KEYS);
        List<Runnable> answers = new ArrayList<>();
        for (Call<?> call : calls) {
            call.decide(transaction, fresh).ifPresent(answers::add);
        }
        if (transaction.isEmpty()) {
            answers.forEach(Runnable::run);
            return Optional.empty();
        }
        List<Change> changes = transaction.changes();
        return switch (store.compareAndSet(changes)) {
            case Outcome.Applied(long version) -> {
                known.set(transaction.after().written(changes, version));
                answers.forEach(Runnable::run);
                yield Optional.empty();
            }
            case Outcome.Conflict _ ->
                failure(ErrorReason.CONTENTION, "other writers kept winning for " + patience + "; try again");
            case Outcome.Unknown _ ->
                failure(
                        ErrorReason.UNAVAILABLE,
                        "the store did not answer a write within " + patience
                                + ", which may have taken place; repeat the same request");
        };
    }

    private static Optional<ServiceException> failure(ErrorReason reason, String message) {
        return Optional.of(new ServiceException(reason, message));
    }

    /** Has the calls whose patience is over before the next try fail; waits with the others. */
    private void giveUp(List<Call<?>> calls, ServiceException failure, Backoff backoff) throws InterruptedException {
        boolean again = failure.reason() == ErrorReason.CONTENTION || failure.reason() == ErrorReason.UNAVAILABLE;
        Duration wait = backoff.next();
        Duration then = time.monotonic().plus(wait);
        for (Call<?> call : calls) {
            if (!again || then.compareTo(call.deadline()) > 0) {
                call.fail(failure);
            }
        }
        calls.removeIf(Call::answered);
        if (!calls.isEmpty()) {
            pause.pause(wait);
        }
    }
}
