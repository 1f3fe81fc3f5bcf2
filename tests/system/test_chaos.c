/*
 * test_chaos.c - brokers, zygotes and workers are killed at random under load; afterwards what was promised is counted: each job that was
 * acknowledged has one receipt, none has two, no key was taken twice, and the chain of receipts fits.
 *
 * COOP_CHAOS_SECONDS (default 12; `make chaos`: 300) and COOP_CHAOS_SEED (default: the time) are printed, so that a run can be repeated as far as the
 * machine repeats itself.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/client.h"
#include "coop/version.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/host.h"
#include "ulid.h"

enum { CLIENTS = 8, PATIENCE_US = 60000000, JOBS_MAX = 200000, KEY = 32 };

/* ---- chance ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t dice; /* xorshift64: Marsaglia, 2003 */

static uint64_t chance(uint64_t below)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % below;
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* ---- what was promised -------------------------------------------------------------------------------------------------------------- */

/* By number; the key of a job is made of it. id "": it has been asked for, and nothing was answered yet. */
static char (*promised)[ULID_LEN + 1];
static size_t asked, acknowledged;
static unsigned again, lost, kills_broker, kills_worker, kills_zygote, restarts;

struct client {
    struct coop_client *c;
    struct coop_op *op;       /* NULL: none is open */
    size_t job;               /* that it asks for */
    bool known;               /* it has been acknowledged before: the same id is to come again */
    char after[ULID_LEN + 1]; /* the job waits for this one; "": for none. The same each time that it is asked for */
};

static const char *source_of(size_t job)
{
    static const char *const sources[] = {
        "print(1)",
        "os.exit(3)",
        "require 'coop'.sleep(0.05) print 'slept'",
        "for i = 1, 2000 do print(('x'):rep(100)) end",
        "local t = os.clock() while os.clock() - t < 0.03 do end",
        "error 'as it has to be'",
        "print(('y'):rep(100))",
    };

    return sources[job % (sizeof(sources) / sizeof(sources[0]))];
}

static void ask(struct client *c)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit s = PB__SUBMIT__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Retry retry = PB__RETRY__INIT;
    Pb__Backoff backoff = PB__BACKOFF__INIT;
    Pb__Schedule schedule = PB__SCHEDULE__INIT;
    Pb__Dependency dependency = PB__DEPENDENCY__INIT, *after = &dependency;
    char key[KEY];
    struct coop_error why;
    uint8_t bytes[4096];

    snprintf(key, sizeof(key), "chaos-%zu", c->job);
    spec.engine = (char *)"lua";
    spec.source_name = (char *)"chaos.lua";
    spec.source = (ProtobufCBinaryData){ strlen(source_of(c->job)), (uint8_t *)source_of(c->job) };
    spec.idem_key = key;
    spec.priority = (uint32_t)(c->job % 5 + 1);
    backoff.base_us = 10000;
    backoff.factor = 1;
    backoff.max_us = 10000;
    retry.backoff = &backoff;
    retry.max_attempts = c->job % 3 == 0 ? 2 : 0;
    retry.infra_attempts = 100;
    spec.retry = &retry;
    if (c->after[0] != '\0') {
        dependency.job = c->after;
        dependency.on = PB__AFTER__AFTER_ANY;
        schedule.after = &after;
        schedule.n_after = 1;
        spec.schedule = &schedule;
    }
    s.spec = &spec;
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &s;
    assert_true(pb__request__get_packed_size(&q) <= sizeof(bytes));
    if (coop_exchange_begin(c->c, bytes, pb__request__pack(&q, bytes), PATIENCE_US, &c->op, &why) != 0)
        c->op = NULL; /* no connection now: asked again with the next look */
}

/* Some that were answered are asked for once more. */
static void next_job(struct client *c)
{
    c->known = asked > 20 && chance(10) == 0;
    if (c->known) {
        c->job = chance(asked);
        c->known = promised[c->job][0] != '\0' && c->job % 11 != 10;
    }
    if (!c->known)
        c->job = asked++;
    c->after[0] = '\0';
    if (c->job % 11 == 10) /* only asked for once more when it got no answer */
        memcpy(c->after, promised[c->job - 10], sizeof(c->after));
    assert_true(asked < JOBS_MAX);
}

static void take_submit(struct client *c, const Pb__SubmitReply *r)
{
    if (promised[c->job][0] != '\0') {
        again++;
        assert_string_equal(promised[c->job], r->id); /* the key is that of this job, whoever was killed meanwhile */
        return;
    }
    memcpy(promised[c->job], r->id, ULID_LEN + 1);
    acknowledged++;
}

/* True: this one was answered for good. */
static bool take_reply(struct client *c)
{
    struct coop_error why;
    void *bytes = NULL;
    size_t len;
    Pb__Reply *r;
    bool done = false;
    int rc = coop_exchange_end(c->op, &bytes, &len, NULL, &why);

    coop_op_free(c->op);
    c->op = NULL;
    if (rc != 0) {
        lost++;
        return false;
    }
    r = pb__reply__unpack(NULL, len, bytes);
    assert_non_null(r);
    if (r->body_case == PB__REPLY__BODY_SUBMIT)
        take_submit(c, r->submit);
    else if (r->body_case != PB__REPLY__BODY_ERROR || r->error->code != PB__ERROR_CODE__ERROR_CODE_TEMPORARY)
        support_fail("job %zu was refused: %s", c->job, r->body_case == PB__REPLY__BODY_ERROR ? r->error->message : "another answer");
    done = r->body_case == PB__REPLY__BODY_SUBMIT;
    pb__reply__free_unpacked(r, NULL);
    free(bytes);
    return done;
}

/* Goes on with whatever can go on, for at most so long. more: what is answered is followed by another. Returns how many have something open. */
static unsigned turn(struct client *clients, int ms, bool more)
{
    struct pollfd fds[CLIENTS];
    unsigned open = 0;

    for (int i = 0; i < CLIENTS; i++)
        fds[i] = (struct pollfd){ .fd = coop_client_fd(clients[i].c), .events = POLLIN };
    (void)poll(fds, CLIENTS, ms);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];

        (void)coop_client_step(c->c);
        while (coop_client_next(c->c) != NULL) {
        }
        if (c->op != NULL && coop_op_done(c->op) && take_reply(c)) {
            if (more)
                next_job(c);
            else
                c->job = SIZE_MAX;
        }
        if (c->op == NULL && c->job != SIZE_MAX) {
            (void)coop_client_revive(c->c, NULL);
            ask(c);
        }
        open += c->job != SIZE_MAX;
    }
    return open;
}

/* ---- what is done to it ------------------------------------------------------------------------------------------------------------- */

static void strike(struct broker *b)
{
    pid_t pids[TREE_MAX];
    unsigned n;
    pid_t zygote;

    switch (chance(10)) {
    case 0:
    case 1:
        broker_kill(b);
        kills_broker++;
        broker_up(b);
        return;
    case 2:
        (void)broker_down(b);
        restarts++;
        broker_up(b);
        return;
    case 3:
        zygote = broker_zygote(b);
        if (zygote > 0 && kill(zygote, SIGKILL) == 0)
            kills_zygote++;
        return;
    default:
        n = broker_workers(b, pids);
        if (n > 0 && kill(pids[chance(n)], SIGKILL) == 0)
            kills_worker++;
    }
}

/* ---- what is left afterwards -------------------------------------------------------------------------------------------------------- */

static Pb__Reply *exchange(struct coop_client *c, const Pb__Request *q)
{
    uint8_t bytes[512];
    struct coop_error why;
    void *reply;
    size_t len;
    Pb__Reply *r;

    if (coop_exchange(c, bytes, pb__request__pack(q, bytes), PATIENCE_US, &reply, &len, NULL, &why) != 0)
        support_fail("no answer: %s", why.message);
    r = pb__reply__unpack(NULL, len, reply);
    assert_non_null(r);
    free(reply);
    return r;
}

/* One whose workers were killed as often as it may be tried is held; released, it goes on. */
static void release(struct coop_client *c, const char *id)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Release release = PB__RELEASE__INIT;

    release.id = (char *)id;
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_RELEASE;
    q.release = &release;
    pb__reply__free_unpacked(exchange(c, &q), NULL);
}

static void wait_for(struct coop_client *c, const char *id)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Wait w = PB__WAIT__INIT;
    bool ended = false;

    w.id = (char *)id;
    w.timeout_ms = 1000;
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_WAIT;
    q.wait = &w;
    for (int tries = 0; !ended && tries < 240; tries++) {
        Pb__Reply *r = exchange(c, &q);

        if (r->body_case != PB__REPLY__BODY_WAIT)
            support_fail("job %s, which was acknowledged: %s", id,
                         r->body_case == PB__REPLY__BODY_ERROR ? r->error->message : "another answer");
        ended = r->wait->ended;
        if (!ended && r->wait->status->state == PB__STATE__STATE_HELD)
            release(c, id);
        pb__reply__free_unpacked(r, NULL);
    }
    if (!ended)
        support_fail("job %s does not end", id);
}

static void expect_receipt(struct coop_client *c, const char *id)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__GetResult g = PB__GET_RESULT__INIT;
    Pb__Reply *r;

    g.id = (char *)id;
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_RESULT;
    q.result = &g;
    r = exchange(c, &q);
    if (r->body_case != PB__REPLY__BODY_RESULT)
        support_fail("job %s has no receipt", id);
    assert_string_equal(r->result->job, id);
    pb__reply__free_unpacked(r, NULL);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Every job that the store has, sorted; the same id twice is a failure. */
static size_t list_all(struct coop_client *c, char (*into)[ULID_LEN + 1])
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Ls ls = PB__LS__INIT;
    size_t n = 0;
    bool more = true;

    ls.limit = 1000;
    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_LS;
    q.ls = &ls;
    while (more) {
        Pb__Reply *r = exchange(c, &q);

        assert_int_equal(r->body_case, PB__REPLY__BODY_LS);
        for (size_t i = 0; i < r->ls->n_jobs; i++) {
            assert_true(n < JOBS_MAX);
            memcpy(into[n++], r->ls->jobs[i]->id, ULID_LEN + 1);
        }
        more = r->ls->more;
        if (more)
            ls.before = into[n - 1];
        pb__reply__free_unpacked(r, NULL);
    }
    qsort(into, n, sizeof(into[0]), by_text);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(into[i - 1], into[i]);
    return n;
}

static void expect_what_was_promised(struct broker *b)
{
    char(*all)[ULID_LEN + 1] = calloc(JOBS_MAX, sizeof(*all));
    struct coop_client *c = host_open(b->url);
    size_t n;

    assert_non_null(all);
    for (size_t i = 0; i < asked; i++)
        wait_for(c, promised[i]);
    for (size_t i = 0; i < asked; i++)
        expect_receipt(c, promised[i]);
    n = list_all(c, all);
    qsort(promised, asked, sizeof(promised[0]), by_text);
    for (size_t i = 1; i < asked; i++)
        assert_string_not_equal(promised[i - 1], promised[i]); /* two keys, one job */
    if (n != asked)
        support_fail("%zu jobs were acknowledged, the store has %zu", asked, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(all[i], promised[i]);
    coop_client_close(c);
    free(all);
    proc_expect(coop(b, "audit", "verify"), 0);
}

static void what_is_acknowledged_is_recorded_once_whoever_is_killed(void **state)
{
    struct broker *b = *state;
    uint64_t seconds = number_of("COOP_CHAOS_SECONDS", 12), start = support_now_ms(), next = start;
    struct client clients[CLIENTS] = { 0 };

    dice = number_of("COOP_CHAOS_SEED", (uint64_t)time(NULL)) | 1;
    print_message("@ chaos: seed %llu, %llu s\n", (unsigned long long)dice, (unsigned long long)seconds);
    promised = calloc(JOBS_MAX, sizeof(*promised));
    assert_non_null(promised);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].c = host_open(b->url);
        next_job(&clients[i]);
        ask(&clients[i]);
    }
    while (support_now_ms() - start < seconds * 1000) {
        (void)turn(clients, 20, true);
        if (support_now_ms() < next)
            continue;
        strike(b);
        next = support_now_ms() + chance(300);
    }
    while (turn(clients, 100, false) > 0) {
    }
    for (int i = 0; i < CLIENTS; i++)
        coop_client_close(clients[i].c);
    assert_int_equal(acknowledged, asked);
    expect_what_was_promised(b);
    print_message("@ chaos: %zu jobs, %u answers lost, %u keys again; killed: %u brokers, %u zygotes, %u workers; %u restarts in order\n",
                  asked, lost, again, kills_broker, kills_zygote, kills_worker, restarts);
    free(promised);
}

/* A queue that takes all of it: how fast the store is against the workers is not what is looked at. */
static int setup(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--max-queued";
    b->args[1] = "1000000";
    broker_up(b);
    *state = b;
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_acknowledged_is_recorded_once_whoever_is_killed, setup, broker_teardown),
    };

    return cmocka_run_group_tests_name("chaos", tests, NULL, NULL);
}
