package io.podwire.cli;

import io.grpc.ManagedChannel;
import io.podwire.cli.lab.Await;
import io.podwire.proto.policy.v1.GetRolloutRequest;
import io.podwire.proto.policy.v1.NodeRollout;
import io.podwire.proto.policy.v1.ProgramsGrpc;
import io.podwire.proto.policy.v1.Rollout;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
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

    @Option(
            names = "--wait",
            description = "Wait until every connected node enforces it; ends with 1 and the laggards' names when the"
                    + " time of --timeout is over.")
    private boolean wait;

    @Option(
            names = "--timeout",
            paramLabel = "DURATION",
            defaultValue = "PT30S",
            description = "How long --wait waits. Default: ${DEFAULT-VALUE}")
    private Duration timeout;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        Rollout rollout = Calls.call("--server", server, "reading the rollout", this::rollout);
        Table table = new Table("NODE", "WANTED", "ENFORCED", "STATUS");
        rollout.getNodesList()
                .forEach(node ->
                        table.row(node.getNode(), node.getTargetRevision(), node.getAckedRevision(), status(node)));
        output.print(rollout, table);
        if (wait && !rollout.getComplete()) {
            throw new CommandFailure("revision " + rollout.getRevision() + " is not enforced after " + timeout + " by "
                    + rollout.getNodesList().stream()
                            .filter(node -> node.getAckedRevision() < node.getTargetRevision())
                            .map(node -> node.getNode() + " (" + status(node) + ")")
                            .collect(Collectors.joining(", ")));
        }
        return 0;
    }

    /** As it is, or as it is when there is no more to wait for. */
    private Rollout rollout(ManagedChannel channel) {
        Rollout first = rollout(channel, revision);
        AtomicReference<Rollout> last = new AtomicReference<>(first);
        if (wait && !first.getComplete()) {
            // Of the revision that was the newest then: a busy cluster always has a newer one.
            var _ = Await.eventually(timeout, () -> {
                last.set(rollout(channel, first.getRevision()));
                return last.get().getComplete();
            });
        }
        return last.get();
    }

    private static Rollout rollout(ManagedChannel channel, long revision) {
        return Calls.soon(ProgramsGrpc.newBlockingStub(channel))
                .getRollout(GetRolloutRequest.newBuilder().setRevision(revision).build());
    }

    private static String status(NodeRollout node) {
        if (!node.getFailure().isEmpty()) {
            return "failed: " + node.getFailure();
        }
        return node.getAckedRevision() >= node.getTargetRevision() ? "enforced" : "waiting";
    }
}
