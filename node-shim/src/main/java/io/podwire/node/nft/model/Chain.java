package io.podwire.node.nft.model;

import java.util.List;

/** A list of rules. */
public sealed interface Chain {
    /** Its name within the table. */
    String name();

    /** Its rules, in order. */
    List<Rule> rules();

    /**
     * A chain that the kernel enters; what passes it is accepted.
     *
     * @param name its name
     * @param type what it is for
     * @param hook where
     * @param priority order among the chains of a hook, lowest first (nft(8) "priority")
     * @param rules in order
     */
    record Base(String name, ChainType type, Hook hook, int priority, List<Rule> rules) implements Chain {
        /** Checks and copies. */
        public Base {
            Identifiers.check("chain", name);
            rules = List.copyOf(rules);
        }

        /** One that passes or drops packets. */
        public Base(String name, Hook hook, int priority, List<Rule> rules) {
            this(name, ChainType.FILTER, hook, priority, rules);
        }
    }

    /**
     * A chain entered by a jump, goto or map.
     *
     * @param name its name
     * @param rules in order
     */
    record Regular(String name, List<Rule> rules) implements Chain {
        /** Checks and copies. */
        public Regular {
            Identifiers.check("chain", name);
            rules = List.copyOf(rules);
        }
    }
}
