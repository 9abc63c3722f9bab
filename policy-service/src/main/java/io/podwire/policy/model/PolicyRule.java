package io.podwire.policy.model;

import java.util.List;

/**
 * One ingress or egress rule: any of the peers AND any of the ports.
 *
 * @param peers empty: everyone, inside and outside of the cluster
 * @param ports empty: every port of every protocol
 */
public record PolicyRule(List<Peer> peers, List<PolicyPort> ports) {
    /** Copies the lists. */
    public PolicyRule {
        peers = List.copyOf(peers);
        ports = List.copyOf(ports);
    }
}
