package io.podwire.policy.snapshot;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Service;
import io.podwire.policy.model.ServiceKey;
import io.podwire.policy.model.SliceKey;
import java.util.Map;
import java.util.SortedMap;

/**
 * All that programs and services depend on, at one moment.
 *
 * @param pods pod objects
 * @param namespaces namespace objects by name
 * @param policies the namespaces' policies
 * @param clusterPolicies cluster-wide policies by name
 * @param clusterNodes node objects by name
 * @param services Services
 * @param slices endpoints of Services
 * @param nodes endpoints by key of every node that has introduced itself; they stay when its stream
 *     breaks, until it introduces itself again
 */
public record ClusterSnapshot(
        SortedMap<PodKey, Pod> pods,
        SortedMap<String, Namespace> namespaces,
        SortedMap<PolicyKey, NetworkPolicy> policies,
        SortedMap<String, ClusterPolicy> clusterPolicies,
        SortedMap<String, ClusterNode> clusterNodes,
        SortedMap<ServiceKey, Service> services,
        SortedMap<SliceKey, EndpointSlice> slices,
        SortedMap<NodeName, Map<String, Endpoint>> nodes) {
    /** Nothing is known. */
    public static final ClusterSnapshot EMPTY = new ClusterSnapshot(
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of(),
            ImmutableSortedMap.of());

    /** Copies the maps, at no cost where they are immutable already. */
    public ClusterSnapshot {
        pods = ImmutableSortedMap.copyOfSorted(pods);
        namespaces = ImmutableSortedMap.copyOfSorted(namespaces);
        policies = ImmutableSortedMap.copyOfSorted(policies);
        clusterPolicies = ImmutableSortedMap.copyOfSorted(clusterPolicies);
        clusterNodes = ImmutableSortedMap.copyOfSorted(clusterNodes);
        services = ImmutableSortedMap.copyOfSorted(services);
        slices = ImmutableSortedMap.copyOfSorted(slices);
        nodes = ImmutableSortedMap.copyOfSorted(nodes);
    }
}
