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
 * @param underlay its address on the underlay
 * @param underlayLength prefix length of its underlay subnet
 * @param vtep its VXLAN end; empty when it has none
 * @param prefixes what it owns
 */
public record RemoteNode(
        NodeName node, IpAddress underlay, int underlayLength, Optional<Vtep> vtep, List<IpPrefix> prefixes) {
    /** Copies the list. */
    public RemoteNode {
        prefixes = List.copyOf(prefixes);
    }

    /**
     * A VXLAN tunnel end point (RFC 7348).
     *
     * @param mac of its device
     * @param address of its device, in one of its node's prefixes
     */
    public record Vtep(MacAddress mac, IpAddress address) {}
}
