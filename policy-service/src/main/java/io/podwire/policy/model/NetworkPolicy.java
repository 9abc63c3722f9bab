package io.podwire.policy.model;

import com.google.common.collect.Sets;
import java.util.List;
import java.util.Set;

/**
 * A NetworkPolicy (networking.k8s.io/v1).
 *
 * @param key its name
 * @param podSelector the pods of its namespace that it selects
 * @param directions directions in which it isolates them: policyTypes, defaulted
 * @param ingress what may come in
 * @param egress what may go out
 * @param invalid why it cannot be honoured as written, empty when it can. An invalid policy still
 *     isolates but has no rules: leaving it out would open what its author meant to close
 */
public record NetworkPolicy(
        PolicyKey key,
        LabelSelector podSelector,
        Set<Direction> directions,
        List<PolicyRule> ingress,
        List<PolicyRule> egress,
        String invalid) {

    /** Copies the collections and checks that an invalid policy allows nothing. */
    public NetworkPolicy {
        directions = Sets.immutableEnumSet(directions);
        ingress = List.copyOf(ingress);
        egress = List.copyOf(egress);
        if (!invalid.isEmpty() && !(ingress.isEmpty() && egress.isEmpty())) {
            throw new IllegalArgumentException("invalid policy " + key + " must have no rules");
        }
    }

    /** A policy that cannot be honoured as written: it isolates and allows nothing. */
    public static NetworkPolicy closed(
            PolicyKey key, LabelSelector podSelector, Set<Direction> directions, String reason) {
        return new NetworkPolicy(key, podSelector, directions, List.of(), List.of(), reason);
    }

    /** Its rules for a direction. */
    public List<PolicyRule> rules(Direction direction) {
        return switch (direction) {
            case INGRESS -> ingress;
            case EGRESS -> egress;
        };
    }
}
