// bench FAKE_DAEMON BINARY: wall time, memory, page faults and wake-ups of one VERSION and of one ADD, process
// start to end, against the budgets of 2 ms (median) and 4 MB. All include what fork and exec of this small
// program cost. A wake-up is a voluntary switch: the process waited, and somebody had to wake it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 500, WARM_UPS = 20, BUDGET_US = 2000, BUDGET_KB = 4096 };

// What the runs of one verb came to.
struct figures {
    long us[RUNS];
    long wake_ups;
    long faults;
    long rss_kb;
    int failures;
};

static int null;

static int compare(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static long now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static pid_t start(char *const argv[], char *const env[], int in, int out) {
    pid_t pid = fork();
    if (pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execve(argv[0], argv, env);
        _exit(127);
    }
    return pid;
}

// One run; number < 0 is a warm-up, which does not count.
static void run(char *binary, char *const env[], const char *config, int number, struct figures *figures) {
    char *argv[] = {binary, NULL};
    struct rusage usage;
    int in[2], status;
    if (pipe2(in, O_CLOEXEC) != 0 || write(in[1], config, strlen(config)) != (ssize_t)strlen(config)) {
        exit(2);
    }
    close(in[1]);
    long begin = now_us();
    pid_t pid = start(argv, env, in[0], null);
    wait4(pid, &status, 0, &usage);
    long took = now_us() - begin;
    close(in[0]);
    figures->failures += status != 0;
    figures->rss_kb = usage.ru_maxrss > figures->rss_kb ? usage.ru_maxrss : figures->rss_kb;
    if (number >= 0) {
        figures->us[number] = took;
        figures->wake_ups += usage.ru_nvcsw;
        figures->faults += usage.ru_minflt;
    }
}

// Prints the figures. True when they keep to the budgets.
static int print(const char *verb, struct figures *f) {
    qsort(f->us, RUNS, sizeof f->us[0], compare);
    printf("%s: p50 %ld us, p90 %ld us, p99 %ld us of %d; budget p50 %d us\n", verb, f->us[RUNS / 2], f->us[RUNS * 9 / 10],
           f->us[RUNS * 99 / 100], RUNS, BUDGET_US);
    printf("%s: %.1f wake-ups, %.1f page faults, max RSS %ld KB, budget %d KB; %d failed\n", verb,
           (double)f->wake_ups / RUNS, (double)f->faults / RUNS, f->rss_kb, BUDGET_KB, f->failures);
    return f->failures == 0 && f->us[RUNS / 2] <= BUDGET_US && f->rss_kb <= BUDGET_KB;
}

int main(int argc, char **argv) {
    char dir[] = "/tmp/podwire-bench-XXXXXX", socket[64], config[300];
    static struct figures version, add;
    int ready[2];
    if (argc != 3 || mkdtemp(dir) == NULL || pipe(ready) != 0) {
        return 2;
    }
    snprintf(socket, sizeof socket, "%s/s", dir);
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char *daemon[] = {argv[1], socket, "", "reply", "0", "{\"cniVersion\":\"1.0.0\"}", NULL};
    char *none[] = {NULL};
    pid_t server = start(daemon, none, null, ready[1]);
    if (read(ready[0], config, 6) != 6) {
        return 2;
    }
    snprintf(config, sizeof config, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"podwire\",\"socket\":\"%s\"}", socket);
    char *version_env[] = {"CNI_COMMAND=VERSION", NULL};
    char *add_env[] = {"CNI_COMMAND=ADD", "CNI_CONTAINERID=c0ffee", "CNI_NETNS=/run/netns/a", "CNI_IFNAME=eth0", NULL};
    for (int i = -WARM_UPS; i < RUNS; i++) {
        run(argv[2], version_env, config, i, &version);
        run(argv[2], add_env, config, i, &add);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(socket);
    rmdir(dir);
    int good = print("VERSION", &version);
    return good & print("ADD", &add) ? 0 : 1;
}
