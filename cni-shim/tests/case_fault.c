// Cases of a daemon that is away, dies, hangs or talks nonsense.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

// After a request was sent, the daemon must have seen exactly one.
static void expect_one_call(struct box *box) {
    struct text calls = daemon_report(box, "calls");
    EXPECT(calls.len == 1, "%zu calls", calls.len);
    text_free(&calls);
}

static void nonsense(struct box *box) {
    static const struct {
        const char *mode, *text;
    } table[] = {
        {"garbage", "not valid HTTP/2"}, {"badproto", "not a CniReply"},
        {"short", "another length"},     {"twice", "another length"},
        {"empty", "without a message"},  {"nostatus", "without a grpc-status"},
        {"compressed", "compressed"},    {"http500", "HTTP status"},
        {"badtype", "application/grpc"}, {"huge", "larger than 1 MiB"},
    };
    static const char *const *const envs[] = {ADD_ENV, DEL_ENV, CHECK_ENV, GC_ENV, STATUS_ENV};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        daemon_start(box, table[i].mode, "0", "x");
        for (int v = 0; v < 5; v++) {
            row("%s, %s", envs[v][0], table[i].mode);
            struct run run = shim(box, envs[v], config_for(box, "1.1.0", ""));
            expect_error(&run, 100, "1.1.0", table[i].text);
            expect_time(box, &run, 0, 1000);
            run_free(&run);
        }
    }
    row("a DEL answered with nonsense is not stored");
    EXPECT(entries_of(box->spool) == -1, "there is a spool");
}

static void lost(struct box *box) {
    static const char *const modes[] = {"die", "early", "rst", "goaway"};
    static const struct {
        const char *const *env;
        int code;
    } verbs[] = {{ADD_ENV, 11}, {CHECK_ENV, 11}, {GC_ENV, 11}, {STATUS_ENV, 50}, {DEL_ENV, 0}};
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
        for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++) {
            row("%s, %s", verbs[v].env[0], modes[m]);
            daemon_forget(box);
            daemon_start(box, modes[m], "0", "");
            struct run run = shim(box, verbs[v].env, config_for(box, "1.1.0", ""));
            if (verbs[v].code == 0) {
                expect_output(&run, 0, "");
                EXPECT(entries_of(box->spool) == 1, "not stored");
            } else {
                expect_error(&run, verbs[v].code, "1.1.0", "went away before it answered");
                expect_error(&run, verbs[v].code, "1.1.0", box->socket);
            }
            expect_time(box, &run, 0, 1000);
            if (strcmp(modes[m], "early") != 0) {
                expect_one_call(box);
            }
            run_free(&run);
        }
    }
}

static void silent(struct box *box, const char *mode, const char *const *env, int code, long want_ms) {
    row("%s, %s", env[0], mode);
    daemon_start(box, mode, "0", "");
    struct run run = shim(box, env, config_for(box, "1.1.0", ""));
    if (code == 0) {
        expect_output(&run, 0, "");
        EXPECT(entries_of(box->spool) == 1, "not stored");
    } else {
        expect_error(&run, code, "1.1.0", "did not answer within");
    }
    expect_time(box, &run, want_ms - 100, want_ms + 1500);
    if (strcmp(mode, "hang") == 0) {
        expect_one_call(box);
    }
    run_free(&run);
}

static void add_hangs(struct box *box) {
    silent(box, "hang", ADD_ENV, 11, 10000);
}

static void del_hangs(struct box *box) {
    silent(box, "hang", DEL_ENV, 0, 10000);
}

static void check_hangs(struct box *box) {
    silent(box, "hang", CHECK_ENV, 11, 10000);
}

static void gc_hangs(struct box *box) {
    silent(box, "hang", GC_ENV, 11, 30000);
}

static void status_hangs(struct box *box) {
    silent(box, "hang", STATUS_ENV, 50, 3000);
    silent(box, "deaf", STATUS_ENV, 50, 3000);
}

static void away(struct box *box, const char *const *env, int code, long want_ms) {
    row("%s, no socket", env[0]);
    struct run run = shim(box, env, config_for(box, "1.1.0", ""));
    if (code == 0) {
        expect_output(&run, 0, "");
        EXPECT(entries_of(box->spool) == 1, "not stored");
    } else {
        expect_error(&run, code, "1.1.0", box->socket);
    }
    expect_time(box, &run, want_ms - 50, want_ms + 500);
    run_free(&run);
}

static void add_away(struct box *box) {
    away(box, ADD_ENV, 11, 5000);
}

static void check_away(struct box *box) {
    away(box, CHECK_ENV, 11, 5000);
}

static void gc_away(struct box *box) {
    away(box, GC_ENV, 11, 5000);
}

static void del_and_status_away(struct box *box) {
    away(box, DEL_ENV, 0, 400);
    away(box, STATUS_ENV, 50, 1000);
    row("a socket file nobody listens on");
    daemon_start(box, "hang", "", "");
    char kept[200];
    snprintf(kept, sizeof kept, "%s.kept", box->socket);
    EXPECT(link(box->socket, kept) == 0, "link");
    daemon_stop(box);
    EXPECT(rename(kept, box->socket) == 0, "rename");
    struct run run = shim(box, DEL_ENV, config_for(box, "1.1.0", ""));
    expect_output(&run, 0, "");
    EXPECT(strstr(run.err.data, "refused") != NULL, "%s", run.err.data);
    expect_time(box, &run, 0, 1000);
    run_free(&run);
    row("what will not go away by waiting is reported at once");
    unlink(box->socket);
    snprintf(box->socket, sizeof box->socket, "%s/report/s", box->dir);
    close(open(box->report, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    run = shim(box, ADD_ENV, config_for(box, "1.1.0", ""));
    expect_error(&run, 11, "1.1.0", "Not a directory");
    expect_time(box, &run, 0, 1000);
    run_free(&run);
}

static void start_late(struct box *box, pid_t pid) {
    (void)pid;
    poll(NULL, 0, 700);
    daemon_start(box, "reply", "0", "late");
}

static void daemon_comes_late(struct box *box) {
    struct run run = {.env = ADD_ENV, .input = config_for(box, "1.0.0", ""), .meanwhile = start_late};
    shim_run(box, &run);
    expect_output(&run, 0, "late");
    expect_time(box, &run, 700, 1500);
    run_free(&run);
}

// A closed standard stream must not become the number of the socket.
static void look_at_stdout(struct box *box, pid_t pid) {
    char path[64], target[64] = "";
    (void)box;
    poll(NULL, 0, 700);
    snprintf(path, sizeof path, "/proc/%d/fd/1", (int)pid);
    EXPECT(readlink(path, target, sizeof target - 1) > 0 && strcmp(target, "/dev/null") == 0, "it is %s", target);
}

static void closed_stdout(struct box *box) {
    daemon_start(box, "hang", "", "");
    struct run run = {.env = STATUS_ENV, .stdout_fd = -1, .meanwhile = look_at_stdout};
    run.stdin_fd = pipe_with(config_for(box, "1.1.0", ""));
    shim_run(box, &run);
    EXPECT(run.exit_code == 1, "exit code %d", run.exit_code);
    run_free(&run);
}

const struct test fault_tests[] = {
    {"nonsense", nonsense, false},
    {"lost", lost, false},
    {"add_hangs", add_hangs, true},
    {"del_hangs", del_hangs, true},
    {"check_hangs", check_hangs, true},
    {"gc_hangs", gc_hangs, true},
    {"status_hangs", status_hangs, true},
    {"add_away", add_away, true},
    {"check_away", check_away, true},
    {"gc_away", gc_away, true},
    {"del_and_status_away", del_and_status_away, true},
    {"daemon_comes_late", daemon_comes_late, true},
    {"closed_stdout", closed_stdout, true},
    {0},
};
