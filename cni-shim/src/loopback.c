// The "loopback" plugin. See loopback.h.
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

// A previous result is at most the configuration that it came in; a path is much shorter.
enum { RESULT_MAX = CONFIG_BYTES_MAX + 32 * 1024 };

static bool netns_fail(struct cni_error *error, int code, const char *path, const char *reason) {
    cni_fail(error, code, "CNI_NETNS cannot be used");
    return cni_details(error, "\"%.512s\": %s; nothing was changed", path, reason);
}

// Tick I7: a pod does not live in the plugin's own namespace, unless the runtime insists.
static bool is_own_netns(int fd) {
    struct stat mine;
    struct stat theirs;
    return stat("/proc/self/ns/net", &mine) == 0 && fstat(fd, &theirs) == 0 && mine.st_dev == theirs.st_dev &&
           mine.st_ino == theirs.st_ino;
}

// Moves this process, which has one thread, into the namespace. O_NONBLOCK: the path may be a FIFO.
static bool enter_netns(const struct cni_env *env, struct cni_error *error) {
    int fd = open(env->netns, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return netns_fail(error, CNI_BAD_ENVIRONMENT, env->netns, strerror(errno));
    }
    struct statfs kind;
    bool entered = false;
    if (fstatfs(fd, &kind) != 0 || kind.f_type != NSFS_MAGIC) {
        netns_fail(error, CNI_BAD_ENVIRONMENT, env->netns, "is not a namespace");
    } else if (!env->netns_override && is_own_netns(fd)) {
        netns_fail(error, CNI_BAD_NETNS, env->netns, "is the plugin's own network namespace");
    } else if (setns(fd, CLONE_NEWNET) != 0) {
        netns_fail(error, errno == EINVAL ? CNI_BAD_ENVIRONMENT : PODWIRE_FAILURE, env->netns, strerror(errno));
    } else {
        entered = true;
    }
    close(fd);
    return entered;
}

// Brings lo up, or looks whether it is.
static bool lo_up(bool change, struct cni_error *error) {
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    bool up = done && (request.ifr_flags & IFF_UP) != 0;
    if (done && change && !up) {
        request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
        done = up = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    }
    if (!done) {
        cni_fail(error, PODWIRE_FAILURE, "interface lo cannot be %s", change ? "brought up" : "read");
        cni_details(error, "%s", strerror(errno));
    } else if (!up) {
        cni_fail(error, PODWIRE_FAILURE, "interface lo is down");
    }
    if (fd >= 0) {
        close(fd);
    }
    return up;
}

// A previous plugin's result is passed through as it is, in the version of this run (tick A3).
static void add_previous(struct text *out, const struct config *config) {
    struct slice rest = config->previous;
    struct slice key;
    struct slice value;
    while (member_next(&rest, &key, &value)) {
        if (!member_equals(key, "cniVersion")) {
            text_add_string(out, ",");
            text_add(out, key.at, key.len);
            text_add_string(out, ":");
            text_add(out, value.at, value.len);
        }
    }
}

// The result of a first plugin: up to 0.2.0 "ip4", from 0.3.0 lists, and from 1.0.0 no "version" of an
// address any more.
static void add_own(struct text *out, const struct config *config, const char *netns) {
    int rank = config_version_rank(config->version);
    if (rank < config_version_rank("0.3.0")) {
        text_add_string(out, ",\"ip4\":{\"ip\":\"127.0.0.1/8\"}");
        return;
    }
    text_add_string(out, ",\"interfaces\":[{\"name\":\"lo\",\"mac\":\"00:00:00:00:00:00\",\"sandbox\":");
    text_add_json(out, netns, strlen(netns));
    text_add_string(out, "}],\"ips\":[{\"interface\":0,\"address\":\"127.0.0.1/8\"");
    text_add_string(out, rank < config_version_rank("1.0.0") ? ",\"version\":\"4\"}]" : "}]");
}

bool loopback_result(const struct config *config, const char *netns, struct text *out) {
    text_add_string(out, "{\"cniVersion\":");
    text_add_json(out, config->version, strlen(config->version));
    if (member_is_object(config->previous)) {
        add_previous(out, config);
    } else {
        add_own(out, config, netns);
    }
    return text_add_string(out, "}");
}

static int print_result(const struct cni_env *env, const struct config *config, struct cni_error *error) {
    struct text out = text_with_limit(RESULT_MAX);
    bool printed = loopback_result(config, env->netns, &out) && result_write(out.data, out.len);
    text_free(&out);
    if (!printed) {
        cni_fail(error, CNI_IO_FAILURE, "the result cannot be written");
    }
    return printed ? 0 : -1;
}

int loopback(const struct cni_env *env, const struct config *config, struct cni_error *error) {
    const char *since = env->verb == VERB_CHECK ? "0.4.0"
                        : env->verb == VERB_GC || env->verb == VERB_STATUS ? "1.1.0" : OLDEST_VERSION;
    if (config_version_rank(config->version) < config_version_rank(since)) {
        cni_fail(error, CNI_INCOMPATIBLE_VERSION, "incompatible CNI versions");
        cni_details(error, "config is \"%s\", plugin supports %s from %s on", config->version, env->command, since);
        return -1;
    }
    if (env->verb == VERB_ADD) {
        return enter_netns(env, error) && lo_up(true, error) ? print_result(env, config, error) : -1;
    }
    if (env->verb == VERB_CHECK) {
        return enter_netns(env, error) && lo_up(false, error) ? 0 : -1;
    }
    return 0;
}
