// libFuzzer target: whatever the environment holds, what passes the check is fit for a file name, an interface
// and a protobuf message, the request says what the environment said, and the name of its spool file cannot
// leave the folder. The input is the environment: strings that each end with a NUL.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "env.h"
#include "message.h"
#include "podwire/cni/v1/cni.pb-c.h"
#include "spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STRINGS_MAX = 40 };

static void require(bool promise) {
    if (!promise) {
        abort();
    }
}

// Points environ at the strings of the input. Returns the memory behind them, to be freed.
static char *take_environment(const uint8_t *data, size_t size, char *strings[STRINGS_MAX + 1]) {
    char *bytes = malloc(size + 1);
    int count = 0;
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    for (char *at = bytes; at < bytes + size && count < STRINGS_MAX; at += strlen(at) + 1) {
        strings[count++] = at;
    }
    strings[count] = NULL;
    environ = strings;
    return bytes;
}

static void require_fit(const struct cni_env *env) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool attachment = env->verb == VERB_ADD || env->verb == VERB_DEL || env->verb == VERB_CHECK;
    if (env->verb == VERB_NONE) {
        return;  // Says what the plugin is, and looks at nothing.
    }
    require(env->verb != VERB_UNKNOWN);
    require(!attachment || (env->container_id[0] != '\0' && env->ifname[0] != '\0'));
    require(strspn(env->container_id, letters) == strlen(env->container_id) && strlen(env->container_id) <= 255);
    require(strchr("_.-", env->container_id[0]) == NULL || env->container_id[0] == '\0');
    require(strlen(env->ifname) <= 15 && strpbrk(env->ifname, "/: \t\n\v\f\r") == NULL);
    require(strcmp(env->ifname, ".") != 0 && strcmp(env->ifname, "..") != 0);
}

static void require_trace_fits(const char *value) {
    for (const char *at = value; *at != '\0'; at++) {
        require(*at >= ' ' && *at <= '~');
    }
    require(strlen(value) <= 512);
}

static void require_request(const struct cni_env *env) {
    static char config[] = "{}";
    struct text input = {.data = config, .len = 2, .cap = 2, .max = 2};
    struct text request = text_with_limit(1 << 20);
    require(message_pack_request(env, &input, &request));
    Podwire__Cni__V1__CniRequest *r = podwire__cni__v1__cni_request__unpack(NULL, request.len, (uint8_t *)request.data);
    require(r != NULL && strcmp(r->command, env->command) == 0 && strcmp(r->container_id, env->container_id) == 0);
    require(strcmp(r->netns, env->netns) == 0 && strcmp(r->ifname, env->ifname) == 0);
    require(strcmp(r->args, env->args) == 0 && strcmp(r->path, env->path) == 0);
    require(r->config.len == 2 && r->netns_override == env->netns_override);
    podwire__cni__v1__cni_request__free_unpacked(r, NULL);
    text_free(&request);
}

// Any two attachments, also those that the check would refuse.
static void require_file_names(const struct cni_env *env) {
    char name[SPOOL_NAME_LEN + 1], other[SPOOL_NAME_LEN + 1];
    spool_name(env->container_id, env->ifname, name);
    require(strspn(name, "0123456789abcdef") == 32 && strcmp(name + 32, ".del") == 0);
    spool_name(env->ifname, env->container_id, other);
    require((strcmp(name, other) == 0) == (strcmp(env->ifname, env->container_id) == 0));
    spool_name(env->container_id, env->args, other);
    require((strcmp(name, other) == 0) == (strcmp(env->ifname, env->args) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *strings[STRINGS_MAX + 1];
    char **kept = environ;
    char *bytes = take_environment(data, size, strings);
    struct cni_env env = env_read();
    struct cni_error error = {0};
    if (env.verb == VERB_NONE || env_check(&env, &error)) {
        require_fit(&env);
    } else {
        require(error.code == CNI_BAD_ENVIRONMENT && error.msg[0] != '\0');
    }
    require_trace_fits(env.traceparent);
    require_trace_fits(env.tracestate);
    require_trace_fits(env.baggage);
    require_request(&env);
    require_file_names(&env);
    environ = kept;
    free(bytes);
    return 0;
}
