package io.podwire.cli;

import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ListBlocksRequest;
import io.podwire.proto.ipam.v1.ListBlocksResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire ipam blocks}. */
@Command(name = "blocks", description = "Blocks of addresses and the nodes that own them.")
final class IpamBlocksCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(names = "--node", paramLabel = "NAME", defaultValue = "", description = "Only blocks of this node.")
    private String node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        ListBlocksResponse answer = Calls.call(
                "--server",
                server,
                "listing blocks",
                channel -> Calls.pages(
                        token -> Calls.soon(BlocksGrpc.newBlockingStub(channel))
                                .listBlocks(ListBlocksRequest.newBuilder()
                                        .setNode(node)
                                        .setPageToken(token)
                                        .build()),
                        ListBlocksResponse::getNextPageToken));
        Table table = new Table("POOL", "CIDR", "NODE", "STARTS");
        answer.getBlocksList()
                .forEach(block -> table.row(
                        block.getPool(),
                        block.getCidr(),
                        block.getOwner().getNode(),
                        block.getOwner().getCounter()));
        output.print(answer, table);
        return 0;
    }
}
