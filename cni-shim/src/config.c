// The network configuration. See config.h.
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "monotonic.h"

bool config_read(int fd, int timeout_ms, struct text *input, struct cni_error *error) {
    char block[16 * 1024];
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

// True when no array or object lies deeper than CONFIG_DEPTH_MAX. One pass, before the parser: the
// library's own limit is 2048 and is fixed when the library is built.
static bool depth_is_bounded(const char *s, size_t len) {
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > CONFIG_DEPTH_MAX) {
                return false;
            }
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static const char *reason_of(enum json_error_code code) {
    switch (code) {
        case json_error_invalid_utf8:
            return "invalid UTF-8";
        case json_error_premature_end_of_input:
            return "ends too early";
        case json_error_end_of_input_expected:
            return "text after the end of the object";
        case json_error_duplicate_key:
            return "duplicate key";
        case json_error_numeric_overflow:
            return "a number is too large";
        case json_error_null_byte_in_key:
            return "a key contains U+0000";
        case json_error_out_of_memory:
            return "out of memory";
        default:
            return "invalid syntax";
    }
}

static bool not_json(struct cni_error *error) {
    return cni_fail(error, CNI_DECODE_FAILURE, "network configuration is not a JSON object");
}

// Parses bytes into config->root, which a failure may leave set.
static bool parse_object(const char *bytes, size_t len, struct config *config, struct cni_error *error) {
    if (len == 0) {
        not_json(error);
        return cni_details(error, "standard input is empty");
    }
    if (!depth_is_bounded(bytes, len)) {
        not_json(error);
        return cni_details(error, "arrays and objects are nested deeper than %d", CONFIG_DEPTH_MAX);
    }
    // A fixed seed of the key hash would allow chosen collisions; the library's own way opens
    // /dev/urandom. Without random bytes the library chooses.
    size_t seed;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) == (ssize_t)sizeof seed) {
        json_object_seed(seed | 1);
    }
    json_error_t at;
    config->root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &at);
    if (config->root == NULL) {
        not_json(error);
        return cni_details(error, "%s, line %d, column %d", reason_of(json_error_code(&at)), at.line, at.column);
    }
    if (!json_is_object(config->root)) {
        not_json(error);
        return cni_details(error, "the top-level value is of another type");
    }
    return true;
}

static bool read_keys(struct config *config, struct cni_error *error) {
    const json_t *version = json_object_get(config->root, "cniVersion");
    if (version != NULL) {
        size_t version_len = json_string_length(version);
        if (!json_is_string(version) || version_len > CONFIG_VERSION_MAX ||
            strlen(json_string_value(version)) != version_len) {
            return cni_fail(error, CNI_DECODE_FAILURE, "key \"cniVersion\" is not a version string");
        }
        config->version = version_len == 0 ? OLDEST_VERSION : json_string_value(version);
    }
    const json_t *name = json_object_get(config->root, "name");
    config->name = json_is_string(name) ? json_string_value(name) : "";
    return true;
}

bool config_parse(const char *bytes, size_t len, struct config *config, struct cni_error *error) {
    *config = (struct config){.version = OLDEST_VERSION, .name = ""};
    if (parse_object(bytes, len, config, error) && read_keys(config, error)) {
        return true;
    }
    config_free(config);
    return false;
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

// Copies the path of one key into out[size]. Trailing slashes go: behind one, the kernel would follow
// a symbolic link in spite of O_NOFOLLOW.
static bool path_of(const json_t *root, const char *key, const char *fallback, char *out, size_t size,
                    struct cni_error *error) {
    const json_t *value = json_object_get(root, key);
    const char *path = value == NULL ? fallback : json_string_value(value);
    size_t len = value == NULL ? strlen(fallback) : json_string_length(value);
    const char *fault = NULL;
    if (path == NULL) {
        fault = "is not a string";
    } else if (path[0] != '/') {
        fault = "is not an absolute path";
    } else if (strlen(path) != len) {
        fault = "contains U+0000";
    } else if (len >= size) {
        fault = "is too long";
    }
    if (fault != NULL) {
        cni_fail(error, CNI_BAD_CONFIG, "key \"%s\" %s", key, fault);
        return cni_details(error, "an absolute path of at most %zu bytes is expected", size - 1);
    }
    memcpy(out, path, len + 1);
    while (len > 1 && out[len - 1] == '/') {
        out[--len] = '\0';
    }
    return true;
}

bool config_paths(struct config *config, struct cni_error *error) {
    return path_of(config->root, "socket", DEFAULT_SOCKET, config->socket, sizeof config->socket, error) &&
           path_of(config->root, "spool", DEFAULT_SPOOL, config->spool, sizeof config->spool, error);
}

void config_free(struct config *config) {
    json_decref(config->root);
    config->root = NULL;
}
