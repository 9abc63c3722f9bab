// The network configuration on standard input: bounded reading, and the few keys the shim needs.
#ifndef PODWIRE_CONFIG_H
#define PODWIRE_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "result.h"
#include "text.h"

enum {
    CONFIG_BYTES_MAX = 1024 * 1024,
    CONFIG_DEPTH_MAX = 32,
    CONFIG_VERSION_MAX = 64,
    SPOOL_PATH_MAX = 1024,
};

#define DEFAULT_SOCKET "/run/podwire/cni.sock"
#define DEFAULT_SPOOL "/var/lib/podwire/spool"

// The oldest version, which a configuration without "cniVersion" means (tick V3).
#define OLDEST_VERSION "0.1.0"

// All supported versions as a JSON array (tick V1).
#define SUPPORTED_VERSIONS_JSON "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

struct config {
    json_t *root;         // The parsed object, owned; NULL when there is none.
    const char *version;  // "cniVersion", or OLDEST_VERSION; points into root.
    const char *name;     // "name", or "" when absent or not a string; points into root.
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char spool[SPOOL_PATH_MAX + 1];
};

// Reads fd to its end into input, for at most timeout_ms. Error 5 when it cannot be read or is not
// closed in time, 6 when there is more than CONFIG_BYTES_MAX; no more than that is ever held.
bool config_read(int fd, int timeout_ms, struct text *input, struct cni_error *error);

// Parses len bytes into config, which config_free releases; after a failure root is NULL. Error 6 for
// anything but one JSON object of UTF-8 without duplicate keys, no deeper than CONFIG_DEPTH_MAX.
// Errors tell the position, never the text: a configuration may hold credentials.
bool config_parse(const char *bytes, size_t len, struct config *config, struct cni_error *error);

// Position of version among the supported ones, oldest first, or -1.
int config_version_rank(const char *version);

// Error 1 when the version is not one of the supported ones (tick V4).
bool config_check_version(const struct config *config, struct cni_error *error);

// Fills socket and spool from the keys of the same names or the defaults. Error 7 for a path that is
// not a string, not absolute, or too long. No environment variable has a say here.
bool config_paths(struct config *config, struct cni_error *error);

// Releases root. Harmless when there is none.
void config_free(struct config *config);

#endif
