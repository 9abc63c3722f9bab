// Cases of standard input: ticks I5, V1 to V4, the bounds of faults case 24, the keys socket and spool.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

// A string of `count` times `part`, to be freed.
static char *repeat(const char *part, size_t count) {
    size_t len = strlen(part);
    char *s = malloc(len * count + 1);
    for (size_t i = 0; i < count; i++) {
        memcpy(s + i * len, part, len);
    }
    s[len * count] = '\0';
    return s;
}

static void not_json(struct box *box) {
    char *deep = repeat("[", 100000);
    char *objects = repeat("{\"a\":", 33);
    const struct {
        const char *name, *input, *text;
        size_t len;
    } table[] = {
        {"empty", "", "empty", 0},
        {"blank", "  \n", "line", 0},
        {"word", "podwire", "invalid syntax", 0},
        {"array", "[]", "another type", 0},
        {"number", "1", "JSON", 0},
        {"null", "null", "JSON", 0},
        {"cut off", "{\"cniVersion\":\"1.0.0\"", "too early", 0},
        {"open string", "{\"cniVersion\":\"1.0", "too early", 0},
        {"text behind", "{\"cniVersion\":\"1.0.0\"} x", "after the end", 0},
        {"two objects", "{}{}", "after the end", 0},
        {"single quotes", "{'a':1}", "JSON", 0},
        {"duplicate key", "{\"cniVersion\":\"1.0.0\",\"a\":1,\"a\":1}", "duplicate key", 0},
        {"duplicate key within", "{\"a\":{\"b\":1,\"b\":2}}", "duplicate key", 0},
        {"duplicate socket", "{\"socket\":\"/a\",\"socket\":\"/b\"}", "duplicate key", 0},
        {"stray byte", "{\"a\":\"\xff\"}", "invalid UTF-8", 0},
        {"overlong", "{\"a\":\"\xc0\xaf\"}", "invalid UTF-8", 0},
        {"surrogate", "{\"a\":\"\xed\xa0\x80\"}", "invalid UTF-8", 0},
        {"lone escape", "{\"a\":\"\\ud800\"}", "JSON", 0},
        {"byte order mark", "\xef\xbb\xbf{}", "JSON", 0},
        {"NUL byte", "{\"a\":\"b\0c\"}", "JSON", 11},
        {"NUL behind", "{}\0", "JSON", 3},
        {"depth 100000", deep, "deeper than 32", 0},
        {"depth 33", objects, "deeper than 32", 0},
        {"number without end", "{\"a\":1e99999}", "number is too large", 0},
        {"version is a number", "{\"cniVersion\":1}", "version string", 0},
        {"version is null", "{\"cniVersion\":null}", "version string", 0},
        {"version with U+0000", "{\"cniVersion\":\"1.0.0\\u0000\"}", "version string", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        row("%s", table[i].name);
        struct run run = {.env = DEL_ENV, .input = table[i].input, .input_len = table[i].len};
        shim_run(box, &run);
        expect_error(&run, 6, "1.0.0", table[i].text);
        expect_time(box, &run, 0, 1000);
        run_free(&run);
    }
    row("no text of the configuration in an error");
    struct run run = shim(box, ADD_ENV, "{\"token\":\"s3cret\", s3cret}");
    expect_error(&run, 6, "1.0.0", "line 1");
    EXPECT(strstr(run.out.data, "s3cret") == NULL, "%s", run.out.data);
    run_free(&run);
    free(deep);
    free(objects);
}

static void good_json(struct box *box) {
    char *open = repeat("[", 31);
    char *close = repeat("]", 31);
    char *brackets = repeat("[", 1000);
    char *extra = malloc(4000);
    daemon_start(box, "reply", "0", "ok");
    row("depth 32");
    snprintf(extra, 4000, ",\"a\":%s%s", open, close);
    struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", extra));
    expect_output(&run, 0, "ok");
    run_free(&run);
    row("brackets inside a string do not count");
    snprintf(extra, 4000, ",\"a\":\"\\\\\\\"%s\"", brackets);
    run = shim(box, ADD_ENV, config_for(box, "1.0.0", extra));
    expect_output(&run, 0, "ok");
    run_free(&run);
    row("unknown keys, U+0000 in a value, any type of name: for the daemon to judge");
    run = shim(box, ADD_ENV, config_for(box, "1.0.0", ",\"x\":null,\"y\":\"a\\u0000b\",\"capabilities\":{\"mac\":true}"));
    expect_output(&run, 0, "ok");
    run_free(&run);
    row("white space around");
    snprintf(extra, 4000, " \n%s\r\n\t", config_for(box, "1.0.0", ""));
    run = shim(box, ADD_ENV, extra);
    expect_output(&run, 0, "ok");
    run_free(&run);
    free(open), free(close), free(brackets), free(extra);
}

static void sizes(struct box *box) {
    size_t limit = 1 << 20;
    char *input = malloc(2 * limit);
    daemon_start(box, "reply", "0", "ok");
    memset(input, ' ', 2 * limit);
    strcpy(input, config_for(box, "1.0.0", ""));
    input[strlen(input)] = ' ';
    row("1 MiB exactly is sent, byte for byte");
    struct run run = {.env = ADD_ENV, .input = input, .input_len = limit};
    shim_run(box, &run);
    expect_output(&run, 0, "ok");
    struct text body = daemon_report(box, "body");
    EXPECT(memmem(body.data, body.len, input, limit) != NULL, "another body of %zu bytes", body.len);
    text_free(&body);
    run_free(&run);
    for (size_t len = limit + 1; len <= 2 * limit; len += limit - 1) {
        row("%zu bytes", len);
        run = (struct run){.env = ADD_ENV, .input = input, .input_len = len};
        shim_run(box, &run);
        expect_error(&run, 6, "1.0.0", "too large");
        run_free(&run);
    }
    row("input without end");
    run = (struct run){.env = ADD_ENV, .stdin_fd = open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    shim_run(box, &run);
    expect_error(&run, 6, "1.0.0", "too large");
    expect_time(box, &run, 0, 1000);
    close(run.stdin_fd);
    run_free(&run);
    free(input);
}

static void unreadable(struct box *box) {
    row("closed");
    struct run run = {.env = ADD_ENV, .stdin_fd = -1};
    shim_run(box, &run);
    expect_error(&run, 5, "1.0.0", "cannot be read");
    run_free(&run);
    row("a folder");
    run = (struct run){.env = ADD_ENV, .stdin_fd = open("/", O_RDONLY | O_CLOEXEC)};
    shim_run(box, &run);
    expect_error(&run, 5, "1.0.0", "cannot be read");
    close(run.stdin_fd);
    run_free(&run);
}

static void never_closed(struct box *box) {
    int held[2];
    EXPECT(pipe2(held, O_CLOEXEC) == 0, "pipe");
    struct run run = {.env = ADD_ENV, .stdin_fd = held[0]};
    shim_run(box, &run);
    expect_error(&run, 5, "1.0.0", "did not end within");
    expect_time(box, &run, 4900, 7000);
    run_free(&run);
}

static void versions(struct box *box) {
    static const char *const supported[] = {"0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};
    static const char *const other[] = {"9.9.9", "0.3.9", "1.2.0", "1.1", "v1.0.0", "1.0.0 ", "x\\\"y"};
    daemon_start(box, "reply", "0", "ok");
    for (size_t i = 0; i < sizeof supported / sizeof *supported; i++) {
        row("supported %s", supported[i]);
        struct run run = shim(box, ADD_ENV, config_for(box, supported[i], ""));
        expect_output(&run, 0, "ok");
        run_free(&run);
        row("errors in version %s", supported[i]);
        run = shim(box, (const char *[]){"CNI_COMMAND=ADD", NULL}, config_for(box, supported[i], ""));
        expect_error(&run, 4, supported[i], "missing");
        run_free(&run);
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        row("unsupported %s", other[i]);
        struct run run = shim(box, ADD_ENV, config_for(box, other[i], ""));
        expect_error(&run, 1, "1.0.0", "incompatible CNI versions");
        expect_error(&run, 1, "1.0.0", "\"1.1.0\"]");
        expect_error(&run, 1, "1.0.0", i == 6 ? "x\"y" : other[i]);
        run_free(&run);
    }
    static const char *const absent[] = {"{\"socket\":1}", "{\"cniVersion\":\"\",\"socket\":1}"};
    for (int i = 0; i < 2; i++) {
        row("%s is 0.1.0", absent[i]);
        struct run run = shim(box, ADD_ENV, absent[i]);
        expect_error(&run, 7, "0.1.0", "socket");
        run_free(&run);
    }
}

#define LIST "\"supportedVersions\":[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n"

static void version_verb(struct box *box) {
    static const char *const env[] = {"CNI_COMMAND=VERSION", NULL};
    static const char *const junk[] = {"CNI_COMMAND=VERSION", "CNI_CONTAINERID=", "CNI_NETNS=dummy", "CNI_IFNAME=dummy/../x", "CNI_PATH=dummy", "CNI_ARGS=\xff", NULL};
    static const struct {
        const char *input, *out;
    } table[] = {
        {"", "{\"cniVersion\":\"0.1.0\"," LIST},
        {" \n", "{\"cniVersion\":\"0.1.0\"," LIST},
        {"{}", "{\"cniVersion\":\"0.1.0\"," LIST},
        {"{\"cniVersion\":\"0.4.0\"}", "{\"cniVersion\":\"0.4.0\"," LIST},
        {"{\"cniVersion\":\"1.1.0\",\"socket\":5}", "{\"cniVersion\":\"1.1.0\"," LIST},
        {"{\"cniVersion\":\"7.0.0\"}", "{\"cniVersion\":\"7.0.0\"," LIST},
        {"{\"cniVersion\":\"a\\\"\\\\\\n\"}", "{\"cniVersion\":\"a\\\"\\\\\\u000a\"," LIST},
    };
    for (size_t i = 0; i < 2 * sizeof table / sizeof *table; i++) {
        row("VERSION %zu with %s environment", i / 2, i % 2 == 0 ? "no" : "junk");
        struct run run = shim(box, i % 2 == 0 ? env : junk, table[i / 2].input);
        expect_output(&run, 0, table[i / 2].out);
        EXPECT(run.err.len == 0, "%s", run.err.data);
        expect_time(box, &run, 0, 500);
        run_free(&run);
    }
    row("VERSION with input that is not JSON");
    struct run run = shim(box, env, "{");
    expect_error(&run, 6, "1.0.0", "JSON");
    run_free(&run);
}

static void paths(struct box *box) {
    char *long_part = repeat("a", 1100);
    char *config = malloc(4096);
    static const char *const keys[] = {"socket", "spool"};
    for (int k = 0; k < 2; k++) {
        const struct {
            const char *value;
            size_t len;
        } table[] = {{"5", 1}, {"null", 4}, {"\"\"", 2}, {"\"run/x\"", 7}, {"\"./x\"", 5}, {"\"\\u0000/x\"", 10},
                     {"\"/a\\u0000b\"", 11}, {"{}", 2}};
        for (size_t i = 0; i <= sizeof table / sizeof *table; i++) {
            bool bounded = i < sizeof table / sizeof *table;
            row("%s %s", keys[k], bounded ? table[i].value : "too long");
            if (bounded) {
                snprintf(config, 4096, "{\"cniVersion\":\"1.0.0\",\"%s\":%s}", keys[k], table[i].value);
            } else {
                snprintf(config, 4096, "{\"cniVersion\":\"1.0.0\",\"%s\":\"/%.*s\"}", keys[k], k == 0 ? 107 : 1024, long_part);
            }
            struct run run = shim(box, ADD_ENV, config);
            expect_error(&run, 7, "1.0.0", keys[k]);
            run_free(&run);
        }
    }
    row("no environment variable changes a path");
    char socket_env[200];
    daemon_start(box, "reply", "0", "ok");
    snprintf(socket_env, sizeof socket_env, "PODWIRE_SOCKET=%s", box->socket);
    snprintf(config, 4096, "{\"cniVersion\":\"1.1.0\",\"socket\":\"%s.none\"}", box->socket);
    struct run run = shim(box, (const char *[]){"CNI_COMMAND=STATUS", socket_env, NULL}, config);
    expect_error(&run, 50, "1.1.0", box->socket);
    run_free(&run);
    free(long_part), free(config);
}

const struct test config_tests[] = {
    {"not_json", not_json, false},
    {"good_json", good_json, false},
    {"sizes", sizes, false},
    {"unreadable", unreadable, false},
    {"never_closed", never_closed, true},
    {"versions", versions, false},
    {"version_verb", version_verb, false},
    {"paths", paths, false},
    {0},
};
