package io.podwire.cli;

import io.podwire.proto.node.v1.ListDropsRequest;
import io.podwire.proto.node.v1.ListDropsResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire node drops}. */
@Command(name = "drops", description = "What this node has dropped since node-shim started, and by which policy.")
final class NodeDropsCommand implements Callable<Integer> {
    @Mixin
    private NodeSocket node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListDropsResponse answer = node.call(
                "listing what was dropped",
                channel ->
                        Calls.soon(NodeGrpc.newBlockingStub(channel)).listDrops(ListDropsRequest.getDefaultInstance()));
        DropTable table = new DropTable(false);
        answer.getDrops().getDropsList().forEach(drop -> table.row("", drop));
        output.print(answer, table.table());
        return 0;
    }
}
