package io.podwire.node.plan;

import java.util.List;

/**
 * One direction of an endpoint.
 *
 * @param isolated true: only what a rule allows passes; false: all passes, and rules is empty
 * @param rules what passes
 * @param isolatedBy policies that isolate it, "namespace/name"
 */
public record DirectionPolicy(boolean isolated, List<PolicyRule> rules, List<String> isolatedBy) {
    /** All passes. */
    public static final DirectionPolicy OPEN = new DirectionPolicy(false, List.of(), List.of());

    /** Checks and copies. */
    public DirectionPolicy {
        rules = List.copyOf(rules);
        isolatedBy = List.copyOf(isolatedBy);
        if (!isolated && !rules.isEmpty()) {
            throw new IllegalArgumentException("a direction that is not isolated has no rules, got " + rules);
        }
    }
}
