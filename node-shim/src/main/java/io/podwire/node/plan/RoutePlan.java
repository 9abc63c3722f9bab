package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpFamily;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which routes lead to the other nodes' pods: through the underlay where the other node shares our
 * subnet of the same family, else through VXLAN; unless the mode says otherwise.
 *
 * @param direct routes through the underlay
 * @param tunnelled routes through the VXLAN device, with what makes their next hop resolvable
 */
public record RoutePlan(List<Direct> direct, List<Tunnelled> tunnelled) {
    /** Copies the lists. */
    public RoutePlan {
        direct = List.copyOf(direct);
        tunnelled = List.copyOf(tunnelled);
    }

    /**
     * A route through the underlay.
     *
     * @param via the other node's address, on our link
     */
    public record Direct(IpPrefix destination, IpAddress via) {}

    /**
     * A route through VXLAN.
     *
     * @param destination the other node's prefix
     * @param via a next hop on our VXLAN device: the address of the other node's, or for IPv6 the
     *     link-local one that belongs to its MAC address, whether it has that or not
     * @param mac of that device: permanent neighbour of {@code via}
     * @param underlay where packets for that MAC address are sent: permanent FDB entry
     */
    public record Tunnelled(IpPrefix destination, IpAddress via, MacAddress mac, IpAddress underlay) {}

    /**
     * The plan for one node. A prefix whose node has neither an address of its family on a subnet of
     * ours nor a VXLAN end that we reach is left out, and so is one that the mode leaves to the network's routers.
     *
     * @param mode how packets go to other nodes
     * @param own our places on the underlay, one or one of each family; VXLAN leaves by the first
     * @param families what our pods have addresses of: prefixes of others are left out
     * @param others every other node
     */
    public static RoutePlan plan(
            RouteMode mode, List<UnderlayEnd> own, Set<IpFamily> families, Collection<RemoteNode> others) {
        List<Direct> direct = new ArrayList<>();
        List<Tunnelled> tunnelled = new ArrayList<>();
        for (RemoteNode other : others) {
            for (IpPrefix prefix : other.prefixes()) {
                if (!families.contains(prefix.family())) {
                    continue;
                }
                Optional<IpAddress> neighbour = mode == RouteMode.VXLAN ? Optional.empty() : onLink(own, other, prefix);
                neighbour.ifPresent(via -> direct.add(new Direct(prefix, via)));
                if (neighbour.isEmpty() && mode.tunnels()) {
                    tunnel(own.getFirst(), other, prefix).ifPresent(tunnelled::add);
                }
            }
        }
        return new RoutePlan(direct, tunnelled);
    }

    private static Optional<IpAddress> onLink(List<UnderlayEnd> own, RemoteNode other, IpPrefix prefix) {
        return own.stream()
                .filter(end -> end.address().family() == prefix.family())
                .flatMap(end -> other.in(end.subnet()).stream())
                .findFirst();
    }

    private static Optional<Tunnelled> tunnel(UnderlayEnd own, RemoteNode other, IpPrefix prefix) {
        IpAddress underlay = other.underlay().getFirst().address();
        return other.vtep()
                .filter(_ -> underlay.family() == own.address().family())
                .flatMap(vtep ->
                        nextHop(vtep, prefix.family()).map(via -> new Tunnelled(prefix, via, vtep.mac(), underlay)));
    }

    private static Optional<IpAddress> nextHop(RemoteNode.Vtep vtep, IpFamily family) {
        return switch (family) {
            case V4 -> Optional.of(vtep.address()).filter(address -> address.family() == IpFamily.V4);
            case V6 -> Optional.of(linkLocal(vtep.mac()));
        };
    }

    /** fe80::/64 with the modified EUI-64 of a MAC address (RFC 4291 appendix A). */
    private static IpAddress linkLocal(MacAddress mac) {
        long upper = mac.bits() >>> 24;
        long lower = mac.bits() & 0xFF_FFFFL;
        return new IpAddress(IpFamily.V6, 0xFE80L << 48, ((upper << 40) | 0xFF_FE00_0000L | lower) ^ (0x02L << 56));
    }
}
