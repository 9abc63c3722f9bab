package io.podwire.node.nft.backend;

/**
 * Who must know that rules are about to be others than they were: a cache of what they said. Called by several threads;
 * changes may overlap.
 */
public interface RuleChanges {
    /** Nobody. */
    RuleChanges UNHEARD = new RuleChanges() {
        @Override
        public void begin() {}

        @Override
        public void end() {}
    };

    /** Before a transaction. */
    void begin();

    /** After it, whether it was done or not. */
    void end();
}
