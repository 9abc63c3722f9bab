package io.podwire.node.netlink.nft;

import java.util.Optional;

/** A member of a set, or an entry of a map, that is not an interval (NFTA_SET_ELEM_..., linux/netfilter/nf_tables.h). */
public final class SetElement {
    private final Octets key;
    private final Optional<SetVerdict> verdict;
    private final Octets data;

    /** An element of a set, or of a verdict map. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of element, not a missing argument
    public SetElement(byte[] key, Optional<SetVerdict> verdict) {
        this(Octets.of(key), verdict, Octets.of());
    }

    /**
     * An element.
     *
     * @param key each field in network order, padded to four bytes
     * @param verdict where a map's entry leads; empty for a set, and for a map's entry that is to be deleted
     * @param data what another map's entry is, as the key; no bytes: none
     */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of element, not a missing argument
    public SetElement(Octets key, Optional<SetVerdict> verdict, Octets data) {
        this.key = key;
        this.verdict = verdict;
        this.data = data;
    }

    byte[] key() {
        return key.toBytes();
    }

    byte[] data() {
        return data.toBytes();
    }

    Optional<SetVerdict> verdict() {
        return verdict;
    }
}
