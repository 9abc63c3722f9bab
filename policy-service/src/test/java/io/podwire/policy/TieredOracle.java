package io.podwire.policy;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.policy.PolicyOracle.Party;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Says what passes where there are ClusterNetworkPolicies, too: from the text of the API's documentation
 * (policy.networking.k8s.io/v1alpha2) and from nothing else. It reads the objects as they come from the API.
 *
 * @param networkPolicies says the same of NetworkPolicies
 * @param policies all ClusterNetworkPolicies, of different priorities in each tier
 * @param nodes all nodes
 */
public record TieredOracle(PolicyOracle networkPolicies, List<GenericKubernetesResource> policies, List<Node> nodes) {
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
    private static final Set<String> PEERS = Set.of("namespaces", "pods", "nodes", "networks");

    /** Of a cluster's objects. */
    public static TieredOracle of(RandomCluster cluster) {
        return new TieredOracle(
                new PolicyOracle(cluster.namespaces, cluster.policies, cluster.malformed),
                cluster.clusterPolicies,
                cluster.nodes);
    }

    private enum Decision {
        ACCEPTED,
        DENIED,
        NONE
    }

    /** "Policy tiers are evaluated in the following order: Admin tier, NetworkPolicy tier, Baseline tier." */
    public boolean egressAllows(Party from, Party to, String protocol, int port) {
        return allows("egress", from, to, from, to, protocol, port);
    }

    /** The same at the other end. */
    public boolean ingressAllows(Party from, Party to, String protocol, int port) {
        return allows("ingress", to, from, from, to, protocol, port);
    }

    private boolean allows(
            String direction, Party subject, Party peer, Party from, Party to, String protocol, int port) {
        return switch (tier("Admin", direction, subject, peer, to, protocol, port)) {
            case ACCEPTED -> true;
            case DENIED -> false;
            case NONE -> {
                // "v1.NetworkPolicy always makes a final decision for selected pods. Further evaluation only happens
                // for
                // Pods not selected by a v1.NetworkPolicy."
                boolean egress = direction.equals("egress");
                if (networkPolicies.isolates(subject.pod(), egress ? "Egress" : "Ingress")) {
                    yield egress
                            ? networkPolicies.egressAllows(from, to, protocol, port)
                            : networkPolicies.ingressAllows(from, to, protocol, port);
                }
                // "If a given connection wasn't allowed or denied by any of the tiers, the default kubernetes policy is
                // applied, which says that all pods can communicate with each other."
                yield tier("Baseline", direction, subject, peer, to, protocol, port) != Decision.DENIED;
            }
        };
    }

    /** "Policies with lower priority values have higher precedence", "a rule that appears at the top of the ingress rules
     * would take the highest precedence", and Pass "skips all further ClusterNetworkPolicy rules in the current tier". */
    private Decision tier(
            String tier, String direction, Party subject, Party peer, Party to, String protocol, int port) {
        List<Map<String, Object>> specs = policies.stream()
                .map(policy -> map(policy.getAdditionalProperties().get("spec")))
                .filter(spec -> spec.get("tier").equals(tier) && selects(map(spec.get("subject")), subject.pod()))
                .sorted(Comparator.comparingInt(spec -> (int) spec.get("priority")))
                .toList();
        for (Map<String, Object> spec : specs) {
            for (Object rule : list(spec.getOrDefault(direction, List.of()))) {
                String action = action(map(rule), direction, peer, to, protocol, port);
                switch (action) {
                    case "Accept" -> {
                        return Decision.ACCEPTED;
                    }
                    case "Deny" -> {
                        return Decision.DENIED;
                    }
                    case "Pass" -> {
                        return Decision.NONE;
                    }
                    default -> {}
                }
            }
        }
        return Decision.NONE;
    }

    /** What the rule does with it; empty: it does not match. "If an implementation sees no fields are set [of a peer] it
     * should fail closed. For "Accept" rules: treat the rule as matching no traffic. For "Deny" and "Pass" rules: treat the
     * rule as a 'Deny all' rule." */
    private String action(Map<String, Object> rule, String direction, Party peer, Party to, String protocol, int port) {
        List<?> peers = list(rule.get(direction.equals("egress") ? "to" : "from"));
        String action = (String) rule.get("action");
        if (peers.stream().anyMatch(one -> map(one).keySet().stream().noneMatch(PEERS::contains))) {
            return action.equals("Accept") ? "" : "Deny";
        }
        boolean peerMatches = peers.stream().anyMatch(one -> peer(map(one), peer));
        // "If unspecified, protocol-specific attributes will not be used to match traffic."
        boolean portMatches = !rule.containsKey("protocols")
                || list(rule.get("protocols")).stream().anyMatch(one -> port(map(one), to, protocol, port));
        return peerMatches && portMatches ? action : "";
    }

    /** "Note that host-networked pods are not included in subject selection." */
    private boolean selects(Map<String, Object> subject, Pod pod) {
        return pod != null && podsOrNamespaces(subject, pod);
    }

    private boolean podsOrNamespaces(Map<String, Object> peer, Pod pod) {
        Map<String, String> namespace = networkPolicies
                .namespaces()
                .get(pod.getMetadata().getNamespace())
                .getMetadata()
                .getLabels();
        if (peer.containsKey("namespaces")) {
            return PolicyOracle.labelled(selector(peer.get("namespaces")), namespace);
        }
        Map<String, Object> pods = map(peer.get("pods"));
        return PolicyOracle.labelled(selector(pods.get("namespaceSelector")), namespace)
                && PolicyOracle.labelled(
                        selector(pods.get("podSelector")), pod.getMetadata().getLabels());
    }

    private boolean peer(Map<String, Object> peer, Party party) {
        if (peer.containsKey("networks")) {
            // "cluster-internal traffic will be checked against the rule as well"
            return list(peer.get("networks")).stream().anyMatch(cidr -> PolicyOracle.inCidr((String) cidr, party.ip()));
        }
        if (peer.containsKey("nodes")) {
            // "by matching on the IPs present in the node.Status.Addresses field of the node"
            return nodes.stream()
                    .filter(node -> PolicyOracle.labelled(
                            selector(peer.get("nodes")), node.getMetadata().getLabels()))
                    .flatMap(node -> node.getStatus().getAddresses().stream())
                    .anyMatch(address -> address.getAddress().equals(party.ip()));
        }
        return party.pod() != null && podsOrNamespaces(peer, party.pod());
    }

    private static boolean port(Map<String, Object> match, Party to, String protocol, int port) {
        if (match.containsKey("destinationNamedPort")) {
            // "selects a destination port on a pod based on the ContainerPort name"
            return to.pod() != null
                    && to.pod().getSpec().getContainers().stream()
                            .flatMap(container -> container.getPorts().stream())
                            .anyMatch(named -> match.get("destinationNamedPort").equals(named.getName())
                                    && named.getContainerPort() == port
                                    && protocol.equals(named.getProtocol() == null ? "TCP" : named.getProtocol()));
        }
        Object content = match.get(
                switch (protocol) {
                    case "TCP" -> "tcp";
                    case "UDP" -> "udp";
                    default -> "sctp";
                });
        if (content == null) {
            return false;
        }
        Map<String, Object> wanted = map(map(content).get("destinationPort"));
        if (wanted.containsKey("number")) {
            return (int) wanted.get("number") == port;
        }
        Map<String, Object> range = map(wanted.get("range"));
        return port >= (int) range.get("start") && port <= (int) range.get("end");
    }

    private static LabelSelector selector(Object value) {
        return SERIALIZATION.convertValue(value, LabelSelector.class);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    private static List<?> list(Object value) {
        return (List<?>) value;
    }
}
