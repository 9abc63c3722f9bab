package io.podwire.policy;

import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.LabelSelectorBuilder;
import io.fabric8.kubernetes.api.model.LabelSelectorRequirement;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.api.model.networking.v1.IPBlock;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyBuilder;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyEgressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyIngressRule;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPeer;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.policy.snapshot.ClusterSnapshot;
import io.podwire.policy.watch.ClusterPolicyMapping;
import io.podwire.policy.watch.KubernetesMapping;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Random namespaces, pods on two nodes that speak and one that does not, and policies over them. */
public final class RandomCluster {
    private static final List<String> NAMESPACES = List.of("x", "y", "z");
    private static final List<String> KEYS = List.of("app", "tier", "example.com/team");
    private static final List<String> VALUES = List.of("a", "b", "");
    private static final List<String> PROTOCOLS = List.of("TCP", "UDP", "SCTP");

    public final Map<String, Namespace> namespaces = new HashMap<>();
    public final List<Pod> pods = new ArrayList<>();
    public final List<NetworkPolicy> policies = new ArrayList<>();
    public final Set<String> malformed = new HashSet<>();
    public final List<GenericKubernetesResource> clusterPolicies = new ArrayList<>();
    public final List<Node> nodes = new ArrayList<>();
    private static final KubernetesSerialization SERIALIZATION = new KubernetesSerialization();
    private final RandomGenerator random;

    public RandomCluster(RandomGenerator random) {
        this.random = random;
        for (String name : NAMESPACES) {
            Map<String, String> labels = labels();
            labels.put("kubernetes.io/metadata.name", name);
            namespaces.put(
                    name,
                    new NamespaceBuilder()
                            .withNewMetadata()
                            .withName(name)
                            .withLabels(labels)
                            .endMetadata()
                            .build());
        }
        IntStream.range(0, 4 + random.nextInt(8)).forEach(i -> pods.add(pod(i)));
        IntStream.range(0, random.nextInt(7)).forEach(i -> policies.add(policy("p" + i)));
    }

    /** With ClusterNetworkPolicies besides. */
    public static RandomCluster withTiers(RandomGenerator random) {
        RandomCluster cluster = new RandomCluster(random);
        for (int i = 0; i < 3; i++) {
            cluster.nodes.add(cluster.node(i));
        }
        int count = 1 + random.nextInt(5);
        IntStream.range(0, count).forEach(i -> cluster.clusterPolicies.add(cluster.clusterPolicy(i)));
        return cluster;
    }

    /** Its addresses: of IPv4, of IPv6, or of both. */
    public static List<String> ips(Pod pod) {
        return pod.getStatus().getPodIPs().stream().map(PodIP::getIp).toList();
    }

    public static boolean onSilentNode(Pod pod) {
        return pod.getSpec().getNodeName().equals("node-2");
    }

    public static boolean onHostNetwork(Pod pod) {
        return Boolean.TRUE.equals(pod.getSpec().getHostNetwork());
    }

    public static boolean terminated(Pod pod) {
        return pod.getStatus().getPhase().equals("Succeeded");
    }

    public ClusterSnapshot snapshot() {
        List<Change> changes = new ArrayList<>();
        namespaces.values().forEach(ns -> changes.add(new Change.NamespaceSet(KubernetesMapping.namespace(ns))));
        pods.forEach(pod -> changes.add(new Change.PodSet(KubernetesMapping.pod(pod))));
        policies.forEach(policy -> changes.add(new Change.PolicySet(KubernetesMapping.policy(policy))));
        clusterPolicies.forEach(
                policy -> changes.add(new Change.ClusterPolicySet(ClusterPolicyMapping.policy(policy))));
        nodes.forEach(node -> changes.add(new Change.ClusterNodeSet(KubernetesMapping.node(node))));
        for (int i = 0; i < 2; i++) {
            NodeName node = new NodeName("node-" + i);
            changes.add(new Change.NodeSet(node, Map.of()));
            pods.stream()
                    .filter(pod -> pod.getSpec().getNodeName().equals(node.value()) && !onHostNetwork(pod))
                    .forEach(pod -> changes.add(new Change.EndpointSet(
                            node,
                            new Endpoint(
                                    "cid-" + pod.getMetadata().getName() + "/eth0",
                                    new PodKey(
                                            pod.getMetadata().getNamespace(),
                                            pod.getMetadata().getName()),
                                    "",
                                    ips(pod).stream().map(IpAddress::parse).collect(Collectors.toSet())))));
        }
        return new ClusterDelta(changes).applyTo(ClusterSnapshot.EMPTY);
    }

    private <T> T one(List<T> of) {
        return of.get(random.nextInt(of.size()));
    }

    private boolean chance(int percent) {
        return random.nextInt(100) < percent;
    }

    private <T> List<T> some(int max, Supplier<T> element) {
        return new ArrayList<>(IntStream.range(0, random.nextInt(max + 1))
                .mapToObj(_ -> element.get())
                .toList());
    }

    /** Labels of a pod or a namespace. */
    public Map<String, String> labels() {
        Map<String, String> out = new HashMap<>();
        KEYS.stream().filter(_ -> chance(60)).forEach(key -> out.put(key, one(VALUES)));
        return out;
    }

    private Pod pod(int i) {
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace(one(NAMESPACES))
                .withName("pod-" + i)
                .withLabels(labels())
                .endMetadata()
                .withNewSpec()
                .withNodeName("node-" + random.nextInt(3))
                .withHostNetwork(chance(8))
                .withContainers(new ContainerBuilder()
                        .withName("c")
                        .addNewPort()
                        .withName("web")
                        .withContainerPort(one(List.of(80, 8080)))
                        .endPort()
                        .addNewPort()
                        .withName("dns")
                        .withProtocol("UDP")
                        .withContainerPort(one(List.of(53, 80)))
                        .endPort()
                        .build())
                .endSpec()
                .withNewStatus()
                .withPhase(chance(8) ? "Succeeded" : "Running")
                .withPodIPs(one(List.of(
                                List.of("10.0.0." + (i + 1)),
                                List.of("fd00::" + (i + 1)),
                                List.of("10.0.0." + (i + 1), "fd00::" + (i + 1))))
                        .stream()
                        .map(PodIP::new)
                        .toList())
                .endStatus()
                .build();
    }

    private NetworkPolicy policy(String name) {
        List<String> types = chance(40)
                ? List.of()
                : one(List.of(List.of("Ingress"), List.of("Egress"), List.of("Ingress", "Egress")));
        NetworkPolicy policy = new NetworkPolicyBuilder()
                .withNewMetadata()
                .withNamespace(one(NAMESPACES))
                .withName(name)
                .endMetadata()
                .withNewSpec()
                .withPodSelector(selector())
                .withPolicyTypes(types)
                .withIngress(some(2, () -> new NetworkPolicyIngressRule(some(2, this::peer), some(2, this::port))))
                .withEgress(some(2, () -> new NetworkPolicyEgressRule(some(2, this::port), some(2, this::peer))))
                .endSpec()
                .build();
        if (chance(10)) {
            malformed.add(name);
            NetworkPolicyPort broken = new NetworkPolicyPort(10, new IntOrString(80), "TCP");
            policy.getSpec().getIngress().add(new NetworkPolicyIngressRule(List.of(), List.of(broken)));
        }
        return policy;
    }

    private LabelSelector selector() {
        LabelSelectorBuilder selector = new LabelSelectorBuilder();
        if (chance(35)) {
            selector.addToMatchLabels(one(KEYS), one(VALUES));
        }
        if (chance(35)) {
            String operator = one(List.of("In", "NotIn", "Exists", "DoesNotExist"));
            List<String> values = operator.endsWith("In") ? List.of(one(VALUES), one(VALUES)) : List.of();
            selector.addToMatchExpressions(new LabelSelectorRequirement(one(KEYS), operator, values));
        }
        return selector.build();
    }

    private NetworkPolicyPeer peer() {
        return switch (random.nextInt(4)) {
            case 0 -> new NetworkPolicyPeer(null, null, selector());
            case 1 -> new NetworkPolicyPeer(null, selector(), null);
            case 2 -> new NetworkPolicyPeer(null, selector(), selector());
            default -> new NetworkPolicyPeer(block(), null, null);
        };
    }

    private IPBlock block() {
        return one(List.of(
                new IPBlock("10.0.0.0/8", List.of("10.0.0.4/30", "10.0.0.9/32")),
                new IPBlock("10.0.0.0/29", List.of()),
                new IPBlock("0.0.0.0/0", List.of("10.0.0.0/8")),
                new IPBlock("10.0.0.2/31", List.of("10.0.0.3/32")),
                new IPBlock("fd00::/8", List.of("fd00::4/126", "fd00::9/128")),
                new IPBlock("fd00::/125", List.of()),
                new IPBlock("::/0", List.of("fd00::/16")),
                new IPBlock("2001:db8::/32", List.of("2001:db8:1::/48")),
                new IPBlock("192.168.0.0/16", List.of("192.168.1.0/24", "192.168.1.128/25"))));
    }

    private NetworkPolicyPort port() {
        String protocol = chance(40) ? null : one(PROTOCOLS);
        return switch (random.nextInt(5)) {
            case 0 -> new NetworkPolicyPort(null, null, protocol);
            case 1 -> new NetworkPolicyPort(8080, new IntOrString(79), protocol);
            case 2 -> new NetworkPolicyPort(null, new IntOrString(one(List.of("web", "dns"))), protocol);
            default -> new NetworkPolicyPort(null, new IntOrString(one(List.of(53, 80, 8080))), protocol);
        };
    }

    private Node node(int i) {
        return new NodeBuilder()
                .withNewMetadata()
                .withName("node-" + i)
                .withLabels(labels())
                .endMetadata()
                .withNewStatus()
                .addNewAddress("192.168.9." + i, "InternalIP")
                .addNewAddress("2001:db8:9::" + i, "ExternalIP")
                .addNewAddress("node-" + i, "Hostname")
                .endStatus()
                .build();
    }

    private GenericKubernetesResource clusterPolicy(int i) {
        Map<String, Object> spec = new HashMap<>();
        spec.put("tier", one(List.of("Admin", "Baseline")));
        spec.put("priority", (i * 7) % 5 + (chance(50) ? 0 : 995));
        spec.put("subject", podsOrNamespaces());
        spec.put("ingress", some(3, () -> clusterRule("from")));
        spec.put("egress", some(3, () -> clusterRule("to")));
        GenericKubernetesResource policy = new GenericKubernetesResource();
        policy.setApiVersion("policy.networking.k8s.io/v1alpha2");
        policy.setKind("ClusterNetworkPolicy");
        policy.setMetadata(new ObjectMetaBuilder().withName("c" + i).build());
        policy.setAdditionalProperty("spec", spec);
        return policy;
    }

    private Map<String, Object> clusterRule(String peers) {
        Map<String, Object> rule = new HashMap<>();
        rule.put("action", one(List.of("Accept", "Deny", "Pass")));
        List<Map<String, Object>> of = some(1, () -> clusterPeer(peers));
        of.add(clusterPeer(peers));
        rule.put(peers, of);
        if (chance(60)) {
            boolean byPod = of.stream().noneMatch(peer -> peer.containsKey("nodes") || peer.containsKey("networks"));
            List<Map<String, Object>> protocols = some(1, () -> clusterProtocol(byPod));
            protocols.add(clusterProtocol(byPod));
            rule.put("protocols", protocols);
        }
        return rule;
    }

    private Map<String, Object> clusterPeer(String peers) {
        if (chance(4)) {
            return one(List.of(Map.of(), Map.of("domainNames", List.of("example.com")), Map.of("later", Map.of())));
        }
        if (peers.equals("from") || chance(60)) {
            return podsOrNamespaces();
        }
        return chance(40)
                ? Map.of("nodes", plain(selector()))
                : Map.of(
                        "networks",
                        one(List.of(
                                List.of("10.0.0.0/29", "fd00::/125"),
                                List.of("0.0.0.0/0"),
                                List.of("192.168.0.0/16", "192.168.9.0/31", "2001:db8::/32"),
                                List.of("::/0", "10.0.0.4/30"))));
    }

    private Map<String, Object> podsOrNamespaces() {
        return chance(50)
                ? Map.of("namespaces", plain(selector()))
                : Map.of("pods", Map.of("namespaceSelector", plain(selector()), "podSelector", plain(selector())));
    }

    private Map<String, Object> clusterProtocol(boolean byPod) {
        if (byPod && chance(30)) {
            return Map.of("destinationNamedPort", one(List.of("web", "dns")));
        }
        Map<String, Object> port = chance(50)
                ? Map.of("number", one(List.of(53, 80, 8080)))
                : Map.of("range", Map.of("start", 79, "end", 8080));
        return Map.of(one(List.of("tcp", "udp", "sctp")), Map.of("destinationPort", port));
    }

    /** As it is in an object of a kind that no class is for. */
    private static Map<?, ?> plain(LabelSelector selector) {
        return SERIALIZATION.convertValue(selector, Map.class);
    }
}
