// The spool: DEL requests that found no daemon, one file each, for node-shim to drain at its start.
// A file is ours and complete exactly when its name ends in ".del"; the daemon ignores other names.
#ifndef PODWIRE_SPOOL_H
#define PODWIRE_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "result.h"

enum { SPOOL_NAME_LEN = 36 };

// File name of an attachment: 32 hexadecimal characters and ".del". Two 64-bit FNV-1a hashes of
// container id, NUL, ifname; the second one starts from the offset basis with all bits inverted.
// The same attachment always has the same name, so a repeated DEL replaces its own file.
void spool_name(const char *container_id, const char *ifname, char name[SPOOL_NAME_LEN + 1]);

// Stores the request in folder, made with mode 0700 when missing (its parents are not), by a temporary
// file, fsync, rename and fsync of the folder: after true, a power cut does not lose it. Refuses a
// folder that is a symbolic link, of another owner, or writable by others. Error 5; nothing is left.
bool spool_store(const char *folder, const char *container_id, const char *ifname, const uint8_t *request, size_t len,
                 struct cni_error *error);

#endif
