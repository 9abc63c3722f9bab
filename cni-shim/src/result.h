// What the runtime sees: the CNI error object, and bytes on standard output.
#ifndef PODWIRE_RESULT_H
#define PODWIRE_RESULT_H

#include <stdbool.h>
#include <stddef.h>

// Error codes of the CNI specification 1.1, section "Error", and one of our own (100 and above).
enum cni_code {
    CNI_INCOMPATIBLE_VERSION = 1,
    CNI_BAD_ENVIRONMENT = 4,
    CNI_IO_FAILURE = 5,
    CNI_DECODE_FAILURE = 6,
    CNI_BAD_CONFIG = 7,
    CNI_BAD_NETNS = 8,  // In the reference library's pkg/types only, not in the specification.
    CNI_TRY_AGAIN = 11,
    CNI_NOT_AVAILABLE = 50,
    PODWIRE_FAILURE = 100,
};

// One failure. msg says what was attempted, details what was seen and what happens next.
struct cni_error {
    int code;
    char msg[512];
    char details[1024];
};

// Sets code and msg (printf style) and clears details. Returns false, for `return cni_fail(...)`.
bool cni_fail(struct cni_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// Sets details (printf style). Returns false.
bool cni_details(struct cni_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Rewrites, in place, the phrases "not found" and "no such file or directory" in any case. containerd
// takes a DEL error with these words for success (go-cni, Remove), and the pod would leak.
void result_soften(char *s);

// Writes {"cniVersion","code","msg","details"} to standard output (tick O1: not to stderr).
// Returns the exit code of the plugin, 1.
int result_print_error(const struct cni_error *error, const char *cni_version);

// Writes all bytes to standard output. False with errno when that fails.
bool result_write(const void *bytes, size_t len);

#endif
