package io.podwire.node.netlink.ct;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;
import java.util.OptionalInt;

/** struct nfgenmsg and ctnetlink's attributes, linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h. */
public final class ConnectionCodec {
    /** NFNL_SUBSYS_CTNETLINK. */
    private static final int SUBSYSTEM = 1 << 8;
    /** IPCTNL_MSG_CT_GET. */
    public static final int GET = SUBSYSTEM | 1;
    /** IPCTNL_MSG_CT_DELETE. */
    public static final int DELETE = SUBSYSTEM | 2;

    private static final int HEADER = 4;
    /** AF_INET and AF_INET6, linux/socket.h. */
    private static final int INET = 2;

    private static final int INET6 = 10;

    private static final int CTA_TUPLE_ORIG = 1;
    private static final int CTA_TUPLE_REPLY = 2;
    private static final int CTA_STATUS = 3;
    private static final int CTA_ZONE = 18;
    private static final int CTA_FILTER = 25;

    /** Of CTA_STATUS, linux/netfilter/nf_conntrack_common.h. */
    private static final int IPS_SEEN_REPLY = 1 << 1;

    private static final int CTA_FILTER_ORIG_FLAGS = 1;
    private static final int CTA_FILTER_REPLY_FLAGS = 2;
    /** CTA_FILTER_F_... of net/netfilter/nf_internals.h, which no header of the API names. */
    private static final int BY_PROTOCOL = 1 << 3;

    private static final int BY_DESTINATION_PORT = 1 << 5;

    private static final int CTA_TUPLE_IP = 1;
    private static final int CTA_TUPLE_PROTO = 2;
    private static final int CTA_IP_V4_SRC = 1;
    private static final int CTA_IP_V4_DST = 2;
    private static final int CTA_IP_V6_SRC = 3;
    private static final int CTA_IP_V6_DST = 4;
    private static final int CTA_PROTO_NUM = 1;
    private static final int CTA_PROTO_SRC_PORT = 2;
    private static final int CTA_PROTO_DST_PORT = 3;

    private ConnectionCodec() {}

    /** Asks for all connections of a family. */
    public static void writeDump(NlWriter out, IpFamily family) {
        header(out, family);
    }

    /** Asks for the connections that are meant. */
    public static void writeDump(NlWriter out, ConnectionFilter filter) {
        header(out, filter.family());
        out.nested(
                CTA_TUPLE_ORIG,
                tuple -> tuple.nested(CTA_TUPLE_PROTO, proto -> {
                    proto.u8(CTA_PROTO_NUM, filter.protocol());
                    proto.u16be(CTA_PROTO_DST_PORT, filter.port());
                }));
        out.nested(CTA_FILTER, flags -> {
            flags.u32(CTA_FILTER_ORIG_FLAGS, BY_PROTOCOL | BY_DESTINATION_PORT);
            flags.u32(CTA_FILTER_REPLY_FLAGS, 0);
        });
    }

    /** Deletes the connection of these addresses and ports. */
    public static void writeDelete(NlWriter out, Connection connection) {
        header(out, connection.original().source().family());
        out.nested(CTA_TUPLE_ORIG, tuple -> writeTuple(tuple, connection.original()));
        if (connection.zone() != 0) {
            out.u16be(CTA_ZONE, connection.zone());
        }
    }

    private static void writeTuple(NlWriter out, FlowTuple tuple) {
        out.nested(CTA_TUPLE_IP, ip -> {
            ip.address(sourceType(tuple.source()), tuple.source());
            ip.address(destinationType(tuple.destination()), tuple.destination());
        });
        out.nested(CTA_TUPLE_PROTO, proto -> {
            proto.u8(CTA_PROTO_NUM, tuple.protocol());
            proto.u16be(CTA_PROTO_SRC_PORT, tuple.sourcePort());
            proto.u16be(CTA_PROTO_DST_PORT, tuple.destinationPort());
        });
    }

    private static int sourceType(IpAddress address) {
        return address.family() == IpFamily.V4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
    }

    private static int destinationType(IpAddress address) {
        return address.family() == IpFamily.V4 ? CTA_IP_V4_DST : CTA_IP_V6_DST;
    }

    /** The connection of an IPCTNL_MSG_CT_NEW; empty for one of a protocol without ports. */
    public static Optional<Connection> read(NlMessage message) {
        Optional<FlowTuple> original = Optional.empty();
        Optional<FlowTuple> reply = Optional.empty();
        int zone = 0;
        int status = 0;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case CTA_TUPLE_ORIG -> original = readTuple(in.nested());
                case CTA_TUPLE_REPLY -> reply = readTuple(in.nested());
                case CTA_STATUS -> status = in.i32be();
                case CTA_ZONE -> zone = in.u16be();
                default -> {}
            }
        }
        return original.isPresent() && reply.isPresent()
                ? Optional.of(new Connection(original.get(), reply.get(), zone, (status & IPS_SEEN_REPLY) != 0))
                : Optional.empty();
    }

    private static Optional<FlowTuple> readTuple(NlReader in) {
        Optional<IpAddress> source = Optional.empty();
        Optional<IpAddress> destination = Optional.empty();
        int protocol = 0;
        OptionalInt sourcePort = OptionalInt.empty();
        OptionalInt destinationPort = OptionalInt.empty();
        while (in.next()) {
            if (in.type() != CTA_TUPLE_IP && in.type() != CTA_TUPLE_PROTO) {
                continue;
            }
            boolean addresses = in.type() == CTA_TUPLE_IP;
            NlReader part = in.nested();
            while (part.next()) {
                if (addresses) {
                    switch (part.type()) {
                        case CTA_IP_V4_SRC, CTA_IP_V6_SRC -> source = Optional.of(part.address());
                        case CTA_IP_V4_DST, CTA_IP_V6_DST -> destination = Optional.of(part.address());
                        default -> {}
                    }
                } else {
                    switch (part.type()) {
                        case CTA_PROTO_NUM -> protocol = part.u8();
                        case CTA_PROTO_SRC_PORT -> sourcePort = OptionalInt.of(part.u16be());
                        case CTA_PROTO_DST_PORT -> destinationPort = OptionalInt.of(part.u16be());
                        default -> {}
                    }
                }
            }
        }
        boolean whole =
                source.isPresent() && destination.isPresent() && sourcePort.isPresent() && destinationPort.isPresent();
        return whole
                ? Optional.of(new FlowTuple(
                        protocol, source.get(), destination.get(), sourcePort.getAsInt(), destinationPort.getAsInt()))
                : Optional.empty();
    }

    private static void header(NlWriter out, IpFamily family) {
        // Version NFNETLINK_V0 and resource id 0.
        out.put8(family == IpFamily.V4 ? INET : INET6).put8(0).put16(0);
    }
}
