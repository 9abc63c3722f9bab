// The CNI environment: which operation, for which container and interface.
#ifndef PODWIRE_ENV_H
#define PODWIRE_ENV_H

#include <stdbool.h>

#include "result.h"

enum cni_verb { VERB_NONE, VERB_UNKNOWN, VERB_ADD, VERB_DEL, VERB_CHECK, VERB_GC, VERB_STATUS, VERB_VERSION };

// The variables as given. An unset variable is the empty string; pointers live as long as environ.
struct cni_env {
    enum cni_verb verb;
    const char *command;
    const char *container_id;
    const char *netns;
    const char *ifname;
    const char *args;
    const char *path;
    bool netns_override;
    // W3C trace context, or empty when the value is not fit for a header.
    const char *traceparent;
    const char *tracestate;
    const char *baggage;
};

// Reads the environment of this process. No other variable than CNI_* and the trace context counts.
struct cni_env env_read(void);

// Checks presence and form for the operation: ticks I1 to I3, and that all values are UTF-8, which a
// protobuf string must be. Error 4. CNI_PATH is never demanded; GC and STATUS demand nothing.
bool env_check(const struct cni_env *env, struct cni_error *error);

#endif
