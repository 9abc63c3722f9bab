package io.podwire.node.netlink.rt;

/** What a queueing discipline is. */
public sealed interface QdiscKind {
    /**
     * A token bucket, as the kernel tells it: {@link TokenBucket#matches}.
     *
     * @param rate bytes a second
     * @param burstTicks how long the burst takes at the rate, in units of 64 ns, the low 32 bits
     * @param limit how many bytes wait before more are dropped
     */
    record TokenBucketQueue(long rate, long burstTicks, long limit) implements QdiscKind {
        /** About how many bytes may leave at once, for people. */
        public long burst() {
            return Math.round((double) burstTicks * TokenBucket.TICK_NANOS * rate / 1e9);
        }
    }

    /** The place for filters on what comes in: no queue at all. */
    record Ingress() implements QdiscKind {}

    /**
     * Any other.
     *
     * @param name its kind as the kernel names it
     */
    record Other(String name) implements QdiscKind {}
}
