package io.podwire.policy.publish;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.podwire.common.loop.EventLoop;
import io.podwire.common.net.IpAddress;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceOptions;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.answer.Ends;
import io.podwire.policy.answer.Judge;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Candidates;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyPort;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.DropCount;
import io.podwire.proto.policy.v1.Drops;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.FlowFlip;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.Flows;
import io.podwire.proto.policy.v1.KernelOutcome;
import io.podwire.proto.policy.v1.KernelVerdict;
import io.podwire.proto.policy.v1.ListDropsRequest;
import io.podwire.proto.policy.v1.ListDropsResponse;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.Party;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import io.podwire.proto.policy.v1.Witness;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What nodes say of their kernels, beside what was compiled for them. Pods x/a and y/b are on n1. */
final class KernelQuestionsTest {
    private static final String A = "10.0.0.1";
    private static final String B = "10.0.0.2";

    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final PolicyCompiler compiler = new PolicyCompiler(UndeclaredPods.DEFAULT);
    private Publisher publisher;
    private WitnessSampler sampler;
    private RunningService service;
    private ManagedChannel channel;
    private TestNode n1;
    private AnsweringNode kernel;

    private static final class Options implements ServiceOptions {
        private final CommonOptions common = new CommonOptions("127.0.0.1:0", "127.0.0.1:0");

        @Override
        public CommonOptions common() {
            return common;
        }
    }

    /** Policy x/web: x/a takes TCP 80 from namespace y alone. */
    @BeforeEach
    void start() throws Exception {
        service = ServiceRunner.start("policy-test", new Options(), (_, context) -> {
            EventLoop loop = context.own(new EventLoop("policy-test"));
            publisher = new Publisher(loop, compiler, new SplittableRandom(1), meters);
            NodeQuestions questions = new NodeQuestions();
            context.serve(questions);
            context.serve(new ProgramsService(publisher));
            context.serve(new AnswersService(
                    publisher, compiler, _ -> new Candidates(List.of(), List.of(), List.of()), questions));
            sampler = new WitnessSampler(publisher, questions, new SplittableRandom(3), meters);
        });
        channel = service.channel();
        publisher.apply(ClusterDelta.of(new Change.PolicySet(new NetworkPolicy(
                new PolicyKey("x", "web"),
                LabelSelector.EVERYTHING,
                Set.of(Direction.INGRESS),
                List.of(new PolicyRule(
                        List.of(new Peer.InNamespace("y", LabelSelector.EVERYTHING)),
                        List.of(new PolicyPort.Range(io.podwire.policy.model.Protocol.TCP, 80, 80)))),
                List.of(),
                ""))));
        n1 = new TestNode(channel, "n1").hello(1, endpoint("x", "a", A), endpoint("y", "b", B));
        n1.awaitProgram("both", program -> program.endpoints().size() == 2);
        kernel = new AnsweringNode(channel, "n1", this::honest).awaitHeard();
        await("acknowledged")
                .until(() -> explain(B, A, 80, true).getFlows(0).getIngress().getEnforced());
    }

    @AfterEach
    void stop() throws Exception {
        kernel.close();
        n1.close();
        channel.shutdownNow();
        channel.awaitTermination(5, TimeUnit.SECONDS);
        service.close();
    }

    private static Endpoint endpoint(String namespace, String name, String address) {
        return new Endpoint("cid-" + name + "/eth0", new PodKey(namespace, name), "", Set.of(IpAddress.parse(address)));
    }

    /** What a kernel that has the program says. */
    private Optional<NodeReply> honest(NodeQuestion question) {
        return Optional.of(verdict(passes(question.getWitness())));
    }

    private boolean passes(FlowTuple flow) {
        Ends ends = new Ends(publisher.current().snapshot());
        return new Judge(_ -> n1.program())
                .explain(
                        ends.at(IpAddress.parse(flow.getSource())),
                        ends.at(IpAddress.parse(flow.getDestination())),
                        ProgramMapping.fromProto(flow.getProtocol()),
                        flow.getPort())
                .allowed();
    }

    private static NodeReply verdict(boolean passes) {
        return NodeReply.newBuilder()
                .setVerdict(
                        passes
                                ? KernelVerdict.newBuilder().setOutcome(KernelOutcome.KERNEL_OUTCOME_PASSES)
                                : KernelVerdict.newBuilder()
                                        .setOutcome(KernelOutcome.KERNEL_OUTCOME_DROPPED)
                                        .setChain("ingress-abc")
                                        .setRule("denied:x/web"))
                .build();
    }

    private static Optional<NodeReply> refused(String why) {
        return Optional.of(NodeReply.newBuilder().setRefused(why).build());
    }

    private ExplainTrafficResponse explain(String from, String to, int port, boolean witness) {
        return AnswersGrpc.newBlockingStub(channel)
                .explainTraffic(ExplainTrafficRequest.newBuilder()
                        .setSource(Party.newBuilder().setAddress(from))
                        .setDestination(Party.newBuilder().setAddress(to))
                        .setProtocol(Protocol.PROTOCOL_TCP)
                        .setPort(port)
                        .setWitness(witness)
                        .build());
    }

    private Witness witness(int port) {
        ExplainTrafficResponse answer = explain(B, A, port, true);
        assertThat(answer.getFlows(0).getWitnessesList()).hasSize(1);
        return answer.getFlows(0).getWitnesses(0);
    }

    @Test
    void theKernelsVerdictStandsBesideTheCompilers() {
        assertThat(witness(80).getVerdict().getOutcome()).isEqualTo(KernelOutcome.KERNEL_OUTCOME_PASSES);
        assertThat(witness(80).getAgrees()).isTrue();
        assertThat(witness(81).getVerdict().getChain()).isEqualTo("ingress-abc");
        assertThat(witness(81).getAgrees()).as("both deny").isTrue();
        assertThat(explain(B, A, 80, false).getFlows(0).getWitnessesList())
                .as("nobody asked")
                .isEmpty();
        kernel.answers(question -> Optional.of(verdict(true)));
        assertThat(witness(81).getAgrees()).as("the kernel lets it pass").isFalse();
        assertThat(witness(81).getNode()).isEqualTo("n1");
    }

    @Test
    void aNodeThatDoesNotAnswerSaysWhy() throws Exception {
        kernel.answers(_ -> refused("the kernel is asleep"));
        assertThat(witness(80).getSilent()).isEqualTo("the kernel is asleep");
        assertThat(witness(80).getAgrees()).isFalse();
        kernel.answers(_ -> Optional.empty());
        assertThat(witness(80).getSilent()).contains("2000 ms");
        kernel.close();
        await().untilAsserted(() -> assertThat(witness(80).getSilent()).contains("answers no questions here"));
    }

    @Test
    void aNewerStreamTakesThePlaceOfTheOlder() {
        try (AnsweringNode _ = new AnsweringNode(channel, "n1", _ -> refused("newer")).awaitHeard()) {
            assertThat(kernel.awaitEnd().getCode()).isEqualTo(Status.Code.ABORTED);
            assertThat(witness(80).getSilent()).isEqualTo("newer");
        }
    }

    @Test
    void kernelsHaveTheNewestRevisionAlone() {
        assertThatThrownBy(() -> AnswersGrpc.newBlockingStub(channel)
                        .explainTraffic(ExplainTrafficRequest.newBuilder()
                                .setSource(Party.newBuilder().setAddress(B))
                                .setDestination(Party.newBuilder().setAddress(A))
                                .setProtocol(Protocol.PROTOCOL_TCP)
                                .setPort(80)
                                .setAtRevision(1)
                                .setWitness(true)
                                .build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT));
    }

    @Test
    void samplesThatAgreeRaiseNothing() {
        for (int i = 0; i < 40; i++) {
            sampler.sample();
        }
        assertThat(mismatches()).isZero();
        assertThat(samples("agreed")).isEqualTo(40);
        assertThat(samples("untold")).isZero();
    }

    @Test
    void aKernelThatEnforcesSomethingElseRaisesTheMetric() {
        // As a rule in front that accepts all would have it.
        kernel.answers(_ -> Optional.of(verdict(true)));
        for (int i = 0; i < 40; i++) {
            sampler.sample();
        }
        assertThat(mismatches()).as("what was to be denied").isPositive();
        assertThat(samples("agreed")).as("what passes anyhow").isPositive();
        assertThat(mismatches() + samples("agreed")).isEqualTo(40);
    }

    @Test
    void whatCannotBeComparedIsNoMismatch() {
        kernel.answers(_ -> refused("no"));
        sampler.sample();
        kernel.answers(_ -> Optional.of(verdict(true)));
        n1.acks(false);
        n1.up(endpoint("x", "c", "10.0.0.3"));
        await().until(() -> !explain(B, A, 80, false).getFlows(0).getIngress().getEnforced());
        for (int i = 0; i < 10; i++) {
            sampler.sample();
        }
        assertThat(samples("untold")).isEqualTo(11);
        assertThat(mismatches()).isZero();
    }

    private double mismatches() {
        return meters.get("podwire.policy.witness.mismatch").counter().count();
    }

    private double samples(String result) {
        return meters.get("podwire.policy.witness.samples")
                .tag("result", result)
                .counter()
                .count();
    }

    @Test
    void dropsAreGatheredFromNodes() {
        kernel.answers(question -> Optional.of(NodeReply.newBuilder()
                .setDrops(Drops.newBuilder().addDrops(DropCount.newBuilder().setPackets(7)))
                .build()));
        try (AnsweringNode _ = new AnsweringNode(channel, "n2", _ -> refused("no")).awaitHeard()) {
            ListDropsResponse all = drops("");
            assertThat(all.getNodesList()).hasSize(1);
            assertThat(all.getNodes(0).getNode()).isEqualTo("n1");
            assertThat(all.getNodes(0).getDrops().getDrops(0).getPackets()).isEqualTo(7);
            assertThat(all.getSilentNodesList()).containsExactly("n2: no");
            assertThat(drops("n1").getSilentNodesList()).isEmpty();
        }
        assertThatThrownBy(() -> drops("n9"))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND));
    }

    private ListDropsResponse drops(String node) {
        return AnswersGrpc.newBlockingStub(channel)
                .listDrops(ListDropsRequest.newBuilder().setNode(node).build());
    }

    @Test
    void connectionsOfNowThatWouldFlipAreNamed() {
        FlowTuple web = FlowTuple.newBuilder()
                .setSource("192.0.2.1")
                .setDestination(A)
                .setProtocol(Protocol.PROTOCOL_TCP)
                .setPort(443)
                .build();
        FlowTuple same = web.toBuilder().setSource(B).setPort(80).build();
        kernel.answers(question -> Optional.of(NodeReply.newBuilder()
                .setFlows(Flows.newBuilder().addFlows(web).addFlows(web).addFlows(same))
                .build()));
        SimulatePoliciesResponse answer = AnswersGrpc.newBlockingStub(channel)
                .simulatePolicies(SimulatePoliciesRequest.newBuilder()
                        .addRemovedPolicies("x/web")
                        .setRecordedFlows(true)
                        .build());
        assertThat(answer.getRecordedFlows()).as("different ones").isEqualTo(2);
        assertThat(answer.getRecordedFlipsList()).hasSize(1);
        FlowFlip flip = answer.getRecordedFlips(0);
        assertThat(flip.getSource().getAddress()).isEqualTo("192.0.2.1");
        assertThat(flip.getDestination().getPod())
                .isEqualTo(PodRef.newBuilder().setNamespace("x").setName("a").build());
        assertThat(flip.getPort()).isEqualTo(443);
        assertThat(flip.getAllowed()).as("it would pass").isTrue();
        kernel.answers(_ -> refused("no conntrack"));
        assertThat(AnswersGrpc.newBlockingStub(channel)
                        .simulatePolicies(SimulatePoliciesRequest.newBuilder()
                                .addRemovedPolicies("x/web")
                                .setRecordedFlows(true)
                                .build())
                        .getSilentNodesList())
                .containsExactly("n1: no conntrack");
    }
}
