// Cases of the spool: what a DEL without a daemon leaves on disk, and what it refuses to touch.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "podwire/cni/v1/cni.pb-c.h"
#include "spool.h"

static struct text stored(struct box *box, const char *id, const char *ifname) {
    char name[SPOOL_NAME_LEN + 1], path[320];
    spool_name(id, ifname, name);
    snprintf(path, sizeof path, "%s/%s", box->spool, name);
    return file_read(path);
}

static void content(struct box *box) {
    static const char *const env[] = {"CNI_COMMAND=DEL", "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth0",
                                      "CNI_NETNS=/run/netns/x", "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAME=p",
                                      "CNI_PATH=/opt/cni/bin", "CNI_NETNS_OVERRIDE=1", NULL};
    struct stat status;
    const char *config = config_for(box, "1.0.0", ",\"prevResult\":{\"ips\":[]}");
    row("the stored message is the request, byte for byte");
    struct run run = shim(box, env, config);
    expect_output(&run, 0, "");
    expect_time(box, &run, 0, 1000);
    struct text file = stored(box, "c0ffee", "eth0");
    Podwire__Cni__V1__CniRequest *r = podwire__cni__v1__cni_request__unpack(NULL, file.len, (uint8_t *)file.data);
    EXPECT(r != NULL, "does not parse");
    if (r != NULL) {
        EXPECT(strcmp(r->command, "DEL") == 0 && strcmp(r->container_id, "c0ffee") == 0, "%s", r->container_id);
        EXPECT(strcmp(r->ifname, "eth0") == 0 && strcmp(r->netns, "/run/netns/x") == 0, "%s %s", r->ifname, r->netns);
        EXPECT(strcmp(r->args, "IgnoreUnknown=1;K8S_POD_NAME=p") == 0 && strcmp(r->path, "/opt/cni/bin") == 0, "args");
        EXPECT(r->config.len == strlen(config) && memcmp(r->config.data, config, r->config.len) == 0, "config");
        EXPECT(r->netns_override, "override");
        podwire__cni__v1__cni_request__free_unpacked(r, NULL);
    }
    row("it is what the daemon would have received");
    daemon_start(box, "reply", "0", "");
    struct run sent = shim(box, env, config);
    struct text body = daemon_report(box, "body");
    EXPECT(body.len == file.len && memcmp(body.data, file.data, body.len) == 0, "they differ");
    daemon_stop(box);
    row("modes");
    char name[SPOOL_NAME_LEN + 1], path[320];
    spool_name("c0ffee", "eth0", name);
    snprintf(path, sizeof path, "%s/%s", box->spool, name);
    EXPECT(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600, "mode %o", (unsigned)status.st_mode);
    EXPECT(stat(box->spool, &status) == 0 && (status.st_mode & 07777) == 0700, "mode %o", (unsigned)status.st_mode);
    row("name");
    EXPECT(strlen(name) == 36 && strspn(name, "0123456789abcdef") == 32, "%s", name);
    row("again replaces, another interface or container adds");
    struct run again = shim(box, env, config_for(box, "0.4.0", ""));
    EXPECT(again.exit_code == 0 && entries_of(box->spool) == 1, "%d files", entries_of(box->spool));
    struct text second = stored(box, "c0ffee", "eth0");
    EXPECT(memmem(second.data, second.len, "0.4.0", 5) != NULL, "the old file is still there");
    struct run other = shim(box, (const char *[]){"CNI_COMMAND=DEL", "CNI_CONTAINERID=c0ffee", "CNI_IFNAME=eth1", NULL},
                            config_for(box, "1.0.0", ""));
    EXPECT(other.exit_code == 0 && entries_of(box->spool) == 2, "%d files", entries_of(box->spool));
    text_free(&file), text_free(&body), text_free(&second);
    run_free(&run), run_free(&sent), run_free(&again), run_free(&other);
}

// Values computed once with an independent FNV-1a, so that node-shim can rely on the names.
static void file_names(struct box *box) {
    (void)box;
    static const struct {
        const char *id, *ifname, *name;
    } table[] = {
        {"abc", "eth0", "540c4ae81be81b2004bcfec5481332cb.del"},
        {"ab", "ceth0", NULL},
    };
    char name[SPOOL_NAME_LEN + 1], other[SPOOL_NAME_LEN + 1];
    spool_name(table[0].id, table[0].ifname, name);
    EXPECT(strcmp(name, table[0].name) == 0, "%s", name);
    spool_name(table[1].id, table[1].ifname, other);
    EXPECT(strcmp(name, other) != 0, "the border between id and ifname does not count");
}

static void refused(struct box *box) {
    char target[160];
    snprintf(target, sizeof target, "%s/elsewhere", box->dir);
    const char *const texts[] = {"others may write", "others may write", "symbolic link", "symbolic link", "no folder",
                                 "belongs to another user", "mkdir"};
    for (int i = 0; i < 7; i++) {
        if (i == 5 && geteuid() != 0) {
            continue;  // Only root can give a folder away.
        }
        char spool[120];
        snprintf(spool, sizeof spool, "%s/spool%d", box->dir, i);
        snprintf(box->spool, sizeof box->spool, "%s%s", spool, i == 3 ? "//" : i == 6 ? "/a/b" : "");
        row("%s %d", texts[i], i);
        mkdir(target, 0700);
        if (i < 2 || i == 5) {
            mkdir(spool, 0700);
            EXPECT(chmod(spool, i == 0 ? 0720 : i == 1 ? 0702 : 0700) == 0, "chmod");
            EXPECT(i != 5 || chown(spool, 12345, 12345) == 0, "chown");
        } else if (i == 2 || i == 3) {
            EXPECT(symlink(target, spool) == 0, "symlink");
        } else if (i == 4) {
            close(open(spool, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        }
        struct run run = shim(box, DEL_ENV, config_for(box, "1.0.0", ""));
        expect_error(&run, 5, "1.0.0", texts[i]);
        EXPECT(strcasestr(run.out.data, "not found") == NULL && strcasestr(run.out.data, "no such file") == NULL, "%s",
               run.out.data);
        EXPECT(entries_of(target) == 0, "followed the link");
        run_free(&run);
    }
}

static void disk_full(struct box *box) {
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    struct rlimit small = {.rlim_cur = 16, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    row("a write that fails half way leaves nothing");
    struct run run = shim(box, DEL_ENV, config_for(box, "1.0.0", ""));
    setrlimit(RLIMIT_FSIZE, &limit);
    expect_error(&run, 5, "1.0.0", "write: File too large");
    EXPECT(entries_of(box->spool) == 0, "%d files", entries_of(box->spool));
    run_free(&run);
}

static void only_del(struct box *box) {
    row("STATUS stores nothing");
    struct run run = shim(box, STATUS_ENV, config_for(box, "1.1.0", ""));
    EXPECT(entries_of(box->spool) == -1, "there is a spool");
    run_free(&run);
    row("a trailing slash is harmless");
    strcat(box->spool, "/");
    run = shim(box, DEL_ENV, config_for(box, "1.0.0", ""));
    expect_output(&run, 0, "");
    EXPECT(entries_of(box->spool) == 1, "not stored");
    run_free(&run);
}

// The letter of a system call that matters for durability, or 0: Open, Write, fSync, Rename.
static char letter_of(const struct __ptrace_syscall_info *call) {
    switch (call->entry.nr) {
        case SYS_openat:
            return (call->entry.args[2] & O_EXCL) != 0 ? 'O' : 0;
        case SYS_write:
            return call->entry.args[0] > 2 ? 'W' : 0;
        case SYS_fsync:
            return 'S';
#ifdef SYS_renameat
        case SYS_renameat:
#endif
        case SYS_renameat2:
            return 'R';
        default:
            return 0;
    }
}

// The letters of one run, in order.
struct letters {
    char seen[64];
    size_t len;
};

static void note_letter(const struct __ptrace_syscall_info *call, void *context) {
    struct letters *letters = context;
    char letter = letter_of(call);
    if (letter != 0 && letters->len + 1 < sizeof letters->seen) {
        letters->seen[letters->len++] = letter;
    }
}

static void durable(struct box *box) {
    struct letters letters = {.len = 0};
    row("write, fsync, rename, fsync of the folder, in this order");
    if (is_sanitized(box)) {
        return;
    }
    EXPECT(mkdir(box->spool, 0700) == 0, "set-up");
    shim_trace(box, DEL_ENV, config_for(box, "1.0.0", ""), note_letter, &letters);
    EXPECT(strcmp(letters.seen, "OWSRS") == 0, "seen %s", letters.seen);
    EXPECT(entries_of(box->spool) == 1, "not stored");
}

const struct test spool_tests[] = {
    {"content", content, true},
    {"file_names", file_names, false},
    {"refused", refused, true},
    {"disk_full", disk_full, true},
    {"only_del", only_del, true},
    {"durable", durable, true},
    {0},
};
