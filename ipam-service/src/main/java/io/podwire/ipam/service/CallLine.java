package io.podwire.ipam.service;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Where calls of many threads come together: one batch at a time is served, and those that come meanwhile are the next
 * one. Nobody waits here: the thread that finds the line empty begins to serve, and the one on which a batch ends
 * begins the next.
 */
final class CallLine {
    private final Server server;
    private final int most;
    private final Executor threads;
    private final Lock lock = new ReentrantLock();
    private final Deque<Call<?>> waiting = new ArrayDeque<>();
    private boolean serving;

    /** Answers calls. */
    @FunctionalInterface
    interface Server {
        /**
         * Answers each of them, one batch at a time. Throws nothing.
         *
         * @param done to be run once, when all are answered, on any thread
         */
        void serve(List<Call<?>> calls, Runnable done);
    }

    /**
     * An empty line.
     *
     * @param most calls in a batch
     * @param threads serve on where the thread that serves is a caller's, which has its own answer by then
     */
    CallLine(Server server, int most, Executor threads) {
        this.server = server;
        this.most = most;
        this.threads = threads;
    }

    /** Has a call served, or begun to be, or takes it for the next batch. */
    void enter(Call<?> call) {
        lock.lock();
        try {
            waiting.add(call);
            if (serving) {
                return;
            }
            serving = true;
        } finally {
            lock.unlock();
        }
        if (served(next())) {
            List<Call<?>> others = next();
            if (!others.isEmpty()) {
                threads.execute(() -> serve(others));
            }
        }
    }

    /** Serves this batch and those after it, as long as they end on this thread. */
    private void serve(List<Call<?>> batch) {
        List<Call<?>> calls = batch;
        while (!calls.isEmpty() && served(calls)) {
            calls = next();
        }
    }

    /** The first calls that have come; none: nobody serves from now on. */
    private List<Call<?>> next() {
        lock.lock();
        try {
            List<Call<?>> batch = new ArrayList<>();
            while (batch.size() < most && !waiting.isEmpty()) {
                batch.add(waiting.remove());
            }
            serving = !batch.isEmpty();
            return batch;
        } finally {
            lock.unlock();
        }
    }

    /** True when a batch has ended; otherwise it goes on, and the thread on which it ends serves those after it. */
    private boolean served(List<Call<?>> batch) {
        // Whoever is the second of these two, the end of the batch and the return from its beginning, goes on.
        AtomicBoolean one = new AtomicBoolean();
        server.serve(batch, () -> {
            if (one.getAndSet(true)) {
                serve(next());
            }
        });
        return one.getAndSet(true);
    }
}
