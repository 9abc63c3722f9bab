package io.podwire.policy.compile;

import java.util.List;

/**
 * One direction of an endpoint.
 *
 * @param isolated true: only what a rule allows passes; false: all passes
 * @param rules what passes, in order of policy and index
 * @param isolatedBy NetworkPolicies that isolate it, "namespace/name", sorted
 * @param tiers with any, they decide in place of {@code isolated} and {@code rules}: the first that matches; one that
 *     passes it on goes to the next tier's first; what none matches passes. Then {@code isolated} and {@code rules} are
 *     what somebody may let pass who does not know tiers, which is never more
 */
public record DirectionPolicy(boolean isolated, List<Rule> rules, List<String> isolatedBy, List<TierRule> tiers) {
    /** Copies the lists. */
    public DirectionPolicy {
        rules = List.copyOf(rules);
        isolatedBy = List.copyOf(isolatedBy);
        tiers = List.copyOf(tiers);
    }

    /** A direction that no ClusterNetworkPolicy is about. */
    public DirectionPolicy(boolean isolated, List<Rule> rules, List<String> isolatedBy) {
        this(isolated, rules, isolatedBy, List.of());
    }
}
