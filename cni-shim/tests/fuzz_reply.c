// libFuzzer target: whatever the daemon's side of the socket sends, in whatever pieces, the call comes to
// an outcome, with a text where one is promised. The first byte of the input is the size of the pieces.
#include <stdlib.h>

#include "grpc_stream.h"
#include "podwire/cni/v1/cni.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct grpc_stream *stream) {
    const uint8_t *bytes;
    while (grpc_stream_output(stream, &bytes) > 0) {
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t message[] = "\x0a\x03\x41\x44\x44";
    struct grpc_request request = {.method = "/podwire.cni.v1.Cni/Add", .message = message, .message_len = 5, .timeout_ms = 1};
    struct grpc_stream stream;
    if (size == 0 || !grpc_stream_open(&stream, &request)) {
        return 0;
    }
    size_t piece = data[0] == 0 ? size : data[0];
    bool more = true;
    drain(&stream);
    for (size_t at = 1; at < size && more; at += piece) {
        more = grpc_stream_input(&stream, data + at, size - at < piece ? size - at : piece);
        drain(&stream);
    }
    const uint8_t *reply = NULL;
    size_t reply_len = 0;
    enum grpc_outcome outcome = grpc_stream_outcome(&stream, &reply, &reply_len);
    if (outcome == GRPC_REPLIED) {
        Podwire__Cni__V1__CniReply *parsed = podwire__cni__v1__cni_reply__unpack(NULL, reply_len, reply);
        if (parsed != NULL) {
            podwire__cni__v1__cni_reply__free_unpacked(parsed, NULL);
        }
    } else if ((outcome == GRPC_LOST || outcome == GRPC_PROTOCOL) && stream.fault == NULL) {
        abort();
    } else if (outcome == GRPC_STATUS && stream.status == GRPC_OK) {
        abort();
    }
    grpc_stream_close(&stream);
    return 0;
}
