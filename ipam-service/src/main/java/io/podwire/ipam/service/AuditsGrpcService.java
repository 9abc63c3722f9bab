package io.podwire.ipam.service;

import io.grpc.stub.StreamObserver;
import io.podwire.proto.ipam.v1.AuditAddressesRequest;
import io.podwire.proto.ipam.v1.AuditAddressesResponse;
import io.podwire.proto.ipam.v1.AuditsGrpc;

/** podwire.ipam.v1.Audits. */
public final class AuditsGrpcService extends AuditsGrpc.AuditsImplBase {
    private final AuditFlow flow;

    /** The service over its flow. */
    public AuditsGrpcService(AuditFlow flow) {
        this.flow = flow;
    }

    @Override
    public void auditAddresses(AuditAddressesRequest request, StreamObserver<AuditAddressesResponse> answer) {
        answer.onNext(AuditMapping.toProto(flow.look(request.getFix())));
        answer.onCompleted();
    }
}
