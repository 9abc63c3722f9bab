// The "loopback" plugin. See loopback.h.
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

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

// The result in the shape of the requested version: up to 0.2.0 "ip4", from 0.3.0 lists, and from 1.0.0
// no "version" of an address any more. A previous plugin's result is passed through instead (tick A3).
static json_t *result_of(const struct cni_env *env, const struct config *config) {
    json_t *previous = json_object_get(config->root, "prevResult");
    if (json_is_object(previous)) {
        json_object_set_new(previous, "cniVersion", json_string(config->version));
        return json_incref(previous);
    }
    int rank = config_version_rank(config->version);
    if (rank < config_version_rank("0.3.0")) {
        return json_pack("{s:s, s:{s:s}}", "cniVersion", config->version, "ip4", "ip", "127.0.0.1/8");
    }
    json_t *ip = json_pack("{s:i, s:s}", "interface", 0, "address", "127.0.0.1/8");
    if (rank < config_version_rank("1.0.0")) {
        json_object_set_new(ip, "version", json_string("4"));
    }
    return json_pack("{s:s, s:[{s:s, s:s, s:s}], s:[o]}", "cniVersion", config->version, "interfaces", "name", "lo",
                     "mac", "00:00:00:00:00:00", "sandbox", env->netns, "ips", ip);
}

static int print_result(const struct cni_env *env, const struct config *config, struct cni_error *error) {
    json_t *result = result_of(env, config);
    char *text = json_dumps(result, JSON_COMPACT);
    bool printed = text != NULL && result_write(text, strlen(text));
    free(text);
    json_decref(result);
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
