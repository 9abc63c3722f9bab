package io.podwire.node.netlink.rt;

import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;

/** struct tcmsg and its attributes for queueing disciplines, linux/rtnetlink.h and linux/pkt_sched.h. */
public final class QdiscCodec {
    /** RTM_NEWQDISC. */
    public static final int NEW = 36;
    /** RTM_DELQDISC. */
    public static final int DELETE = 37;
    /** RTM_GETQDISC. */
    public static final int GET = 38;

    static final int HEADER = 20;
    /** The handle of the ingress discipline: TC_H_MAJ(TC_H_INGRESS). */
    private static final int INGRESS_HANDLE = 0xFFFF0000;
    /** Where each part of struct tcmsg begins. */
    private static final int IFINDEX_AT = 4;

    private static final int PARENT_AT = 12;
    private static final int TC_H_ROOT = 0xFFFFFFFF;
    private static final int TC_H_INGRESS = 0xFFFFFFF1;
    /** TCA_KIND and TCA_OPTIONS, linux/rtnetlink.h: of disciplines and filters alike. */
    static final int TCA_KIND = 1;

    static final int TCA_OPTIONS = 2;
    private static final int TCA_TBF_PARMS = 1;
    private static final int TCA_TBF_RATE64 = 4;
    private static final int TCA_TBF_BURST = 6;
    /** Where each part of struct tc_tbf_qopt begins. */
    private static final int RATE_AT = 8;

    private static final int LIMIT_AT = 24;
    private static final int BUFFER_AT = 28;
    /** With a known link layer, Linux since 3.9 reckons by the rate itself and needs no table (TCA_TBF_RTAB). */
    private static final int TC_LINKLAYER_ETHERNET = 1;

    private static final long U32 = 0xFFFF_FFFFL;

    private QdiscCodec() {}

    /** Asks for all of them. */
    public static void writeDump(NlWriter out) {
        header(out, 0, 0, 0, 0);
    }

    /** A token bucket at the root. */
    public static void writeTokenBucket(NlWriter out, int ifindex, TokenBucket bucket) {
        header(out, ifindex, 0, TC_H_ROOT, 0);
        out.text(TCA_KIND, "tbf");
        out.nested(TCA_OPTIONS, options -> {
            options.struct(TCA_TBF_PARMS, parameters -> {
                parameters.put8(0).put8(TC_LINKLAYER_ETHERNET).put16(0).put16(0).put16(0);
                parameters.put32((int) Math.min(U32, bucket.rate()));
                parameters.put32(0).put32(0).put32(0); // no peak rate
                parameters.put32((int) bucket.limit());
                parameters.put32((int) Math.min(U32, bucket.burstTicks()));
                parameters.put32(0);
            });
            // What has no place in 32 bits above, and the burst exactly.
            options.u64(TCA_TBF_RATE64, bucket.rate());
            options.u32(TCA_TBF_BURST, (int) bucket.burst());
        });
    }

    /** The place for filters on what comes in. */
    public static void writeIngress(NlWriter out, int ifindex) {
        header(out, ifindex, INGRESS_HANDLE, TC_H_INGRESS, 0);
        out.text(TCA_KIND, "ingress");
    }

    /** Names the one at the root, to delete it. */
    public static void writeRoot(NlWriter out, int ifindex) {
        header(out, ifindex, 0, TC_H_ROOT, 0);
    }

    /** The discipline of an RTM_NEWQDISC; empty for one below another. */
    public static Optional<Qdisc> read(NlMessage message) {
        int parent = message.i32(PARENT_AT);
        if (parent != TC_H_ROOT && parent != TC_H_INGRESS) {
            return Optional.empty();
        }
        String name = "";
        QdiscKind kind = new QdiscKind.Other("");
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case TCA_KIND -> {
                    name = in.text();
                    kind = name.equals("ingress") ? new QdiscKind.Ingress() : new QdiscKind.Other(name);
                }
                // The kernel writes the kind first.
                case TCA_OPTIONS -> kind = name.equals("tbf") ? readTokenBucket(in.nested()) : kind;
                default -> {}
            }
        }
        return Optional.of(new Qdisc(message.i32(IFINDEX_AT), kind));
    }

    private static QdiscKind readTokenBucket(NlReader in) {
        long rate = 0;
        long rate64 = 0;
        long ticks = 0;
        long limit = 0;
        while (in.next()) {
            switch (in.type()) {
                case TCA_TBF_PARMS -> {
                    rate = Integer.toUnsignedLong(in.i32(RATE_AT));
                    limit = Integer.toUnsignedLong(in.i32(LIMIT_AT));
                    ticks = Integer.toUnsignedLong(in.i32(BUFFER_AT));
                }
                case TCA_TBF_RATE64 -> rate64 = in.i64();
                default -> {}
            }
        }
        return new QdiscKind.TokenBucketQueue(Math.max(rate, rate64), ticks, limit);
    }

    static void header(NlWriter out, int ifindex, int handle, int parent, int info) {
        out.put8(0).put8(0).put16(0).put32(ifindex).put32(handle).put32(parent).put32(info);
    }
}
