package io.podwire.node.plan;

import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * All policy that one node enforces.
 *
 * @param revision its revision; 0: none received yet
 * @param endpoints policy of every endpoint that is covered; nothing reaches or leaves any other
 * @param addressSets the sets that the rules name, by id
 */
public record NodeProgram(
        long revision, SortedMap<EndpointKey, EndpointPolicy> endpoints, SortedMap<String, AddressSet> addressSets) {
    /** Covers nobody. */
    public static final NodeProgram EMPTY =
            new NodeProgram(0, Collections.emptySortedMap(), Collections.emptySortedMap());

    /** Checks that sets are filed under their ids, and copies. */
    public NodeProgram {
        endpoints = Collections.unmodifiableSortedMap(new TreeMap<>(endpoints));
        addressSets = Collections.unmodifiableSortedMap(new TreeMap<>(addressSets));
        addressSets.forEach((id, set) -> {
            if (!id.equals(set.id())) {
                throw new IllegalArgumentException("address set " + set.id() + " is filed under " + id);
            }
        });
    }

    /**
     * The program after a change; what did not change is shared with this one.
     *
     * @throws IllegalArgumentException naming what does not fit: a revision that does not grow, a set,
     *     member or endpoint to remove that is not there, a member to add that is
     */
    public NodeProgram with(NodeProgramDelta delta) {
        if (delta.revision() <= revision) {
            throw new IllegalArgumentException(
                    "revision " + delta.revision() + " does not follow revision " + revision);
        }
        SortedMap<EndpointKey, EndpointPolicy> nextEndpoints = new TreeMap<>(endpoints);
        SortedMap<String, AddressSet> nextSets = new TreeMap<>(addressSets);
        for (AddressSetDelta change : delta.changedSets().values()) {
            AddressSet before =
                    addressSets.getOrDefault(change.id(), new AddressSet(change.id(), change.description(), List.of()));
            nextSets.put(change.id(), change.applyTo(before));
        }
        for (String id : delta.removedSets()) {
            if (nextSets.remove(id) == null) {
                throw new IllegalArgumentException("there is no address set " + id + " to remove");
            }
        }
        for (EndpointKey key : delta.removedEndpoints()) {
            if (nextEndpoints.remove(key) == null) {
                throw new IllegalArgumentException("there is no endpoint " + key + " to remove");
            }
        }
        nextEndpoints.putAll(delta.endpoints());
        return new NodeProgram(delta.revision(), nextEndpoints, nextSets);
    }
}
