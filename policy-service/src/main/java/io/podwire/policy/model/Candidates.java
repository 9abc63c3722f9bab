package io.podwire.policy.model;

import java.util.List;

/**
 * Policies that somebody thinks of applying.
 *
 * @param policies in the order of their text
 * @param clusterPolicies cluster-wide ones, in the order of their text
 * @param ignored objects beside them that are none, "Kind name"
 */
public record Candidates(List<NetworkPolicy> policies, List<ClusterPolicy> clusterPolicies, List<String> ignored) {
    /** Copies the lists. */
    public Candidates {
        policies = List.copyOf(policies);
        clusterPolicies = List.copyOf(clusterPolicies);
        ignored = List.copyOf(ignored);
    }
}
