package io.podwire.cli;

import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.ListEndpointsResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code podwire node endpoints}. */
@Command(name = "endpoints", description = "Attachments of this node.")
final class NodeEndpointsCommand implements Callable<Integer> {
    @Mixin
    private NodeSocket node;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        ListEndpointsResponse answer = node.call(
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
