package io.podwire.node.plan;

import java.util.List;

/**
 * One direction of an endpoint.
 *
 * @param isolated true: only what a rule allows passes; false: all passes, and rules is empty
 * @param rules what passes
 * @param isolatedBy policies that isolate it, "namespace/name"
 * @param tiers with any, they decide in place of {@code isolated} and {@code rules}, which then never let pass more: the
 *     first that matches; one that passes it on goes to the first of a later tier; what none matches passes
 */
public record DirectionPolicy(boolean isolated, List<PolicyRule> rules, List<String> isolatedBy, List<TierRule> tiers) {
    /** All passes. */
    public static final DirectionPolicy OPEN = new DirectionPolicy(false, List.of(), List.of());

    /** Checks and copies. */
    public DirectionPolicy {
        rules = List.copyOf(rules);
        isolatedBy = List.copyOf(isolatedBy);
        tiers = List.copyOf(tiers);
        if (!isolated && !rules.isEmpty()) {
            throw new IllegalArgumentException("a direction that is not isolated has no rules, got " + rules);
        }
        for (int i = 1; i < tiers.size(); i++) {
            if (tiers.get(i).tier().compareTo(tiers.get(i - 1).tier()) < 0) {
                throw new IllegalArgumentException("rules of tiers are not in the tiers' order: " + tiers);
            }
        }
    }

    /** A direction that no tiers decide. */
    public DirectionPolicy(boolean isolated, List<PolicyRule> rules, List<String> isolatedBy) {
        this(isolated, rules, isolatedBy, List.of());
    }
}
