package io.podwire.policy.watch;

import com.fasterxml.jackson.core.type.TypeReference;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.KubernetesResource;
import io.fabric8.kubernetes.api.model.KubernetesResourceList;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.EndpointSlice;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.Service;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * What one file of manifests says.
 *
 * @param pods its pods
 * @param namespaces its namespaces
 * @param policies its policies
 * @param clusterPolicies its cluster-wide policies
 * @param nodes its nodes
 * @param services its Services
 * @param slices its EndpointSlices that are a Service's
 * @param ignored its other objects, "kind name"
 */
record Manifest(
        List<Pod> pods,
        List<Namespace> namespaces,
        List<NetworkPolicy> policies,
        List<ClusterPolicy> clusterPolicies,
        List<ClusterNode> nodes,
        List<Service> services,
        List<EndpointSlice> slices,
        List<String> ignored) {
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
    /** API groups, past and present, whose NetworkPolicy must not be passed over in silence. */
    private static final Set<String> POLICY_GROUPS = Set.of("networking.k8s.io", "extensions");

    Manifest {
        pods = List.copyOf(pods);
        namespaces = List.copyOf(namespaces);
        policies = List.copyOf(policies);
        clusterPolicies = List.copyOf(clusterPolicies);
        nodes = List.copyOf(nodes);
        services = List.copyOf(services);
        slices = List.copyOf(slices);
        ignored = List.copyOf(ignored);
    }

    /**
     * Reads YAML of any number of documents, or JSON; lists count as their items.
     *
     * @throws IllegalArgumentException when it cannot be read as a whole
     */
    static Manifest parse(byte[] content) {
        Draft draft = new Draft();
        try {
            // JSON is YAML; read as such, so that a key given twice is an error there too.
            String text = new String(content, StandardCharsets.UTF_8);
            String yaml = text.stripLeading().startsWith("{") ? "--- " + text : text;
            Object parsed = SERIALIZATION.unmarshal(yaml, new TypeReference<KubernetesResource>() {});
            draft.add(parsed);
        } catch (IllegalArgumentException e) {
            throw e;
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(rootMessage(e), e);
        }
        return draft.done();
    }

    /** On one line: what the parser says, without what fabric8 wraps around it. */
    private static String rootMessage(Throwable e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return String.valueOf(cause.getMessage()).strip().replaceAll("\\s*\\R\\s*", " | ");
    }

    /** A manifest in the making. */
    private static final class Draft {
        private final List<Pod> pods = new ArrayList<>();
        private final List<Namespace> namespaces = new ArrayList<>();
        private final List<NetworkPolicy> policies = new ArrayList<>();
        private final List<ClusterPolicy> clusterPolicies = new ArrayList<>();
        private final List<ClusterNode> nodes = new ArrayList<>();
        private final List<Service> services = new ArrayList<>();
        private final List<EndpointSlice> slices = new ArrayList<>();
        private final List<String> ignored = new ArrayList<>();

        void add(Object parsed) {
            switch (parsed) {
                case null -> {}
                case Collection<?> documents -> documents.forEach(this::add);
                case KubernetesResourceList<?> list -> list.getItems().forEach(this::add);
                case io.fabric8.kubernetes.api.model.Pod pod -> pods.add(KubernetesMapping.pod(pod));
                case io.fabric8.kubernetes.api.model.Namespace namespace ->
                    namespaces.add(KubernetesMapping.namespace(namespace));
                case io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy policy ->
                    policies.add(KubernetesMapping.policy(policy));
                case io.fabric8.kubernetes.api.model.Node node -> nodes.add(KubernetesMapping.node(node));
                case io.fabric8.kubernetes.api.model.Service service -> services.add(ServiceMapping.service(service));
                case io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice slice ->
                    ServiceMapping.slice(slice).ifPresentOrElse(slices::add, () -> ignore(slice));
                case GenericKubernetesResource policy
                when ClusterPolicyMapping.KIND.equals(policy.getKind())
                        && ClusterPolicyMapping.API_VERSION.equals(policy.getApiVersion()) ->
                    clusterPolicies.add(ClusterPolicyMapping.policy(policy));
                case HasMetadata other -> ignore(other);
                default ->
                    throw new IllegalArgumentException(
                            "not a Kubernetes object: " + parsed.getClass().getSimpleName());
            }
        }

        private void ignore(HasMetadata other) {
            String group =
                    other.getApiVersion() == null ? "" : other.getApiVersion().replaceFirst("/.*", "");
            if (other.getKind().equals("NetworkPolicy") && POLICY_GROUPS.contains(group)) {
                throw new IllegalArgumentException(
                        "NetworkPolicy must have apiVersion networking.k8s.io/v1, got " + other.getApiVersion());
            }
            if (other.getKind().equals(ClusterPolicyMapping.KIND) && group.equals(ClusterPolicyMapping.GROUP)) {
                throw new IllegalArgumentException(ClusterPolicyMapping.KIND + " must have apiVersion "
                        + ClusterPolicyMapping.API_VERSION + ", got " + other.getApiVersion());
            }
            ignored.add(other.getKind() + " "
                    + (other.getMetadata() == null ? "" : other.getMetadata().getName()));
        }

        Manifest done() {
            return new Manifest(pods, namespaces, policies, clusterPolicies, nodes, services, slices, ignored);
        }
    }
}
