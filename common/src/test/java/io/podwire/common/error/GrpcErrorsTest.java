package io.podwire.common.error;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.podwire.proto.common.v1.ErrorDetail;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

final class GrpcErrorsTest {
    @ParameterizedTest
    @EnumSource(ErrorReason.class)
    void everyReasonComesBack(ErrorReason reason) {
        StatusRuntimeException sent =
                GrpcErrors.toGrpc(new ServiceException(reason, "pool 'x' is full", Map.of("pool", "x")));
        assertThat(sent.getStatus().getCode())
                .isEqualTo(GrpcErrors.code(reason))
                .isNotEqualTo(Status.Code.OK);
        assertThat(sent.getStatus().getDescription()).isEqualTo("pool 'x' is full");
        Metadata trailers = sent.getTrailers();
        assertThat(trailers).isNotNull();
        assertThat(trailers.get(GrpcErrors.DETAIL_KEY))
                .isEqualTo(ErrorDetail.newBuilder()
                        .setReason(reason.name())
                        .setMessage("pool 'x' is full")
                        .putFacts("pool", "x")
                        .build());
        ServiceException received = GrpcErrors.fromGrpc("claiming a block", sent);
        assertThat(received.reason()).isEqualTo(reason);
        assertThat(received).hasMessage("claiming a block: pool 'x' is full");
    }

    /** Without detail, as from another server or from gRPC itself. */
    @ParameterizedTest
    @EnumSource(value = Status.Code.class, mode = EnumSource.Mode.EXCLUDE, names = "OK")
    void everyCodeHasAReason(Status.Code code) {
        ServiceException received =
                GrpcErrors.fromGrpc("asking", code.toStatus().asRuntimeException());
        assertThat(received.reason()).isNotNull();
        assertThat(received.getMessage())
                .startsWith("asking: ")
                .isEqualTo(received.getMessage().toLowerCase(java.util.Locale.ROOT));
    }

    @ParameterizedTest
    @CsvSource({
        "UNAVAILABLE, UNAVAILABLE",
        "DEADLINE_EXCEEDED, UNAVAILABLE",
        "CANCELLED, UNAVAILABLE",
        "RESOURCE_EXHAUSTED, EXHAUSTED",
        "ABORTED, CONTENTION",
        "UNAUTHENTICATED, PERMISSION_DENIED",
        "UNIMPLEMENTED, INTERNAL",
        "UNKNOWN, INTERNAL",
    })
    void theNearestReasonIsTaken(Status.Code code, ErrorReason reason) {
        assertThat(GrpcErrors.fromGrpc("x", code.toStatus().asRuntimeException())
                        .reason())
                .isEqualTo(reason);
    }

    @Test
    void aReasonOfALaterReleaseFallsBackToTheCode() {
        Metadata trailers = new Metadata();
        trailers.put(
                GrpcErrors.DETAIL_KEY,
                ErrorDetail.newBuilder().setReason("QUANTUM_FLUX").build());
        assertThat(GrpcErrors.fromGrpc("x", Status.ABORTED.asRuntimeException(trailers))
                        .reason())
                .isEqualTo(ErrorReason.CONTENTION);
    }
}
