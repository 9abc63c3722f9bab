package io.podwire.policy.publish;

import io.grpc.stub.ServerCallStreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.policy.v1.AnnounceResponse;

/** The sending half of a stream by which a node that is served elsewhere tells its endpoints. Used by the publisher's loop alone. */
final class AnnounceStream {
    private final ServerCallStreamObserver<AnnounceResponse> out;
    private boolean ended;

    AnnounceStream(ServerCallStreamObserver<AnnounceResponse> out) {
        this.out = out;
    }

    void taken() {
        if (!ended && !out.isCancelled()) {
            out.onNext(AnnounceResponse.getDefaultInstance());
        }
    }

    void fail(ServiceException reason) {
        if (!ended && !out.isCancelled()) {
            out.onError(GrpcErrors.toGrpc(reason));
        }
        ended = true;
    }

    void complete() {
        if (!ended && !out.isCancelled()) {
            out.onCompleted();
        }
        ended = true;
    }
}
