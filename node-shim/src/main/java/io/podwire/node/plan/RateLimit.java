package io.podwire.node.plan;

/**
 * A token bucket: what passes in any time t is at most burst + rate * t.
 *
 * @param bitsPerSecond {@link #MIN_RATE} to {@link #MAX_RATE}
 * @param burstBytes what may pass at once, 1 to {@link #MAX_BURST_BYTES}
 */
public record RateLimit(long bitsPerSecond, long burstBytes) {
    /** Kubernetes' own least rate, 1 kbit/s. */
    public static final long MIN_RATE = 1_000;
    /** Kubernetes' own highest rate, 1 Pbit/s. */
    public static final long MAX_RATE = 1_000_000_000_000_000L;
    /** The kernel counts a bucket's bytes in 32 bits (TCA_TBF_BURST, linux/pkt_sched.h). */
    public static final long MAX_BURST_BYTES = (1L << 32) - 1;

    private static final long BITS = 8;
    private static final long BURSTS_PER_SECOND = 10;
    /** Some twenty full packets of an Ethernet. */
    private static final long LEAST_BURST_BYTES = 32 * 1024;

    private static final long MOST_BURST_BYTES = 64L * 1024 * 1024;

    /** Checks the ranges. */
    public RateLimit {
        if (bitsPerSecond < MIN_RATE || bitsPerSecond > MAX_RATE) {
            throw new IllegalArgumentException(
                    "a rate must be " + MIN_RATE + " to " + MAX_RATE + " bit/s, got " + bitsPerSecond);
        }
        if (burstBytes < 1 || burstBytes > MAX_BURST_BYTES) {
            throw new IllegalArgumentException("a burst must be 1 to " + MAX_BURST_BYTES + " bytes, got " + burstBytes);
        }
    }

    /** The limit of this rate for which nobody named a burst: what passes in a tenth of a second, 32 KiB to 64 MiB. */
    public static RateLimit ofRate(long bitsPerSecond) {
        long tenth = bitsPerSecond / BITS / BURSTS_PER_SECOND;
        return new RateLimit(bitsPerSecond, Math.clamp(tenth, LEAST_BURST_BYTES, MOST_BURST_BYTES));
    }
}
