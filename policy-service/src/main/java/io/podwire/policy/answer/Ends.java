package io.podwire.policy.answer;

import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.End.Place;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.ClusterSnapshot;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Who has which address in a snapshot. What nodes say of their endpoints counts first; the status of a pod only where its
 * node is silent, and never for an address that an endpoint has.
 */
public final class Ends {
    private final ClusterSnapshot snapshot;
    private final SortedMap<IpAddress, Place> places = new TreeMap<>();
    private final Map<PodKey, Set<IpAddress>> addresses = new HashMap<>();

    /** Those of a snapshot. */
    public Ends(ClusterSnapshot snapshot) {
        this.snapshot = snapshot;
        snapshot.nodes().forEach((node, endpoints) -> endpoints.values().forEach(endpoint -> attached(node, endpoint)));
        snapshot.pods().values().forEach(this::byStatus);
    }

    private void attached(NodeName node, Endpoint endpoint) {
        put(endpoint.addresses(), endpoint.pod(), new Place.Attached(endpoint.pod(), node, endpoint.key()));
    }

    private void byStatus(Pod pod) {
        if (pod.terminated()) {
            return;
        }
        if (pod.hostNetwork()) {
            put(pod.addresses(), pod.key(), new Place.HostNetwork(pod.key(), pod.node()));
        } else if (pod.node().isEmpty() || !snapshot.nodes().containsKey(new NodeName(pod.node()))) {
            put(pod.addresses(), pod.key(), new Place.Silent(pod.key(), pod.node()));
        }
    }

    /** Of those who claim an address, the first has it; host-network pods of a node share theirs. */
    private void put(Collection<IpAddress> claimed, PodKey pod, Place place) {
        for (IpAddress address : claimed) {
            Place first = places.putIfAbsent(address, place);
            if (first == null || (first instanceof Place.HostNetwork && place instanceof Place.HostNetwork)) {
                addresses.computeIfAbsent(pod, _ -> new HashSet<>()).add(address);
            }
        }
    }

    /** True when anybody has spoken of that pod. */
    public boolean knows(PodKey pod) {
        return snapshot.pods().containsKey(pod) || addresses.containsKey(pod);
    }

    /** The ends that a party can be, those of IPv4 first; none for a pod without an address. */
    public List<End> of(Party party) {
        return switch (party) {
            case Party.OfPod(PodKey key) ->
                addresses.getOrDefault(key, Set.of()).stream()
                        .sorted()
                        .map(this::at)
                        .toList();
            case Party.OfAddress(IpAddress address) -> List.of(at(address));
        };
    }

    /** Whoever has that address. */
    public End at(IpAddress address) {
        Place place = places.get(address);
        return new End(address, place == null ? new Place.Outside() : place);
    }

    /** Every address of the cluster's pods, those of IPv4 first. */
    public List<End> all() {
        List<End> all = new ArrayList<>();
        places.forEach((address, place) -> all.add(new End(address, place)));
        return all;
    }

    /** The pairs of ends that a connection can have: of one family. */
    public static List<Pair> pairs(List<End> sources, List<End> destinations) {
        return sources.stream()
                .flatMap(source -> destinations.stream()
                        .filter(to -> to.address().family() == source.address().family())
                        .map(to -> new Pair(source, to)))
                .toList();
    }

    /** A source and a destination. */
    public record Pair(End source, End destination) {
        /** The nodes whose rules packets between them meet: those of its ends that a node has told about. */
        public SortedSet<NodeName> judges() {
            SortedSet<NodeName> nodes = new TreeSet<>();
            for (End end : List.of(source, destination)) {
                if (end.place() instanceof Place.Attached attached) {
                    nodes.add(attached.node());
                }
            }
            return nodes;
        }
    }
}
