package io.podwire.node.netlink;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** A listener that keeps what it hears, and can be held in the middle of an event. */
final class Heard<T> implements Consumer<T> {
    private final BlockingQueue<T> queue = new LinkedBlockingQueue<>();
    private volatile CountDownLatch held = new CountDownLatch(0);
    private volatile CountDownLatch inside = new CountDownLatch(0);

    /** Holds the next event until {@link #release}. */
    void hold() {
        held = new CountDownLatch(1);
        inside = new CountDownLatch(1);
    }

    /** Waits until an event is held. */
    void awaitHeld() throws InterruptedException {
        if (!inside.await(10, TimeUnit.SECONDS)) {
            throw new AssertionError("no event came");
        }
    }

    void release() {
        held.countDown();
    }

    @Override
    public void accept(T event) {
        inside.countDown();
        try {
            held.await();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        queue.add(event);
    }

    /** Everything heard up to the first event of that kind, with it. */
    List<T> until(String what, Predicate<T> wanted) throws InterruptedException {
        List<T> heard = new ArrayList<>();
        while (true) {
            T event = queue.poll(10, TimeUnit.SECONDS);
            if (event == null) {
                throw new AssertionError("did not hear of " + what + ", only " + heard);
            }
            heard.add(event);
            if (wanted.test(event)) {
                return heard;
            }
        }
    }

    /** The same for one event. */
    List<T> until(T wanted) throws InterruptedException {
        return until(wanted.toString(), wanted::equals);
    }

    /** What is left. */
    List<T> rest() {
        List<T> rest = new ArrayList<>();
        queue.drainTo(rest);
        return rest;
    }
}
