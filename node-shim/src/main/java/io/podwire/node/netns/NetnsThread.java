package io.podwire.node.netns;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/**
 * Runs something inside a network namespace, on a platform thread of its own that then ends: setns(2)
 * moves one thread, so a shared thread or a carrier must never do it. A socket stays in the
 * namespace it was opened in, whoever uses it later; so do files under /proc/sys/net.
 */
public final class NetnsThread {
    private static final long STACK_BYTES = 256 * 1024;

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
        FutureTask<T> task = new FutureTask<>(() -> {
            ns.enter();
            return body.call();
        });
        Thread.ofPlatform()
                .name("netns-" + ns.inode())
                .daemon()
                .stackSize(STACK_BYTES)
                .start(task);
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
