// Forwards one CNI operation to node-shim. See forward.h.
#include "forward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grpc_call.h"
#include "message.h"
#include "spool.h"

// Room for the configuration, and for five variables of at most 128 KiB (execve(2), MAX_ARG_STRLEN).
enum { REQUEST_MAX = CONFIG_BYTES_MAX + 5 * 128 * 1024 + 1024 };

// How long to wait for a listener, and then for the answer. node-shim ends an ADD by itself after 8 s,
// so 10 s lets its own words arrive. STATUS is asked every few seconds and must be quick. A DEL must
// not wait for a stopped daemon: it is stored instead.
struct verb_times {
    enum cni_verb verb;
    const char *method;
    int connect_ms;
    int answer_ms;
};

static const struct verb_times TIMES[] = {
    {VERB_ADD, "/podwire.cni.v1.Cni/Add", 5000, 10000},
    {VERB_DEL, "/podwire.cni.v1.Cni/Del", 400, 10000},
    {VERB_CHECK, "/podwire.cni.v1.Cni/Check", 5000, 10000},
    {VERB_GC, "/podwire.cni.v1.Cni/Gc", 5000, 30000},
    {VERB_STATUS, "/podwire.cni.v1.Cni/Status", 1000, 3000},
};

static const struct verb_times *times_of(enum cni_verb verb) {
    for (size_t i = 0; i < sizeof TIMES / sizeof TIMES[0]; i++) {
        if (TIMES[i].verb == verb) {
            return &TIMES[i];
        }
    }
    abort();  // main forwards these five only.
}

struct forward_decision forward_decide(enum cni_verb verb, enum grpc_outcome outcome, int grpc_status) {
    bool away = outcome == GRPC_UNREACHABLE || outcome == GRPC_LOST || outcome == GRPC_DEADLINE ||
                (outcome == GRPC_STATUS && (grpc_status == GRPC_UNAVAILABLE || grpc_status == GRPC_DEADLINE_EXCEEDED));
    bool later = away || (outcome == GRPC_STATUS && grpc_status == GRPC_RESOURCE_EXHAUSTED);
    if (outcome == GRPC_REPLIED) {
        return (struct forward_decision){END_REPLY, 0};
    }
    if (verb == VERB_DEL && away) {
        return (struct forward_decision){END_SPOOL, 0};
    }
    if (later) {
        return (struct forward_decision){END_ERROR, verb == VERB_STATUS ? CNI_NOT_AVAILABLE : CNI_TRY_AGAIN};
    }
    if (outcome == GRPC_STATUS && grpc_status == GRPC_UNIMPLEMENTED) {
        return (struct forward_decision){END_ERROR, CNI_BAD_ENVIRONMENT};
    }
    if (outcome == GRPC_STATUS && grpc_status == GRPC_INVALID_ARGUMENT) {
        return (struct forward_decision){END_ERROR, CNI_BAD_CONFIG};
    }
    return (struct forward_decision){END_ERROR, PODWIRE_FAILURE};
}

// What happens next, by operation: the last words of every error.
static const char *next_step(enum cni_verb verb, enum grpc_outcome outcome) {
    bool sent = outcome != GRPC_UNREACHABLE;
    switch (verb) {
        case VERB_ADD:
            return sent ? "it was sent once and is not repeated; DEL undoes whatever was done, then ADD may be tried again"
                        : "nothing was changed; try ADD again once node-shim runs";
        case VERB_DEL:
            return "nothing was stored; the runtime should try DEL again";
        case VERB_CHECK:
            return "the attachment was not judged; try CHECK again later";
        case VERB_GC:
            return sent ? "GC may have been done in part; try it again later" : "nothing was removed; try GC again later";
        default:
            return "ADD is not served until node-shim answers";
    }
}

static void describe(struct cni_error *error, int code, const struct cni_env *env, const struct config *config,
                     const struct verb_times *times, const struct grpc_answer *answer) {
    const char *verb = env->command;
    const char *socket = config->socket;
    switch (answer->outcome) {
        case GRPC_UNREACHABLE:
            cni_fail(error, code, "%s: no node-shim on %s within %d ms", verb, socket, times->connect_ms);
            break;
        case GRPC_LOST:
            cni_fail(error, code, "%s: node-shim on %s went away before it answered", verb, socket);
            break;
        case GRPC_DEADLINE:
            cni_fail(error, code, "%s: node-shim on %s did not answer within %d ms", verb, socket, times->answer_ms);
            break;
        case GRPC_STATUS:
            cni_fail(error, code, "%s: %s", verb, answer->text[0] != '\0' ? answer->text : "refused without a message");
            cni_details(error, "node-shim on %s answered with gRPC status %d, network \"%.64s\"; %s", socket,
                        answer->status, config->name, next_step(env->verb, answer->outcome));
            return;
        case GRPC_REPLIED:
        case GRPC_PROTOCOL:
            cni_fail(error, code, "%s: the answer on %s cannot be understood", verb, socket);
            break;
    }
    cni_details(error, "%s, network \"%.64s\"; %s", answer->text, config->name, next_step(env->verb, answer->outcome));
}

// Prints the daemon's reply. A reply that does not parse, or that fails without saying why, is an
// error of ours: a runtime that finds nothing on standard output can tell nobody what went wrong.
static int print_reply(const struct cni_env *env, const struct config *config, const struct verb_times *times,
                       struct grpc_answer *answer, struct cni_error *error) {
    int exit_code = -1;
    struct message_reply reply;
    if (!message_read_reply(answer->reply, answer->reply_len, &reply)) {
        snprintf(answer->text, sizeof answer->text, "the message is not a CniReply");
        describe(error, PODWIRE_FAILURE, env, config, times, answer);
    } else if (reply.exit_code != 0 && reply.output_len == 0) {
        snprintf(answer->text, sizeof answer->text, "exit code %d without an error object", reply.exit_code);
        describe(error, PODWIRE_FAILURE, env, config, times, answer);
    } else if (!result_write(reply.output, reply.output_len)) {
        fprintf(stderr, "podwire: %s: the result cannot be written to standard output: %s\n", env->command,
                strerror(errno));
        exit_code = 1;
    } else {
        exit_code = reply.exit_code >= 0 && reply.exit_code <= 255 ? reply.exit_code : 1;
    }
    message_reply_free(&reply);
    return exit_code;
}

static int store_del(const struct cni_env *env, const struct config *config, const struct text *request,
                     const struct grpc_answer *answer, struct cni_error *error) {
    if (!spool_store(config->spool, env->container_id, env->ifname, request, error)) {
        return -1;
    }
    fprintf(stderr, "podwire: DEL of %s %s stored in %s: no answer from %s (%s)\n", env->container_id, env->ifname,
            config->spool, config->socket, answer->text);
    return 0;
}

int forward(const struct cni_env *env, const struct config *config, const struct text *input, struct cni_error *error) {
    const struct verb_times *times = times_of(env->verb);
    struct text message = text_with_limit(REQUEST_MAX);
    if (!message_pack_request(env, input, &message)) {
        cni_fail(error, PODWIRE_FAILURE, "%s: out of memory; nothing was sent", env->command);
        return -1;
    }
    struct grpc_request request = {
        .method = times->method,
        .message = (const uint8_t *)message.data,
        .message_len = message.len,
        .timeout_ms = times->answer_ms,
        .metadata = {{"traceparent", env->traceparent}, {"tracestate", env->tracestate}, {"baggage", env->baggage}},
    };
    struct grpc_answer answer;
    int exit_code = -1;
    grpc_call(config->socket, times->connect_ms, &request, &answer);
    struct forward_decision decision = forward_decide(env->verb, answer.outcome, answer.status);
    switch (decision.end) {
        case END_REPLY:
            exit_code = print_reply(env, config, times, &answer, error);
            break;
        case END_ERROR:
            describe(error, decision.code, env, config, times, &answer);
            break;
        case END_SPOOL:
            exit_code = store_del(env, config, &message, &answer, error);
            break;
    }
    grpc_answer_free(&answer);
    text_free(&message);
    return exit_code;
}
