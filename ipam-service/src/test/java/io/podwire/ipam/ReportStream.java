package io.podwire.ipam;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.Timestamp;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.common.v1.Handshake;
import io.podwire.proto.common.v1.NodeEpoch;
import io.podwire.proto.common.v1.PodRef;
import io.podwire.proto.ipam.v1.Binding;
import io.podwire.proto.ipam.v1.BindingDelta;
import io.podwire.proto.ipam.v1.BindingList;
import io.podwire.proto.ipam.v1.BindingState;
import io.podwire.proto.ipam.v1.BindingsGrpc;
import io.podwire.proto.ipam.v1.NodeAudit;
import io.podwire.proto.ipam.v1.ReportBindingsRequest;
import io.podwire.proto.ipam.v1.ReportBindingsResponse;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** A node's stream of bindings. */
final class ReportStream implements StreamObserver<ReportBindingsResponse> {
    private final NodeEpoch node;
    private final StreamObserver<ReportBindingsRequest> requests;
    private final CompletableFuture<Throwable> end = new CompletableFuture<>();
    private volatile long acked;
    /** What it was told of full namespaces, each time. */
    private final List<List<String>> full = new java.util.concurrent.CopyOnWriteArrayList<>();

    private long sequence;

    ReportStream(ManagedChannel channel, NodeEpoch node) {
        this.node = node;
        this.requests = BindingsGrpc.newStub(channel).reportBindings(this);
    }

    static Binding inUse(String address, String pod) {
        return Binding.newBuilder()
                .setAddress(address)
                .setContainerId("container-" + pod)
                .setIfname("eth0")
                .setPod(PodRef.newBuilder().setNamespace("default").setName(pod).setUid("uid-" + pod))
                .setNetwork("podwire")
                .setSince(Timestamp.newBuilder().setSeconds(1_700_000_000).setNanos(5))
                .setState(BindingState.BINDING_STATE_IN_USE)
                .build();
    }

    static Binding cooling(String address) {
        return Binding.newBuilder()
                .setAddress(address)
                .setSince(Timestamp.newBuilder().setSeconds(1_700_000_100))
                .setState(BindingState.BINDING_STATE_COOLING)
                .build();
    }

    void full(Binding... bindings) {
        sequence++;
        requests.onNext(ReportBindingsRequest.newBuilder()
                .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                .setNode(node)
                .setSequence(sequence)
                .setFull(BindingList.newBuilder().addAllBindings(List.of(bindings)))
                .build());
    }

    /** The same as a node that takes full namespaces. */
    void fullOfOneThatTakesNamespaces(Binding... bindings) {
        sequence++;
        requests.onNext(ReportBindingsRequest.newBuilder()
                .setHandshake(Handshake.newBuilder().setProtocol(1).setMinProtocol(1))
                .setNode(node)
                .setSequence(sequence)
                .setTakesFullNamespaces(true)
                .setFull(BindingList.newBuilder().addAllBindings(List.of(bindings)))
                .build());
    }

    /** What it was told of full namespaces, each time. */
    List<List<String>> told() {
        return full;
    }

    void delta(List<Binding> updated, List<String> removed) {
        sequence++;
        requests.onNext(ReportBindingsRequest.newBuilder()
                .setNode(node)
                .setSequence(sequence)
                .setDelta(BindingDelta.newBuilder().addAllUpdated(updated).addAllRemoved(removed))
                .build());
    }

    /**
     * What the node's own audit finds.
     *
     * @param findings by kind of object
     */
    void audited(Map<String, Integer> findings) {
        NodeAudit.Builder audit = NodeAudit.newBuilder();
        findings.forEach(
                (object, count) -> audit.addFindingsBuilder().setObject(object).setCount(count));
        sequence++;
        requests.onNext(ReportBindingsRequest.newBuilder()
                .setNode(node)
                .setSequence(sequence)
                .setDelta(BindingDelta.getDefaultInstance())
                .setAudit(audit)
                .build());
    }

    /** An empty delta of any node and sequence. */
    void deltaOf(NodeEpoch whose, long which) {
        requests.onNext(ReportBindingsRequest.newBuilder()
                .setNode(whose)
                .setSequence(which)
                .setDelta(BindingDelta.getDefaultInstance())
                .build());
    }

    void awaitAck(long which) {
        await("message " + which + " is acknowledged")
                .untilAsserted(() -> assertThat(acked)
                        .as("last acknowledged; the stream's end: %s", end)
                        .isEqualTo(which));
    }

    ServiceException awaitFailure() {
        Throwable failure =
                end.orTimeout(10, java.util.concurrent.TimeUnit.SECONDS).join();
        assertThat(failure).isInstanceOf(StatusRuntimeException.class);
        return GrpcErrors.fromGrpc("reporting", (StatusRuntimeException) failure);
    }

    /** Ends the stream as a killed node does. */
    void abandon() {
        ((ClientCallStreamObserver<ReportBindingsRequest>) requests).cancel("killed", null);
    }

    @Override
    public void onNext(ReportBindingsResponse response) {
        if (response.hasFullNamespaces()) {
            full.add(response.getFullNamespaces().getNamespacesList());
        }
        if (response.getSequence() != 0) {
            acked = response.getSequence();
        }
    }

    @Override
    public void onError(Throwable failure) {
        end.complete(failure);
    }

    @Override
    public void onCompleted() {
        end.complete(Status.OK.asRuntimeException());
    }
}
