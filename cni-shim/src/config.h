// The network configuration on standard input: bounded reading, and the few keys the shim needs.
#ifndef PODWIRE_CONFIG_H
#define PODWIRE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "member.h"
#include "result.h"
#include "text.h"

enum {
    CONFIG_BYTES_MAX = 1024 * 1024,
    CONFIG_VERSION_MAX = 64,
    CONFIG_NAME_SHOWN = 64,
    SPOOL_PATH_MAX = 1024,
};

#define DEFAULT_SOCKET "/run/podwire/cni.sock"
#define DEFAULT_SPOOL "/var/lib/podwire/spool"

// The oldest version, which a configuration without "cniVersion" means (tick V3).
#define OLDEST_VERSION "0.1.0"

// All supported versions as a JSON array (tick V1).
#define SUPPORTED_VERSIONS_JSON "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

struct config {
    bool parsed;  // The rest means nothing without it.
    char version[CONFIG_VERSION_MAX + 1];  // "cniVersion", or OLDEST_VERSION.
    char name[CONFIG_NAME_SHOWN + 1];      // The start of "name", for errors; "" when it is not a string.
    struct slice previous;            // "prevResult". This and the next two point into the input.
    struct slice socket_value;
    struct slice spool_value;
    char socket[sizeof(((struct sockaddr_un *)0)->sun_path)];  // Set by config_paths, as is spool.
    char spool[SPOOL_PATH_MAX + 1];
};

// Reads fd to its end into input, for at most timeout_ms. Error 5 when it cannot be read or is not
// closed in time, 6 when there is more than CONFIG_BYTES_MAX; no more than that is ever held.
bool config_read(int fd, int timeout_ms, struct text *input, struct cni_error *error);

// Takes the keys out of len bytes, which config goes on pointing into. Error 6 for anything but one JSON
// object as scan_check wants it, or a version that is not a string of at most CONFIG_VERSION_MAX bytes.
// Errors tell the position, never the text: a configuration may hold credentials.
bool config_parse(const char *bytes, size_t len, struct config *config, struct cni_error *error);

// Position of version among the supported ones, oldest first, or -1.
int config_version_rank(const char *version);

// Error 1 when the version is not one of the supported ones (tick V4).
bool config_check_version(const struct config *config, struct cni_error *error);

// Fills socket and spool from the keys of the same names or the defaults. Error 7 for a path that is
// not a string, not absolute, or too long. No environment variable has a say here.
bool config_paths(struct config *config, struct cni_error *error);

#endif
