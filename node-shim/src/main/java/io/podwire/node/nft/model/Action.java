package io.podwire.node.nft.model;

/** What a rule does with a packet that matches. */
public sealed interface Action permits Verdict, Action.Lookup {

    /**
     * The verdict that a map has for the field; no entry: the next rule.
     *
     * @param key what is looked up
     * @param map name of a {@link NftSet.VerdictMap}
     */
    record Lookup(Field key, String map) implements Action {
        /** Checks the name. */
        public Lookup {
            Identifiers.check("map", map);
        }
    }
}
