package io.podwire.node.nft.model;

import java.util.List;

/**
 * One step of a transaction. Each is exact: it fails when the kernel is not in the state it was made
 * for, and the whole transaction with it; then the table is replaced as a whole.
 */
public sealed interface Command {
    /** The table it is about. */
    TableId table();

    /** Makes the table unless it is there. */
    record AddTable(TableId table) implements Command {}

    /** Removes the table and all in it. */
    record DeleteTable(TableId table) implements Command {}

    /** Makes a set or map; its members come by {@link AddElements}. */
    record AddSet(TableId table, NftSet set) implements Command {}

    /**
     * Removes a set or map that no rule uses.
     *
     * @param table its table
     * @param set its name
     * @param map true for a map
     */
    record DeleteSet(TableId table, String set, boolean map) implements Command {}

    /** Makes a chain; its rules come by {@link AddRules}. */
    record AddChain(TableId table, Chain chain) implements Command {}

    /** Removes all rules of a chain. */
    record FlushChain(TableId table, String chain) implements Command {}

    /** Appends the digest rule and all rules of a chain. */
    record AddRules(TableId table, Chain chain) implements Command {}

    /** Removes a chain that nothing leads to. */
    record DeleteChain(TableId table, String chain) implements Command {}

    /**
     * Adds members to a set.
     *
     * @param table its table
     * @param set its name
     * @param elements canonical text of each, at least one
     */
    record AddElements(TableId table, String set, List<String> elements) implements Command {
        /** Copies. */
        public AddElements {
            elements = List.copyOf(elements);
        }
    }

    /**
     * Removes members from a set.
     *
     * @param table its table
     * @param set its name
     * @param elements canonical text of each, of a map the keys, at least one
     */
    record DeleteElements(TableId table, String set, List<String> elements) implements Command {
        /** Copies. */
        public DeleteElements {
            elements = List.copyOf(elements);
        }
    }
}
