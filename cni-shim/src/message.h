// The two messages between shim and daemon, podwire/cni/v1/cni.proto, as bytes.
#ifndef PODWIRE_MESSAGE_H
#define PODWIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "text.h"

enum { MESSAGE_MEMORY_MAX = 4 * 1024 * 1024 };

// A CniReply. The output lives until message_reply_free.
struct message_reply {
    int exit_code;
    const uint8_t *output;
    size_t output_len;
    void *parsed;
};

// Appends the CniRequest of this environment and configuration to request. False when it does not fit.
bool message_pack_request(const struct cni_env *env, const struct text *config, struct text *request);

// Reads a CniReply. False when the bytes are none, or would take more memory than MESSAGE_MEMORY_MAX.
bool message_read_reply(const uint8_t *bytes, size_t len, struct message_reply *reply);

void message_reply_free(struct message_reply *reply);

#endif
