// A gRPC server for tests: answers every call on a unix socket in the way its arguments tell.
//
//   fake_daemon SOCKET REPORT MODE [ARGUMENT...]
//
// Prints "ready" once it listens, and runs until it is killed. REPORT.headers gets every request header
// as "name: value", REPORT.body the message of the last call, REPORT.calls one byte per call, REPORT.acks one
// per acknowledgement of its SETTINGS; nothing is written when REPORT is empty.
//
//   reply CODE TEXT     status 0 and a CniReply          twice CODE TEXT   the message two times
//   big BYTES           a CniReply with BYTES of 'x'     split CODE TEXT   one byte in each DATA frame
//   status CODE TEXT    trailers only                    late CODE TEXT    status behind headers and data
//   badproto            a message that is no CniReply    short             a message cut off
//   empty               status 0, no message             nostatus          no trailers
//   compressed          compressed flag 1                http500           :status 500
//   badtype             content-type text/html           rst               RST_STREAM
//   goaway              GOAWAY 0, connection open        garbage           bytes that are no HTTP/2
//   huge                2 MiB declared and sent          die               closes after the request
//   fields              1 MiB of fields nobody knows     pings             PING without end, reads nothing
//   early               closes on accept                 hang              reads, never answers
//   deaf                listens, never accepts            patient CODE TEXT answers once its SETTINGS are
//                                                                          acknowledged
#include <arpa/inet.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "podwire/cni/v1/cni.pb-c.h"
#include "text.h"

static const char *mode;
static const char *argument[2] = {"", ""};
static char report[4][256];
static bool reporting;

struct connection {
    int fd;
    struct text request;
    struct text answer;  // Body bytes still to be sent, from `sent` on.
    size_t sent;
    bool acknowledged;
    int32_t waiting;  // The stream to be answered after that.
    bool ended;       // Close the connection.
};

static bool is(const char *name) {
    return strcmp(mode, name) == 0;
}

static void append(const char *path, const void *bytes, size_t len, int flags) {
    if (!reporting) {
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | flags, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len) {
        perror(path);
        exit(1);
    }
    close(fd);
}

static void add_message(struct text *out, const uint8_t *bytes, size_t len, uint8_t flag, size_t declared) {
    uint8_t prefix[5] = {flag};
    uint32_t length = htonl((uint32_t)declared);
    memcpy(prefix + 1, &length, 4);
    text_add(out, prefix, 5);
    text_add(out, bytes, len);
}

static void add_reply(struct text *out, int code, const char *bytes, size_t len) {
    Podwire__Cni__V1__CniReply reply = PODWIRE__CNI__V1__CNI_REPLY__INIT;
    reply.exit_code = code;
    reply.stdout = (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes, .len = len};
    size_t size = podwire__cni__v1__cni_reply__get_packed_size(&reply);
    uint8_t *packed = malloc(size + 1);
    podwire__cni__v1__cni_reply__pack(&reply, packed);
    add_message(out, packed, size, is("compressed") ? 1 : 0, is("short") ? size + 7 : size);
    free(packed);
}

static void make_body(struct text *out) {
    *out = text_with_limit(8 << 20);
    if (is("big")) {
        size_t len = strtoul(argument[0], NULL, 10);
        char *bytes = malloc(len + 1);
        memset(bytes, 'x', len);
        add_reply(out, 0, bytes, len);
        free(bytes);
    } else if (is("huge")) {
        char *bytes = calloc(1, 2 << 20);
        add_message(out, (uint8_t *)bytes, 2 << 20, 0, 2 << 20);
        free(bytes);
    } else if (is("fields")) {
        char *bytes = malloc(1 << 20);
        for (size_t i = 0; i < 1 << 20; i += 2) {
            memcpy(bytes + i, "\x18\x01", 2);  // Number 3, the varint 1.
        }
        add_message(out, (uint8_t *)bytes, 1 << 20, 0, 1 << 20);
        free(bytes);
    } else if (is("badproto")) {
        add_message(out, (const uint8_t *)"\x08\x01\x12\x7f", 4, 0, 4);
    } else if (!is("empty")) {
        add_reply(out, atoi(argument[0]), argument[1], strlen(argument[1]));
        if (is("twice")) {
            add_reply(out, atoi(argument[0]), argument[1], strlen(argument[1]));
        }
    }
}

static nghttp2_nv nv(const char *name, const char *value) {
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0};
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
                         nghttp2_data_source *source, void *user) {
    (void)source;
    struct connection *c = user;
    size_t part = c->answer.len - c->sent;
    part = part > len ? len : part;
    part = is("split") && part > 1 ? 1 : part;
    if (part > 0) {
        memcpy(buf, c->answer.data + c->sent, part);
    }
    c->sent += part;
    if (c->sent == c->answer.len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!is("nostatus")) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            nghttp2_nv trailers[] = {nv("grpc-status", is("late") ? argument[0] : "0"),
                                     nv("grpc-message", is("late") ? argument[1] : "")};
            nghttp2_submit_trailer(session, id, trailers, 2);
        }
    }
    return (ssize_t)part;
}

static void answer(nghttp2_session *session, int32_t id, struct connection *c) {
    if (is("patient") && !c->acknowledged) {
        c->waiting = id;
        return;
    }
    if (is("hang")) {
        return;
    }
    if (is("die")) {
        c->ended = true;
        return;
    }
    if (is("rst")) {
        nghttp2_submit_rst_stream(session, 0, id, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    if (is("goaway")) {
        nghttp2_submit_goaway(session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
        return;
    }
    nghttp2_nv headers[] = {nv(":status", is("http500") ? "500" : "200"),
                            nv("content-type", is("badtype") ? "text/html" : "application/grpc+proto"),
                            nv("grpc-status", argument[0]), nv("grpc-message", argument[1])};
    if (is("status")) {
        nghttp2_submit_response(session, id, headers, 4, NULL);
        return;
    }
    text_free(&c->answer);
    make_body(&c->answer);
    c->sent = 0;
    nghttp2_data_provider body = {.read_callback = read_body};
    nghttp2_submit_response(session, id, headers, 2, &body);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *user) {
    (void)session, (void)frame, (void)flags, (void)user;
    char line[2048];
    int n = snprintf(line, sizeof line, "%.*s: %.*s\n", (int)name_len, name, (int)value_len, value);
    append(report[0], line, (size_t)n, O_APPEND);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t len, void *user) {
    (void)session, (void)flags, (void)id;
    struct connection *c = user;
    text_add(&c->request, bytes, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    struct connection *c = user;
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
        append(report[3], "a", 1, O_APPEND);
        c->acknowledged = true;
        if (c->waiting > 0) {
            answer(session, c->waiting, c);
        }
    }
    bool end = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (end) {
        size_t skip = c->request.len < 5 ? c->request.len : 5;
        append(report[1], c->request.data + skip, c->request.len - skip, O_TRUNC);
        append(report[2], "c", 1, O_APPEND);
        answer(session, frame->hd.stream_id, c);
    }
    return 0;
}

// SETTINGS, then PING after PING.
static void send_pings(int fd) {
    static const char settings[9] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    static const char ping[17] = {0, 0, 8, 6, 0, 0, 0, 0, 0, 'p', 'o', 'd', 'w', 'i', 'r', 'e', '!'};
    ssize_t sent = send(fd, settings, sizeof settings, MSG_NOSIGNAL);
    while (sent > 0) {
        sent = send(fd, ping, sizeof ping, MSG_NOSIGNAL);
    }
}

static void serve(int fd) {
    struct connection c = {.fd = fd, .request = text_with_limit(8 << 20), .answer = text_with_limit(8 << 20)};
    if (is("early")) {
        return;
    }
    if (is("pings")) {
        send_pings(fd);
        return;
    }
    if (is("garbage")) {
        static const char bytes[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nnot for machines\n";
        send(fd, bytes, sizeof bytes - 1, MSG_NOSIGNAL);
    }
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_server_new(&session, callbacks, &c);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10}};
    if (!is("garbage")) {
        nghttp2_submit_settings(session, 0, settings, 1);
    }
    while (!c.ended) {
        const uint8_t *out;
        ssize_t n;
        while (!is("garbage") && (n = nghttp2_session_mem_send(session, &out)) > 0) {
            for (ssize_t at = 0; at < n && !c.ended;) {
                ssize_t sent = send(fd, out + at, (size_t)(n - at), MSG_NOSIGNAL);
                c.ended = sent < 0;
                at += sent;
            }
        }
        uint8_t block[16384];
        n = c.ended ? 0 : recv(fd, block, sizeof block, 0);
        if (n <= 0 || nghttp2_session_mem_recv(session, block, (size_t)n) < 0) {
            break;
        }
    }
    nghttp2_session_del(session);
    text_free(&c.request);
    text_free(&c.answer);
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc < 4 || strlen(argv[1]) >= sizeof address.sun_path) {
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    strcpy(address.sun_path, argv[1]);
    snprintf(report[0], sizeof report[0], "%s.headers", argv[2]);
    snprintf(report[1], sizeof report[1], "%s.body", argv[2]);
    snprintf(report[2], sizeof report[2], "%s.calls", argv[2]);
    snprintf(report[3], sizeof report[3], "%s.acks", argv[2]);
    reporting = argv[2][0] != '\0';
    mode = argv[3];
    for (int i = 0; i < 2 && i + 4 < argc; i++) {
        argument[i] = argv[i + 4];
    }
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 16) != 0) {
        perror(argv[1]);
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    while (is("deaf")) {
        pause();
    }
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve(fd);
            close(fd);
        }
    }
}
