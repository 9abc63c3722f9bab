// Cases of the binary under the name "loopback", in network namespaces of the test's own.
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

// Whoever is not root becomes it in a user namespace of its own, where it may make network namespaces.
static void become_root(void) {
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (uid == 0) {
        return;
    }
    EXPECT(unshare(CLONE_NEWUSER) == 0, "no user namespace: run as root");
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", gid);
    write_file("/proc/self/gid_map", map);
}

// A process that sits in a new network namespace until it is killed.
static pid_t new_netns(void) {
    int ready[2];
    char byte = 0;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        byte = unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &byte, 1);
        pause();
        _exit(0);
    }
    bool made = read(ready[0], &byte, 1) == 1 && byte == 'y';
    close(ready[0]);
    close(ready[1]);
    EXPECT(made, "no network namespace can be made here");
    return pid;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

// Whether lo is up there; looked up by a child, which stays behind in the namespace.
static bool lo_is_up(pid_t holder, bool set_down) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        char path[64];
        struct ifreq request = {.ifr_name = "lo"};
        snprintf(path, sizeof path, "/proc/%d/ns/net", (int)holder);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (setns(fd, CLONE_NEWNET) != 0) {
            _exit(2);
        }
        int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (set_down) {
            ioctl(sock, SIOCSIFFLAGS, &request);
        }
        _exit(ioctl(sock, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

static struct run loopback(struct box *box, const char *command, const char *netns, const char *input) {
    char command_env[64], netns_env[256];
    snprintf(command_env, sizeof command_env, "CNI_COMMAND=%s", command);
    snprintf(netns_env, sizeof netns_env, "CNI_NETNS=%s", netns);
    const char *env[] = {command_env, "CNI_CONTAINERID=c", "CNI_IFNAME=lo", netns_env, NULL};
    struct run run = {.argv0 = "/opt/cni/bin/loopback", .env = env, .input = input};
    shim_run(box, &run);
    return run;
}

static const char *minimal(const char *version) {
    static char config[200];
    snprintf(config, sizeof config, "{\"cniVersion\":\"%s\",\"name\":\"cni-loopback\",\"type\":\"loopback\"}", version);
    return config;
}

static void life(struct box *box) {
    char netns[64];
    become_root();
    pid_t holder = new_netns();
    snprintf(netns, sizeof netns, "/proc/%d/ns/net", (int)holder);
    static const char *const versions[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
    for (int i = 0; i < 7; i++) {
        row("ADD in version %s", versions[i]);
        lo_is_up(holder, true);
        struct run run = loopback(box, "ADD", netns, minimal(versions[i]));
        char want[400];
        snprintf(want, sizeof want, i < 2 ? "{\"cniVersion\":\"%s\",\"ip4\":{\"ip\":\"127.0.0.1/8\"}}%.0s"
                 : i < 5 ? "{\"cniVersion\":\"%s\",\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00\",\"sandbox\":\"%s\"}],"
                           "\"ips\":[{\"interface\":0,\"address\":\"127.0.0.1/8\",\"version\":\"4\"}]}"
                         : "{\"cniVersion\":\"%s\",\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00\",\"sandbox\":\"%s\"}],"
                           "\"ips\":[{\"interface\":0,\"address\":\"127.0.0.1/8\"}]}", versions[i], netns);
        expect_output(&run, 0, want);
        EXPECT(run.err.len == 0 && lo_is_up(holder, false), "lo is down; %s", run.err.data);
        run_free(&run);
    }
    row("ADD again");
    struct run run = loopback(box, "ADD", netns, minimal("1.0.0"));
    EXPECT(run.exit_code == 0, "%s", run.out.data);
    run_free(&run);
    row("CHECK of an interface that is up");
    run = loopback(box, "CHECK", netns, minimal("1.0.0"));
    expect_output(&run, 0, "");
    run_free(&run);
    row("CHECK of an interface that is down, which it leaves down");
    EXPECT(!lo_is_up(holder, true), "still up");
    run = loopback(box, "CHECK", netns, minimal("1.0.0"));
    expect_error(&run, 100, "1.0.0", "lo is down");
    EXPECT(!lo_is_up(holder, false), "CHECK has changed it");
    run_free(&run);
    row("the previous result is passed through");
    run = loopback(box, "ADD", netns,
                   "{\"cniVersion\":\"0.4.0\",\"prevResult\":{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"interface\":2,"
                   "\"address\":\"10.0.0.2/24\"}],\"dns\":{\"x\":1.5}}}");
    expect_output(&run, 0, "{\"cniVersion\":\"0.4.0\",\"ips\":[{\"version\":\"4\",\"interface\":2,\"address\":\"10.0.0.2/24\"}],"
                           "\"dns\":{\"x\":1.5}}");
    run_free(&run);
    end(holder);
    row("DEL after the namespace is gone");
    run = loopback(box, "DEL", netns, minimal("1.0.0"));
    expect_output(&run, 0, "");
    run_free(&run);
}

static void without_netns(struct box *box) {
    static const char *const verbs[] = {"DEL", "GC", "STATUS"};
    for (int i = 0; i < 3; i++) {
        row("%s", verbs[i]);
        struct run run = loopback(box, verbs[i], "", minimal("1.1.0"));
        expect_output(&run, 0, "");
        run_free(&run);
    }
    row("VERSION");
    struct run run = loopback(box, "VERSION", "dummy", "{\"cniVersion\":\"1.0.0\"}");
    EXPECT(run.exit_code == 0 && strstr(run.out.data, "supportedVersions") != NULL, "%s", run.out.data);
    run_free(&run);
    static const struct {
        const char *verb, *version;
    } young[] = {{"CHECK", "0.3.1"}, {"GC", "1.0.0"}, {"STATUS", "1.0.0"}};
    for (int i = 0; i < 3; i++) {
        row("%s is younger than %s", young[i].verb, young[i].version);
        run = loopback(box, young[i].verb, "/proc/1/ns/net", minimal(young[i].version));
        expect_error(&run, 1, young[i].version, "incompatible CNI versions");
        run_free(&run);
    }
}

static void bad_netns(struct box *box) {
    char fifo[160], link_to[160];
    snprintf(fifo, sizeof fifo, "%s/fifo", box->dir);
    snprintf(link_to, sizeof link_to, "%s/link", box->dir);
    EXPECT(mkfifo(fifo, 0600) == 0 && symlink("/etc/passwd", link_to) == 0, "set-up");
    const struct {
        const char *path;
        int code;
    } table[] = {{"/etc/passwd", 4}, {fifo, 4}, {link_to, 4}, {"/dev/zero", 4}, {"/", 4}, {"relative", 4},
                 {"/proc/self/ns/mnt", 4}, {"/proc/self/ns/net", 8}, {"/nowhere/at/all", 4}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        row("%s", table[i].path);
        struct run run = loopback(box, "ADD", table[i].path, minimal("1.0.0"));
        expect_error(&run, table[i].code, "1.0.0", table[i].path);
        expect_time(box, &run, 0, 1000);
        run_free(&run);
    }
    row("a missing variable");
    struct run run = loopback(box, "ADD", "", minimal("1.0.0"));
    expect_error(&run, 4, "1.0.0", "[CNI_NETNS]");
    run_free(&run);
}

const struct test loopback_tests[] = {
    {"life", life, false},
    {"without_netns", without_netns, false},
    {"bad_netns", bad_netns, false},
    {0},
};
