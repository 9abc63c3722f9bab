package io.podwire.node.cni;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.podwire.node.cni.CniException.Code;
import io.podwire.proto.cni.v1.CniGrpc;
import io.podwire.proto.cni.v1.CniReply;
import io.podwire.proto.cni.v1.CniRequest;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * The edge to cni-shim of a node that can serve nothing, and says why. A DEL ends with UNAVAILABLE, at which
 * cni-shim stores it for a later node-shim and tells the runtime that it is done.
 */
public final class RefusingCniService extends CniGrpc.CniImplBase {
    private final Supplier<String> reason;

    /**
     * A service that refuses.
     *
     * @param reason why, one or more sentences
     */
    public RefusingCniService(Supplier<String> reason) {
        this.reason = reason;
    }

    @Override
    public void add(CniRequest request, StreamObserver<CniReply> reply) {
        refuse(request, Code.TRY_AGAIN, "no pod can be attached", reply);
    }

    @Override
    public void del(CniRequest request, StreamObserver<CniReply> reply) {
        reply.onError(Status.UNAVAILABLE.withDescription(reason.get()).asRuntimeException());
    }

    @Override
    public void check(CniRequest request, StreamObserver<CniReply> reply) {
        refuse(request, Code.TRY_AGAIN, "the attachment cannot be judged", reply);
    }

    @Override
    public void gc(CniRequest request, StreamObserver<CniReply> reply) {
        refuse(request, Code.TRY_AGAIN, "nothing can be removed", reply);
    }

    @Override
    public void status(CniRequest request, StreamObserver<CniReply> reply) {
        refuse(request, Code.NOT_AVAILABLE, "an ADD would not be served now", reply);
    }

    private void refuse(CniRequest request, Code code, String message, StreamObserver<CniReply> reply) {
        Optional<CniVersion> version = Optional.empty();
        CniException error = new CniException(code, message, reason.get());
        try {
            version = Optional.of(
                    NetworkConfig.parse(request.getConfig().toByteArray()).version());
        } catch (CniException e) {
            error = e;
        }
        reply.onNext(CniGrpcService.reply(1, CniResult.error(version, error)));
        reply.onCompleted();
    }
}
