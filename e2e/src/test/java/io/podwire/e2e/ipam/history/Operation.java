package io.podwire.e2e.ipam.history;

/**
 * One operation as its caller saw it. Moments are numbers that grow over all callers, and no two
 * operations of a history share one.
 *
 * @param deed what it did; of an unanswered one what it did if it took effect
 * @param invoked before the call, 0 or more
 * @param answered after the answer, or {@link #NEVER}
 */
public record Operation(Deed deed, long invoked, long answered) {
    /** The moment of an answer that was lost: the operation took effect at any time after its call, or will never. */
    public static final long NEVER = Long.MAX_VALUE;

    /** Checks the order. */
    public Operation {
        if (invoked < 0 || answered <= invoked) {
            throw new IllegalArgumentException("an operation is invoked at 0 or later and answered after that, got "
                    + deed + " from " + invoked + " to " + answered);
        }
    }

    /** True when its answer arrived, so that it took effect. */
    public boolean certain() {
        return answered != NEVER;
    }

    /** deed [invoked, answered]. */
    @Override
    public String toString() {
        return deed + " [" + invoked + ", " + (certain() ? answered : "never answered") + "]";
    }
}
