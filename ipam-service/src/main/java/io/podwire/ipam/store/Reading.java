package io.podwire.ipam.store;

import java.util.List;

/**
 * What a store holds, or what of it is new.
 *
 * @param revision of the store at the moment of the reading
 * @param whole true when these are all entries: what the reader knows and is not here is gone
 * @param entries ordered by key
 */
public record Reading(long revision, boolean whole, List<Entry> entries) {
    /** Copies. */
    public Reading {
        entries = List.copyOf(entries);
    }
}
