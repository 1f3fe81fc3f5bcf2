/* test_broker_asks.c - open asks: how many and how large, cancelled, late, and what becomes of them when an asker, a handle or a thing goes first. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asks_fixture.h"

/* An ask that waits for nothing that will ever come: for a call of an alias. */
static int waits(struct end *e, uint64_t number)
{
    ASK(m, AliasNext, ALIAS_NEXT, alias_next, ALIAS_NEXT);

    m.number = number;
    return says(e, &m);
}

static const Pb__Answer *lists(struct end *e)
{
    ASK(m, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);

    return asks(e, &m);
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------------------- */

static void every_ask_in_the_schema_has_a_row(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__ask__descriptor, *answers = &pb__answer__descriptor;
    unsigned rows = 0;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const struct call_row *row;

        if ((d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            continue;
        row = call_row((Pb__Ask__BodyCase)d->fields[i].id);
        assert_non_null(row);
        assert_string_equal(row->name, d->fields[i].name);
        assert_true(row->what[0] != '\0');
        assert_non_null(protobuf_c_message_descriptor_get_field(answers, row->answer));
        rows++;
    }
    for (unsigned i = 0; i < call_rows_count; i++)
        rows -= call_rows[i].apply != NULL;
    assert_int_equal(rows, 0); /* and no row beside */
    assert_null(call_row(PB__ASK__BODY__NOT_SET));
    assert_null(call_row((Pb__Ask__BodyCase)call_rows_count));
    assert_null(call_row((Pb__Ask__BodyCase)-1));
}

static void errors_of_calls_are_those_of_the_one_list(void **state)
{
    (void)state;
    for (unsigned i = 0; i < call_rows_count; i++) {
        const struct call_row *row = &call_rows[i];

        for (unsigned e = 0; e < 32 && row->apply != NULL; e++)
            if (call_may_fail(row, (Pb__CallError)e))
                assert_int_equal(call_error_find(call_error((Pb__CallError)e)->name), e); /* INTERNAL's row stands for unknown numbers */
        if (row->apply != NULL)
            assert_false(call_may_fail(row, CE(NONE)));
        if (row->apply != NULL && row->waits)
            assert_true(call_may_fail(row, CE(INTERRUPTED)) && call_may_fail(row, CE(TIMED_OUT)));
        if (row->apply != NULL && row->right[0] != '\0')
            assert_true(call_may_fail(row, CE(BAD_HANDLE)) && call_may_fail(row, CE(REVOKED)));
    }
}

/* ---- numbers -------------------------------------------------------------------------------------------------------------------------------- */

static void a_worker_that_uses_an_open_number_again_is_retired(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);

    assert_int_equal(waits(e, 5), 0);
    assert_int_equal(waits(e, 5), -EPROTO);
    assert_int_equal(e->w->phase, WORKER_ENDING);
    assert_int_equal(e->job->end.cause, PB__CAUSE__CAUSE_BAD_RESULT);
    assert_int_equal(e->asker->open, 0);
}

static void number_zero_and_an_empty_ask_are_lies(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL), *f = a_worker(w, NULL);
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Ask empty = PB__ASK__INIT;
    ASK(zero, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);

    m.body_case = PB__FROM_WORKER__BODY_ASK;
    m.ask = &zero;
    assert_int_equal(gate_deliver(e->w, &m), -EPROTO);
    empty.number = 1;
    m.ask = &empty;
    assert_int_equal(gate_deliver(f->w, &m), -EPROTO);
}

static void a_number_is_free_again_once_it_is_answered(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);

    for (int i = 0; i < 3; i++) {
        assert_int_equal(waits(e, 9), 0);
        answered(asks_cancel(e, 9), DONE);
        failed(heard(e, 9), INTERRUPTED, "it was interrupted");
    }
    assert_int_equal(e->asker->open, 0);
    assert_int_equal(e->asker->bytes, 0);
}

static void a_host_program_that_uses_a_number_twice_is_told_so(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);

    assert_int_equal(waits(e, 5), 0);
    assert_int_equal(waits(e, 5), -EPROTO); /* its verb answers: test_control_table */
    assert_int_equal(e->asker->open, 1);
}

/* ---- bounds --------------------------------------------------------------------------------------------------------------------------------- */

static void so_many_are_open_and_no_more(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);

    for (uint64_t i = 0; i < ASKS_OPEN; i++)
        assert_int_equal(waits(e, 1000 + i), 0);
    assert_int_equal(waits(e, 1), 0);
    failed(heard(e, 1), LIMIT, "2048 asks are open already");
    assert_int_equal(e->asker->open, ASKS_OPEN);
    answered(lists(e), HANDLES); /* what does not wait is answered all the same */
    answered(asks_cancel(e, 1000), DONE);
    assert_int_equal(waits(e, 2), 0);
    assert_null(heard(e, 2));
    failed(heard(e, 1000), INTERRUPTED, "");
}

/* The bytes of what waits count, not only how many they are. */
static void so_many_bytes_are_open_and_no_more(void **state)
{
    enum { EACH = 60 << 10 };
    struct world *w = *state;
    struct end *parent = a_worker(w, NULL), *child = a_worker(w, NULL);
    char *names[] = { "f" };
    struct alias_offers *o;
    struct call_why why;
    Pb__Value v = PB__VALUE__INIT;
    unsigned n = 0;

    assert_int_equal(aliases_offer(parent->asker, child->job->id, names, 1, &o, &why), 0);
    assert_int_equal(aliases_give(o, child->asker, &why), 0);
    v.cbor = (ProtobufCBinaryData){ EACH, calloc(1, EACH) };
    for (;; n++) {
        ASK(m, AliasCall, ALIAS_CALL, alias_call, ALIAS_CALL);

        m_body.name = "f";
        m_body.args = &v;
        assert_int_equal(says(child, &m), 0);
        if (heard(child, m.number) != NULL)
            break;
        assert_true(n <= ASKS_BYTES / EACH);
    }
    assert_true(n > ASKS_BYTES / EACH - 10);
    failed(heard(child, child->number), LIMIT, "the open asks have more than");
    leaves(child);
    assert_int_equal(child->asker->bytes, 0);
    aliases_free(o);
    free(v.cbor.data);
}

static void answers_that_nobody_reads_end_the_worker(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), "a name that makes the list of a full table a long one");
    unsigned n = 0;

    for (int i = 0; i < HANDLES_MAX; i++)
        given(e, t, UINT32_MAX, NULL);
    while (!e->asker->overrun && n++ < 1000) {
        ASK(m, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);

        assert_int_equal(says(e, &m), 0);
    }
    assert_true(e->asker->overrun);
    assert_int_equal(e->w->phase, WORKER_BUSY); /* nobody is retired in the midst of an answer */
    assert_true(link_unsent(&e->w->link) < LINK_ANSWERS_MAX + (2u << 20));
    timers_run(&w->bare.b.loop.timers, w->bare.b.loop.now_us);
    assert_int_equal(e->w->phase, WORKER_ENDING);
    assert_non_null(strstr(e->job->end.detail, "does not read its answers"));
    thing_unref(t);
}

/* ---- time ----------------------------------------------------------------------------------------------------------------------------------- */

static unsigned ends[8]; /* how often on_end came, by how */
static struct ask *parked;

static void note_end(struct ask *a, enum ask_end how)
{
    assert_ptr_equal(a, parked);
    ends[how]++;
    parked = NULL;
}

static void reply_at_end(struct ask *a, enum ask_end how)
{
    note_end(a, how);
    ask_done(a);
}

/* Rows of the table are const; this parks an ask as a call would, by hand. */
static struct ask *park_one(struct end *e, uint64_t timeout_us, void (*fn)(struct ask *, enum ask_end))
{
    struct ask *a;

    memset(ends, 0, sizeof(ends));
    assert_int_equal(waits(e, 77), 0);
    a = ask_find(e->asker, 77);
    a->on_end(a, ASK_GONE); /* out of the aliases' list */
    ask_park(a, timeout_us, fn, NULL);
    return parked = a;
}

static void a_deadline_answers_once(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct loop *l = &w->bare.b.loop;

    park_one(e, 500, note_end);
    timers_run(&l->timers, l->now_us + 499);
    assert_null(heard(e, 77));
    timers_run(&l->timers, l->now_us + 500);
    assert_int_equal(ends[ASK_TIMED_OUT], 1);
    failed(heard(e, 77), TIMED_OUT, "the time was over");
    park_one(e, 500, reply_at_end);
    timers_run(&l->timers, l->now_us + 500);
    answered(heard(e, 77), DONE); /* by who knows better */
    park_one(e, 500, note_end);
    ask_done(parked);
    assert_int_equal(timers_next(&l->timers), UINT64_MAX);
    park_one(e, UINT64_MAX - 5, note_end); /* past the end of time: none */
    assert_int_equal(timers_next(&l->timers), UINT64_MAX);
    ask_done(parked);
}

/* ---- cancelled --------------------------------------------------------------------------------------------------------------------------- */

static void a_cancel_answers_the_other_first(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    unsigned n;

    park_one(e, ASK_NEVER, note_end);
    n = e->n_heard;
    answered(asks_cancel(e, 77), DONE);
    assert_int_equal(ends[ASK_CANCELLED], 1);
    assert_int_equal(e->heard[n]->number, 77);
    failed(e->heard[n], INTERRUPTED, "");
    answered(asks_cancel(e, 77), DONE);            /* of none: nothing happens */
    answered(asks_cancel(e, e->number + 1), DONE); /* of itself */
}

static void nobody_cancels_anothers(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL), *f = a_worker(w, NULL);

    park_one(e, ASK_NEVER, note_end);
    answered(asks_cancel(f, 77), DONE);
    assert_null(heard(e, 77));
    assert_int_equal(ends[ASK_CANCELLED], 0);
}

/* ---- going ----------------------------------------------------------------------------------------------------------------------------------- */

static void an_asker_that_goes_ends_its_asks_without_an_answer(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w), *f = a_worker(w, NULL);

    park_one(e, 500, note_end);
    leaves(e);
    assert_int_equal(ends[ASK_GONE], 1);
    assert_int_equal(e->n_heard, 0);
    assert_int_equal(e->asker->open, 0);
    leaves(e); /* harmless */
    park_one(f, 500, note_end);
    leaves(f);
    assert_int_equal(ends[ASK_GONE], 1);
    assert_null(heard(f, 77));
    assert_int_equal(timers_next(&w->bare.b.loop.timers), UINT64_MAX);
}

static struct end *to_leave;

static void leave_at_end(struct ask *a, enum ask_end how)
{
    note_end(a, how);
    leaves(to_leave);
}

/* The end of an ask may be what retires its asker. */
static void an_asker_that_goes_because_an_ask_ends_is_let_go_once(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);

    to_leave = e;
    assert_int_equal(waits(e, 1), 0);
    park_one(e, 500, leave_at_end);
    assert_int_equal(waits(e, 2), 0);
    assert_null(asks_cancel(e, 77)); /* the cancel's own answer has nobody to go to either */
    assert_int_equal(ends[ASK_CANCELLED], 1);
    assert_int_equal(e->asker->open, 0);
    assert_int_equal(e->w->phase, WORKER_ENDING);
}

static void what_the_dead_said_counts_as_far_as_it_gives(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *h = given(e, t, UINT32_MAX, NULL), *below = handle_new(t, UINT32_MAX, h);

    e->asker->gone = true; /* its process has ended, its link is read to the end */
    assert_null(asks_attenuate(e, h->number, 0));
    assert_int_equal(e->asker->n_handles, 1);
    assert_int_equal(waits(e, 5), 0);
    assert_int_equal(e->asker->open, 0);
    assert_null(asks_revoke(e, h->number, "", KIND(NONE)));
    assert_null(below->thing); /* it took something back before it died */
    handle_drop(below);
    thing_unref(t);
}

/* ---- handles that they wait through --------------------------------------------------------------------------------------------------------- */

static void asks_end_with_the_handle_they_wait_through(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = handle_new(t, UINT32_MAX, NULL), *h = handle_new(t, UINT32_MAX, root), *h2;
    struct call_why why;

    assert_int_equal(handle_give(h, e->asker, NULL, &why), 0);
    ask_through(park_one(e, ASK_NEVER, note_end), h);
    handle_revoke(root);
    assert_int_equal(ends[ASK_REVOKED], 1);
    failed(heard(e, 77), REVOKED, "the handle through which it waited");
    h2 = given(e, t, UINT32_MAX, NULL);
    ask_through(park_one(e, ASK_NEVER, reply_at_end), h2);
    answered(asks_drop(e, h2->number), DONE);
    assert_int_equal(ends[ASK_CANCELLED], 1);
    answered(heard(e, 77), DONE);
    h2 = given(e, t, UINT32_MAX, NULL);
    ask_through(park_one(e, ASK_NEVER, note_end), h2);
    ask_done(parked); /* answered before: the handle knows it no more */
    assert_null(h2->asks);
    ask_through(park_one(e, ASK_NEVER, note_end), h2);
    thing_revoke_all(t);
    assert_int_equal(ends[ASK_REVOKED], 1);
    assert_int_equal(w->freed, 0);
    handle_drop(root);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

static unsigned order[2];

static void look_at_the_thing(struct ask *a, enum ask_end how)
{
    note_end(a, how);
    order[0] = the_world->freed;
    order[1] = the_world->unheld;
}

/* What an ask waits for must be there while it is unlinked from that. */
static void the_thing_outlives_the_asks_that_wait_for_it(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);

    for (int how = 0; how < 3; how++) {
        struct thing *t = a_thing(w, KIND(QUEUE), NULL);
        struct handle *h = given(e, t, UINT32_MAX, NULL);

        w->freed = w->unheld = 0;
        thing_unref(t); /* only the handle holds it */
        ask_through(park_one(e, ASK_NEVER, look_at_the_thing), h);
        if (how == 0)
            handle_drop(h);
        else if (how == 1)
            handle_end(h);
        else
            thing_revoke_all(t);
        assert_int_equal(order[0] + order[1], 0);
        assert_int_equal(w->freed, 1);
        assert_int_equal(w->unheld, 1);
    }
}

static struct handle *to_drop;

static void drop_at_end(struct ask *a, enum ask_end how)
{
    note_end(a, how);
    handle_drop(to_drop);
}

/* An ask's end may drop the very handle that was revoked from, and answer others of the same list. */
static void an_end_may_take_away_what_is_being_revoked(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = handle_new(t, UINT32_MAX, NULL), *h = handle_new(t, UINT32_MAX, root);

    to_drop = root;
    ask_through(park_one(e, ASK_NEVER, drop_at_end), h);
    handle_revoke(root);
    assert_int_equal(ends[ASK_REVOKED], 1);
    assert_null(h->thing);
    handle_drop(h);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_ask_in_the_schema_has_a_row),
        TEST(errors_of_calls_are_those_of_the_one_list),
        TEST(a_worker_that_uses_an_open_number_again_is_retired),
        TEST(number_zero_and_an_empty_ask_are_lies),
        TEST(a_number_is_free_again_once_it_is_answered),
        TEST(a_host_program_that_uses_a_number_twice_is_told_so),
        TEST(so_many_are_open_and_no_more),
        TEST(so_many_bytes_are_open_and_no_more),
        TEST(answers_that_nobody_reads_end_the_worker),
        TEST(a_deadline_answers_once),
        TEST(a_cancel_answers_the_other_first),
        TEST(nobody_cancels_anothers),
        TEST(an_asker_that_goes_ends_its_asks_without_an_answer),
        TEST(an_asker_that_goes_because_an_ask_ends_is_let_go_once),
        TEST(what_the_dead_said_counts_as_far_as_it_gives),
        TEST(asks_end_with_the_handle_they_wait_through),
        TEST(the_thing_outlives_the_asks_that_wait_for_it),
        TEST(an_end_may_take_away_what_is_being_revoked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
