// The CNI environment. See env.h.
#include "env.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "text.h"

enum { CONTAINER_ID_MAX = 255, IFNAME_MAX = 15, TRACE_VALUE_MAX = 512 };

static const char *value_of(const char *name) {
    const char *value = getenv(name);
    return value == NULL ? "" : value;
}

// A header value travels only when it is short printable ASCII: anything else is somebody's mistake,
// and a trace is not worth a failed pod.
static const char *trace_value(const char *name) {
    const char *value = value_of(name);
    size_t len = strlen(value);
    for (size_t i = 0; i < len; i++) {
        if (value[i] < 0x20 || value[i] > 0x7E) {
            return "";
        }
    }
    return len > TRACE_VALUE_MAX ? "" : value;
}

static enum cni_verb verb_of(const char *command) {
    static const struct {
        const char *name;
        enum cni_verb verb;
    } verbs[] = {
        {"", VERB_NONE}, {"ADD", VERB_ADD},       {"DEL", VERB_DEL},         {"CHECK", VERB_CHECK},
        {"GC", VERB_GC}, {"STATUS", VERB_STATUS}, {"VERSION", VERB_VERSION},
    };
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(command, verbs[i].name) == 0) {
            return verbs[i].verb;
        }
    }
    return VERB_UNKNOWN;
}

struct cni_env env_read(void) {
    const char *override = value_of("CNI_NETNS_OVERRIDE");
    const char *command = value_of("CNI_COMMAND");
    return (struct cni_env){
        .verb = verb_of(command),
        .command = command,
        .container_id = value_of("CNI_CONTAINERID"),
        .netns = value_of("CNI_NETNS"),
        .ifname = value_of("CNI_IFNAME"),
        .args = value_of("CNI_ARGS"),
        .path = value_of("CNI_PATH"),
        .netns_override = strcmp(override, "1") == 0 || strcasecmp(override, "true") == 0,
        .traceparent = trace_value("TRACEPARENT"),
        .tracestate = trace_value("TRACESTATE"),
        .baggage = trace_value("BAGGAGE"),
    };
}

// One message names every missing variable (tick I1).
static bool check_present(const struct cni_env *env, struct cni_error *error) {
    bool attachment = env->verb == VERB_ADD || env->verb == VERB_CHECK;
    const struct {
        const char *name;
        const char *value;
        bool required;
    } variables[] = {
        {"CNI_CONTAINERID", env->container_id, attachment || env->verb == VERB_DEL},
        {"CNI_NETNS", env->netns, attachment},
        {"CNI_IFNAME", env->ifname, attachment || env->verb == VERB_DEL},
    };
    char missing[64] = "";
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (variables[i].required && variables[i].value[0] == '\0') {
            strcat(missing, missing[0] == '\0' ? "" : ",");
            strcat(missing, variables[i].name);
        }
    }
    if (missing[0] == '\0') {
        return true;
    }
    cni_fail(error, CNI_BAD_ENVIRONMENT, "required env variables [%s] missing", missing);
    return cni_details(error, "CNI_COMMAND=%s cannot be served without them; nothing was changed", env->command);
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Tick I2: ^[a-zA-Z0-9][a-zA-Z0-9_.\-]*$ and a length that fits a file name.
static bool check_container_id(const char *id, struct cni_error *error) {
    size_t len = strlen(id);
    if (len > CONTAINER_ID_MAX) {
        cni_fail(error, CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID is too long");
        return cni_details(error, "%zu bytes, at most %d are accepted", len, CONTAINER_ID_MAX);
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_alnum(id[i]) && (i == 0 || strchr("_.-", id[i]) == NULL)) {
            cni_fail(error, CNI_BAD_ENVIRONMENT, "CNI_CONTAINERID has a character that is not allowed");
            return cni_details(error, "\"%s\": a letter or digit, then letters, digits, '_', '.', '-'", id);
        }
    }
    return true;
}

// Tick I3; the kernel's own rule is dev_valid_name in net/core/dev.c.
static bool check_ifname(const char *name, struct cni_error *error) {
    const char *fault = NULL;
    if (strlen(name) > IFNAME_MAX) {
        fault = "is longer than 15 bytes";
    } else if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        fault = "is \".\" or \"..\"";
    }
    for (const char *at = name; *at != '\0' && fault == NULL; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '/' || c == ':' || c <= ' ' || c == 0x7F) {
            fault = "has '/', ':', white space or a control character";
        }
    }
    if (fault == NULL) {
        return true;
    }
    cni_fail(error, CNI_BAD_ENVIRONMENT, "CNI_IFNAME is not an interface name");
    return cni_details(error, "\"%.64s\" %s", name, fault);
}

static bool check_utf8(const struct cni_env *env, struct cni_error *error) {
    const struct {
        const char *name;
        const char *value;
    } variables[] = {
        {"CNI_NETNS", env->netns}, {"CNI_IFNAME", env->ifname}, {"CNI_ARGS", env->args}, {"CNI_PATH", env->path},
    };
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        if (!text_is_utf8(variables[i].value, strlen(variables[i].value))) {
            return cni_fail(error, CNI_BAD_ENVIRONMENT, "%s is not valid UTF-8", variables[i].name);
        }
    }
    return true;
}

bool env_check(const struct cni_env *env, struct cni_error *error) {
    if (env->verb == VERB_UNKNOWN) {
        cni_fail(error, CNI_BAD_ENVIRONMENT, "unknown CNI_COMMAND: %.64s", env->command);
        return cni_details(error, "ADD, DEL, CHECK, GC, STATUS and VERSION are known");
    }
    return check_present(env, error) && check_container_id(env->container_id, error) &&
           check_ifname(env->ifname, error) && check_utf8(env, error);
}
