package io.podwire.cli.lab;

import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.podwire.common.service.UnixSockets;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.NodeStatus;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Asks one node-shim about its node. For any thread. */
public final class NodeClient implements AutoCloseable {
    private static final int DEADLINE_SECONDS = 5;

    private final Path socket;
    private final ManagedChannel channel;

    NodeClient(Path socket) {
        this.socket = socket;
        this.channel = UnixSockets.channel(socket);
    }

    /** The node's status now; empty while nobody answers. */
    public Optional<NodeStatus> status() {
        if (!Files.exists(socket)) {
            return Optional.empty();
        }
        channel.resetConnectBackoff();
        try {
            return Optional.of(stub().getNodeStatus(GetNodeStatusRequest.getDefaultInstance()));
        } catch (StatusRuntimeException _) {
            return Optional.empty();
        }
    }

    /** Attachments of the node: its first thousand. */
    public List<Endpoint> endpoints() {
        return stub().listEndpoints(ListEndpointsRequest.getDefaultInstance()).getEndpointsList();
    }

    /** Compares journal and kernel. */
    public AuditResponse audit() {
        return stub().audit(AuditRequest.getDefaultInstance());
    }

    private NodeGrpc.NodeBlockingStub stub() {
        return NodeGrpc.newBlockingStub(channel).withDeadlineAfter(DEADLINE_SECONDS, TimeUnit.SECONDS);
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
