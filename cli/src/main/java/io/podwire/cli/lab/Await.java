package io.podwire.cli.lab;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionService;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;
import java.util.function.Supplier;

/** Waits for something to become true, by looking again and again. */
public final class Await {
    private static final int LONGEST_PAUSE_MS = 25;

    private Await() {}

    /**
     * Looks until a look satisfies, and gives the time it took.
     *
     * @param expected what is waited for, of a failure's message
     * @param look what is there now; what it prints as is a failure's "seen"
     * @throws StepFailure when the limit passes
     */
    static <T> Duration until(
            Duration limit, String expected, Supplier<T> look, Predicate<T> satisfied, ServiceProcess... concerned) {
        long start = System.nanoTime();
        while (true) {
            T seen = look.get();
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            if (satisfied.test(seen)) {
                return took;
            }
            for (ServiceProcess process : concerned) {
                if (!process.alive()) {
                    throw new StepFailure(expected, process.name() + " has ended", process);
                }
            }
            if (took.compareTo(limit) > 0) {
                throw new StepFailure(expected + " within " + limit.toSeconds() + " s", seen.toString(), concerned);
            }
            pause(took);
        }
    }

    /** Looks until a look satisfies; false when the limit passes before. */
    public static boolean eventually(Duration limit, BooleanSupplier look) {
        long start = System.nanoTime();
        while (!look.getAsBoolean()) {
            Duration took = Duration.ofNanos(System.nanoTime() - start);
            if (took.compareTo(limit) > 0) {
                return false;
            }
            pause(took);
        }
        return true;
    }

    /** Runs tasks at once; the first failure interrupts the others, and is thrown. */
    static void all(List<Runnable> tasks) {
        ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
        try {
            CompletionService<Boolean> ends = new ExecutorCompletionService<>(executor);
            tasks.forEach(task -> ends.submit(task, true));
            for (int i = 0; i < tasks.size(); i++) {
                var _ = ends.take().get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new IllegalStateException(e.getCause());
        } finally {
            executor.shutdownNow();
        }
    }

    /** Short while an answer is due, longer when it takes its time: looking costs the CPU that others need. */
    private static void pause(Duration waited) {
        try {
            TimeUnit.MILLISECONDS.sleep(Math.min(LONGEST_PAUSE_MS, 1 + waited.toMillis() / 20));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
    }
}
