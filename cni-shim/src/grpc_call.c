// One unary gRPC call over a unix socket: connect, poll, deadlines. See grpc_call.h.
#include "grpc_call.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "monotonic.h"

enum {
    BACKOFF_FIRST_MS = 10,
    BACKOFF_MAX_MS = 100,
    // SETTINGS and PING are to be acknowledged. Each acknowledgement wakes the daemon, which has better things
    // to do while it works on the answer; a call that is answered at once, as nearly all are, sends none.
    ACKNOWLEDGE_MS = 1000,
};

// A socket connected to path, or -1 with errno. Non-blocking: a full backlog is EAGAIN at once.
static int try_connect(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

// Tries again while the daemon may be about to start; any other error will not go away by waiting.
static int connect_until(const char *path, int64_t deadline) {
    int pause_ms = BACKOFF_FIRST_MS;
    for (;;) {
        int fd = try_connect(path);
        int left = monotonic_left_ms(deadline);
        bool may_come = errno == ENOENT || errno == ECONNREFUSED || errno == EAGAIN || errno == EINTR;
        if (fd >= 0 || !may_come || left == 0) {
            return fd;
        }
        int saved = errno;
        poll(NULL, 0, pause_ms < left ? pause_ms : left);
        pause_ms = pause_ms * 2 < BACKOFF_MAX_MS ? pause_ms * 2 : BACKOFF_MAX_MS;
        errno = saved;
    }
}

// Bytes on their way to the socket. HTTP/2 gives them out in small chunks; they are gathered, because
// each send(2) would wake the daemon.
struct outgoing {
    const uint8_t *chunk;
    size_t chunk_len;
    size_t at;
    size_t len;
    bool broken;  // The other side reads no more; what it has sent may still be read.
    uint8_t buffer[16 * 1024];
};

static void gather(struct grpc_stream *stream, struct outgoing *out) {
    out->at = out->len = 0;
    while (out->len < sizeof out->buffer) {
        if (out->chunk_len == 0) {
            ssize_t n = grpc_stream_output(stream, &out->chunk);
            if (n <= 0) {
                return;
            }
            out->chunk_len = (size_t)n;
        }
        size_t room = sizeof out->buffer - out->len;
        size_t part = out->chunk_len < room ? out->chunk_len : room;
        memcpy(out->buffer + out->len, out->chunk, part);
        out->len += part;
        out->chunk += part;
        out->chunk_len -= part;
    }
}

// Sends until the socket or the session has had enough. True when the socket is full.
static bool send_some(int fd, struct grpc_stream *stream, struct outgoing *out) {
    while (!out->broken) {
        if (out->at == out->len) {
            gather(stream, out);
        }
        if (out->len == 0) {
            return false;
        }
        ssize_t sent = send(fd, out->buffer + out->at, out->len - out->at, MSG_NOSIGNAL);
        if (sent >= 0) {
            out->at += (size_t)sent;
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR) {
            out->broken = true;
        }
    }
    return false;
}

// Runs the machine until it is done, the other side closes, or the deadline passes: then false.
static bool exchange(int fd, struct grpc_stream *stream, int64_t deadline) {
    static struct outgoing out;  // Not on the stack, where every page would be touched.
    uint8_t block[2048];
    int64_t next_send = 0;
    for (;;) {
        bool full = false;
        int64_t now = monotonic_ms();
        if (now >= next_send || !grpc_stream_can_wait(stream) || out.at < out.len) {
            full = send_some(fd, stream, &out);
            next_send = now + ACKNOWLEDGE_MS;
        }
        if (grpc_stream_done(stream)) {
            return true;
        }
        if (now >= deadline) {
            return false;
        }
        struct pollfd ready = {.fd = fd, .events = (short)(POLLIN | (full ? POLLOUT : 0))};
        int count = poll(&ready, 1, monotonic_left_ms(next_send < deadline ? next_send : deadline));
        if (count <= 0 || (ready.revents & (POLLIN | POLLHUP | POLLERR)) == 0) {
            continue;
        }
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (n <= 0 || !grpc_stream_input(stream, block, (size_t)n)) {
            return true;
        }
    }
}

// The request is made before the connection, so that the daemon finds it there as soon as it looks.
static bool open_and_connect(const char *socket_path, int connect_ms, const struct grpc_request *request,
                             struct grpc_answer *answer, int *fd) {
    if (!grpc_stream_open(&answer->stream, request)) {
        answer->outcome = GRPC_PROTOCOL;
        snprintf(answer->text, sizeof answer->text, "out of memory; nothing was sent");
        return false;
    }
    *fd = connect_until(socket_path, monotonic_ms() + connect_ms);
    if (*fd < 0) {
        answer->outcome = GRPC_UNREACHABLE;
        snprintf(answer->text, sizeof answer->text, "connect: %s", strerror(errno));
    }
    return *fd >= 0;
}

void grpc_call(const char *socket_path, int connect_ms, const struct grpc_request *request,
               struct grpc_answer *answer) {
    int fd;
    memset(answer, 0, sizeof *answer);
    if (!open_and_connect(socket_path, connect_ms, request, answer, &fd)) {
        return;
    }
    struct grpc_stream *stream = &answer->stream;
    if (!exchange(fd, stream, monotonic_ms() + request->timeout_ms)) {
        answer->outcome = GRPC_DEADLINE;
        snprintf(answer->text, sizeof answer->text, "no answer within %d ms", request->timeout_ms);
    } else {
        answer->outcome = grpc_stream_outcome(stream, &answer->reply, &answer->reply_len);
        answer->status = stream->status;
        const char *seen = answer->outcome == GRPC_STATUS ? stream->status_message : stream->fault;
        snprintf(answer->text, sizeof answer->text, "%s", seen == NULL ? "" : seen);
    }
    close(fd);
}

void grpc_answer_free(struct grpc_answer *answer) {
    grpc_stream_close(&answer->stream);
}
