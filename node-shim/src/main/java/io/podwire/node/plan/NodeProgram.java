package io.podwire.node.plan;

import io.podwire.common.net.IpPrefix;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * All policy that one node enforces.
 *
 * @param revision its revision; 0: none received yet
 * @param endpoints policy of every endpoint that is covered; nothing reaches or leaves any other
 * @param addressSets the sets that the rules name, by id
 * @param expected pods that may be attached at any moment
 */
public record NodeProgram(
        long revision,
        SortedMap<EndpointKey, EndpointPolicy> endpoints,
        SortedMap<String, AddressSet> addressSets,
        SortedMap<PodName, ExpectedPod> expected) {
    /** Covers nobody. */
    public static final NodeProgram EMPTY =
            new NodeProgram(0, Collections.emptySortedMap(), Collections.emptySortedMap());

    /** Checks that sets are filed under their ids, and copies. */
    public NodeProgram {
        endpoints = Collections.unmodifiableSortedMap(new TreeMap<>(endpoints));
        addressSets = Collections.unmodifiableSortedMap(new TreeMap<>(addressSets));
        expected = Collections.unmodifiableSortedMap(new TreeMap<>(expected));
        addressSets.forEach((id, set) -> {
            if (!id.equals(set.id())) {
                throw new IllegalArgumentException("address set " + set.id() + " is filed under " + id);
            }
        });
    }

    /** A program that expects no pods. */
    public NodeProgram(
            long revision,
            SortedMap<EndpointKey, EndpointPolicy> endpoints,
            SortedMap<String, AddressSet> addressSets) {
        this(revision, endpoints, addressSets, Collections.emptySortedMap());
    }

    /** True when the program has a policy for this endpoint: by its key, or because it expects its pod. */
    public boolean covers(LocalEndpoint endpoint) {
        return endpoints.containsKey(endpoint.key()) || expectation(endpoint).isPresent();
    }

    /** The policy that it has for this endpoint; empty when it does not cover it. */
    public Optional<EndpointPolicy> policy(LocalEndpoint endpoint) {
        return Optional.ofNullable(endpoints.get(endpoint.key()))
                .or(() -> expectation(endpoint).map(ExpectedPod::policy));
    }

    private Optional<ExpectedPod> expectation(LocalEndpoint endpoint) {
        ExpectedPod named = expected.get(endpoint.pod());
        return named != null && named.is(endpoint.podUid())
                ? Optional.of(named)
                : Optional.ofNullable(expected.get(new PodName(endpoint.pod().namespace(), "")));
    }

    /**
     * The program with those of these endpoints that it expected and does not name yet: their policies,
     * and their addresses in the sets. The same object when it names all that it covers.
     */
    public NodeProgram withArrived(Collection<LocalEndpoint> present) {
        SortedMap<EndpointKey, EndpointPolicy> nextEndpoints = new TreeMap<>();
        SortedMap<String, NavigableSet<IpPrefix>> more = new TreeMap<>();
        for (LocalEndpoint endpoint : present) {
            if (!endpoints.containsKey(endpoint.key())) {
                expectation(endpoint).ifPresent(pod -> {
                    nextEndpoints.put(endpoint.key(), pod.policy());
                    List<IpPrefix> hosts =
                            endpoint.addresses().stream().map(IpPrefix::ofHost).toList();
                    pod.addressSets()
                            .forEach(id -> more.computeIfAbsent(id, _ -> new TreeSet<>())
                                    .addAll(hosts));
                });
            }
        }
        if (nextEndpoints.isEmpty()) {
            return this;
        }
        nextEndpoints.putAll(endpoints);
        SortedMap<String, AddressSet> nextSets = new TreeMap<>(addressSets);
        more.forEach((id, addresses) -> nextSets.computeIfPresent(id, (_, set) -> set.with(addresses)));
        return new NodeProgram(revision, nextEndpoints, nextSets, expected);
    }

    /** The same at another revision: revisions of another service may be lower. */
    public NodeProgram at(long other) {
        return new NodeProgram(other, endpoints, addressSets, expected);
    }

    /**
     * The program after a change; what did not change is shared with this one.
     *
     * @throws IllegalArgumentException naming what does not fit: a revision that does not grow, a set,
     *     member, endpoint or pod to remove that is not there, a member to add that is
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
        SortedMap<PodName, ExpectedPod> nextExpected = new TreeMap<>(expected);
        for (PodName pod : delta.removedExpected()) {
            if (nextExpected.remove(pod) == null) {
                throw new IllegalArgumentException("there is no expected pod " + pod + " to remove");
            }
        }
        nextExpected.putAll(delta.expected());
        return new NodeProgram(delta.revision(), nextEndpoints, nextSets, nextExpected);
    }
}
