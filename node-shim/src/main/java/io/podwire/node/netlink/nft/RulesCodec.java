package io.podwire.node.netlink.nft;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads nf_tables' chains, rules and sets: struct nfgenmsg and attributes of linux/netfilter/nf_tables.h. */
public final class RulesCodec {
    private static final int NFTABLES = 10 << 8;
    /** NFT_MSG_GETCHAIN. */
    public static final int GET_CHAIN = NFTABLES | 4;
    /** NFT_MSG_GETRULE. */
    public static final int GET_RULE = NFTABLES | 7;
    /** NFT_MSG_GETSET. */
    public static final int GET_SET = NFTABLES | 10;
    /** NFT_MSG_GETSETELEM. */
    public static final int GET_MEMBER = NFTABLES | 13;
    /** NFT_MSG_GETGEN. */
    public static final int GET_GENERATION = NFTABLES | 16;

    private static final int HEADER = 4;
    /** NFTA_LIST_ELEM. */
    private static final int ITEM = 1;

    private static final int NFTA_CHAIN_TABLE = 1;
    private static final int NFTA_CHAIN_NAME = 3;
    private static final int NFTA_CHAIN_HOOK = 4;
    private static final int NFTA_CHAIN_POLICY = 5;
    private static final int NFTA_CHAIN_TYPE = 7;
    private static final int NFTA_HOOK_HOOKNUM = 1;
    private static final int NFTA_HOOK_PRIORITY = 2;

    private static final int NFTA_RULE_TABLE = 1;
    private static final int NFTA_RULE_CHAIN = 2;
    private static final int NFTA_RULE_HANDLE = 3;
    private static final int NFTA_RULE_EXPRESSIONS = 4;
    private static final int NFTA_RULE_USERDATA = 7;
    /** NFTNL_UDATA_RULE_COMMENT, libnftnl/udata.h: a type and a length of one byte each, then the text. */
    private static final int COMMENT = 0;

    private static final int NFTA_EXPR_NAME = 1;
    private static final int NFTA_EXPR_DATA = 2;
    private static final int NFTA_DATA_VALUE = 1;
    private static final int NFTA_DATA_VERDICT = 2;
    private static final int NFTA_VERDICT_CODE = 1;
    private static final int NFTA_VERDICT_CHAIN = 2;

    private static final int NFTA_SET_TABLE = 1;
    private static final int NFTA_SET_NAME = 2;
    private static final int NFTA_SET_FLAGS = 3;
    private static final int NFTA_SET_KEY_LEN = 5;

    private static final int NFTA_MEMBERS_TABLE = 1;
    private static final int NFTA_MEMBERS_SET = 2;
    private static final int NFTA_MEMBERS_LIST = 3;
    private static final int NFTA_MEMBER_KEY = 1;
    private static final int NFTA_MEMBER_DATA = 2;
    private static final int NFTA_MEMBER_FLAGS = 3;
    /** NFT_SET_ELEM_INTERVAL_END. */
    private static final int INTERVAL_END = 1;

    private static final int NFTA_GEN_ID = 1;

    /** NFT_REG_1 to NFT_REG_4, of sixteen bytes each, and NFT_REG32_00 to 15, of four, are the same 64 bytes. */
    private static final int VERDICT_REGISTER = 0;

    private static final int LAST_WIDE = 4;
    private static final int FIRST_NARROW = 8;

    private RulesCodec() {}

    /** Asks for the chains of all tables of a family; 0: of all families. */
    public static void writeDump(NlWriter out, int family) {
        header(out, family);
    }

    /** Asks for the rules of a table, or of one chain of it. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of question, not a missing argument
    public static void writeRules(NlWriter out, int family, String table, Optional<String> chain) {
        header(out, family);
        out.text(NFTA_RULE_TABLE, table);
        chain.ifPresent(name -> out.text(NFTA_RULE_CHAIN, name));
    }

    /** Asks for a set. */
    public static void writeSet(NlWriter out, int family, String table, String set) {
        header(out, family);
        out.text(NFTA_SET_TABLE, table);
        out.text(NFTA_SET_NAME, set);
    }

    /** Asks for the members of a set, or for one. */
    @SuppressWarnings("OptionalUsedAsFieldOrParameterType") // two kinds of question, not a missing argument
    public static void writeMembers(NlWriter out, int family, String table, String set, Optional<Octets> key) {
        header(out, family);
        out.text(NFTA_MEMBERS_TABLE, table);
        out.text(NFTA_MEMBERS_SET, set);
        key.ifPresent(bytes -> out.nested(
                NFTA_MEMBERS_LIST,
                list -> list.nested(
                        ITEM,
                        item -> item.nested(NFTA_MEMBER_KEY, data -> data.bytes(NFTA_DATA_VALUE, bytes.toBytes())))));
    }

    /** Asks for the generation. */
    public static void writeGeneration(NlWriter out) {
        header(out, 0);
    }

    private static void header(NlWriter out, int family) {
        out.put8(family).put8(0).put16(0);
    }

    /** A chain; empty for one that no hook enters. */
    public static Optional<KernelChain> chain(NlMessage message) {
        String table = "";
        String name = "";
        String type = "";
        OptionalInt hook = OptionalInt.empty();
        int priority = 0;
        int policy = SetVerdict.ACCEPT;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NFTA_CHAIN_TABLE -> table = in.text();
                case NFTA_CHAIN_NAME -> name = in.text();
                case NFTA_CHAIN_TYPE -> type = in.text();
                case NFTA_CHAIN_POLICY -> policy = in.i32be();
                case NFTA_CHAIN_HOOK -> {
                    NlReader part = in.nested();
                    while (part.next()) {
                        switch (part.type()) {
                            case NFTA_HOOK_HOOKNUM -> hook = OptionalInt.of(part.i32be());
                            case NFTA_HOOK_PRIORITY -> priority = part.i32be();
                            default -> {}
                        }
                    }
                }
                default -> {}
            }
        }
        return hook.isEmpty()
                ? Optional.empty()
                : Optional.of(new KernelChain(
                        message.u8(0), table, name, type, hook.getAsInt(), priority, policy == SetVerdict.ACCEPT));
    }

    /** A rule. */
    public static KernelRule rule(NlMessage message) {
        String table = "";
        String chain = "";
        long handle = 0;
        String comment = "";
        List<Expression> expressions = new ArrayList<>();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NFTA_RULE_TABLE -> table = in.text();
                case NFTA_RULE_CHAIN -> chain = in.text();
                case NFTA_RULE_HANDLE -> handle = in.i64be();
                case NFTA_RULE_USERDATA -> comment = comment(in.bytes());
                case NFTA_RULE_EXPRESSIONS -> {
                    NlReader list = in.nested();
                    while (list.next()) {
                        expressions.add(expression(list.nested()));
                    }
                }
                default -> {}
            }
        }
        return new KernelRule(table, chain, handle, comment, expressions);
    }

    /** What a set is. */
    public static KernelSet set(NlMessage message) {
        int flags = 0;
        int keyBytes = 0;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case NFTA_SET_FLAGS -> flags = in.i32be();
                case NFTA_SET_KEY_LEN -> keyBytes = in.i32be();
                default -> {}
            }
        }
        return new KernelSet(flags, keyBytes);
    }

    /** Members, in the kernel's order. */
    public static List<KernelSet.Member> members(NlMessage message) {
        List<KernelSet.Member> members = new ArrayList<>();
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == NFTA_MEMBERS_LIST) {
                NlReader list = in.nested();
                while (list.next()) {
                    members.add(member(list.nested()));
                }
            }
        }
        return members;
    }

    /** The number that every transaction changes. */
    public static Optional<Integer> generation(NlMessage message) {
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            if (in.type() == NFTA_GEN_ID) {
                return Optional.of(in.i32be());
            }
        }
        return Optional.empty();
    }

    private static KernelSet.Member member(NlReader in) {
        Octets key = Octets.of();
        Data data = new Data(Octets.of(), Optional.empty());
        int flags = 0;
        while (in.next()) {
            switch (in.type()) {
                case NFTA_MEMBER_KEY -> key = data(in.nested()).value();
                case NFTA_MEMBER_DATA -> data = data(in.nested());
                case NFTA_MEMBER_FLAGS -> flags = in.i32be();
                default -> {}
            }
        }
        return new KernelSet.Member(key, data.verdict(), data.value(), (flags & INTERVAL_END) != 0);
    }

    private static String comment(byte[] userdata) {
        for (int i = 0; i + 2 <= userdata.length; ) {
            int length = Byte.toUnsignedInt(userdata[i + 1]);
            if (i + 2 + length > userdata.length) {
                return "";
            }
            if (userdata[i] == COMMENT) {
                int end = length > 0 && userdata[i + 1 + length] == 0 ? length - 1 : length;
                return new String(userdata, i + 2, end, StandardCharsets.UTF_8);
            }
            i += 2 + length;
        }
        return "";
    }

    /** Of each kind of expression the attributes have the same numbers from 1 on; those that it has not are empty. */
    private static Expression expression(NlReader in) {
        String name = "";
        Attributes of = new Attributes();
        while (in.next()) {
            switch (in.type()) {
                case NFTA_EXPR_NAME -> name = in.text();
                case NFTA_EXPR_DATA -> of = Attributes.read(name, in.nested());
                default -> {}
            }
        }
        return of.expression(name);
    }

    /** A constant, or a verdict. */
    private record Data(Octets value, Optional<SetVerdict> verdict) {}

    private static Data data(NlReader in) {
        Octets value = Octets.of();
        Optional<SetVerdict> verdict = Optional.empty();
        while (in.next()) {
            switch (in.type()) {
                case NFTA_DATA_VALUE -> value = Octets.of(in.bytes());
                case NFTA_DATA_VERDICT -> verdict = Optional.of(verdict(in.nested()));
                default -> {}
            }
        }
        return new Data(value, verdict);
    }

    private static SetVerdict verdict(NlReader in) {
        int code = SetVerdict.DROP;
        String chain = "";
        while (in.next()) {
            switch (in.type()) {
                case NFTA_VERDICT_CODE -> code = in.i32be();
                case NFTA_VERDICT_CHAIN -> chain = in.text();
                default -> {}
            }
        }
        return new SetVerdict(code, chain);
    }

    /** Where a register begins. */
    private static int register(int number) {
        if (number >= FIRST_NARROW) {
            return (number - FIRST_NARROW) * 4;
        }
        return number == VERDICT_REGISTER || number > LAST_WIDE ? Expression.Lookup.VERDICT : (number - 1) * 16;
    }

    /** Those of one expression, as they come: which mean what, its name says. */
    private static final class Attributes {
        private static final int MOST = 8;

        private final boolean[] present = new boolean[MOST];
        private final long[] numbers = new long[MOST];
        private final Data[] data = new Data[MOST];
        private String text = "";

        static Attributes read(String name, NlReader in) {
            Attributes all = new Attributes();
            while (in.next()) {
                int type = in.type();
                if (type >= MOST) {
                    continue;
                }
                all.present[type] = true;
                switch (name) {
                    case "counter" -> all.numbers[type] = type <= 2 ? in.i64be() : 0;
                    case "immediate" -> all.put(type, in, type == 2);
                    case "cmp" -> all.put(type, in, type == 3);
                    case "range" -> all.put(type, in, type == 3 || type == 4);
                    case "bitwise" -> all.put(type, in, type == 4 || type == 5 || type == 7);
                    case "meta" -> all.put(type, in, false);
                    case "ct" -> all.numbers[type] = type == 3 ? in.u8() : in.i32be();
                    case "lookup" -> {
                        if (type == 1) {
                            all.text = in.text();
                        } else {
                            all.put(type, in, false);
                        }
                    }
                    default -> {}
                }
            }
            return all;
        }

        private void put(int type, NlReader in, boolean isData) {
            if (isData) {
                data[type] = data(in.nested());
            } else {
                numbers[type] = in.i32be();
            }
        }

        private int number(int type) {
            return (int) numbers[type];
        }

        private Octets value(int type) {
            return data[type] == null ? Octets.of() : data[type].value();
        }

        Expression expression(String name) {
            return switch (name) {
                // NFTA_COUNTER_BYTES, NFTA_COUNTER_PACKETS.
                case "counter" -> new Expression.Counter(numbers[2], numbers[1]);
                // NFTA_IMMEDIATE_DREG, ..._DATA.
                case "immediate" ->
                    data[2] != null && data[2].verdict().isPresent()
                            ? new Expression.Decide(data[2].verdict().get())
                            : new Expression.Load(register(number(1)), value(2));
                // NFTA_CMP_SREG, ..._OP, ..._DATA.
                case "cmp" -> new Expression.Compare(register(number(1)), number(2), value(3));
                // NFTA_RANGE_SREG, ..._OP, ..._FROM_DATA, ..._TO_DATA.
                case "range" -> new Expression.Range(register(number(1)), number(2) == 0, value(3), value(4));
                // NFTA_BITWISE_SREG, ..._DREG, ..._LEN, ..._MASK, ..._XOR, ..._OP.
                case "bitwise" ->
                    number(6) == 0 && !present[7]
                            ? new Expression.Mask(register(number(1)), register(number(2)), value(4), value(5))
                            : new Expression.Other(name);
                // NFTA_META_DREG, ..._KEY, ..._SREG.
                case "meta" ->
                    present[1] ? new Expression.Meta(number(2), register(number(1))) : new Expression.Other(name);
                // NFTA_CT_DREG, ..._KEY, ..._DIRECTION, ..._SREG.
                case "ct" ->
                    present[1]
                            ? new Expression.Flow(
                                    number(2),
                                    present[3] ? OptionalInt.of(number(3)) : OptionalInt.empty(),
                                    register(number(1)))
                            : new Expression.Other(name);
                // NFTA_LOOKUP_SET, ..._SREG, ..._DREG, ..._SET_ID, ..._FLAGS.
                case "lookup" ->
                    new Expression.Lookup(
                            text,
                            register(number(2)),
                            present[3] ? OptionalInt.of(register(number(3))) : OptionalInt.empty(),
                            number(5) != 0);
                default -> new Expression.Other(name);
            };
        }
    }
}
