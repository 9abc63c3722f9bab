package io.podwire.node.plan;

import java.util.List;

/**
 * What a policy lets pass: peers AND ports.
 *
 * @param policy "namespace/name" of the policy it comes from
 * @param index index of the rule in that policy's list, from 0
 * @param anyPeer true: every peer, and addressSets is empty
 * @param addressSets the peer is in any of these sets, by id
 * @param anyPort true: every port of every protocol, and ports is empty
 * @param ports any of these; neither anyPort nor ports: nothing
 */
public record PolicyRule(
        String policy, int index, boolean anyPeer, List<String> addressSets, boolean anyPort, List<PortRange> ports) {
    /** Checks and copies. */
    public PolicyRule {
        addressSets = List.copyOf(addressSets);
        ports = List.copyOf(ports);
        if (anyPeer && !addressSets.isEmpty()) {
            throw new IllegalArgumentException("rule " + index + " of " + policy + " has any peer and " + addressSets);
        }
        if (anyPort && !ports.isEmpty()) {
            throw new IllegalArgumentException("rule " + index + " of " + policy + " has any port and " + ports);
        }
    }
}
