package io.podwire.ipam.core;

import java.time.Duration;

/** How long a node gives an address of a pool to nobody after its release. */
public sealed interface CoolDown {
    /** As long as each node's own option {@code --cool-down} says. */
    CoolDown OF_NODE = new OfNode();

    /** As long as each node's own option says; see {@link #OF_NODE}. */
    record OfNode() implements CoolDown {}

    /**
     * So long on every node.
     *
     * @param length 0 s to 24 h
     */
    record Of(Duration length) implements CoolDown {
        private static final Duration LONGEST = Duration.ofHours(24);

        /** Checks the range. */
        public Of {
            if (length.isNegative() || length.compareTo(LONGEST) > 0) {
                throw new IllegalArgumentException(
                        "cool-down must be 0 s to 24 h, or unset for the node's own, got " + length);
            }
        }
    }
}
