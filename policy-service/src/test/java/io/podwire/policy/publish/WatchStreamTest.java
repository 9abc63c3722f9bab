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
import io.podwire.common.net.NodeName;
import io.podwire.common.service.CommonOptions;
import io.podwire.common.service.RunningService;
import io.podwire.common.service.ServiceOptions;
import io.podwire.common.service.ServiceRunner;
import io.podwire.policy.compile.NodeProgram;
import io.podwire.policy.compile.PolicyCompiler;
import io.podwire.policy.compile.UndeclaredPods;
import io.podwire.policy.model.Direction;
import io.podwire.policy.model.Endpoint;
import io.podwire.policy.model.LabelSelector;
import io.podwire.policy.model.NetworkPolicy;
import io.podwire.policy.model.Peer;
import io.podwire.policy.model.Pod;
import io.podwire.policy.model.PodKey;
import io.podwire.policy.model.PolicyKey;
import io.podwire.policy.model.PolicyRule;
import io.podwire.policy.snapshot.Change;
import io.podwire.policy.snapshot.ClusterDelta;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.policy.v1.GetProgramRequest;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.NodeMessage;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The stream between nodes and service over a real channel. */
class WatchStreamTest {
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final PolicyCompiler compiler = new PolicyCompiler(UndeclaredPods.DEFAULT);
    private Publisher publisher;
    private RunningService service;
    private ManagedChannel channel;
    private ProgramsGrpc.ProgramsBlockingStub programs;

    private static final class Options implements ServiceOptions {
        private final CommonOptions common = new CommonOptions("127.0.0.1:0", "127.0.0.1:0");

        @Override
        public CommonOptions common() {
            return common;
        }
    }

    @BeforeEach
    void start() throws Exception {
        service = ServiceRunner.start("policy-test", new Options(), (_, context) -> {
            EventLoop loop = context.own(new EventLoop("policy-test"));
            publisher = new Publisher(loop, compiler, new SplittableRandom(1), meters);
            context.serve(new ProgramsService(publisher));
            context.serve(new PoliciesService(publisher, compiler));
        });
        channel = service.channel();
        programs = ProgramsGrpc.newBlockingStub(channel);
    }

    @AfterEach
    void stop() throws InterruptedException {
        channel.shutdownNow();
        channel.awaitTermination(5, TimeUnit.SECONDS);
        service.close();
    }

    private void restart() throws Exception {
        stop();
        start();
    }

    private static Endpoint endpoint(String name, String address) {
        return new Endpoint("cid-" + name + "/eth0", new PodKey("x", name), "", Set.of(IpAddress.parse(address)));
    }

    /** Everyone in namespace x may be reached from namespace x only. */
    private static NetworkPolicy sameNamespaceOnly(String name) {
        return new NetworkPolicy(
                new PolicyKey("x", name),
                LabelSelector.EVERYTHING,
                Set.of(Direction.INGRESS),
                List.of(new PolicyRule(List.of(new Peer.InNamespace("x", LabelSelector.EVERYTHING)), List.of())),
                List.of(),
                "");
    }

    private void synced(Change... changes) {
        publisher.apply(ClusterDelta.of(changes));
    }

    private TestNode node(String name) {
        return new TestNode(channel, name);
    }

    private Rollout rollout(long revision) {
        return programs.getRollout(
                GetRolloutRequest.newBuilder().setRevision(revision).build());
    }

    @Test
    void nothingIsSentBeforeTheSourceIsComplete() {
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            await().until(() -> rollout(0).getNodesCount() == 1);
            assertThat(node.updates()).as("updates before the first delta").isEmpty();
            synced();
            node.awaitProgram("full program", program -> program.endpoints().size() == 1);
        }
    }

    @Test
    void fullThenDeltas() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")));
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            node.awaitProgram("endpoint a", program -> program.endpoints().size() == 1);
            assertThat(node.last().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.FULL);
            node.up(endpoint("b", "10.0.0.2"));
            node.awaitProgram("endpoint b", program -> program.endpoints().size() == 2);
            assertThat(node.last().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.DELTA);
            assertThat(node.last().getDelta().getEndpointsCount())
                    .as("only the new one")
                    .isOne();
            assertThat(node.program().addressSets().firstEntry().getValue().cidrs())
                    .as("members")
                    .hasSize(2);
            node.down("cid-a/eth0");
            node.awaitProgram("endpoint a gone", program -> program.endpoints().size() == 1);
            assertThat(node.program())
                    .as("the node's accumulated program is the service's")
                    .isEqualTo(ProgramMapping.fromProto(programs.getProgram(
                            GetProgramRequest.newBuilder().setNode("n1").build())));
        }
    }

    @Test
    void anEndpointOfOneNodeEntersTheSetsOfAnother() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")));
        try (TestNode one = node("n1").hello(1, endpoint("a", "10.0.0.1"));
                TestNode two = node("n2").hello(1)) {
            two.up(endpoint("b", "10.0.1.1"));
            one.awaitProgram(
                    "b in a's sets",
                    program -> program.addressSets().values().stream()
                            .anyMatch(set -> set.cidrs().size() == 2));
        }
    }

    @Test
    void whatChangesWhileAnUpdateIsUnderWayComesAsOneDelta() {
        synced();
        try (TestNode node = node("n1").acks(false).hello(1)) {
            node.awaitProgram("full", _ -> true);
            long first = node.last().getRevision();
            for (int i = 1; i <= 20; i++) {
                node.up(endpoint("p" + i, "10.0.0." + i));
            }
            await().until(() -> publisher
                            .current()
                            .snapshot()
                            .nodes()
                            .firstEntry()
                            .getValue()
                            .size()
                    == 20);
            assertThat(node.updates()).as("only the unanswered one").hasSize(1);
            node.acks(true);
            node.ack(first);
            node.awaitProgram("all twenty", program -> program.endpoints().size() == 20);
            assertThat(node.updates()).as("one delta for all").hasSize(2);
        }
    }

    @Test
    void aProgramThatChangedAndChangedBackNeedsNoMessage() {
        synced();
        try (TestNode node = node("n1").acks(false).hello(1)) {
            node.awaitProgram("full", _ -> true);
            node.up(endpoint("a", "10.0.0.1"));
            await().until(() ->
                    publisher.program(new NodeName("n1")).program().endpoints().size() == 1);
            node.down("cid-a/eth0");
            await().until(() ->
                    publisher.program(new NodeName("n1")).program().endpoints().isEmpty());
            node.ack(node.last().getRevision());
            await("rollout").until(() -> rollout(0).getComplete());
            assertThat(node.updates()).hasSize(1);
        }
    }

    @Test
    void aNackBringsTheWholeProgramAgain() {
        synced();
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            node.awaitProgram("full", _ -> true);
            await().until(() -> rollout(0).getComplete());
            node.acks(false).up(endpoint("b", "10.0.0.2"));
            await("delta").until(() -> node.updates().size() == 2);
            node.nack(node.last().getRevision(), "no space left");
            await().until(() -> node.updates().size() == 3
                    || rollout(0).getNodes(0).getFailure().equals("no space left"));
            assertThat(rollout(0).getComplete()).as("complete after a nack").isFalse();
            await("whole program").until(() -> node.updates().size() == 3);
            assertThat(node.last().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.FULL);
            assertThat(node.program().endpoints()).hasSize(2);
            node.ack(node.last().getRevision());
            await().until(() -> rollout(0).getComplete());
            assertThat(rollout(0).getNodes(0).getFailure())
                    .as("failure after the ack")
                    .isEmpty();
            assertThat(meters.counter("podwire.policy.nacks").count()).isEqualTo(1);
        }
    }

    @Test
    void aBrokenStreamLeavesTheEndpointsAndHelloReplacesThem() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")));
        try (TestNode one = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            TestNode two = node("n2").hello(1, endpoint("b", "10.0.1.1"), endpoint("c", "10.0.1.2"));
            one.awaitProgram("a, b, c", program -> setSize(program) == 3);
            two.close();
            await().until(() -> rollout(0).getNodesCount() == 1);
            one.up(endpoint("d", "10.0.0.2"));
            one.awaitProgram("b and c stay", program -> setSize(program) == 4);
            try (TestNode again = node("n2").hello(1, endpoint("c", "10.0.1.2"))) {
                again.awaitProgram(
                        "full at hello", program -> program.endpoints().size() == 1);
                assertThat(again.updates().getFirst().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.FULL);
                one.awaitProgram("b is gone", program -> setSize(program) == 3);
            }
        }
    }

    @Test
    void aNodeKeepsWhatItHasUntilTheOthersAreBack() throws Exception {
        Change[] objects = {new Change.PolicySet(sameNamespaceOnly("p")), podOn("n1"), podOn("n2")};
        synced(objects);
        NodeProgram enforced;
        try (TestNode one = node("n1").hello(1, endpoint("a", "10.0.0.1"));
                TestNode _ = node("n2").hello(1, endpoint("b", "10.0.1.1"))) {
            enforced = one.awaitProgram("both", program -> setSize(program) == 2);
        }
        restart();
        synced(objects);
        try (TestNode one = node("n1").helloWith(enforced, 1, endpoint("a", "10.0.0.1"))) {
            await("it is known").until(() -> rollout(0).getNodesCount() == 1);
            try (TestNode two = node("n2").hello(1, endpoint("b", "10.0.1.1"))) {
                two.awaitProgram("both", program -> setSize(program) == 2);
                one.awaitProgram("told that it has it", program -> program.equals(enforced));
                assertThat(one.updates().getFirst().getUpdateCase())
                        .as("the first update after the restart")
                        .isEqualTo(ProgramUpdate.UpdateCase.UNCHANGED);
            }
        }
    }

    @Test
    void aNodeThatStaysAwayIsNotWaitedForLong() throws Exception {
        synced(podOn("n1"), podOn("n2"));
        try (TestNode one = node("n1").helloWith(NodeProgram.EMPTY, 1, endpoint("a", "10.0.0.1"))) {
            one.awaitProgram("its own pod", program -> program.endpoints().containsKey("cid-a/eth0"));
        }
    }

    private static Change podOn(String node) {
        return new Change.PodSet(
                new Pod(new PodKey("x", "on-" + node), "", Map.of(), node, Set.of(), false, false, List.of()));
    }

    @Test
    void aProgramThatTheNodeHasIsNotSentAgain() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")), podOn("n1"));
        NodeProgram enforced;
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            enforced = node.awaitProgram("a", program -> program.endpoints().size() == 1);
        }
        try (TestNode again = node("n1").helloWith(enforced, 1, endpoint("a", "10.0.0.1"))) {
            again.awaitProgram("told that it has it", program -> program.equals(enforced));
            assertThat(again.last().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.UNCHANGED);
            await("it counts as there").until(() -> rollout(0).getComplete());
            again.up(endpoint("b", "10.0.0.2"));
            again.awaitProgram("b", program -> program.endpoints().size() == 2);
            assertThat(again.last().getUpdateCase())
                    .as("what follows are changes to it")
                    .isEqualTo(ProgramUpdate.UpdateCase.DELTA);
        }
        try (TestNode behind = node("n1").helloWith(enforced, 1, endpoint("c", "10.0.0.3"))) {
            behind.awaitProgram("c", program -> program.endpoints().containsKey("cid-c/eth0"));
            assertThat(behind.last().getUpdateCase()).as("it has another one").isEqualTo(ProgramUpdate.UpdateCase.FULL);
        }
        assertThat(meters.counter("podwire.policy.updates", "kind", "unchanged").count())
                .isEqualTo(1);
    }

    @Test
    void aNodeThatRefusesWhatItHasGetsTheWholeProgram() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")), podOn("n1"));
        NodeProgram enforced;
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            enforced = node.awaitProgram("a", program -> program.endpoints().size() == 1);
        }
        try (TestNode again = node("n1").acks(false).helloWith(enforced, 1, endpoint("a", "10.0.0.1"))) {
            await("unchanged").until(() -> again.updates().size() == 1);
            again.nack(again.last().getRevision(), "the kernel refuses");
            await("whole program").until(() -> again.updates().size() == 2);
            assertThat(again.last().getUpdateCase()).isEqualTo(ProgramUpdate.UpdateCase.FULL);
        }
    }

    private static int setSize(NodeProgram program) {
        return program.addressSets().values().stream()
                .mapToInt(set -> set.cidrs().size())
                .sum();
    }

    @Test
    void rolloutNamesWhoMustReachWhat() {
        synced(new Change.PolicySet(sameNamespaceOnly("p")));
        try (TestNode one = node("n1").acks(false).hello(1, endpoint("a", "10.0.0.1"));
                TestNode two = node("n2").hello(1)) {
            one.awaitProgram("full", _ -> true);
            two.awaitProgram("full", _ -> true);
            one.ack(one.last().getRevision());
            await().until(() -> rollout(0).getComplete());
            long before = rollout(0).getRevision();
            two.up(endpoint("b", "10.0.1.1"));
            await("n1 lags").until(() -> one.updates().size() == 2);
            await().until(() -> rollout(0).getNodes(1).getAckedRevision() > before);
            assertThat(rollout(0).getComplete()).isFalse();
            assertThat(rollout(0).getNodes(0).getTargetRevision()).isGreaterThan(before);
            assertThat(rollout(before).getComplete()).as("the revision before").isTrue();
            one.ack(one.last().getRevision());
            await().until(() -> rollout(0).getComplete());
            synced(new Change.PodSet(
                    new Pod(new PodKey("x", "far"), "", Map.of(), "n9", Set.of(), false, false, List.of())));
            await().until(() -> rollout(0).getRevision() > before + 1);
            assertThat(rollout(0).getComplete())
                    .as("a change that touches no node")
                    .isTrue();
            assertThatThrownBy(() -> rollout(1_000_000)).isInstanceOf(StatusRuntimeException.class);
        }
    }

    @Test
    void onlyTheNewestStreamOfANodeIsServed() {
        synced();
        try (TestNode old = node("n1").hello(4);
                TestNode younger = node("n1")) {
            old.awaitProgram("full", _ -> true);
            younger.hello(5);
            younger.awaitProgram("full", _ -> true);
            assertThat(old.awaitEnd().getCode()).as("replaced").isEqualTo(Status.Code.ABORTED);
            try (TestNode ghost = node("n1").hello(4)) {
                assertThat(ghost.awaitEnd().getCode()).as("older life").isEqualTo(Status.Code.FAILED_PRECONDITION);
            }
            younger.up(endpoint("a", "10.0.0.1"));
            younger.awaitProgram("still served", program -> program.endpoints().size() == 1);
        }
    }

    @Test
    void brokenProtocolEndsTheStream() {
        synced();
        try (TestNode node = node("n1")) {
            node.ack(1);
            assertThat(node.awaitEnd().getCode()).as("no hello").isEqualTo(Status.Code.INVALID_ARGUMENT);
        }
        Handshake newer =
                Handshake.newBuilder().setProtocol(3).setMinProtocol(2).build();
        try (TestNode node = node("n1").hello(newer, 1)) {
            assertThat(node.awaitEnd().getCode()).as("too new").isEqualTo(Status.Code.FAILED_PRECONDITION);
        }
        try (TestNode node = node("n1").hello(Handshake.getDefaultInstance(), 1)) {
            assertThat(node.awaitEnd().getCode()).as("says no level").isEqualTo(Status.Code.INVALID_ARGUMENT);
        }
        try (TestNode node = node("n1").hello(1)) {
            node.awaitProgram("full", _ -> true);
            node.send(NodeMessage.newBuilder());
            assertThat(node.awaitEnd().getCode()).as("empty message").isEqualTo(Status.Code.INVALID_ARGUMENT);
            await().until(() -> rollout(0).getNodesCount() == 0);
        }
    }

    @Test
    void listsPoliciesInPages() {
        synced(
                new Change.PolicySet(sameNamespaceOnly("p2")),
                new Change.PolicySet(NetworkPolicy.closed(
                        new PolicyKey("x", "p1"), LabelSelector.EVERYTHING, Set.of(Direction.INGRESS), "bad cidr")));
        try (TestNode node = node("n1").hello(1, endpoint("a", "10.0.0.1"))) {
            node.awaitProgram("full", _ -> true);
            var stub = PoliciesGrpc.newBlockingStub(channel);
            var first = stub.listPolicies(
                    ListPoliciesRequest.newBuilder().setPageSize(1).build());
            assertThat(first.getPolicies(0).getName()).isEqualTo("p1");
            assertThat(first.getPolicies(0).getInvalid()).isEqualTo("bad cidr");
            assertThat(first.getPolicies(0).getSelectedPods()).isOne();
            assertThat(first.getPolicies(0).getNodesList())
                    .as("where its pod is")
                    .containsExactly("n1");
            var second = stub.listPolicies(ListPoliciesRequest.newBuilder()
                    .setPageSize(1)
                    .setPageToken(first.getNextPageToken())
                    .build());
            assertThat(second.getPolicies(0).getName()).isEqualTo("p2");
            assertThat(second.getNextPageToken()).isEmpty();
        }
    }

    @Test
    void anEndpointIsCoveredWithinMilliseconds() throws InterruptedException {
        synced(new Change.PolicySet(sameNamespaceOnly("p")));
        try (TestNode node = node("n1").hello(1)) {
            node.take();
            long[] nanos = new long[200];
            for (int i = 0; i < nanos.length; i++) {
                int want = i + 1;
                long start = System.nanoTime();
                node.up(endpoint("p" + i, "10.0." + i / 250 + "." + (1 + i % 250)));
                while (node.program().endpoints().size() < want) {
                    node.take();
                }
                nanos[i] = System.nanoTime() - start;
            }
            Arrays.sort(nanos);
            Duration median = Duration.ofNanos(nanos[nanos.length / 2]);
            assertThat(median)
                    .as("median of EndpointUp to covered, real channel")
                    .isLessThan(Duration.ofMillis(50));
            System.out.println("EndpointUp to covered: p50 " + median.toNanos() / 1000 + " us, p99 "
                    + nanos[nanos.length * 99 / 100] / 1000 + " us");
        }
    }
}
