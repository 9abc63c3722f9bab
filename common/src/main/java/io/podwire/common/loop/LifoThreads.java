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
 * <p>Tasks that find all threads busy wait, in order. A task that waits for something that may take long steps aside
 * ({@link #stepAside}), so that those behind it need not wait too. One that throws is logged as a bug, and its thread
 * ends.
 */
public final class LifoThreads implements Executor, AutoCloseable {
    /** So many threads more there may be while as many wait aside. */
    static final int ASIDE = 112;

    private static final Logger log = LoggerFactory.getLogger(LifoThreads.class);
    /** Whose thread the calling one is; unset on all others. */
    private static final ThreadLocal<LifoThreads> OWN = new ThreadLocal<>();

    private final ThreadFactory threads;
    private final int most;
    private final long idleNanos;

    private final ReentrantLock lock = new ReentrantLock();
    private final Deque<Worker> idle = new ArrayDeque<>();
    private final Deque<Runnable> waiting = new ArrayDeque<>();
    private int alive;
    private int aside;
    private boolean closed;

    /** Ends the time aside. */
    @FunctionalInterface
    public interface Aside extends AutoCloseable {
        @Override
        void close();
    }

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
            } else if (allBusy()) {
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

    /**
     * Gives the place of the calling task to another one until what is returned is closed. Does nothing on a thread of
     * no LifoThreads, and while {@value #ASIDE} others are aside.
     */
    public static Aside stepAside() {
        LifoThreads own = OWN.get();
        return own != null && own.leave() ? own::comeBack : () -> {};
    }

    private boolean leave() {
        lock.lock();
        try {
            if (aside == ASIDE) {
                return false;
            }
            aside++;
            startWaiting();
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void comeBack() {
        lock.lock();
        try {
            aside--;
        } finally {
            lock.unlock();
        }
    }

    private boolean allBusy() {
        return alive - aside >= most;
    }

    private void startWaiting() {
        if (!waiting.isEmpty() && !allBusy()) {
            start(waiting.removeFirst());
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

    /** How many of them work, or wait aside, now. */
    public int busy() {
        lock.lock();
        try {
            return alive - idle.size();
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
            OWN.set(LifoThreads.this);
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
                startWaiting();
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
