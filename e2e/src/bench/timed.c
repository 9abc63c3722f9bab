/*
 * timed: starts programs and times them from fork to exit, for benchmarks.
 *
 * A JVM needs a millisecond or two to start a process; this one needs tenths of that, so what is
 * measured is the program. Commands come on stdin, one a line, answers go to stdout:
 *
 *   spin                       -> NANOSECONDS of a fixed computation on two threads
 *   batch N, then N lines      -> NANOSECONDS from the first fork to the last exit, then N lines
 *                                 "NANOSECONDS EXITCODE MAXRSS_KIB", in the order given
 *
 * A line of a batch is STDIN-FILE TAB STDOUT-FILE TAB NAME=VALUE... TAB PROGRAM [ARG...], with spaces
 * inside the last two fields; the program gets exactly those variables.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_WORDS = 64, MAX_BATCH = 1024, SPIN = 12000000 };

struct job {
    char *line, *in, *out, *env[MAX_WORDS], *argv[MAX_WORDS];
    pid_t pid;
    uint64_t start, end;
    int code;
    long rss;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *spin(void *seed) {
    volatile uint64_t x = (uint64_t)(uintptr_t)seed;
    for (int i = 0; i < SPIN; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
    }
    return NULL;
}

static uint64_t spin_both(void) {
    uint64_t start = now();
    pthread_t other;
    if (pthread_create(&other, NULL, spin, (void *)1) != 0) {
        abort();
    }
    spin((void *)2);
    pthread_join(other, NULL);
    return now() - start;
}

static void words(char *text, char **out) {
    int n = 0;
    for (char *save = NULL, *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        if (n == MAX_WORDS - 1) {
            fprintf(stderr, "timed: more than %d words\n", MAX_WORDS - 1);
            exit(2);
        }
        out[n++] = w;
    }
    out[n] = NULL;
}

static void parse(struct job *job, char *line) {
    line[strcspn(line, "\n")] = 0;
    job->line = line;
    char *save = NULL;
    job->in = strtok_r(line, "\t", &save);
    job->out = strtok_r(NULL, "\t", &save);
    char *env = strtok_r(NULL, "\t", &save);
    char *argv = strtok_r(NULL, "\t", &save);
    if (argv == NULL) {
        fprintf(stderr, "timed: a job needs four fields\n");
        exit(2);
    }
    words(env, job->env);
    words(argv, job->argv);
}

static void start(struct job *job) {
    int in = open(job->in, O_RDONLY | O_CLOEXEC);
    int out = open(job->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0) {
        perror("timed: open");
        exit(2);
    }
    job->start = now();
    job->pid = vfork();
    if (job->pid == 0) {
        dup2(in, 0);
        dup2(out, 1);
        execve(job->argv[0], job->argv, job->env);
        _exit(127);
    }
    close(in);
    close(out);
}

static void run(struct job *jobs, int n) {
    uint64_t begin = now();
    for (int i = 0; i < n; i++) {
        start(&jobs[i]);
    }
    for (int left = n; left > 0; left--) {
        int status;
        struct rusage use;
        pid_t pid = wait4(-1, &status, 0, &use);
        uint64_t end = now();
        for (int i = 0; i < n; i++) {
            if (jobs[i].pid == pid) {
                jobs[i].end = end;
                jobs[i].code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
                jobs[i].rss = use.ru_maxrss;
            }
        }
    }
    printf("%llu\n", (unsigned long long)(now() - begin));
    for (int i = 0; i < n; i++) {
        printf("%llu %d %ld\n", (unsigned long long)(jobs[i].end - jobs[i].start), jobs[i].code, jobs[i].rss);
        free(jobs[i].line);
    }
    fflush(stdout);
}

int main(void) {
    static struct job jobs[MAX_BATCH];
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        int n;
        if (strncmp(line, "spin", 4) == 0) {
            printf("%llu\n", (unsigned long long)spin_both());
            fflush(stdout);
        } else if (sscanf(line, "batch %d", &n) == 1 && n > 0 && n <= MAX_BATCH) {
            for (int i = 0; i < n; i++) {
                char *text = NULL;
                size_t room = 0;
                if (getline(&text, &room, stdin) <= 0) {
                    return 2;
                }
                parse(&jobs[i], text);
            }
            run(jobs, n);
        } else {
            fprintf(stderr, "timed: unknown command\n");
            return 2;
        }
    }
    free(line);
    return 0;
}
