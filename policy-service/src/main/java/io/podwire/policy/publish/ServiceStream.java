package io.podwire.policy.publish;

import io.grpc.stub.ServerCallStreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.policy.v1.ServiceUpdate;

/** A node's stream of Services. Used by the service publisher's loop alone. */
final class ServiceStream {
    private final ServerCallStreamObserver<ServiceUpdate> out;
    private boolean ended;

    ServiceStream(ServerCallStreamObserver<ServiceUpdate> out) {
        this.out = out;
    }

    /** False while the transport still holds earlier bytes: then state waits, not a queue. */
    boolean isReady() {
        return !ended && out.isReady();
    }

    void send(ServiceUpdate update) {
        out.onNext(update);
    }

    void fail(ServiceException reason) {
        if (!ended && !out.isCancelled()) {
            out.onError(GrpcErrors.toGrpc(reason));
        }
        ended = true;
    }

    /** The other side has ended it. */
    void over() {
        ended = true;
    }
}
