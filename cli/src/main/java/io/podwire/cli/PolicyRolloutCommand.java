package io.podwire.cli;

import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire policy rollout}. */
@Command(name = "rollout", description = "Which node enforces which revision.")
final class PolicyRolloutCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(
            names = "--revision",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "Revision of interest; 0 is the newest. Default: ${DEFAULT-VALUE}")
    private long revision;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        Rollout rollout = Calls.call(
                "--server",
                server,
                "reading the rollout",
                channel -> Calls.soon(ProgramsGrpc.newBlockingStub(channel))
                        .getRollout(GetRolloutRequest.newBuilder()
                                .setRevision(revision)
                                .build()));
        Table table = new Table("NODE", "WANTED", "ENFORCED", "STATUS");
        rollout.getNodesList()
                .forEach(node ->
                        table.row(node.getNode(), node.getTargetRevision(), node.getAckedRevision(), status(node)));
        output.print(rollout, table);
        return 0;
    }

    private static String status(NodeRollout node) {
        if (!node.getFailure().isEmpty()) {
            return "failed: " + node.getFailure();
        }
        return node.getAckedRevision() >= node.getTargetRevision() ? "enforced" : "waiting";
    }
}
