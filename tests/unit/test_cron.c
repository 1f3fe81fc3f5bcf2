/*
 * test_cron.c - entries of cron under a clock that the test turns: what is fired, when, and how often. The store is real, the jobs wait: no
 * place is free for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/cron_own.h"
#include "broker/jobs_own.h"
#include "log.h"
#include "scratch.h"

#define MINUTE UINT64_C(60000000)
#define START  (UINT64_C(1795374000) * 1000000) /* a whole hour */

static uint64_t now_us;

static uint64_t turned_clock(void)
{
    return now_us;
}

/* Of main.c, which is in no archive. */
void broker_check_rest(struct broker *b);
void broker_check_rest(struct broker *b)
{
    (void)b;
}

struct fixture {
    struct broker b;
    char *dir;
    char entry[ULID_LEN + 1]; /* of the last submit() */
    int status;
    struct jobs_refusal no;
};

static void start(struct fixture *f)
{
    char why[STORE_WHY];
    struct broker *b = &f->b;

    memset(b, 0, sizeof(*b));
    b->config.max_queued = 1000;
    assert_int_equal(store_open(f->dir, &b->store, why), 0);
    assert_int_equal(loop_init(&b->loop), 0);
    b->output_dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tenants_init(&b->tenants, b);
    events_init(&b->events, b);
    plans_init(b);
    b->plans.crons.wall_us = turned_clock;
    jobs_init(&b->jobs, b);
    pool_init(&b->pool, b);
    assert_int_equal(tenants_load(&b->tenants), 0);
    assert_int_equal(plans_load(b), 0);
    assert_int_equal(jobs_recover(&b->jobs), 0);
    assert_int_equal(plans_start(b), 0);
}

/* What is pushed is committed; what was not collected nobody hears of, as when the broker is killed. */
static void die(struct fixture *f)
{
    struct broker *b = &f->b;

    plans_finish(b);
    store_close(b->store);
    b->store = NULL;
    jobs_finish(&b->jobs);
    plans_free(b);
    pool_finish(&b->pool);
    events_finish(&b->events);
    tenants_finish(&b->tenants);
    loop_finish(&b->loop);
    close(b->output_dir);
}

/* Everything that is on its way to the store, and what follows from it. */
static void settle(struct fixture *f)
{
    struct broker *b = &f->b;

    while (store_pending(b->store) > 0) {
        struct pollfd p = { .fd = store_event_fd(b->store), .events = POLLIN };
        struct store_op *op, *next;

        assert_int_equal(poll(&p, 1, 60000), 1);
        for (op = store_collect(b->store); op != NULL; op = next) {
            next = op->next;
            if (op->done != NULL)
                op->done(op);
            jobs_on_op(&b->jobs, op);
            store_op_free(op);
        }
    }
}

static void look(struct fixture *f, uint64_t at)
{
    now_us = at;
    crons_look(&f->b);
    settle(f);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    log_init("test", LOG_LEVEL_ERROR);
    f->dir = scratch_make();
    now_us = START;
    start(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    die(f);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

static void on_submitted(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct fixture *f = ctx;

    (void)limits;
    (void)existing;
    snprintf(f->entry, sizeof(f->entry), "%s", id);
    f->status = status;
}

static int submit_entry(struct fixture *f, const char *expr, Pb__Schedule *s)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    struct jobs_order o = {
        .tenant = tenants_of_uid(&f->b.tenants, geteuid()), .user = "uid:0", .spec = &spec, .done = on_submitted, .ctx = f
    };
    Pb__Limits limits = PB__LIMITS__INIT;
    uint64_t tasks;
    char id[ULID_LEN + 1];
    int rc;

    spec.engine = (char *)"lua";
    spec.source_name = (char *)"tick.lua";
    spec.source = (ProtobufCBinaryData){ 2, (uint8_t *)"--" };
    spec.limits = &limits;
    spec.schedule = s;
    s->cron = (char *)expr;
    rc = plans_submit(&f->b, &o, id, &tasks, &f->no);
    settle(f);
    return rc;
}

static struct cron *entry(struct fixture *f, const char *expr)
{
    Pb__Schedule s = PB__SCHEDULE__INIT;
    struct cron *e;

    if (submit_entry(f, expr, &s) != 0)
        fail_msg("%s", f->no.why);
    assert_int_equal(f->status, 0);
    HASH_FIND_STR(f->b.plans.crons.by_id, f->entry, e);
    assert_non_null(e);
    e->row.created_us = START; /* it was made by the real clock */
    e->row.next_us = cron_expr_next(&e->expr, e->zone, START);
    return e;
}

static size_t jobs_there(const struct fixture *f)
{
    return f->b.jobs.table.count;
}

static void end_job(struct fixture *f, const char *id)
{
    struct waiting *w = waiting_find(&f->b.jobs.table, id);

    assert_non_null(w);
    assert_int_equal(jobs_cancel_waiting(&f->b.jobs, w, "ended by the test"), 0);
    settle(f);
}

/* Fires at that time, and ends what was fired. */
static void fires_at(struct fixture *f, struct cron *e, uint64_t at, uint64_t covers)
{
    char before[ULID_LEN + 1];

    memcpy(before, e->row.last_job, sizeof(before));
    look(f, at);
    assert_int_equal(jobs_there(f), 1);
    assert_string_not_equal(e->row.last_job, before);
    assert_int_equal(e->row.last_us, covers);
    end_job(f, e->row.last_job);
}

static void fires_nothing_at(struct fixture *f, uint64_t at)
{
    size_t before = jobs_there(f);

    look(f, at);
    assert_int_equal(jobs_there(f), before);
}

/* ---- stories ---- */

static void each_minute_is_fired_once(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");

    fires_nothing_at(f, START + 1);
    fires_nothing_at(f, START + 5 * MINUTE - 1);
    fires_at(f, e, START + 5 * MINUTE, START + 5 * MINUTE);
    fires_nothing_at(f, START + 5 * MINUTE + 1);
    fires_nothing_at(f, START + 10 * MINUTE - 1);
    fires_at(f, e, START + 10 * MINUTE + 17, START + 10 * MINUTE);
}

static void what_was_missed_is_fired_once(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");

    fires_at(f, e, START + 58 * MINUTE, START + 55 * MINUTE);
    fires_nothing_at(f, START + 59 * MINUTE);
    die(f);
    start(f);
    HASH_FIND_STR(f->b.plans.crons.by_id, f->entry, e);
    fires_at(f, e, START + 300 * MINUTE, START + 300 * MINUTE);
    fires_nothing_at(f, START + 304 * MINUTE);
}

static void a_firing_is_passed_over_while_the_last_one_runs(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "* * * * *");
    char first[ULID_LEN + 1];

    look(f, START + MINUTE);
    memcpy(first, e->row.last_job, sizeof(first));
    fires_nothing_at(f, START + 2 * MINUTE);
    fires_nothing_at(f, START + 9 * MINUTE);
    assert_string_equal(e->row.last_job, first);
    end_job(f, first);
    fires_nothing_at(f, START + 9 * MINUTE + 1); /* what was passed over stays so */
    fires_at(f, e, START + 10 * MINUTE, START + 10 * MINUTE);
}

static void a_suspended_tenant_s_entries_do_not_fire(void **state)
{
    struct fixture *f = *state;
    struct tenant *t = tenants_of_uid(&f->b.tenants, geteuid());
    struct cron *e = entry(f, "*/5 * * * *");

    t->quota[QUOTA_SUBMIT_RATE] = 0; /* its time comes by no rate */
    fires_at(f, e, START + 5 * MINUTE, START + 5 * MINUTE);
    t->state = TENANT_SUSPENDED;
    fires_nothing_at(f, START + 10 * MINUTE);
    t->state = TENANT_ACTIVE;
    t->quota[QUOTA_QUEUED] = 0;
    fires_nothing_at(f, START + 15 * MINUTE);
    t->quota[QUOTA_QUEUED] = TENANT_NO_BOUND;
    fires_at(f, e, START + 20 * MINUTE, START + 20 * MINUTE);
}

static void a_clock_that_is_put_back_fires_no_minute_twice(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");

    fires_at(f, e, START + 30 * MINUTE, START + 30 * MINUTE);
    fires_nothing_at(f, START + 5 * MINUTE);
    fires_nothing_at(f, START + 30 * MINUTE);
    fires_at(f, e, START + 35 * MINUTE, START + 35 * MINUTE);
}

static void a_clock_that_was_years_ahead_is_believed_when_it_comes_back(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");

    fires_at(f, e, START + 5 * MINUTE, START + 5 * MINUTE);
    fires_at(f, e, START + 10 * 365 * 24 * 60 * MINUTE, START + 10 * 365 * 24 * 60 * MINUTE);
    fires_nothing_at(f, START + 2 * MINUTE);
    fires_nothing_at(f, START + 5 * MINUTE);  /* it has been, and its key is known */
    fires_nothing_at(f, START + 10 * MINUTE); /* this too: it was the one that was planned when the clock jumped */
    fires_at(f, e, START + 15 * MINUTE, START + 15 * MINUTE);
}

static void a_firing_that_was_not_written_down_is_not_made_again(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");
    uint64_t real = loop_wall_us() / MINUTE * MINUTE;

    /* a job's submit is stamped by the real clock: the plan lies in its past */
    e->row.next_us = cron_expr_next(&e->expr, e->zone, real - 60 * MINUTE);
    assert_int_equal(cron_note(e, NULL, NULL), 0);
    settle(f);
    now_us = real;
    crons_look(&f->b); /* submitted; that it was, nobody hears */
    assert_int_equal(jobs_there(f), 1);
    die(f);
    start(f);
    HASH_FIND_STR(f->b.plans.crons.by_id, f->entry, e);
    settle(f);
    assert_int_equal(jobs_there(f), 1);
    assert_non_null(waiting_find(&f->b.jobs.table, e->row.last_job));
    assert_true(e->row.next_us > real);
    fires_nothing_at(f, real);
}

static void what_would_wait_or_be_late_is_no_entry(void **state)
{
    struct fixture *f = *state;
    Pb__Schedule s = PB__SCHEDULE__INIT;

    s.not_before_us = START * 2;
    assert_int_equal(submit_entry(f, "* * * * *", &s), -EINVAL);
    s = (Pb__Schedule)PB__SCHEDULE__INIT;
    assert_int_equal(submit_entry(f, "0 0 30 2 *", &s), -EINVAL);
    assert_non_null(strstr(f->no.why, "never fires"));
    s = (Pb__Schedule)PB__SCHEDULE__INIT;
    s.zone = (char *)"Mars/Olympus";
    assert_int_equal(submit_entry(f, "* * * * *", &s), -EINVAL);
    assert_null(f->b.plans.crons.by_id);
}

static void a_tenant_has_no_more_entries_than_it_may(void **state)
{
    struct fixture *f = *state;
    struct tenant *t = tenants_of_uid(&f->b.tenants, geteuid());
    Pb__Schedule s = PB__SCHEDULE__INIT;

    t->quota[QUOTA_CRON] = 2;
    (void)entry(f, "* * * * *");
    (void)entry(f, "* * * * *");
    assert_int_equal(submit_entry(f, "* * * * *", &s), -EDQUOT);
    assert_non_null(strstr(f->no.why, "max_cron"));
}

/* Entries as an earlier broker left them, all with the same plan. */
static void store_entries(struct fixture *f, unsigned n)
{
    struct cron *first = entry(f, "0 * * * *");
    struct store_blob spec = { 0 };

    assert_int_equal(store_read_spec(f->b.store, first->row.id, &spec), 0);
    assert_int_equal(cron_note(first, NULL, NULL), 0); /* with the plan that this clock gives it */
    for (unsigned i = 1; i < n; i++) {
        struct store_op *op = store_op_new(STORE_CRON_PUT, "");

        op->cron.row = first->row;
        ulid_make(START / 1000 + i, op->cron.row.id);
        op->cron.row.spec = (struct store_blob){ malloc(spec.len), spec.len };
        memcpy(op->cron.row.spec.bytes, spec.bytes, spec.len);
        store_push(f->b.store, op);
    }
    free(spec.bytes);
    settle(f);
    die(f);
    start(f);
    f->b.config.max_queued = 2 * n;
}

/* Each turn of the loop looks at them once, not each firing. */
static void ten_thousand_entries_are_due_in_one_minute(void **state)
{
    enum { MANY = 10000 };
    struct fixture *f = *state;
    uint64_t before;
    unsigned turns = 0;

    store_entries(f, MANY);
    assert_int_equal(HASH_COUNT(f->b.plans.crons.by_id), MANY);
    before = f->b.plans.crons.looks;
    for (size_t last = 0; jobs_there(f) < MANY; turns++, last = jobs_there(f)) {
        look(f, START + 60 * MINUTE);
        assert_true(jobs_there(f) > last && jobs_there(f) - last <= CRON_SLICE);
    }
    assert_int_equal(f->b.plans.crons.looks - before, (uint64_t)turns * MANY);
    fires_nothing_at(f, START + 60 * MINUTE + 1);
}

/* A firing is on its way when the entry is paused, or removed: what is written of it then does not undo that. */
static void a_firing_under_way_undoes_no_pause_and_no_removal(void **state)
{
    struct fixture *f = *state;
    struct cron *e = entry(f, "*/5 * * * *");
    struct store_op *op;

    now_us = START + 5 * MINUTE;
    crons_look(&f->b);
    assert_true(e->firing);
    e->row.paused = true; /* by request */
    assert_int_equal(cron_note(e, NULL, NULL), 0);
    settle(f);
    die(f);
    start(f);
    HASH_FIND_STR(f->b.plans.crons.by_id, f->entry, e);
    assert_true(e->row.paused);
    e->row.paused = false;
    end_job(f, e->row.last_job);
    now_us = START + 10 * MINUTE;
    crons_look(&f->b);
    assert_true(e->firing);
    e->removing = true;
    op = store_op_new(STORE_CRON_REMOVE, "");
    memcpy(op->cron.row.id, e->row.id, sizeof(e->row.id));
    store_push(f->b.store, op);
    settle(f); /* and what comes behind it is too late in the store as well: */
    e->removing = false;
    assert_int_equal(cron_note(e, NULL, NULL), 0);
    settle(f);
    die(f);
    start(f);
    assert_null(f->b.plans.crons.by_id);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_minute_is_fired_once),
        T(what_was_missed_is_fired_once),
        T(a_firing_is_passed_over_while_the_last_one_runs),
        T(a_suspended_tenant_s_entries_do_not_fire),
        T(a_clock_that_is_put_back_fires_no_minute_twice),
        T(a_clock_that_was_years_ahead_is_believed_when_it_comes_back),
        T(a_firing_that_was_not_written_down_is_not_made_again),
        T(what_would_wait_or_be_late_is_no_entry),
        T(a_tenant_has_no_more_entries_than_it_may),
        T(ten_thousand_entries_are_due_in_one_minute),
        T(a_firing_under_way_undoes_no_pause_and_no_removal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
