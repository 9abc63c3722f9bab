/*
 * TCP between two network namespaces, as plain as it gets.
 *
 *   flow serve PORT              takes connections; of each the first byte says what it is for
 *   flow send ADDRESS PORT MS    sends for so many milliseconds; prints MB/s of what the other end has read
 *   flow echo ADDRESS PORT COUNT sends a byte and waits for it to come back, so many times; prints p50 and p99 in us
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 17];

static void die(const char *what) {
    fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void *serve(void *arg) {
    int fd = (int)(intptr_t)arg;
    static __thread char own[1 << 17];
    char kind;
    uint64_t total = 0;
    ssize_t n;
    if (read(fd, &kind, 1) == 1) {
        while ((n = read(fd, own, sizeof own)) > 0) {
            total += (uint64_t)n;
            if (kind == 'e' && write(fd, own, (size_t)n) != n) {
                break;
            }
        }
        if (kind == 's' && write(fd, &total, sizeof total) != sizeof total) {
            perror("flow: write");
        }
    }
    close(fd);
    return NULL;
}

/* Sends as fast as the way takes it, and no slower for a pacing that a machine's default may have. */
static int tcp(void) {
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0) {
        die("socket");
    }
    return fd;
}

static int dial(const char *address, int port, char kind) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = tcp();
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) {
        die(address);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        die("connect");
    }
    if (write(fd, &kind, 1) != 1) {
        die("write");
    }
    return fd;
}

static int ascending(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return d < 0 ? -1 : d > 0;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "serve")) {
        struct sockaddr_in on = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
        int one = 1;
        int fd = tcp(); /* what it accepts is as it is */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        if (bind(fd, (struct sockaddr *)&on, sizeof on) < 0 || listen(fd, 16) < 0) {
            die("listen");
        }
        for (;;) {
            int each = accept(fd, NULL, NULL);
            pthread_t thread;
            if (each < 0) {
                die("accept");
            }
            pthread_create(&thread, NULL, serve, (void *)(intptr_t)each);
            pthread_detach(thread);
        }
    }
    if (argc == 5 && !strcmp(argv[1], "send")) {
        int fd = dial(argv[2], atoi(argv[3]), 's');
        double from = now();
        double end = from + atoi(argv[4]) / 1e3;
        uint64_t total;
        while (now() < end) {
            if (write(fd, buffer, sizeof buffer) < 0) {
                die("write");
            }
        }
        shutdown(fd, SHUT_WR);
        if (recv(fd, &total, sizeof total, MSG_WAITALL) != sizeof total) {
            die("read");
        }
        printf("%.3f\n", total / (now() - from) / 1e6);
        return 0;
    }
    if (argc == 5 && !strcmp(argv[1], "echo")) {
        int fd = dial(argv[2], atoi(argv[3]), 'e');
        int count = atoi(argv[4]);
        double *times = calloc((size_t)count, sizeof *times);
        for (int i = -count / 10; i < count; i++) {
            double from = now();
            char c = 'x';
            if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1) {
                die("echo");
            }
            if (i >= 0) {
                times[i] = (now() - from) * 1e6;
            }
        }
        qsort(times, (size_t)count, sizeof *times, ascending);
        printf("%.3f %.3f\n", times[count / 2], times[(int)(count * 0.99)]);
        return 0;
    }
    fprintf(stderr, "usage: flow serve PORT | send ADDRESS PORT MS | echo ADDRESS PORT COUNT\n");
    return 2;
}
