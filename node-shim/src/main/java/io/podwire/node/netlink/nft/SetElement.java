package io.podwire.node.netlink.nft;

import java.util.Optional;

/** A member of a set, or an entry of a map, that is not an interval (NFTA_SET_ELEM_..., linux/netfilter/nf_tables.h). */
public final class SetElement {
    private final byte[] key;
    private final Optional<SetVerdict> verdict;

    /**
     * An element.
     *
     * @param key each field in network order, padded to four bytes; copied
     * @param verdict where a map's entry leads; empty for a set, and for a map's entry that is to be deleted
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of element, not a missing argument
    public SetElement(byte[] key, Optional<SetVerdict> verdict) {
        this.key = key.clone();
        this.verdict = verdict;
    }

    byte[] key() {
        return key.clone();
    }

    Optional<SetVerdict> verdict() {
        return verdict;
    }
}
