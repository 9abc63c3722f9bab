package io.podwire.policy.snapshot;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.Endpoint;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * Changes from one snapshot to a later one.
 *
 * @param changes in order; a later one wins over an earlier one of the same object
 */
public record ClusterDelta(List<Change> changes) {
    /** Copies the list. */
    public ClusterDelta {
        changes = List.copyOf(changes);
    }

    /** These changes. */
    public static ClusterDelta of(Change... changes) {
        return new ClusterDelta(List.of(changes));
    }

    /** What leads from the objects of one snapshot to those of another. Endpoints are left alone. */
    public static ClusterDelta ofObjects(ClusterSnapshot from, ClusterSnapshot to) {
        List<Change> changes = new ArrayList<>();
        difference(changes, from.namespaces(), to.namespaces(), Change.NamespaceSet::new, Change.NamespaceGone::new);
        difference(changes, from.pods(), to.pods(), Change.PodSet::new, Change.PodGone::new);
        difference(changes, from.policies(), to.policies(), Change.PolicySet::new, Change.PolicyGone::new);
        difference(
                changes,
                from.clusterPolicies(),
                to.clusterPolicies(),
                Change.ClusterPolicySet::new,
                Change.ClusterPolicyGone::new);
        difference(
                changes,
                from.clusterNodes(),
                to.clusterNodes(),
                Change.ClusterNodeSet::new,
                Change.ClusterNodeGone::new);
        difference(changes, from.services(), to.services(), Change.ServiceSet::new, Change.ServiceGone::new);
        difference(changes, from.slices(), to.slices(), Change.SliceSet::new, Change.SliceGone::new);
        return new ClusterDelta(changes);
    }

    /** These changes, then those of another. */
    public ClusterDelta and(ClusterDelta other) {
        List<Change> both = new ArrayList<>(changes);
        both.addAll(other.changes());
        return new ClusterDelta(both);
    }

    /** Those of these changes that programs may depend on. */
    public ClusterDelta withoutServices() {
        return changes.stream().noneMatch(Change.OfServices.class::isInstance)
                ? this
                : new ClusterDelta(changes.stream()
                        .filter(change -> !(change instanceof Change.OfServices))
                        .toList());
    }

    /** True when nothing changes. */
    public boolean isEmpty() {
        return changes.isEmpty();
    }

    /** The snapshot after these changes; an equal one when they bring nothing new. */
    public ClusterSnapshot applyTo(ClusterSnapshot snapshot) {
        var pods = new Draft<>(snapshot.pods());
        var namespaces = new Draft<>(snapshot.namespaces());
        var policies = new Draft<>(snapshot.policies());
        var clusterPolicies = new Draft<>(snapshot.clusterPolicies());
        var clusterNodes = new Draft<>(snapshot.clusterNodes());
        var services = new Draft<>(snapshot.services());
        var slices = new Draft<>(snapshot.slices());
        var nodes = new Draft<>(snapshot.nodes());
        for (Change change : changes) {
            switch (change) {
                case Change.PodSet(var pod) -> pods.put(pod.key(), pod);
                case Change.PodGone(var key) -> pods.remove(key);
                case Change.NamespaceSet(var namespace) -> namespaces.put(namespace.name(), namespace);
                case Change.NamespaceGone(var name) -> namespaces.remove(name);
                case Change.PolicySet(var policy) -> policies.put(policy.key(), policy);
                case Change.PolicyGone(var key) -> policies.remove(key);
                case Change.ClusterPolicySet(var policy) -> clusterPolicies.put(policy.name(), policy);
                case Change.ClusterPolicyGone(var name) -> clusterPolicies.remove(name);
                case Change.ClusterNodeSet(var node) -> clusterNodes.put(node.name(), node);
                case Change.ClusterNodeGone(var name) -> clusterNodes.remove(name);
                case Change.ServiceSet(var service) -> services.put(service.key(), service);
                case Change.ServiceGone(var key) -> services.remove(key);
                case Change.SliceSet(var slice) -> slices.put(slice.key(), slice);
                case Change.SliceGone(var key) -> slices.remove(key);
                case Change.NodeSet(NodeName node, Map<String, Endpoint> endpoints) -> nodes.put(node, endpoints);
                case Change.EndpointSet(NodeName node, Endpoint endpoint) -> {
                    Map<String, Endpoint> endpoints = endpoints(nodes, node);
                    endpoints.put(endpoint.key(), endpoint);
                    nodes.put(node, ImmutableSortedMap.copyOf(endpoints));
                }
                case Change.EndpointGone(NodeName node, String key) -> {
                    Map<String, Endpoint> endpoints = endpoints(nodes, node);
                    endpoints.remove(key);
                    nodes.put(node, ImmutableSortedMap.copyOf(endpoints));
                }
            }
        }
        return new ClusterSnapshot(
                pods.done(),
                namespaces.done(),
                policies.done(),
                clusterPolicies.done(),
                clusterNodes.done(),
                services.done(),
                slices.done(),
                nodes.done());
    }

    private static Map<String, Endpoint> endpoints(Draft<NodeName, Map<String, Endpoint>> nodes, NodeName node) {
        return new TreeMap<>(nodes.get().getOrDefault(node, Map.of()));
    }

    private static <K, V> void difference(
            List<Change> changes, Map<K, V> from, Map<K, V> to, Function<V, Change> set, Function<K, Change> gone) {
        from.keySet().stream().filter(key -> !to.containsKey(key)).map(gone).forEach(changes::add);
        to.forEach((key, value) -> {
            if (!value.equals(from.get(key))) {
                changes.add(set.apply(value));
            }
        });
    }

    /** A map that is copied when it is first changed. */
    private static final class Draft<K extends Comparable<K>, V> {
        private SortedMap<K, V> map;
        private boolean own;

        Draft(SortedMap<K, V> map) {
            this.map = map;
        }

        SortedMap<K, V> get() {
            return map;
        }

        void put(K key, V value) {
            if (!value.equals(map.get(key))) {
                changeable().put(key, value);
            }
        }

        void remove(K key) {
            if (map.containsKey(key)) {
                changeable().remove(key);
            }
        }

        SortedMap<K, V> done() {
            return map;
        }

        private SortedMap<K, V> changeable() {
            if (!own) {
                map = new TreeMap<>(map);
                own = true;
            }
            return map;
        }
    }
}
