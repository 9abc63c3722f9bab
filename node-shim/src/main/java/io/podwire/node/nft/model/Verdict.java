package io.podwire.node.nft.model;

/** Where a packet goes next, nft(8) "verdict statement". */
public sealed interface Verdict extends Action {

    /** Ends this base chain; base chains of later priorities still judge. */
    record Accept() implements Verdict {}

    /** Gone. */
    record Drop() implements Verdict {}

    /** Back to the rule after the last jump; from a base chain: its policy. */
    record Return() implements Verdict {}

    /**
     * On in another chain, and back here on return.
     *
     * @param chain its name
     */
    record Jump(String chain) implements Verdict {
        /** Checks the name. */
        public Jump {
            Identifiers.check("chain", chain);
        }
    }

    /**
     * On in another chain; its return is our return.
     *
     * @param chain its name
     */
    record Goto(String chain) implements Verdict {
        /** Checks the name. */
        public Goto {
            Identifiers.check("chain", chain);
        }
    }
}
