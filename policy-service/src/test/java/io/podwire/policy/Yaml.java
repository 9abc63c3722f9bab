package io.podwire.policy;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.watch.ClusterPolicyMapping;
import io.podwire.policy.watch.KubernetesMapping;

/** Policies from text, the way users write them. */
final class Yaml {
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();

    private Yaml() {}

    /** The policy of that name ("namespace/name") and spec. */
    static NetworkPolicy policy(String key, String spec) {
        String[] parts = key.split("/", 2);
        return KubernetesMapping.policy(SERIALIZATION.unmarshal(
                "---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {namespace: %s, name: %s}, spec: %s}"
                        .formatted(parts[0], parts[1], spec),
                io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy.class));
    }

    /** The cluster-wide policy of that name and spec. */
    static ClusterPolicy clusterPolicy(String name, String spec) {
        return ClusterPolicyMapping.policy(SERIALIZATION.unmarshal(
                "---\n{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {name: %s}, spec: %s}"
                        .formatted(name, spec),
                GenericKubernetesResource.class));
    }
}
