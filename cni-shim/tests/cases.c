// The test driver: cases FAKE_DAEMON BINARY... runs every test against every binary, each in a process and
// a temporary folder of its own, and prints `N passed, N failed` as its last line. Tests that mostly wait
// run beside the others.
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case_counts.h"
#include "harness.h"

enum { TESTS_MAX = 400 };

static const struct test *const suites[] = {env_tests,     config_tests, call_tests,     fault_tests,
                                            process_tests, spool_tests,  loopback_tests, memory_tests,
                                            fail_point_tests};

struct job {
    const struct test *test;
    const char *binary;
    pid_t pid;
};

// The build with fail points is there for their tests alone.
static bool is_for(const struct test *suite, const char *binary) {
    return (suite == fail_point_tests) == (strstr(binary, "/failing/") != NULL);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *ftw) {
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

static void run_test(const struct job *job, const char *fake, const char *root, int number) {
    struct box box = {.shim = job->binary, .fake = fake};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    snprintf(box.dir, sizeof box.dir, "%s/%d", root, number);
    mkdir(box.dir, 0700);
    snprintf(box.socket, sizeof box.socket, "%s/s", box.dir);
    snprintf(box.spool, sizeof box.spool, "%s/spool", box.dir);
    snprintf(box.report, sizeof box.report, "%s/report", box.dir);
    snprintf(current_test, sizeof current_test, "%s %s", job->binary, job->test->name);
    job->test->body(&box);
    row_end();
    daemon_stop(&box);
    nftw(box.dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    fflush(stdout);
    _exit(0);
}

static void wait_for(struct job *job, struct counts *result) {
    int status;
    if (waitpid(job->pid, &status, 0) != job->pid || status != 0 || result->passed + result->failed == 0) {
        printf("FAIL %s %s ended early\n", job->binary, job->test->name);
        result->failed++;
    }
}

static void start(struct job *job, const char *fake, const char *root, int number, struct counts *result) {
    fflush(stdout);
    job->pid = fork();
    if (job->pid == 0) {
        counts = result;
        run_test(job, fake, root, number);
    }
}

int main(int argc, char **argv) {
    char root[] = "/tmp/podwire-test-XXXXXX";
    static struct job jobs[TESTS_MAX];
    int count = 0;
    if (argc < 3 || mkdtemp(root) == NULL) {
        return 2;
    }
    for (int b = 2; b < argc; b++) {
        for (size_t s = 0; s < sizeof suites / sizeof suites[0]; s++) {
            for (const struct test *t = suites[s]; t->name != NULL && is_for(suites[s], argv[b]); t++) {
                if (count == TESTS_MAX) {
                    return 2;
                }
                jobs[count++] = (struct job){t, argv[b], 0};
            }
        }
    }
    struct counts *results =
        mmap(NULL, sizeof(struct counts) * TESTS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int slow = 1; slow >= 0; slow--) {
        for (int i = 0; i < count; i++) {
            if (jobs[i].test->slow == (slow == 1)) {
                start(&jobs[i], argv[1], root, i, &results[i]);
                if (!slow) {
                    wait_for(&jobs[i], &results[i]);
                }
            }
        }
    }
    struct counts total = {0};
    for (int i = 0; i < count; i++) {
        if (jobs[i].test->slow) {
            wait_for(&jobs[i], &results[i]);
        }
        total.passed += results[i].passed;
        total.failed += results[i].failed;
    }
    if (rmdir(root) != 0) {
        printf("FAIL something was left behind in %s\n", root);
        nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        total.failed++;
    }
    printf("%d passed, %d failed\n", total.passed, total.failed);
    return total.failed == 0 ? 0 : 1;
}
