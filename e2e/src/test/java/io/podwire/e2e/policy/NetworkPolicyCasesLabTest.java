package io.podwire.e2e.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import io.podwire.common.testing.Seeds;
import io.podwire.e2e.mesh.Mesh;
import io.podwire.e2e.mesh.PingRun;
import io.podwire.e2e.mesh.SharedMesh;
import io.podwire.e2e.mesh.Shell;
import io.podwire.e2e.policy.ProbedWorld.Expected;
import io.podwire.e2e.policy.ProbedWorld.Objects;
import io.podwire.policy.PolicyOracle;
import io.podwire.policy.PolicyOracle.Party;
import io.podwire.policy.RandomCluster;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import io.podwire.proto.policy.v1.Tier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/**
 * The cases of the Kubernetes end-to-end tests of NetworkPolicy, by their names: real packets between all pairs of
 * pods on two nodes, TCP and UDP, ports 80 and 81, IPv4 and IPv6.
 */
@Tag("lab")
@ExtendWith(SharedMesh.class)
@TestInstance(Lifecycle.PER_CLASS)
final class NetworkPolicyCasesLabTest {
    private static final String A = "podSelector: {matchLabels: {pod: a}}";
    private static final String FROM_Y = "from: [{namespaceSelector: {matchLabels: {ns: y}}}]";
    private static final int CHANGES = 12;
    /** Of 648 packets each. */
    private static final int RANDOM_CLUSTERS = 20;

    private static final KubernetesSerialization YAML = new KubernetesSerialization();

    private final Mesh mesh;
    private ProbedWorld world;

    NetworkPolicyCasesLabTest(Mesh mesh) {
        this.mesh = mesh;
    }

    @BeforeAll
    void start() throws IOException {
        world = new ProbedWorld(mesh);
    }

    @AfterAll
    void close() throws IOException {
        world.close();
    }

    /** What a case does, step by step. */
    private interface Steps {
        void run() throws IOException;
    }

    private static DynamicTest should(String name, Steps steps) {
        return DynamicTest.dynamicTest("should " + name, steps::run);
    }

    private void expect(Objects objects, Expected expected) throws IOException {
        world.apply(objects);
        world.probe(expected);
    }

    private static Objects policy(String key, String spec) {
        return new Objects().policy(key, spec);
    }

    private static boolean in(String ns, String pod) {
        return pod.startsWith(ns + "/");
    }

    private static boolean named(String name, String pod) {
        return pod.endsWith("/" + name);
    }

    private static Expected all() {
        return (_, _, _, _, _) -> true;
    }

    /** To x/a only from some; all else passes. */
    private static Expected toXa(java.util.function.Predicate<String> from) {
        return (source, to, _, _, _) -> !to.equals("x/a") || from.test(source);
    }

    /** To x/a only over a protocol and port; all else passes. */
    private static Expected toXaOver(String protocol, int port) {
        return (_, to, p, n, _) -> !to.equals("x/a") || (p.equals(protocol) && n == port);
    }

    /** From x/a only to some; all else passes. */
    private static Expected fromXa(java.util.function.Predicate<String> to) {
        return (from, destination, _, _, _) -> !from.equals("x/a") || to.test(destination);
    }

    @TestFactory
    Stream<DynamicTest> ingress() {
        return Stream.of(
                should(
                        "support a 'default-deny-ingress' policy",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, policyTypes: [Ingress]}"),
                                (_, to, _, _, _) -> !in("x", to))),
                should(
                        "support a 'default-deny-all' policy",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
                                (from, to, _, _, _) -> !in("x", to) && !in("x", from))),
                should(
                        "enforce policy to allow traffic from pods within server namespace based on PodSelector",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}"),
                                toXa(from -> from.equals("x/b")))),
                should(
                        "enforce policy to allow ingress traffic for a target",
                        () -> expect(
                                policy("x/deny", "{podSelector: {}, policyTypes: [Ingress]}")
                                        .policy(
                                                "x/allow",
                                                "{" + A
                                                        + ", ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}"),
                                (from, to, _, _, _) -> !in("x", to) || (to.equals("x/a") && from.equals("x/b")))),
                should(
                        "enforce policy to allow ingress traffic from pods in all namespaces",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{from: [{namespaceSelector: {}}]}]}"), all())),
                should(
                        "enforce policy to allow traffic only from a different namespace, based on NamespaceSelector",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{" + FROM_Y + "}]}"),
                                toXa(from -> in("y", from)))),
                should(
                        "enforce policy based on PodSelector with MatchExpressions",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{podSelector: {matchExpressions:"
                                                + " [{key: pod, operator: In, values: [b]}]}}]}]}"),
                                toXa(from -> from.equals("x/b")))),
                should(
                        "enforce policy based on NamespaceSelector with MatchExpressions",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                                + " [{key: ns, operator: In, values: [y]}]}}]}]}"),
                                toXa(from -> in("y", from)))),
                should(
                        "enforce policy based on PodSelector or NamespaceSelector",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}},"
                                                + " {podSelector: {matchLabels: {pod: b}}}]}]}"),
                                toXa(from -> in("y", from) || from.equals("x/b")))),
                should(
                        "enforce policy based on PodSelector and NamespaceSelector",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}},"
                                                + " podSelector: {matchLabels: {pod: b}}}]}]}"),
                                toXa(from -> from.equals("y/b")))),
                should(
                        "enforce policy based on Multiple PodSelectors and NamespaceSelectors",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A
                                                + ", ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: ns,"
                                                + " operator: NotIn, values: [x]}]}, podSelector: {matchExpressions:"
                                                + " [{key: pod, operator: In, values: [b, c]}]}}]}]}"),
                                toXa(from -> !in("x", from) && !named("a", from)))),
                should(
                        "enforce policy based on any PodSelectors",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A
                                                + ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels:"
                                                + " {pod: b}}}, {namespaceSelector: {}, podSelector: {matchLabels:"
                                                + " {pod: c}}}]}]}"),
                                toXa(from -> named("b", from) || named("c", from)))),
                should(
                        "enforce policy to allow traffic only from a pod in a different namespace based on PodSelector"
                                + " and NamespaceSelector",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}},"
                                                + " podSelector: {matchLabels: {pod: a}}}]}]}"),
                                toXa(from -> from.equals("y/a")))),
                should(
                        "deny ingress from pods on other namespaces",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
                                (from, to, _, _, _) -> !in("x", to) || in("x", from))),
                should(
                        "enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels:"
                                                + " {kubernetes.io/metadata.name: y}}}]}]}"),
                                toXa(from -> in("y", from)))),
                should(
                        "enforce policy based on NamespaceSelector with MatchExpressions using default ns label",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                                + " [{key: kubernetes.io/metadata.name, operator: NotIn, values: [y]}]}}]}]}"),
                                toXa(from -> !in("y", from)))));
    }

    @TestFactory
    Stream<DynamicTest> ports() {
        return Stream.of(
                should(
                        "enforce policy based on Ports",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{port: 81}], " + FROM_Y + "}]}"),
                                (from, to, protocol, port, _) ->
                                        !to.equals("x/a") || (in("y", from) && protocol.equals("TCP") && port == 81))),
                should("enforce multiple, stacked policies with overlapping podSelectors", () -> {
                    Objects first = policy("x/p1", "{" + A + ", ingress: [{ports: [{port: 80}], " + FROM_Y + "}]}");
                    expect(
                            first,
                            (from, to, protocol, port, _) ->
                                    !to.equals("x/a") || (in("y", from) && protocol.equals("TCP") && port == 80));
                    expect(
                            first.policy("x/p2", "{" + A + ", ingress: [{ports: [{port: 81}], " + FROM_Y + "}]}"),
                            (from, to, protocol, _, _) ->
                                    !to.equals("x/a") || (in("y", from) && protocol.equals("TCP")));
                }),
                should(
                        "allow ingress access on one named port",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{port: serve-81-tcp}]}]}"),
                                toXaOver("TCP", 81))),
                should(
                        "allow ingress access from namespace on one named port",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", ingress: [{ports: [{port: serve-80-tcp}], " + FROM_Y + "}]}"),
                                (from, to, protocol, port, _) ->
                                        !to.equals("x/a") || (in("y", from) && protocol.equals("TCP") && port == 80))),
                should(
                        "allow egress access on one named port",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A
                                                + ", policyTypes: [Egress], egress: [{ports: [{port: serve-80-tcp}]}]}"),
                                (from, _, protocol, port, _) ->
                                        !from.equals("x/a") || (protocol.equals("TCP") && port == 80))),
                should(
                        "enforce ingress policy allowing any port traffic to a server on a specific protocol",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{protocol: TCP}]}]}"),
                                (_, to, protocol, _, _) -> !to.equals("x/a") || protocol.equals("TCP"))),
                // Ports of SCTP are matched here; its packets need a kernel that has them.
                should(
                        "not mistakenly treat 'protocol: SCTP' as 'protocol: TCP', even if the plugin doesn't support SCTP",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{protocol: SCTP, port: 81}]}]}"),
                                toXa(_ -> false))),
                should(
                        "properly isolate pods that are selected by a policy allowing SCTP, even if the plugin doesn't"
                                + " support SCTP",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{protocol: SCTP, port: 80}]}]}"),
                                toXa(_ -> false))),
                should(
                        "not allow access by TCP when a policy specifies only UDP",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{protocol: UDP, port: 81}]}]}"),
                                toXaOver("UDP", 81))),
                should(
                        "allow a range by endPort",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{ports: [{port: 70, endPort: 80}]}]}"),
                                toXaOver("TCP", 80))));
    }

    @TestFactory
    Stream<DynamicTest> egressAndBoth() {
        String toYa = "{" + A + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {ns: y}},"
                + " podSelector: {matchLabels: {pod: a}}}]}]}";
        return Stream.of(
                should(
                        "support allow-all policy",
                        () -> expect(policy("x/p", "{podSelector: {}, ingress: [{}]}"), all())),
                should(
                        "deny egress from pods based on PodSelector",
                        () -> expect(policy("x/p", "{" + A + ", policyTypes: [Egress]}"), fromXa(_ -> false))),
                should(
                        "deny egress from all pods in a namespace",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, policyTypes: [Egress]}"),
                                (from, _, _, _, _) -> !in("x", from))),
                should(
                        "work with Ingress, Egress specified together",
                        () -> expect(
                                policy(
                                        "x/p",
                                        "{" + A + ", policyTypes: [Ingress, Egress], ingress: [{" + FROM_Y
                                                + "}], egress: [{ports: [{port: 80}]}]}"),
                                (from, to, protocol, port, _) -> (!to.equals("x/a") || in("y", from))
                                        && (!from.equals("x/a") || (protocol.equals("TCP") && port == 80)))),
                should(
                        "support denying of egress traffic on the client side (even if the server explicitly allows this"
                                + " traffic)",
                        () -> expect(
                                policy("x/client", toYa)
                                        .policy(
                                                "y/server",
                                                "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels:"
                                                        + " {ns: x}}}]}]}"),
                                (from, to, _, _, _) ->
                                        (!from.equals("x/a") || to.equals("y/a")) && (!in("y", to) || in("x", from)))),
                should(
                        "enforce egress policy allowing traffic to a server in a different namespace based on PodSelector"
                                + " and NamespaceSelector",
                        () -> expect(policy("x/p", toYa), fromXa(to -> to.equals("y/a")))),
                should(
                        "enforce multiple ingress policies with ingress allow-all policy taking precedence",
                        () -> expect(
                                policy("x/deny", "{podSelector: {}, policyTypes: [Ingress]}")
                                        .policy("x/allow", "{podSelector: {}, ingress: [{}]}"),
                                all())),
                should(
                        "enforce multiple egress policies with egress allow-all policy taking precedence",
                        () -> expect(
                                policy("x/deny", "{podSelector: {}, policyTypes: [Egress]}")
                                        .policy("x/allow", "{podSelector: {}, policyTypes: [Egress], egress: [{}]}"),
                                all())),
                should(
                        "allow egress access to server in CIDR block",
                        () -> expect(policy("x/p", toBlocks(cidrs("y/b"))), fromXa(to -> to.equals("y/b")))),
                should(
                        "enforce except clause while egress access to server in CIDR block",
                        () -> expect(policy("x/p", toAllExcept("y/b")), fromXa(to -> !to.equals("y/b")))),
                should(
                        "ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed",
                        () -> expect(
                                policy("x/deny", toAllExcept("y/b")).policy("x/allow", toBlocks(cidrs("y/b"))), all())),
                should(
                        "enforce policies to check ingress and egress policies can be controlled independently based on"
                                + " PodSelector",
                        () -> expect(
                                policy("x/p", "{" + A + ", policyTypes: [Ingress, Egress], egress: [{}]}"),
                                toXa(_ -> false))));
    }

    /** Blocks of both families, as a policy names them. */
    private List<String> cidrs(String pod) {
        return world.cidrs(pod).stream().map(cidr -> "{cidr: '" + cidr + "'}").toList();
    }

    private static String toBlocks(List<String> blocks) {
        return "{" + A + ", policyTypes: [Egress], egress: [{to: ["
                + String.join(
                        ", ",
                        blocks.stream().map(block -> "{ipBlock: " + block + "}").toList()) + "]}]}";
    }

    private String toAllExcept(String pod) {
        List<String> holes = world.cidrs(pod);
        return toBlocks(List.of(
                "{cidr: 0.0.0.0/0, except: ['" + holes.getFirst() + "']}",
                "{cidr: '::/0', except: ['" + holes.getLast() + "']}"));
    }

    @TestFactory
    Stream<DynamicTest> updates() {
        return Stream.of(
                should("enforce updated policy", () -> {
                    expect(policy("x/p", "{" + A + ", ingress: [{}]}"), all());
                    expect(policy("x/p", "{" + A + ", policyTypes: [Ingress]}"), toXa(_ -> false));
                }),
                should("allow ingress access from updated namespace", () -> {
                    Objects before = policy(
                            "x/p", "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {team: q}}}]}]}");
                    expect(before, toXa(_ -> false));
                    expect(before.namespaceLabel("y", "team: q"), toXa(from -> in("y", from)));
                }),
                should("allow ingress access from updated pod", () -> {
                    Objects before =
                            policy("x/p", "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {role: r}}}]}]}");
                    expect(before, toXa(_ -> false));
                    expect(before.podLabel("x/b", "role: r"), toXa(from -> from.equals("x/b")));
                }),
                should("deny ingress access to updated pod", () -> {
                    Objects before = policy("x/p", "{podSelector: {matchLabels: {role: r}}, policyTypes: [Ingress]}");
                    expect(before, all());
                    expect(before.podLabel("x/a", "role: r"), toXa(_ -> false));
                }),
                should("stop enforcing policies after they are deleted", () -> {
                    Objects before = policy("x/p", "{podSelector: {}, policyTypes: [Ingress, Egress]}");
                    expect(before, (from, to, _, _, _) -> !in("x", from) && !in("x", to));
                    expect(before.without("x/p"), all());
                }));
    }

    private void expect(Objects objects, String clusterPolicies, Expected expected) throws IOException {
        world.apply(objects, clusterPolicies);
        world.probe(expected);
    }

    /** A ClusterNetworkPolicy about all pods of namespace x. */
    private static String overX(String name, String tier, int priority, String rules) {
        return """
                ---
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: %s}
                spec: {tier: %s, priority: %d, subject: {namespaces: {matchLabels: {ns: x}}}, %s}
                """.formatted(name, tier, priority, rules);
    }

    @TestFactory
    Stream<DynamicTest> clusterNetworkPolicies() {
        String fromY = "from: [{namespaces: {matchLabels: {ns: y}}}]";
        String fromAll = "from: [{namespaces: {}}]";
        String fromB = "from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}}]";
        String denyAll = overX("deny", "Admin", 20, "ingress: [{action: Deny, " + fromAll + "}]");
        return Stream.of(
                should(
                        "deny in tier Admin what a NetworkPolicy allows",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, ingress: [{" + FROM_Y + "}]}"),
                                overX("c", "Admin", 10, "ingress: [{action: Deny, " + fromB + "}]"),
                                (from, to, _, _, _) -> !in("x", to) || (in("y", from) && !named("b", from)))),
                should(
                        "accept in tier Admin what a NetworkPolicy isolates, by protocol and port",
                        () -> expect(
                                policy("x/p", "{podSelector: {}, policyTypes: [Ingress]}"),
                                overX(
                                        "c",
                                        "Admin",
                                        10,
                                        "ingress: [{action: Accept, " + fromY
                                                + ", protocols: [{tcp: {destinationPort: {number: 80}}},"
                                                + " {destinationNamedPort: dns}]}]"),
                                (from, to, protocol, port, _) ->
                                        !in("x", to) || (in("y", from) && protocol.equals("TCP") == (port == 80)))),
                should(
                        "leave to NetworkPolicies what tier Admin passes, and cut the rest",
                        () -> expect(
                                policy("x/p", "{" + A + ", policyTypes: [Ingress]}"),
                                overX("c", "Admin", 10, "ingress: [{action: Pass, " + fromY + "}]") + denyAll,
                                (from, to, _, _, _) -> !in("x", to) || (in("y", from) && !to.equals("x/a")))),
                should(
                        "deny in tier Baseline unless a NetworkPolicy isolates the pod",
                        () -> expect(
                                policy("x/p", "{" + A + ", ingress: [{" + FROM_Y + "}]}"),
                                overX("c", "Baseline", 10, "ingress: [{action: Deny, " + fromAll + "}]"),
                                (from, to, _, _, _) -> !in("x", to) || (to.equals("x/a") && in("y", from)))),
                should(
                        "deny egress to networks of both families",
                        () -> expect(
                                new Objects(),
                                overX(
                                        "c",
                                        "Admin",
                                        10,
                                        "egress: [{action: Deny, to: [{networks: ['"
                                                + String.join("', '", world.cidrs("y/b")) + "']}]}]"),
                                (from, to, _, _, _) -> !in("x", from) || !to.equals("y/b"))),
                should(
                        "close a rule that names domains",
                        () -> expect(
                                new Objects(),
                                overX("c", "Admin", 10, "egress: [{action: Deny, to: [{domainNames: [example.com]}]}]"),
                                (from, _, _, _, _) -> !in("x", from))),
                should("stop enforcing them after they are deleted", () -> {
                    expect(new Objects(), denyAll, (_, to, _, _, _) -> !in("x", to));
                    expect(new Objects(), all());
                }));
    }

    /** A node's own addresses, which its pods reach by its input hook. */
    @Test
    void nodesAreDestinationsOfClusterNetworkPolicies() throws IOException {
        String six = "fd00:9::1";
        String four = Shell.output("ip", "-n", "netpol-1", "-4", "-o", "addr", "show", "dev", "eth0")
                .replaceAll("(?s).*inet ([0-9.]+)/.*", "$1");
        var _ = Shell.output("ip", "-n", "netpol-1", "addr", "add", six + "/64", "dev", "eth0", "nodad");
        String deny = overX("c", "Admin", 10, "egress: [{action: Deny, to: [{nodes: {matchLabels: {role: db}}}]}]");
        for (String role : List.of("db", "web", "db")) {
            String node = """
                    ---
                    apiVersion: v1
                    kind: Node
                    metadata: {name: netpol-1, labels: {role: %s}}
                    status: {addresses: [{type: InternalIP, address: %s}, {type: InternalIP, address: '%s'}]}
                    """.formatted(role, four, six);
            world.apply(new Objects(), node + deny);
            for (String address : List.of(four, six)) {
                assertThat(world.pings("x/a", address))
                        .as("x/a to %s with role %s", address, role)
                        .isEqualTo(role.equals("web"));
                assertThat(world.pings("y/b", address))
                        .as("y/b, whom it is not about, to %s", address)
                        .isTrue();
            }
        }
        FlowExplanation flow = new PolicyCommand(mesh)
                .explain("x/a", four, "TCP", 22)
                .getFlowsList()
                .getFirst();
        assertThat(flow.getAllowed()).as("what explain says").isFalse();
        assertThat(flow.getEgress().getPoliciesList()).containsExactly("c");
        assertThat(flow.getEgress().getTier()).isEqualTo(Tier.TIER_ADMIN);
        world.apply(new Objects());
    }

    /** policy-service dies and comes back: not one packet of what is allowed between nodes is lost. */
    @Test
    void aServiceThatComesBackTakesNothingAway() throws Exception {
        world.apply(policy("x/p", "{" + A + ", ingress: [{" + FROM_Y + "}]}"));
        try (PingRun pings = world.ping("y/a", "x/a", Duration.ofMillis(20))) {
            pings.awaitReplies(10);
            mesh.policy().kill();
            mesh.startAgain(mesh.policy());
            world.awaitEnforced(0);
            pings.awaitReplies(pings.replies() + 50);
            assertThat(pings.end()).as("pings that were lost").isEmpty();
        }
        world.probe(toXa(from -> in("y", from)));
    }

    /** Random labels and policies: what passes is what the documentation says, as the oracle reads it. */
    @Test
    void randomPoliciesAgreeWithTheOracle() {
        AtomicInteger denied = new AtomicInteger();
        AtomicInteger allowed = new AtomicInteger();
        Seeds.forEach(NetworkPolicyCasesLabTest.class, RANDOM_CLUSTERS, random -> {
            RandomCluster cluster = new RandomCluster(random);
            Objects objects = new Objects();
            Map<String, Pod> pods = new HashMap<>();
            for (String pod : ProbedWorld.PODS) {
                Map<String, String> labels = cluster.labels();
                objects = objects.podLabel(pod, yaml(labels));
                pods.put(pod, pod(pod, labels));
            }
            for (Namespace namespace : cluster.namespaces.values()) {
                objects = objects.namespaceLabel(
                        namespace.getMetadata().getName(),
                        yaml(namespace.getMetadata().getLabels()));
            }
            world.apply(
                    objects, cluster.policies.stream().map(YAML::asYaml).collect(Collectors.joining("\n", "\n", "\n")));
            PolicyOracle oracle = new PolicyOracle(cluster.namespaces, cluster.policies, cluster.malformed);
            world.probe((from, to, protocol, port, six) -> {
                Party source = new Party(world.address(from, six), pods.get(from));
                Party destination = new Party(world.address(to, six), pods.get(to));
                boolean passes = oracle.egressAllows(source, destination, protocol, port)
                        && oracle.ingressAllows(source, destination, protocol, port);
                (passes ? allowed : denied).incrementAndGet();
                return passes;
            });
        });
        assertThat(denied).as("packets that were denied").hasValueGreaterThan(RANDOM_CLUSTERS * 50);
        assertThat(allowed).as("packets that were allowed").hasValueGreaterThan(RANDOM_CLUSTERS * 50);
    }

    private static String yaml(Map<String, String> labels) {
        return labels.entrySet().stream()
                .map(label -> label.getKey() + ": '" + label.getValue() + "'")
                .collect(Collectors.joining(", "));
    }

    private static Pod pod(String name, Map<String, String> labels) {
        Map<String, String> all = new HashMap<>(labels);
        all.put("pod", name.substring(2));
        all.put("ns", name.substring(0, 1));
        return new PodBuilder()
                .withNewMetadata()
                .withNamespace(name.substring(0, 1))
                .withName(name.substring(2))
                .withLabels(all)
                .endMetadata()
                .withNewSpec()
                .addNewContainer()
                .addNewPort()
                .withName("web")
                .withContainerPort(80)
                .endPort()
                .addNewPort()
                .withName("dns")
                .withProtocol("UDP")
                .withContainerPort(81)
                .endPort()
                .endContainer()
                .endSpec()
                .build();
    }

    /** Policies of x/a come, change and go, and so do labels: what they do not touch passes, or is kept out, throughout. */
    @Test
    void updatesDeletesAndRelabelsTouchNothingElse() throws Exception {
        Objects base = policy("z/closed", "{podSelector: {matchLabels: {pod: c}}, policyTypes: [Ingress]}");
        world.apply(base);
        AtomicBoolean changing = new AtomicBoolean(true);
        AtomicInteger rounds = new AtomicInteger();
        CompletableFuture<Void> probing = CompletableFuture.runAsync(() -> {
            List<String> others =
                    ProbedWorld.PODS.stream().filter(pod -> !pod.equals("x/a")).toList();
            while (changing.get()) {
                world.probe(others, others, (_, to, _, _, _) -> !to.equals("z/c"));
                rounds.incrementAndGet();
            }
        });
        List<Objects> states = new ArrayList<>(List.of(
                base.policy("x/p", "{" + A + ", policyTypes: [Ingress, Egress]}"),
                base.policy("x/p", "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {role: r}}}]}]}"),
                base.policy("x/p", "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {role: r}}}]}]}")
                        .podLabel("x/b", "role: r"),
                base.policy("x/p", "{" + A + ", ingress: [{" + FROM_Y + "}]}").namespaceLabel("y", "team: q"),
                base));
        try {
            for (int i = 0; i < CHANGES; i++) {
                world.apply(states.get(i % states.size()));
                world.probe(List.of("x/b", "y/a"), List.of("x/a"), expectedIn(i % states.size()));
            }
        } finally {
            changing.set(false);
        }
        probing.get();
        assertThat(rounds.get()).as("rounds of probes meanwhile").isGreaterThan(CHANGES / 2);
    }

    /** What {@code podwire policy explain} says is what packets do. */
    @Test
    void explainSaysWhatPacketsDo() throws IOException {
        world.apply(policy(
                        "x/p",
                        "{" + A + ", ingress: [{" + FROM_Y + ", ports: [{port: 80}, {port: 81, protocol: UDP}]}]}")
                .policy(
                        "y/out",
                        "{podSelector: {matchLabels: {pod: b}}, policyTypes: [Egress], egress:"
                                + " [{to: [{namespaceSelector: {matchLabels: {ns: x}}}], ports: [{port: web}]}]}")
                .policy("z/closed", "{podSelector: {}, policyTypes: [Ingress]}"));
        mesh.answers(answers ->
                world.probe((from, to, protocol, port, six) -> answers.explainTraffic(ExplainTrafficRequest.newBuilder()
                                .setSource(io.podwire.proto.policy.v1.Party.newBuilder()
                                        .setAddress(world.address(from, six)))
                                .setDestination(io.podwire.proto.policy.v1.Party.newBuilder()
                                        .setAddress(world.address(to, six)))
                                .setProtocol(PolicyCommand.protocol(protocol))
                                .setPort(port)
                                .build())
                        .getFlows(0)
                        .getAllowed()));
        PolicyCommand command = new PolicyCommand(mesh);
        world.probe(
                List.of("x/b", "y/b"),
                List.of("x/a"),
                (from, to, protocol, port, six) -> PolicyCommand.allowed(
                        command.explain(from, to, protocol, port), world.address(from, six), world.address(to, six)));
        FlowExplanation flow =
                command.explain("y/b", "x/a", "TCP", 80).getFlowsList().getFirst();
        assertThat(flow.getEgress().getPoliciesList()).containsExactly("y/out");
        assertThat(flow.getEgress().getNode()).as("node of y/b").isEqualTo("netpol-1");
        assertThat(flow.getIngress().getPoliciesList()).containsExactly("x/p");
        assertThat(flow.getIngress().getRule()).isEqualTo("spec.ingress[0]");
        assertThat(List.of(flow.getEgress().getEnforced(), flow.getIngress().getEnforced()))
                .as("enforced")
                .containsOnly(true);
    }

    /** What {@code podwire policy simulate} says would change does, and nothing else. */
    @Test
    void whatASimulationNamesIsWhatChanges(@TempDir Path folder) throws IOException {
        Objects now = policy("x/p", "{" + A + ", ingress: [{" + FROM_Y + "}]}");
        String other = "{" + A + ", ingress: [{ports: [{port: 81, protocol: UDP}]}]}";
        String shut = "{podSelector: {}, policyTypes: [Egress]}";
        world.apply(now);
        Path file = Files.writeString(folder.resolve("then.yaml"), """
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: x, name: p}
                spec: %s
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: y, name: shut}
                spec: %s
                """.formatted(other, shut));
        PolicyCommand command = new PolicyCommand(mesh);
        SimulatePoliciesResponse simulated = command.simulate(file);
        Expected before = toXa(from -> in("y", from));
        world.probe(before);
        world.apply(now.policy("x/p", other).policy("y/shut", shut));
        command.awaitRollout();
        world.probe((from, to, protocol, port, six) -> before.passes(from, to, protocol, port, six)
                != PolicyCommand.flips(simulated, world.address(from, six), world.address(to, six), protocol, port));
        assertThat(simulated.getMoreFlips()).as("more flips").isFalse();
    }

    private static Expected expectedIn(int state) {
        return switch (state) {
            case 0, 1 -> (_, _, _, _, _) -> false;
            case 2 -> (from, _, _, _, _) -> from.equals("x/b");
            case 3 -> (from, _, _, _, _) -> from.equals("y/a");
            default -> all();
        };
    }
}
