package io.podwire.common.loop;

import java.time.Duration;
import java.util.random.RandomGenerator;

/** How long to wait before the next try: doubles from first to longest, with jitter. */
public final class Backoff {
    private final Duration first;
    private final Duration longest;
    private final RandomGenerator random;
    private Duration next;

    /**
     * A backoff at its start. Not safe for several threads.
     *
     * @param first upper bound of the first wait, more than zero
     * @param longest upper bound of every wait, at least {@code first}
     * @param random source of jitter
     */
    public Backoff(Duration first, Duration longest, RandomGenerator random) {
        if (!first.isPositive() || longest.compareTo(first) < 0) {
            throw new IllegalArgumentException("backoff needs 0 < first <= longest, got " + first + ", " + longest);
        }
        this.first = first;
        this.longest = longest;
        this.random = random;
        this.next = first;
    }

    /** The next wait: between half of and all of the current bound. */
    public Duration next() {
        long bound = next.toNanos();
        Duration doubled = next.multipliedBy(2);
        next = doubled.compareTo(longest) > 0 ? longest : doubled;
        return Duration.ofNanos(bound / 2 + random.nextLong(bound / 2 + 1));
    }

    /** Starts anew, after a success. */
    public void reset() {
        next = first;
    }
}
