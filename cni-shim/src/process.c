// This process as the operating system sees it. See process.h.
#include "process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// A closed standard stream is filled, or the next socket would take its number. Each one with the wrong
// direction, so that using it still fails.
static void fill_standard_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

// Before Linux 5.9 there is no close_range(2), and a filter of system calls may forbid it.
static void close_listed(void) {
    DIR *fds = opendir("/proc/self/fd");
    if (fds == NULL) {
        return;
    }
    for (const struct dirent *entry; (entry = readdir(fds)) != NULL;) {
        int fd = atoi(entry->d_name);
        if (fd > STDERR_FILENO && fd != dirfd(fds)) {
            close(fd);
        }
    }
    closedir(fds);
}

static void settle_signals(void) {
    sigset_t none;
    sigemptyset(&none);
    signal(SIGALRM, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);  // A file size limit is a failed write, not a death.
    sigprocmask(SIG_SETMASK, &none, NULL);
    alarm(PROCESS_SECONDS_MAX);
}

const char *process_settle(void) {
    if (getauxval(AT_SECURE) != 0) {
        return "the file gives whoever runs it more rights than he has: take its set-user-ID and set-group-ID bits "
               "and its capabilities away";
    }
    fill_standard_streams();
    if (syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U) != 0) {
        close_listed();
    }
    settle_signals();
    umask(077);
    prctl(PR_SET_DUMPABLE, 0);  // No core file: a configuration may hold credentials.
    return NULL;
}
