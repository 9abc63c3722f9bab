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

/** One thing that is otherwise than before. Applying it twice is applying it once. */
public sealed interface Change {
    /** A pod object is there. */
    record PodSet(Pod pod) implements Change {}

    /** A pod object is gone. */
    record PodGone(PodKey key) implements Change {}

    /** A namespace is there. */
    record NamespaceSet(Namespace namespace) implements Change {}

    /** A namespace is gone. */
    record NamespaceGone(String name) implements Change {}

    /** A policy is there. */
    record PolicySet(NetworkPolicy policy) implements Change {}

    /** A policy is gone. */
    record PolicyGone(PolicyKey key) implements Change {}

    /** A cluster-wide policy is there. */
    record ClusterPolicySet(ClusterPolicy policy) implements Change {}

    /** A cluster-wide policy is gone. */
    record ClusterPolicyGone(String name) implements Change {}

    /** A node's object is there. */
    record ClusterNodeSet(ClusterNode node) implements Change {}

    /** A node's object is gone. */
    record ClusterNodeGone(String name) implements Change {}

    /** A node has exactly these endpoints, by key. */
    record NodeSet(NodeName node, Map<String, Endpoint> endpoints) implements Change {
        /** Copies the endpoints. */
        public NodeSet {
            endpoints = ImmutableSortedMap.copyOf(endpoints);
        }
    }

    /** A node has this endpoint. */
    record EndpointSet(NodeName node, Endpoint endpoint) implements Change {}

    /** A node no longer has the endpoint of this key. */
    record EndpointGone(NodeName node, String key) implements Change {}

    /** A change that no policy depends on. */
    sealed interface OfServices extends Change {}

    /** A Service is there. */
    record ServiceSet(Service service) implements OfServices {}

    /** A Service is gone. */
    record ServiceGone(ServiceKey key) implements OfServices {}

    /** Some of a Service's endpoints are there. */
    record SliceSet(EndpointSlice slice) implements OfServices {}

    /** Some of a Service's endpoints are gone, or are no Service's any more. */
    record SliceGone(SliceKey key) implements OfServices {}
}
