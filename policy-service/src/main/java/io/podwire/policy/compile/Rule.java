package io.podwire.policy.compile;

import java.util.List;

/**
 * Peers AND ports that may pass.
 *
 * @param policy the policy it comes from, "namespace/name"
 * @param index its index in that policy's ingress or egress list
 * @param anyPeer true: every peer, and {@code addressSets} is empty
 * @param addressSets ids of sets; the peer is in any of them. Sorted
 * @param anyPort true: every port of every protocol, and {@code ports} is empty
 * @param ports the port is in any of these
 */
public record Rule(
        String policy, int index, boolean anyPeer, List<String> addressSets, boolean anyPort, List<PortRange> ports) {
    /** Copies the lists. */
    public Rule {
        addressSets = List.copyOf(addressSets);
        ports = List.copyOf(ports);
    }
}
