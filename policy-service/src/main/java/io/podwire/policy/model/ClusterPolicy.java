package io.podwire.policy.model;

import java.util.List;

/**
 * A ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2).
 *
 * @param name its name, not empty, without '/': so it is told from a NetworkPolicy's "namespace/name"
 * @param tier ADMIN or BASELINE
 * @param priority 0 to 1000; in a tier the lower number decides first
 * @param subject the pods that it is about
 * @param ingress about what comes in, the first that matches decides; none: it has no say there
 * @param egress about what goes out
 * @param invalid why it cannot be honoured as written, empty when it can. Its rules are then compiled closed: they let
 *     pass nothing that the policy as it was meant could have denied
 */
public record ClusterPolicy(
        String name,
        Tier tier,
        int priority,
        Peer.InNamespaces subject,
        List<ClusterRule> ingress,
        List<ClusterRule> egress,
        String invalid) {
    /** Highest number of a priority, and the last to decide. */
    public static final int LAST_PRIORITY = 1000;

    /** Checks name, tier and priority and copies the lists. */
    public ClusterPolicy {
        if (name.isEmpty() || name.indexOf('/') >= 0) {
            throw new IllegalArgumentException("a ClusterNetworkPolicy needs a name without '/', got '" + name + "'");
        }
        if (tier == Tier.NETWORK_POLICY || priority < 0 || priority > LAST_PRIORITY) {
            throw new IllegalArgumentException("ClusterNetworkPolicy " + name
                    + " needs tier Admin or Baseline and a priority of 0 to " + LAST_PRIORITY + ", got " + tier + " "
                    + priority);
        }
        ingress = List.copyOf(ingress);
        egress = List.copyOf(egress);
    }

    /** Its rules for a direction. */
    public List<ClusterRule> rules(Direction direction) {
        return switch (direction) {
            case INGRESS -> ingress;
            case EGRESS -> egress;
        };
    }

    /**
     * What may be enforced where it is not known whether the policy applies: what passes so passes with it and without
     * it. What it would accept is left to others, what it would pass on is denied.
     */
    public ClusterPolicy inDoubt() {
        return new ClusterPolicy(name, tier, priority, subject, inDoubt(ingress), inDoubt(egress), invalid);
    }

    private static List<ClusterRule> inDoubt(List<ClusterRule> rules) {
        return rules.stream()
                .filter(rule -> rule.action() != RuleAction.ACCEPT)
                .map(rule -> rule.with(RuleAction.DENY))
                .toList();
    }
}
