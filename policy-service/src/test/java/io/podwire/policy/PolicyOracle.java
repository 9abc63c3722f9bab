package io.podwire.policy;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.LabelSelectorRequirement;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.networking.v1.IPBlock;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import java.net.InetAddress;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Says what passes, from the text of the Kubernetes documentation ("Network Policies", and the API
 * reference of networking.k8s.io/v1) and from nothing else: it shares no code with the compiler and
 * reads the objects as they come from the API.
 *
 * @param namespaces labels by name
 * @param policies all policies
 * @param malformed names of the policies whose rules cannot be honoured
 */
public record PolicyOracle(Map<String, Namespace> namespaces, List<NetworkPolicy> policies, Set<String> malformed) {

    /** One side of a packet; pod is null for an address that is no pod's. */
    public record Party(String ip, Pod pod) {}

    /** "For a connection to be allowed, both the egress policy on the source and the ingress policy
     * on the destination need to allow it." */
    public boolean egressAllows(Party from, Party to, String protocol, int port) {
        List<NetworkPolicy> applying = policies.stream()
                .filter(p -> types(p).contains("Egress") && selects(p, from.pod()))
                .toList();
        // "By default, a pod is non-isolated for egress; all outbound connections are allowed."
        return applying.isEmpty()
                || applying.stream()
                        .filter(p -> !malformed.contains(p.getMetadata().getName()))
                        .anyMatch(p -> p.getSpec().getEgress().stream()
                                .anyMatch(rule ->
                                        peers(p, rule.getTo(), to) && ports(rule.getPorts(), to, protocol, port)));
    }

    /** The same at the other end. */
    public boolean ingressAllows(Party from, Party to, String protocol, int port) {
        List<NetworkPolicy> applying = policies.stream()
                .filter(p -> types(p).contains("Ingress") && selects(p, to.pod()))
                .toList();
        return applying.isEmpty()
                || applying.stream()
                        .filter(p -> !malformed.contains(p.getMetadata().getName()))
                        .anyMatch(p -> p.getSpec().getIngress().stream()
                                .anyMatch(rule ->
                                        peers(p, rule.getFrom(), from) && ports(rule.getPorts(), to, protocol, port)));
    }

    /** "A pod is isolated for egress if there is any NetworkPolicy that both selects the pod and has "Egress" in its
     * policyTypes", and the same for ingress. */
    boolean isolates(Pod pod, String type) {
        return policies.stream().anyMatch(p -> types(p).contains(type) && selects(p, pod));
    }

    /** "If no policyTypes are specified on a NetworkPolicy then by default Ingress will always be set
     * and Egress will be set if the NetworkPolicy has any egress rules." */
    private static List<String> types(NetworkPolicy policy) {
        if (!policy.getSpec().getPolicyTypes().isEmpty()) {
            return policy.getSpec().getPolicyTypes();
        }
        return policy.getSpec().getEgress().isEmpty() ? List.of("Ingress") : List.of("Ingress", "Egress");
    }

    private static boolean selects(NetworkPolicy policy, Pod pod) {
        return pod != null
                && policy.getMetadata().getNamespace().equals(pod.getMetadata().getNamespace())
                && labelled(policy.getSpec().getPodSelector(), pod.getMetadata().getLabels());
    }

    /** "If this field is empty or missing, this rule matches all sources." */
    private boolean peers(NetworkPolicy policy, List<NetworkPolicyPeer> peers, Party party) {
        return peers.isEmpty() || peers.stream().anyMatch(peer -> peer(policy, peer, party));
    }

    private boolean peer(NetworkPolicy policy, NetworkPolicyPeer peer, Party party) {
        if (peer.getIpBlock() != null) {
            return inBlock(peer.getIpBlock(), party.ip());
        }
        if (party.pod() == null) {
            return false;
        }
        String namespace = party.pod().getMetadata().getNamespace();
        boolean namespaceFits = peer.getNamespaceSelector() == null
                ? namespace.equals(policy.getMetadata().getNamespace())
                : labelled(
                        peer.getNamespaceSelector(),
                        namespaces.get(namespace).getMetadata().getLabels());
        return namespaceFits
                && (peer.getPodSelector() == null
                        || labelled(
                                peer.getPodSelector(), party.pod().getMetadata().getLabels()));
    }

    /** "If this field is empty or missing, this rule matches all ports (traffic not restricted by port)." */
    private static boolean ports(List<NetworkPolicyPort> ports, Party to, String protocol, int port) {
        return ports.isEmpty() || ports.stream().anyMatch(p -> port(p, to, protocol, port));
    }

    private static boolean port(NetworkPolicyPort allowed, Party to, String protocol, int port) {
        String wanted = allowed.getProtocol() == null ? "TCP" : allowed.getProtocol();
        if (!wanted.equals(protocol)) {
            return false;
        }
        if (allowed.getPort() == null) {
            return true;
        }
        if (allowed.getPort().getIntVal() != null) {
            int from = allowed.getPort().getIntVal();
            int upTo = allowed.getEndPort() == null ? from : allowed.getEndPort();
            return port >= from && port <= upTo;
        }
        // "This can either be a numerical or named port on a pod."
        if (to.pod() == null) {
            return false;
        }
        for (Container container : to.pod().getSpec().getContainers()) {
            for (ContainerPort named : container.getPorts()) {
                if (allowed.getPort().getStrVal().equals(named.getName())
                        && named.getContainerPort() == port
                        && protocol.equals(named.getProtocol() == null ? "TCP" : named.getProtocol())) {
                    return true;
                }
            }
        }
        return false;
    }

    static boolean labelled(LabelSelector selector, Map<String, String> labels) {
        if (selector.getMatchLabels() != null) {
            for (Map.Entry<String, String> wanted : selector.getMatchLabels().entrySet()) {
                if (!wanted.getValue().equals(labels.get(wanted.getKey()))) {
                    return false;
                }
            }
        }
        for (LabelSelectorRequirement r : selector.getMatchExpressions()) {
            boolean there = labels.containsKey(r.getKey());
            boolean listed = there && r.getValues().contains(labels.get(r.getKey()));
            boolean holds = switch (r.getOperator()) {
                case "In" -> listed;
                case "NotIn" -> !listed;
                case "Exists" -> there;
                case "DoesNotExist" -> !there;
                default -> throw new AssertionError(r);
            };
            if (!holds) {
                return false;
            }
        }
        return true;
    }

    private static boolean inBlock(IPBlock block, String ip) {
        return inCidr(block.getCidr(), ip) && block.getExcept().stream().noneMatch(hole -> inCidr(hole, ip));
    }

    static boolean inCidr(String cidr, String ip) {
        String[] parts = cidr.split("/", 2);
        String network = bits(parts[0]);
        String address = bits(ip);
        int length = Integer.parseInt(parts[1]);
        return network.length() == address.length()
                && network.substring(0, length).equals(address.substring(0, length));
    }

    /** 32 or 128 digits. */
    private static String bits(String ip) {
        StringBuilder out = new StringBuilder();
        for (byte octet : InetAddress.ofLiteral(ip).getAddress()) {
            out.append(Integer.toBinaryString(256 + Byte.toUnsignedInt(octet)).substring(1));
        }
        return out.toString();
    }
}
