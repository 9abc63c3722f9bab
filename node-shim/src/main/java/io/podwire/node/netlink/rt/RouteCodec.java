package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;
import java.util.OptionalInt;

/** struct rtmsg and its attributes, linux/rtnetlink.h: routes of the main table. */
public final class RouteCodec {
    /** RTM_NEWROUTE. */
    public static final int NEW = 24;
    /** RTM_DELROUTE. */
    public static final int DELETE = 25;
    /** RTM_GETROUTE. */
    public static final int GET = 26;

    private static final int HEADER = 12;
    private static final int RTA_DST = 1;
    private static final int RTA_OIF = 4;
    private static final int RTA_GATEWAY = 5;
    private static final int RTA_PREFSRC = 7;
    private static final int RTA_METRICS = 8;
    private static final int RTA_TABLE = 15;
    private static final int RTAX_MTU = 2;
    private static final int RT_TABLE_MAIN = 254;
    private static final int RTNH_F_ONLINK = 4;
    /** An entry of the IPv6 route cache, which a dump lists too. */
    private static final int RTM_F_CLONED = 0x200;

    private RouteCodec() {}

    /** Asks for the family's main table (kernels without strict checks answer with all tables). */
    public static void writeDump(NlWriter out, IpFamily family) {
        out.put8(Families.number(family)).put8(0).put8(0).put8(0);
        out.put8(RT_TABLE_MAIN).put8(0).put8(0).put8(0).put32(0);
    }

    /** The route, to replace or delete. */
    public static void write(NlWriter out, Route route) {
        IpPrefix destination = route.destination();
        out.put8(Families.number(destination.family()))
                .put8(destination.length())
                .put8(0)
                .put8(0);
        out.put8(RT_TABLE_MAIN)
                .put8(route.protocol())
                .put8(route.scope().number())
                .put8(route.type().number());
        out.put32(route.onlink() ? RTNH_F_ONLINK : 0);
        if (destination.length() > 0) {
            out.address(RTA_DST, destination.address());
        }
        route.gateway().ifPresent(gateway -> out.address(RTA_GATEWAY, gateway));
        route.ifindex().ifPresent(ifindex -> out.u32(RTA_OIF, ifindex));
        route.preferredSource().ifPresent(source -> out.address(RTA_PREFSRC, source));
        route.mtu().ifPresent(mtu -> out.nested(RTA_METRICS, metrics -> metrics.u32(RTAX_MTU, mtu)));
    }

    /** The route of an RTM_NEWROUTE; empty for other tables, families, types and scopes than Podwire's. */
    public static Optional<Route> read(NlMessage message) {
        Optional<IpFamily> family = Families.of(message.u8(0));
        Optional<RouteScope> scope = RouteScope.of(message.u8(6));
        Optional<RouteType> type = RouteType.of(message.u8(7));
        int flags = message.i32(8);
        if (family.isEmpty() || scope.isEmpty() || type.isEmpty() || (flags & RTM_F_CLONED) != 0) {
            return Optional.empty();
        }
        IpAddress destination = Families.zero(family.get());
        Optional<IpAddress> gateway = Optional.empty();
        Optional<IpAddress> source = Optional.empty();
        OptionalInt ifindex = OptionalInt.empty();
        OptionalInt mtu = OptionalInt.empty();
        int table = message.u8(4);
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case RTA_DST -> destination = in.address();
                case RTA_GATEWAY -> gateway = Optional.of(in.address());
                case RTA_PREFSRC -> source = Optional.of(in.address());
                case RTA_OIF -> ifindex = OptionalInt.of(in.i32());
                case RTA_TABLE -> table = in.i32();
                case RTA_METRICS -> mtu = readMtu(in.nested());
                default -> {}
            }
        }
        if (table != RT_TABLE_MAIN) {
            return Optional.empty();
        }
        if (type.get() == RouteType.BLACKHOLE) {
            ifindex = OptionalInt.empty(); // IPv6 names lo, whatever was asked for
        }
        IpPrefix prefix = new IpPrefix(destination, message.u8(1));
        boolean onlink = (flags & RTNH_F_ONLINK) != 0;
        return Optional.of(
                new Route(prefix, gateway, ifindex, scope.get(), onlink, message.u8(5), source, mtu, type.get()));
    }

    private static OptionalInt readMtu(NlReader metrics) {
        OptionalInt mtu = OptionalInt.empty();
        while (metrics.next()) {
            if (metrics.type() == RTAX_MTU) {
                mtu = OptionalInt.of(metrics.i32());
            }
        }
        return mtu;
    }
}
