package io.podwire.node.upstream;

import io.podwire.common.loop.Backoff;
import io.podwire.common.loop.EventLoop;
import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/**
 * One thing that is tried until it succeeds: whether it waits for its next try, and what was wrong with the last. The
 * loop given to the constructor owns it; the problem may be read by any thread.
 */
final class Retrying {
    /** With the time of a call and a look less than the 5 s within which all is well after an outage. */
    private static final Duration LONGEST = Duration.ofSeconds(3);

    private final EventLoop loop;
    private final Backoff backoff = new Backoff(Duration.ofMillis(100), LONGEST, ThreadLocalRandom.current());
    private boolean waiting;
    private volatile String problem;

    /** One that was not tried. */
    Retrying(EventLoop loop, String problem) {
        this.loop = loop;
        this.problem = problem;
    }

    /** True while its next try is to come. */
    boolean waiting() {
        return waiting;
    }

    /** What was wrong with the last try, one sentence; empty when nothing was. For any thread. */
    String problem() {
        return problem;
    }

    /** It has succeeded. */
    void succeeded() {
        problem = "";
        backoff.reset();
    }

    /** What it waited for may be there. */
    void now() {
        waiting = false;
    }

    /**
     * It has failed: again after a while.
     *
     * @return true when it was something else before
     */
    boolean failed(String why, Runnable again) {
        boolean news = !why.equals(problem);
        problem = why;
        waiting = true;
        loop.schedule(backoff.next(), () -> {
            waiting = false;
            again.run();
        });
        return news;
    }
}
