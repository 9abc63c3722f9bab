package io.podwire.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.BindableService;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.common.v1.Protocol;
import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.DropCount;
import io.podwire.proto.policy.v1.DropReason;
import io.podwire.proto.policy.v1.Drops;
import io.podwire.proto.policy.v1.ExplainTrafficRequest;
import io.podwire.proto.policy.v1.ExplainTrafficResponse;
import io.podwire.proto.policy.v1.Flip;
import io.podwire.proto.policy.v1.FlowEnd;
import io.podwire.proto.policy.v1.FlowExplanation;
import io.podwire.proto.policy.v1.FlowFlip;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.KernelOutcome;
import io.podwire.proto.policy.v1.KernelVerdict;
import io.podwire.proto.policy.v1.ListDropsRequest;
import io.podwire.proto.policy.v1.ListDropsResponse;
import io.podwire.proto.policy.v1.ListPoliciesRequest;
import io.podwire.proto.policy.v1.ListPoliciesResponse;
import io.podwire.proto.policy.v1.NodeDrops;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.PoliciesGrpc;
import io.podwire.proto.policy.v1.Policy;
import io.podwire.proto.policy.v1.PolicyChange;
import io.podwire.proto.policy.v1.PolicyChangeKind;
import io.podwire.proto.policy.v1.PortRange;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import io.podwire.proto.policy.v1.Ruling;
import io.podwire.proto.policy.v1.RulingReason;
import io.podwire.proto.policy.v1.SimulatePoliciesRequest;
import io.podwire.proto.policy.v1.SimulatePoliciesResponse;
import io.podwire.proto.policy.v1.Tier;
import io.podwire.proto.policy.v1.Witness;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code podwire policy explain | simulate | diff | rollout --wait} print. */
class PolicyAnswersTest {
    private record Ended(int code, String out, String err) {}

    private static Ended run(BindableService service, String... args) throws Exception {
        Server server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .addService(service)
                .build()
                .start();
        try {
            String[] all = Arrays.copyOf(args, args.length + 2);
            all[args.length] = "--server";
            all[args.length + 1] = "127.0.0.1:" + server.getPort();
            StringWriter out = new StringWriter();
            StringWriter err = new StringWriter();
            int code = Main.commandLine()
                    .setOut(new PrintWriter(out))
                    .setErr(new PrintWriter(err))
                    .execute(all);
            return new Ended(code, out.toString(), err.toString());
        } finally {
            server.shutdownNow();
        }
    }

    private static FlowEnd end(String pod, String address) {
        return FlowEnd.newBuilder()
                .setAddress(address)
                .setPod(PodRef.newBuilder().setNamespace("x").setName(pod))
                .build();
    }

    private static final class Answering extends AnswersGrpc.AnswersImplBase {
        @Override
        public void explainTraffic(ExplainTrafficRequest request, StreamObserver<ExplainTrafficResponse> out) {
            assertThat(request.getSource().getPod().getName()).isEqualTo("a");
            assertThat(request.getDestination().getAddress()).isEqualTo("10.0.0.2");
            assertThat(request.getProtocol()).isEqualTo(Protocol.PROTOCOL_UDP);
            assertThat(request.getPort()).isEqualTo(53);
            out.onNext(ExplainTrafficResponse.newBuilder()
                    .addFlows(FlowExplanation.newBuilder()
                            .setSource(end("a", "10.0.0.1"))
                            .setDestination(end("b", "10.0.0.2"))
                            .setEgress(Ruling.newBuilder()
                                    .setAllowed(true)
                                    .setReason(RulingReason.RULING_REASON_RULE)
                                    .setNode("n1")
                                    .setEnforced(true)
                                    .addPolicies("x/dns")
                                    .setRule("spec.egress[0]")
                                    .setPeer("anyone"))
                            .setIngress(Ruling.newBuilder()
                                    .setReason(RulingReason.RULING_REASON_ISOLATED)
                                    .setNode("n2")
                                    .addPolicies("x/deny")
                                    .addPolicies("x/web")))
                    .build());
            out.onCompleted();
        }

        @Override
        public void simulatePolicies(SimulatePoliciesRequest request, StreamObserver<SimulatePoliciesResponse> out) {
            assertThat(request.getManifests()).contains("kind: NetworkPolicy");
            assertThat(request.getRemovedPoliciesList()).containsExactly("x/old");
            out.onNext(SimulatePoliciesResponse.newBuilder()
                    .addChanges(PolicyChange.newBuilder()
                            .setPolicy("x/new")
                            .setKind(PolicyChangeKind.POLICY_CHANGE_KIND_ADDED)
                            .setSelectedPods(3)
                            .setInvalid("no selector"))
                    .addIgnored("Pod x/p")
                    .addFlips(Flip.newBuilder()
                            .setSource(end("a", "10.0.0.1"))
                            .setDestination(FlowEnd.newBuilder().setAddress("192.0.2.1"))
                            .addPorts(PortRange.newBuilder()
                                    .setProtocol(Protocol.PROTOCOL_TCP)
                                    .setLast(65535))
                            .addPorts(PortRange.newBuilder()
                                    .setProtocol(Protocol.PROTOCOL_UDP)
                                    .setFirst(53)
                                    .setLast(53))
                            .addPorts(PortRange.newBuilder()
                                    .setProtocol(Protocol.PROTOCOL_SCTP)
                                    .setFirst(1)
                                    .setLast(9)))
                    .setMoreFlips(true)
                    .build());
            out.onCompleted();
        }
    }

    @Test
    void explainNamesRuleAndNodeOfEachDirection() throws Exception {
        assertThat(run(new Answering(), "policy", "explain", "x/a", "10.0.0.2", "--port", "53", "--protocol", "udp"))
                .isEqualTo(new Ended(0, """
                        SOURCE        DESTINATION   VERDICT  DIRECTION  NODE          BECAUSE
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   egress     n1            allowed: spec.egress[0] of x/dns, anyone
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   ingress    n2 (not yet)  denied: isolated by x/deny, x/web, and no rule allows it
                        """, ""));
    }

    @Test
    void simulateShowsWhatFlips(@TempDir Path folder) throws Exception {
        Path file = Files.writeString(folder.resolve("p.yaml"), "kind: NetworkPolicy\n");
        assertThat(run(new Answering(), "policy", "simulate", "-f", file.toString(), "--remove", "x/old"))
                .isEqualTo(new Ended(0, """
                        SOURCE        DESTINATION  PORTS                      NOW      THEN
                        x/a 10.0.0.1  192.0.2.1    tcp all, udp 53, sctp 1-9  allowed  denied
                        """, """
                        x/new: added, selects 3 pods, closed: no selector
                        no NetworkPolicy, left out: Pod x/p
                        there are more flips than these: --max shows more
                        """));
        assertThat(run(new Answering(), "policy", "diff", "-f", file.toString(), "--remove", "x/old"))
                .isEqualTo(new Ended(0, """
                        POLICY  CHANGE  PODS  STATUS
                        x/new   added   3     closed: no selector
                        """, "no NetworkPolicy, left out: Pod x/p\n"));
        assertThat(run(new Answering(), "policy", "simulate").err()).contains("--remove");
    }

    private static final class Tiered extends AnswersGrpc.AnswersImplBase {
        @Override
        public void explainTraffic(ExplainTrafficRequest request, StreamObserver<ExplainTrafficResponse> out) {
            Ruling.Builder ruling = Ruling.newBuilder()
                    .setNode("n1")
                    .setEnforced(true)
                    .addPolicies("guard")
                    .setRule("spec.egress[0]")
                    .setPeer("nodes *");
            out.onNext(ExplainTrafficResponse.newBuilder()
                    .addFlows(FlowExplanation.newBuilder()
                            .setSource(end("a", "10.0.0.1"))
                            .setDestination(end("b", "10.0.0.2"))
                            .setEgress(ruling.clone()
                                    .setAllowed(true)
                                    .setReason(RulingReason.RULING_REASON_RULE)
                                    .setTier(Tier.TIER_ADMIN)
                                    .setPriority(7)
                                    .setRuleName("to nodes"))
                            .setIngress(ruling.clone()
                                    .setReason(RulingReason.RULING_REASON_DENIED_BY_RULE)
                                    .setTier(Tier.TIER_BASELINE)
                                    .setPriority(1000)))
                    .build());
            out.onCompleted();
        }
    }

    @Test
    void explainNamesTierAndPriorityOfAClusterNetworkPolicy() throws Exception {
        assertThat(run(new Tiered(), "policy", "explain", "x/a", "x/b", "--port", "53"))
                .isEqualTo(new Ended(0, """
                        SOURCE        DESTINATION   VERDICT  DIRECTION  NODE  BECAUSE
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   egress     n1    allowed: spec.egress[0] 'to nodes' of guard (Admin 7), nodes *
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   ingress    n1    denied: spec.egress[0] of guard (Baseline 1000), nodes *
                        """, ""));
    }

    /** Whose kernels say other things, or nothing. */
    private static final class Witnessing extends AnswersGrpc.AnswersImplBase {
        @Override
        public void explainTraffic(ExplainTrafficRequest request, StreamObserver<ExplainTrafficResponse> out) {
            assertThat(request.getWitness()).as("--witness").isNotEqualTo(request.getAtRevision() == 12);
            FlowExplanation.Builder flow = FlowExplanation.newBuilder()
                    .setSource(end("a", "10.0.0.1"))
                    .setDestination(end("b", "10.0.0.2"))
                    .setEgress(Ruling.newBuilder()
                            .setAllowed(true)
                            .setReason(RulingReason.RULING_REASON_NOT_ISOLATED)
                            .setNode("n1")
                            .setEnforced(true))
                    .setIngress(Ruling.newBuilder()
                            .setReason(RulingReason.RULING_REASON_ISOLATED)
                            .setNode("n2")
                            .setEnforced(true)
                            .addPolicies("x/deny"));
            if (request.getWitness()) {
                flow.addWitnesses(Witness.newBuilder()
                                .setNode("n1")
                                .setAgrees(true)
                                .setVerdict(KernelVerdict.newBuilder()
                                        .setOutcome(KernelOutcome.KERNEL_OUTCOME_PASSES)
                                        .addOtherTables("ip theirs")))
                        .addWitnesses(Witness.newBuilder()
                                .setNode("n2")
                                .setVerdict(KernelVerdict.newBuilder()
                                        .setOutcome(KernelOutcome.KERNEL_OUTCOME_DROPPED)
                                        .setChain("ingress-abc")
                                        .setRule("denied:x/deny")
                                        .setReply(true)))
                        .addWitnesses(Witness.newBuilder().setNode("n3").setSilent("it is away"));
            }
            out.onNext(ExplainTrafficResponse.newBuilder().addFlows(flow).build());
            out.onCompleted();
        }

        @Override
        public void listDrops(ListDropsRequest request, StreamObserver<ListDropsResponse> out) {
            assertThat(request.getNode()).isEqualTo("n1");
            out.onNext(ListDropsResponse.newBuilder()
                    .addNodes(NodeDrops.newBuilder()
                            .setNode("n1")
                            .setDrops(Drops.newBuilder()
                                    .addDrops(DropCount.newBuilder()
                                            .setReason(DropReason.DROP_REASON_DEFAULT_DENY)
                                            .setDirection("ingress")
                                            .addPolicies("x/a")
                                            .addPolicies("x/b")
                                            .setPackets(12)
                                            .setBytes(720)
                                            .setLastRisenAtMs(1_700_000_000_123L))
                                    .addDrops(DropCount.newBuilder()
                                            .setReason(DropReason.DROP_REASON_RULE)
                                            .setDirection("egress")
                                            .addPolicies("x/a")
                                            .setRule("3")
                                            .setPackets(2)
                                            .setBytes(120))
                                    .addDrops(DropCount.newBuilder()
                                            .setReason(DropReason.DROP_REASON_GUARD)
                                            .setRule("spoofed")
                                            .setPackets(1)
                                            .setBytes(60))))
                    .addSilentNodes("n2: it is away")
                    .build());
            out.onCompleted();
        }

        @Override
        public void simulatePolicies(SimulatePoliciesRequest request, StreamObserver<SimulatePoliciesResponse> out) {
            assertThat(request.getRecordedFlows()).as("--flows").isTrue();
            out.onNext(SimulatePoliciesResponse.newBuilder()
                    .addRecordedFlips(FlowFlip.newBuilder()
                            .setSource(FlowEnd.newBuilder().setAddress("192.0.2.1"))
                            .setDestination(end("a", "10.0.0.1"))
                            .setProtocol(Protocol.PROTOCOL_TCP)
                            .setPort(443))
                    .setRecordedFlows(9)
                    .addSilentNodes("n2: it is away")
                    .build());
            out.onCompleted();
        }
    }

    @Test
    void theKernelsVerdictStandsBesideTheCompilers() throws Exception {
        assertThat(run(new Witnessing(), "policy", "explain", "x/a", "x/b", "-p", "80", "--witness"))
                .isEqualTo(new Ended(0, """
                        SOURCE        DESTINATION   VERDICT  DIRECTION  NODE  BECAUSE
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   egress     n1    allowed: no policy isolates the pod
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   ingress    n2    denied: isolated by x/deny, and no rule allows it
                        x/a 10.0.0.1  x/b 10.0.0.2  allowed  kernel     n1    no rule drops it; not looked at: tables of others, ip theirs
                        x/a 10.0.0.1  x/b 10.0.0.2  denied   kernel     n2    DIFFERS from what was compiled: replies are dropped in chain ingress-abc by denied:x/deny
                        x/a 10.0.0.1  x/b 10.0.0.2  unknown  kernel     n3    no answer: it is away
                        """, ""));
        assertThat(run(new Witnessing(), "policy", "explain", "x/a", "x/b", "-p", "80", "--at", "12")
                        .out())
                .doesNotContain("kernel");
    }

    private static final class Listing extends PoliciesGrpc.PoliciesImplBase {
        @Override
        public void listPolicies(ListPoliciesRequest request, StreamObserver<ListPoliciesResponse> out) {
            out.onNext(ListPoliciesResponse.newBuilder()
                    .addPolicies(Policy.newBuilder()
                            .setNamespace("x")
                            .setName("a")
                            .setSelectedPods(3)
                            .addAllNodes(List.of("n1", "n2")))
                    .addPolicies(Policy.newBuilder()
                            .setNamespace("x")
                            .setName("b")
                            .setSelectedPods(9)
                            .addAllNodes(List.of("n1", "n2", "n3", "n4", "n5"))
                            .setInvalid("no selector"))
                    .build());
            out.onCompleted();
        }
    }

    @Test
    void policiesAreListedWithPodsNodesAndState() throws Exception {
        assertThat(run(new Listing(), "policy", "list")).isEqualTo(new Ended(0, """
                        NAMESPACE  NAME  TIER  PODS  NODES    STATUS
                        x          a     -     3     n1,n2    valid
                        x          b     -     9     5 nodes  closed: no selector
                        """, ""));
    }

    @Test
    void dropsAreToldByPolicyAndRule() throws Exception {
        assertThat(run(new Witnessing(), "policy", "drops", "--node", "n1"))
                .isEqualTo(new Ended(0, """
                        NODE  DIRECTION  DROPPED BY                         PACKETS  BYTES  LAST RISEN
                        n1    ingress    default deny by policies x/a, x/b  12       720    2023-11-14T22:13:20Z
                        n1    egress     rule 3 of x/a                      2        120    -
                        n1    -          no policy: spoofed                 1        60     -
                        """, "did not answer: n2: it is away\n"));
    }

    @Test
    void connectionsOfNowThatWouldFlipAreNamed() throws Exception {
        assertThat(run(new Witnessing(), "policy", "simulate", "--remove", "x/a", "--flows"))
                .isEqualTo(new Ended(0, """
                        SOURCE     DESTINATION   PORTS               NOW      THEN
                        192.0.2.1  x/a 10.0.0.1  tcp 443 (open now)  allowed  denied
                        """, """
                        of 9 connections that there are now, 1 would flip
                        did not tell its connections: n2: it is away
                        """));
    }

    /** Enforced at the third look, or never. */
    private static final class Slow extends ProgramsGrpc.ProgramsImplBase {
        private final AtomicInteger looks = new AtomicInteger();
        private final boolean ever;

        Slow(boolean ever) {
            this.ever = ever;
        }

        @Override
        public void getRollout(GetRolloutRequest request, StreamObserver<Rollout> out) {
            int look = looks.incrementAndGet();
            assertThat(request.getRevision()).as("asked about at look %d", look).isEqualTo(look == 1 ? 0 : 7);
            boolean complete = ever && look >= 3;
            out.onNext(Rollout.newBuilder()
                    .setRevision(7)
                    .addNodes(NodeRollout.newBuilder()
                            .setNode("n1")
                            .setTargetRevision(7)
                            .setAckedRevision(7))
                    .addNodes(NodeRollout.newBuilder()
                            .setNode("n2")
                            .setTargetRevision(7)
                            .setAckedRevision(complete ? 7 : 6)
                            .setFailure(complete ? "" : "no memory"))
                    .setComplete(complete)
                    .build());
            out.onCompleted();
        }
    }

    @Test
    void rolloutWaitsForAllAndNamesLaggards() throws Exception {
        assertThat(run(new Slow(true), "policy", "rollout", "--wait")).isEqualTo(new Ended(0, """
                        NODE  WANTED  ENFORCED  STATUS
                        n1    7       7         enforced
                        n2    7       7         enforced
                        """, ""));
        Ended late = run(new Slow(false), "policy", "rollout", "--wait", "--timeout", "PT0.2S");
        assertThat(late.code()).as("exit code").isEqualTo(1);
        assertThat(late.out()).as("the table all the same").contains("n2    7       6");
        assertThat(late.err())
                .contains("revision 7 is not enforced after PT0.2S by n2 (failed: no memory)")
                .doesNotContain("n1");
    }
}
