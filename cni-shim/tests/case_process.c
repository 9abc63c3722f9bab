// Cases of the process itself: what it inherits, what it takes from the environment, how much it needs,
// and how it ends when somebody else ends it.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "process.h"

// The system calls of one run: their numbers, and how many tried to open a file.
struct trace {
    unsigned numbers[200];
    size_t len;
    int opened;
};

static void note(const struct __ptrace_syscall_info *call, void *context) {
    struct trace *trace = context;
    if (trace->len < sizeof trace->numbers / sizeof trace->numbers[0]) {
        trace->numbers[trace->len++] = (unsigned)call->entry.nr;
    }
    trace->opened += call->entry.nr == SYS_openat;
#ifdef SYS_open
    trace->opened += call->entry.nr == SYS_open;
#endif
}

// Variables that programs, their loaders and their C libraries obey; none of them may change what this
// one does. The first three are the call's own.
static const char *const LURES[] = {
    "CNI_COMMAND=DEL", "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0",
    "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1:glibc.malloc.perturb=85:glibc.malloc.top_pad=65536",
    "MALLOC_PERTURB_=85", "MALLOC_TOP_PAD_=1048576", "MALLOC_MMAP_THRESHOLD_=1", "MALLOC_CHECK_=3",
    "MALLOC_ARENA_MAX=1", "MALLOC_TRACE=/tmp/podwire-malloc-trace", "LD_PRELOAD=/nowhere/at/all.so",
    "LD_LIBRARY_PATH=/nowhere", "LD_AUDIT=/nowhere/audit.so", "LD_DEBUG=all", "LD_BIND_NOW=1", "LC_ALL=de_DE.UTF-8",
    "LANG=de_DE.UTF-8", "LANGUAGE=de", "LOCPATH=/nowhere", "MUSL_LOCPATH=/nowhere", "NLSPATH=/nowhere/%N",
    "TZ=/nowhere/zone", "TZDIR=/nowhere", "TMPDIR=/nowhere", "HOME=/nowhere", "PATH=/nowhere", "IFS=/",
    "GCONV_PATH=/nowhere", "HOSTALIASES=/nowhere", "RES_OPTIONS=debug", "LIBC_FATAL_STDERR_=1",
    "PODWIRE_SOCKET=/nowhere", "PODWIRE_SPOOL=/nowhere", "PODWIRE_FAIL_POINT=opened:kill", "JANSSON_SEED=1", NULL};

static void environment(struct box *box) {
    static struct trace plain, lured;
    struct text binary = file_read(box->shim);
    row("there is no fail point in the binary");
    EXPECT(memmem(binary.data, binary.len, "PODWIRE_FAIL_POINT", 18) == NULL, "there is one");
    text_free(&binary);
    row("a DEL makes the same system calls whatever else is in the environment");
    if (is_sanitized(box)) {
        return;
    }
    // A folder in place of the socket: it is not tried again, and so the run does not depend on time.
    snprintf(box->socket, sizeof box->socket, "%s/report/s", box->dir);
    close(open(box->report, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    EXPECT(mkdir(box->spool, 0700) == 0, "mkdir");
    EXPECT(shim_trace(box, DEL_ENV, config_for(box, "1.0.0", ""), note, &plain) == 0, "failed");
    EXPECT(shim_trace(box, LURES, config_for(box, "1.0.0", ""), note, &lured) == 0, "failed");
    EXPECT(plain.len > 20 && plain.len == lured.len, "%zu and %zu calls", plain.len, lured.len);
    for (size_t i = 0; i < plain.len && i < lured.len; i++) {
        EXPECT(plain.numbers[i] == lured.numbers[i], "call %zu is %u and %u", i, plain.numbers[i], lured.numbers[i]);
    }
    EXPECT(plain.opened == 2, "%d files opened, not the spool and the request", plain.opened);
    EXPECT(entries_of(box->spool) == 1, "%d files", entries_of(box->spool));
}

static int set_user_id_copy = -1;

// By its descriptor: another user may not reach the folder.
static void become_nobody(struct box *box) {
    (void)box;
    static char name[] = "podwire", command[] = "CNI_COMMAND=VERSION";
    static char *const argv[] = {name, NULL};
    static char *const env[] = {command, NULL};
    if (setgid(12345) == 0 && setuid(12345) == 0) {
        fexecve(set_user_id_copy, argv, env);
    }
    _exit(126);
}

static void set_user_id(struct box *box) {
    char path[160];
    struct statvfs fs;
    row("it refuses to run with the rights of its file");
    snprintf(path, sizeof path, "%s/podwire", box->dir);
    if (is_sanitized(box) || geteuid() != 0 || (statvfs(box->dir, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0)) {
        printf("SKIP %s set_user_id: needs root, a file system with set-user-ID, and no sanitizer\n", box->shim);
        return;
    }
    struct text binary = file_read(box->shim);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    EXPECT(fd >= 0 && write(fd, binary.data, binary.len) == (ssize_t)binary.len && fchmod(fd, 04755) == 0, "copy");
    close(fd);
    text_free(&binary);
    set_user_id_copy = open(path, O_PATH | O_CLOEXEC);
    struct run run = {.env = (const char *const[]){NULL}, .input = "", .prepare = become_nobody};
    shim_run(box, &run);
    expect_error(&run, 100, "1.0.0", "rights of its file");
    run_free(&run);
    EXPECT(chmod(path, 0755) == 0, "chmod");
    run = (struct run){.env = (const char *const[]){NULL}, .input = "", .prepare = become_nobody};
    shim_run(box, &run);
    EXPECT(run.exit_code == 0, "without the bit: exit code %d, %s", run.exit_code, run.out.data);
    run_free(&run);
    close(set_user_id_copy);
}

// Makes close_range(2) fail as before Linux 5.9.
static void forbid_close_range(struct box *box) {
    (void)box;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38),  // ENOSYS
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        _exit(125);
    }
}

// Waits until the daemon has the request, and the shim nothing to do but to wait for the answer.
static void await_request(struct box *box) {
    for (int i = 0; i < 1000; i++) {
        struct text calls = daemon_report(box, "calls");
        bool there = calls.len > 0;
        text_free(&calls);
        if (there) {
            return;
        }
        poll(NULL, 0, 5);
    }
    EXPECT(false, "no request came");
}

// The standard streams and the socket, nothing else.
static void count_descriptors(struct box *box, pid_t pid) {
    char path[64];
    await_request(box);
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    EXPECT(entries_of(path) == 4, "%d descriptors", entries_of(path));
}

static void descriptors(struct box *box) {
    static void (*const prepare[])(struct box *box) = {NULL, forbid_close_range};
    daemon_start(box, "hang", "", "");
    for (int i = 0; i < 2; i++) {
        int low = open("/dev/null", O_RDONLY);  // Without O_CLOEXEC, as a careless runtime would.
        int high = fcntl(low, F_DUPFD, 900);
        row("%s", i == 0 ? "close_range" : "without close_range");
        daemon_forget(box);
        struct run run = {.env = STATUS_ENV, .meanwhile = count_descriptors, .prepare = prepare[i]};
        run.stdin_fd = pipe_with(config_for(box, "1.1.0", ""));
        shim_run(box, &run);
        expect_error(&run, 50, "1.1.0", "did not answer");
        close(low);
        close(high);
        close(run.stdin_fd);
        run_free(&run);
    }
}

static int signal_to_send;

static void send_signal(struct box *box, pid_t pid) {
    await_request(box);
    kill(pid, signal_to_send);
}

static void expect_ended_by(const struct box *box, const struct run *run, int signal) {
    EXPECT(WIFSIGNALED(run->status) && WTERMSIG(run->status) == signal, "status %x", (unsigned)run->status);
    EXPECT(run->out.len == 0, "%s", run->out.data);
    expect_time(box, run, 0, 2000);
}

// The runtime sees a plugin that was ended by its signal and printed nothing: a failure, whose DEL follows.
static void terminated(struct box *box) {
    static const char *const *const envs[] = {ADD_ENV, DEL_ENV};
    for (int i = 0; i < 2; i++) {
        row("SIGTERM during %s", envs[i][0]);
        daemon_forget(box);
        daemon_start(box, "hang", "", "");
        signal_to_send = SIGTERM;
        struct run run = {.env = envs[i], .meanwhile = send_signal};
        run.stdin_fd = pipe_with(config_for(box, "1.0.0", ""));
        shim_run(box, &run);
        close(run.stdin_fd);
        expect_ended_by(box, &run, SIGTERM);
        EXPECT(entries_of(box->spool) == -1, "there is a spool");
        run_free(&run);
    }
}

static void allow_core(struct box *box) {
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_CORE, &unlimited);
    if (chdir(box->dir) != 0) {
        _exit(124);
    }
}

static void no_core(struct box *box) {
    row("no core file, which would hold the configuration");
    char *shim = realpath(box->shim, NULL);  // It is run from another folder.
    const char *given = box->shim;
    box->shim = shim;
    daemon_start(box, "hang", "", "");
    signal_to_send = SIGQUIT;
    struct run run = {.env = STATUS_ENV, .meanwhile = send_signal, .prepare = allow_core};
    run.stdin_fd = pipe_with(config_for(box, "1.1.0", ""));
    shim_run(box, &run);
    close(run.stdin_fd);
    expect_ended_by(box, &run, SIGQUIT);
    EXPECT(!WCOREDUMP(run.status), "a core was dumped");
    run_free(&run);
    box->shim = given;
    free(shim);
}

// Everything that a runtime could have set to keep the alarm away.
static void block_signals(struct box *box) {
    (void)box;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGALRM, SIG_IGN);
}

static void nobody_reads(struct box *box) {
    int out[2];
    row("a standard output that nobody reads does not hold it for ever");
    daemon_start(box, "big", "1000000", "");
    EXPECT(pipe2(out, O_CLOEXEC) == 0, "pipe");
    struct run run = {.env = ADD_ENV, .input = config_for(box, "1.0.0", ""), .stdout_fd = out[1], .prepare = block_signals};
    shim_run(box, &run);
    EXPECT(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGALRM, "status %x", (unsigned)run.status);
    expect_time(box, &run, PROCESS_SECONDS_MAX * 1000 - 100, PROCESS_SECONDS_MAX * 1000 + 2000);
    close(out[0]);
    close(out[1]);
    run_free(&run);
}

static int trickle;

// A byte every 100 ms, as long as somebody reads.
static void write_slowly(struct box *box, pid_t pid) {
    (void)box, (void)pid;
    pid_t writer = fork();
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int i = 0; i < 80 && write(trickle, " ", 1) == 1; i++) {
            poll(NULL, 0, 100);
        }
        _exit(0);
    }
}

static void slow_input(struct box *box) {
    int in[2];
    row("bytes that come one by one do not move the deadline");
    EXPECT(pipe2(in, O_CLOEXEC) == 0, "pipe");
    trickle = in[1];
    struct run run = {.env = ADD_ENV, .stdin_fd = in[0], .meanwhile = write_slowly};
    shim_run(box, &run);
    expect_error(&run, 5, "1.0.0", "did not end within");
    expect_time(box, &run, 4900, 7000);
    close(in[0]);
    close(in[1]);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    run_free(&run);
}

// Kinds of configurations that cost as much as one of 1 MiB can.
static const struct {
    const char *name, *head, *piece, *tail;
} COSTLY[] = {
    {"keys", "", ",\"%x\":0", "}"},
    {"escaped keys", ",\"a\":{\"x\":0", ",\"\\u0061%x\":0", "}}"},
    {"objects", ",\"a\":[0", ",{\"a\":{},\"b\":[]}", "]}"},
    {"arrays", ",\"a\":[0", ",[]", "]}"},
    {"escapes", ",\"a\":\"", "\\ud83d\\ude00", "\"}"},
};

// Fills bytes[0..len), with white space at the end. The socket stands where no folder is.
static void fill_costly(struct box *box, char *bytes, size_t len, int kind) {
    size_t at = (size_t)sprintf(bytes, "{\"cniVersion\":\"1.1.0\",\"socket\":\"%s/s\"%s", box->report, COSTLY[kind].head);
    for (unsigned i = 0; at < len - 64; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += (size_t)sprintf(bytes + at, COSTLY[kind].piece, i);
#pragma GCC diagnostic pop
    }
    at += (size_t)sprintf(bytes + at, "%s", COSTLY[kind].tail);
    memset(bytes + at, ' ', len - at);
}

static void memory(struct box *box) {
    size_t len = 1 << 20;
    char *input = malloc(len + 1);
    close(open(box->report, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    for (int kind = 0; kind < (int)(sizeof COSTLY / sizeof *COSTLY); kind++) {
        row("1 MiB of %s", COSTLY[kind].name);
        fill_costly(box, input, len, kind);
        struct run run = {.env = STATUS_ENV, .input = input, .input_len = len};
        shim_run(box, &run);
        expect_error(&run, 50, "1.1.0", "Not a directory");  // So it was read to its end, and accepted.
        EXPECT(run.cpu_ms < (is_sanitized(box) ? 10000 : 1000), "%ld ms", run.cpu_ms);
        run_free(&run);
        row("1 MiB of %s, and more behind it", COSTLY[kind].name);
        memcpy(input + len - 2, "{}", 2);
        run = (struct run){.env = STATUS_ENV, .input = input, .input_len = len};
        shim_run(box, &run);
        expect_error(&run, 6, "1.0.0", "after the end");
        run_free(&run);
    }
    free(input);
    static const struct {
        const char *mode, *text;
    } daemons[] = {{"fields", "not a CniReply"}, {"pings", "cannot be understood"}, {"huge", "larger than 1 MiB"}};
    for (size_t i = 0; i < sizeof daemons / sizeof *daemons; i++) {
        row("a daemon that sends %s", daemons[i].mode);
        daemon_start(box, daemons[i].mode, "", "");
        struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
        expect_error(&run, 100, "1.0.0", daemons[i].text);
        EXPECT(run.cpu_ms < (is_sanitized(box) ? 10000 : 1000), "%ld ms", run.cpu_ms);
        run_free(&run);
    }
    row("the largest request and the largest reply");
    daemon_start(box, "big", "1048000", "");
    char *config = malloc(len);
    int head = snprintf(config, len, "{\"cniVersion\":\"1.0.0\",\"socket\":\"%s\",\"a\":\"", box->socket);
    memset(config + head, 'x', len - (size_t)head);
    memcpy(config + len - 2, "\"}", 2);
    struct run run = {.env = ADD_ENV, .input = config, .input_len = len};
    shim_run(box, &run);
    EXPECT(run.exit_code == 0 && run.out.len == 1048000, "exit code %d, %zu bytes", run.exit_code, run.out.len);
    run_free(&run);
    free(config);
}

const struct test process_tests[] = {
    {"environment", environment, false},
    {"set_user_id", set_user_id, false},
    {"descriptors", descriptors, true},
    {"terminated", terminated, false},
    {"no_core", no_core, false},
    {"nobody_reads", nobody_reads, true},
    {"slow_input", slow_input, true},
    {"memory", memory, false},
    {0},
};
