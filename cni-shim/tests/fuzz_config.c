// libFuzzer target: whatever stands on standard input, the configuration parser agrees with jansson, a
// parser that builds a tree, on what is one JSON object and what its keys say; a failure always has a code
// and a message, and prints as JSON.
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "loopback.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise) {
        abort();
    }
}

static bool contains(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

// Where the two may differ: our bounds on numbers, depth and the version, and jansson's own on numbers
// (what fits its types) and keys (no U+0000). It also reads over a NUL byte behind a number.
static void require_same_judgement(bool good, const struct cni_error *error, const json_t *root, const json_error_t *fault,
                                   bool has_nul) {
    enum json_error_code code = json_error_code(fault);
    require(!good || !has_nul);
    if (good && !json_is_object(root)) {
        require(root == NULL && (code == json_error_numeric_overflow || code == json_error_null_byte_in_key));
    } else if (!good && json_is_object(root)) {
        require(contains(error->details, "nested deeper") || contains(error->details, "number is too large") ||
                contains(error->msg, "\"cniVersion\"") || has_nul);
    }
}

// The text is the string, or its start in whole characters when that is longer than the room for it.
static void require_text(const json_t *string, const char *text, size_t room) {
    size_t len = json_string_length(string);
    size_t nul = strlen(json_string_value(string));  // U+0000 ends a name in an error text.
    require(strncmp(json_string_value(string), text, strlen(text)) == 0);
    require(strlen(text) == nul || (len >= room && strlen(text) + 4 >= room));
}

static void require_same_keys(const struct config *config, json_t *root) {
    const json_t *version = json_object_get(root, "cniVersion");
    const json_t *name = json_object_get(root, "name");
    if (json_string_length(version) > 0) {
        require(strcmp(config->version, json_string_value(version)) == 0);
    } else {
        require(strcmp(config->version, OLDEST_VERSION) == 0);
    }
    if (json_is_string(name)) {
        require_text(name, config->name, sizeof config->name);
    } else {
        require(config->name[0] == '\0');
    }
}

static void require_same_path(const json_t *value, const char *path, const char *fallback, bool taken, size_t room) {
    const char *given = json_string_value(value);
    size_t len = json_string_length(value);
    bool fits = given != NULL && given[0] == '/' && len < room && strlen(given) == len;
    if (!taken) {
        require(value != NULL && !fits);
    } else if (value == NULL) {
        require(strcmp(path, fallback) == 0);
    } else {
        require(fits && strncmp(path, given, strlen(path)) == 0 && strspn(given + strlen(path), "/") == len - strlen(path));
    }
}

static void require_same_paths(struct config *config, json_t *root) {
    struct cni_error error = {0};
    bool taken = config_paths(config, &error);
    require(taken || error.code == CNI_BAD_CONFIG);
    bool socket_taken = taken || contains(error.msg, "\"spool\"");
    require_same_path(json_object_get(root, "socket"), config->socket, DEFAULT_SOCKET, socket_taken, sizeof config->socket);
    if (socket_taken) {
        require_same_path(json_object_get(root, "spool"), config->spool, DEFAULT_SPOOL, taken, sizeof config->spool);
    }
}

// The result of loopback is the previous one with the version of the configuration.
static void require_same_result(const struct config *config, json_t *root) {
    struct text out = text_with_limit(8 * CONFIG_BYTES_MAX);
    require(loopback_result(config, "/run/netns/x", &out));
    json_t *printed = json_loadb(out.data, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    json_t *previous = json_object_get(root, "prevResult");
    require(printed != NULL);
    if (json_is_object(previous)) {
        json_object_set_new(previous, "cniVersion", json_string(config->version));
        require(json_equal(previous, printed));
    }
    json_decref(printed);
    text_free(&out);
}

static void require_printable(const char *message) {
    struct text out = text_with_limit(16 * 1024);
    text_add_json(&out, message, strlen(message));
    json_t *back = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
    require(json_is_string(back) && !out.failed);
    json_decref(back);
    text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct config config;
    struct cni_error error = {0};
    json_error_t fault;
    bool good = config_parse((const char *)data, size, &config, &error);
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &fault);
    require(good == config.parsed && (good || error.code == CNI_DECODE_FAILURE));
    require_same_judgement(good, &error, root, &fault, memchr(data, 0, size) != NULL);
    if (good) {
        require(config_check_version(&config, &error) || error.code == CNI_INCOMPATIBLE_VERSION);
    }
    if (good && root != NULL) {
        require_same_keys(&config, root);
        require_same_paths(&config, root);
        require_same_result(&config, root);
    }
    require_printable(error.msg);
    require_printable(error.details);
    result_soften(error.details);
    require(strcasestr(error.details, "not found") == NULL);
    json_decref(root);
    return 0;
}
