package io.podwire.policy.watch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.podwire.common.net.IpPrefix;
import io.podwire.policy.model.ClusterPolicy;
import io.podwire.policy.model.ClusterRule;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.model.RuleAction;
import io.podwire.policy.model.Tier;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** ClusterNetworkPolicies as the API has them, read from manifests. */
class ClusterPolicyMappingTest {
    private static final String VALID =
            "tier: Admin, priority: 7, subject: {namespaces: {}}, ingress: [{action: %s, from: [{namespaces: {}}]}]";

    private static Manifest manifest(String text) {
        return Manifest.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    private static ClusterPolicy policy(String spec) {
        return manifest("""
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: c}
                spec: {%s}
                """.formatted(spec)).clusterPolicies().getFirst();
    }

    private static LabelSelector label(String key, String value) {
        return new LabelSelector(Map.of(key, value), List.of());
    }

    @Test
    void everythingThatAPolicySaysIsRead() {
        ClusterPolicy policy = policy("""
                tier: Baseline, priority: 1000,
                subject: {pods: {namespaceSelector: {matchLabels: {ns: x}}, podSelector: {matchLabels: {pod: a}}}},
                ingress: [{name: one, action: Pass, from: [{pods: {podSelector: {matchLabels: {pod: b}}}}],
                  protocols: [{destinationNamedPort: web}, {sctp: {destinationPort: {number: 9}}}]}],
                egress: [{action: Accept, to: [{namespaces: {matchLabels: {ns: y}}}]},
                  {name: out, action: Deny, to: [{nodes: {}}, {networks: ['10.0.0.0/8', '10.1.2.3/16', '::/0']}],
                  protocols: [{tcp: {destinationPort: {range: {start: 1, end: 2}}}}]}]""");
        assertThat(policy)
                .isEqualTo(new ClusterPolicy(
                        "c",
                        Tier.BASELINE,
                        1000,
                        new Peer.InNamespaces(label("ns", "x"), label("pod", "a")),
                        List.of(new ClusterRule(
                                0,
                                "one",
                                RuleAction.PASS,
                                List.of(new Peer.InNamespaces(LabelSelector.EVERYTHING, label("pod", "b"))),
                                List.of(
                                        new PolicyPort.Named(Protocol.TCP, "web"),
                                        new PolicyPort.Named(Protocol.UDP, "web"),
                                        new PolicyPort.Named(Protocol.SCTP, "web"),
                                        new PolicyPort.Range(Protocol.SCTP, 9, 9)))),
                        List.of(
                                new ClusterRule(
                                        0,
                                        "",
                                        RuleAction.ACCEPT,
                                        List.of(new Peer.InNamespaces(label("ns", "y"), LabelSelector.EVERYTHING)),
                                        List.of()),
                                new ClusterRule(
                                        1,
                                        "out",
                                        RuleAction.DENY,
                                        List.of(
                                                new Peer.Nodes(LabelSelector.EVERYTHING),
                                                new Peer.Networks(Set.of(
                                                        IpPrefix.parse("10.0.0.0/8"),
                                                        IpPrefix.parse("10.1.0.0/16"),
                                                        IpPrefix.parse("::/0")))),
                                        List.of(new PolicyPort.Range(Protocol.TCP, 1, 2)))),
                        ""));
        assertThat(((Peer.Networks) policy.egress().get(1).peers().get(1)).disjoint())
                .as("without what another one holds")
                .containsExactly(IpPrefix.parse("10.0.0.0/8"), IpPrefix.parse("::/0"));
    }

    /** Each takes the place of the peers and protocols of a rule, whose other peer would be all pods. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "to: [{namespaces: {}}, {}]                                   | spec.egress[0].to[1] needs exactly one of",
                "to: [{namespaces: {}}, {namespaces: {}, nodes: {}}]          | spec.egress[0].to[1] needs exactly one of",
                "to: [{namespaces: {}}, {services: {}}]                       | spec.egress[0].to[1] has unknown field 'services'",
                "to: [{domainNames: [example.com]}]                           | spec.egress[0].to[0].domainNames is not supported",
                "to: [{networks: [10.0.0.0]}]                                 | spec.egress[0].to[0].networks: '10.0.0.0'",
                "to: [{networks: []}]                                         | spec.egress[0].to[0].networks needs a list",
                "to: [{pods: {namespaceSelector: {}}}]                        | needs a podSelector",
                "to: [{namespaces: {matchExpressions: [{key: a, operator: Is}]}}] | operator may be In, NotIn",
                "to: [{namespaces: {matchLabel: {a: b}}}]                     | has unknown field 'matchLabel'",
                "to: []                                                       | spec.egress[0].to needs a list",
                "name: n                                                      | spec.egress[0].to needs a list",
                "to: [{namespaces: {}}], protocols: [{}]                      | spec.egress[0].protocols[0] needs exactly one",
                "to: [{namespaces: {}}], protocols: [{tcp: {}}]               | spec.egress[0].protocols[0].tcp needs exactly",
                "to: [{namespaces: {}}], protocols: [{icmp: {}}]              | has unknown field 'icmp'",
                "to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 0}}}] | number must be 1 to 65535",
                "to: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {range: {start: 9, end: 9}}}}] | a start before",
                "to: [{nodes: {}}], protocols: [{destinationNamedPort: web}]  | destinationNamedPort",
                "to: [{networks: ['::/0']}], protocols: [{destinationNamedPort: web}] | destinationNamedPort",
                "to: [{namespaces: {}}], unless: {}                           | spec.egress[0] has unknown field 'unless'"
            })
    void aRuleThatCannotBeHonouredIsClosed(String rest, String reason) {
        String spec = "tier: Admin, priority: 7, subject: {namespaces: {}}, egress: [{action: %s, %s}, %s]";
        String next = "{action: Accept, to: [{namespaces: {}}]}";
        ClusterPolicy accept = policy(spec.formatted("Accept", rest, next));
        assertThat(accept.invalid()).contains(reason);
        assertThat(accept.egress())
                .as("accepts nothing, and the next rule is the second all the same")
                .extracting(ClusterRule::index)
                .containsExactly(1);
        for (String action : List.of("Deny", "Pass", "Log")) {
            ClusterPolicy other = policy(spec.formatted(action, rest, next));
            assertThat(other.invalid()).as(action).isNotEmpty();
            assertThat(other.egress().getFirst())
                    .as(action)
                    .isEqualTo(ClusterRule.denyAll(0, rest.startsWith("name") ? "n" : ""));
            assertThat(other.egress()).as(action).hasSize(2);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "tier: Admin       | tier: Platform    | spec.tier may be Admin or Baseline, got 'Platform'",
                "tier: Admin,      | ''                | spec.tier may be Admin or Baseline, got nothing",
                "priority: 7       | priority: 1001    | spec.priority must be 0 to 1000, got '1001'",
                "priority: 7       | priority: -1      | spec.priority must be 0 to 1000, got '-1'",
                "priority: 7       | priority: high    | spec.priority must be 0 to 1000, got 'high'",
                "{namespaces: {}}, | {},               | spec.subject needs exactly one of namespaces, pods",
                "{namespaces: {}}, | {nodes: {}},      | spec.subject has unknown field 'nodes'",
                "priority: 7       | priority: 7, on: x | spec has unknown field 'on'"
            })
    void aPolicyThatCannotBePlacedAcceptsNothingAndDeniesWhatItMay(String part, String broken, String reason) {
        ClusterPolicy accept = policy(VALID.formatted("Accept").replace(part, broken));
        assertThat(accept.invalid()).contains(reason);
        assertThat(accept.ingress()).as("accepts nothing").isEmpty();
        for (String action : List.of("Deny", "Pass")) {
            ClusterPolicy other = policy(VALID.formatted(action).replace(part, broken));
            assertThat(other.ingress())
                    .as(action)
                    .containsExactly(new ClusterRule(
                            0,
                            "",
                            RuleAction.DENY,
                            List.of(new Peer.InNamespaces(LabelSelector.EVERYTHING, LabelSelector.EVERYTHING)),
                            List.of()));
            assertThat(other.subject())
                    .as("of every pod it may be about")
                    .isEqualTo(new Peer.InNamespaces(LabelSelector.EVERYTHING, LabelSelector.EVERYTHING));
        }
    }

    @Test
    void rulesThatAreNoListDenyAll() {
        ClusterPolicy policy = policy(VALID.formatted("Accept") + ", egress: all");
        assertThat(policy.egress()).containsExactly(ClusterRule.denyAll(0, ""));
        assertThat(policy.ingress()).as("what can be read").hasSize(1);
    }

    @Test
    void noRulesAreNoSay() {
        ClusterPolicy policy = policy(VALID.formatted("Accept") + ", egress: []");
        assertThat(policy.egress()).isEmpty();
        assertThat(policy.invalid()).isEmpty();
    }

    @Test
    void anotherVersionIsNotPassedOver() {
        assertThatThrownBy(
                        () -> manifest(
                                "{apiVersion: policy.networking.k8s.io/v1beta1, kind: ClusterNetworkPolicy, metadata: {name: c}}"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("must have apiVersion policy.networking.k8s.io/v1alpha2");
    }

    @Test
    void nodesHaveTheAddressesOfTheirStatus() {
        assertThat(manifest("""
                apiVersion: v1
                kind: Node
                metadata: {name: n, labels: {role: db}}
                status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: ExternalIP, address: '2001:db8::1'},
                  {type: Hostname, address: n}]}
                """).nodes()).singleElement().satisfies(node -> {
            assertThat(node.labels()).isEqualTo(Map.of("role", "db"));
            assertThat(node.addresses().stream().map(Object::toString).toList())
                    .containsExactly("192.0.2.1", "2001:db8::1");
        });
    }
}
