package io.podwire.node.netlink.rt;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;
import java.util.OptionalInt;

/** struct tcmsg and its attributes for filters, linux/pkt_cls.h and linux/tc_act/tc_mirred.h. */
public final class FilterCodec {
    /** RTM_NEWTFILTER. */
    public static final int NEW = 44;
    /** RTM_DELTFILTER. */
    public static final int DELETE = 45;
    /** RTM_GETTFILTER. */
    public static final int GET = 46;

    private static final int TCA_U32_SEL = 5;
    private static final int TCA_U32_ACT = 7;
    private static final int TCA_MATCHALL_ACT = 2;
    private static final int TCA_ACT_KIND = 1;
    private static final int TCA_ACT_OPTIONS = 2;
    private static final int TCA_MIRRED_PARMS = 2;
    private static final int TC_U32_TERMINAL = 1;
    private static final int TC_ACT_STOLEN = 4;
    private static final int TCA_EGRESS_REDIR = 1;
    /** Where each part of struct tc_mirred begins. */
    private static final int EACTION_AT = 20;

    private static final int TARGET_AT = 24;
    /**
     * What comes in, of an ingress discipline and of the clsact that others put in its place alike:
     * TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS).
     */
    private static final int INCOMING = 0xFFFFFFF2;

    /** How a filter is known as Podwire's. Those of a smaller number come first. */
    private static final int PRIORITY = 112;

    private static final int INFO_AT = 16;
    private static final int IFINDEX_AT = 4;
    /** The priority, and ETH_P_ALL in network order: TC_H_MAKE(112 << 16, htons(3)). */
    private static final int INFO = PRIORITY << 16 | 0x0300;

    private FilterCodec() {}

    /** Asks for those on what comes in by a device. */
    public static void writeDump(NlWriter out, int ifindex) {
        QdiscCodec.header(out, ifindex, 0, INCOMING, 0);
    }

    /** Names all of Podwire's on what comes in by a device, to delete them. */
    public static void writeDelete(NlWriter out, int ifindex) {
        QdiscCodec.header(out, ifindex, 0, INCOMING, INFO);
    }

    /** The filter. */
    public static void write(NlWriter out, Redirect redirect, Classifier classifier) {
        int target = redirect.target();
        QdiscCodec.header(out, redirect.ifindex(), 0, INCOMING, INFO);
        out.text(QdiscCodec.TCA_KIND, classifier.kind());
        out.nested(QdiscCodec.TCA_OPTIONS, options -> {
            switch (classifier) {
                case U32 -> {
                    options.struct(TCA_U32_SEL, FilterCodec::putEverything);
                    options.nested(TCA_U32_ACT, actions -> writeAction(actions, target));
                }
                case MATCHALL -> options.nested(TCA_MATCHALL_ACT, actions -> writeAction(actions, target));
            }
        });
    }

    /** struct tc_u32_sel with one struct tc_u32_key: the first word, none of its bits looked at. */
    private static void putEverything(NlWriter selector) {
        selector.put8(TC_U32_TERMINAL).put8(0).put8(1).put8(0);
        selector.put32(0).put32(0).put32(0);
        selector.put32(0).put32(0).put32(0).put32(0);
    }

    private static void writeAction(NlWriter actions, int target) {
        actions.nested(1, action -> {
            action.text(TCA_ACT_KIND, "mirred");
            action.nested(
                    TCA_ACT_OPTIONS,
                    options -> options.struct(
                            TCA_MIRRED_PARMS,
                            mirred -> mirred.put32(0)
                                    .put32(0)
                                    .put32(TC_ACT_STOLEN)
                                    .put32(0)
                                    .put32(0)
                                    .put32(TCA_EGRESS_REDIR)
                                    .put32(target)));
        });
    }

    /** The filter of an RTM_NEWTFILTER; empty for others' filters, and for what a dump says of u32's hash tables. */
    public static Optional<Redirect> read(NlMessage message) {
        if (message.i32(INFO_AT) >>> 16 != PRIORITY) {
            return Optional.empty();
        }
        String name = "";
        OptionalInt target = OptionalInt.empty();
        NlReader in = message.attributes(QdiscCodec.HEADER);
        while (in.next()) {
            switch (in.type()) {
                case QdiscCodec.TCA_KIND -> name = in.text();
                // The kernel writes the kind first.
                case QdiscCodec.TCA_OPTIONS -> target = readOptions(name, in.nested());
                default -> {}
            }
        }
        return target.isPresent()
                ? Optional.of(new Redirect(message.i32(IFINDEX_AT), target.getAsInt()))
                : Optional.empty();
    }

    private static OptionalInt readOptions(String classifier, NlReader in) {
        int actions = switch (classifier) {
            case "u32" -> TCA_U32_ACT;
            case "matchall" -> TCA_MATCHALL_ACT;
            default -> 0;
        };
        // A hash table of u32 has options and no selector.
        boolean filter = !classifier.equals("u32");
        int target = 0;
        while (in.next()) {
            filter |= in.type() == TCA_U32_SEL;
            target = in.type() == actions ? readActions(in.nested()) : target;
        }
        return filter ? OptionalInt.of(target) : OptionalInt.empty();
    }

    private static int readActions(NlReader in) {
        return in.next() ? readAction(in.nested()) : 0;
    }

    private static int readAction(NlReader in) {
        String name = "";
        int target = 0;
        while (in.next()) {
            switch (in.type()) {
                case TCA_ACT_KIND -> name = in.text();
                case TCA_ACT_OPTIONS -> target = name.equals("mirred") ? readMirred(in.nested()) : target;
                default -> {}
            }
        }
        return target;
    }

    private static int readMirred(NlReader in) {
        int target = 0;
        while (in.next()) {
            if (in.type() == TCA_MIRRED_PARMS && in.i32(EACTION_AT) == TCA_EGRESS_REDIR) {
                target = in.i32(TARGET_AT);
            }
        }
        return target;
    }
}
