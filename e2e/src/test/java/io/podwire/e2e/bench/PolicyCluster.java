package io.podwire.e2e.bench;

import com.google.common.collect.ImmutableSortedMap;
import io.podwire.common.net.IpAddress;
import io.podwire.common.net.IpPrefix;
import io.podwire.common.net.NodeName;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * 10,000 pods in 100 namespaces, spread over nodes one after the other, under 1,000 policies: in each namespace one that
 * lets the pods of one app of all namespaces in, and nine between two apps of a team of namespaces, with an ipBlock.
 */
record PolicyCluster(int nodes) {
    static final int PODS = 10_000;
    static final int NAMESPACES = 100;
    static final int POLICIES = 1_000;
    static final int APPS = 20;
    private static final int TEAMS = 10;
    private static final int OF_NAMESPACE = PODS / NAMESPACES;

    NodeName node(int number) {
        return new NodeName("node-" + number);
    }

    int nodeOf(int pod) {
        return pod % nodes;
    }

    static String namespaceOf(int pod) {
        return "ns-" + pod / OF_NAMESPACE;
    }

    static Map<String, String> labels(int pod) {
        return Map.of("app", "app-" + pod % APPS, "tier", pod % 3 == 0 ? "front" : "back");
    }

    static IpAddress address(int pod) {
        return IpAddress.ofV4(0x0a000000 + 256 * (pod / 200) + pod % 200 + 10);
    }

    Pod pod(int number, Map<String, String> labels) {
        return new Pod(
                new PodKey(namespaceOf(number), "pod-" + number),
                "",
                labels,
                node(nodeOf(number)).value(),
                Set.of(address(number)),
                false,
                false,
                List.of());
    }

    Endpoint endpoint(int pod) {
        return new Endpoint(
                "container-" + pod + "/eth0", new PodKey(namespaceOf(pod), "pod-" + pod), "", Set.of(address(pod)));
    }

    static Namespace namespace(int number, String team) {
        return new Namespace("ns-" + number, Map.of("team", team));
    }

    static String team(int namespace) {
        return "team-" + namespace % TEAMS;
    }

    /** A policy; another port is another policy of the same name. */
    static NetworkPolicy policy(int number, int port) {
        int namespace = number % NAMESPACES;
        int of = number / NAMESPACES;
        List<PolicyPort> ports = List.of(new PolicyPort.Range(Protocol.TCP, port, port));
        PolicyKey key = new PolicyKey("ns-" + namespace, "policy-" + of);
        if (of == 0) {
            Peer app0 = new Peer.InNamespaces(LabelSelector.EVERYTHING, app(0));
            return new NetworkPolicy(
                    key,
                    LabelSelector.EVERYTHING,
                    Set.of(Direction.INGRESS),
                    List.of(new PolicyRule(List.of(app0), ports)),
                    List.of(),
                    "");
        }
        Peer team = new Peer.InNamespaces(
                new LabelSelector(Map.of("team", team(namespace)), List.of()), app((of + namespace) % APPS));
        Peer block = new Peer.Block(IpPrefix.parse("192.168." + of + ".0/24"), Set.of());
        return new NetworkPolicy(
                key,
                app(of),
                Set.of(Direction.INGRESS, Direction.EGRESS),
                List.of(new PolicyRule(List.of(team, block), ports)),
                List.of(new PolicyRule(List.of(team), List.of())),
                "");
    }

    private static LabelSelector app(int number) {
        return new LabelSelector(Map.of("app", "app-" + number), List.of());
    }

    /** Everything. */
    ClusterDelta all() {
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < NAMESPACES; i++) {
            changes.add(new Change.NamespaceSet(namespace(i, team(i))));
        }
        List<SortedMap<String, Endpoint>> endpoints = new ArrayList<>();
        for (int i = 0; i < nodes; i++) {
            endpoints.add(new TreeMap<>());
        }
        for (int i = 0; i < PODS; i++) {
            changes.add(new Change.PodSet(pod(i, labels(i))));
            endpoints.get(nodeOf(i)).put(endpoint(i).key(), endpoint(i));
        }
        for (int i = 0; i < POLICIES; i++) {
            changes.add(new Change.PolicySet(policy(i, 80)));
        }
        for (int i = 0; i < nodes; i++) {
            changes.add(new Change.NodeSet(node(i), ImmutableSortedMap.copyOf(endpoints.get(i))));
        }
        return new ClusterDelta(changes);
    }

    /** The same objects as manifests: one file of all, and one of policy 1 alone. */
    void write(Path folder) throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < NAMESPACES; i++) {
            text.append("""
                    apiVersion: v1
                    kind: Namespace
                    metadata: {name: ns-%d, labels: {team: %s}}
                    ---
                    """.formatted(i, team(i)));
        }
        for (int i = 0; i < PODS; i++) {
            text.append("""
                    apiVersion: v1
                    kind: Pod
                    metadata: {namespace: %s, name: pod-%d, labels: {app: app-%d, tier: %s}}
                    spec: {nodeName: %s}
                    ---
                    """.formatted(
                            namespaceOf(i),
                            i,
                            i % APPS,
                            labels(i).get("tier"),
                            node(nodeOf(i)).value()));
        }
        for (int i = 0; i < POLICIES; i++) {
            if (i != 1) {
                text.append(manifest(i, 80)).append("---\n");
            }
        }
        var _ = Files.writeString(folder.resolve("all.yaml"), text);
        changePolicy(folder, 80);
    }

    /** Policy 1, which selects every pod of its namespace, with another port. */
    static void changePolicy(Path folder, int port) throws IOException {
        var _ = Files.writeString(folder.resolve("one.yaml"), manifest(1, port));
    }

    private static String manifest(int number, int port) {
        int namespace = number % NAMESPACES;
        int of = number / NAMESPACES;
        String head = """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: ns-%d, name: policy-%d}
                """.formatted(namespace, of);
        if (of == 0) {
            return head + """
                    spec:
                      podSelector: {}
                      ingress:
                        - from: [{namespaceSelector: {}, podSelector: {matchLabels: {app: app-0}}}]
                          ports: [{protocol: TCP, port: %d}]
                    """.formatted(port);
        }
        String peer = "{namespaceSelector: {matchLabels: {team: %s}}, podSelector: {matchLabels: {app: app-%d}}}"
                .formatted(team(namespace), (of + namespace) % APPS);
        return head + """
                spec:
                  podSelector: {matchLabels: {app: app-%d}}
                  policyTypes: [Ingress, Egress]
                  ingress:
                    - from: [%s, {ipBlock: {cidr: 192.168.%d.0/24}}]
                      ports: [{protocol: TCP, port: %d}]
                  egress:
                    - to: [%s]
                """.formatted(of, peer, of, port, peer);
    }
}
