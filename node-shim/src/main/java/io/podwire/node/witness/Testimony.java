package io.podwire.node.witness;

import java.util.List;

/**
 * What the rules in the kernel do with a connection.
 *
 * @param verdict what becomes of it
 * @param revision of the program that was enforced meanwhile
 * @param otherTables tables of other programs with chains in the packets' way, "family name", which were not walked
 */
public record Testimony(Verdict verdict, long revision, List<String> otherTables) {
    /** Copies. */
    public Testimony {
        otherTables = List.copyOf(otherTables);
    }

    /** What becomes of a connection. */
    public sealed interface Verdict {
        /** Packets of both sides pass. */
        record Passes() implements Verdict {}

        /**
         * A rule drops them.
         *
         * @param chain its chain
         * @param rule its comment
         * @param reply true: those of the side that was called, and the caller's pass
         */
        record Dropped(String chain, String rule, boolean reply) implements Verdict {}

        /** No rule of this node sees them. */
        record Elsewhere() implements Verdict {}

        /** Nobody can tell, and why. */
        record Unknown(String why) implements Verdict {}
    }
}
