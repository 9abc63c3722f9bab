package io.podwire.node.netlink.nft;

import java.util.OptionalInt;

/**
 * One step of a rule as the kernel runs it (linux/netfilter/nf_tables.h). Registers are told by where they begin, in
 * bytes from 0 to 60.
 */
public sealed interface Expression {
    /**
     * Loads what is known about the packet (nft_meta).
     *
     * @param key NFT_META_...
     */
    record Meta(int key, int to) implements Expression {}

    /**
     * Loads what conntrack knows of its connection (nft_ct).
     *
     * @param key NFT_CT_...
     * @param direction IP_CT_DIR_...; empty for what has none
     */
    record Flow(int key, OptionalInt direction, int to) implements Expression {}

    /** Puts a constant into a register. */
    record Load(int to, Octets value) implements Expression {}

    /** The verdict, whoever comes here. */
    record Decide(SetVerdict verdict) implements Expression {}

    /**
     * Goes on when the comparison holds.
     *
     * @param operator NFT_CMP_...
     */
    record Compare(int from, int operator, Octets with) implements Expression {}

    /**
     * Goes on when the register is between two values, both included, or when it is not.
     *
     * @param inside which of the two
     */
    record Range(int from, boolean inside, Octets first, Octets last) implements Expression {}

    /** Register AND mask XOR the other. */
    record Mask(int from, int to, Octets mask, Octets xor) implements Expression {}

    /**
     * Goes on when the register is a key of a set, or when it is not.
     *
     * @param to where the key leads: 0 or more for a register; empty for a set's member; {@link #VERDICT} for a verdict
     * @param inverted true: goes on when it is none
     */
    record Lookup(String set, int from, OptionalInt to, boolean inverted) implements Expression {
        /** As a target: what the key leads to is the verdict. */
        public static final int VERDICT = -1;
    }

    /**
     * Counts.
     *
     * @param packets since the rule was made
     * @param bytes theirs
     */
    record Counter(long packets, long bytes) implements Expression {}

    /**
     * Any other.
     *
     * @param name the kernel's name of its kind
     */
    record Other(String name) implements Expression {}
}
