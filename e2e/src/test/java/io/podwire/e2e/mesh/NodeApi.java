package io.podwire.e2e.mesh;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.service.UnixSockets;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.Finding;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.NodeStatus;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** node-shim's own API, on its unix socket. For any thread. */
public final class NodeApi implements AutoCloseable {
    private static final int DEADLINE_SECONDS = 10;

    private final ManagedChannel channel;

    /**
     * Connects when it is first asked.
     *
     * @param socket node-shim's
     */
    public NodeApi(Path socket) {
        channel = UnixSockets.channel(socket);
    }

    /** The status, or empty while nobody answers. */
    public Optional<NodeStatus> status() {
        channel.resetConnectBackoff();
        try {
            return Optional.of(stub().getNodeStatus(GetNodeStatusRequest.getDefaultInstance()));
        } catch (StatusRuntimeException _) {
            return Optional.empty();
        }
    }

    /** Addresses that an ADD could take now. */
    public int freeAddresses() {
        return status().orElseThrow().getFreeAddresses();
    }

    /** Attachments in the journal: the first thousand. */
    public List<Endpoint> endpoints() {
        return stub().listEndpoints(ListEndpointsRequest.getDefaultInstance()).getEndpointsList();
    }

    /** Differences between journal and kernel. */
    public List<Finding> audit() {
        return stub().audit(AuditRequest.getDefaultInstance()).getFindingsList();
    }

    private NodeGrpc.NodeBlockingStub stub() {
        return NodeGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
