/* test_webhooks.c - notices between a job's end and a courier that the test plays: signatures, tries, bounds, turns, bodies; and what is kept. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "broker/arrays.h"
#include "broker/tenants.h"
#include "broker/waiting.h"
#include "broker/webhooks_own.h"

#define JOB "01HZZZZZZZ000000000000000A"

enum { ERRANDS = 4096 };

/* The courier: takes `room` errands. */
static struct {
    uint64_t id[ERRANDS];
    char last_url[64];
    size_t last_len;
    unsigned n, room;
    int refuse;
} fake;

void courier_init(struct courier *c, struct broker *b, const struct courier_handler *h)
{
    *c = (struct courier){ .broker = b, .handler = *h };
}

void courier_stop(struct courier *c)
{
    (void)c;
}

bool courier_has_room(const struct courier *c)
{
    (void)c;
    return fake.room > 0;
}

int courier_send(struct courier *c, const Pb__Errand *e)
{
    (void)c;
    if (fake.refuse != 0)
        return fake.refuse;
    fake.room--;
    fake.id[fake.n++] = e->id;
    snprintf(fake.last_url, sizeof(fake.last_url), "%s", e->url);
    fake.last_len = e->body.len;
    return 0;
}

/* ---- a broker with nothing but notices ------------------------------------------------------------------------------------------------ */

static struct bare_broker *bare;
static struct webhooks *w;

static int setup(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.room = ERRANDS;
    bare = calloc(1, sizeof(*bare));
    if (bare == NULL || bare_start(bare) != 0)
        return -1;
    bare->b.config.webhook_pause_us = 1000;
    w = &bare->b.webhooks;
    webhooks_init(w, &bare->b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    webhooks_finish(w);
    bare_stop(bare);
    free(bare);
    return 0;
}

static bool begin(uint64_t tenant, const char *url)
{
    Pb__Webhook h = PB__WEBHOOK__INIT;
    Pb__Notice what = PB__NOTICE__INIT;

    h.url = (char *)url;
    what.job = (char *)JOB;
    what.state = PB__STATE__STATE_RUNNING;
    return webhook_begin(w, &h, 0, &what, tenant, NULL);
}

/* The next of all that wait for their pause. */
static void pass_pause(void)
{
    uint64_t at = timers_next(&bare->b.loop.timers);

    assert_true(at != UINT64_MAX);
    bare->b.loop.now_us = at;
    timers_run(&bare->b.loop.timers, at);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------------- */

/* python3: hmac.new(b"key", b"1700000000." + b'{"a":1}', "sha256").hexdigest(), and so on. */
static void the_signature_is_that_of_another_program(void **state)
{
    char text[WEBHOOK_SIGNATURE];

    (void)state;
    webhook_sign("key", 3, 1700000000, "{\"a\":1}", 7, text);
    assert_string_equal(text, "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03");
    webhook_sign("\0\377k", 3, 0, "", 0, text);
    assert_string_equal(text, "t=0,v1=c73d64132bb0e5cee6a90ffe065f763d2968fb642c78789e56c16ffe1626f003");
}

static void pauses_grow_four_times_each(void **state)
{
    (void)state;
    assert_int_equal(webhook_pause_us(5000000, 2), 5000000);
    assert_int_equal(webhook_pause_us(5000000, 3), 20000000);
    assert_int_equal(webhook_pause_us(5000000, 6), 1280000000);
}

static void one_that_always_fails_is_given_up_after_its_tries(void **state)
{
    uint64_t paused = 0;

    (void)state;
    assert_true(begin(1, "http://a/"));
    webhook_pump(w);
    for (unsigned i = 1; i < WEBHOOK_TRIES; i++) {
        uint64_t was = bare->b.loop.now_us;

        webhook_on_done(w, fake.id[0], 500, "");
        assert_int_equal(fake.n, i);
        pass_pause();
        assert_int_equal(bare->b.loop.now_us - was, webhook_pause_us(1000, i + 1));
        assert_int_equal(fake.n, i + 1);
        assert_true(fake.id[i] == fake.id[0]);
        paused += bare->b.loop.now_us - was;
    }
    assert_true(paused > 0);
    webhook_on_done(w, fake.id[0], 500, "");
    assert_int_equal(w->open, 0);
    assert_null(w->tenants);
}

static void gone_is_final_and_what_is_taken_is_over(void **state)
{
    (void)state;
    assert_true(begin(1, "http://a/") && begin(1, "http://b/"));
    webhook_pump(w);
    webhook_on_done(w, fake.id[0], 410, "");
    assert_int_equal(w->open, 1);
    webhook_on_done(w, fake.id[1], 204, "");
    assert_int_equal(w->open, 0);
    webhook_on_done(w, fake.id[1], 204, ""); /* of none: nothing */
    assert_int_equal(fake.n, 2);
}

static void one_with_which_the_courier_dies_twice_is_given_up(void **state)
{
    (void)state;
    assert_true(begin(1, "http://a/"));
    webhook_pump(w);
    webhook_on_lost(w, fake.id[0]);
    assert_int_equal(w->open, 1);
    pass_pause();
    assert_int_equal(fake.n, 2);
    webhook_on_lost(w, fake.id[0]);
    assert_int_equal(w->open, 0);
}

static void a_tenant_has_a_bound_and_it_is_its_own(void **state)
{
    (void)state;
    fake.room = 0;
    for (unsigned i = 0; i < WEBHOOKS_TENANT; i++)
        assert_true(begin(1, "http://a/"));
    assert_false(begin(1, "http://a/"));
    assert_true(begin(2, "http://b/"));
    for (uint64_t tenant = 3; w->open < WEBHOOKS_OPEN; tenant++)
        for (unsigned i = 0; i < WEBHOOKS_TENANT && w->open < WEBHOOKS_OPEN; i++)
            assert_true(begin(tenant, "http://c/"));
    assert_false(begin(100, "http://d/"));
    assert_int_equal(w->open, WEBHOOKS_OPEN);
}

static void one_tenant_does_not_stop_the_others(void **state)
{
    (void)state;
    for (int i = 0; i < 300; i++)
        assert_true(begin(1, "http://slow/"));
    webhook_pump(w);
    assert_int_equal(fake.n, WEBHOOKS_AT_ONCE);
    assert_true(begin(2, "http://quick/"));
    webhook_pump(w);
    assert_int_equal(fake.n, WEBHOOKS_AT_ONCE + 1);
    assert_string_equal(fake.last_url, "http://quick/");
    webhook_on_done(w, fake.id[0], 200, "");
    webhook_pump(w);
    assert_int_equal(fake.n, WEBHOOKS_AT_ONCE + 2);
}

static void what_cannot_be_sent_now_waits_and_what_never_can_is_given_up(void **state)
{
    (void)state;
    fake.refuse = -EAGAIN;
    assert_true(begin(1, "http://a/"));
    webhook_pump(w);
    assert_int_equal(w->open, 1);
    fake.refuse = -EMSGSIZE;
    webhook_pump(w);
    assert_int_equal(w->open, 0);
}

/* Of a tenant the newest, and of others nothing goes for it. */
static void what_show_says_is_kept_of_a_tenants_newest_jobs(void **state)
{
    struct webhook_log log = { 0 };
    char id[32];

    (void)state;
    assert_non_null(webhook_log_get(&log, "other", 2, 0));
    for (unsigned i = 0; i <= WEBHOOK_LOG_TENANT; i++) {
        snprintf(id, sizeof(id), "job%u", i);
        webhook_log_get(&log, id, 1, 7)->told = i;
        assert_true(webhook_log_find(&log, id, 7)->told == i);
    }
    assert_null(webhook_log_find(&log, "job0", 7));
    assert_non_null(webhook_log_find(&log, "job1", 7));
    assert_null(webhook_log_find(&log, "job1", 6));
    assert_non_null(webhook_log_find(&log, "other", 0));
    assert_null(webhook_log_get(&log, "other", 2, WEBHOOK_LOG_PLACES));
    for (unsigned i = 0; i < WEBHOOK_LOG; i++) {
        snprintf(id, sizeof(id), "new%u", i);
        assert_non_null(webhook_log_get(&log, id, 100 + i, 0));
    }
    assert_null(webhook_log_find(&log, "other", 0));
    assert_non_null(webhook_log_find(&log, "new0", 0));
    webhook_log_finish(&log);
    assert_null(log.tenants);
}

static void a_refused_submit_leaves_nothing(void **state)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Webhook h = PB__WEBHOOK__INIT, *hooks[] = { &h };

    (void)state;
    h.url = (char *)"http://a/";
    spec.webhooks = hooks;
    spec.n_webhooks = 1;
    webhooks_add(w, JOB, &spec);
    assert_non_null(w->jobs);
    webhooks_refused(w, JOB);
    assert_null(w->jobs);
    webhooks_refused(w, JOB);
}

/* There is no store here: whoever read a spec for an event would not come back. */
static void events_of_tasks_are_told_by_what_was_kept_at_submit(void **state)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Webhook h = PB__WEBHOOK__INIT, *hooks[] = { &h };
    Pb__State wanted[] = { PB__STATE__STATE_READY, PB__STATE__STATE_HELD };
    struct array array = { .row.id = JOB };
    struct waiting *task = waiting_add(&bare->b.jobs.table, "01HZZZZZZZ000000000000000B");

    (void)state;
    h.url = (char *)"http://a/";
    h.events = wanted;
    h.n_events = 2;
    spec.webhooks = hooks;
    spec.n_webhooks = 1;
    webhooks_add(w, JOB, &spec);
    task->array = &array;
    task->tenant = tenants_of_uid(&bare->b.tenants, geteuid());
    for (int i = 0; i < 10; i++) {
        webhooks_changed(w, task, PB__STATE__STATE_READY, PB__STATE__STATE_HELD, "HELD_USER");
        webhooks_changed(w, task, PB__STATE__STATE_READY, PB__STATE__STATE_RUNNING, "");
    }
    assert_int_equal(w->open, 10);
    task->array = NULL;
    waiting_drop(&bare->b.jobs.table, task);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_signature_is_that_of_another_program),
        cmocka_unit_test(pauses_grow_four_times_each),
        cmocka_unit_test_setup_teardown(one_that_always_fails_is_given_up_after_its_tries, setup, teardown),
        cmocka_unit_test_setup_teardown(gone_is_final_and_what_is_taken_is_over, setup, teardown),
        cmocka_unit_test_setup_teardown(one_with_which_the_courier_dies_twice_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tenant_has_a_bound_and_it_is_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(one_tenant_does_not_stop_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_sent_now_waits_and_what_never_can_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(events_of_tasks_are_told_by_what_was_kept_at_submit, setup, teardown),
        cmocka_unit_test(what_show_says_is_kept_of_a_tenants_newest_jobs),
        cmocka_unit_test_setup_teardown(a_refused_submit_leaves_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
