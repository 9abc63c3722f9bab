package io.podwire.cli;

import io.podwire.proto.ipam.v1.BlocksGrpc;
import io.podwire.proto.ipam.v1.ForgetNodeRequest;
import io.podwire.proto.ipam.v1.ForgetNodeResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire forget-node}. */
@Command(
        name = "forget-node",
        description =
                "Takes back the addresses of a node that is gone for good: at once, so its pods must be gone. What"
                        + " comes back under its name is fenced until its next start, and begins with nothing.")
final class ForgetNodeCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Option(
            names = "--uid",
            paramLabel = "UID",
            defaultValue = "",
            description = "Only this installation of the node, as `podwire ipam blocks -o json` names it. Default: all")
    private String uid;

    @Option(names = "--dry-run", description = "Changes nothing, and tells what would be taken back.")
    private boolean dryRun;

    @Option(
            names = "--even-if-connected",
            description = "Also a node that is connected to that ipam-service now, which is refused otherwise.")
    private boolean evenIfConnected;

    @Parameters(paramLabel = "NAME", description = "The node.")
    private String name;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ForgetNodeResponse answer = Calls.call(
                "--server",
                server,
                "an answer to the forgetting of node " + name,
                channel -> Calls.soon(BlocksGrpc.newBlockingStub(channel))
                        .forgetNode(ForgetNodeRequest.newBuilder()
                                .setNode(name)
                                .setNodeUid(uid)
                                .setDryRun(dryRun)
                                .setEvenIfConnected(evenIfConnected)
                                .build()));
        Table taken = new Table(dryRun ? "WOULD TAKE BACK" : "TOOK BACK", "POOL", "UID", "STARTS");
        answer.getBlocksList()
                .forEach(block -> taken.row(
                        block.getCidr(),
                        block.getPool(),
                        block.getOwner().getNodeUid(),
                        block.getOwner().getCounter()));
        answer.getAddressesList().forEach(address -> taken.row(address, "-", "-", "-"));
        output.print(answer, taken);
        return 0;
    }
}
