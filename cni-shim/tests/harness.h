// The test harness: a box (temporary folder, fake daemon) per test, one run of the shim, expectations.
#ifndef PODWIRE_TEST_HARNESS_H
#define PODWIRE_TEST_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/types.h>

#include "text.h"

// Everything one test owns. Gone, with its processes, when the test ends.
struct box {
    const char *shim;
    const char *fake;
    char dir[96];
    char socket[107];
    char spool[256];
    char report[128];
    pid_t daemon;
};

// One run of the shim, and what came of it.
struct run {
    const char *argv0;       // NULL: the path of the binary.
    const char *const *env;  // "NAME=value", NULL at the end. Nothing else is in the environment.
    const char *input;       // Standard input, through a pipe; NULL: see stdin_fd.
    size_t input_len;        // 0: the length of the string.
    int stdin_fd;            // Used when input is NULL; -1 closes standard input.
    int stdout_fd;           // 0: a pipe that is read; -1 closes it; otherwise that descriptor.
    // Called once the process runs, or NULL. Until it returns nothing is fed into the pipe of `input`.
    void (*meanwhile)(struct box *box, pid_t pid);
    void (*prepare)(struct box *box);               // Called in the new process before execve(2), or NULL.

    int exit_code;  // -1 when a signal ended it.
    int status;     // As wait4(2) gave it.
    long ms;
    long cpu_ms;  // Of its own time, which other load on the machine does not change much.
    long rss_kb;
    struct text out;
    struct text err;
};

struct test {
    const char *name;
    void (*body)(struct box *box);
    bool slow;  // Mostly waiting: runs beside the others.
};

extern const struct test env_tests[], config_tests[], call_tests[], fault_tests[], process_tests[], spool_tests[],
    loopback_tests[], memory_tests[], fail_point_tests[];

// No input makes the shim larger. Each run is held to it; not those of the sanitizers.
enum { RSS_MAX_KB = 16 * 1024 };

// Environments used by many cases.
extern const char *const ADD_ENV[], *const DEL_ENV[], *const CHECK_ENV[], *const GC_ENV[], *const STATUS_ENV[];

// Names the case that the following expectations belong to. A test without any is one case.
void row(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Records a failed expectation of the current case.
void expect_that(bool good, const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
#define EXPECT(condition, ...) expect_that((condition), __FILE__, __LINE__, #condition, __VA_ARGS__)

// Starts the fake daemon in a mode, or ends it.
void daemon_start(struct box *box, const char *mode, const char *first, const char *second);
void daemon_stop(struct box *box);
// Bytes the daemon has reported: "headers", "body", "calls" or "acks". To be freed with text_free.
struct text daemon_report(struct box *box, const char *what);
// Forgets earlier reports.
void daemon_forget(struct box *box);

// A configuration for this box; extra is further text inside the object, such as ",\"a\":1".
const char *config_for(struct box *box, const char *version, const char *extra);

// The end to read from of a pipe that holds this text, at most 64 KiB, and is closed behind it.
int pipe_with(const char *text);

void shim_run(struct box *box, struct run *run);
void run_free(struct run *run);
// Runs with input through a pipe; the usual case.
struct run shim(struct box *box, const char *const *env, const char *input);

// The shim ended with exactly one CNI error object on standard output: this code and version, and msg
// or details containing text.
void expect_error(const struct run *run, int code, const char *version, const char *text);
// It ended well and printed exactly this.
void expect_output(const struct run *run, int exit_code, const char *out);

// The shim under test is built with the sanitizers.
bool is_sanitized(const struct box *box);

// Starts the shim with this environment and configuration under ptrace(2) and tells `seen` of each system
// call before it is made. Returns its status. Not with the sanitizers, which trace the process themselves.
int shim_trace(struct box *box, const char *const *env, const char *input,
               void (*seen)(const struct __ptrace_syscall_info *call, void *context), void *context);

// The run took from least_ms to less than limit_ms. The sanitizers, which make a start take as long as all
// the rest, are not held to the limit.
void expect_time(const struct box *box, const struct run *run, long least_ms, long limit_ms);

// Reads a whole file.
struct text file_read(const char *path);
// The number of entries of a folder, or -1.
int entries_of(const char *path);

#endif
