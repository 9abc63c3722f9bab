// One unary gRPC call over a unix socket, with deadlines.
#ifndef PODWIRE_GRPC_CALL_H
#define PODWIRE_GRPC_CALL_H

#include "grpc_stream.h"

struct grpc_answer {
    enum grpc_outcome outcome;
    int status;         // With GRPC_STATUS: the gRPC status code.
    char text[512];     // With GRPC_STATUS its message, otherwise what was seen; empty with GRPC_REPLIED.
    const uint8_t *reply;  // With GRPC_REPLIED: the message, inside stream.
    size_t reply_len;
    struct grpc_stream stream;
};

// Connects to socket_path, trying again for connect_ms while nobody listens there, sends the request
// once, and waits request->timeout_ms for the answer. It is never sent a second time.
// grpc_answer_free releases what answer holds, whatever the outcome.
void grpc_call(const char *socket_path, int connect_ms, const struct grpc_request *request, struct grpc_answer *answer);

// Frees what grpc_call has put into answer.
void grpc_answer_free(struct grpc_answer *answer);

#endif
