package io.podwire.node.nft.model;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * All our tables.
 *
 * @param tables by id
 */
public record Ruleset(SortedMap<TableId, Table> tables) {
    /** Copies. */
    public Ruleset {
        tables = Collections.unmodifiableSortedMap(new TreeMap<>(tables));
    }

    /** The ruleset of these tables. */
    public static Ruleset of(Table... tables) {
        SortedMap<TableId, Table> byId = new TreeMap<>();
        for (Table table : tables) {
            byId.put(table.id(), table);
        }
        return new Ruleset(byId);
    }
}
