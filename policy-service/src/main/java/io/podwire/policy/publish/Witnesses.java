package io.podwire.policy.publish;

import io.podwire.common.net.NodeName;
import io.podwire.policy.answer.Explanation;
import io.podwire.policy.model.Protocol;
import io.podwire.policy.publish.NodeQuestions.Said;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.KernelOutcome;
import io.podwire.proto.policy.v1.KernelVerdict;
import io.podwire.proto.policy.v1.NodeQuestion;
import io.podwire.proto.policy.v1.NodeReply;
import io.podwire.proto.policy.v1.Witness;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Asks the kernels of the nodes that judge a connection, and compares what they say with what was compiled for them. */
final class Witnesses {
    private static final Duration LONGEST = Duration.ofSeconds(2);

    private final NodeQuestions questions;

    Witnesses(NodeQuestions questions) {
        this.questions = questions;
    }

    /** What each node that judges it says, by node. */
    List<Witness> of(Explanation explanation, Protocol protocol, int port) {
        FlowTuple flow = FlowTuple.newBuilder()
                .setSource(explanation.source().address().toString())
                .setDestination(explanation.destination().address().toString())
                .setProtocol(ProgramMapping.toProto(protocol))
                .setPort(port)
                .build();
        List<CompletableFuture<Witness>> asked = explanation.judges().stream()
                .map(node -> questions
                        .ask(node, NodeQuestion.newBuilder().setWitness(flow), LONGEST)
                        .thenApply(said -> witness(explanation, node, said)))
                .toList();
        return asked.stream().map(CompletableFuture::join).toList();
    }

    private static Witness witness(Explanation explanation, NodeName node, Said said) {
        Witness.Builder out = Witness.newBuilder().setNode(node.value());
        return switch (said) {
            case Said.Silent(String why) -> out.setSilent(why).build();
            case Said.Reply(NodeReply reply) ->
                reply.hasVerdict()
                        ? out.setVerdict(reply.getVerdict())
                                .setAgrees(agrees(explanation, node, reply.getVerdict()))
                                .build()
                        : out.setSilent("it answered another question").build();
        };
    }

    /** A kernel that no packet of the connection comes by neither passes nor drops it: right for what stays in a pod. */
    private static boolean agrees(Explanation explanation, NodeName node, KernelVerdict verdict) {
        return switch (verdict.getOutcome()) {
            case KERNEL_OUTCOME_PASSES -> explanation.passesAt(node);
            case KERNEL_OUTCOME_DROPPED -> !explanation.passesAt(node);
            case KERNEL_OUTCOME_ELSEWHERE -> explanation.isWithinPod();
            case KERNEL_OUTCOME_UNKNOWN, KERNEL_OUTCOME_UNSPECIFIED, UNRECOGNIZED -> false;
        };
    }

    /** True when the kernel told something that can agree or not. */
    static boolean told(Witness witness) {
        KernelOutcome outcome = witness.getVerdict().getOutcome();
        return outcome == KernelOutcome.KERNEL_OUTCOME_PASSES || outcome == KernelOutcome.KERNEL_OUTCOME_DROPPED;
    }
}
