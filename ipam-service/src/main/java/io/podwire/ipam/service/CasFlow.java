package io.podwire.ipam.service;

import com.google.common.base.Throwables;
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
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/**
 * Decide, compare-and-set, and again until it holds or the patience is over.
 *
 * <p>Group commit: of the calls that come meanwhile the next write takes all ({@link CallLine}), each decided on what the
 * ones before it leave, as one compare-and-set. One call alone costs one write and no read: what is decided on
 * is what this process knows, and the store compares it. What writes nothing, as a refusal, is decided on a new reading.
 *
 * <p>The first write is begun on the caller's thread and answered on the store's, and nothing waits: that is how nearly
 * all calls end. Readings, further tries and the waits between them are on threads of their own.
 */
public final class CasFlow {
    private static final Duration FIRST_WAIT = Duration.ofMillis(2);
    private static final Duration LONGEST_WAIT = Duration.ofMillis(200);
    /** etcd takes 128 operations in a transaction, and the store adds one of its own. */
    private static final int MOST_KEYS = 120;
    /** A claim or an allocation has three keys, and shares its pool's. */
    private static final int MOST_CALLS = 32;

    private final IpamStore store;
    private final Duration patience;
    private final TimeSource time;
    private final Pause pause;
    private final RandomGenerator random;
    private final Executor threads;
    private final CallLine line;
    private final AtomicReference<LedgerSnapshot> known = new AtomicReference<>(LedgerSnapshot.NONE);
    /** When the last reading began between two batches; empty before the first. */
    private volatile Optional<Duration> readAt = Optional.empty();

    /** What a decision comes to. */
    sealed interface Step<T> {
        /** Nothing has to change. */
        record Done<T>(T result) implements Step<T> {}

        /** What to do once changes are in place of which nobody has to be told. */
        Runnable NOTHING = () -> {};

        /**
         * These changes, then the result.
         *
         * @param changes at most {@link #MOST_KEYS}
         * @param applied what to do once they are in place, on a thread that no other call waits for
         */
        record Write<T>(List<Change> changes, T result, Runnable applied) implements Step<T> {}
    }

    /**
     * As many calls as one write takes, decided.
     *
     * @param changes what to write
     * @param after what is known, were it written
     * @param answers answer the calls once it is
     */
    private record Attempt(List<Change> changes, LedgerSnapshot after, List<Runnable> answers) {
        static final Attempt NOTHING = new Attempt(List.of(), LedgerSnapshot.NONE, List.of());

        /**
         * Decides.
         *
         * @param fresh whether what is known was read after all calls had come
         */
        static Attempt of(LedgerSnapshot known, List<Call<?>> calls, boolean fresh) {
            Transaction transaction = new Transaction(known, MOST_KEYS);
            List<Runnable> answers = new ArrayList<>();
            for (Call<?> call : calls) {
                call.decide(transaction, fresh).ifPresent(answers::add);
            }
            return new Attempt(transaction.changes(), transaction.after(), answers);
        }

        boolean isEmpty() {
            return changes.isEmpty();
        }

        /** Answers the calls that were decided. */
        void answer() {
            answers.forEach(Runnable::run);
        }
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
        this(store, patience, time, pause, random, Thread::startVirtualThread);
    }

    /**
     * As above.
     *
     * @param threads do what may have to wait, each of it on a thread of its own
     */
    public CasFlow(
            IpamStore store,
            Duration patience,
            TimeSource time,
            Pause pause,
            RandomGenerator random,
            Executor threads) {
        this.store = store;
        this.patience = patience;
        this.time = time;
        this.pause = pause;
        this.random = random;
        this.threads = threads;
        this.line = new CallLine(this::serve, MOST_CALLS, threads);
    }

    /** What the store holds now. */
    LedgerSnapshot read() {
        LedgerSnapshot before = known.get();
        LedgerSnapshot now = before.refreshed(store);
        // Whoever serves calls meanwhile knows better.
        var _ = known.compareAndSet(before, now);
        return now;
    }

    /**
     * What the store held some time ago, and what this process has written since: enough for whoever looks again and
     * again, and writes by compare-and-set. A reading has etcd look at every key, however few have changed.
     *
     * @param age of what other replicas have written, at most
     * @throws ServiceException UNAVAILABLE when the store does not answer
     */
    LedgerSnapshot recent(Duration age) {
        boolean old = readAt.filter(at -> time.monotonic().minus(at).compareTo(age) < 0)
                .isEmpty();
        // Beside calls that write, a reading would nearly always be older than what these have learned meanwhile.
        return old ? run("reading what others have written", Step.Done<LedgerSnapshot>::new) : known.get();
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
     * Runs one change, and waits for its end.
     *
     * @param attempted first words of the error
     * @param decide a pure function of the snapshot; a refusal is its ServiceException
     * @throws ServiceException CONTENTION when others kept winning; UNAVAILABLE when the store does
     *     not answer, in which case the change may or may not be in place
     */
    <T> T run(String attempted, Function<LedgerSnapshot, Step<T>> decide) {
        try {
            Call.Answer<T> answer = enter(attempted, decide).answer().get();
            answer.applied().run();
            return answer.result();
        } catch (ExecutionException e) {
            Throwables.throwIfUnchecked(e.getCause());
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ServiceException(
                    ErrorReason.UNAVAILABLE,
                    attempted + ": the service stops, and this may have taken place; repeat the same request",
                    e);
        }
    }

    /**
     * As {@link #run}, without waiting where the store's {@link IpamStore#write} does not wait.
     *
     * @return ends when the change is in place or given up, with what {@link #run} throws, on a thread that must not be
     *     kept waiting
     */
    <T> CompletableFuture<T> begin(String attempted, Function<LedgerSnapshot, Step<T>> decide) {
        return enter(attempted, decide).answer().thenApply(answer -> {
            if (!answer.applied().equals(Step.NOTHING)) {
                threads.execute(answer.applied());
            }
            return answer.result();
        });
    }

    private <T> Call<T> enter(String attempted, Function<LedgerSnapshot, Step<T>> decide) {
        Call<T> call = new Call<>(attempted, decide, time.monotonic().plus(patience));
        line.enter(call);
        return call;
    }

    /** Answers all calls of a batch; one batch at a time. */
    private void serve(List<Call<?>> batch, Runnable done) {
        List<Call<?>> calls = new ArrayList<>(batch);
        answering(calls, done, () -> {
            refuseLate(calls);
            if (calls.isEmpty()) {
                done.run();
                return;
            }
            // The first reading of a process, and after that none as long as it is alone.
            Attempt attempt =
                    known.get() == LedgerSnapshot.NONE ? Attempt.NOTHING : Attempt.of(known.get(), calls, false);
            if (attempt.isEmpty()) {
                serveSlowly(calls, done, Optional.empty());
                return;
            }
            CompletableFuture<Outcome> written;
            try {
                written = store.write(attempt.changes());
            } catch (ServiceException e) {
                written = CompletableFuture.failedFuture(e);
            }
            var _ = written.whenComplete(
                    (outcome, failure) -> answering(calls, done, () -> first(attempt, outcome, failure, calls, done)));
        });
    }

    /** What follows the first write of a batch. */
    private void first(Attempt attempt, Outcome outcome, Throwable failure, List<Call<?>> calls, Runnable done) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        if (cause instanceof ServiceException refused) {
            serveSlowly(calls, done, Optional.of(refused));
            return;
        }
        if (cause != null) {
            Throwables.throwIfUnchecked(cause);
            throw new IllegalStateException(cause);
        }
        Optional<ServiceException> why = ended(attempt, outcome);
        if (why.isPresent()) {
            serveSlowly(calls, done, why);
            return;
        }
        // Before the next write begins: a caller that is told, and asks for more, comes into it.
        attempt.answer();
        calls.removeIf(Call::answered);
        if (calls.isEmpty()) {
            done.run();
            return;
        }
        // Those for which there was no room. Whoever has nothing to write is read for once only such calls are left.
        serve(calls, done);
    }

    /** Has a step of a batch taken; what it throws is the answer of all that have none. */
    private static void answering(List<Call<?>> calls, Runnable done, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            calls.forEach(call -> call.end(e));
            done.run();
        }
    }

    /** A batch had to wait for those before it, whose patience may have been its own. */
    private void refuseLate(List<Call<?>> calls) {
        Duration now = time.monotonic();
        calls.stream()
                .filter(call -> now.compareTo(call.deadline()) > 0)
                .forEach(call -> call.fail(new ServiceException(
                        ErrorReason.UNAVAILABLE,
                        "earlier calls waited for the store for " + patience + "; try again")));
        calls.removeIf(Call::answered);
    }

    /** Answers calls by reading, deciding and writing, again and again, on a thread that may wait. */
    private void serveSlowly(List<Call<?>> calls, Runnable done, Optional<ServiceException> failure) {
        threads.execute(() -> answering(calls, done, () -> {
            try {
                retry(calls, failure);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                calls.forEach(call ->
                        call.fail(new ServiceException(ErrorReason.UNAVAILABLE, "the service stops; try again", e)));
            }
            done.run();
        }));
    }

    private void retry(List<Call<?>> left, Optional<ServiceException> before) throws InterruptedException {
        Backoff backoff = new Backoff(FIRST_WAIT, LONGEST_WAIT, random);
        Optional<ServiceException> failure = before;
        while (true) {
            if (failure.isPresent()) {
                giveUp(left, failure.get(), backoff);
            }
            if (left.isEmpty()) {
                return;
            }
            try {
                Duration began = time.monotonic();
                known.set(known.get().refreshed(store));
                readAt = Optional.of(began);
                Attempt attempt = Attempt.of(known.get(), left, true);
                failure = attempt.isEmpty() ? Optional.empty() : ended(attempt, store.compareAndSet(attempt.changes()));
                if (failure.isEmpty()) {
                    attempt.answer();
                }
            } catch (ServiceException e) {
                failure = Optional.of(e);
            }
            left.removeIf(Call::answered);
        }
    }

    /** Why a write is to be tried again; empty where it is in place, which is known then. */
    private Optional<ServiceException> ended(Attempt attempt, Outcome outcome) {
        return switch (outcome) {
            case Outcome.Applied(long version) -> {
                known.set(attempt.after().written(attempt.changes(), version));
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
