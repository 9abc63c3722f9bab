// The messages between shim and daemon. See message.h.
// <stdio.h> must stay out: it may define stdout as a macro, and a field of CniReply has this name.
#include "message.h"

#include <stdlib.h>

#include "podwire/cni/v1/cni.pb-c.h"

// protobuf-c writes into a ProtobufCBuffer; this one leads to a text.
struct text_buffer {
    ProtobufCBuffer base;
    struct text *text;
};

static void append(ProtobufCBuffer *buffer, size_t len, const uint8_t *bytes) {
    text_add(((struct text_buffer *)buffer)->text, bytes, len);
}

bool message_pack_request(const struct cni_env *env, const struct text *config, struct text *request) {
    Podwire__Cni__V1__CniRequest message = PODWIRE__CNI__V1__CNI_REQUEST__INIT;
    message.command = (char *)(uintptr_t)env->command;
    message.container_id = (char *)(uintptr_t)env->container_id;
    message.netns = (char *)(uintptr_t)env->netns;
    message.ifname = (char *)(uintptr_t)env->ifname;
    message.args = (char *)(uintptr_t)env->args;
    message.path = (char *)(uintptr_t)env->path;
    message.config = (ProtobufCBinaryData){.data = (uint8_t *)config->data, .len = config->len};
    message.netns_override = env->netns_override;
    struct text_buffer out = {.base = {.append = append}, .text = request};
    podwire__cni__v1__cni_request__pack_to_buffer(&message, &out.base);
    return !request->failed;
}

// A reply made of many small fields makes the library allocate far more than was sent.
static void *take_memory(void *left, size_t size) {
    size_t *bytes = left;
    if (size > *bytes) {
        return NULL;
    }
    *bytes -= size;
    return malloc(size);
}

static void give_back(void *left, void *memory) {
    (void)left;
    free(memory);
}

bool message_read_reply(const uint8_t *bytes, size_t len, struct message_reply *reply) {
    size_t left = MESSAGE_MEMORY_MAX;
    ProtobufCAllocator bounded = {.alloc = take_memory, .free = give_back, .allocator_data = &left};
    Podwire__Cni__V1__CniReply *message = podwire__cni__v1__cni_reply__unpack(&bounded, len, bytes);
    *reply = (struct message_reply){.parsed = message};
    if (message != NULL) {
        reply->exit_code = message->exit_code;
        reply->output = message->stdout.data;
        reply->output_len = message->stdout.len;
    }
    return message != NULL;
}

void message_reply_free(struct message_reply *reply) {
    if (reply->parsed != NULL) {
        podwire__cni__v1__cni_reply__free_unpacked(reply->parsed, NULL);
    }
    reply->parsed = NULL;
}
