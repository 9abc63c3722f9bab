package io.podwire.node.netns;

import io.podwire.common.loop.LifoThreads;
import java.io.Serial;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.function.Supplier;

/**
 * Runs something inside a network namespace. setns(2) moves one thread, which must never be a carrier of virtual ones:
 * a platform thread goes itself ({@link #here}), for all others a few threads go that do nothing else ({@link #call}).
 * Each goes back afterwards, and ends where it cannot. A socket stays in the namespace it was opened in, whoever uses it
 * later; so do files under /proc/sys/net.
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

    /** Where a thread is. */
    private static final ThreadLocal<Netns> WHERE = ThreadLocal.withInitial(() -> Home.NETNS);

    private NetnsThread() {}

    /**
     * Runs {@code body} in {@code ns} on another thread and waits for it, also while interrupted. The body must start no
     * thread, as in {@link #here}.
     *
     * @return what the body returns
     * @throws NetnsException when the namespace cannot be entered
     * @throws Exception what the body throws
     */
    public static <T> T call(Netns ns, Callable<T> body) throws Exception {
        return await(start(ns, body));
    }

    /**
     * Runs {@code body} in {@code ns} on the calling thread, which saves two switches of threads. The body must start no
     * thread (not even a virtual one, whose carrier might be new): it would stay in the namespace and keep it alive.
     *
     * @return what the body returns
     * @throws NetnsException when the namespace cannot be entered
     * @throws NoWayBackError when the thread cannot go back: it must end, and do nothing else
     * @throws IllegalStateException on a virtual thread: its carrier would move
     */
    public static <T> T here(Netns ns, Supplier<T> body) {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a virtual thread must not enter " + ns);
        }
        Netns before = WHERE.get();
        ns.enter();
        try {
            return body.get();
        } finally {
            goBack(before);
        }
    }

    private static void goBack(Netns before) {
        try {
            before.enter();
        } catch (NetnsException e) {
            throw new NoWayBackError(e);
        }
    }

    /** The thread is in another network namespace than its process, and stays there. */
    public static final class NoWayBackError extends Error {
        @Serial
        private static final long serialVersionUID = 1L;

        private NoWayBackError(NetnsException cause) {
            super("the thread cannot leave the network namespace that it entered", cause);
        }
    }

    /**
     * Begins to run {@code body} in {@code ns}, which stays open until the end.
     *
     * @return what {@link #await} takes
     */
    private static <T> Future<T> start(Netns ns, Callable<T> body) {
        Netns home = Home.NETNS;
        FutureTask<T> task = new FutureTask<>(() -> {
            ns.enter();
            WHERE.set(ns);
            return body.call();
        });
        THREADS.execute(() -> {
            task.run();
            WHERE.remove();
            // Its failure ends the thread, which is in nobody's way then.
            goBack(home);
        });
        return task;
    }

    private static <T> T await(Future<T> task) throws Exception {
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
