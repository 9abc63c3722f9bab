// The CNI error object and standard output. See result.h.
#include "result.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

enum { ERROR_OBJECT_MAX = 16 * 1024 };

bool cni_fail(struct cni_error *error, int code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->code = code;
    vsnprintf(error->msg, sizeof error->msg, format, args);
    error->details[0] = '\0';
    va_end(args);
    return false;
}

bool cni_details(struct cni_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->details, sizeof error->details, format, args);
    va_end(args);
    return false;
}

// Replaces every `bad` by `good`, which must not be longer, so that the text never grows.
static void replace_phrase(char *s, const char *bad, const char *good) {
    size_t bad_len = strlen(bad);
    size_t good_len = strlen(good);
    for (char *at = s; (at = strcasestr(at, bad)) != NULL; at += good_len) {
        memcpy(at, good, good_len);
        memmove(at + good_len, at + bad_len, strlen(at + bad_len) + 1);
    }
}

void result_soften(char *s) {
    replace_phrase(s, "no such file or directory", "the path is absent");
    replace_phrase(s, "not found", "is absent");
}

int result_print_error(const struct cni_error *error, const char *cni_version) {
    struct text out = text_with_limit(ERROR_OBJECT_MAX);
    char code[48];
    snprintf(code, sizeof code, ",\"code\":%d,\"msg\":", error->code);
    text_add_string(&out, "{\"cniVersion\":");
    text_add_json(&out, cni_version, strlen(cni_version));
    text_add_string(&out, code);
    text_add_json(&out, error->msg, strlen(error->msg));
    text_add_string(&out, ",\"details\":");
    text_add_json(&out, error->details, strlen(error->details));
    text_add_string(&out, "}\n");
    if (!out.failed) {
        result_write(out.data, out.len);
    }
    text_free(&out);
    return 1;
}

bool result_write(const void *bytes, size_t len) {
    const char *at = bytes;
    while (len > 0) {
        ssize_t n = write(STDOUT_FILENO, at, len);
        if (n >= 0) {
            at += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&out, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}
