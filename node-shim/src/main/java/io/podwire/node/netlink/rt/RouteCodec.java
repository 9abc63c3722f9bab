package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.node.netlink.wire.NlMessage;
import io.podwire.node.netlink.wire.NlReader;
import io.podwire.node.netlink.wire.NlWriter;
import java.util.Optional;
import java.util.OptionalInt;

/** struct rtmsg and its attributes, linux/rtnetlink.h. */
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
    private static final int RTA_PRIORITY = 6;
    private static final int RTA_PREFSRC = 7;
    private static final int RTA_METRICS = 8;
    private static final int RTA_TABLE = 15;
    private static final int RTA_PREF = 20;
    private static final int RTAX_LOCK = 1;
    private static final int RTAX_MTU = 2;
    private static final int RTAX_ADVMSS = 8;
    private static final int RTNH_F_ONLINK = 4;
    private static final int RTN_LOCAL = 2;
    /** An entry of the IPv6 route cache, which a dump lists too. */
    private static final int RTM_F_CLONED = 0x200;

    /** The first device of every namespace, lo: where the kernel puts an IPv6 route that refuses. */
    private static final int LOOPBACK = 1;

    private RouteCodec() {}

    /** Asks for one table of the family (kernels without strict checks answer with all tables). */
    public static void writeDump(NlWriter out, IpFamily family, long table) {
        out.put8(Families.number(family)).put8(0).put8(0).put8(0);
        out.put8(shortTable(table)).put8(0).put8(0).put8(0).put32(0);
        out.u32(RTA_TABLE, (int) table);
    }

    /** Asks what becomes of a packet to this address. */
    public static void writeGet(NlWriter out, IpAddress destination) {
        IpFamily family = destination.family();
        out.put8(Families.number(family)).put8(family.bits()).put8(0).put8(0);
        out.put32(0).put32(0);
        out.address(RTA_DST, destination);
    }

    /** Whether the answer to {@link #writeGet} is that it arrives where it was asked. */
    public static boolean readLocal(NlMessage message) {
        return message.u8(7) == RTN_LOCAL;
    }

    /** The header's byte for the table: RT_TABLE_UNSPEC where RTA_TABLE alone can tell. */
    private static int shortTable(long table) {
        return table <= 0xFF ? (int) table : 0;
    }

    /** The route, to replace or delete. */
    public static void write(NlWriter out, Route route) {
        IpPrefix destination = route.destination();
        out.put8(Families.number(destination.family()))
                .put8(destination.length())
                .put8(0)
                .put8(0);
        out.put8(shortTable(route.table()))
                .put8(route.protocol())
                .put8(route.scope().number())
                .put8(route.type().number());
        out.put32(route.onlink() ? RTNH_F_ONLINK : 0);
        if (destination.length() > 0) {
            out.address(RTA_DST, destination.address());
        }
        route.gateway().ifPresent(gateway -> out.address(RTA_GATEWAY, gateway));
        device(route).ifPresent(ifindex -> out.u32(RTA_OIF, ifindex));
        route.preferredSource().ifPresent(source -> out.address(RTA_PREFSRC, source));
        if (route.mtu().isPresent() || route.advmss().isPresent()) {
            out.nested(RTA_METRICS, metrics -> {
                if (limitsForwarding(route)) {
                    metrics.u32(RTAX_LOCK, 1 << RTAX_MTU);
                }
                route.mtu().ifPresent(mtu -> metrics.u32(RTAX_MTU, mtu));
                route.advmss().ifPresent(advmss -> metrics.u32(RTAX_ADVMSS, advmss));
            });
        }
        if (route.metric() != 0) {
            out.u32(RTA_PRIORITY, (int) route.metric());
        }
        out.u32(RTA_TABLE, (int) route.table());
        if (destination.family() == IpFamily.V6) {
            out.u8(RTA_PREF, route.preference().number());
        }
    }

    /**
     * A device whose MTU falls below that of an IPv6 route lowers it for good, unless it is locked:
     * rt6_mtu_change_route(), net/ipv6/route.c. On routes by a gateway the lock would keep the node itself from smaller ones that it learns.
     */
    private static boolean limitsForwarding(Route route) {
        return route.destination().family() == IpFamily.V6
                && route.gateway().isEmpty()
                && route.mtu().isPresent();
    }

    /**
     * IPv6 deletes by destination and device, and never looks at the type: without a device, the
     * deletion of a blackhole would take a forwarding route for it (ip6_route_del() in net/ipv6/route.c).
     */
    private static OptionalInt device(Route route) {
        boolean refuses = route.type() != RouteType.UNICAST;
        return refuses && route.destination().family() == IpFamily.V6 ? OptionalInt.of(LOOPBACK) : route.ifindex();
    }

    /** The route of an RTM_NEWROUTE or RTM_DELROUTE; empty for families, types and scopes that are not here. */
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
        Limits limits = Limits.NONE;
        long table = message.u8(4);
        long metric = 0;
        RoutePreference preference = RoutePreference.MEDIUM;
        NlReader in = message.attributes(HEADER);
        while (in.next()) {
            switch (in.type()) {
                case RTA_DST -> destination = in.address();
                case RTA_GATEWAY -> gateway = Optional.of(in.address());
                case RTA_PREFSRC -> source = Optional.of(in.address());
                case RTA_OIF -> ifindex = OptionalInt.of(in.i32());
                case RTA_TABLE -> table = in.u32();
                case RTA_PRIORITY -> metric = in.u32();
                case RTA_PREF -> preference = RoutePreference.of(in.u8());
                case RTA_METRICS -> limits = readLimits(in.nested());
                default -> {}
            }
        }
        if (table == 0) {
            return Optional.empty(); // RT_TABLE_UNSPEC: what some kernels show of IPv6's null route
        }
        if (type.get() != RouteType.UNICAST) {
            ifindex = OptionalInt.empty(); // IPv6 names lo
        }
        IpPrefix prefix = new IpPrefix(destination, message.u8(1));
        boolean onlink = (flags & RTNH_F_ONLINK) != 0;
        return Optional.of(new Route(
                prefix,
                gateway,
                ifindex,
                scope.get(),
                onlink,
                message.u8(5),
                source,
                limits.mtu(),
                limits.advmss(),
                type.get(),
                metric,
                table,
                preference));
    }

    private record Limits(OptionalInt mtu, OptionalInt advmss) {
        static final Limits NONE = new Limits(OptionalInt.empty(), OptionalInt.empty());
    }

    private static Limits readLimits(NlReader metrics) {
        OptionalInt mtu = OptionalInt.empty();
        OptionalInt advmss = OptionalInt.empty();
        while (metrics.next()) {
            switch (metrics.type()) {
                case RTAX_MTU -> mtu = OptionalInt.of(metrics.i32());
                case RTAX_ADVMSS -> advmss = OptionalInt.of(metrics.i32());
                default -> {}
            }
        }
        return new Limits(mtu, advmss);
    }
}
