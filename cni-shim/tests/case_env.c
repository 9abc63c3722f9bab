// Cases of the environment: ticks I1 to I3, V5, CNI_NETNS_OVERRIDE, trace context.
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "podwire/cni/v1/cni.pb-c.h"

static void missing_variables(struct box *box) {
    static const struct {
        const char *env[6];
        const char *text;
    } table[] = {
        {{"CNI_COMMAND=ADD"}, "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing"},
        {{"CNI_COMMAND=ADD", "CNI_CONTAINERID=a", "CNI_IFNAME=eth0"}, "required env variables [CNI_NETNS] missing"},
        {{"CNI_COMMAND=ADD", "CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME=eth0"}, "[CNI_CONTAINERID,CNI_NETNS] missing"},
        {{"CNI_COMMAND=ADD", "CNI_CONTAINERID=a", "CNI_NETNS=/n"}, "required env variables [CNI_IFNAME] missing"},
        {{"CNI_COMMAND=CHECK"}, "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing"},
        {{"CNI_COMMAND=DEL"}, "required env variables [CNI_CONTAINERID,CNI_IFNAME] missing"},
        {{"CNI_COMMAND=DEL", "CNI_IFNAME=eth0"}, "required env variables [CNI_CONTAINERID] missing"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        row("%s", table[i].text);
        struct run run = shim(box, table[i].env, config_for(box, "0.4.0", ""));
        expect_error(&run, 4, "0.4.0", table[i].text);
        run_free(&run);
    }
    row("a fault of the environment comes before one of the configuration");
    struct run run = shim(box, (const char *[]){"CNI_COMMAND=ADD", NULL}, "{{{");
    expect_error(&run, 4, "1.0.0", "missing");
    run_free(&run);
}

static void run_names(struct box *box, const char *id, const char *ifname, bool good) {
    char id_env[400], ifname_env[64];
    static const char *const commands[] = {"CNI_COMMAND=ADD", "CNI_COMMAND=DEL", "CNI_COMMAND=CHECK"};
    snprintf(id_env, sizeof id_env, "CNI_CONTAINERID=%s", id);
    snprintf(ifname_env, sizeof ifname_env, "CNI_IFNAME=%s", ifname);
    for (int i = 0; i < 3; i++) {
        const char *env[] = {commands[i], id_env, ifname_env, "CNI_NETNS=/n", NULL};
        row("%s id %.40s ifname %.40s", commands[i], id, ifname);
        struct run run = shim(box, env, config_for(box, "1.1.0", ""));
        if (good) {
            expect_output(&run, 0, "ok");
        } else {
            expect_error(&run, 4, "1.1.0", "CNI_");
        }
        run_free(&run);
    }
}

static void names(struct box *box) {
    char longest[257], too_long[257], very_long[301];
    memset(longest, 'a', 255), longest[255] = '\0';
    memset(too_long, 'a', 256), too_long[256] = '\0';
    memset(very_long, 'a', 300), very_long[300] = '\0';
    const char *const good_ids[] = {"a", "0", "A_b.c-d", longest};
    const char *const bad_ids[] = {"../../x", "a;b", too_long, very_long, "-a", ".a", "_a", "a b", "a/b", "\xc3\xa9", "a\n", "$(x)", "a\x01"};
    const char *const good_names[] = {"e", "eth0", "abcdefghijklmno", "net1.5", "\xc3\xa9"};
    const char *const bad_names[] = {"abcdefghijklmnop", "/", "a/b", "a:b", ".", "..", "a b", "a\nb", "a\tb", "\x01", "\x7f", "\xff", "../x"};
    daemon_start(box, "reply", "0", "ok");
    for (size_t i = 0; i < sizeof good_ids / sizeof *good_ids; i++) {
        run_names(box, good_ids[i], "eth0", true);
    }
    for (size_t i = 0; i < sizeof bad_ids / sizeof *bad_ids; i++) {
        run_names(box, bad_ids[i], "eth0", false);
    }
    for (size_t i = 0; i < sizeof good_names / sizeof *good_names; i++) {
        run_names(box, "c", good_names[i], true);
    }
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        run_names(box, "c", bad_names[i], false);
    }
    row("nothing of it was written");
    EXPECT(entries_of(box->spool) == -1, "there is a spool");
}

static void nothing_required(struct box *box) {
    static const char *const table[][7] = {
        {"CNI_COMMAND=GC"}, {"CNI_COMMAND=STATUS"},
        {"CNI_COMMAND=GC", "CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME=", "CNI_ARGS=", "CNI_PATH="},
        {"CNI_COMMAND=STATUS", "CNI_CONTAINERID=", "CNI_NETNS=", "CNI_IFNAME=", "CNI_ARGS=", "CNI_PATH="},
    };
    daemon_start(box, "reply", "0", "");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        row("%s, %s", table[i][0], table[i][1] == NULL ? "unset" : "empty");
        struct run run = shim(box, table[i], config_for(box, "1.1.0", ""));
        expect_output(&run, 0, "");
        run_free(&run);
    }
    static const char *const other[][5] = {
        {"CNI_COMMAND=ADD", "CNI_CONTAINERID=a", "CNI_NETNS=/n", "CNI_IFNAME=e"},
        {"CNI_COMMAND=CHECK", "CNI_CONTAINERID=a", "CNI_NETNS=/n", "CNI_IFNAME=e"},
        {"CNI_COMMAND=DEL", "CNI_CONTAINERID=a", "CNI_IFNAME=e"},
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        row("%s without CNI_PATH and CNI_ARGS", other[i][0]);
        struct run run = shim(box, other[i], config_for(box, "1.1.0", ""));
        expect_output(&run, 0, "");
        run_free(&run);
    }
}

static void commands(struct box *box) {
    static const char *const unknown[] = {"CNI_COMMAND=FOO", "CNI_COMMAND=add", "CNI_COMMAND=ADD ", "CNI_COMMAND=\xff\""};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        row("unknown command %zu", i);
        struct run run = shim(box, (const char *[]){unknown[i], NULL}, config_for(box, "0.3.1", ""));
        expect_error(&run, 4, "0.3.1", "unknown CNI_COMMAND");
        run_free(&run);
    }
    static const char *const none[][2] = {{NULL}, {"CNI_COMMAND="}};
    for (size_t i = 0; i < 2; i++) {
        row("command %s", i == 0 ? "unset" : "empty");
        struct run run = shim(box, none[i], "");
        expect_output(&run, 0, "");
        EXPECT(strstr(run.err.data, "0.1.0") != NULL && strstr(run.err.data, "1.1.0") != NULL, "%s", run.err.data);
        run_free(&run);
    }
    row("arguments that are not UTF-8");
    struct run run = shim(box, (const char *[]){"CNI_COMMAND=DEL", "CNI_CONTAINERID=a", "CNI_IFNAME=e", "CNI_ARGS=K=\xfe", NULL},
                          config_for(box, "1.0.0", ""));
    expect_error(&run, 4, "1.0.0", "CNI_ARGS is not valid UTF-8");
    run_free(&run);
}

static void netns_override(struct box *box) {
    static const struct {
        const char *value;
        bool on;
    } table[] = {{"CNI_NETNS_OVERRIDE=1", true},    {"CNI_NETNS_OVERRIDE=true", true}, {"CNI_NETNS_OVERRIDE=TRUE", true},
                 {"CNI_NETNS_OVERRIDE=0", false},   {"CNI_NETNS_OVERRIDE=", false},    {"CNI_NETNS_OVERRIDE=yes", false},
                 {"CNI_NETNS_OVERRIDE=11", false},  {"OTHER=1", false}};
    daemon_start(box, "reply", "0", "");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        row("%s", table[i].value);
        const char *env[] = {"CNI_COMMAND=ADD", "CNI_CONTAINERID=a", "CNI_NETNS=/n", "CNI_IFNAME=e", table[i].value, NULL};
        struct run run = shim(box, env, config_for(box, "1.1.0", ""));
        struct text body = daemon_report(box, "body");
        Podwire__Cni__V1__CniRequest *request = podwire__cni__v1__cni_request__unpack(NULL, body.len, (uint8_t *)body.data);
        EXPECT(request != NULL && request->netns_override == table[i].on, "wrong or unreadable");
        podwire__cni__v1__cni_request__free_unpacked(request, NULL);
        text_free(&body);
        run_free(&run);
    }
}

static void trace_context(struct box *box) {
    char good[600] = "TRACEPARENT=", too_long[600] = "BAGGAGE=";
    memset(good + 12, 'p', 512);
    memset(too_long + 8, 'b', 513);
    const char *env[] = {"CNI_COMMAND=STATUS", good, "TRACESTATE=a\nb", too_long, NULL};
    daemon_start(box, "reply", "0", "");
    row("512 bytes travel, 513 and control characters do not");
    struct run run = shim(box, env, config_for(box, "1.1.0", ""));
    struct text headers = daemon_report(box, "headers");
    EXPECT(strstr(headers.data, "\ntraceparent: ppp") != NULL, "%s", headers.data);
    EXPECT(strstr(headers.data, "tracestate") == NULL && strstr(headers.data, "baggage") == NULL, "%s", headers.data);
    text_free(&headers);
    run_free(&run);
    daemon_forget(box);
    row("all three travel");
    const char *all[] = {"CNI_COMMAND=STATUS", "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                         "TRACESTATE=v=1", "BAGGAGE=k=v", NULL};
    run = shim(box, all, config_for(box, "1.1.0", ""));
    headers = daemon_report(box, "headers");
    EXPECT(strstr(headers.data, "\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n") != NULL &&
               strstr(headers.data, "\ntracestate: v=1\n") != NULL && strstr(headers.data, "\nbaggage: k=v\n") != NULL,
           "%s", headers.data);
    text_free(&headers);
    run_free(&run);
}

const struct test env_tests[] = {
    {"missing_variables", missing_variables, false},
    {"names", names, false},
    {"nothing_required", nothing_required, false},
    {"commands", commands, false},
    {"netns_override", netns_override, false},
    {"trace_context", trace_context, false},
    {0},
};
