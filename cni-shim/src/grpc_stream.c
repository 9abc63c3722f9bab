// One unary gRPC call as a machine over bytes. See grpc_stream.h.
#include "grpc_stream.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

// Room for the whole answer, so that it never waits for us.
enum { WINDOW = GRPC_REPLY_MAX + 64 * 1024 };

// Copies the next part of prefix + message into HTTP/2's buffer; END_STREAM with the last one.
static ssize_t read_request(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
                            nghttp2_data_source *source, void *user) {
    (void)session, (void)id, (void)user;
    struct grpc_stream *stream = source->ptr;
    size_t done = 0;
    while (done < len && stream->sent < GRPC_PREFIX_LEN) {
        buf[done++] = stream->prefix[stream->sent++];
    }
    size_t offset = stream->sent - GRPC_PREFIX_LEN;
    size_t part = stream->request.message_len - offset;
    if (part > len - done) {
        part = len - done;
    }
    if (part > 0) {
        memcpy(buf + done, stream->request.message + offset, part);
        stream->sent += part;
        done += part;
    }
    if (stream->sent == GRPC_PREFIX_LEN + stream->request.message_len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)done;
}

static int hex_value(uint8_t c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// grpc-message is percent-encoded; what is not a valid escape stays as it is, and no NUL comes out.
static void decode_message(const uint8_t *value, size_t len, char *out, size_t size) {
    size_t n = 0;
    for (size_t i = 0; i < len && n + 1 < size; i++) {
        int c = value[i];
        if (c == '%' && i + 2 < len && hex_value(value[i + 1]) >= 0 && hex_value(value[i + 2]) >= 0) {
            c = hex_value(value[i + 1]) * 16 + hex_value(value[i + 2]);
            i += 2;
        }
        out[n++] = c == '\0' ? '?' : (char)c;
    }
    out[n] = '\0';
}

// A decimal number of at most three digits, or fallback.
static int small_number(const uint8_t *value, size_t len, int fallback) {
    int number = 0;
    if (len == 0 || len > 3) {
        return fallback;
    }
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9') {
            return fallback;
        }
        number = number * 10 + (value[i] - '0');
    }
    return number;
}

static bool name_is(const char *want, const uint8_t *name, size_t len) {
    return len == strlen(want) && memcmp(name, want, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    (void)session, (void)flags;
    struct grpc_stream *stream = user;
    if (frame->hd.stream_id != stream->id) {
        return 0;
    }
    if (name_is(":status", name, name_len)) {
        stream->http_status = small_number(value, value_len, 0);
    } else if (name_is("content-type", name, name_len)) {
        static const char grpc[] = "application/grpc";
        stream->grpc_content = value_len >= sizeof grpc - 1 && memcmp(value, grpc, sizeof grpc - 1) == 0;
    } else if (name_is("grpc-status", name, name_len)) {
        stream->status = small_number(value, value_len, GRPC_UNKNOWN);
    } else if (name_is("grpc-message", name, name_len)) {
        decode_message(value, value_len, stream->status_message, sizeof stream->status_message);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user) {
    (void)session, (void)flags;
    struct grpc_stream *stream = user;
    if (id == stream->id && !text_add(&stream->body, bytes, len)) {
        stream->fault = "the answer is larger than 1 MiB";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    (void)session;
    struct grpc_stream *stream = user;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        stream->goaway = true;
    }
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user) {
    (void)session;
    struct grpc_stream *stream = user;
    if (id == stream->id) {
        stream->closed = true;
        stream->close_code = code;
    }
    return 0;
}

static bool open_session(struct grpc_stream *stream) {
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return false;
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int failed = nghttp2_session_client_new(&stream->session, callbacks, stream);
    nghttp2_session_callbacks_del(callbacks);
    return failed == 0;
}

static nghttp2_nv header(const char *name, const char *value) {
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = NGHTTP2_NV_FLAG_NONE};
}

bool grpc_stream_open(struct grpc_stream *stream, const struct grpc_request *request) {
    *stream = (struct grpc_stream){
        .request = *request, .status = -1, .body = text_with_limit(GRPC_PREFIX_LEN + GRPC_REPLY_MAX)};
    uint32_t length = htonl((uint32_t)request->message_len);
    memcpy(stream->prefix + 1, &length, sizeof length);  // Byte 0 stays 0: not compressed.
    if (!open_session(stream)) {
        return false;
    }
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 16 * 1024},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
    };
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%dm", request->timeout_ms);
    nghttp2_nv headers[12] = {
        header(":method", "POST"),         header(":scheme", "http"),
        header(":path", request->method),  header(":authority", "localhost"),
        header("te", "trailers"),          header("content-type", "application/grpc"),
        header("grpc-timeout", timeout),   header("user-agent", "podwire-cni-shim/0.1.0"),
    };
    size_t count = 8;
    for (size_t i = 0; i < sizeof request->metadata / sizeof request->metadata[0]; i++) {
        if (request->metadata[i].name != NULL && request->metadata[i].value[0] != '\0') {
            headers[count++] = header(request->metadata[i].name, request->metadata[i].value);
        }
    }
    nghttp2_data_provider body = {.source.ptr = stream, .read_callback = read_request};
    if (nghttp2_submit_settings(stream->session, NGHTTP2_FLAG_NONE, settings, 3) != 0 ||
        nghttp2_session_set_local_window_size(stream->session, NGHTTP2_FLAG_NONE, 0, WINDOW) != 0) {
        return false;
    }
    stream->id = nghttp2_submit_request(stream->session, NULL, headers, count, &body, NULL);
    return stream->id > 0;
}

ssize_t grpc_stream_output(struct grpc_stream *stream, const uint8_t **bytes) {
    return nghttp2_session_mem_send(stream->session, bytes);
}

bool grpc_stream_can_wait(const struct grpc_stream *stream) {
    bool sent = stream->sent == GRPC_PREFIX_LEN + stream->request.message_len;
    return sent && nghttp2_session_check_request_allowed(stream->session);
}

bool grpc_stream_input(struct grpc_stream *stream, const uint8_t *bytes, size_t len) {
    ssize_t taken = nghttp2_session_mem_recv(stream->session, bytes, len);
    if (taken < 0 && stream->fault == NULL) {
        stream->fault = nghttp2_strerror((int)taken);
    }
    return !grpc_stream_done(stream);
}

bool grpc_stream_done(const struct grpc_stream *stream) {
    return stream->closed || stream->fault != NULL || !nghttp2_session_want_read(stream->session);
}

// The one message of a call with status 0, checked slice by slice.
static enum grpc_outcome take_reply(struct grpc_stream *stream, const uint8_t **reply, size_t *reply_len) {
    const uint8_t *body = (const uint8_t *)stream->body.data;
    uint32_t length = 0;
    if (stream->body.len < GRPC_PREFIX_LEN) {
        stream->fault = "status 0 without a message";
        return GRPC_PROTOCOL;
    }
    memcpy(&length, body + 1, sizeof length);
    if (body[0] != 0) {
        stream->fault = "the message is compressed, which was not offered";
        return GRPC_PROTOCOL;
    }
    if (ntohl(length) != stream->body.len - GRPC_PREFIX_LEN) {
        stream->fault = "the message has another length than its prefix says";
        return GRPC_PROTOCOL;
    }
    *reply = body + GRPC_PREFIX_LEN;
    *reply_len = stream->body.len - GRPC_PREFIX_LEN;
    return GRPC_REPLIED;
}

enum grpc_outcome grpc_stream_outcome(struct grpc_stream *stream, const uint8_t **reply, size_t *reply_len) {
    if (stream->fault != NULL) {
        return GRPC_PROTOCOL;
    }
    if (!stream->closed && nghttp2_session_want_read(stream->session)) {
        stream->fault = "the connection was closed";
        return GRPC_LOST;
    }
    if (!stream->closed || (stream->close_code != NGHTTP2_NO_ERROR && stream->status < 0)) {
        // Ended without an answer: by the daemon's GOAWAY or RST_STREAM, or by HTTP/2 rules it broke.
        stream->fault = stream->goaway ? "the daemon sent GOAWAY" : nghttp2_http2_strerror(stream->close_code);
        bool by_daemon = stream->goaway || (stream->closed && stream->close_code != NGHTTP2_PROTOCOL_ERROR);
        if (!by_daemon) {
            stream->fault = "the answer is not valid HTTP/2";
        }
        return by_daemon ? GRPC_LOST : GRPC_PROTOCOL;
    }
    if (stream->http_status != 200 || !stream->grpc_content) {
        stream->fault = stream->http_status == 200 ? "the answer is not of type application/grpc"
                                                   : "the HTTP status of the answer is not 200";
        return GRPC_PROTOCOL;
    }
    if (stream->status < 0) {
        stream->fault = "the answer ended without a grpc-status";
        return GRPC_PROTOCOL;
    }
    return stream->status == GRPC_OK ? take_reply(stream, reply, reply_len) : GRPC_STATUS;
}

void grpc_stream_close(struct grpc_stream *stream) {
    nghttp2_session_del(stream->session);
    text_free(&stream->body);
}
