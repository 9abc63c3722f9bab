package io.podwire.node.netns;

import io.podwire.common.loop.LifoThreads;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/**
 * Runs something inside a network namespace: setns(2) moves one thread, so no thread that does anything else,
 * nor a carrier, must ever do it. A few threads do nothing but this; each goes back to the process's own
 * namespace afterwards, and ends where it cannot. A socket stays in the namespace it was opened in, whoever uses
 * it later; so do files under /proc/sys/net.
 */
public final class NetnsThread {
    private static final long STACK_BYTES = 256 * 1024;
    /** A thread takes 300 us to start, so one that waits for its next use saves that. */
    private static final Duration IDLE = Duration.ofSeconds(10);

    private static final int MOST = 8;

    private static final LifoThreads THREADS = new LifoThreads("netns-", MOST, STACK_BYTES, IDLE);

    /** Where the threads wait. Never closed. */
    private static final class Home {
        private static final Netns NETNS = Netns.own();

        private Home() {}
    }

    private NetnsThread() {}

    /**
     * Runs {@code body} in {@code ns} and waits for it, also while interrupted; see {@link #start}.
     *
     * @return what the body returns
     * @throws NetnsException when the namespace cannot be entered
     * @throws Exception what the body throws
     */
    public static <T> T call(Netns ns, Callable<T> body) throws Exception {
        return await(start(ns, body));
    }

    /**
     * Begins to run {@code body} in {@code ns}, which stays open until the end. The body must start no
     * thread (not even a virtual one, whose carrier might be new): it would stay in the namespace and
     * keep it alive.
     *
     * @return what {@link #await} takes
     */
    public static <T> Future<T> start(Netns ns, Callable<T> body) {
        Netns home = Home.NETNS;
        FutureTask<T> task = new FutureTask<>(() -> {
            ns.enter();
            return body.call();
        });
        THREADS.execute(() -> {
            task.run();
            // Its failure ends the thread, which is in nobody's way then.
            home.enter();
        });
        return task;
    }

    /**
     * Waits for the end of what {@link #start} began, also while interrupted.
     *
     * @return what the body returned
     * @throws NetnsException when the namespace could not be entered
     * @throws Exception what the body threw
     */
    public static <T> T await(Future<T> task) throws Exception {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case Exception exception -> throw exception;
                        case Error error -> throw error;
                        case Throwable other -> throw new AssertionError(other);
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
