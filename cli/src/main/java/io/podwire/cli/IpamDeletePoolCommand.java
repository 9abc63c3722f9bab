package io.podwire.cli;

import io.podwire.proto.ipam.v1.DeletePoolRequest;
import io.podwire.proto.ipam.v1.DeletePoolResponse;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code podwire ipam delete-pool}. */
@Command(
        name = "delete-pool",
        description = "Deletes a pool none of whose blocks is owned; one that is not there is success.")
final class IpamDeletePoolCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Parameters(paramLabel = "NAME", description = "The pool.")
    private String name;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        DeletePoolResponse answer = Calls.call(
                "--server",
                server,
                "an answer to the deletion of pool " + name,
                channel -> Calls.soon(PoolsGrpc.newBlockingStub(channel))
                        .deletePool(DeletePoolRequest.newBuilder().setName(name).build()));
        Table gone = new Table("DELETED");
        gone.row(name);
        output.print(answer, gone);
        return 0;
    }
}
