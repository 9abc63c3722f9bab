package io.podwire.common.loop;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A bounded number of platform threads of which the one that was busy last works next: its stack and its part of
 * the heap are in the processor's caches still, and where one is enough there is only one. A
 * {@link java.util.concurrent.ThreadPoolExecutor} with a queue takes the one that has been idle longest, and starts
 * all it may before it uses any again; one without a queue refuses what it has no thread for.
 *
 * <p>Tasks that find all threads busy wait, in order. One that throws is logged as a bug, and its thread ends.
 */
public final class LifoThreads implements Executor, AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LifoThreads.class);

    private final ThreadFactory threads;
    private final int most;
    private final long idleNanos;

    private final ReentrantLock lock = new ReentrantLock();
    private final Deque<Worker> idle = new ArrayDeque<>();
    private final Deque<Runnable> waiting = new ArrayDeque<>();
    private int alive;
    private boolean closed;

    /**
     * Starts none yet.
     *
     * @param name of the threads, before their number; they are daemons
     * @param most at a time, 1 or more
     * @param stackBytes of each
     * @param longestIdle how long one waits for its next task before it ends
     */
    public LifoThreads(String name, int most, long stackBytes, Duration longestIdle) {
        if (most < 1) {
            throw new IllegalArgumentException(name + " needs 1 thread or more, got " + most);
        }
        this.threads = Thread.ofPlatform()
                .name(name, 0)
                .daemon(true)
                .stackSize(stackBytes)
                .factory();
        this.most = most;
        this.idleNanos = longestIdle.toNanos();
    }

    /**
     * Runs a task on a thread.
     *
     * @throws RejectedExecutionException after {@link #close}
     */
    @Override
    public void execute(Runnable task) {
        Worker idler;
        lock.lock();
        try {
            if (closed) {
                throw new RejectedExecutionException("closed");
            }
            idler = idle.pollFirst();
            if (idler != null) {
                idler.next = task;
            } else if (alive == most) {
                waiting.addLast(task);
            } else {
                start(task);
            }
        } finally {
            lock.unlock();
        }
        if (idler != null) {
            LockSupport.unpark(idler.thread);
        }
    }

    /** How many threads there are now. */
    public int alive() {
        lock.lock();
        try {
            return alive;
        } finally {
            lock.unlock();
        }
    }

    /** Has idle threads end, and those that work after their task; tasks that wait are dropped. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            waiting.clear();
            idle.forEach(worker -> LockSupport.unpark(worker.thread));
            idle.clear();
        } finally {
            lock.unlock();
        }
    }

    private void start(Runnable task) {
        new Worker(task).thread.start();
        alive++;
    }

    /** A thread. */
    private final class Worker implements Runnable {
        private final Thread thread = threads.newThread(this);
        /** Its next task; set under the lock while it is idle, and read by itself. */
        private volatile Runnable next;

        Worker(Runnable first) {
            next = first;
        }

        @Override
        public void run() {
            try {
                while (next != null) {
                    Runnable task = next;
                    next = null;
                    task.run();
                    await();
                }
            } catch (RuntimeException | Error e) {
                log.error("bug: a task on {} failed", thread.getName(), e);
            }
            ended();
        }

        /** Returns with a task, or without one after the longest idle time and after close. */
        private void await() {
            if (!offered()) {
                return;
            }
            long end = System.nanoTime() + idleNanos;
            while (next == null) {
                long left = end - System.nanoTime();
                if (left > 0 && !isClosed()) {
                    LockSupport.parkNanos(this, left);
                } else if (withdrawn()) {
                    return;
                }
            }
        }

        /** False when it has a task already, or is to end. */
        private boolean offered() {
            lock.lock();
            try {
                next = waiting.pollFirst();
                if (next != null || closed) {
                    return false;
                }
                idle.addFirst(this);
                return true;
            } finally {
                lock.unlock();
            }
        }

        /** False when it was given a task in the last moment. */
        private boolean withdrawn() {
            lock.lock();
            try {
                idle.remove(this);
                return next == null;
            } finally {
                lock.unlock();
            }
        }

        private void ended() {
            lock.lock();
            try {
                alive--;
                Runnable other = waiting.pollFirst();
                if (other != null) {
                    start(other);
                }
            } finally {
                lock.unlock();
            }
        }
    }

    private boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }
}
