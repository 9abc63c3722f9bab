// The test harness. See harness.h.
#include "harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case_counts.h"
#include "monotonic.h"

const char *const ADD_ENV[] = {"CNI_COMMAND=ADD",  "CNI_CONTAINERID=c0ffee", "CNI_NETNS=/run/netns/a",
                               "CNI_IFNAME=eth0",  "CNI_ARGS=K8S_POD_NAME=p", "CNI_PATH=/opt/cni/bin", NULL};
const char *const DEL_ENV[] = {"CNI_COMMAND=DEL", "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0", NULL};
const char *const CHECK_ENV[] = {"CNI_COMMAND=CHECK", "CNI_CONTAINERID=c0ffee", "CNI_NETNS=/run/netns/a",
                                 "CNI_IFNAME=eth0", NULL};
const char *const GC_ENV[] = {"CNI_COMMAND=GC", "CNI_PATH=/opt/cni/bin", NULL};
const char *const STATUS_ENV[] = {"CNI_COMMAND=STATUS", "CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME=",
                                  "CNI_ARGS=", NULL};

struct counts *counts;
char current_test[128];
static char current_row[160];
static bool row_open;
static bool row_bad;

void row_end(void) {
    if (row_open) {
        counts->passed += !row_bad;
        counts->failed += row_bad;
    }
    row_open = row_bad = false;
    current_row[0] = '\0';
}

void row(const char *format, ...) {
    va_list args;
    row_end();
    va_start(args, format);
    vsnprintf(current_row, sizeof current_row, format, args);
    va_end(args);
    row_open = true;
}

void expect_that(bool good, const char *file, int line, const char *what, const char *format, ...) {
    row_open = true;
    if (good) {
        return;
    }
    row_bad = true;
    va_list args;
    va_start(args, format);
    char detail[600];
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    printf("FAIL %s [%s] %s:%d: %s: %s\n", current_test, current_row, file, line, what, detail);
    fflush(stdout);
}

static void die(const char *what) {
    printf("FAIL %s [%s]: %s: %s\n", current_test, current_row, what, strerror(errno));
    exit(1);
}

static void read_all(int fd, struct text *out) {
    char block[16384];
    ssize_t n;
    while ((n = read(fd, block, sizeof block)) > 0) {
        text_add(out, block, (size_t)n);
    }
}

struct text file_read(const char *path) {
    struct text out = text_with_limit(16 << 20);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        read_all(fd, &out);
        close(fd);
    }
    text_add(&out, "", 1);  // Readable as a string; the NUL does not count.
    out.len--;
    return out;
}

int entries_of(const char *path) {
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return -1;
    }
    int count = -2;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

void daemon_start(struct box *box, const char *mode, const char *first, const char *second) {
    int ready[2];
    char byte;
    daemon_stop(box);
    if (pipe2(ready, O_CLOEXEC) != 0 || (box->daemon = fork()) < 0) {
        die("daemon");
    }
    if (box->daemon == 0) {
        dup2(ready[1], 1);
        execl(box->fake, box->fake, box->socket, box->report, mode, first, second, (char *)NULL);
        _exit(127);
    }
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1) {
        die("the fake daemon did not start");
    }
    close(ready[0]);
}

void daemon_stop(struct box *box) {
    if (box->daemon > 0) {
        kill(box->daemon, SIGKILL);
        waitpid(box->daemon, NULL, 0);
        box->daemon = 0;
    }
    unlink(box->socket);
}

struct text daemon_report(struct box *box, const char *what) {
    char path[200];
    snprintf(path, sizeof path, "%s.%s", box->report, what);
    return file_read(path);
}

void daemon_forget(struct box *box) {
    static const char *const kinds[] = {"headers", "body", "calls", "acks"};
    for (int i = 0; i < 4; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s.%s", box->report, kinds[i]);
        unlink(path);
    }
}

const char *config_for(struct box *box, const char *version, const char *extra) {
    static char config[4096];
    snprintf(config, sizeof config,
             "{\"cniVersion\":\"%s\",\"name\":\"pods\",\"type\":\"podwire\",\"socket\":\"%s\",\"spool\":\"%s\"%s}", version,
             box->socket, box->spool, extra);
    return config;
}

static void start_child(const struct box *box, const struct run *run, const int in[2], const int out[2],
                        const int err[2]) {
    char *argv[] = {(char *)(uintptr_t)(run->argv0 != NULL ? run->argv0 : box->shim), NULL};
    // Exit code 1 is an ordinary CNI error: a finding of the sanitizers must look different.
    char *env[40] = {"ASAN_OPTIONS=exitcode=99:detect_leaks=1", "UBSAN_OPTIONS=exitcode=99:halt_on_error=1"};
    for (int i = 0; run->env[i] != NULL && i < 36; i++) {
        env[i + 2] = (char *)(uintptr_t)run->env[i];
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);  // Ignored signals would be inherited.
    signal(SIGXFSZ, SIG_DFL);
    dup2(err[1], 2);
    if (run->input != NULL || run->stdin_fd > 0) {
        dup2(run->input != NULL ? in[0] : run->stdin_fd, 0);
    } else {
        close(0);
    }
    if (run->stdout_fd >= 0) {
        dup2(run->stdout_fd == 0 ? out[1] : run->stdout_fd, 1);
    } else {
        close(1);
    }
    if (run->prepare != NULL) {
        run->prepare((struct box *)(uintptr_t)box);
    }
    execve(box->shim, argv, env);
    _exit(127);
}

// Feeds and drains the pipes until both outputs are closed.
static void pump(struct run *run, int in, int out, int err) {
    size_t fed = 0;
    while (out >= 0 || err >= 0) {
        struct pollfd fds[3] = {{in, POLLOUT, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}};
        char block[65536];
        if (poll(fds, 3, 60000) <= 0) {
            die("the shim hangs");
        }
        if (fds[0].revents != 0) {
            ssize_t n = write(in, run->input + fed, run->input_len - fed);
            fed += n > 0 ? (size_t)n : 0;
            if ((n < 0 && errno != EAGAIN) || fed == run->input_len) {
                close(in);
                in = -1;
            }
        }
        for (int i = 1; i <= 2; i++) {
            if (fds[i].revents != 0) {
                ssize_t n = read(fds[i].fd, block, sizeof block);
                if (n > 0) {
                    text_add(i == 1 ? &run->out : &run->err, block, (size_t)n);
                } else {
                    close(fds[i].fd);
                    *(i == 1 ? &out : &err) = -1;
                }
            }
        }
    }
    if (in >= 0) {
        close(in);
    }
}

void shim_run(struct box *box, struct run *run) {
    int in[2] = {-1, -1}, out[2], err[2];
    struct rusage usage;
    run->out = text_with_limit(16 << 20);
    run->err = text_with_limit(1 << 20);
    if (run->input != NULL && run->input_len == 0) {
        run->input_len = strlen(run->input);
    }
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        die("pipe");
    }
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    int64_t start = monotonic_ms();
    pid_t pid = fork();
    if (pid == 0) {
        start_child(box, run, in, out, err);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    if (run->meanwhile != NULL) {
        run->meanwhile(box, pid);
    }
    if (run->input == NULL || run->input_len == 0) {
        close(in[1]);
        in[1] = -1;
    }
    pump(run, in[1], out[0], err[0]);
    if (wait4(pid, &run->status, 0, &usage) != pid) {
        die("wait4");
    }
    run->ms = (long)(monotonic_ms() - start);
    run->exit_code = WIFEXITED(run->status) ? WEXITSTATUS(run->status) : -1;
    run->cpu_ms = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                  (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    run->rss_kb = usage.ru_maxrss;
    EXPECT(is_sanitized(box) || run->rss_kb <= RSS_MAX_KB, "%ld KB of memory", run->rss_kb);
    text_add(&run->out, "", 1);
    run->out.len--;
    text_add(&run->err, "", 1);
    run->err.len--;
    EXPECT(strstr(run->err.data, "Sanitizer") == NULL && strstr(run->err.data, "runtime error") == NULL, "%s",
           run->err.data);
}

bool is_sanitized(const struct box *box) {
    return strstr(box->shim, "asan") != NULL || strstr(box->shim, "failing") != NULL;
}

int pipe_with(const char *text) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || write(ends[1], text, strlen(text)) != (ssize_t)strlen(text)) {
        die("pipe");
    }
    close(ends[1]);
    return ends[0];
}

int shim_trace(struct box *box, const char *const *env, const char *input,
               void (*seen)(const struct __ptrace_syscall_info *call, void *context), void *context) {
    int status = 0;
    int in = pipe_with(input);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {(char *)(uintptr_t)box->shim, NULL};
        dup2(in, 0);
        dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
        dup2(1, 2);
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        execve(box->shim, argv, (char *const *)(uintptr_t)env);
        _exit(127);
    }
    close(in);
    waitpid(pid, &status, 0);
    ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL));
    while (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) == 0 && waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
        struct __ptrace_syscall_info call;
        ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof call, &call);
        if (call.op == PTRACE_SYSCALL_INFO_ENTRY) {
            seen(&call, context);
        }
    }
    return status;
}

struct run shim(struct box *box, const char *const *env, const char *input) {
    struct run run = {.env = env, .input = input};
    shim_run(box, &run);
    return run;
}

void run_free(struct run *run) {
    text_free(&run->out);
    text_free(&run->err);
}

void expect_error(const struct run *run, int code, const char *version, const char *text) {
    json_t *root = json_loadb(run->out.data, run->out.len, JSON_REJECT_DUPLICATES, NULL);
    const char *msg = json_string_value(json_object_get(root, "msg"));
    const char *details = json_string_value(json_object_get(root, "details"));
    const char *got = json_string_value(json_object_get(root, "cniVersion"));
    const json_t *number = json_object_get(root, "code");
    EXPECT(run->exit_code == 1, "exit code %d, stderr %s", run->exit_code, run->err.data);
    EXPECT(root != NULL && json_object_size(root) == 4 && msg != NULL && details != NULL && got != NULL &&
               json_is_integer(number), "not a CNI error object: %s", run->out.data);
    if (msg != NULL && details != NULL && got != NULL) {
        EXPECT(json_integer_value(number) == code, "want code %d: %s", code, run->out.data);
        EXPECT(strcmp(got, version) == 0, "want version %s: %s", version, run->out.data);
        EXPECT(strstr(msg, text) != NULL || strstr(details, text) != NULL, "want \"%s\": %s", text, run->out.data);
        EXPECT(msg[0] != '\0', "no message");
    }
    EXPECT(run->err.len == 0, "stderr: %s", run->err.data);
    json_decref(root);
}

void expect_time(const struct box *box, const struct run *run, long least_ms, long limit_ms) {
    EXPECT(run->ms >= least_ms, "%ld ms, at least %ld", run->ms, least_ms);
    EXPECT(is_sanitized(box) || run->ms < limit_ms, "%ld ms, less than %ld", run->ms, limit_ms);
}

void expect_output(const struct run *run, int exit_code, const char *out) {
    EXPECT(run->exit_code == exit_code, "exit code %d, stdout %.300s, stderr %s", run->exit_code, run->out.data,
           run->err.data);
    EXPECT(run->out.len == strlen(out) && memcmp(run->out.data, out, run->out.len) == 0, "stdout is %.300s",
           run->out.data);
}
