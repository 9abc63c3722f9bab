package io.podwire.cli;

import io.podwire.proto.ipam.v1.ListPoolsRequest;
import io.podwire.proto.ipam.v1.ListPoolsResponse;
import io.podwire.proto.ipam.v1.PoolsGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire ipam pools}. */
@Command(name = "pools", description = "Pools of addresses.")
final class IpamPoolsCommand implements Callable<Integer> {
    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${env:PODWIRE_IPAM_SERVER:-127.0.0.1:7471}",
            description = "ipam-service's address. Default: ${DEFAULT-VALUE}")
    private String server;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        ListPoolsResponse answer = Calls.call(
                "--server",
                server,
                "listing pools",
                channel -> Calls.pages(
                        token -> Calls.soon(PoolsGrpc.newBlockingStub(channel))
                                .listPools(ListPoolsRequest.newBuilder()
                                        .setPageToken(token)
                                        .build()),
                        ListPoolsResponse::getNextPageToken));
        output.print(answer, PoolTable.of(answer.getPoolsList()));
        return 0;
    }
}
