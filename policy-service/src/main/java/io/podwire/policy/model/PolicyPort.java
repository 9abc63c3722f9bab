package io.podwire.policy.model;

/** Ports that a rule allows. */
public sealed interface PolicyPort {
    /** Their protocol. */
    Protocol protocol();

    /**
     * Ports by number.
     *
     * @param protocol their protocol
     * @param first 0 to 65535; 0 only with last 65535, which means every port
     * @param last first to 65535
     */
    record Range(Protocol protocol, int first, int last) implements PolicyPort {
        /** Checks the range. */
        public Range {
            boolean all = first == 0 && last == 65535;
            if (!all && (first < 1 || last < first || last > 65535)) {
                throw new IllegalArgumentException(
                        "a port range needs 1 <= port <= endPort <= 65535, got " + first + " to " + last);
            }
        }

        /** Every port of a protocol. */
        public static Range all(Protocol protocol) {
            return new Range(protocol, 0, 65535);
        }
    }

    /**
     * The container port of that name, whatever number the destination pod gives it.
     *
     * @param protocol its protocol
     * @param name its name, not empty
     */
    record Named(Protocol protocol, String name) implements PolicyPort {
        /** Checks the name. */
        public Named {
            if (name.isEmpty()) {
                throw new IllegalArgumentException("a named port needs a name");
            }
        }
    }
}
