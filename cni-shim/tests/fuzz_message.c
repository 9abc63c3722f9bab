// libFuzzer target: whatever a reply consists of, it is a CniReply for us exactly when it is one for the
// library without a bound on its memory, and says the same.
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "podwire/cni/v1/cni.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct message_reply reply;
    bool good = message_read_reply(data, size, &reply);
    Podwire__Cni__V1__CniReply *want = podwire__cni__v1__cni_reply__unpack(NULL, size, data);
    // A field takes at least two bytes, and the library less than 128 for each.
    bool bounded = size < MESSAGE_MEMORY_MAX / 128;
    if (good ? want == NULL : want != NULL && bounded) {
        abort();
    }
    if (good && (reply.exit_code != want->exit_code || reply.output_len != want->stdout.len || reply.output_len > size ||
                 (reply.output_len > 0 && memcmp(reply.output, want->stdout.data, reply.output_len) != 0))) {
        abort();
    }
    message_reply_free(&reply);
    if (want != NULL) {
        podwire__cni__v1__cni_reply__free_unpacked(want, NULL);
    }
    return 0;
}
