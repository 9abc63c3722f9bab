// Places where the test build stops on request: killed, failing, or hanging. Nothing in the shipped binary.
#ifndef PODWIRE_FAIL_POINT_H
#define PODWIRE_FAIL_POINT_H

#include <stdbool.h>

#ifdef PODWIRE_FAIL_POINTS
// True, with errno set, when the step that has just been done must fail. See tests/fail_point.c.
bool fail_point(const char *name);
#else
static inline bool fail_point(const char *name) {
    (void)name;
    return false;
}
#endif

#endif
