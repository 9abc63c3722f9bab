package io.podwire.policy.compile;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.policy.model.PodKey;
import java.util.SortedMap;

/**
 * All that one node enforces. An endpoint that is not in it is not covered: nothing reaches or
 * leaves it.
 *
 * @param endpoints by key
 * @param addressSets by id: those that rules name, and no others
 * @param expected pods that may be attached there at any moment
 */
public record NodeProgram(
        SortedMap<String, EndpointPolicy> endpoints,
        SortedMap<String, AddressSet> addressSets,
        SortedMap<PodKey, ExpectedPod> expected) {
    /** Covers nothing. */
    public static final NodeProgram EMPTY =
            new NodeProgram(ImmutableSortedMap.of(), ImmutableSortedMap.of(), ImmutableSortedMap.of());

    /** Copies the maps. */
    public NodeProgram {
        endpoints = ImmutableSortedMap.copyOfSorted(endpoints);
        addressSets = ImmutableSortedMap.copyOfSorted(addressSets);
        expected = ImmutableSortedMap.copyOfSorted(expected);
    }
}
