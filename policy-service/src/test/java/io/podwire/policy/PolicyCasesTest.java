package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;

import io.podwire.policy.model.Namespace;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.snapshot.Change;
import java.util.List;
import java.util.Map;
import java.util.function.BiPredicate;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** The cases of the Kubernetes end-to-end tests, by name, as truth tables over all pairs of pods. */
class PolicyCasesTest {
    private static final String A = "podSelector: {matchLabels: {pod: a}}";
    private static final String ANY = "podSelector: {}";

    /** Asserts which pairs connect over TCP 80. */
    private static void expect(World world, BiPredicate<String, String> want) {
        expect(world, Protocol.TCP, 80, want);
    }

    private static void expect(World world, Protocol protocol, int port, BiPredicate<String, String> want) {
        assertThat(world.connected(protocol, port)).as(protocol + " " + port).isEqualTo(World.pairs(want));
    }

    private static boolean all(String from, String to) {
        return !from.equals(to);
    }

    private static World world(String key, String spec) {
        return new World().policy(key, spec);
    }

    private static boolean in(String ns, String pod) {
        return pod.startsWith(ns + "/");
    }

    private static boolean named(String name, String pod) {
        return pod.endsWith("/" + name);
    }

    private static DynamicTest test(String name, Runnable body) {
        return DynamicTest.dynamicTest("should " + name, body::run);
    }

    @TestFactory
    Stream<DynamicTest> ingress() {
        return Stream.of(
                test(
                        "support a 'default-deny-ingress' policy",
                        () -> expect(
                                world("x/p", "{podSelector: {}, policyTypes: [Ingress]}"), (_, to) -> !in("x", to))),
                test(
                        "support a 'default-deny-all' policy",
                        () -> expect(
                                world("x/p", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
                                (from, to) -> !in("x", to) && !in("x", from))),
                test(
                        "enforce policy to allow traffic from pods within server namespace based on PodSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || from.equals("x/b"))),
                test("enforce policy to allow ingress traffic for a target", () -> {
                    World world = world("x/deny", "{podSelector: {}, policyTypes: [Ingress]}")
                            .policy(
                                    "x/allow",
                                    "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}");
                    expect(world, (from, to) -> !in("x", to) || (to.equals("x/a") && from.equals("x/b")));
                }),
                test(
                        "enforce policy to allow ingress traffic from pods in all namespaces",
                        () -> expect(
                                world("x/p", "{" + A + ", ingress: [{from: [{namespaceSelector: {}}]}]}"),
                                PolicyCasesTest::all)),
                test(
                        "enforce policy to allow traffic only from a different namespace, based on NamespaceSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A
                                                + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || in("y", from))),
                test(
                        "enforce policy based on PodSelector with MatchExpressions",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{podSelector: {matchExpressions:"
                                                + " [{key: pod, operator: In, values: [b]}]}}]}]}"),
                                (from, to) -> !to.equals("x/a") || from.equals("x/b"))),
                test(
                        "enforce policy based on NamespaceSelector with MatchExpressions",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                                + " [{key: ns, operator: In, values: [y]}]}}]}]}"),
                                (from, to) -> !to.equals("x/a") || in("y", from))),
                test(
                        "enforce policy based on PodSelector or NamespaceSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}},"
                                                + " {podSelector: {matchLabels: {pod: b}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || in("y", from) || from.equals("x/b"))),
                test(
                        "enforce policy based on PodSelector and NamespaceSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}},"
                                                + " podSelector: {matchLabels: {pod: b}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || from.equals("y/b"))),
                test(
                        "enforce policy based on Multiple PodSelectors and NamespaceSelectors",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                                + " [{key: ns, operator: NotIn, values: [x]}]}, podSelector: {matchExpressions:"
                                                + " [{key: pod, operator: In, values: [b, c]}]}}]}]}"),
                                (from, to) -> !to.equals("x/a") || (!in("x", from) && !named("a", from)))),
                test(
                        "enforce policy based on any PodSelectors",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A
                                                + ", ingress: [{from: [{namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}},"
                                                + " {namespaceSelector: {}, podSelector: {matchLabels: {pod: c}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || named("b", from) || named("c", from))),
                test(
                        "enforce policy to allow traffic only from a pod in a different namespace based on PodSelector and"
                                + " NamespaceSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}},"
                                                + " podSelector: {matchLabels: {pod: a}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || from.equals("y/a"))),
                test(
                        "deny ingress from pods on other namespaces",
                        () -> expect(
                                world("x/p", "{" + ANY + ", ingress: [{from: [{podSelector: {}}]}]}"),
                                (from, to) -> !in("x", to) || in("x", from))),
                test(
                        "enforce policy to allow traffic based on NamespaceSelector with MatchLabels using default ns label",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels:"
                                                + " {kubernetes.io/metadata.name: y}}}]}]}"),
                                (from, to) -> !to.equals("x/a") || in("y", from))),
                test(
                        "enforce policy based on NamespaceSelector with MatchExpressions using default ns label",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", ingress: [{from: [{namespaceSelector: {matchExpressions:"
                                                + " [{key: kubernetes.io/metadata.name, operator: NotIn, values: [y]}]}}]}]}"),
                                (from, to) -> !to.equals("x/a") || !in("y", from))));
    }

    @TestFactory
    Stream<DynamicTest> ports() {
        String fromY = "from: [{namespaceSelector: {matchLabels: {ns: y}}}]";
        return Stream.of(
                test("enforce policy based on Ports", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{port: 81}], " + fromY + "}]}");
                    expect(world, Protocol.TCP, 81, (from, to) -> !to.equals("x/a") || in("y", from));
                    expect(world, Protocol.TCP, 80, (_, to) -> !to.equals("x/a"));
                }),
                test("enforce multiple, stacked policies with overlapping podSelectors", () -> {
                    World world = world("x/p1", "{" + A + ", ingress: [{ports: [{port: 80}], " + fromY + "}]}");
                    expect(world, Protocol.TCP, 80, (from, to) -> !to.equals("x/a") || in("y", from));
                    expect(world, Protocol.TCP, 81, (_, to) -> !to.equals("x/a"));
                    world.policy("x/p2", "{" + A + ", ingress: [{ports: [{port: 81}], " + fromY + "}]}");
                    expect(world, Protocol.TCP, 80, (from, to) -> !to.equals("x/a") || in("y", from));
                    expect(world, Protocol.TCP, 81, (from, to) -> !to.equals("x/a") || in("y", from));
                }),
                test("allow ingress access on one named port", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{port: serve-81-tcp}]}]}");
                    expect(world, Protocol.TCP, 81, PolicyCasesTest::all);
                    expect(world, Protocol.TCP, 80, (_, to) -> !to.equals("x/a"));
                    expect(world, Protocol.UDP, 81, (_, to) -> !to.equals("x/a"));
                }),
                test("allow ingress access from namespace on one named port", () -> {
                    World world =
                            world("x/p", "{" + A + ", ingress: [{ports: [{port: serve-80-tcp}], " + fromY + "}]}");
                    expect(world, Protocol.TCP, 80, (from, to) -> !to.equals("x/a") || in("y", from));
                    expect(world, Protocol.TCP, 81, (_, to) -> !to.equals("x/a"));
                }),
                test("allow egress access on one named port", () -> {
                    World world = world(
                            "x/p", "{" + A + ", policyTypes: [Egress], egress: [{ports: [{port: serve-80-tcp}]}]}");
                    expect(world, Protocol.TCP, 80, PolicyCasesTest::all);
                    expect(world, Protocol.TCP, 81, (from, _) -> !from.equals("x/a"));
                }),
                test("enforce ingress policy allowing any port traffic to a server on a specific protocol", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{protocol: TCP}]}]}");
                    expect(world, Protocol.TCP, 80, PolicyCasesTest::all);
                    expect(world, Protocol.TCP, 81, PolicyCasesTest::all);
                    expect(world, Protocol.UDP, 80, (_, to) -> !to.equals("x/a"));
                }),
                test("not mistakenly treat 'protocol: SCTP' as 'protocol: TCP'", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{protocol: SCTP, port: 81}]}]}");
                    expect(world, Protocol.TCP, 81, (_, to) -> !to.equals("x/a"));
                    expect(world, Protocol.SCTP, 81, PolicyCasesTest::all);
                }),
                test("properly isolate pods that are selected by a policy allowing SCTP", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{protocol: SCTP, port: 80}]}]}");
                    expect(world, Protocol.TCP, 80, (_, to) -> !to.equals("x/a"));
                }),
                test("not allow access by TCP when a policy specifies only UDP", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{protocol: UDP, port: 81}]}]}");
                    expect(world, Protocol.TCP, 81, (_, to) -> !to.equals("x/a"));
                    expect(world, Protocol.UDP, 81, PolicyCasesTest::all);
                }),
                test("allow a range by endPort", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{ports: [{port: 79, endPort: 80}]}]}");
                    expect(world, Protocol.TCP, 80, PolicyCasesTest::all);
                    expect(world, Protocol.TCP, 81, (_, to) -> !to.equals("x/a"));
                }));
    }

    @TestFactory
    Stream<DynamicTest> egressAndBoth() {
        return Stream.of(
                test(
                        "support allow-all policy",
                        () -> expect(world("x/p", "{" + ANY + ", ingress: [{}]}"), PolicyCasesTest::all)),
                test(
                        "deny egress from pods based on PodSelector",
                        () -> expect(
                                world("x/p", "{" + A + ", policyTypes: [Egress]}"), (from, _) -> !from.equals("x/a"))),
                test(
                        "deny egress from all pods in a namespace",
                        () -> expect(
                                world("x/p", "{" + ANY + ", policyTypes: [Egress]}"), (from, _) -> !in("x", from))),
                test("work with Ingress, Egress specified together", () -> {
                    World world = world(
                            "x/p",
                            "{" + A + ", policyTypes: [Ingress, Egress],"
                                    + " ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}}]}],"
                                    + " egress: [{ports: [{port: 80}]}]}");
                    expect(world, (from, to) -> !to.equals("x/a") || in("y", from));
                    expect(
                            world,
                            Protocol.TCP,
                            81,
                            (from, to) -> !from.equals("x/a") && (!to.equals("x/a") || in("y", from)));
                }),
                test(
                        "support denying of egress traffic on the client side (even if the server explicitly allows this"
                                + " traffic)",
                        () -> {
                            World world = world(
                                            "x/client",
                                            "{" + A + ", policyTypes: [Egress], egress: [{to:"
                                                    + " [{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {matchLabels: {pod: a}}}]}]}")
                                    .policy(
                                            "y/server",
                                            "{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: x}}}]}]}");
                            expect(
                                    world,
                                    (from, to) -> (!from.equals("x/a") || to.equals("y/a"))
                                            && (!in("y", to) || in("x", from)));
                        }),
                test(
                        "enforce egress policy allowing traffic to a server in a different namespace based on PodSelector"
                                + " and NamespaceSelector",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", policyTypes: [Egress], egress: [{to: [{namespaceSelector:"
                                                + " {matchLabels: {ns: y}}, podSelector: {matchLabels: {pod: a}}}]}]}"),
                                (from, to) -> !from.equals("x/a") || to.equals("y/a"))),
                test(
                        "enforce multiple ingress policies with ingress allow-all policy taking precedence",
                        () -> expect(
                                world("x/deny", "{" + ANY + ", policyTypes: [Ingress]}")
                                        .policy("x/allow", "{" + ANY + ", ingress: [{}]}"),
                                PolicyCasesTest::all)),
                test(
                        "enforce multiple egress policies with egress allow-all policy taking precedence",
                        () -> expect(
                                world("x/deny", "{" + ANY + ", policyTypes: [Egress]}")
                                        .policy("x/allow", "{" + ANY + ", policyTypes: [Egress], egress: [{}]}"),
                                PolicyCasesTest::all)),
                test(
                        "allow egress access to server in CIDR block",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A
                                                + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.2.2/32}}]}]}"),
                                (from, to) -> !from.equals("x/a") || to.equals("y/b"))),
                test(
                        "enforce except clause while egress access to server in CIDR block",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{" + A + ", policyTypes: [Egress], egress: [{to: [{ipBlock:"
                                                + " {cidr: 10.0.0.0/16, except: [10.0.2.2/32]}}]}]}"),
                                (from, to) -> !from.equals("x/a") || !to.equals("y/b"))),
                test(
                        "ensure an IP overlapping both IPBlock.CIDR and IPBlock.Except is allowed",
                        () -> expect(
                                world(
                                                "x/deny",
                                                "{" + A + ", policyTypes: [Egress], egress: [{to: [{ipBlock:"
                                                        + " {cidr: 10.0.0.0/16, except: [10.0.2.2/32]}}]}]}")
                                        .policy(
                                                "x/allow",
                                                "{" + A
                                                        + ", policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.0.2.2/32}}]}]}"),
                                PolicyCasesTest::all)),
                test(
                        "enforce policies to check ingress and egress policies can be controlled independently based on"
                                + " PodSelector",
                        () -> expect(
                                world("x/p", "{" + A + ", policyTypes: [Ingress, Egress], egress: [{}]}"),
                                (_, to) -> !to.equals("x/a"))));
    }

    @TestFactory
    Stream<DynamicTest> updates() {
        String fromTeam = "{" + A + ", ingress: [{from: [{namespaceSelector: {matchLabels: {team: q}}}]}]}";
        String fromLabelled = "{" + A + ", ingress: [{from: [{podSelector: {matchLabels: {role: r}}}]}]}";
        return Stream.of(
                test("enforce updated policy", () -> {
                    World world = world("x/p", "{" + A + ", ingress: [{}]}");
                    expect(world, PolicyCasesTest::all);
                    world.policy("x/p", "{" + A + ", policyTypes: [Ingress]}");
                    expect(world, (_, to) -> !to.equals("x/a"));
                }),
                test("allow ingress access from updated namespace", () -> {
                    World world = world("x/p", fromTeam);
                    expect(world, (_, to) -> !to.equals("x/a"));
                    world.with(new Change.NamespaceSet(new Namespace("y", Map.of("ns", "y", "team", "q"))));
                    expect(world, (from, to) -> !to.equals("x/a") || in("y", from));
                }),
                test("allow ingress access from updated pod", () -> {
                    World world = world("x/p", fromLabelled);
                    expect(world, (_, to) -> !to.equals("x/a"));
                    world.with(new Change.PodSet(World.pod("x/b", Map.of("role", "r"))));
                    expect(world, (from, to) -> !to.equals("x/a") || from.equals("x/b"));
                }),
                test("deny ingress access to updated pod", () -> {
                    World world = world("x/p", "{podSelector: {matchLabels: {role: r}}, policyTypes: [Ingress]}");
                    expect(world, PolicyCasesTest::all);
                    world.with(new Change.PodSet(World.pod("x/a", Map.of("role", "r"))));
                    expect(world, (_, to) -> !to.equals("x/a"));
                }),
                test("stop enforcing policies after they are deleted", () -> {
                    World world = world("x/p", "{" + ANY + ", policyTypes: [Ingress, Egress]}");
                    expect(world, (from, to) -> !in("x", from) && !in("x", to));
                    world.with(new Change.PolicyGone(new PolicyKey("x", "p")));
                    expect(world, PolicyCasesTest::all);
                }));
    }

    @TestFactory
    Stream<DynamicTest> invalidPoliciesAreClosed() {
        String good = "{from: [{podSelector: {}}]}";
        return Stream.of(
                        List.of(
                                "bad cidr",
                                "{" + A + ", ingress: [" + good + ", {from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]}"),
                        List.of(
                                "except outside of cidr",
                                "{" + A + ", ingress: [" + good
                                        + ", {from: [{ipBlock: {cidr: 10.0.0.0/16, except: [10.1.0.0/24]}}]}]}"),
                        List.of(
                                "endPort below port",
                                "{" + A + ", ingress: [" + good + ", {ports: [{port: 80, endPort: 79}]}]}"),
                        List.of(
                                "endPort with a named port",
                                "{" + A + ", ingress: [" + good + ", {ports: [{port: http, endPort: 90}]}]}"),
                        List.of(
                                "peer with selector and block",
                                "{" + A + ", ingress: [" + good
                                        + ", {from: [{podSelector: {}, ipBlock: {cidr: 10.0.0.0/16}}]}]}"),
                        List.of("empty peer", "{" + A + ", ingress: [" + good + ", {from: [{}]}]}"),
                        List.of("misspelt field", "{" + A + ", ingress: [" + good + ", {form: [{podSelector: {}}]}]}"),
                        List.of("null rule", "{" + A + ", ingress: [" + good + ", null]}"),
                        List.of(
                                "unknown protocol",
                                "{" + A + ", ingress: [" + good + ", {ports: [{protocol: ICMP}]}]}"),
                        List.of(
                                "unknown operator",
                                "{" + A + ", ingress: [" + good
                                        + ", {from: [{podSelector: {matchExpressions: [{key: pod, operator: Like, values: [b]}]}}]}]}"))
                .map(row -> test("close a policy with " + row.get(0), () -> {
                    World world = world("x/p", row.get(1));
                    assertThat(Yaml.policy("x/p", row.get(1)).invalid())
                            .as("reason")
                            .isNotEmpty();
                    expect(world, (_, to) -> !to.equals("x/a"));
                }));
    }

    @TestFactory
    Stream<DynamicTest> unreadableScopeIsTakenAsWide() {
        return Stream.of(
                test(
                        "isolate in both directions where a policyType is unknown",
                        () -> expect(
                                world("x/p", "{" + A + ", policyTypes: [Ingres], ingress: [{}]}"),
                                (from, to) -> !to.equals("x/a") && !from.equals("x/a"))),
                test(
                        "isolate the whole namespace where the podSelector is invalid",
                        () -> expect(
                                world(
                                        "x/p",
                                        "{podSelector: {matchLabels: {'bad key': a}}, policyTypes: [Ingress], ingress: [{}]}"),
                                (_, to) -> !in("x", to))));
    }
}
