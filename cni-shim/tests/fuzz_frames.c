// libFuzzer target: whatever the daemon's side of the socket sends, in whatever pieces, the call comes to
// an outcome, with a text where one is promised. The first byte of the input is the size of the pieces in
// its lower seven bits. With the highest bit the rest is not what arrives but a list of frames to be made,
// so that most of them have a length and header fields that are right:
//   type, flags, number of the stream, length, payload
// In a payload of HEADERS or CONTINUATION each byte stands for a field of FIELDS.
#include <stdlib.h>
#include <string.h>

#include "grpc_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name, *value;
} FIELDS[] = {
    {":status", "200"},
    {"content-type", "application/grpc"},
    {"grpc-status", "0"},
    {"grpc-status", "5"},
    {"grpc-message", "pool%20not found%00%"},
    {":status", "100"},
    {":status", "500"},
    {"content-type", "text/html"},
    {"grpc-status", "99999"},
    {"grpc-message", ""},
    {"content-length", "1"},
    {"connection", "close"},
    {"Upper", "case"},
    {":path", "/"},
    {"x", "a field of some length, which takes its room in the table of the decoder: 0123456789"},
};

enum { FIELD_COUNT = sizeof FIELDS / sizeof FIELDS[0] };

static size_t make_fields(nghttp2_hd_deflater *deflater, const uint8_t *payload, size_t len, uint8_t *out, size_t size) {
    nghttp2_nv fields[255];
    for (size_t i = 0; i < len; i++) {
        const char *name = FIELDS[payload[i] % FIELD_COUNT].name;
        const char *value = FIELDS[payload[i] % FIELD_COUNT].value;
        fields[i] = (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
    }
    ssize_t written = nghttp2_hd_deflate_hd(deflater, out, size, fields, len);
    return written < 0 ? 0 : (size_t)written;
}

static void add_frame(struct text *out, const uint8_t head[4], const uint8_t *payload, size_t len) {
    const uint8_t bytes[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, head[0], head[1], 0, 0, 0, head[2]};
    text_add(out, bytes, sizeof bytes);
    text_add(out, payload, len);
}

static struct text make_frames(const uint8_t *data, size_t size) {
    static uint8_t block[64 * 1024];
    struct text out = text_with_limit(1 << 20);
    nghttp2_hd_deflater *deflater;
    nghttp2_hd_deflate_new(&deflater, 4096);
    static const uint8_t settings[4] = {NGHTTP2_SETTINGS, 0, 0, 0};
    add_frame(&out, settings, NULL, 0);
    while (size >= 4) {
        size_t len = data[3] < size - 4 ? data[3] : size - 4;
        if (data[0] == NGHTTP2_HEADERS || data[0] == NGHTTP2_CONTINUATION) {
            add_frame(&out, data, block, make_fields(deflater, data + 4, len, block, sizeof block));
        } else {
            add_frame(&out, data, data + 4, len);
        }
        data += 4 + len;
        size -= 4 + len;
    }
    nghttp2_hd_deflate_del(deflater);
    return out;
}

static void drain(struct grpc_stream *stream) {
    const uint8_t *bytes;
    while (grpc_stream_output(stream, &bytes) > 0) {
    }
}

static void require_outcome(struct grpc_stream *stream) {
    const uint8_t *reply = NULL;
    size_t reply_len = 0;
    enum grpc_outcome outcome = grpc_stream_outcome(stream, &reply, &reply_len);
    if (outcome == GRPC_REPLIED) {
        if (reply_len > GRPC_REPLY_MAX || stream->status != GRPC_OK) {
            abort();
        }
    } else if ((outcome == GRPC_LOST || outcome == GRPC_PROTOCOL) && stream->fault == NULL) {
        abort();
    } else if (outcome == GRPC_STATUS && (stream->status == GRPC_OK || memchr(stream->status_message, 0, sizeof stream->status_message) == NULL)) {
        abort();
    } else if (outcome == GRPC_UNREACHABLE || outcome == GRPC_DEADLINE) {
        abort();
    }
}

static void receive(const uint8_t *bytes, size_t len, size_t piece) {
    static const uint8_t message[] = "\x0a\x03\x41\x44\x44";
    struct grpc_request request = {.method = "/podwire.cni.v1.Cni/Add", .message = message, .message_len = 5, .timeout_ms = 1};
    struct grpc_stream stream;
    if (!grpc_stream_open(&stream, &request)) {
        abort();
    }
    bool more = true;
    drain(&stream);
    for (size_t at = 0; at < len && more; at += piece) {
        more = grpc_stream_input(&stream, bytes + at, len - at < piece ? len - at : piece);
        if (!grpc_stream_can_wait(&stream)) {
            drain(&stream);
        }
    }
    require_outcome(&stream);
    grpc_stream_close(&stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    size_t piece = (data[0] & 0x7F) == 0 ? SIZE_MAX / 2 : data[0] & 0x7F;
    if ((data[0] & 0x80) == 0) {
        receive(data + 1, size - 1, piece);
    } else {
        struct text frames = make_frames(data + 1, size - 1);
        receive((const uint8_t *)frames.data, frames.len, piece);
        text_free(&frames);
    }
    return 0;
}
