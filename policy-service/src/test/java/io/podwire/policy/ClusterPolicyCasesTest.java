package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.common.net.IpAddress;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.ClusterNode;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What ClusterNetworkPolicies mean, as truth tables over all pairs of pods. */
class ClusterPolicyCasesTest {
    private static final String TO_X = "subject: {namespaces: {matchLabels: {ns: x}}}";
    private static final String EVERY_POD = "subject: {namespaces: {}}";
    private static final String FROM_Y = "from: [{namespaces: {matchLabels: {ns: y}}}]";
    private static final String FROM_B =
            "from: [{pods: {namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}}]";
    private static final String FROM_ALL = "from: [{namespaces: {}}]";
    private static final String DENY_ALL = "{action: Deny, " + FROM_ALL + "}";
    private static final String NP_FROM_Y =
            "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}}]}]}";
    private static final String NP_SHUT = "{podSelector: {}, policyTypes: [Ingress]}";

    private static String ingress(String tier, int priority, String subject, String rules) {
        return "{tier: %s, priority: %d, %s, ingress: [%s]}".formatted(tier, priority, subject, rules);
    }

    private static void expect(World world, BiPredicate<String, String> want) {
        expect(world, Protocol.TCP, 80, want);
    }

    private static void expect(World world, Protocol protocol, int port, BiPredicate<String, String> want) {
        assertThat(world.connected(protocol, port)).as(protocol + " " + port).isEqualTo(World.pairs(want));
    }

    private static boolean in(String ns, String pod) {
        return pod.startsWith(ns + "/");
    }

    private static boolean isB(String pod) {
        return pod.endsWith("/b");
    }

    @Test
    void adminDenyWinsOverWhatANetworkPolicyAllows() {
        World world = new World()
                .policy("x/p", NP_FROM_Y)
                .clusterPolicy("c", ingress("Admin", 10, TO_X, "{action: Deny, " + FROM_B + "}"));
        expect(world, (from, to) -> !in("x", to) || (in("y", from) && !isB(from)));
    }

    @Test
    void adminAcceptWinsOverWhatANetworkPolicyIsolates() {
        World world = new World()
                .policy("x/p", NP_SHUT)
                .clusterPolicy("c", ingress("Admin", 10, TO_X, "{action: Accept, " + FROM_B + "}"));
        expect(world, (from, to) -> !in("x", to) || isB(from));
    }

    @Test
    void passLeavesItToTheNetworkPolicies() {
        String rules = "{action: Pass, " + FROM_Y + "}, " + DENY_ALL;
        World world = new World().clusterPolicy("c", ingress("Admin", 10, TO_X, rules));
        expect(world, (from, to) -> !in("x", to) || in("y", from));
        expect(
                world.policy(
                        "x/p",
                        "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}]}]}"),
                (from, to) -> !in("x", to) || (in("y", from) && isB(from)));
    }

    @Test
    void passSkipsEveryFurtherPolicyOfItsTier() {
        World world = new World()
                .clusterPolicy("first", ingress("Admin", 1, TO_X, "{action: Pass, " + FROM_Y + "}"))
                .clusterPolicy("second", ingress("Admin", 2, TO_X, DENY_ALL));
        expect(world, (from, to) -> !in("x", to) || in("y", from));
    }

    @Test
    void passOfTheBaselineLeavesItToTheDefault() {
        World world = new World()
                .clusterPolicy("c", ingress("Baseline", 1, TO_X, "{action: Pass, " + FROM_Y + "}, " + DENY_ALL));
        expect(world, (from, to) -> !in("x", to) || in("y", from));
    }

    @Test
    void baselineDeniesUnlessANetworkPolicySelectsThePod() {
        World world = new World().clusterPolicy("c", ingress("Baseline", 10, EVERY_POD, DENY_ALL));
        expect(world, (_, _) -> false);
        expect(world.policy("x/p", NP_FROM_Y), (from, to) -> in("x", to) && in("y", from));
    }

    @Test
    void aNetworkPolicyThatIsolatesLeavesNothingToTheBaseline() {
        World world = new World()
                .policy("x/p", NP_SHUT)
                .clusterPolicy("c", ingress("Baseline", 10, TO_X, "{action: Accept, " + FROM_ALL + "}"));
        expect(world, (_, to) -> !in("x", to));
        assertThat(new PolicyCompiler(UndeclaredPods.WAIT)
                        .compile(world.snapshot(), World.node("x/a"))
                        .endpoints()
                        .get("cid-x/a/eth0")
                        .ingress()
                        .tiers())
                .as("what its node is told of tiers")
                .isEmpty();
    }

    @Test
    void isolationInOneDirectionLeavesTheOtherToTheBaseline() {
        World world = new World()
                .policy("x/p", "{podSelector: {}, policyTypes: [Egress], egress: [{}]}")
                .clusterPolicy("c", ingress("Baseline", 10, TO_X, DENY_ALL));
        expect(world, (_, to) -> !in("x", to));
    }

    @Test
    void lowerPriorityDecidesFirstAndNamesDecideAmongEquals() {
        World world = new World()
                .clusterPolicy("z-first", ingress("Admin", 0, TO_X, "{action: Accept, " + FROM_Y + "}"))
                .clusterPolicy("a-second", ingress("Admin", 1000, TO_X, DENY_ALL));
        expect(world, (from, to) -> !in("x", to) || in("y", from));
        World equal = new World()
                .clusterPolicy("b", ingress("Admin", 5, TO_X, "{action: Accept, " + FROM_Y + "}"))
                .clusterPolicy("a", ingress("Admin", 5, TO_X, DENY_ALL));
        expect(equal, (_, to) -> !in("x", to));
    }

    @Test
    void rulesOfOneDirectionDoNotTouchTheOther() {
        World world = new World()
                .clusterPolicy(
                        "c",
                        "{tier: Admin, priority: 1, " + TO_X + ", egress: [{action: Deny, to: [{namespaces: {}}]}]}");
        expect(world, (from, _) -> !in("x", from));
    }

    @Test
    void anAcceptedEgressMeetsTheDestinationsIngress() {
        World world = new World()
                .clusterPolicy(
                        "c",
                        "{tier: Admin, priority: 1, " + EVERY_POD
                                + ", egress: [{action: Accept, to: [{namespaces: {}}]}]}")
                .policy("x/p", NP_SHUT);
        expect(world, (_, to) -> !in("x", to));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tcp: {destinationPort: {number: 80}}             | TCP | 80",
                "tcp: {destinationPort: {range: {start: 80, end: 81}}} | TCP | 80 81",
                "udp: {destinationPort: {range: {start: 81, end: 90}}} | UDP | 81",
                "sctp: {destinationPort: {number: 81}}            | SCTP | 81",
                "destinationNamedPort: serve-81-udp               | UDP | 81"
            })
    void protocolsNarrowARule(String protocol, Protocol denied, String ports) {
        String rule = "{action: Deny, " + FROM_ALL + ", protocols: [{" + protocol + "}]}";
        String egress = rule.replace("from:", "to:");
        for (World world : List.of(
                new World().clusterPolicy("c", ingress("Admin", 1, TO_X, rule)),
                new World().clusterPolicy("c", ingress("Baseline", 1, TO_X, rule)),
                new World()
                        .clusterPolicy(
                                "c", "{tier: Admin, priority: 1, %s, egress: [%s]}".formatted(EVERY_POD, egress)))) {
            boolean out = world.snapshot().clusterPolicies().get("c").ingress().isEmpty();
            for (Protocol each : Protocol.values()) {
                for (int port : List.of(80, 81)) {
                    boolean hit = each == denied && List.of(ports.split(" ")).contains(String.valueOf(port));
                    expect(world, each, port, (_, to) -> !hit || (!out && !in("x", to)));
                }
            }
        }
    }

    @Test
    void networksAndNodesAreDestinations() {
        World world = new World()
                .with(
                        node("n1", Map.of("role", "db"), "192.168.9.1", "2001:db8:9::1"),
                        node("n2", Map.of(), "192.168.9.2"))
                .clusterPolicy(
                        "c",
                        "{tier: Admin, priority: 1, " + TO_X + ", egress: ["
                                + "{action: Accept, to: [{nodes: {matchLabels: {role: db}}}]},"
                                + "{action: Deny, to: [{networks: ['192.168.0.0/16', '192.168.9.0/24', '2001:db8::/32']},"
                                + " {networks: ['10.0.2.0/24']}]}]}");
        expect(world, (from, to) -> !in("x", from) || !in("y", to));
        Tracer tracer = world.tracer();
        for (String[] want : new String[][] {
            {"192.168.9.1", "passes"}, {"192.168.9.2", "denied"}, {"192.168.7.1", "denied"}, {"192.169.0.1", "passes"}
        }) {
            assertThat(tracer.allowed(World.address("x/a"), IpAddress.parse(want[0]), Protocol.TCP, 22))
                    .as("x/a to %s", want[0])
                    .isEqualTo(want[1].equals("passes"));
        }
        Tracer relabelled = world.with(
                        node("n1", Map.of(), "192.168.9.1"), node("n2", Map.of("role", "db"), "192.168.9.2"))
                .tracer();
        assertThat(relabelled.allowed(World.address("x/a"), IpAddress.parse("192.168.9.2"), Protocol.TCP, 22))
                .as("the node that has the label now")
                .isTrue();
        assertThat(relabelled.allowed(World.address("x/a"), IpAddress.parse("192.168.9.1"), Protocol.TCP, 22))
                .as("the node that had it")
                .isFalse();
    }

    private static Change node(String name, Map<String, String> labels, String... addresses) {
        return new Change.ClusterNodeSet(new ClusterNode(
                name, labels, Set.of(addresses).stream().map(IpAddress::parse).collect(Collectors.toSet())));
    }

    @Test
    void whileANamespaceIsNotKnownWhatMayDenyItDoes() {
        World denied = new World()
                .clusterPolicy("c", ingress("Admin", 1, TO_X, "{action: Deny, " + FROM_Y + "}"))
                .with(new Change.NamespaceGone("z"));
        expect(denied, (from, to) -> !(in("x", to) || in("z", to)) || !in("y", from));
        World accepted = new World()
                .policy("z/p", NP_SHUT)
                .clusterPolicy(
                        "c",
                        ingress(
                                "Admin",
                                1,
                                "subject: {namespaces: {matchLabels: {ns: z}}}",
                                "{action: Accept, " + FROM_Y + "}"));
        expect(accepted, (from, to) -> !in("z", to) || in("y", from));
        expect(accepted.with(new Change.NamespaceGone("z")), (_, to) -> !in("z", to));
    }

    @Test
    void anInvalidPolicyOpensNothing() {
        World world = new World()
                .policy("x/p", NP_SHUT)
                .clusterPolicy("c", ingress("Admin", 1, TO_X, "{action: Accept, from: [{namespaces: {}}, {}]}"))
                .clusterPolicy(
                        "d",
                        ingress(
                                "Baseline",
                                1,
                                "subject: {namespaces: {matchLabels: {ns: y}}}",
                                "{action: Pass, from: [{}]}"));
        expect(world, (_, to) -> in("z", to));
    }
}
