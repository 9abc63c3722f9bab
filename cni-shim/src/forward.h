// Forwards one CNI operation to node-shim and turns what comes back into the plugin's end.
#ifndef PODWIRE_FORWARD_H
#define PODWIRE_FORWARD_H

#include "config.h"
#include "env.h"
#include "grpc_stream.h"
#include "text.h"

// How an operation ends.
enum forward_end {
    END_REPLY,  // Print the daemon's bytes, exit with its code.
    END_ERROR,  // Print an error with the code beside it.
    END_SPOOL,  // Store the DEL for later and report success.
};

struct forward_decision {
    enum forward_end end;
    int code;  // CNI error code, with END_ERROR.
};

// The one table from (operation, outcome of the call, gRPC status) to the end of the plugin. Pure.
struct forward_decision forward_decide(enum cni_verb verb, enum grpc_outcome outcome, int grpc_status);

// Performs the operation with the configuration as it was read. Returns the exit code of the plugin,
// having written the daemon's answer to standard output; or -1 with error set and nothing written.
int forward(const struct cni_env *env, const struct config *config, const struct text *input, struct cni_error *error);

#endif
