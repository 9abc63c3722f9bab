package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlWriter;
import java.time.Duration;
import java.util.List;
import java.util.function.Consumer;

/**
 * A rule at the end of a chain, written as the kernel runs it: for what libnftables 1.0.6 cannot write. Registers are told
 * by where they begin, in bytes from 0 to 60, a multiple of 4.
 *
 * @param family NFPROTO_... of the table
 * @param table the chain's table
 * @param chain its name
 * @param parts what it does, in order
 */
public record NewRule(int family, String table, String chain, List<Part> parts) implements NftMessage {
    private static final int NEW_RULE = NFTABLES | 6;

    private static final int NFTA_RULE_TABLE = 1;
    private static final int NFTA_RULE_CHAIN = 2;
    private static final int NFTA_RULE_EXPRESSIONS = 4;
    private static final int NFTA_LIST_ELEM = 1;
    private static final int NFTA_EXPR_NAME = 1;
    private static final int NFTA_EXPR_DATA = 2;
    private static final int NFTA_DATA_VALUE = 1;
    private static final int NFTA_META_DREG = 1;
    private static final int NFTA_META_KEY = 2;
    private static final int NFTA_CT_DREG = 1;
    private static final int NFTA_CT_KEY = 2;
    private static final int NFTA_CT_DIRECTION = 3;
    private static final int NFTA_PAYLOAD_DREG = 1;
    private static final int NFTA_PAYLOAD_BASE = 2;
    private static final int NFTA_PAYLOAD_OFFSET = 3;
    private static final int NFTA_PAYLOAD_LEN = 4;
    private static final int NFTA_CMP_SREG = 1;
    private static final int NFTA_CMP_OP = 2;
    private static final int NFTA_CMP_DATA = 3;
    private static final int NFT_CMP_EQ = 0;
    private static final int NFTA_DYNSET_SET_NAME = 1;
    private static final int NFTA_DYNSET_OP = 3;
    private static final int NFTA_DYNSET_SREG_KEY = 4;
    private static final int NFTA_DYNSET_SREG_DATA = 5;
    private static final int NFTA_DYNSET_TIMEOUT = 6;
    private static final int NFT_DYNSET_OP_UPDATE = 1;
    /** IP_CT_DIR_ORIGINAL, linux/netfilter/nf_conntrack_tuple_common.h. */
    private static final int ORIGINAL = 0;
    /** NFT_REG32_00; each of four bytes. */
    private static final int FIRST_REGISTER = 8;

    /** Copies. */
    public NewRule {
        parts = List.copyOf(parts);
    }

    /** One step. */
    public sealed interface Part {}

    /**
     * Loads what is known about the packet.
     *
     * @param key NFT_META_...
     */
    public record Meta(int key, int to) implements Part {}

    /**
     * Loads what the first packet of the flow was, as conntrack knows it.
     *
     * @param key NFT_CT_...
     */
    public record Original(int key, int to) implements Part {}

    /**
     * Loads from the packet.
     *
     * @param base NFT_PAYLOAD_..., the header
     * @param offset from there, bytes
     * @param length bytes
     */
    public record Header(int base, int offset, int length, int to) implements Part {}

    /** Goes on when the register is this. */
    public record Equal(int from, Octets value) implements Part {}

    /**
     * Writes an entry into a map, or has the one that is there begin its time anew.
     *
     * @param map its name
     * @param key register where the key begins
     * @param data register where what it leads to begins
     * @param timeout after which it goes by itself, at least a millisecond
     */
    public record Update(String map, int key, int data, Duration timeout) implements Part {}

    @Override
    public int type() {
        return NEW_RULE;
    }

    @Override
    public int flags() {
        return NlMessage.CREATE | NlMessage.APPEND;
    }

    @Override
    public void write(NlWriter out) {
        writeChain(out, family, table, chain);
        out.nested(NFTA_RULE_EXPRESSIONS, list -> parts.forEach(part -> write(list, part)));
    }

    static void writeChain(NlWriter out, int family, String table, String chain) {
        out.put8(family).put8(0).put16(0);
        out.text(NFTA_RULE_TABLE, table);
        out.text(NFTA_RULE_CHAIN, chain);
    }

    private static void write(NlWriter list, Part part) {
        switch (part) {
            case Meta(int key, int to) ->
                expression(list, "meta", meta -> {
                    meta.u32be(NFTA_META_DREG, register(to));
                    meta.u32be(NFTA_META_KEY, key);
                });
            case Original(int key, int to) ->
                expression(list, "ct", ct -> {
                    ct.u32be(NFTA_CT_DREG, register(to));
                    ct.u32be(NFTA_CT_KEY, key);
                    ct.u8(NFTA_CT_DIRECTION, ORIGINAL);
                });
            case Header(int base, int offset, int length, int to) ->
                expression(list, "payload", payload -> {
                    payload.u32be(NFTA_PAYLOAD_DREG, register(to));
                    payload.u32be(NFTA_PAYLOAD_BASE, base);
                    payload.u32be(NFTA_PAYLOAD_OFFSET, offset);
                    payload.u32be(NFTA_PAYLOAD_LEN, length);
                });
            case Equal(int from, Octets value) ->
                expression(list, "cmp", cmp -> {
                    cmp.u32be(NFTA_CMP_SREG, register(from));
                    cmp.u32be(NFTA_CMP_OP, NFT_CMP_EQ);
                    cmp.nested(NFTA_CMP_DATA, data -> data.bytes(NFTA_DATA_VALUE, value.toBytes()));
                });
            case Update(String map, int key, int data, Duration timeout) ->
                expression(list, "dynset", dynset -> {
                    dynset.text(NFTA_DYNSET_SET_NAME, map);
                    dynset.u32be(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
                    dynset.u32be(NFTA_DYNSET_SREG_KEY, register(key));
                    dynset.u32be(NFTA_DYNSET_SREG_DATA, register(data));
                    dynset.u64be(NFTA_DYNSET_TIMEOUT, timeout.toMillis());
                });
        }
    }

    private static void expression(NlWriter list, String name, Consumer<NlWriter> attributes) {
        list.nested(NFTA_LIST_ELEM, expression -> {
            expression.text(NFTA_EXPR_NAME, name);
            expression.nested(NFTA_EXPR_DATA, attributes);
        });
    }

    private static int register(int at) {
        return FIRST_REGISTER + at / Integer.BYTES;
    }
}
