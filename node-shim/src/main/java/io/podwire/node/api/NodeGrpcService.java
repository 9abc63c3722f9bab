package io.podwire.node.api;

import io.grpc.stub.StreamObserver;
import io.podwire.common.error.ErrorReason;
import io.podwire.common.error.ServiceException;
import io.podwire.common.net.IpAddress;
import io.podwire.node.dataplane.Finding;
import io.podwire.node.journal.Attachment;
import io.podwire.node.plan.EndpointKey;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.node.v1.AuditRequest;
import io.podwire.proto.node.v1.AuditResponse;
import io.podwire.proto.node.v1.Endpoint;
import io.podwire.proto.node.v1.GetNodeStatusRequest;
import io.podwire.proto.node.v1.ListDropsRequest;
import io.podwire.proto.node.v1.ListDropsResponse;
import io.podwire.proto.node.v1.ListEndpointsRequest;
import io.podwire.proto.node.v1.ListEndpointsResponse;
import io.podwire.proto.node.v1.NodeGrpc;
import io.podwire.proto.node.v1.NodeStatus;
import io.podwire.proto.node.v1.WitnessFlowRequest;
import io.podwire.proto.node.v1.WitnessFlowResponse;
import io.podwire.proto.policy.v1.Drops;
import io.podwire.proto.policy.v1.FlowTuple;
import io.podwire.proto.policy.v1.KernelVerdict;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** The edge to operators: what this node has, what it reaches, and whether the kernel agrees. */
public final class NodeGrpcService extends NodeGrpc.NodeImplBase {
    private static final int MAX_PAGE = 1000;

    private final Supplier<List<Attachment>> attachments;
    private final Supplier<NodeStatus> status;
    private final Supplier<List<Finding>> audit;
    private final Function<FlowTuple, KernelVerdict> witness;
    private final Supplier<Drops> drops;

    /**
     * The service of one node.
     *
     * @param attachments all there are, in key order
     * @param status makes the node's status
     * @param audit compares journal and kernel
     * @param witness asks the kernel about a connection; throws IllegalArgumentException when it can be none
     * @param drops what the kernel's rules have dropped
     */
    public NodeGrpcService(
            Supplier<List<Attachment>> attachments,
            Supplier<NodeStatus> status,
            Supplier<List<Finding>> audit,
            Function<FlowTuple, KernelVerdict> witness,
            Supplier<Drops> drops) {
        this.attachments = attachments;
        this.status = status;
        this.audit = audit;
        this.witness = witness;
        this.drops = drops;
    }

    @Override
    public void witnessFlow(WitnessFlowRequest request, StreamObserver<WitnessFlowResponse> reply) {
        try {
            reply.onNext(WitnessFlowResponse.newBuilder()
                    .setVerdict(witness.apply(request.getFlow()))
                    .build());
        } catch (IllegalArgumentException e) {
            throw new ServiceException(ErrorReason.INVALID_ARGUMENT, "asking the kernel: " + e.getMessage(), e);
        }
        reply.onCompleted();
    }

    @Override
    public void listDrops(ListDropsRequest request, StreamObserver<ListDropsResponse> reply) {
        reply.onNext(ListDropsResponse.newBuilder().setDrops(drops.get()).build());
        reply.onCompleted();
    }

    @Override
    public void listEndpoints(ListEndpointsRequest request, StreamObserver<ListEndpointsResponse> reply) {
        int size = request.getPageSize();
        if (size < 0 || size > MAX_PAGE) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT, "page_size must be 0 to " + MAX_PAGE + ", got " + size);
        }
        int limit = size == 0 ? MAX_PAGE : size;
        Optional<EndpointKey> after = after(request.getPageToken());
        List<Attachment> rest = attachments.get().stream()
                .filter(a -> a.state() == Attachment.State.ATTACHED)
                .filter(a -> after.isEmpty() || a.key().compareTo(after.get()) > 0)
                .limit(limit + 1L)
                .toList();
        ListEndpointsResponse.Builder response = ListEndpointsResponse.newBuilder();
        rest.stream().limit(limit).map(NodeGrpcService::endpoint).forEach(response::addEndpoints);
        if (rest.size() > limit) {
            response.setNextPageToken(rest.get(limit - 1).key().toString());
        }
        reply.onNext(response.build());
        reply.onCompleted();
    }

    private static Optional<EndpointKey> after(String token) {
        try {
            return token.isEmpty() ? Optional.empty() : Optional.of(EndpointKey.parse(token));
        } catch (IllegalArgumentException e) {
            throw new ServiceException(
                    ErrorReason.INVALID_ARGUMENT,
                    "page_token must come from a previous answer, got '" + token + "'",
                    e);
        }
    }

    @Override
    public void getNodeStatus(GetNodeStatusRequest request, StreamObserver<NodeStatus> reply) {
        reply.onNext(status.get());
        reply.onCompleted();
    }

    @Override
    public void audit(AuditRequest request, StreamObserver<AuditResponse> reply) {
        AuditResponse.Builder response =
                AuditResponse.newBuilder().setChecked(attachments.get().size());
        audit.get()
                .forEach(f -> response.addFindingsBuilder()
                        .setObject(f.object())
                        .setName(f.name())
                        .setProblem(f.problem()));
        reply.onNext(response.build());
        reply.onCompleted();
    }

    private static Endpoint endpoint(Attachment a) {
        return Endpoint.newBuilder()
                .setNetwork(a.network())
                .setContainerId(a.key().containerId())
                .setIfname(a.key().ifname())
                .setPod(PodRef.newBuilder()
                        .setNamespace(a.pod().namespace())
                        .setName(a.pod().name())
                        .setUid(a.pod().uid()))
                .setAddress(a.addresses().first().toString())
                .addAllAddresses(a.addresses().stream().map(IpAddress::toString).toList())
                .setMac(a.mac().toString())
                .setHostIfname(a.hostIfname())
                .setNetns(a.netnsPath())
                .setPolicyRevision(a.policyRevision())
                .setAttachedAtMs(a.since().toEpochMilli())
                .build();
    }
}
