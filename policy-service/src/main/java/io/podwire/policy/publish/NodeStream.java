package io.podwire.policy.publish;

import io.grpc.stub.ServerCallStreamObserver;
import io.podwire.common.error.GrpcErrors;
import io.podwire.common.error.ServiceException;
import io.podwire.proto.policy.v1.ProgramUpdate;
import io.podwire.proto.policy.v1.Unchanged;

/** The sending half of a node's stream. Used by the publisher's loop alone. */
final class NodeStream {
    private final ServerCallStreamObserver<ProgramUpdate> out;
    private final String epoch;
    private boolean ended;

    NodeStream(ServerCallStreamObserver<ProgramUpdate> out, String epoch) {
        this.out = out;
        this.epoch = epoch;
    }

    /** False while the transport still holds earlier bytes: then state waits, not a queue. */
    boolean isReady() {
        return !ended && out.isReady();
    }

    /** True once it was failed or completed from this side, or its end was noticed. */
    boolean hasEnded() {
        return ended;
    }

    void send(Update update) {
        ProgramUpdate.Builder message =
                ProgramUpdate.newBuilder().setEpoch(epoch).setRevision(update.revision());
        switch (update) {
            case Update.Full full -> message.setFull(ProgramMapping.toProto(full.program(), full.revision()));
            case Update.Unchanged _ -> message.setUnchanged(Unchanged.getDefaultInstance());
            case Update.Delta delta -> message.setDelta(ProgramMapping.toProto(delta.delta()));
        }
        out.onNext(message.build());
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
