package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A route. One that has several next hops, or a nexthop object, is read without gateway and device.
 *
 * <p>Where the kernel says something else than it was asked for, the record says the kernel's from the
 * start, so that what is wanted and what is there compare as equal: an IPv6 route has scope
 * {@link RouteScope#GLOBAL} and a metric that is not 0, an IPv4 route has no preference.
 *
 * @param destination 0.0.0.0/0 or ::/0 for the default route
 * @param gateway the next hop, of the destination's family
 * @param ifindex the device that packets leave by; empty for a route that refuses
 * @param scope distance to the destination
 * @param onlink the gateway is taken as on the link, whatever the other routes say
 * @param protocol who made it: {@link RouteProtocol}, 0 to 255
 * @param preferredSource source address of packets that have none yet
 * @param mtu path MTU in bytes. A device's MTU that falls below an IPv6 route's takes it along, for good.
 * @param advmss largest segment that TCP asks of the other end (RTAX_ADVMSS), in bytes
 * @param type what it does
 * @param metric the smallest wins among routes to one destination, 0 to 4294967295; IPv6 has no 0 and takes
 *     {@link #IPV6_METRIC} for it
 * @param table the routing table, 1 to 4294967295; {@link #MAIN} unless rules lead elsewhere
 * @param preference between IPv6 routes of one destination and metric
 */
public record Route(
        IpPrefix destination,
        Optional<IpAddress> gateway,
        OptionalInt ifindex,
        RouteScope scope,
        boolean onlink,
        int protocol,
        Optional<IpAddress> preferredSource,
        OptionalInt mtu,
        OptionalInt advmss,
        RouteType type,
        long metric,
        long table,
        RoutePreference preference) {
    /** RT_TABLE_MAIN, linux/rtnetlink.h. */
    public static final long MAIN = 254;
    /** IP6_RT_PRIO_USER, net/ipv6.h: what an IPv6 route without a metric gets. */
    public static final long IPV6_METRIC = 1024;

    private static final long U32 = 0xFFFF_FFFFL;

    /** Checks the ranges. */
    public Route {
        if (protocol < 0 || protocol > 0xFF) {
            throw new IllegalArgumentException("protocol must be 0 to 255, got " + protocol);
        }
        if (metric < 0 || metric > U32) {
            throw new IllegalArgumentException("metric must be 0 to 4294967295, got " + metric);
        }
        if (table < 1 || table > U32) {
            throw new IllegalArgumentException("table must be 1 to 4294967295, got " + table);
        }
        IpFamily family = destination.family();
        if (gateway.isPresent() && gateway.get().family() != family) {
            throw new IllegalArgumentException(
                    "the gateway of " + destination + " must be of its family, got " + gateway.get());
        }
        switch (family) {
            case V4 -> preference = RoutePreference.MEDIUM;
            case V6 -> {
                scope = RouteScope.GLOBAL;
                metric = metric == 0 ? IPV6_METRIC : metric;
            }
        }
    }

    /** A route of the main table that forwards, with the kernel's metric. */
    public Route(
            IpPrefix destination,
            Optional<IpAddress> gateway,
            OptionalInt ifindex,
            RouteScope scope,
            boolean onlink,
            int protocol,
            Optional<IpAddress> preferredSource,
            OptionalInt mtu) {
        this(
                destination,
                gateway,
                ifindex,
                scope,
                onlink,
                protocol,
                preferredSource,
                mtu,
                OptionalInt.empty(),
                RouteType.UNICAST,
                0,
                MAIN,
                RoutePreference.MEDIUM);
    }

    /** Podwire's route to what is on a device's link. */
    public static Route onLink(IpPrefix destination, int ifindex) {
        return new Route(
                destination,
                Optional.empty(),
                OptionalInt.of(ifindex),
                RouteScope.LINK,
                false,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.empty());
    }

    /** Podwire's route by a gateway on a device's link; no other route need lead to the gateway. */
    public static Route via(IpPrefix destination, IpAddress gateway, int ifindex) {
        return new Route(
                destination,
                Optional.of(gateway),
                OptionalInt.of(ifindex),
                RouteScope.GLOBAL,
                true,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.empty());
    }

    /** Podwire's route that drops what has no better one. */
    public static Route blackhole(IpPrefix destination) {
        return refusing(destination, RouteType.BLACKHOLE);
    }

    /** Podwire's route that refuses what has no better one, with an ICMP error to its sender. */
    public static Route unreachable(IpPrefix destination) {
        return refusing(destination, RouteType.UNREACHABLE);
    }

    private static Route refusing(IpPrefix destination, RouteType type) {
        return new Route(
                destination,
                Optional.empty(),
                OptionalInt.empty(),
                RouteScope.GLOBAL,
                false,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                type,
                0,
                MAIN,
                RoutePreference.MEDIUM);
    }

    /** The same with this metric. */
    public Route withMetric(long other) {
        return new Route(
                destination,
                gateway,
                ifindex,
                scope,
                onlink,
                protocol,
                preferredSource,
                mtu,
                advmss,
                type,
                other,
                table,
                preference);
    }

    /** The same in this table. */
    public Route inTable(long other) {
        return new Route(
                destination,
                gateway,
                ifindex,
                scope,
                onlink,
                protocol,
                preferredSource,
                mtu,
                advmss,
                type,
                metric,
                other,
                preference);
    }

    /** The same with this path MTU and this largest segment for TCP to ask for, both in bytes. */
    public Route withLimits(OptionalInt otherMtu, OptionalInt otherAdvmss) {
        return new Route(
                destination,
                gateway,
                ifindex,
                scope,
                onlink,
                protocol,
                preferredSource,
                otherMtu,
                otherAdvmss,
                type,
                metric,
                table,
                preference);
    }

    /** The same with this preference. */
    public Route withPreference(RoutePreference other) {
        return new Route(
                destination,
                gateway,
                ifindex,
                scope,
                onlink,
                protocol,
                preferredSource,
                mtu,
                advmss,
                type,
                metric,
                table,
                other);
    }
}
