package io.podwire.e2e.bench;

import java.io.IOException;

/**
 * A gate against a disturbed machine: a fixed computation on both processors before and after each
 * sample. A sample counts when neither took more than a fifth longer than the fastest ever seen.
 */
final class Gate {
    private static final double TOLERANCE = 1.2;

    private final Timed timed;
    private long fastest = Long.MAX_VALUE;
    private int discarded;

    Gate(Timed timed) throws IOException {
        this.timed = timed;
        for (int i = 0; i < 20; i++) {
            fastest = Math.min(fastest, timed.spin());
        }
    }

    /** Takes a sample that may fail. */
    @FunctionalInterface
    interface Sample {
        /** Measures; what it measured counts only when the gate says so. */
        void take() throws IOException;
    }

    /** Takes a sample; false when the machine was disturbed, and it must not count. */
    boolean quiet(Sample sample) throws IOException {
        long before = timed.spin();
        sample.take();
        long after = timed.spin();
        fastest = Math.min(fastest, Math.min(before, after));
        boolean quiet = Math.max(before, after) <= fastest * TOLERANCE;
        if (!quiet) {
            discarded++;
        }
        return quiet;
    }

    /** Samples that did not count. */
    int discarded() {
        return discarded;
    }
}
