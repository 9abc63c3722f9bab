package io.podwire.node.plan;

import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * Who must know a pod before its ADD is answered.
 *
 * @param scope who
 * @param longest how long the ADD waits for others than its own node, {@link #LEAST} to {@link #MOST}; the pod starts then
 */
public record StartBarrier(Scope scope, Duration longest) {
    /** The least that an ADD may be told to wait for others. */
    public static final Duration LEAST = Duration.ofMillis(100);
    /** The most: an ADD has 8 s in all. */
    public static final Duration MOST = Duration.ofSeconds(7);
    /** Its own node alone, and three seconds where more is asked for. */
    public static final StartBarrier USUAL = new StartBarrier(Scope.NODE, Duration.ofSeconds(3));

    /** Who. */
    public enum Scope {
        /** The pod's own node. */
        NODE,
        /** Every node whose rules name the pod, too. */
        CLUSTER;

        /** The one of that name, in lower case. */
        public static Optional<Scope> of(String name) {
            return Arrays.stream(values())
                    .filter(scope -> scope.name().toLowerCase(Locale.ROOT).equals(name))
                    .findFirst();
        }
    }

    /** Checks the range. */
    public StartBarrier {
        if (longest.compareTo(LEAST) < 0 || longest.compareTo(MOST) > 0) {
            throw new IllegalArgumentException("it must be " + LEAST + " to " + MOST + ", got " + longest);
        }
    }
}
