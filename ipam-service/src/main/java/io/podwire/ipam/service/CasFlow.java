package io.podwire.ipam.service;

import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.TimeSource;
import io.podwire.ipam.store.Change;
import io.podwire.ipam.store.IpamStore;
import io.podwire.ipam.store.LedgerSnapshot;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/**
 * Read, decide, compare-and-set, and again until it holds or the patience is over. Flows of one
 * process line up behind a lock, so that only replicas contend in the store; the lock is for speed,
 * the store alone decides who wins.
 */
public final class CasFlow {
    private static final Duration FIRST_WAIT = Duration.ofMillis(2);
    private static final Duration LONGEST_WAIT = Duration.ofMillis(200);

    private final IpamStore store;
    private final Duration patience;
    private final TimeSource time;
    private final Pause pause;
    private final RandomGenerator random;
    private final ReentrantLock line = new ReentrantLock(true);

    /** What a decision comes to. */
    sealed interface Step<T> {
        /** Nothing has to change. */
        record Done<T>(T result) implements Step<T> {}

        /**
         * These changes, then the result.
         *
         * @param applied what to do once they are in place
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
    }

    /** What the store holds now. */
    LedgerSnapshot read() {
        return LedgerSnapshot.read(store);
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
        Duration deadline = time.monotonic().plus(patience);
        try {
            if (!line.tryLock(patience.toNanos(), TimeUnit.NANOSECONDS)) {
                throw new ServiceException(
                        ErrorReason.UNAVAILABLE,
                        attempted + ": earlier calls waited for the store for " + patience + "; try again");
            }
            try {
                return loop(attempted, deadline, decide);
            } finally {
                line.unlock();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServiceException(ErrorReason.UNAVAILABLE, attempted + ": the service stops; try again", e);
        }
    }

    private <T> T loop(String attempted, Duration deadline, Function<LedgerSnapshot, Step<T>> decide)
            throws InterruptedException {
        Backoff backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, random);
        while (true) {
            try {
                return attempt(attempted, decide);
            } catch (ServiceException e) {
                Duration wait = backoff.next();
                boolean again = e.reason() == ErrorReason.CONTENTION || e.reason() == ErrorReason.UNAVAILABLE;
                if (!again || time.monotonic().plus(wait).compareTo(deadline) > 0) {
                    throw e;
                }
                pause.pause(wait);
            }
        }
    }

    private <T> T attempt(String attempted, Function<LedgerSnapshot, Step<T>> decide) {
        return switch (decide.apply(read())) {
            case Step.Done<T>(T result) -> result;
            case Step.Write<T>(List<Change> changes, T result, Runnable applied) ->
                switch (store.compareAndSet(changes)) {
                    case APPLIED -> {
                        applied.run();
                        yield result;
                    }
                    case CONFLICT -> throw contention(attempted);
                    case UNKNOWN -> throw unknown(attempted);
                };
        };
    }

    private ServiceException contention(String attempted) {
        return new ServiceException(
                ErrorReason.CONTENTION, attempted + ": other writers kept winning for " + patience + "; try again");
    }

    private ServiceException unknown(String attempted) {
        return new ServiceException(
                ErrorReason.UNAVAILABLE,
                attempted + ": the store did not answer a write within " + patience
                        + ", which may have taken place; repeat the same request");
    }
}
