package io.podwire.node.plan;

import java.util.Collections;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * What changes from one program to the next.
 *
 * @param revision revision reached by it
 * @param endpoints endpoints new or changed, whole
 * @param removedEndpoints endpoints that are gone
 * @param changedSets address sets new or changed, by id
 * @param removedSets address sets that no rule names any more, by id
 * @param expected expected pods new or changed, whole
 * @param removedExpected pods that are not expected any more
 */
public record NodeProgramDelta(
        long revision,
        SortedMap<EndpointKey, EndpointPolicy> endpoints,
        Set<EndpointKey> removedEndpoints,
        SortedMap<String, AddressSetDelta> changedSets,
        Set<String> removedSets,
        SortedMap<PodName, ExpectedPod> expected,
        Set<PodName> removedExpected) {
    /** Changes nothing but the revision. */
    public static NodeProgramDelta none(long revision) {
        return new NodeProgramDelta(
                revision, new TreeMap<>(), Set.of(), new TreeMap<>(), Set.of(), new TreeMap<>(), Set.of());
    }

    /** Checks that sets are filed under their ids, and copies. */
    public NodeProgramDelta {
        endpoints = Collections.unmodifiableSortedMap(new TreeMap<>(endpoints));
        removedEndpoints = Set.copyOf(removedEndpoints);
        changedSets = Collections.unmodifiableSortedMap(new TreeMap<>(changedSets));
        removedSets = Set.copyOf(removedSets);
        expected = Collections.unmodifiableSortedMap(new TreeMap<>(expected));
        removedExpected = Set.copyOf(removedExpected);
        for (Map.Entry<String, AddressSetDelta> entry : changedSets.entrySet()) {
            if (!entry.getKey().equals(entry.getValue().id())) {
                throw new IllegalArgumentException(
                        "change of address set " + entry.getValue().id() + " is filed under " + entry.getKey());
            }
        }
    }
}
