// The fail points of the test build. PODWIRE_FAIL_POINT=NAME:ACTION makes the point NAME kill the process
// (kill), report a failed step (error), or hold it for five seconds and go on (hang). The other
// variables of the test build and of the shipped one are the same.
#include "fail_point.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HANG_MS = 5000 };

bool fail_point(const char *name) {
    const char *wanted = getenv("PODWIRE_FAIL_POINT");
    size_t len = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, len) != 0 || wanted[len] != ':') {
        return false;
    }
    const char *action = wanted + len + 1;
    if (strcmp(action, "kill") == 0) {
        kill(getpid(), SIGKILL);
    } else if (strcmp(action, "hang") == 0) {
        poll(NULL, 0, HANG_MS);
    } else if (strcmp(action, "error") == 0) {
        errno = EIO;
        return true;
    } else {
        abort();
    }
    return false;
}
