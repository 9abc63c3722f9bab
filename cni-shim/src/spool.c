// The spool of DEL requests. See spool.h.
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail_point.h"

enum { SPOOL_TEMPORARY_LEN = 1 + 32 + 1 + 16 };

// FNV-1a, 64 bit: http://www.isthe.com/chongo/tech/comp/fnv/
static uint64_t fnv1a(uint64_t hash, const char *s, size_t len) {
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

void spool_name(const char *container_id, const char *ifname, char name[SPOOL_NAME_LEN + 1]) {
    uint64_t first = UINT64_C(0xcbf29ce484222325);
    uint64_t second = ~first;
    size_t id_len = strlen(container_id) + 1;  // With its NUL, so that "ab"+"c" and "a"+"bc" differ.
    first = fnv1a(fnv1a(first, container_id, id_len), ifname, strlen(ifname));
    second = fnv1a(fnv1a(second, container_id, id_len), ifname, strlen(ifname));
    snprintf(name, SPOOL_NAME_LEN + 1, "%016" PRIx64 "%016" PRIx64 ".del", first, second);
}

static bool spool_fail(struct cni_error *error, const char *folder, const char *step, const char *reason) {
    cni_fail(error, CNI_IO_FAILURE, "DEL could neither reach node-shim nor be stored in %.256s", folder);
    return cni_details(error, "%s: %s; nothing was stored, the runtime should try DEL again", step, reason);
}

// Makes a freshly made folder durable through the one it stands in.
static void sync_parent(const char *folder) {
    const char *slash = strrchr(folder, '/');
    char parent[1100];
    size_t len = slash == folder ? 1 : (size_t)(slash - folder);
    if (len < sizeof parent) {
        memcpy(parent, folder, len);
        parent[len] = '\0';
        int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
}

// The folder, checked, or -1 with error set.
static int open_folder(const char *folder, struct cni_error *error) {
    if (mkdir(folder, 0700) == 0) {
        sync_parent(folder);
    } else if (errno != EEXIST) {
        spool_fail(error, folder, "mkdir", strerror(errno));
        return -1;
    }
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        bool not_folder = errno == ELOOP || errno == ENOTDIR;
        spool_fail(error, folder, "open", not_folder ? "it is a symbolic link or no folder" : strerror(errno));
        return -1;
    }
    struct stat status;
    const char *fault = NULL;
    if (fstat(fd, &status) != 0) {
        fault = strerror(errno);
    } else if (status.st_uid != geteuid()) {
        fault = "it belongs to another user";
    } else if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        fault = "others may write to it";
    }
    if (fault != NULL) {
        spool_fail(error, folder, "check", fault);
        close(fd);
        return -1;
    }
    return fd;
}

static bool write_fully(int fd, const struct text *request) {
    size_t done = 0;
    while (done < request->len) {
        ssize_t n = write(fd, request->data + done, request->len - done);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

// The name while it is written: another one in each run, so that two DELs of one attachment never meet.
static void temporary_name(const char *name, char temporary[SPOOL_TEMPORARY_LEN + 1]) {
    uint64_t nonce = 0;
    if (getrandom(&nonce, sizeof nonce, GRND_NONBLOCK) != (ssize_t)sizeof nonce) {
        nonce = (uint64_t)getpid();
    }
    snprintf(temporary, SPOOL_TEMPORARY_LEN + 1, ".%.32s.%016" PRIx64, name, nonce);
}

// The step that failed with errno, or NULL when the complete file has its name.
static const char *fill_and_rename(int dir, int fd, const char *temporary, const char *name,
                                   const struct text *request) {
    if (fail_point("opened")) {
        return "create";
    }
    if (!write_fully(fd, request) || fail_point("written")) {
        return "write";
    }
    if (fsync(fd) != 0 || fail_point("synced")) {
        return "fsync";
    }
    return renameat(dir, temporary, dir, name) == 0 ? NULL : "rename";
}

static const char *store_in(int dir, const char *name, const struct text *request) {
    char temporary[SPOOL_TEMPORARY_LEN + 1];
    temporary_name(name, temporary);
    int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return "create";
    }
    const char *failed = fill_and_rename(dir, fd, temporary, name, request);
    int saved = errno;
    close(fd);
    if (failed != NULL) {
        unlinkat(dir, temporary, 0);
    }
    errno = saved;
    if (failed == NULL && (fail_point("renamed") || fsync(dir) != 0)) {
        failed = "fsync of the folder";
    }
    return failed;
}

bool spool_store(const char *folder, const char *container_id, const char *ifname, const struct text *request,
                 struct cni_error *error) {
    char name[SPOOL_NAME_LEN + 1];
    int dir = open_folder(folder, error);
    if (dir < 0) {
        return false;
    }
    spool_name(container_id, ifname, name);
    const char *failed = store_in(dir, name, request);
    int saved = errno;
    close(dir);
    return failed == NULL || spool_fail(error, folder, failed, strerror(saved));
}
