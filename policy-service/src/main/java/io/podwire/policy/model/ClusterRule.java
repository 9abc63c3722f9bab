package io.podwire.policy.model;

import java.util.List;

/**
 * One rule of a ClusterNetworkPolicy: any of the peers AND any of the ports.
 *
 * @param index its index in the policy's ingress or egress list, from 0
 * @param name its name, for people; may be empty
 * @param action what becomes of what it matches
 * @param peers empty: everyone. No rule of the API says that; one that is compiled closed does
 * @param ports empty: every port of every protocol
 */
public record ClusterRule(int index, String name, RuleAction action, List<Peer> peers, List<PolicyPort> ports) {
    /** Checks the index and copies the lists. */
    public ClusterRule {
        if (index < 0) {
            throw new IllegalArgumentException("a rule's index is at least 0, got " + index);
        }
        peers = List.copyOf(peers);
        ports = List.copyOf(ports);
    }

    /** Denies all, in place of a rule that cannot be read. */
    public static ClusterRule denyAll(int index, String name) {
        return new ClusterRule(index, name, RuleAction.DENY, List.of(), List.of());
    }

    /** The same with another action. */
    public ClusterRule with(RuleAction other) {
        return new ClusterRule(index, name, other, peers, ports);
    }
}
