package io.podwire.cli;

import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.WitnessFlowRequest;
import io.podwire.proto.node.v1.WitnessFlowResponse;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.KernelVerdict;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code podwire node witness}. */
@Command(
        name = "witness",
        description = "What the rules in this node's kernel, read back from it, do with a connection.")
final class NodeWitnessCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "SOURCE", description = "Address of who opens the connection.")
    private String source;

    @Parameters(
            index = "1",
            paramLabel = "DESTINATION",
            description = "Address of whom it reaches; not that of a service, but of a pod behind it.")
    private String destination;

    @Mixin
    private TransportPort to;

    @Mixin
    private NodeSocket node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        WitnessFlowResponse answer = node.call(
                "asking the kernel about " + source + " to " + destination,
                channel -> Calls.soon(NodeGrpc.newBlockingStub(channel))
                        .witnessFlow(WitnessFlowRequest.newBuilder()
                                .setFlow(FlowTuple.newBuilder()
                                        .setSource(source)
                                        .setDestination(destination)
                                        .setProtocol(to.protocol())
                                        .setPort(to.port()))
                                .build()));
        KernelVerdict verdict = answer.getVerdict();
        Table table = new Table("SOURCE", "DESTINATION", "VERDICT", "REVISION", "BECAUSE");
        table.row(source, destination, verdict(verdict), verdict.getRevision(), because(verdict));
        output.print(answer, table);
        return 0;
    }

    /** In one word. */
    static String verdict(KernelVerdict verdict) {
        return switch (verdict.getOutcome()) {
            case KERNEL_OUTCOME_PASSES -> "allowed";
            case KERNEL_OUTCOME_DROPPED -> "denied";
            case KERNEL_OUTCOME_ELSEWHERE -> "not here";
            case KERNEL_OUTCOME_UNKNOWN, KERNEL_OUTCOME_UNSPECIFIED, UNRECOGNIZED -> "unknown";
        };
    }

    /** Why. */
    static String because(KernelVerdict verdict) {
        String others = verdict.getOtherTablesCount() == 0
                ? ""
                : "; not looked at: tables of others, " + String.join(", ", verdict.getOtherTablesList());
        return switch (verdict.getOutcome()) {
            case KERNEL_OUTCOME_PASSES -> "no rule drops it" + others;
            case KERNEL_OUTCOME_DROPPED ->
                (verdict.getReply() ? "replies are dropped" : "dropped") + " in chain " + verdict.getChain() + " by "
                        + verdict.getRule();
            case KERNEL_OUTCOME_ELSEWHERE -> "no rule of this node sees it";
            case KERNEL_OUTCOME_UNKNOWN -> verdict.getUnknown();
            case KERNEL_OUTCOME_UNSPECIFIED, UNRECOGNIZED -> "node-shim is newer than this command: see -o json";
        };
    }
}
