package io.podwire.common.loop;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread that owns a piece of changing state: whatever touches that state runs here, in order.
 * A task that throws is logged as a bug and the loop goes on.
 */
public final class EventLoop implements Executor, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(EventLoop.class);

    private final String name;
    private final ScheduledExecutorService executor;

    /** Starts a loop; its daemon thread carries the name. */
    public EventLoop(String name) {
        this.name = name;
        this.executor = Executors.newSingleThreadScheduledExecutor(
                Thread.ofPlatform().name(name).daemon(true).factory());
    }

    /** Runs a task on the loop; after {@link #close} tasks are dropped. */
    @Override
    public void execute(Runnable task) {
        try {
            executor.execute(guarded(task));
        } catch (RejectedExecutionException e) {
            log.debug("loop {} is closed, a task was dropped", name);
        }
    }

    /** Runs a task on the loop and gives its result. */
    public <T> CompletableFuture<T> submit(Callable<T> task) {
        CompletableFuture<T> result = new CompletableFuture<>();
        try {
            executor.execute(() -> {
                try {
                    result.complete(task.call());
                } catch (Exception | Error e) {
                    result.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            result.completeExceptionally(e);
        }
        return result;
    }

    /** Runs a task on the loop once, after a delay. */
    public void schedule(Duration delay, Runnable task) {
        try {
            var _ = executor.schedule(guarded(task), delay.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            log.debug("loop {} is closed, a timer was dropped", name);
        }
    }

    /** Runs a task on the loop again and again, {@code period} after the end of the one before. */
    public void every(Duration period, Runnable task) {
        try {
            var _ = executor.scheduleWithFixedDelay(
                    guarded(task), period.toNanos(), period.toNanos(), TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException e) {
            log.debug("loop {} is closed, a timer was dropped", name);
        }
    }

    /** Ends the loop: the running task ends, those that wait are dropped. */
    @Override
    public void close() {
        executor.shutdownNow();
        try {
            if (!executor.awaitTermination(5, TimeUnit.SECONDS)) {
                log.warn("loop {} still runs a task 5 s after its close", name);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Runnable guarded(Runnable task) {
        return () -> {
            try {
                task.run();
            } catch (RuntimeException | Error e) {
                log.error("bug: a task on loop {} failed", name, e);
            }
        };
    }
}
