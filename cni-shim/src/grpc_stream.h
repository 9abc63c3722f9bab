// One unary gRPC call as a machine over bytes: HTTP/2 (nghttp2) and gRPC framing, no socket, no clock.
// Bytes to send come out of grpc_stream_output, received bytes go into grpc_stream_input.
// Reference: gRPC over HTTP/2, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
#ifndef PODWIRE_GRPC_STREAM_H
#define PODWIRE_GRPC_STREAM_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { GRPC_REPLY_MAX = 1024 * 1024, GRPC_PREFIX_LEN = 5 };

// What is asked. The bytes behind the pointers must outlive the call.
struct grpc_request {
    const char *method;  // "/package.Service/Method"
    const uint8_t *message;
    size_t message_len;
    int timeout_ms;  // Sent as grpc-timeout.
    // Further metadata; an empty value is left out.
    struct grpc_metadata {
        const char *name;
        const char *value;
    } metadata[3];
};

enum grpc_outcome {
    GRPC_REPLIED,      // One message came, status 0.
    GRPC_STATUS,       // The daemon answered with a status other than 0.
    GRPC_UNREACHABLE,  // No connection; nothing was sent.
    GRPC_LOST,         // The connection or the stream ended before an answer.
    GRPC_DEADLINE,     // No answer in time.
    GRPC_PROTOCOL,     // The answer breaks gRPC, HTTP/2 or our limits.
};

enum { GRPC_OK = 0, GRPC_UNKNOWN = 2, GRPC_INVALID_ARGUMENT = 3, GRPC_DEADLINE_EXCEEDED = 4 };
enum { GRPC_RESOURCE_EXHAUSTED = 8, GRPC_UNIMPLEMENTED = 12, GRPC_UNAVAILABLE = 14 };

struct grpc_stream {
    nghttp2_session *session;
    struct grpc_request request;
    uint8_t prefix[GRPC_PREFIX_LEN];
    size_t sent;  // Bytes of prefix + message handed to HTTP/2.
    int32_t id;
    bool closed;  // The stream has ended, both ways.
    uint32_t close_code;
    bool goaway;
    const char *fault;  // Set when the answer breaks a rule.
    int http_status;
    bool grpc_content;
    int status;  // grpc-status, or -1 as long as there is none.
    char status_message[512];  // grpc-message, decoded.
    struct text body;          // Prefix and message as received.
};

// Starts the call. False when memory is exhausted. grpc_stream_close releases it in either case.
bool grpc_stream_open(struct grpc_stream *stream, const struct grpc_request *request);

// The next bytes to send, valid until the next call; 0 when there is nothing to send now, negative
// when the session has failed.
ssize_t grpc_stream_output(struct grpc_stream *stream, const uint8_t **bytes);

// Takes received bytes. False when nothing more can come of this call: read the outcome.
bool grpc_stream_input(struct grpc_stream *stream, const uint8_t *bytes, size_t len);

// True when what grpc_stream_output still has are acknowledgements at most: the request is out, and the
// session is not about to end.
bool grpc_stream_can_wait(const struct grpc_stream *stream);

// True once the answer is complete or cannot become complete any more.
bool grpc_stream_done(const struct grpc_stream *stream);

// What the call has come to, given that no more bytes will arrive. With GRPC_REPLIED, reply points to
// the message inside the stream. With GRPC_LOST and GRPC_PROTOCOL, `fault` says what was seen.
enum grpc_outcome grpc_stream_outcome(struct grpc_stream *stream, const uint8_t **reply, size_t *reply_len);

// Frees everything.
void grpc_stream_close(struct grpc_stream *stream);

#endif
