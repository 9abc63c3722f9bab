package io.podwire.node.nft.model;

import java.util.Collections;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * One table.
 *
 * @param id its family and name
 * @param sets sets and maps by name
 * @param chains chains by name
 */
public record Table(TableId id, SortedMap<String, NftSet> sets, SortedMap<String, Chain> chains) {
    /** Copies. */
    public Table {
        sets = Collections.unmodifiableSortedMap(new TreeMap<>(sets));
        chains = Collections.unmodifiableSortedMap(new TreeMap<>(chains));
    }
}
