package io.podwire.node.netlink.rt;

import java.time.Duration;

/**
 * A queue that sends no faster than a rate over time, tc-tbf(8).
 *
 * @param rate bytes a second, 1 or more
 * @param burst how many bytes may leave at once after silence, 1 to 4294967295. A packet that is longer never
 *     leaves: no less than the device's MTU with its 14 bytes of Ethernet header.
 * @param limit how many bytes wait before more are dropped, 1 to 4294967295
 */
public record TokenBucket(long rate, long burst, long limit) {
    /** One tick of the kernel's packet scheduler is 64 ns: PSCHED_SHIFT, net/pkt_sched.h. */
    static final long TICK_NANOS = 64;

    private static final long SECOND = 1_000_000_000L;
    private static final long U32 = 0xFFFF_FFFFL;

    /** Checks the ranges. */
    public TokenBucket {
        if (rate < 1) {
            throw new IllegalArgumentException("rate must be 1 byte a second or more, got " + rate);
        }
        checkU32("burst", burst);
        checkU32("limit", limit);
    }

    private static void checkU32(String name, long bytes) {
        if (bytes < 1 || bytes > U32) {
            throw new IllegalArgumentException(name + " must be 1 to 4294967295 bytes, got " + bytes);
        }
    }

    /**
     * A bucket whose queue takes what waits no longer than that, over and above the burst.
     *
     * @param latency more than nothing; what does not fit into 32 bits is cut there
     */
    public static TokenBucket withLatency(long rate, long burst, Duration latency) {
        double waiting = (double) rate * latency.toNanos() / SECOND;
        return new TokenBucket(rate, burst, (long) Math.min(U32, burst + waiting));
    }

    /** How long the burst takes at the rate, in ticks: what the kernel keeps of it. */
    long burstTicks() {
        return burst * SECOND / rate / TICK_NANOS; // less than 2^62
    }

    /**
     * True when the kernel tells a queue that was made by this. It keeps the burst as a number of ticks: rounded,
     * and cut to 32 bits where it takes longer than 274 s.
     */
    public boolean matches(QdiscKind.TokenBucketQueue told) {
        long wanted = burstTicks();
        // psched_l2t_ns() multiplies by a rate of 31 bits; the low 32 bits are what is told of the product.
        long slack = 2 + (wanted >>> 29);
        int difference = (int) (wanted - told.burstTicks());
        return told.rate() == rate && told.limit() == limit && Math.abs((long) difference) <= slack;
    }
}
