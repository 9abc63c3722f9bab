// The network configuration. See config.h.
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "monotonic.h"
#include "scan.h"

bool config_read(int fd, int timeout_ms, struct text *input, struct cni_error *error) {
    char block[4096];
    int64_t deadline = monotonic_ms() + timeout_ms;
    *input = text_with_limit(CONFIG_BYTES_MAX);
    for (;;) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        int ready = poll(&in, 1, monotonic_left_ms(deadline));
        if (ready == 0) {
            cni_fail(error, CNI_IO_FAILURE, "standard input did not end within %d ms", timeout_ms);
            return cni_details(error, "the runtime must close it after the network configuration");
        }
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        ssize_t n = read(fd, block, sizeof block);
        if (n == 0) {
            return true;
        }
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n < 0) {
            cni_fail(error, CNI_IO_FAILURE, "standard input cannot be read");
            return cni_details(error, "%s", strerror(errno));
        }
        if (!text_add(input, block, (size_t)n)) {
            cni_fail(error, CNI_DECODE_FAILURE, "network configuration is too large");
            return cni_details(error, "more than %d bytes on standard input", CONFIG_BYTES_MAX);
        }
    }
}

static bool not_json(struct cni_error *error) {
    return cni_fail(error, CNI_DECODE_FAILURE, "network configuration is not a JSON object");
}

static bool check_object(const char *bytes, size_t len, struct cni_error *error) {
    struct scan_fault fault;
    if (len == 0) {
        not_json(error);
        return cni_details(error, "standard input is empty");
    }
    if (!scan_check(bytes, len, &fault)) {
        not_json(error);
        return cni_details(error, "%s, line %zu, column %zu", fault.reason, fault.line, fault.column);
    }
    if (!member_is_object(member_value(bytes, len))) {
        not_json(error);
        return cni_details(error, "the top-level value is of another type");
    }
    return true;
}

static bool take_version(struct config *config, struct slice value, struct cni_error *error) {
    bool fits = member_is_string(value);
    if (fits) {
        size_t len = member_decode(value, config->version, sizeof config->version);
        fits = len < sizeof config->version && len == strlen(config->version);  // Without U+0000.
    }
    if (!fits) {
        return cni_fail(error, CNI_DECODE_FAILURE, "key \"cniVersion\" is not a version string");
    }
    if (config->version[0] == '\0') {
        strcpy(config->version, OLDEST_VERSION);
    }
    return true;
}

static bool take_keys(struct config *config, struct slice object, struct cni_error *error) {
    struct slice key;
    struct slice value;
    while (member_next(&object, &key, &value)) {
        if (member_equals(key, "cniVersion")) {
            if (!take_version(config, value, error)) {
                return false;
            }
        } else if (member_equals(key, "name") && member_is_string(value)) {
            member_decode(value, config->name, sizeof config->name);
        } else if (member_equals(key, "prevResult")) {
            config->previous = value;
        } else if (member_equals(key, "socket")) {
            config->socket_value = value;
        } else if (member_equals(key, "spool")) {
            config->spool_value = value;
        }
    }
    return true;
}

bool config_parse(const char *bytes, size_t len, struct config *config, struct cni_error *error) {
    *config = (struct config){.version = OLDEST_VERSION};
    config->parsed = check_object(bytes, len, error) && take_keys(config, member_value(bytes, len), error);
    return config->parsed;
}

int config_version_rank(const char *version) {
    static const char *const supported[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
    for (int i = 0; i < (int)(sizeof supported / sizeof supported[0]); i++) {
        if (strcmp(version, supported[i]) == 0) {
            return i;
        }
    }
    return -1;
}

bool config_check_version(const struct config *config, struct cni_error *error) {
    if (config_version_rank(config->version) >= 0) {
        return true;
    }
    cni_fail(error, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
    return cni_details(error, "config is \"%s\", plugin supports %s", config->version, SUPPORTED_VERSIONS_JSON);
}

// Puts the path of one key, or fallback, into out[size]. Trailing slashes go: behind one, the kernel
// would follow a symbolic link in spite of O_NOFOLLOW.
static bool path_of(struct slice value, const char *key, const char *fallback, char *out, size_t size,
                    struct cni_error *error) {
    if (value.at == NULL) {
        memcpy(out, fallback, strlen(fallback) + 1);
        return true;
    }
    const char *fault = NULL;
    size_t len = member_is_string(value) ? member_decode(value, out, size) : 0;
    if (!member_is_string(value)) {
        fault = "is not a string";
    } else if (out[0] != '/') {
        fault = "is not an absolute path";
    } else if (len >= size) {
        fault = "is too long";
    } else if (strlen(out) != len) {
        fault = "contains U+0000";
    }
    if (fault != NULL) {
        cni_fail(error, CNI_BAD_CONFIG, "key \"%s\" %s", key, fault);
        return cni_details(error, "an absolute path of at most %zu bytes is expected", size - 1);
    }
    while (len > 1 && out[len - 1] == '/') {
        out[--len] = '\0';
    }
    return true;
}

bool config_paths(struct config *config, struct cni_error *error) {
    return path_of(config->socket_value, "socket", DEFAULT_SOCKET, config->socket, sizeof config->socket, error) &&
           path_of(config->spool_value, "spool", DEFAULT_SPOOL, config->spool, sizeof config->spool, error);
}
