// The CNI plugin "podwire": environment and standard input become one gRPC call to node-shim on this
// node; its answer goes to standard output. It decides nothing about networks. Installed under the name
// "loopback" it is that plugin, without the daemon.
// Source: the CNI specification 1.1, https://github.com/containernetworking/cni/blob/main/SPEC.md
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "env.h"
#include "forward.h"
#include "loopback.h"
#include "process.h"

enum { STDIN_TIMEOUT_MS = 5000 };

// The version of an error object when the configuration does not tell a usable one.
#define ERROR_VERSION "1.0.0"

static int about(void) {
    fprintf(stderr,
            "podwire 0.1.0, the CNI plugin of Podwire: forwards to node-shim on " DEFAULT_SOCKET ".\n"
            "It is run by a container runtime with CNI_COMMAND in its environment.\n"
            "CNI protocol versions supported: " SUPPORTED_VERSIONS_JSON "\n");
    return 0;
}

static bool is_blank(const struct text *input) {
    for (size_t i = 0; i < input->len; i++) {
        if (strchr(" \t\r\n", input->data[i]) == NULL || input->data[i] == '\0') {
            return false;
        }
    }
    return true;
}

static int print_versions(const char *version) {
    struct text out = text_with_limit(4096);
    text_add_string(&out, "{\"cniVersion\":");
    text_add_json(&out, version, strlen(version));
    text_add_string(&out, ",\"supportedVersions\":" SUPPORTED_VERSIONS_JSON "}\n");
    bool printed = !out.failed && result_write(out.data, out.len);
    text_free(&out);
    return printed ? 0 : 1;
}

// The operation itself, with a configuration that parsed. -1 with error set when it failed.
static int serve(const struct cni_env *env, const char *program, struct config *config, const struct text *input,
                 struct cni_error *error) {
    if (env->verb == VERB_VERSION) {
        return print_versions(config->version);
    }
    if (!config_check_version(config, error)) {
        return -1;
    }
    if (strcmp(program, "loopback") == 0) {
        return loopback(env, config, error);
    }
    return config_paths(config, error) ? forward(env, config, input, error) : -1;
}

// Prints error in the version of the configuration where that is known. Returns the exit code.
static int fail(const struct cni_env *env, const struct config *config, struct cni_error *error) {
    bool known = config->parsed && config_version_rank(config->version) >= 0;
    if (env->verb == VERB_DEL) {
        result_soften(error->msg);
        result_soften(error->details);
    }
    return result_print_error(error, known ? config->version : ERROR_VERSION);
}

static int run(const struct cni_env *env, const char *program) {
    struct text input;
    struct config config = {0};
    struct cni_error error;
    struct cni_error env_error;
    // The configuration is read first in every case, since an error tells its version; yet a fault of
    // the environment is reported before one of the configuration.
    bool env_good = env->verb == VERB_VERSION || env_check(env, &env_error);
    bool readable = config_read(STDIN_FILENO, STDIN_TIMEOUT_MS, &input, &error);
    int exit_code = -1;
    if (readable && env->verb == VERB_VERSION && is_blank(&input)) {
        exit_code = print_versions(OLDEST_VERSION);
    } else {
        bool parsed = readable && config_parse(input.data, input.len, &config, &error);
        if (env_good && parsed) {
            exit_code = serve(env, program, &config, &input, &error);
        }
        if (exit_code < 0) {
            exit_code = fail(env, &config, env_good ? &error : &env_error);
        }
    }
    text_free(&input);
    return exit_code;
}

int main(int argc, char **argv) {
    const char *refused = process_settle();
    if (refused != NULL) {
        struct cni_error error;
        cni_fail(&error, PODWIRE_FAILURE, "the plugin refuses to run with the rights of its file");
        cni_details(&error, "%s", refused);
        return result_print_error(&error, ERROR_VERSION);
    }
    struct cni_env env = env_read();
    if (env.verb == VERB_NONE) {
        return about();
    }
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    return run(&env, slash != NULL ? slash + 1 : argc > 0 ? argv[0] : "podwire");
}
