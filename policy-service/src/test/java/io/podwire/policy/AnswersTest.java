package io.podwire.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.publish.TestNode;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.Party;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PolicyChangeKind;
import io.podwire.proto.policy.v1.Ruling;
import io.podwire.proto.policy.v1.RulingReason;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import io.podwire.proto.policy.v1.Tier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Questions to the service as it runs, with two nodes. */
class AnswersTest {
    private static final String POLICIES = """
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {namespace: x, name: from-y}
            spec:
              podSelector: {}
              ingress:
              - from: [{ipBlock: {cidr: 192.0.2.0/24}}]
              - from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: y}}}]
                ports: [{port: 80}]
            ---
            apiVersion: networking.k8s.io/v1
            kind: NetworkPolicy
            metadata: {namespace: x, name: shut}
            spec: {podSelector: {}, policyTypes: [Ingress]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {namespace: x, name: host}
            spec: {nodeName: node-a, hostNetwork: true}
            status: {podIP: 192.0.2.10}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {namespace: x, name: silent}
            spec: {nodeName: node-z}
            status: {podIP: 10.9.0.1}
            """;

    @TempDir
    private Path folder;

    private RunningService service;
    private ManagedChannel channel;
    private TestNode a;
    private TestNode b;

    @BeforeEach
    void start() throws Exception {
        Files.writeString(folder.resolve("policies.yaml"), POLICIES);
        service = ServiceRunner.start(
                "policy-service",
                PolicyOptions.ofManifests(new CommonOptions("127.0.0.1:0", "127.0.0.1:0"), folder),
                Main::wire);
        channel = service.channel();
        a = new TestNode(channel, "node-a").hello(1, World.endpoint("x/a"));
        b = new TestNode(channel, "node-b").hello(1, World.endpoint("y/b"));
        a.awaitProgram("x/a", program -> !program.endpoints().isEmpty());
        b.awaitProgram("y/b", program -> !program.endpoints().isEmpty());
    }

    @AfterEach
    void stop() throws Exception {
        a.close();
        b.close();
        channel.shutdownNow();
        channel.awaitTermination(5, TimeUnit.SECONDS);
        service.close();
    }

    private static Party party(String text) {
        int slash = text.indexOf('/');
        return slash < 0
                ? Party.newBuilder().setAddress(text).build()
                : Party.newBuilder()
                        .setPod(PodRef.newBuilder()
                                .setNamespace(text.substring(0, slash))
                                .setName(text.substring(slash + 1)))
                        .build();
    }

    private ExplainTrafficResponse explain(String from, String to, int port) {
        return AnswersGrpc.newBlockingStub(channel)
                .explainTraffic(ExplainTrafficRequest.newBuilder()
                        .setSource(party(from))
                        .setDestination(party(to))
                        .setProtocol(Protocol.PROTOCOL_TCP)
                        .setPort(port)
                        .build());
    }

    private FlowExplanation flow(String from, String to, int port) {
        assertThat(explain(from, to, port).getFlowsList()).hasSize(1);
        return explain(from, to, port).getFlows(0);
    }

    @Test
    void theRuleThatAllowsAndThePoliciesThatIsolateAreNamed() {
        await("acknowledged")
                .until(() -> flow("y/b", "x/a", 80).getIngress().getEnforced()
                        && flow("y/b", "x/a", 80).getEgress().getEnforced());
        FlowExplanation allowed = flow("y/b", "x/a", 80);
        assertThat(allowed.getAllowed()).as("y/b to x/a").isTrue();
        assertThat(allowed.getEgress())
                .isEqualTo(Ruling.newBuilder()
                        .setAllowed(true)
                        .setReason(RulingReason.RULING_REASON_NOT_ISOLATED)
                        .setNode("node-b")
                        .setEnforced(true)
                        .build());
        assertThat(allowed.getIngress())
                .isEqualTo(Ruling.newBuilder()
                        .setAllowed(true)
                        .setReason(RulingReason.RULING_REASON_RULE)
                        .setNode("node-a")
                        .setEnforced(true)
                        .addPolicies("x/from-y")
                        .setRule("spec.ingress[1]")
                        .setPeer("namespaces kubernetes.io/metadata.name=y pods *")
                        .setTier(Tier.TIER_NETWORK_POLICY)
                        .build());
        FlowExplanation denied = flow("y/b", World.address("x/a").toString(), 81);
        assertThat(denied.getAllowed()).as("to port 81").isFalse();
        assertThat(denied.getDestination().getPod().getName())
                .as("whose address it is")
                .isEqualTo("a");
        assertThat(denied.getIngress().getReason()).isEqualTo(RulingReason.RULING_REASON_ISOLATED);
        assertThat(denied.getIngress().getPoliciesList()).containsExactly("x/from-y", "x/shut");
    }

    @Test
    void endsThatNoNodeJudgesSayWhy() {
        assertThat(flow("192.0.2.77", "x/a", 9).getIngress().getRule()).isEqualTo("spec.ingress[0]");
        assertThat(flow("192.0.2.77", "x/a", 9).getEgress().getReason()).isEqualTo(RulingReason.RULING_REASON_NO_POD);
        assertThat(flow("x/host", "x/a", 9).getEgress().getReason()).isEqualTo(RulingReason.RULING_REASON_HOST_NETWORK);
        assertThat(flow("x/host", "x/a", 9).getIngress().getReason()).isEqualTo(RulingReason.RULING_REASON_OWN_NODE);
        assertThat(flow("y/b", "x/silent", 9).getIngress().getReason())
                .isEqualTo(RulingReason.RULING_REASON_UNKNOWN_NODE);
        assertThat(flow("x/a", "x/a", 9).getIngress().getReason()).isEqualTo(RulingReason.RULING_REASON_WITHIN_POD);
    }

    @Test
    void aNodeThatHasNotAcknowledgedIsToldApart() {
        await("acknowledged").until(() -> flow("y/b", "x/a", 80).getIngress().getEnforced());
        a.acks(false);
        a.up(World.endpoint("x/c"));
        await("known").until(() -> flow("y/b", "x/c", 80).getIngress().getNode().equals("node-a"));
        assertThat(flow("y/b", "x/c", 80).getIngress().getEnforced())
                .as("enforced before the acknowledgement")
                .isFalse();
        assertThat(flow("y/b", "x/c", 80).getEgress().getEnforced())
                .as("where nothing changed")
                .isTrue();
    }

    @Test
    void whatCannotBeAnsweredIsRefused() {
        assertRefused(() -> explain("x/nobody", "x/a", 80), Status.Code.NOT_FOUND, "x/nobody");
        assertRefused(() -> explain("2001:db8::1", "x/a", 80), Status.Code.FAILED_PRECONDITION, "family");
        assertRefused(() -> explain("x/a", "10.0.0", 80), Status.Code.INVALID_ARGUMENT, "destination: ");
        assertRefused(() -> explain("x/a", "y/b", 0), Status.Code.INVALID_ARGUMENT, "1 to 65535");
        assertRefused(() -> simulate("kind: [", 0), Status.Code.INVALID_ARGUMENT, "simulating policies: ");
        assertRefused(() -> simulate("", -1), Status.Code.INVALID_ARGUMENT, "max_flips");
    }

    private static void assertRefused(Runnable call, Status.Code code, String text) {
        assertThatThrownBy(call::run)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode())
                                .as("code of %s", e)
                                .isEqualTo(code))
                .hasMessageContaining(text);
    }

    private SimulatePoliciesResponse simulate(String manifests, int max, String... removed) {
        return AnswersGrpc.newBlockingStub(channel)
                .simulatePolicies(SimulatePoliciesRequest.newBuilder()
                        .setManifests(manifests)
                        .addAllRemovedPolicies(List.of(removed))
                        .setMaxFlips(max)
                        .build());
    }

    @Test
    void aSimulationNamesPoliciesAndFlipsAndChangesNothing() {
        SimulatePoliciesResponse answer = simulate("""
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: x, name: from-y}
                spec: {podSelector: {}, ingress: [{ports: [{port: 90, endPort: 99}]}]}
                ---
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {namespace: x, name: bad}
                spec: {podSelector: {}, ingress: [{from: [{}]}]}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {namespace: x, name: more}
                """, 0, "x/shut", "x/none");
        assertThat(answer.getChangesList())
                .extracting(PolicyChange::getPolicy, PolicyChange::getKind, PolicyChange::getSelectedPods)
                .containsExactly(
                        tuple("x/bad", PolicyChangeKind.POLICY_CHANGE_KIND_ADDED, 2),
                        tuple("x/from-y", PolicyChangeKind.POLICY_CHANGE_KIND_CHANGED, 2),
                        tuple("x/none", PolicyChangeKind.POLICY_CHANGE_KIND_ABSENT, 0),
                        tuple("x/shut", PolicyChangeKind.POLICY_CHANGE_KIND_REMOVED, 2));
        assertThat(answer.getChanges(0).getInvalid()).as("why it is closed").contains("spec.ingress[0]");
        assertThat(answer.getIgnoredList()).containsExactly("Pod x/more");
        assertThat(answer.getFlipsList())
                .filteredOn(flip -> flip.getSource().getPod().getName().equals("b"))
                .as("from y/b, which may reach port 80 of x/a")
                .hasSize(2)
                .allSatisfy(flip -> {
                    assertThat(flip.getDestination().getPod().getName()).isEqualTo("a");
                    assertThat(flip.getPorts(0).getFirst()).isEqualTo(flip.getAllowed() ? 90 : 80);
                    assertThat(flip.getPorts(0).getLast()).isEqualTo(flip.getAllowed() ? 99 : 80);
                });
        assertThat(flow("y/b", "x/a", 80).getAllowed()).as("as before").isTrue();
        assertThat(simulate(POLICIES, 0).getFlipsList())
                .as("what is there already")
                .isEmpty();
    }

    @Test
    void tierAndRuleOfAClusterNetworkPolicyAreNamed() throws Exception {
        String cluster = """
                apiVersion: policy.networking.k8s.io/v1alpha2
                kind: ClusterNetworkPolicy
                metadata: {name: guard}
                spec:
                  tier: Admin
                  priority: 7
                  subject: {namespaces: {matchLabels: {kubernetes.io/metadata.name: x}}}
                  ingress:
                  - {name: probes, action: Accept, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 81}}}]}
                  - {action: Pass, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}
                  - {action: Deny, from: [{namespaces: {}}, {}]}
                """;
        SimulatePoliciesResponse simulated = simulate(cluster, 0, "gone");
        assertThat(simulated.getChangesList())
                .extracting(PolicyChange::getPolicy, PolicyChange::getKind, PolicyChange::getSelectedPods)
                .containsExactly(
                        tuple("gone", PolicyChangeKind.POLICY_CHANGE_KIND_ABSENT, 0),
                        tuple("guard", PolicyChangeKind.POLICY_CHANGE_KIND_ADDED, 2));
        assertThat(simulated.getFlipsList())
                .filteredOn(flip -> flip.getAllowed())
                .as("what it opens")
                .anySatisfy(flip -> assertThat(flip.getPorts(0).getFirst()).isEqualTo(81));
        Files.writeString(folder.resolve("cluster.yaml"), cluster);
        await("enforced").until(() -> flow("y/b", "x/a", 81).getAllowed());
        Ruling accepted = flow("y/b", "x/a", 81).getIngress();
        assertThat(accepted.toBuilder().clearNode().clearEnforced().build())
                .isEqualTo(Ruling.newBuilder()
                        .setAllowed(true)
                        .setReason(RulingReason.RULING_REASON_RULE)
                        .addPolicies("guard")
                        .setRule("spec.ingress[0]")
                        .setPeer("namespaces * pods *")
                        .setTier(Tier.TIER_ADMIN)
                        .setPriority(7)
                        .setRuleName("probes")
                        .build());
        assertThat(flow("y/b", "x/a", 80).getIngress().getPoliciesList())
                .as("what Pass leaves to the namespace")
                .containsExactly("x/from-y");
        Ruling denied = flow("y/b", "x/a", 82).getIngress();
        assertThat(denied.getReason()).isEqualTo(RulingReason.RULING_REASON_DENIED_BY_RULE);
        assertThat(denied.getRule()).isEqualTo("spec.ingress[2]");
        assertThat(denied.getPeer()).as("of a rule that is compiled closed").isEqualTo("anyone");
        assertThat(PoliciesGrpc.newBlockingStub(channel)
                        .listPolicies(
                                ListPoliciesRequest.newBuilder().setPageSize(1).build()))
                .satisfies(page -> {
                    assertThat(page.getPolicies(0).getName()).isEqualTo("guard");
                    assertThat(page.getPolicies(0).getTier()).isEqualTo(Tier.TIER_ADMIN);
                    assertThat(page.getPolicies(0).getPriority()).isEqualTo(7);
                    assertThat(page.getPolicies(0).getSelectedPods()).isEqualTo(2);
                    assertThat(page.getPolicies(0).getInvalid()).contains("spec.ingress[2].from[1]");
                    assertThat(PoliciesGrpc.newBlockingStub(channel)
                                    .listPolicies(ListPoliciesRequest.newBuilder()
                                            .setPageToken(page.getNextPageToken())
                                            .build())
                                    .getPoliciesList())
                            .as("the next page")
                            .extracting(policy -> policy.getName())
                            .containsExactly("from-y", "shut");
                });
    }

    @Test
    void earlierRevisionsAreAnsweredFromHistory() {
        ExplainTrafficResponse before = explain("y/b", "x/a", 80);
        assertThat(before.getFlows(0).getAllowed()).isTrue();
        b.up(World.endpoint("y/c"));
        await("another revision").until(() -> explain("y/b", "x/a", 80).getRevision() > before.getRevision());
        await("the new pod").until(() -> explain("y/c", "x/a", 80).getFlows(0).getAllowed());
        assertThat(at("y/b", "x/a", before.getRevision())
                        .getFlows(0)
                        .getIngress()
                        .getRule())
                .isEqualTo("spec.ingress[1]");
        assertThat(at("y/b", "x/a", before.getRevision()).getRevision()).isEqualTo(before.getRevision());
        assertRefused(() -> at("y/c", "x/a", before.getRevision()), Status.Code.NOT_FOUND, "y/c");
        assertRefused(() -> at("y/b", "x/a", 1_000_000), Status.Code.FAILED_PRECONDITION, "has not been reached");
    }

    private ExplainTrafficResponse at(String from, String to, long revision) {
        return AnswersGrpc.newBlockingStub(channel)
                .explainTraffic(ExplainTrafficRequest.newBuilder()
                        .setSource(party(from))
                        .setDestination(party(to))
                        .setProtocol(Protocol.PROTOCOL_TCP)
                        .setPort(80)
                        .setAtRevision(revision)
                        .build());
    }
}
