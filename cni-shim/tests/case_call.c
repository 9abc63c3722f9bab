// Cases of a call that is answered: the request as the daemon sees it, replies, gRPC status codes.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "forward.h"
#include "harness.h"
#include "podwire/cni/v1/cni.pb-c.h"

static void request(struct box *box) {
    static const struct {
        const char *const *env;
        const char *command, *path, *timeout;
    } table[] = {
        {ADD_ENV, "ADD", "\n:path: /podwire.cni.v1.Cni/Add\n", "\ngrpc-timeout: 10000m\n"},
        {DEL_ENV, "DEL", "\n:path: /podwire.cni.v1.Cni/Del\n", "\ngrpc-timeout: 10000m\n"},
        {CHECK_ENV, "CHECK", "\n:path: /podwire.cni.v1.Cni/Check\n", "\ngrpc-timeout: 10000m\n"},
        {GC_ENV, "GC", "\n:path: /podwire.cni.v1.Cni/Gc\n", "\ngrpc-timeout: 30000m\n"},
        {STATUS_ENV, "STATUS", "\n:path: /podwire.cni.v1.Cni/Status\n", "\ngrpc-timeout: 3000m\n"},
    };
    static const char *const common[] = {":method: POST\n", "\n:authority: localhost\n", "\nte: trailers\n",
                                         "\ncontent-type: application/grpc\n",
                                         "\nuser-agent: podwire-cni-shim/0.1.0\n"};
    daemon_start(box, "reply", "0", "");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        daemon_forget(box);
        row("%s", table[i].command);
        const char *config = config_for(box, "1.1.0", ",\"cni.dev/valid-attachments\":null");
        struct run run = shim(box, table[i].env, config);
        expect_output(&run, 0, "");
        EXPECT(run.err.len == 0, "stderr: %s", run.err.data);
        struct text headers = daemon_report(box, "headers");
        EXPECT(strstr(headers.data, table[i].path) && strstr(headers.data, table[i].timeout), "%s", headers.data);
        for (size_t h = 0; h < sizeof common / sizeof *common; h++) {
            EXPECT(strstr(headers.data, common[h]) != NULL, "no %s in %s", common[h], headers.data);
        }
        struct text body = daemon_report(box, "body");
        Podwire__Cni__V1__CniRequest *r = podwire__cni__v1__cni_request__unpack(NULL, body.len, (uint8_t *)body.data);
        bool full = i == 0, named = i < 3;
        EXPECT(r != NULL, "the message does not parse");
        if (r != NULL) {
            EXPECT(strcmp(r->command, table[i].command) == 0, "%s", r->command);
            EXPECT(strcmp(r->container_id, named ? "c0ffee" : "") == 0, "%s", r->container_id);
            EXPECT(strcmp(r->ifname, named ? "eth0" : "") == 0, "%s", r->ifname);
            EXPECT(strcmp(r->netns, i == 0 || i == 2 ? "/run/netns/a" : "") == 0, "%s", r->netns);
            EXPECT(strcmp(r->args, full ? "K8S_POD_NAME=p" : "") == 0, "%s", r->args);
            EXPECT(strcmp(r->path, full || i == 3 ? "/opt/cni/bin" : "") == 0, "%s", r->path);
            EXPECT(r->config.len == strlen(config) && memcmp(r->config.data, config, r->config.len) == 0, "config");
            podwire__cni__v1__cni_request__free_unpacked(r, NULL);
        }
        text_free(&headers);
        text_free(&body);
        run_free(&run);
    }
}

static void replies(struct box *box) {
    static const struct {
        const char *mode, *code, *out;
        int exit_code;
    } table[] = {
        {"reply", "0", "", 0},
        {"reply", "0", "{\"cniVersion\":\"1.0.0\",\"ips\":[]}", 0},
        {"reply", "1", "{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"m\"}", 1},
        {"reply", "7", "text", 7},
        {"reply", "255", "text", 255},
        {"reply", "256", "text", 1},
        {"reply", "-1", "text", 1},
        {"split", "0", "one byte in each frame", 0},
        {"split", "1", "one byte in each frame", 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        row("%s %s %s", table[i].mode, table[i].code, table[i].out);
        daemon_start(box, table[i].mode, table[i].code, table[i].out);
        struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
        expect_output(&run, table[i].exit_code, table[i].out);
        EXPECT(run.err.len == 0, "stderr: %s", run.err.data);
        run_free(&run);
    }
    row("just under 1 MiB");
    daemon_start(box, "big", "1048000", "");
    struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
    EXPECT(run.exit_code == 0 && run.out.len == 1048000, "exit code %d, %zu bytes", run.exit_code, run.out.len);
    EXPECT(strspn(run.out.data, "x") == 1048000, "other bytes");
    run_free(&run);
    row("exit code without an error object");
    daemon_start(box, "reply", "3", "");
    run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
    expect_error(&run, 100, "1.0.0", "exit code 3 without an error object");
    run_free(&run);
}

// One acknowledgement wakes the daemon while it works: a call that is answered within a second sends none,
// and a daemon that insists on it gets it.
static void acknowledgements(struct box *box) {
    daemon_start(box, "patient", "0", "{}");
    struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
    expect_output(&run, 0, "{}");
    expect_time(box, &run, 950, 3000);
    struct text acks = daemon_report(box, "acks");
    EXPECT(acks.len == 1, "SETTINGS acknowledged %zu times", acks.len);
    text_free(&acks);
    run_free(&run);
}

static void stdout_unusable(struct box *box) {
    daemon_start(box, "reply", "0", "{}");
    row("full device");
    struct run run = {.env = ADD_ENV, .input = config_for(box, "1.0.0", "")};
    run.stdout_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    shim_run(box, &run);
    EXPECT(run.exit_code == 1 && strstr(run.err.data, "cannot be written"), "%d %s", run.exit_code, run.err.data);
    close(run.stdout_fd);
    run_free(&run);
    row("closed: the result must not go into the socket");
    run = (struct run){.env = ADD_ENV, .input = config_for(box, "1.0.0", ""), .stdout_fd = -1};
    shim_run(box, &run);
    EXPECT(run.exit_code == 1 && strstr(run.err.data, "cannot be written"), "%d %s", run.exit_code, run.err.data);
    run_free(&run);
    row("nobody reads");
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0, "pipe");
    close(ends[0]);
    run = (struct run){.env = ADD_ENV, .input = config_for(box, "1.0.0", ""), .stdout_fd = ends[1]};
    shim_run(box, &run);
    EXPECT(run.exit_code == 1, "SIGPIPE is not ignored: %d", run.exit_code);
    close(ends[1]);
    run_free(&run);
}

static void status_codes(struct box *box) {
    static const struct {
        const char *status;
        int add, status_code, del;  // del 0: stored.
    } table[] = {
        {"1", 100, 100, 100}, {"2", 100, 100, 100}, {"3", 7, 7, 7},       {"4", 11, 50, 0},
        {"5", 100, 100, 100}, {"7", 100, 100, 100}, {"8", 11, 50, 11},    {"12", 4, 4, 4},
        {"13", 100, 100, 100}, {"14", 11, 50, 0},   {"16", 100, 100, 100}, {"99", 100, 100, 100},
        {"x", 100, 100, 100},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        daemon_start(box, "status", table[i].status, "a %22quoted%22 reason%0a100%, caf%c3%A9");
        row("ADD, status %s", table[i].status);
        struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
        expect_error(&run, table[i].add, "1.0.0", "a \"quoted\" reason\n100%, caf\xc3\xa9");
        run_free(&run);
        row("STATUS, status %s", table[i].status);
        run = shim(box, STATUS_ENV, config_for(box, "1.1.0", ""));
        expect_error(&run, table[i].status_code, "1.1.0", "a \"quoted\" reason");
        run_free(&run);
        row("DEL, status %s", table[i].status);
        run = shim(box, DEL_ENV, config_for(box, "1.0.0", ""));
        if (table[i].del == 0) {
            expect_output(&run, 0, "");
            EXPECT(entries_of(box->spool) == 1, "not stored");
        } else {
            expect_error(&run, table[i].del, "1.0.0", "a \"quoted\" reason");
        }
        run_free(&run);
    }
    row("status behind headers and data");
    daemon_start(box, "late", "13", "late%21");
    struct run run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
    expect_error(&run, 100, "1.0.0", "late!");
    run_free(&run);
}

static void del_words(struct box *box) {
    static const char *const texts[] = {"link not found", "Not Found", "open /x: No such file or directory", "NOT FOUNDnot found", "not not foundfound"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        row("%s", texts[i]);
        daemon_start(box, "status", "13", texts[i]);
        struct run run = shim(box, DEL_ENV, config_for(box, "1.0.0", ""));
        expect_error(&run, 100, "1.0.0", "absent");
        EXPECT(strcasestr(run.out.data, "not found") == NULL, "%s", run.out.data);
        EXPECT(strcasestr(run.out.data, "no such file or directory") == NULL, "%s", run.out.data);
        run_free(&run);
    }
    row("from the environment");
    struct run run = shim(box, (const char *[]){"CNI_COMMAND=DEL", "CNI_CONTAINERID=not found", "CNI_IFNAME=e", NULL},
                          config_for(box, "1.0.0", ""));
    expect_error(&run, 4, "1.0.0", "is absent");
    run_free(&run);
    row("an ADD keeps the daemon's words");
    daemon_start(box, "status", "13", "pool not found");
    run = shim(box, ADD_ENV, config_for(box, "1.0.0", ""));
    expect_error(&run, 100, "1.0.0", "pool not found");
    run_free(&run);
}

// The slow obvious table, as the specification of forward_decide.
static void decisions(struct box *box) {
    (void)box;
    static const enum cni_verb verbs[] = {VERB_ADD, VERB_DEL, VERB_CHECK, VERB_GC, VERB_STATUS};
    static const int away[] = {11, 0, 11, 11, 50};
    for (int v = 0; v < 5; v++) {
        for (int outcome = GRPC_REPLIED; outcome <= GRPC_PROTOCOL; outcome++) {
            for (int status = 1; status <= 17; status++) {
                row("verb %d outcome %d status %d", v, outcome, status);
                bool lost = outcome == GRPC_UNREACHABLE || outcome == GRPC_LOST || outcome == GRPC_DEADLINE;
                bool answered = outcome == GRPC_STATUS;
                int want = answered && status == 12 ? 4 : answered && status == 3 ? 7 : 100;
                if (lost || (answered && (status == 14 || status == 4))) {
                    want = away[v];
                } else if (answered && status == 8) {
                    want = v == 4 ? 50 : 11;
                }
                struct forward_decision d = forward_decide(verbs[v], (enum grpc_outcome)outcome, status);
                if (outcome == GRPC_REPLIED) {
                    EXPECT(d.end == END_REPLY, "end %d", d.end);
                } else if (want == 0) {
                    EXPECT(d.end == END_SPOOL, "end %d", d.end);
                } else {
                    EXPECT(d.end == END_ERROR && d.code == want, "end %d code %d", d.end, d.code);
                }
            }
        }
    }
}

const struct test call_tests[] = {
    {"request", request, false},
    {"replies", replies, false},
    {"acknowledgements", acknowledgements, false},
    {"stdout_unusable", stdout_unusable, false},
    {"status_codes", status_codes, false},
    {"del_words", del_words, false},
    {"decisions", decisions, false},
    {0},
};
