package io.podwire.cli;

import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.ListEndpointsResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code podwire node endpoints}. */
@Command(name = "endpoints", description = "Attachments of this node.")
final class NodeEndpointsCommand implements Callable<Integer> {
    @Option(
            names = "--socket",
            paramLabel = "unix:PATH",
            defaultValue = "${env:PODWIRE_SOCKET:-unix:/run/podwire/cni.sock}",
            description = "node-shim's socket. Default: ${DEFAULT-VALUE}")
    private String socket;

    @Mixin
    private Output output;

    @Override
    public Integer call() {

        ListEndpointsResponse answer = Calls.call(
                "--socket",
                socket,
                "listing the node's endpoints",
                channel -> Calls.pages(
                        token -> Calls.soon(NodeGrpc.newBlockingStub(channel))
                                .listEndpoints(ListEndpointsRequest.newBuilder()
                                        .setPageToken(token)
                                        .build()),
                        ListEndpointsResponse::getNextPageToken));
        Table table = new Table("POD", "ADDRESS", "IFNAME", "HOST-IFNAME", "MAC", "POLICY", "CONTAINER");
        for (Endpoint endpoint : answer.getEndpointsList()) {
            String id = endpoint.getContainerId();
            table.row(
                    endpoint.getPod().getNamespace() + "/" + endpoint.getPod().getName(),
                    endpoint.getAddress(),
                    endpoint.getIfname(),
                    endpoint.getHostIfname(),
                    endpoint.getMac(),
                    endpoint.getPolicyRevision(),
                    id.substring(0, Math.min(12, id.length())));
        }
        output.print(answer, table);
        return 0;
    }
}
