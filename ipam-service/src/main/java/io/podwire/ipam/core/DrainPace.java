package io.podwire.ipam.core;

import java.time.Duration;

/**
 * How fast the pods of a pool that drains are evicted. They are so in turns, each an equal time after the one before:
 * the turns of any minute evict no more than this.
 *
 * @param perMinute pods in any minute at most, 0 to 6000; 0: none is evicted ever
 */
public record DrainPace(int perMinute) {
    /** Nobody is evicted: addresses come free as pods end by themselves. */
    public static final DrainPace NEVER = new DrainPace(0);

    private static final int MOST = 6000;
    /** So every replica sees each turn in time, and the store is not written all the time. */
    private static final int MOST_TURNS = 30;

    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** Checks the range. */
    public DrainPace {
        if (perMinute < 0 || perMinute > MOST) {
            throw new IllegalArgumentException(
                    "drain pace must be 0 (nobody is evicted) to " + MOST + " pods per minute, got " + perMinute);
        }
    }

    /** True when pods are evicted at all. */
    public boolean evicts() {
        return perMinute > 0;
    }

    /** Pods that one turn evicts at most; 0 when none is evicted. */
    public int perTurn() {
        return Math.ceilDiv(perMinute, MOST_TURNS);
    }

    /**
     * Time from one turn to the next, at least.
     *
     * @throws IllegalStateException when none is evicted
     */
    public Duration turn() {
        if (!evicts()) {
            throw new IllegalStateException("a pool with drain pace 0 has no turns");
        }
        // Rounded up: a turn less than a minute has room for would be one too many.
        return Duration.ofNanos(Math.ceilDiv(MINUTE.toNanos(), perMinute / perTurn()));
    }

    /** For people: 10/min. */
    @Override
    public String toString() {
        return perMinute + "/min";
    }
}
