package io.podwire.policy.watch;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.LabelSelectorRequirement;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodStatus;
import io.fabric8.kubernetes.api.model.networking.v1.IPBlock;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyEgressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicySpec;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.LabelSelector.Operator;
import io.podwire.policy.model.LabelSelector.Requirement;
import io.podwire.policy.model.NamedPort;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.model.Protocol;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * From the Kubernetes API's objects to ours; what we do not model is dropped, so that updates
 * without a meaning for us become equal records.
 */
public final class KubernetesMapping {
    /** Set by kubelet on the API object of a static pod: the uid that kubelet gave to the runtime. */
    private static final String MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

    private static final Set<Direction> BOTH = EnumSet.allOf(Direction.class);

    private KubernetesMapping() {}

    /**
     * A pod.
     *
     * @throws IllegalArgumentException when it has values that the API server would refuse
     */
    public static Pod pod(io.fabric8.kubernetes.api.model.Pod object) {
        ObjectMeta meta = object.getMetadata();
        PodSpec spec = object.getSpec() == null ? new PodSpec() : object.getSpec();
        PodStatus status = object.getStatus() == null ? new PodStatus() : object.getStatus();
        String phase = text(status.getPhase());
        String uid = map(meta.getAnnotations()).getOrDefault(MIRROR_ANNOTATION, text(meta.getUid()));
        return new Pod(
                podKey(object),
                uid,
                map(meta.getLabels()),
                text(spec.getNodeName()),
                addresses(status),
                Boolean.TRUE.equals(spec.getHostNetwork()),
                phase.equals("Succeeded") || phase.equals("Failed"),
                namedPorts(spec));
    }

    static PodKey podKey(io.fabric8.kubernetes.api.model.Pod object) {
        ObjectMeta meta = object.getMetadata();
        return new PodKey(namespaceOf(meta), required(meta.getName(), "a pod needs metadata.name"));
    }

    static PolicyKey policyKey(io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy object) {
        ObjectMeta meta = object.getMetadata();
        return new PolicyKey(namespaceOf(meta), required(meta.getName(), "a NetworkPolicy needs metadata.name"));
    }

    /** A node. Of the addresses in its status, those that are names are left out. */
    public static ClusterNode node(io.fabric8.kubernetes.api.model.Node object) {
        ObjectMeta meta = object.getMetadata();
        Set<IpAddress> addresses = new HashSet<>();
        if (object.getStatus() != null) {
            list(object.getStatus().getAddresses()).stream()
                    .filter(address -> text(address.getType()).endsWith("IP"))
                    .forEach(address -> addresses.add(IpAddress.parse(text(address.getAddress()))));
        }
        return new ClusterNode(
                required(meta.getName(), "a node needs metadata.name"), map(meta.getLabels()), addresses);
    }

    /** A namespace. */
    public static Namespace namespace(io.fabric8.kubernetes.api.model.Namespace object) {
        ObjectMeta meta = object.getMetadata();
        return new Namespace(required(meta.getName(), "a namespace needs metadata.name"), map(meta.getLabels()));
    }

    /**
     * A policy. One that cannot be honoured as written comes out closed: on the pods and in the
     * directions it names, on all pods of its namespace or in both directions where these are what
     * cannot be read.
     *
     * @throws IllegalArgumentException when it has no name
     */
    public static NetworkPolicy policy(io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy object) {
        PolicyKey key = policyKey(object);
        NetworkPolicySpec spec = object.getSpec() == null ? new NetworkPolicySpec() : object.getSpec();
        LabelSelector selector = LabelSelector.EVERYTHING;
        Set<Direction> directions = BOTH;
        String reason = "";
        try {
            selector = selector("spec.podSelector", spec.getPodSelector());
        } catch (IllegalArgumentException e) {
            reason = String.valueOf(e.getMessage());
        }
        try {
            known("spec", spec.getAdditionalProperties());
            directions = directions(spec);
            List<PolicyRule> ingress =
                    rules("spec.ingress", spec.getIngress(), (path, rule) -> ingress(path, key.namespace(), rule));
            List<PolicyRule> egress =
                    rules("spec.egress", spec.getEgress(), (path, rule) -> egress(path, key.namespace(), rule));
            if (reason.isEmpty()) {
                return new NetworkPolicy(key, selector, directions, ingress, egress, "");
            }
        } catch (IllegalArgumentException e) {
            reason = reason.isEmpty() ? String.valueOf(e.getMessage()) : reason + "; " + e.getMessage();
        }
        return NetworkPolicy.closed(key, selector, directions, reason);
    }

    private static Set<Direction> directions(NetworkPolicySpec spec) {
        Set<Direction> out = EnumSet.noneOf(Direction.class);
        for (String type : list(spec.getPolicyTypes())) {
            out.add(
                    switch (text(type)) {
                        case "Ingress" -> Direction.INGRESS;
                        case "Egress" -> Direction.EGRESS;
                        default ->
                            throw new IllegalArgumentException(
                                    "spec.policyTypes may name Ingress and Egress, got '" + type + "'");
                    });
        }
        if (out.isEmpty()) {
            // Defaulting of the API server: always Ingress, Egress where there is an egress rule.
            out.add(Direction.INGRESS);
            if (!list(spec.getEgress()).isEmpty()) {
                out.add(Direction.EGRESS);
            }
        }
        return out;
    }

    /** Maps one element; the path names it in errors. */
    private interface Element<T, R> {
        R map(String path, T element);
    }

    private static <T, R> List<R> rules(String path, List<T> elements, Element<T, R> mapping) {
        List<R> out = new ArrayList<>();
        for (int i = 0; i < list(elements).size(); i++) {
            String at = path + "[" + i + "]";
            T element = elements.get(i);
            if (element == null) {
                // An empty element would mean "everything": nobody writes that by leaving out.
                throw new IllegalArgumentException(at + " is null; write {} to mean everything");
            }
            try {
                out.add(mapping.map(at, element));
            } catch (IllegalArgumentException e) {
                String message = String.valueOf(e.getMessage());
                throw message.startsWith("spec.") ? e : new IllegalArgumentException(at + ": " + message, e);
            }
        }
        return out;
    }

    private static PolicyRule ingress(String path, String namespace, NetworkPolicyIngressRule rule) {
        known(path, rule.getAdditionalProperties());
        return new PolicyRule(
                rules(path + ".from", rule.getFrom(), (at, peer) -> peer(at, namespace, peer)),
                rules(path + ".ports", rule.getPorts(), KubernetesMapping::port));
    }

    private static PolicyRule egress(String path, String namespace, NetworkPolicyEgressRule rule) {
        known(path, rule.getAdditionalProperties());
        return new PolicyRule(
                rules(path + ".to", rule.getTo(), (at, peer) -> peer(at, namespace, peer)),
                rules(path + ".ports", rule.getPorts(), KubernetesMapping::port));
    }

    private static Peer peer(String path, String namespace, NetworkPolicyPeer peer) {
        known(path, peer.getAdditionalProperties());
        boolean bySelector = peer.getPodSelector() != null || peer.getNamespaceSelector() != null;
        if (bySelector == (peer.getIpBlock() != null)) {
            throw new IllegalArgumentException(path + " needs either selectors or an ipBlock");
        }
        if (peer.getIpBlock() != null) {
            return block(path + ".ipBlock", peer.getIpBlock());
        }
        LabelSelector pods = selector(path + ".podSelector", peer.getPodSelector());
        return peer.getNamespaceSelector() == null
                ? new Peer.InNamespace(namespace, pods)
                : new Peer.InNamespaces(selector(path + ".namespaceSelector", peer.getNamespaceSelector()), pods);
    }

    private static Peer.Block block(String path, IPBlock block) {
        known(path, block.getAdditionalProperties());
        Set<IpPrefix> except = new HashSet<>();
        list(block.getExcept()).forEach(hole -> except.add(prefix(text(hole))));
        return new Peer.Block(prefix(text(block.getCidr())), except);
    }

    /** The API server takes host bits and means the network. */
    static IpPrefix prefix(String text) {
        int slash = text.indexOf('/');
        if (slash < 0 || !text.substring(slash + 1).matches("[0-9]{1,3}")) {
            throw new IllegalArgumentException("'" + text + "' is not a CIDR prefix such as 10.1.0.0/16");
        }
        return IpPrefix.containing(
                IpAddress.parse(text.substring(0, slash)), Integer.parseInt(text.substring(slash + 1)));
    }

    private static PolicyPort port(String path, NetworkPolicyPort port) {
        known(path, port.getAdditionalProperties());
        Protocol protocol = protocol(port.getProtocol() == null ? "TCP" : port.getProtocol());
        if (port.getPort() == null) {
            if (port.getEndPort() != null) {
                throw new IllegalArgumentException("endPort needs a port");
            }
            return PolicyPort.Range.all(protocol);
        }
        Object value = port.getPort().getValue();
        if (value instanceof Integer first) {
            int last = port.getEndPort() == null ? first : port.getEndPort();
            if (first < 1) {
                throw new IllegalArgumentException("port must be 1 to 65535, got " + first);
            }
            return new PolicyPort.Range(protocol, first, last);
        }
        if (port.getEndPort() != null) {
            throw new IllegalArgumentException("endPort cannot go with the named port '" + value + "'");
        }
        return new PolicyPort.Named(protocol, String.valueOf(value));
    }

    static Protocol protocol(String name) {
        return switch (name) {
            case "TCP" -> Protocol.TCP;
            case "UDP" -> Protocol.UDP;
            case "SCTP" -> Protocol.SCTP;
            default -> throw new IllegalArgumentException("protocol may be TCP, UDP or SCTP, got '" + name + "'");
        };
    }

    static LabelSelector selector(String path, io.fabric8.kubernetes.api.model.LabelSelector selector) {
        if (selector == null) {
            return LabelSelector.EVERYTHING;
        }
        known(path, selector.getAdditionalProperties());
        try {
            return new LabelSelector(
                    map(selector.getMatchLabels()),
                    list(selector.getMatchExpressions()).stream()
                            .map(KubernetesMapping::requirement)
                            .toList());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(path + ": " + e.getMessage(), e);
        }
    }

    private static Requirement requirement(LabelSelectorRequirement requirement) {
        if (requirement == null) {
            throw new IllegalArgumentException("a requirement is null");
        }
        known("matchExpressions", requirement.getAdditionalProperties());
        Operator operator = switch (text(requirement.getOperator())) {
            case "In" -> Operator.IN;
            case "NotIn" -> Operator.NOT_IN;
            case "Exists" -> Operator.EXISTS;
            case "DoesNotExist" -> Operator.DOES_NOT_EXIST;
            default ->
                throw new IllegalArgumentException(
                        "operator may be In, NotIn, Exists or DoesNotExist, got '" + requirement.getOperator() + "'");
        };
        Set<String> values = new HashSet<>();
        list(requirement.getValues()).forEach(value -> values.add(text(value)));
        return new Requirement(text(requirement.getKey()), operator, values);
    }

    /** A field we do not know may restrict what its author allows: it must not be passed over. */
    private static void known(String path, Map<String, Object> additional) {
        if (additional != null && !additional.isEmpty()) {
            throw new IllegalArgumentException(path + " has unknown field '"
                    + additional.keySet().iterator().next() + "'");
        }
    }

    private static Set<IpAddress> addresses(PodStatus status) {
        Set<IpAddress> out = new HashSet<>();
        Stream.concat(
                        Stream.of(text(status.getPodIP())),
                        list(status.getPodIPs()).stream().map(PodIP::getIp).map(KubernetesMapping::text))
                .filter(text -> !text.isEmpty())
                .forEach(text -> out.add(IpAddress.parse(text)));
        return out;
    }

    private static List<NamedPort> namedPorts(PodSpec spec) {
        // Of init containers only sidecars (restartPolicy Always) live as long as the pod.
        Stream<Container> sidecars = list(spec.getInitContainers()).stream()
                .filter(container -> "Always".equals(container.getRestartPolicy()));
        return Stream.concat(list(spec.getContainers()).stream(), sidecars)
                .flatMap(container -> list(container.getPorts()).stream())
                .filter(port -> !text(port.getName()).isEmpty() && port.getContainerPort() != null)
                .map(KubernetesMapping::namedPort)
                .toList();
    }

    private static NamedPort namedPort(ContainerPort port) {
        return new NamedPort(
                port.getName(),
                protocol(port.getProtocol() == null ? "TCP" : port.getProtocol()),
                port.getContainerPort());
    }

    static String namespaceOf(ObjectMeta meta) {
        return text(meta.getNamespace()).isEmpty() ? "default" : meta.getNamespace();
    }

    static String required(String value, String message) {
        if (text(value).isEmpty()) {
            throw new IllegalArgumentException(message);
        }
        return value;
    }

    static String text(String value) {
        return value == null ? "" : value;
    }

    static <T> List<T> list(List<T> value) {
        return value == null ? List.of() : value;
    }

    static Map<String, String> map(Map<String, String> value) {
        if (value == null) {
            return Map.of();
        }
        Map<String, String> out = new TreeMap<>();
        value.forEach((key, text) -> out.put(key, text(text)));
        return out;
    }
}
