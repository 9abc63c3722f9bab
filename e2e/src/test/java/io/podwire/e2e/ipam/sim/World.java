package io.podwire.e2e.ipam.sim;

import io.podwire.common.loop.TimeSource;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.LockSupport;
import java.util.random.RandomGenerator;

/**
 * Time, chance and all threads of a simulation. The thread that runs the world owns everything in it: the others are
 * virtual ones that it carries itself, one at a time, each until that one waits. Which of them goes on next is chance,
 * and time passes only when all wait. So one seed is one run, locks and conditions of the tested code included.
 */
final class World implements TimeSource {
    private static final int STEPS_KEPT = 30;

    private final RandomGenerator random;
    private final Thread.Builder.OfVirtual threads;
    private final List<Runnable> ready = new ArrayList<>();
    private final PriorityQueue<Event> events = new PriorityQueue<>(Event.ORDER);
    private final Deque<String> last = new ArrayDeque<>();
    private final Thread conductor = Thread.currentThread();
    private Duration now = Duration.ZERO;
    private long steps;
    private long digest;
    private int alive;
    private Throwable failure;
    private volatile boolean ended;

    /** Something that happens at a time; of those at the same time, chance picks. */
    private record Event(Duration at, long tie, Runnable what) {
        private static final Comparator<Event> ORDER =
                Comparator.comparing(Event::at).thenComparingLong(Event::tie);
    }

    World(long seed) {
        this.random = new SplittableRandom(seed);
        this.threads = carriedBy(this::resume);
    }

    /**
     * Virtual threads with another scheduler than the JDK's. It has that (JDK 25, java.lang.ThreadBuilders), but not in
     * its API: e2e's tests run with java.lang opened.
     */
    private static Thread.Builder.OfVirtual carriedBy(Executor scheduler) {
        try {
            Constructor<?> builder = Class.forName("java.lang.ThreadBuilders$VirtualThreadBuilder")
                    .getDeclaredConstructor(Executor.class);
            builder.setAccessible(true);
            return (Thread.Builder.OfVirtual) builder.newInstance(scheduler);
        } catch (ClassNotFoundException
                | NoSuchMethodException
                | InstantiationException
                | IllegalAccessException
                | InvocationTargetException e) {
            throw new IllegalStateException("this JDK cannot run virtual threads on a given scheduler", e);
        }
    }

    private void resume(Runnable thread) {
        if (Thread.currentThread().isVirtual() || Thread.currentThread().equals(conductor)) {
            ready.add(thread);
        } else if (!ended) {
            throw new IllegalStateException("the machine's own time has woken a thread of the simulation");
        }
    }

    RandomGenerator random() {
        return random;
    }

    /** True once in so many times. */
    boolean oneIn(int times) {
        return random.nextInt(times) == 0;
    }

    /** A time between none and this, most often a short one. */
    Duration upTo(Duration longest) {
        double part = random.nextDouble();
        return Duration.ofNanos((long) (longest.toNanos() * part * part));
    }

    @Override
    public Duration monotonic() {
        return now;
    }

    @Override
    public Instant wall() {
        return Instant.EPOCH.plus(now);
    }

    long steps() {
        return steps;
    }

    /** The same for two runs that went the same way. */
    long digest() {
        return digest;
    }

    /** The last steps, the newest at the end. */
    List<String> last() {
        return List.copyOf(last);
    }

    /** Notes what happens in the step of now. */
    void note(String what) {
        String line = steps + " at " + now.toNanos() / 1000 + " us: " + what;
        digest = 31 * digest + line.hashCode();
        last.add(line);
        if (last.size() > STEPS_KEPT) {
            last.remove();
        }
    }

    /** Starts a thread; the death of its process ends it, any other error ends the run. */
    void start(Runnable body) {
        alive++;
        threads.unstarted(() -> {
                    try {
                        body.run();
                    } catch (Died _) {
                        // That is what became of it.
                    } catch (RuntimeException | Error e) {
                        failure = failure == null ? e : failure;
                    } finally {
                        alive--;
                    }
                })
                .start();
    }

    /** Has something happen later, which must not wait. */
    void after(Duration wait, Runnable what) {
        events.add(new Event(now.plus(wait), random.nextLong(), what));
    }

    /** Has the calling thread wait. */
    void sleep(Duration wait) {
        Signal over = new Signal();
        after(wait, over::give);
        over.await();
    }

    /** Something that one thread waits for. */
    static final class Signal {
        private final Thread waiter = Thread.currentThread();
        private boolean given;

        void give() {
            given = true;
            LockSupport.unpark(waiter);
        }

        void await() {
            while (!given) {
                LockSupport.park(this);
            }
        }
    }

    /**
     * Runs until all threads have ended.
     *
     * @param afterEach step
     */
    void run(Runnable afterEach) {
        while (failure == null && alive > 0) {
            steps++;
            if (!ready.isEmpty()) {
                int chosen = random.nextInt(ready.size());
                Runnable thread = ready.set(chosen, ready.getLast());
                ready.removeLast();
                thread.run();
            } else {
                Event event = events.poll();
                if (event == null) {
                    throw new IllegalStateException(alive + " threads wait for nothing");
                }
                now = event.at();
                event.what().run();
            }
            afterEach.run();
        }
        ended = true;
        if (failure instanceof RuntimeException e) {
            throw e;
        }
        if (failure instanceof Error e) {
            throw e;
        }
    }

    /** The end of a process, in whatever it was doing. */
    static final class Died extends Error {
        private static final long serialVersionUID = 1L;

        Died(String process) {
            super(process, null, false, false);
        }
    }
}
