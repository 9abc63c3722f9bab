package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Which routes lead to the other nodes' pods: through the underlay where the other node shares our
 * subnet, else through VXLAN.
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
     * @param via address of the other node's VXLAN device: a next hop on our VXLAN device
     * @param mac of that device: permanent neighbour of {@code via}
     * @param underlay where packets for that MAC address are sent: permanent FDB entry
     */
    public record Tunnelled(IpPrefix destination, IpAddress via, MacAddress mac, IpAddress underlay) {}

    /**
     * The plan for one node. A node that is neither on our subnet nor has a VXLAN end is left out.
     *
     * @param subnet our own underlay subnet
     * @param others every other node
     */
    public static RoutePlan plan(IpPrefix subnet, Collection<RemoteNode> others) {
        List<Direct> direct = new ArrayList<>();
        List<Tunnelled> tunnelled = new ArrayList<>();
        for (RemoteNode other : others) {
            if (subnet.contains(other.underlay())) {
                other.prefixes().forEach(p -> direct.add(new Direct(p, other.underlay())));
            } else {
                other.vtep()
                        .ifPresent(vtep -> other.prefixes()
                                .forEach(p ->
                                        tunnelled.add(new Tunnelled(p, vtep.address(), vtep.mac(), other.underlay()))));
            }
        }
        return new RoutePlan(direct, tunnelled);
    }
}
