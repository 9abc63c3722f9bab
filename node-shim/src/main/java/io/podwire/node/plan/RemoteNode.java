package io.podwire.node.plan;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.MacAddress;
import io.podwire.common.net.NodeName;
import java.util.List;
import java.util.Optional;

/**
 * How another node and its pods are reached.
 *
 * @param node its name
 * @param underlay its places on the underlay, one or one of each family; VXLAN goes to the first
 * @param vtep its VXLAN end; empty when it has none
 * @param prefixes what it owns
 */
public record RemoteNode(NodeName node, List<UnderlayEnd> underlay, Optional<Vtep> vtep, List<IpPrefix> prefixes) {
    /** Checks that there is a place, and copies. */
    public RemoteNode {
        underlay = List.copyOf(underlay);
        prefixes = List.copyOf(prefixes);
        if (underlay.isEmpty()) {
            throw new IllegalArgumentException("node " + node + " has no underlay address");
        }
    }

    /** Its underlay address in this subnet. */
    Optional<IpAddress> in(IpPrefix subnet) {
        return underlay.stream()
                .map(UnderlayEnd::address)
                .filter(subnet::contains)
                .findFirst();
    }

    /**
     * A VXLAN tunnel end point (RFC 7348).
     *
     * @param mac of its device
     * @param address of its device, in one of its node's prefixes; with two families the IPv4 one
     */
    public record Vtep(MacAddress mac, IpAddress address) {}
}
