package io.podwire.policy.compile;

import java.util.List;

/**
 * One direction of an endpoint.
 *
 * @param isolated true: only what a rule allows passes; false: all passes
 * @param rules what passes, in order of policy and index
 * @param isolatedBy policies that isolate it, "namespace/name", sorted
 */
public record DirectionPolicy(boolean isolated, List<Rule> rules, List<String> isolatedBy) {
    /** Copies the lists. */
    public DirectionPolicy {
        rules = List.copyOf(rules);
        isolatedBy = List.copyOf(isolatedBy);
    }
}
