// Cases of the spool in the build with fail points: killed, failing or held at each step of storing a DEL,
// there is either nothing or the whole request under a name that the daemon reads.
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "spool.h"

static const struct {
    const char *name;
    bool named;  // The file has its name by then.
} POINTS[] = {{"opened", false}, {"written", false}, {"synced", false}, {"renamed", true}};

enum { POINT_COUNT = sizeof POINTS / sizeof POINTS[0] };

// A DEL at the fail point; the request is told apart by its CNI_NETNS.
static struct run del(struct box *box, const char *point, const char *action, const char *netns,
                      void (*meanwhile)(struct box *box, pid_t pid)) {
    char netns_env[64], point_env[64];
    snprintf(netns_env, sizeof netns_env, "CNI_NETNS=%s", netns);
    snprintf(point_env, sizeof point_env, "PODWIRE_FAIL_POINT=%s:%s", point, action);
    const char *env[] = {"CNI_COMMAND=DEL", "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0", netns_env, point_env, NULL};
    struct run run = {.env = env, .stdin_fd = pipe_with(config_for(box, "1.0.0", "")), .meanwhile = meanwhile};
    shim_run(box, &run);
    close(run.stdin_fd);
    return run;
}

// How many files there are whose names end in .del, or do not.
static int count_files(const struct box *box, bool named) {
    DIR *dir = opendir(box->spool);
    int count = 0;
    for (const struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        bool is_named = len == SPOOL_NAME_LEN && strcmp(entry->d_name + len - 4, ".del") == 0;
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && is_named == named;
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return count;
}

// The whole request of the DEL with this CNI_NETNS has its name, and nothing else has one.
static void expect_stored(const struct box *box, const char *netns) {
    char name[SPOOL_NAME_LEN + 1], path[400];
    spool_name("c0ffee", "eth0", name);
    snprintf(path, sizeof path, "%s/%s", box->spool, name);
    struct text file = file_read(path);
    EXPECT(count_files(box, true) == 1, "%d files", count_files(box, true));
    EXPECT(memmem(file.data, file.len, netns, strlen(netns)) != NULL, "not the request with %s", netns);
    EXPECT(file.len > 0 && file.data[file.len - 1] == '}', "cut off at %zu bytes", file.len);
    text_free(&file);
}

static void killed(struct box *box) {
    for (int i = 0; i < POINT_COUNT; i++) {
        row("killed when %s", POINTS[i].name);
        snprintf(box->spool, sizeof box->spool, "%s/spool%d", box->dir, i);
        struct run run = del(box, POINTS[i].name, "kill", "/first", NULL);
        EXPECT(WIFSIGNALED(run.status) && WTERMSIG(run.status) == SIGKILL && run.out.len == 0, "status %x", (unsigned)run.status);
        if (POINTS[i].named) {
            expect_stored(box, "/first");
        } else {
            EXPECT(count_files(box, true) == 0 && count_files(box, false) == 1, "%d files, %d temporary",
                   count_files(box, true), count_files(box, false));
        }
        run_free(&run);
        row("tried again after a kill when %s", POINTS[i].name);
        run = del(box, "none", "kill", "/second", NULL);
        expect_output(&run, 0, "");
        expect_stored(box, "/second");
        run_free(&run);
    }
}

static void failing(struct box *box) {
    for (int i = 0; i < POINT_COUNT; i++) {
        row("an error when %s", POINTS[i].name);
        snprintf(box->spool, sizeof box->spool, "%s/spool%d", box->dir, i);
        struct run run = del(box, POINTS[i].name, "error", "/first", NULL);
        expect_error(&run, 5, "1.0.0", "Input/output error");
        EXPECT(count_files(box, false) == 0, "%d temporary files", count_files(box, false));
        if (POINTS[i].named) {
            expect_stored(box, "/first");
        } else {
            EXPECT(count_files(box, true) == 0, "%d files", count_files(box, true));
        }
        run_free(&run);
    }
}

// While the first DEL hangs, a second one of the same attachment is stored.
static void second_del(struct box *box, pid_t pid) {
    (void)pid;
    for (int i = 0; i < 600 && entries_of(box->spool) < 1; i++) {
        poll(NULL, 0, 5);
    }
    struct run run = del(box, "none", "kill", "/second", NULL);
    expect_output(&run, 0, "");
    expect_stored(box, "/second");
    run_free(&run);
}

// The daemon takes a file that has not been written for a while for one that a killed shim left.
static void sweep(struct box *box, pid_t pid) {
    struct dirent *entry = NULL;
    (void)pid;
    for (int i = 0; i < 600 && entry == NULL; i++) {
        DIR *dir = opendir(box->spool);
        while (dir != NULL && (entry = readdir(dir)) != NULL && strlen(entry->d_name) < SPOOL_NAME_LEN) {
        }
        if (entry != NULL) {
            EXPECT(unlinkat(dirfd(dir), entry->d_name, 0) == 0, "%s", entry->d_name);
        }
        if (dir != NULL) {
            closedir(dir);
        }
        poll(NULL, 0, 5);
    }
}

static void swept(struct box *box) {
    row("a DEL whose file was taken away while it was held is not reported as done");
    struct run run = del(box, "synced", "hang", "/first", sweep);
    expect_error(&run, 5, "1.0.0", "rename");
    EXPECT(entries_of(box->spool) == 0, "%d files", entries_of(box->spool));
    run_free(&run);
}

static void hanging(struct box *box, int i) {
    row("held when %s", POINTS[i].name);
    struct run run = del(box, POINTS[i].name, "hang", "/first", second_del);
    expect_output(&run, 0, "");
    expect_time(box, &run, 5000, 8000);
    expect_stored(box, POINTS[i].named ? "/second" : "/first");
    EXPECT(count_files(box, false) == 0, "%d temporary files", count_files(box, false));
    run_free(&run);
}

static void hanging_opened(struct box *box) {
    hanging(box, 0);
}

static void hanging_written(struct box *box) {
    hanging(box, 1);
}

static void hanging_synced(struct box *box) {
    hanging(box, 2);
}

static void hanging_renamed(struct box *box) {
    hanging(box, 3);
}

const struct test fail_point_tests[] = {
    {"killed", killed, true},
    {"failing", failing, true},
    {"swept", swept, true},
    {"hanging_opened", hanging_opened, true},
    {"hanging_written", hanging_written, true},
    {"hanging_synced", hanging_synced, true},
    {"hanging_renamed", hanging_renamed, true},
    {0},
};
