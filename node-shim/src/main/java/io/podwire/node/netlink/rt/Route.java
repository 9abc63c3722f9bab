package io.podwire.node.netlink.rt;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * A route of the main table. One that has several next hops, or a nexthop object, is read without
 * gateway and device.
 *
 * @param destination 0.0.0.0/0 or ::/0 for the default route
 * @param gateway the next hop
 * @param ifindex the device that packets leave by; empty for a blackhole
 * @param scope distance to the destination
 * @param onlink the gateway is taken as on the link, whatever the other routes say
 * @param protocol who made it: {@link RouteProtocol}
 * @param preferredSource source address of packets that have none yet
 * @param mtu path MTU in bytes
 * @param type what it does
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
        RouteType type) {

    /** Checks the protocol. */
    public Route {
        if (protocol < 0 || protocol > 0xFF) {
            throw new IllegalArgumentException("protocol must be 0 to 255, got " + protocol);
        }
    }

    /** A route that forwards. */
    public Route(
            IpPrefix destination,
            Optional<IpAddress> gateway,
            OptionalInt ifindex,
            RouteScope scope,
            boolean onlink,
            int protocol,
            Optional<IpAddress> preferredSource,
            OptionalInt mtu) {
        this(destination, gateway, ifindex, scope, onlink, protocol, preferredSource, mtu, RouteType.UNICAST);
    }

    /** Podwire's route to what is on a device's link. */
    public static Route onLink(IpPrefix destination, int ifindex) {
        return new Route(
                destination,
                Optional.empty(),
                OptionalInt.of(ifindex),
                destination.family() == IpFamily.V4 ? RouteScope.LINK : RouteScope.GLOBAL,
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
        return new Route(
                destination,
                Optional.empty(),
                OptionalInt.empty(),
                RouteScope.GLOBAL,
                false,
                RouteProtocol.PODWIRE,
                Optional.empty(),
                OptionalInt.empty(),
                RouteType.BLACKHOLE);
    }
}
