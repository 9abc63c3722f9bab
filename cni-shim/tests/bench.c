// bench FAKE_DAEMON BINARY: wall time and memory of one ADD, process start to end, against the budgets of
// 2 ms (median) and 4 MB. Both include what fork and exec of this small program cost.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 500, WARM_UPS = 20, BUDGET_US = 2000, BUDGET_KB = 4096 };

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

int main(int argc, char **argv) {
    char dir[] = "/tmp/podwire-bench-XXXXXX", socket[64], config[300];
    static long us[RUNS];
    struct rusage usage;
    long rss = 0;
    int ready[2], status, failures = 0;
    if (argc != 3 || mkdtemp(dir) == NULL || pipe(ready) != 0) {
        return 2;
    }
    snprintf(socket, sizeof socket, "%s/s", dir);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char *daemon[] = {argv[1], socket, "", "reply", "0", "{\"cniVersion\":\"1.0.0\"}", NULL};
    char *none[] = {NULL};
    pid_t server = start(daemon, none, null, ready[1]);
    if (read(ready[0], config, 6) != 6) {
        return 2;
    }
    int len = snprintf(config, sizeof config, "{\"cniVersion\":\"1.0.0\",\"name\":\"n\",\"type\":\"podwire\",\"socket\":\"%s\"}", socket);
    char *env[] = {"CNI_COMMAND=ADD", "CNI_CONTAINERID=c0ffee", "CNI_NETNS=/run/netns/a", "CNI_IFNAME=eth0", NULL};
    char *shim[] = {argv[2], NULL};
    for (int i = -WARM_UPS; i < RUNS; i++) {
        int in[2];
        if (pipe2(in, O_CLOEXEC) != 0 || write(in[1], config, (size_t)len) != len) {
            return 2;
        }
        close(in[1]);
        long begin = now_us();
        pid_t pid = start(shim, env, in[0], null);
        wait4(pid, &status, 0, &usage);
        us[i < 0 ? 0 : i] = now_us() - begin;
        rss = usage.ru_maxrss > rss ? usage.ru_maxrss : rss;
        failures += status != 0;
        close(in[0]);
    }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    unlink(socket);
    rmdir(dir);
    qsort(us, RUNS, sizeof us[0], compare);
    printf("ADD: p50 %ld us, p90 %ld us, p99 %ld us of %d; budget p50 %d us\n", us[RUNS / 2], us[RUNS * 9 / 10],
           us[RUNS * 99 / 100], RUNS, BUDGET_US);
    printf("max RSS %ld KB, budget %d KB; %d failed\n", rss, BUDGET_KB, failures);
    return failures > 0 || us[RUNS / 2] > BUDGET_US || rss > BUDGET_KB;
}
