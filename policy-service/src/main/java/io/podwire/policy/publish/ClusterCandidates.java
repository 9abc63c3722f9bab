package io.podwire.policy.publish;

import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PolicyChangeKind;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** The cluster-wide policies of a simulation. */
final class ClusterCandidates {
    private ClusterCandidates() {}

    /** Removals first: what is both removed and given is given. */
    static ClusterDelta delta(List<ClusterPolicy> given, List<String> removed) {
        SortedMap<String, Change> changes = new TreeMap<>();
        removed.forEach(name -> changes.put(name, new Change.ClusterPolicyGone(name)));
        given.forEach(policy -> changes.put(policy.name(), new Change.ClusterPolicySet(policy)));
        return new ClusterDelta(List.copyOf(changes.values()));
    }

    /** How they compare with what is there, by name. */
    static List<PolicyChange> changes(
            PolicyCompiler compiler, ClusterSnapshot snapshot, List<ClusterPolicy> given, List<String> removed) {
        SortedMap<String, PolicyChange.Builder> changes = new TreeMap<>();
        SortedMap<String, ClusterPolicy> selecting = new TreeMap<>();
        for (String name : removed) {
            ClusterPolicy there = snapshot.clusterPolicies().get(name);
            if (there != null) {
                selecting.put(name, there);
            }
            changes.put(
                    name,
                    change(
                            name,
                            there == null
                                    ? PolicyChangeKind.POLICY_CHANGE_KIND_ABSENT
                                    : PolicyChangeKind.POLICY_CHANGE_KIND_REMOVED));
        }
        for (ClusterPolicy policy : given) {
            selecting.put(policy.name(), policy);
            changes.put(
                    policy.name(), change(policy.name(), kind(snapshot, policy)).setInvalid(policy.invalid()));
        }
        Map<String, Integer> selected = compiler.subjects(snapshot, selecting.values());
        changes.forEach((name, change) -> change.setSelectedPods(selected.getOrDefault(name, 0)));
        return changes.values().stream().map(PolicyChange.Builder::build).toList();
    }

    private static PolicyChange.Builder change(String name, PolicyChangeKind kind) {
        return PolicyChange.newBuilder().setPolicy(name).setKind(kind);
    }

    private static PolicyChangeKind kind(ClusterSnapshot snapshot, ClusterPolicy candidate) {
        ClusterPolicy there = snapshot.clusterPolicies().get(candidate.name());
        if (there == null) {
            return PolicyChangeKind.POLICY_CHANGE_KIND_ADDED;
        }
        return candidate.equals(there)
                ? PolicyChangeKind.POLICY_CHANGE_KIND_UNCHANGED
                : PolicyChangeKind.POLICY_CHANGE_KIND_CHANGED;
    }
}
