// libFuzzer target: whatever stands on standard input, the configuration parser ends well, and what it
// accepts keeps its promises; a failure always has a code and a message, and prints as JSON.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise) {
        abort();
    }
}

static void require_printable(const struct cni_error *error) {
    struct text out = text_with_limit(16 * 1024);
    text_add_json(&out, error->msg, strlen(error->msg));
    json_t *back = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
    require(json_is_string(back));
    json_decref(back);
    out.len = 0;
    text_add_json(&out, error->details, strlen(error->details));
    back = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
    require(json_is_string(back) && !out.failed);
    json_decref(back);
    text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct config config;
    struct cni_error error = {0};
    bool good = config_parse((const char *)data, size, &config, &error);
    require(good == (config.root != NULL));
    require(good || error.code == CNI_DECODE_FAILURE);
    if (good) {
        require(strlen(config.version) <= CONFIG_VERSION_MAX);
        require(config_check_version(&config, &error) || error.code == CNI_INCOMPATIBLE_VERSION);
        if (config_paths(&config, &error)) {
            require(config.socket[0] == '/' && strlen(config.socket) < sizeof config.socket);
            require(config.spool[0] == '/' && strlen(config.spool) <= SPOOL_PATH_MAX);
        } else {
            require(error.code == CNI_BAD_CONFIG);
        }
    }
    require_printable(&error);
    result_soften(error.details);
    require(strcasestr(error.details, "not found") == NULL);
    config_free(&config);
    return 0;
}
