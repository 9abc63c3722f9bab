package io.podwire.common.error;

import com.google.common.base.Ascii;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.podwire.proto.common.v1.ErrorDetail;
import java.util.Arrays;
import java.util.Optional;

/** The one table from reasons to gRPC status codes, and back. Nobody else picks a code. */
public final class GrpcErrors {
    /** Trailer that carries {@link ErrorDetail}. */
    public static final Metadata.Key<ErrorDetail> DETAIL_KEY = Metadata.Key.of(
            "podwire-error-detail-bin", ProtoUtils.metadataMarshaller(ErrorDetail.getDefaultInstance()));

    private GrpcErrors() {}

    /** The status code of a reason. */
    public static Status.Code code(ErrorReason reason) {
        return switch (reason) {
            case INVALID_ARGUMENT -> Status.Code.INVALID_ARGUMENT;
            case NOT_FOUND -> Status.Code.NOT_FOUND;
            case ALREADY_EXISTS -> Status.Code.ALREADY_EXISTS;
            case FAILED_PRECONDITION, STALE_EPOCH, OWNED_BY_OTHER -> Status.Code.FAILED_PRECONDITION;
            case EXHAUSTED -> Status.Code.RESOURCE_EXHAUSTED;
            case UNAVAILABLE -> Status.Code.UNAVAILABLE;
            case CONTENTION -> Status.Code.ABORTED;
            case PERMISSION_DENIED -> Status.Code.PERMISSION_DENIED;
            case INTERNAL -> Status.Code.INTERNAL;
        };
    }

    /** What a server sends for this failure: code, message, and the detail in the trailers. */
    public static StatusRuntimeException toGrpc(ServiceException failure) {
        Metadata trailers = new Metadata();
        trailers.put(
                DETAIL_KEY,
                ErrorDetail.newBuilder()
                        .setReason(failure.reason().name())
                        .setMessage(failure.getMessage())
                        .putAllFacts(failure.facts())
                        .build());
        return code(failure.reason())
                .toStatus()
                .withDescription(failure.getMessage())
                .withCause(failure)
                .asRuntimeException(trailers);
    }

    /**
     * What a client makes of a failed call: the server's own reason where it sent one, else the
     * reason nearest to the code.
     *
     * @param attempted what was attempted, first words of the message
     */
    public static ServiceException fromGrpc(String attempted, StatusRuntimeException failure) {
        Status status = failure.getStatus();
        String answer = status.getDescription() == null
                ? Ascii.toLowerCase(status.getCode().name()).replace('_', ' ')
                : status.getDescription();
        return new ServiceException(reason(failure), attempted + ": " + answer, failure);
    }

    private static ErrorReason reason(StatusRuntimeException failure) {
        Metadata trailers = failure.getTrailers();
        ErrorDetail detail = trailers == null ? null : trailers.get(DETAIL_KEY);
        Optional<ErrorReason> sent = detail == null
                ? Optional.empty()
                : Arrays.stream(ErrorReason.values())
                        .filter(r -> r.name().equals(detail.getReason()))
                        .findFirst();
        return sent.orElseGet(() -> switch (failure.getStatus().getCode()) {
            case INVALID_ARGUMENT, OUT_OF_RANGE -> ErrorReason.INVALID_ARGUMENT;
            case NOT_FOUND -> ErrorReason.NOT_FOUND;
            case ALREADY_EXISTS -> ErrorReason.ALREADY_EXISTS;
            case FAILED_PRECONDITION -> ErrorReason.FAILED_PRECONDITION;
            case RESOURCE_EXHAUSTED -> ErrorReason.EXHAUSTED;
            case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> ErrorReason.UNAVAILABLE;
            case ABORTED -> ErrorReason.CONTENTION;
            case PERMISSION_DENIED, UNAUTHENTICATED -> ErrorReason.PERMISSION_DENIED;
            case OK, UNKNOWN, UNIMPLEMENTED, INTERNAL, DATA_LOSS -> ErrorReason.INTERNAL;
        });
    }
}
