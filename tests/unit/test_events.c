/* test_events.c - the ring of events: numbers, what is kept and what was missed, filters, who may hear what, long-polls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "broker/control_verbs.h"
#include "broker/events.h"

#define ST(name) PB__STATE__STATE_##name

static const char *const job_a = "01HZZZZZZZ000000000000000A", *const job_b = "01HZZZZZZZ000000000000000B";

static struct {
    struct bare_broker bare;
    struct frame reply;
    unsigned replies;
    struct tenant *one, *two;
} * now;

static void hear(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    uint8_t *bytes;
    size_t len;

    (void)s;
    (void)way;
    frame_release(&now->reply);
    assert_int_equal(frame_pack(m, &bytes, &len), 0);
    assert_int_equal(frame_decode(&now->reply, &pb__reply__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    free(bytes);
    now->replies++;
}

static int setup(void **state)
{
    (void)state;
    now = calloc(1, sizeof(*now));
    if (now == NULL || bare_start(&now->bare) != 0)
        return -1;
    now->bare.b.control.send = hear;
    events_init(&now->bare.b.events, &now->bare.b);
    now->one = tenants_of_uid(&now->bare.b.tenants, 1001);
    now->two = tenants_of_uid(&now->bare.b.tenants, 1002);
    return now->one != NULL && now->two != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    frame_release(&now->reply);
    events_finish(&now->bare.b.events);
    bare_stop(&now->bare);
    free(now);
    return 0;
}

/* The number of the n-th event, from 1. */
static uint64_t nth(unsigned n)
{
    return now->bare.b.events.first_seq + n - 1;
}

static void tell(const char *job, const struct tenant *t, const char *reason)
{
    struct event_note n = { .kind = EVENT_STATE, .job = job, .tenant = t, .from = ST(READY), .to = ST(HELD), .reason = reason };

    events_tell(&now->bare.b.events, &n);
}

/* Asks; the answer, or NULL when it waits. */
static const Pb__EventsReply *ask(struct tenant *t, unsigned scopes, uint64_t seq, uint32_t ms, const char *job)
{
    struct control_call c = {
        .broker = &now->bare.b, .way = {1, 1}
    };
    Pb__Request q = PB__REQUEST__INIT;
    Pb__GetEvents e = PB__GET_EVENTS__INIT;
    unsigned before = now->replies;

    e.seq = seq;
    e.timeout_ms = ms;
    if (job != NULL)
        e.job = (char *)job;
    q.body_case = PB__REQUEST__BODY_EVENTS;
    q.events = &e;
    c.request = &q;
    c.actor.tenant = t;
    c.actor.scopes = scopes;
    verb_events(&c);
    return now->replies > before ? ((const Pb__Reply *)now->reply.msg)->events : NULL;
}

static void they_come_in_order_with_what_was_said_of_them(void **state)
{
    const Pb__EventsReply *r;

    (void)state;
    tell(job_a, now->one, "HELD_USER");
    tell(job_b, now->one, "");
    r = ask(now->one, ACTOR_READ, 1, 0, NULL);
    assert_int_equal(r->n_events, 2);
    assert_int_equal(r->seq, nth(3));
    assert_int_equal(r->missed, 0);
    assert_false(r->restarted);
    assert_int_equal(r->events[0]->seq, nth(1));
    assert_string_equal(r->events[0]->kind, "state");
    assert_string_equal(r->events[0]->job, job_a);
    assert_string_equal(r->events[0]->tenant, "uid-1001");
    assert_string_equal(r->events[0]->reason, "HELD_USER");
    assert_int_equal(r->events[0]->to, ST(HELD));
    assert_string_equal(r->events[1]->job, job_b);
    assert_int_equal(ask(now->one, ACTOR_READ, nth(2), 0, NULL)->n_events, 1);
    assert_int_equal(ask(now->one, ACTOR_READ, 0, 0, NULL)->n_events, 0); /* from now on */
}

/* Who followed the broker before this one, and comes with its number. */
static void a_number_of_an_earlier_broker_is_known_as_one(void **state)
{
    const uint64_t before = nth(1) - 5000000, ahead = nth(1) + 5000000; /* and one whose clock was set back since */
    const Pb__EventsReply *r;

    (void)state;
    assert_true(ask(now->one, ACTOR_READ, before, 1000, NULL)->restarted); /* at once: nothing has happened yet */
    tell(job_a, now->one, "");
    tell(job_b, now->one, "");
    for (int i = 0; i < 2; i++) {
        r = ask(now->one, ACTOR_READ, i == 0 ? before : ahead, 1000, NULL);
        assert_true(r->restarted);
        assert_int_equal(r->missed, 0);
        assert_int_equal(r->n_events, 2);
        assert_int_equal(r->seq, nth(3));
    }
    assert_null(ask(now->one, ACTOR_READ, nth(3), 1000, NULL)); /* and is told once */
    r = ask(now->one, ACTOR_READ, 1, 0, NULL);
    assert_false(r->restarted);
    assert_int_equal(r->n_events, 2);
    for (unsigned i = 0; i < EVENTS_KEPT; i++)
        tell(job_a, now->one, "");
    r = ask(now->one, ACTOR_READ, before, 0, NULL);
    assert_true(r->restarted);
    assert_int_equal(r->missed, 2);
}

static void nobody_hears_of_other_tenants(void **state)
{
    struct event_note broker = { .kind = EVENT_BROKER, .reason = "DRAIN" };

    (void)state;
    tell(job_a, now->one, "");
    tell(job_b, now->two, "");
    events_tell(&now->bare.b.events, &broker);
    assert_int_equal(ask(now->two, ACTOR_READ, 1, 0, NULL)->n_events, 1);
    assert_string_equal(((const Pb__Reply *)now->reply.msg)->events->events[0]->job, job_b);
    assert_int_equal(ask(now->one, ACTOR_READ, 1, 0, job_b)->n_events, 0);
    assert_int_equal(ask(now->one, ACTOR_ALL, 1, 0, NULL)->n_events, 3);
}

static void a_filter_by_job_leaves_the_others_out(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        tell(job_a, now->one, "");
        tell(job_b, now->one, "");
    }
    assert_int_equal(ask(now->one, ACTOR_READ, 1, 0, job_a)->n_events, 3);
    (void)ask(now->one, ACTOR_READ, 1, 0, "01HZ");
    assert_int_equal(((const Pb__Reply *)now->reply.msg)->error->code, PB__ERROR_CODE__ERROR_CODE_USAGE);
}

static void what_has_gone_by_is_counted(void **state)
{
    const Pb__EventsReply *r;

    (void)state;
    for (unsigned i = 0; i < EVENTS_KEPT + 10; i++)
        tell(job_a, now->one, "");
    r = ask(now->one, ACTOR_READ, 1, 0, NULL);
    assert_int_equal(r->missed, 10);
    assert_int_equal(r->events[0]->seq, nth(11));
    assert_int_equal(r->n_events, EVENTS_REPLY);
    assert_int_equal(r->seq, nth(11 + EVENTS_REPLY));
    assert_int_equal(now->bare.b.events.cap, EVENTS_KEPT);
    r = ask(now->one, ACTOR_READ, nth(EVENTS_KEPT + 10), 0, NULL);
    assert_int_equal(r->n_events, 1);
    assert_int_equal(r->missed, 0);
}

static void run_timers(uint64_t us)
{
    struct loop *l = &now->bare.b.loop;

    l->now_us += us;
    timers_run(&l->timers, l->now_us);
}

/* One tenant's waits leave those of others, and of operators, their places. */
static void waits_are_bounded_for_each_tenant(void **state)
{
    (void)state;
    for (int i = 0; i < EVENTS_TENANT; i++)
        assert_null(ask(now->one, ACTOR_READ, 0, 1000, NULL));
    (void)ask(now->one, ACTOR_READ, 0, 1000, NULL);
    assert_int_equal(((const Pb__Reply *)now->reply.msg)->error->code, PB__ERROR_CODE__ERROR_CODE_QUOTA);
    now->replies = 0;
    (void)ask(now->two, ACTOR_READ, 0, 1000, NULL);
    (void)ask(now->one, ACTOR_ALL, 0, 1000, NULL);
    assert_int_equal(now->replies, 0);
}

static void whoever_waits_is_answered_once_a_round_or_when_its_time_is_over(void **state)
{
    (void)state;
    assert_null(ask(now->one, ACTOR_READ, 0, 1000, NULL));
    tell(job_b, now->two, ""); /* not its */
    run_timers(1);
    assert_int_equal(now->replies, 0);
    tell(job_a, now->one, "");
    tell(job_a, now->one, "");
    assert_int_equal(now->replies, 0);
    run_timers(1);
    assert_int_equal(now->replies, 1);
    assert_int_equal(((const Pb__Reply *)now->reply.msg)->events->n_events, 2);
    assert_null(ask(now->one, ACTOR_READ, 0, 1000, NULL));
    run_timers(999999);
    assert_int_equal(now->replies, 1);
    run_timers(1);
    assert_int_equal(now->replies, 2);
    assert_int_equal(((const Pb__Reply *)now->reply.msg)->events->n_events, 0);
    assert_null(ask(now->one, ACTOR_READ, 0, 1000, NULL));
    events_drop_peer(&now->bare.b.events, 1);
    tell(job_a, now->one, "");
    run_timers(2000000);
    assert_int_equal(now->replies, 2);
    assert_int_equal(now->bare.b.events.n_waiters, 0);
}

static void so_many_may_wait_and_no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENTS_WAITS; i++)
        assert_null(ask(now->one, ACTOR_ALL, 0, 1000, NULL));
    (void)ask(now->one, ACTOR_ALL, 0, 1000, NULL);
    assert_int_equal(((const Pb__Reply *)now->reply.msg)->error->code, PB__ERROR_CODE__ERROR_CODE_QUOTA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(they_come_in_order_with_what_was_said_of_them),
        TEST(a_number_of_an_earlier_broker_is_known_as_one),
        TEST(nobody_hears_of_other_tenants),
        TEST(a_filter_by_job_leaves_the_others_out),
        TEST(what_has_gone_by_is_counted),
        TEST(waits_are_bounded_for_each_tenant),
        TEST(whoever_waits_is_answered_once_a_round_or_when_its_time_is_over),
        TEST(so_many_may_wait_and_no_more),
    };

    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
