// The spool: DEL requests that found no daemon, one file each, for node-shim to drain at its start.
// A file is complete exactly when its name ends in ".del". While it is written it is called "." + 32
// hexadecimal characters + "." + 16 more, chosen at random.
#ifndef PODWIRE_SPOOL_H
#define PODWIRE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "result.h"
#include "text.h"

enum { SPOOL_NAME_LEN = 36 };

// File name of an attachment: 32 hexadecimal characters and ".del". Two 64-bit FNV-1a hashes of
// container id, NUL, ifname; the second one starts from the offset basis with all bits inverted.
// The same attachment always has the same name, so a repeated DEL replaces its own file.
void spool_name(const char *container_id, const char *ifname, char name[SPOOL_NAME_LEN + 1]);

// Stores the request in folder, made with mode 0700 when missing (its parents are not), by a temporary
// file, fsync, rename and fsync of the folder: after true, a power cut does not lose it. Refuses a
// folder that is a symbolic link, of another owner, or writable by others. Error 5. A process that is
// killed on the way may leave its temporary file; the daemon removes it when it has seen it for a while.
bool spool_store(const char *folder, const char *container_id, const char *ifname, const struct text *request,
                 struct cni_error *error);

#endif
