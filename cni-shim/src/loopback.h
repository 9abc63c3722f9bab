// The "loopback" plugin, which containerd runs for every pod beside the network itself.
#ifndef PODWIRE_LOOPBACK_H
#define PODWIRE_LOOPBACK_H

#include "config.h"
#include "env.h"

// Serves the operation without the daemon, always on the interface "lo" of CNI_NETNS: ADD brings it up
// and prints a result, CHECK looks whether it is up, the others have nothing to do. Returns the exit
// code of the plugin, or -1 with error set: 1 when the operation is younger than the configuration's
// version, 4 when CNI_NETNS is not a network namespace, 8 when it is the plugin's own, 100 otherwise.
int loopback(const struct cni_env *env, const struct config *config, struct cni_error *error);

// Appends the result of an ADD to out: the previous plugin's, or our own in the shape of the version. Pure.
bool loopback_result(const struct config *config, const char *netns, struct text *out);

#endif
