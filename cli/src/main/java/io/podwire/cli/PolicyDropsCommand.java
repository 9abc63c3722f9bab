package io.podwire.cli;

import io.podwire.proto.policy.v1.AnswersGrpc;
import io.podwire.proto.policy.v1.ListDropsRequest;
import io.podwire.proto.policy.v1.ListDropsResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire policy drops}. */
@Command(name = "drops", description = "What nodes have dropped since their node-shims started, and by which policy.")
final class PolicyDropsCommand implements Callable<Integer> {
    @Option(names = "--node", paramLabel = "NAME", defaultValue = "", description = "Only this node. Default: all")
    private String node;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_POLICY_SERVER:-127.0.0.1:7472}",
            description = "policy-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListDropsResponse answer = Calls.call(
                "--server",
                server,
                "listing what was dropped",
                channel -> Calls.soon(AnswersGrpc.newBlockingStub(channel))
                        .listDrops(ListDropsRequest.newBuilder().setNode(node).build()));
        DropTable table = new DropTable(true);
        answer.getNodesList()
                .forEach(of -> of.getDrops().getDropsList().forEach(drop -> table.row(of.getNode(), drop)));
        answer.getSilentNodesList().forEach(silent -> output.note("did not answer: " + silent));
        output.print(answer, table.table());
        return 0;
    }
}
