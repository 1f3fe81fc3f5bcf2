/* test_interps.c - interpreters as the broker sees them: calls in line, errors, bounds, the tree, what a hostile worker may try. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "interps_fixture.h"

#define KIND(name) PB__CALL_KIND__CALL_KIND_##name
#define BODY(name) PB__ASK__BODY_INTERP_##name

static const Pb__InterpStatus *status_of(struct interp_fixture *fx, struct asker *by, Pb__Ref *ref)
{
    const Pb__Answer *a = fx_answer(fx, fx_simple(fx, by, BODY(INFO), ref));

    assert_non_null(a);
    assert_int_equal(a->body_case, PB__ANSWER__BODY_INTERP);
    return a->interp;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------------------- */

static void create_is_answered_when_it_has_begun_and_waits_for_no_commit(void **state)
{
    struct interp_fixture *fx = *state;
    uint64_t n = fx_create(fx, &fx->host, OW(NONE), "", 0);
    Pb__CallDone d = PB__CALL_DONE__INIT;
    struct played *p;

    assert_null(fx_answer(fx, n));
    p = fx_spare(fx);
    assert_null(fx_answer(fx, n));
    fx_starts_only(p);
    assert_null(fx_answer(fx, n));                                             /* its source runs */
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base), 0); /* nothing was collected from the store yet */
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    assert_string_equal(fx_answer(fx, n)->handle->id, p->job);
    assert_int_equal(fx->bare.b.pool.living, 1);
    assert_int_equal(fx->bare.b.pool.busy, 0); /* no slot of --workers */
}

/* Before it has started, and with what a call's would have. */
static void a_begin_that_is_told_otherwise_is_a_lie(void **state)
{
    struct interp_fixture *fx = *state;
    Pb__CallDone d = PB__CALL_DONE__INIT;
    Pb__Value v = PB__VALUE__INIT;
    struct played *p;

    for (int how = 0; how < 3; how++) {
        (void)fx_create(fx, &fx->host, OW(NONE), "", 0);
        p = fx_spare(fx);
        d.number = how == 1;
        d.value = how == 2 ? &v : NULL;
        if (how > 0)
            fx_starts_only(p);
        assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base), -EPROTO);
    }
}

static void a_named_one_is_answered_when_it_is_stored_too(void **state)
{
    struct interp_fixture *fx = *state;
    uint64_t n = fx_create(fx, &fx->host, OW(NAMED), "counter", 0);

    fx_starts(fx_spare(fx));
    assert_null(fx_answer(fx, n));
    fx_commit(fx);
    assert_string_equal(fx_answer(fx, n)->handle->name, "counter");
}

static void a_name_is_taken_once_and_free_after_the_end(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p;
    uint64_t n;

    fx_create(fx, &fx->host, OW(SESSION), "one", 0);
    p = fx_spare(fx);
    fx_starts(p);
    n = fx_create(fx, &fx->other, OW(NAMED), "one", 0);
    fx_failure(fx, n, CE(NAME_TAKEN));
    fx_is_done(fx, fx_simple(fx, &fx->other, BODY(KILL), fx_ref(0, "one")));
    assert_string_equal(fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, "one"), "f", 0), CE(DEAD))->receipt, p->job); /* not: not found */
    n = fx_create(fx, &fx->other, OW(SESSION), "one", 0);
    assert_null(fx_answer(fx, n));
}

static void who_may_own_what(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 3);
    struct frame f;
    uint64_t n;

    fx_failure(fx, fx_create(fx, &fx->host, OW(JOB), "", 0), CE(BAD_REQUEST));
    fx_failure(fx, fx_create(fx, &fx->host, (Pb__Owner)77, "", 0), CE(BAD_REQUEST));
    n = fx_create(fx, &p->w->asker, OW(SESSION), "", 0);
    assert_false(fx_hear(p, &f));
    fx_failure(fx, n, CE(NOT_ALLOWED));
    n = fx_create(fx, &p->w->asker, OW(NAMED), "x", 0);
    assert_false(fx_hear(p, &f));
    fx_failure(fx, n, CE(NOT_ALLOWED));
}

static void specs_that_make_no_interpreter_are_refused(void **state)
{
    static const struct {
        const char *engine, *source;
        Pb__StdinMode stdin_mode;
        Pb__CallError error;
    } rows[] = {
        {"exec",    "", PB__STDIN_MODE__STDIN_MODE_NONE,   CE(UNSUPPORTED)},
        { "lua",    "", PB__STDIN_MODE__STDIN_MODE_STREAM, CE(BAD_REQUEST)},
        { "native", "", PB__STDIN_MODE__STDIN_MODE_NONE,   CE(BAD_REQUEST)},
        { "luna",   "", PB__STDIN_MODE__STDIN_MODE_NONE,   CE(BAD_REQUEST)},
    };
    struct interp_fixture *fx = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
        Pb__JobSpec spec = PB__JOB_SPEC__INIT;

        spec.engine = (char *)rows[i].engine;
        spec.source = (ProtobufCBinaryData){ strlen(rows[i].source), (uint8_t *)rows[i].source };
        spec.stdin_mode = rows[i].stdin_mode;
        m.spec = &spec;
        fx_failure(fx, fx_ask(fx, &fx->host, BODY(CREATE), &m.base), rows[i].error);
    }
    assert_int_equal(fx->bare.b.interps.alive, 0);
}

static void there_are_no_more_than_the_broker_may_have(void **state)
{
    struct interp_fixture *fx = *state;

    fx->bare.b.config.interpreters = 2;
    fx_create(fx, &fx->host, OW(NONE), "", 0);
    fx_create(fx, &fx->host, OW(NONE), "", 0);
    fx_failure(fx, fx_create(fx, &fx->host, OW(NONE), "", 0), CE(LIMIT));
}

static void close_is_a_call_and_its_answer_the_result(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__Result r = PB__RESULT__INIT;
    uint64_t n = fx_simple(fx, &fx->host, BODY(CLOSE), fx_ref(0, p->job)), late, waiting;
    const Pb__CallFailure *f;

    assert_int_not_equal(fx_called(p, KIND(CLOSE), NULL), 0);
    assert_null(fx_answer(fx, n));
    fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0), CE(CLOSED));
    waiting = fx_simple(fx, &fx->host, BODY(WAIT), fx_ref(0, p->job));
    r.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_RESULT, &r.base), 0);
    fx_is_done(fx, n);
    late = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    f = fx_failure(fx, late, CE(CLOSED));
    assert_int_equal(f->cause, CA(OK));
    assert_string_equal(f->receipt, p->job);
    assert_null(fx_answer(fx, waiting)); /* its receipt is not there yet */
    fx_ends(p, CLD_KILLED, SIGKILL);
    fx_commit(fx);
    assert_int_equal(fx_answer(fx, waiting)->interp->state, IS(ENDED));
    assert_int_equal(fx->bare.b.interps.alive, 0);
}

static void close_and_reset_are_busy_while_a_call_runs(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t call = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);

    fx_failure(fx, fx_simple(fx, &fx->host, BODY(CLOSE), fx_ref(0, p->job)), CE(BUSY));
    fx_failure(fx, fx_simple(fx, &fx->host, BODY(RESET), fx_ref(0, p->job)), CE(BUSY));
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, call)->body_case, PB__ANSWER__BODY_RESULT);
    assert_null(fx_answer(fx, fx_simple(fx, &fx->host, BODY(CLOSE), fx_ref(0, p->job))));
}

static void one_that_does_not_close_in_time_is_killed_and_says_so(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t n = fx_simple(fx, &fx->host, BODY(CLOSE), fx_ref(0, p->job));

    fx_pass(fx, INTERPS_GRACE_US - 1);
    assert_null(fx_answer(fx, n));
    fx_pass(fx, 1);
    assert_non_null(strstr(fx_failure(fx, n, CE(EXECUTION_FAILED))->cause_detail, "did not end in time"));
    assert_int_equal(p->w->phase, WORKER_ENDING);
}

static void a_session_takes_its_own_along_and_nobody_elses(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *mine = fx_live(fx, 0), *named;
    uint64_t n = fx_create(fx, &fx->host, OW(NAMED), "stays", 0);

    named = fx_spare(fx);
    fx_starts(named);
    fx_commit(fx);
    assert_non_null(fx_answer(fx, n));
    interps_session_over(&fx->host);
    asker_finish(&fx->host);
    assert_int_equal(mine->w->phase, WORKER_ENDING);
    assert_int_equal(named->w->phase, WORKER_BUSY);
    assert_int_equal(status_of(fx, &fx->other, fx_ref(0, "stays"))->state, IS(IDLE));
    assert_int_equal(fx_failure(fx, fx_call(fx, &fx->other, fx_ref(0, mine->job), "f", 0), CE(DEAD))->cause, CA(CANCELLED));
}

static void a_create_that_nobody_waits_for_any_more_makes_nothing(void **state)
{
    struct interp_fixture *fx = *state;
    Pb__AskCancel c = PB__ASK_CANCEL__INIT;

    c.number = fx_create(fx, &fx->host, OW(NONE), "", 0);
    fx_ask(fx, &fx->host, PB__ASK__BODY_ASK_CANCEL, &c.base);
    fx_failure(fx, c.number, CE(INTERRUPTED));
    assert_int_equal(fx->bare.b.interps.alive, 0);
    fx_commit(fx);
    assert_int_equal(HASH_COUNT(fx->bare.b.jobs.by_id), 0);
}

static void reset_makes_a_new_process_under_the_same_id(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0), *again;
    char id[ULID_LEN + 1];
    uint64_t n, call;

    strcpy(id, p->job);
    n = fx_simple(fx, &fx->host, BODY(RESET), fx_ref(0, id));
    call = fx_call(fx, &fx->host, fx_ref(0, id), "f", 0); /* waits for the new one */
    assert_int_equal(p->w->phase, WORKER_ENDING);
    fx_ends(p, CLD_KILLED, SIGKILL);
    assert_null(fx_answer(fx, n));
    again = fx_spare(fx);
    fx_starts(again);
    fx_is_done(fx, n);
    assert_string_equal(again->job, id);
    assert_int_equal(fx_done(again, fx_called(again, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, call)->body_case, PB__ANSWER__BODY_RESULT);
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, id))->incarnation, 2);
}

/* ---- calls --------------------------------------------------------------------------------------------------------------------------------- */

static void one_call_runs_and_the_others_come_in_their_order(void **state)
{
    static const char *const names[] = { "first", "second", "third" };
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t asked[3], told;
    char text[64];

    for (int i = 0; i < 3; i++)
        asked[i] = fx_call(fx, &fx->host, fx_ref(0, p->job), names[i], 0);
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, p->job))->waiting, 2);
    assert_string_equal(status_of(fx, &fx->host, fx_ref(0, p->job))->running, "first");
    for (int i = 0; i < 3; i++) {
        struct frame f;

        told = fx_called(p, KIND(CALL), text);
        assert_string_equal(text, names[i]);
        assert_false(fx_hear(p, &f)); /* no other meanwhile */
        assert_null(fx_answer(fx, asked[i]));
        assert_int_equal(fx_done(p, told, NULL), 0);
        assert_int_equal(fx_answer(fx, asked[i])->result->value->cbor.data[0], 7);
    }
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, p->job))->calls, 3);
}

static void a_call_says_where_its_output_lies(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__Output o = PB__OUTPUT__INIT;
    uint64_t n;

    o.stream = PB__STREAM__STREAM_STDOUT;
    o.data = (ProtobufCBinaryData){ 3, (uint8_t *)"abc" };
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_OUTPUT, &o.base), 0);
    n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_OUTPUT, &o.base), 0);
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, n)->result->stdout_from, 3);
    assert_int_equal(fx_answer(fx, n)->result->stdout_to, 6);
}

static void so_many_calls_may_wait_and_no_more(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__InterpExec big = PB__INTERP_EXEC__INIT;
    uint8_t *bytes = calloc(1, LIMITS_SOURCE + 1);

    for (int i = 0; i < 1 + INTERPS_WAITING; i++)
        assert_null(fx_answer(fx, fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0)));
    fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0), CE(LIMIT));
    p = fx_live(fx, 0);
    big.interp = fx_ref(0, p->job);
    big.source = (ProtobufCBinaryData){ LIMITS_SOURCE + 1, bytes };
    fx_failure(fx, fx_ask(fx, &fx->host, BODY(EXEC), &big.base), CE(TOO_BIG));
    fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0); /* runs */
    big.source.len = LIMITS_SOURCE;
    for (unsigned sum = 0; sum + LIMITS_SOURCE < INTERPS_WAITING_BYTES; sum += LIMITS_SOURCE)
        assert_null(fx_answer(fx, fx_ask(fx, &fx->host, BODY(EXEC), &big.base)));
    fx_failure(fx, fx_ask(fx, &fx->host, BODY(EXEC), &big.base), CE(LIMIT));
    free(bytes);
}

/* Each interpreter has a line, and there are thousands of those. */
static void all_lines_together_are_bounded_too(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0), *idle = fx_live(fx, 0);
    uint64_t runs = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0), waits, n;
    size_t *all = &fx->bare.b.interps.waiting_bytes;

    assert_int_equal(*all, 0);
    waits = fx_call(fx, &fx->host, fx_ref(0, p->job), "g", 0);
    assert_int_not_equal(*all, 0);
    *all += INTERPS_WAITING_ALL;
    n = fx_call(fx, &fx->host, fx_ref(0, p->job), "h", 0);
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "256 MiB of calls"));
    n = fx_call(fx, &fx->host, fx_ref(0, idle->job), "f", 0); /* it waits for nobody */
    assert_null(fx_answer(fx, n));
    *all -= INTERPS_WAITING_ALL;
    fx_simple(fx, &fx->host, BODY(KILL), fx_ref(0, p->job));
    fx_failure(fx, runs, CE(EXECUTION_FAILED));
    fx_failure(fx, waits, CE(DEAD));
    assert_int_equal(*all, 0);
}

static void what_waits_leaves_the_line_when_its_time_is_over(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t first = fx_call(fx, &fx->host, fx_ref(0, p->job), "first", 0);
    uint64_t second = fx_call(fx, &fx->host, fx_ref(0, p->job), "second", 1000);
    uint64_t third = fx_call(fx, &fx->host, fx_ref(0, p->job), "third", 0);
    char text[64];

    fx_pass(fx, 1000);
    fx_failure(fx, second, CE(TIMED_OUT));
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0);
    assert_non_null(fx_answer(fx, first));
    assert_int_not_equal(fx_called(p, KIND(CALL), text), 0);
    assert_string_equal(text, "third");
    assert_null(fx_answer(fx, third));
}

static void what_runs_too_long_is_interrupted_and_holds_its_place_until_it_is_over(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t first = fx_call(fx, &fx->host, fx_ref(0, p->job), "first", 1000), told = fx_called(p, KIND(CALL), NULL);
    uint64_t second = fx_call(fx, &fx->host, fx_ref(0, p->job), "second", 0);
    Pb__CallFailure interrupted = PB__CALL_FAILURE__INIT;

    fx_pass(fx, 1000);
    fx_failure(fx, first, CE(TIMED_OUT));
    assert_int_equal(fx_called(p, KIND(CALL), NULL), 0);
    interrupted.error = CE(INTERRUPTED);
    assert_int_equal(fx_done(p, told, &interrupted), 0);
    fx_pass(fx, INTERPS_GRACE_US); /* it ended in time: it lives on */
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, second)->body_case, PB__ANSWER__BODY_RESULT);
}

static void what_does_not_heed_an_interrupt_is_killed_and_the_next_hear_so(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t first = fx_call(fx, &fx->host, fx_ref(0, p->job), "first", 0), second = fx_call(fx, &fx->host, fx_ref(0, p->job), "second", 0);

    fx_is_done(fx, fx_simple(fx, &fx->host, BODY(INTERRUPT), fx_ref(0, p->job)));
    fx_pass(fx, INTERPS_GRACE_US);
    assert_int_equal(fx_failure(fx, first, CE(EXECUTION_FAILED))->cause, CA(CANCELLED));
    assert_non_null(strstr(fx_failure(fx, second, CE(DEAD))->cause_detail, "did not end in time"));
}

static void an_interrupt_of_nothing_is_nothing(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);

    fx_is_done(fx, fx_simple(fx, &fx->host, BODY(INTERRUPT), fx_ref(0, p->job)));
    fx_pass(fx, INTERPS_GRACE_US);
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, p->job))->state, IS(IDLE));
}

static void a_cancelled_ask_is_answered_and_its_call_is_interrupted(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__AskCancel c = PB__ASK_CANCEL__INIT;
    struct job *job = p->w->job;

    c.number = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    fx_ask(fx, &fx->host, PB__ASK__BODY_ASK_CANCEL, &c.base);
    fx_failure(fx, c.number, CE(INTERRUPTED));
    assert_int_not_equal(job->interp->grace.place, 0);
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0); /* it had just ended: nobody hears */
    assert_int_equal(job->interp->state, IS(IDLE));
}

static void its_own_errors_reach_the_caller_as_they_are(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;
    uint64_t n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);

    e.type = "string";
    e.message = "boom";
    e.traceback = "f:1: in function";
    f.error = CE(EXECUTION_FAILED);
    f.message = "boom";
    f.remote = &e;
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), &f), 0);
    assert_string_equal(fx_failure(fx, n, CE(EXECUTION_FAILED))->remote->traceback, "f:1: in function");
    assert_string_equal(fx_failure(fx, n, CE(EXECUTION_FAILED))->receipt, ""); /* it lives */
}

static void a_death_during_a_call_is_an_execution_that_failed_and_the_rest_hear_that_it_is_dead(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t first = fx_call(fx, &fx->host, fx_ref(0, p->job), "first", 0), second = fx_call(fx, &fx->host, fx_ref(0, p->job), "second", 0);
    uint64_t wait = fx_simple(fx, &fx->other, BODY(WAIT), fx_ref(0, p->job));
    struct store_blob receipt = { 0 };
    char id[ULID_LEN + 1];

    strcpy(id, p->job);
    fx_ends(p, CLD_DUMPED, SIGSEGV);
    assert_int_equal(fx_failure(fx, first, CE(EXECUTION_FAILED))->cause, CA(SIGNAL));
    assert_string_equal(fx_failure(fx, first, CE(EXECUTION_FAILED))->receipt, id);
    assert_int_equal(fx_failure(fx, second, CE(DEAD))->cause, CA(SIGNAL));
    fx_commit(fx);
    assert_int_equal(fx_answer(fx, wait)->interp->cause, CA(SIGNAL));
    assert_int_equal(store_read_receipt(fx->store, id, &receipt), 0); /* a monitor's word is good */
    free(receipt.bytes);
    assert_int_equal(fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, id), "f", 0), CE(DEAD))->cause, CA(SIGNAL));
    assert_int_equal(fx_answer(fx, fx_simple(fx, &fx->host, BODY(WAIT), fx_ref(0, id)))->interp->cause, CA(SIGNAL)); /* at once */
}

static void a_killed_process_is_not_made_again_its_state_is_lost(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);

    fx_ends(p, CLD_KILLED, SIGKILL);
    assert_int_equal(fx_failure(fx, n, CE(EXECUTION_FAILED))->cause, CA(WORKER_LOST));
    assert_int_equal(fx->bare.b.jobs.waiting, 0);
}

static void so_many_of_the_dead_are_remembered(void **state)
{
    struct interp_fixture *fx = *state;
    char first[ULID_LEN + 1], last[ULID_LEN + 1] = "";

    fx->bare.b.config.interpreters = 10000;
    for (int i = 0; i <= INTERPS_ENDED; i++) {
        Pb__AskCancel c = PB__ASK_CANCEL__INIT;
        struct interp *it;

        c.number = fx_create(fx, &fx->host, OW(NONE), "", 0);
        it = ask_find(&fx->host, c.number)->thing;
        strcpy(i == 0 ? first : last, it->thing.id);
        fx_ask(fx, &fx->host, PB__ASK__BODY_ASK_CANCEL, &c.base);
        if (i % 100 == 0)
            fx_commit(fx);
    }
    fx_commit(fx);
    fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, last), "f", 0), CE(DEAD));
    assert_null(thing_find(fx->bare.own, PB__KIND__KIND_INTERP, first));
    assert_int_equal(fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, first), "f", 0), CE(DEAD))->cause,
                     CA(CANCELLED)); /* the store knows */
    fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, "01HZZZZZZZ0000000000000001"), "f", 0), CE(NOT_FOUND));
}

/* ---- hostile ------------------------------------------------------------------------------------------------------------------------------- */

static void assert_retired(struct played *p, int rc)
{
    assert_int_equal(rc, -EPROTO);
    assert_int_equal(p->w->phase, WORKER_ENDING);
}

static void an_answer_that_is_none_ends_who_gave_it(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    uint64_t n, told;

    assert_retired(p, fx_done(p, 1, NULL)); /* no call has been made */
    p = fx_live(fx, 0);
    n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    told = fx_called(p, KIND(CALL), NULL);
    assert_retired(p, fx_done(p, told + 1, NULL));
    assert_int_equal(fx_failure(fx, n, CE(EXECUTION_FAILED))->cause, CA(BAD_RESULT));
    p = fx_live(fx, 0);
    n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    told = fx_called(p, KIND(CALL), NULL);
    assert_int_equal(fx_done(p, told, NULL), 0);
    assert_retired(p, fx_done(p, told, NULL)); /* twice */
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_RESULT);
}

static void it_may_not_say_what_is_for_the_broker_to_say(void **state)
{
    struct interp_fixture *fx = *state;
    char *many[] = { "x" };
    char *text = malloc(80000);
    Pb__JobError e = PB__JOB_ERROR__INIT;

    memset(text, 'a', 79999);
    text[79999] = '\0';
    for (int i = 0; i < 11; i++) {
        struct played *p = fx_live(fx, 0);
        Pb__CallFailure f = PB__CALL_FAILURE__INIT;

        fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
        f.error = i == 0 ? CE(DEAD) : i == 1 ? CE(NONE) : i == 2 ? CE(TIMED_OUT) : i == 3 ? (Pb__CallError)99 : CE(NOT_SHAREABLE);
        f.cause = i == 4 ? CA(OOM) : CA(NONE);
        f.cause_detail = i == 5 ? "words" : "";
        f.receipt = i == 6 ? "01HZZZZZZZ0000000000000001" : "";
        f.n_cycle = i == 7;
        f.cycle = many;
        f.message = i == 8 ? text : "";
        f.path = i == 9 ? text : "";
        f.remote = i == 10 ? &e : NULL;
        assert_retired(p, fx_done(p, fx_called(p, KIND(CALL), NULL), &f));
    }
    free(text);
}

static void a_value_with_handles_that_are_not_its_own_is_not_shareable(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    Pb__CallDone d = PB__CALL_DONE__INIT;
    Pb__Value v = PB__VALUE__INIT;
    Pb__Handle h = PB__HANDLE__INIT, *list[] = { &h };
    uint64_t n = fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);

    h.handle = 4711;
    h.kind = PB__KIND__KIND_INTERP;
    v.handles = list;
    v.n_handles = 1;
    d.value = &v;
    d.number = fx_called(p, KIND(CALL), NULL);
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base), 0);
    fx_failure(fx, n, CE(NOT_SHAREABLE));
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, p->job))->state, IS(IDLE));
}

static void a_plain_job_answers_no_calls(void **state)
{
    struct interp_fixture *fx = *state;
    Pb__CallDone d = PB__CALL_DONE__INIT;
    struct played p = { .fd = -1 };
    struct job *job;

    p.w = bare_worker_in(&fx->bare, WORKER_BUSY, &job);
    assert_retired(&p, fx_says(&p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base));
}

static void a_plain_job_is_told_of_itself(void **state)
{
    struct interp_fixture *fx = *state;
    const Pb__InterpStatus *s;
    struct job *job;
    struct played p = { .fd = -1 };
    struct frame f;
    uint64_t n;

    p.w = bare_worker_in(&fx->bare, WORKER_BUSY, &job);
    p.fd = bare_open_link(&fx->bare, p.w);
    asker_init(&p.w->asker, &fx->bare.b, p.w, 0);
    n = fx_simple(fx, &p.w->asker, BODY(INFO), fx_ref(0, ""));
    assert_false(fx_hear(&p, &f));
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_INTERP);
    s = fx_answer(fx, n)->interp;
    assert_string_equal(s->interp->id, job->id);
    assert_int_equal(s->interp->handle, 0);
    assert_string_equal(s->whence, "job");
    assert_int_equal(s->state, IS(RUNNING));
    assert_int_equal(s->limits->memory_bytes, job->limits.memory_bytes);
    asker_finish(&p.w->asker);
    close(p.fd);
}

/* What each uses is read in the machine: of few. */
static void a_list_of_few_says_what_each_uses_and_one_of_many_does_not(void **state)
{
    struct interp_fixture *fx = *state;
    Pb__InterpList list = PB__INTERP_LIST__INIT;
    const Pb__InterpStatusList *l;

    fx_live(fx, 0)->w->pid = getpid();
    l = fx_answer(fx, fx_ask(fx, &fx->host, BODY(LIST), &list.base))->interps;
    assert_int_equal(l->n_interps, 1);
    assert_int_equal(l->interps[0]->pid, getpid());
    assert_true(l->interps[0]->mem_bytes > 0);
    for (size_t i = 0; i < 64; i++)
        (void)fx_create(fx, &fx->host, OW(NONE), "", 0);
    l = fx_answer(fx, fx_ask(fx, &fx->host, BODY(LIST), &list.base))->interps;
    assert_int_equal(l->n_interps, 65);
    for (size_t i = 0; i < l->n_interps; i++)
        assert_int_equal(l->interps[i]->pid, 0);
}

static void a_worker_names_others_by_its_handles_only(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2), *other = fx_live(fx, 0);
    struct frame f;
    uint64_t n = fx_call(fx, &p->w->asker, fx_ref(0, other->job), "f", 0), guess = fx_call(fx, &p->w->asker, fx_ref(1, NULL), "f", 0);

    assert_false(fx_hear(p, &f));
    fx_failure(fx, n, CE(NOT_ALLOWED));
    fx_failure(fx, guess, CE(BAD_HANDLE));
}

/* ---- the tree ------------------------------------------------------------------------------------------------------------------------------ */

static void children_end_with_their_maker_and_theirs_with_them(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *top = fx_live(fx, 5), *middle, *leaf;
    uint32_t h;

    middle = fx_child(fx, top, 2, &h);
    leaf = fx_child(fx, middle, 0, &h);
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, leaf->job))->depth, 3);
    assert_string_equal(status_of(fx, &fx->host, fx_ref(0, leaf->job))->parent, middle->job);
    assert_string_equal(status_of(fx, &fx->host, fx_ref(0, leaf->job))->whence, "spawned");
    assert_int_equal(top->w->job->n_below, 2);
    fx_ends(top, CLD_KILLED, SIGKILL);
    assert_int_equal(middle->w->phase, WORKER_ENDING);
    assert_int_equal(leaf->w->phase, WORKER_ENDING);
    assert_int_equal(fx->bare.b.interps.alive, 0);
    assert_non_null(strstr(middle->w->job->end.detail, "its maker"));
}

static void a_maker_has_so_many_alive_with_all_of_theirs(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *top = fx_live(fx, 2), *middle;
    struct frame f;
    uint32_t h;
    uint64_t n;

    n = fx_create(fx, &top->w->asker, OW(NONE), "", 3); /* more than its maker */
    assert_false(fx_hear(top, &f));
    fx_failure(fx, n, CE(LIMIT));
    middle = fx_child(fx, top, 2, &h);
    fx_child(fx, middle, 0, &h);
    n = fx_create(fx, &middle->w->asker, OW(NONE), "", 0); /* its own two, but one above has none left */
    assert_false(fx_hear(middle, &f));
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "above"));
    n = fx_create(fx, &top->w->asker, OW(NONE), "", 0);
    assert_false(fx_hear(top, &f));
    fx_failure(fx, n, CE(LIMIT));
}

static void without_the_capability_there_are_no_children(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 0);
    struct frame f;
    uint64_t n = fx_create(fx, &p->w->asker, OW(NONE), "", 0);

    assert_false(fx_hear(p, &f));
    fx_failure(fx, n, CE(NOT_ALLOWED));
}

static void who_makes_them_in_a_loop_is_stopped(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2), *child;
    struct frame f;
    uint32_t h;
    uint64_t n;

    p->w->job->made_below = INTERPS_MADE - 1;
    child = fx_child(fx, p, 1, &h); /* the last, also for what it would make */
    assert_int_equal(p->w->job->made_below, INTERPS_MADE);
    n = fx_create(fx, &child->w->asker, OW(NONE), "", 0);
    assert_false(fx_hear(child, &f));
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "too fast"));
    p->w->job->made_below = INTERPS_MADE + 1;
    n = fx_create(fx, &p->w->asker, OW(NONE), "", 0);
    assert_false(fx_hear(p, &f));
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "too fast"));
}

static void the_tree_is_so_deep_and_no_deeper(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 20);
    struct frame f;
    uint32_t h;
    uint64_t n;

    p->w->job->limits.memory_bytes = p->w->job->interp->limits.memory_bytes = 4096ull << 20;
    for (int depth = 2; depth <= INTERPS_DEPTH; depth++) {
        p = fx_child(fx, p, 20, &h);
        p->w->job->limits.memory_bytes = 4096ull << 20;
    }
    n = fx_create(fx, &p->w->asker, OW(NONE), "", 0);
    assert_false(fx_hear(p, &f));
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "deep"));
}

static uint64_t create_with(struct interp_fixture *fx, struct played *p, const char *limits, char *cap)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];
    struct frame f;
    uint64_t n;

    spec.engine = "lua";
    spec.limits = &l;
    spec.caps = &cap;
    spec.n_caps = cap != NULL;
    m.spec = &spec;
    assert_int_equal(limits[0] != '\0' ? limits_parse(limits, &l, why) : 0, 0);
    n = fx_ask(fx, &p->w->asker, BODY(CREATE), &m.base);
    assert_false(fx_hear(p, &f));
    return n;
}

/* An even part of what is left, but no less than an eighth of it; at the end the least that an engine has, and then nothing. */
static void a_child_that_asks_for_no_memory_gets_a_part_of_use_or_none(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 64);
    uint64_t left, got, n;

    create_with(fx, p, "memory=48M", NULL);
    fx_starts(fx_spare(fx));
    for (left = 16u << 20; left >= 1u << 20; left -= got) {
        struct played *child;

        create_with(fx, p, "", NULL);
        child = fx_spare(fx);
        fx_starts(child);
        got = child->w->job->limits.memory_bytes;
        assert_int_equal(got, left / 8 > 1u << 20 ? left / 8 : 1u << 20);
    }
    n = create_with(fx, p, "", NULL);
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "limit memory: "));
}

static void limits_and_capabilities_only_shrink(void **state)
{
    static const char *const too_much[] = { "memory=65M", "cpu=11s", "wall=61s", "tasklets=100001", "stdout=2M" };
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 4), *child;
    uint64_t n;

    for (size_t i = 0; i < sizeof(too_much) / sizeof(too_much[0]); i++)
        fx_failure(fx, create_with(fx, p, too_much[i], NULL), CE(LIMIT));
    fx_failure(fx, create_with(fx, p, "", "queue=x:send"), CE(NOT_ALLOWED));
    n = create_with(fx, p, "memory=60M", NULL);
    child = fx_spare(fx);
    fx_starts(child);
    assert_null(fx_answer(fx, 0));
    fx_failure(fx, create_with(fx, p, "memory=5M", NULL), CE(LIMIT)); /* 4M are left */
    assert_int_equal(child->w->job->limits.memory_bytes, 60u << 20);
    (void)n;
    create_with(fx, p, "", NULL); /* asks for nothing: an even part of what is left */
    child = fx_spare(fx);
    fx_starts(child);
    assert_int_equal(child->w->job->limits.memory_bytes, (4u << 20) / 3);
}

static uint64_t create_from(struct interp_fixture *fx, struct played *p, const char *template, char *cap)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;
    struct frame f;
    uint64_t n;

    l.memory_bytes = 1u << 20;
    spec.limits = &l;
    spec.caps = &cap;
    spec.n_caps = cap != NULL;
    m.spec = &spec;
    m.template_ = (char *)template;
    n = fx_ask(fx, &p->w->asker, BODY(CREATE), &m.base);
    assert_false(fx_hear(p, &f));
    return n;
}

static void give_template(struct job *job, const char *name)
{
    job->caps.templates = calloc(1, sizeof(*job->caps.templates));
    job->caps.n_templates = 1;
    strcpy(job->caps.templates[0].name, name);
}

/* bare@1 is there, others are not: without the capability that cannot be told apart. */
static void a_template_is_named_by_who_has_the_capability_for_it(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 4), *other = fx_live(fx, 4), *own = fx_live(fx, 4);
    struct template *t = bare_template(&fx->bare, bare_worker(&fx->bare), NULL, NULL);
    static const char *const guesses[] = { "bare", "bare@1", "bare@2", "bare@01", "absent", "absent@1", "@", "@1", "bare@" };
    const Pb__CallFailure *f;
    uint64_t n;

    t->limits.memory_bytes = 8u << 20;
    for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
        f = fx_failure(fx, create_from(fx, p, guesses[i], NULL), CE(NOT_ALLOWED));
        assert_non_null(strstr(f->message, "has not the capability template="));
    }
    f = fx_failure(fx, create_from(fx, p, "\x1b[2Jbare\n", NULL), CE(NOT_ALLOWED));
    assert_null(strpbrk(f->message, "\x1b\n"));
    fx_failure(fx, create_with(fx, p, "", "template=bare"), CE(NOT_ALLOWED)); /* nor can it be given to a child */
    give_template(other->w->job, "bare");
    fx_failure(fx, create_from(fx, other, "bare@2", NULL), CE(NOT_FOUND));
    fx_failure(fx, create_from(fx, other, "bar", NULL), CE(NOT_ALLOWED));
    n = create_from(fx, other, "bare", "template=bare");
    assert_null(fx_answer(fx, n)); /* it is being made */
    assert_ptr_equal(other->w->job->below->job->template, t);
    assert_true(job_caps_template(&other->w->job->below->job->caps, "bare@7"));
    own->w->job->template = template_ref(t); /* it runs in one itself */
    give_template(own->w->job, t->full);
    n = create_from(fx, own, "bare", NULL);
    assert_null(fx_answer(fx, n));
    assert_ptr_equal(own->w->job->below->job->template, t);
    fx_failure(fx, create_from(fx, own, "bare@2", NULL), CE(NOT_ALLOWED));
}

static void a_child_that_nobody_holds_any_more_is_closed(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2), *child;
    uint32_t h;

    child = fx_child(fx, p, 0, &h);
    handle_drop(handle_find(&p->w->asker, h));
    assert_int_not_equal(fx_called(child, KIND(CLOSE), NULL), 0);
    child = fx_child(fx, p, 0, &h);
    fx_call(fx, &p->w->asker, fx_ref(h, NULL), "f", 0);
    handle_drop(handle_find(&p->w->asker, h));
    assert_int_equal(fx_done(child, fx_called(child, KIND(CALL), NULL), NULL), 0); /* what runs, ends */
    assert_int_not_equal(fx_called(child, KIND(CLOSE), NULL), 0);
}

static void links_end_both_and_a_good_end_ends_nobody(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 3), *good, *bad, *free_one;
    Pb__InterpLink undo = PB__INTERP_LINK__INIT;
    Pb__Result r = PB__RESULT__INIT;
    uint32_t hg, hb, hf;
    struct frame f;

    good = fx_child(fx, p, 0, &hg);
    bad = fx_child(fx, p, 0, &hb);
    free_one = fx_child(fx, p, 0, &hf);
    fx_simple(fx, &p->w->asker, BODY(LINK), fx_ref(hg, NULL));
    fx_simple(fx, &p->w->asker, BODY(LINK), fx_ref(hb, NULL));
    fx_simple(fx, &p->w->asker, BODY(LINK), fx_ref(hf, NULL));
    undo.interp = fx_ref(hf, NULL);
    undo.undo = true;
    fx_ask(fx, &p->w->asker, BODY(LINK), &undo.base);
    fx_ends(free_one, CLD_KILLED, SIGKILL);
    assert_int_equal(p->w->phase, WORKER_BUSY);
    fx_simple(fx, &p->w->asker, BODY(CLOSE), fx_ref(hg, NULL));
    r.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    assert_int_equal(fx_says(good, PB__FROM_WORKER__BODY_RESULT, &r.base), 0);
    assert_int_equal(p->w->phase, WORKER_BUSY);
    assert_false(fx_hear(p, &f));
    fx_ends(bad, CLD_DUMPED, SIGSEGV);
    assert_int_equal(p->w->phase, WORKER_ENDING);
    assert_non_null(strstr(p->w->job->end.detail, "linked to"));
    assert_non_null(strstr(p->w->job->end.detail, "signal"));
}

static void a_link_to_one_that_is_being_closed_is_refused_as_documented(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2), *child;
    struct frame f;
    uint32_t h;
    uint64_t n;

    child = fx_child(fx, p, 0, &h);
    fx_simple(fx, &p->w->asker, BODY(CLOSE), fx_ref(h, NULL));
    assert_int_not_equal(fx_called(child, KIND(CLOSE), NULL), 0);
    n = fx_simple(fx, &p->w->asker, BODY(LINK), fx_ref(h, NULL));
    assert_false(fx_hear(p, &f));
    fx_failure(fx, n, CE(CLOSED));
    assert_true(call_may_fail(call_row(BODY(LINK)), CE(CLOSED)));
}

/* ---- deadlocks ----------------------------------------------------------------------------------------------------------------------------- */

static void a_call_to_oneself_is_a_deadlock_of_one(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2);
    struct interp *i = p->w->job->interp;
    struct handle *own = handle_new(&i->thing, RIGHTS_INTERP, NULL);
    struct call_why why;
    struct frame f;
    uint64_t n;

    assert_int_equal(handle_give(own, &p->w->asker, NULL, &why), 0);
    fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0);
    assert_int_not_equal(fx_called(p, KIND(CALL), NULL), 0);
    n = fx_call(fx, &p->w->asker, fx_ref(own->number, NULL), "g", 0);
    assert_false(fx_hear(p, &f));
    assert_int_equal(fx_failure(fx, n, CE(DEADLOCK))->n_cycle, 1);
    assert_string_equal(fx_failure(fx, n, CE(DEADLOCK))->cycle[0], p->job);
}

static uint32_t give(struct played *to, struct played *what)
{
    struct handle *h = handle_new(&what->w->job->interp->thing, RIGHTS_INTERP, NULL);
    struct call_why why;

    assert_int_equal(handle_give(h, &to->w->asker, NULL, &why), 0);
    return h->number;
}

static void a_cycle_of_three_is_named_in_its_order(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *a = fx_live(fx, 0), *b = fx_live(fx, 0), *c = fx_live(fx, 0);
    struct frame f;
    uint64_t n;

    fx_call(fx, &fx->host, fx_ref(0, a->job), "f", 0);
    fx_called(a, KIND(CALL), NULL);
    fx_call(fx, &a->w->asker, fx_ref(give(a, b), NULL), "f", 0);
    fx_called(b, KIND(CALL), NULL);
    fx_call(fx, &b->w->asker, fx_ref(give(b, c), NULL), "f", 0);
    fx_called(c, KIND(CALL), NULL);
    n = fx_call(fx, &c->w->asker, fx_ref(give(c, a), NULL), "f", 0);
    assert_false(fx_hear(c, &f));
    assert_int_equal(fx_failure(fx, n, CE(DEADLOCK))->n_cycle, 3);
    assert_string_equal(fx_failure(fx, n, CE(DEADLOCK))->cycle[0], c->job);
    assert_string_equal(fx_failure(fx, n, CE(DEADLOCK))->cycle[1], a->job);
    assert_string_equal(fx_failure(fx, n, CE(DEADLOCK))->cycle[2], b->job);
}

static void who_is_idle_can_be_called_back(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *a = fx_live(fx, 0), *b = fx_live(fx, 0);

    fx_call(fx, &a->w->asker, fx_ref(give(a, b), NULL), "f", 0); /* out of no call of its own */
    fx_called(b, KIND(CALL), NULL);
    fx_call(fx, &b->w->asker, fx_ref(give(b, a), NULL), "g", 0);
    assert_int_not_equal(fx_called(a, KIND(CALL), NULL), 0);
}

static void what_nobody_waits_for_any_more_is_no_part_of_a_cycle(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *a = fx_live(fx, 0), *b = fx_live(fx, 0);
    Pb__AskCancel cancel = PB__ASK_CANCEL__INIT;
    struct frame f;
    uint64_t n;

    fx_call(fx, &fx->host, fx_ref(0, a->job), "f", 0);
    fx_called(a, KIND(CALL), NULL);
    cancel.number = fx_call(fx, &a->w->asker, fx_ref(give(a, b), NULL), "f", 0);
    fx_called(b, KIND(CALL), NULL);
    fx_ask(fx, &a->w->asker, PB__ASK__BODY_ASK_CANCEL, &cancel.base);
    n = fx_call(fx, &b->w->asker, fx_ref(give(b, a), NULL), "g", 0);
    assert_false(fx_hear(b, &f));
    assert_null(fx_answer(fx, n)); /* waits for a's call, which will end */
}

/* ---- named ones ---------------------------------------------------------------------------------------------------------------------------- */

static void a_named_one_is_made_anew_by_the_next_broker_at_its_first_use(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p;
    char id[ULID_LEN + 1], lost[ULID_LEN + 1];
    uint64_t n;

    strcpy(lost, fx_live(fx, 0)->job);
    fx_create(fx, &fx->host, OW(NAMED), "stays", 3);
    p = fx_spare(fx);
    fx_starts(p);
    fx_commit(fx);
    strcpy(id, p->job);
    store_close(fx->store); /* the broker is killed: nothing is said any more */
    fx->bare.b.store = fx->store = NULL;
    for (unsigned i = 0; i < fx->n_played; i++)
        fx->played[i].w->job->interp->session = NULL;
    asker_finish(&fx->host);
    asker_init(&fx->host, &fx->bare.b, NULL, 1);
    bare_bind(&fx->bare, &fx->host, geteuid(), ACTOR_ALL);
    pool_finish(&fx->bare.b.pool);
    bare_clear(&fx->bare);
    assert_int_equal(store_open(fx->bare.dir, &fx->store, fx->why), 0);
    fx->bare.b.store = fx->store;
    assert_int_equal(jobs_recover(&fx->bare.b.jobs), 0);
    assert_string_equal(status_of(fx, &fx->host, fx_ref(0, "stays"))->interp->id, id);
    assert_string_equal(status_of(fx, &fx->host, fx_ref(0, "stays"))->whence, "adopted");
    assert_int_equal(status_of(fx, &fx->host, fx_ref(0, "stays"))->incarnation, 2);
    assert_int_equal(fx->bare.b.jobs.waiting, 0);
    n = fx_call(fx, &fx->host, fx_ref(0, "stays"), "f", 0);
    p = fx_spare(fx);
    fx_starts(p);
    assert_int_equal(p->w->job->caps.interpreters, 3);
    assert_int_equal(fx_done(p, fx_called(p, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_RESULT);
    fx_commit(fx);
    {
        struct store_job job;

        assert_int_equal(store_find(fx->store, lost, &job), 0);
        assert_int_equal(job.cause, CA(BROKER_LOST));
    }
}

static void one_that_was_never_used_again_is_closed_without_a_process(void **state)
{
    struct interp_fixture *fx = *state;

    fx_create(fx, &fx->host, OW(NAMED), "stays", 0);
    fx_starts(fx_spare(fx));
    fx_commit(fx);
    store_close(fx->store);
    fx->bare.b.store = fx->store = NULL;
    pool_finish(&fx->bare.b.pool);
    bare_clear(&fx->bare);
    assert_int_equal(store_open(fx->bare.dir, &fx->store, fx->why), 0);
    fx->bare.b.store = fx->store;
    assert_int_equal(jobs_recover(&fx->bare.b.jobs), 0);
    assert_int_equal(fx->bare.b.interps.unstarted, 1);
    fx_is_done(fx, fx_simple(fx, &fx->host, BODY(CLOSE), fx_ref(0, "stays")));
    fx_commit(fx);
    assert_int_equal(HASH_COUNT(fx->bare.b.jobs.by_id), 0);
    assert_int_equal(fx->bare.b.interps.unstarted, 0);
}

static void a_broker_that_leaves_ends_those_of_sessions_after_their_call_and_keeps_named_ones(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *idle = fx_live(fx, 0), *runs = fx_live(fx, 0), *named;
    uint64_t n = fx_call(fx, &fx->host, fx_ref(0, runs->job), "f", 0);
    unsigned others;

    fx_create(fx, &fx->host, OW(NAMED), "stays", 0);
    named = fx_spare(fx);
    fx_starts(named);
    fx->bare.b.phase = BROKER_DRAINING;
    interps_drain(&fx->bare.b);
    assert_int_equal(idle->w->phase, WORKER_ENDING);
    assert_int_equal(runs->w->phase, WORKER_BUSY);
    assert_int_equal(interps_resting(&fx->bare.b, &others), 1);
    assert_int_equal(others, 1);
    assert_int_equal(fx_done(runs, fx_called(runs, KIND(CALL), NULL), NULL), 0);
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_RESULT);
    assert_int_equal(runs->w->phase, WORKER_ENDING);
    assert_int_equal(named->w->phase, WORKER_BUSY);
    assert_int_equal(interps_resting(&fx->bare.b, &others), 1);
    assert_int_equal(others, 0);
}

static void what_waits_for_a_worker_when_the_broker_leaves_is_told_or_left_to_the_next(void **state)
{
    struct interp_fixture *fx = *state;
    struct played *p = fx_live(fx, 2);
    uint64_t session = fx_create(fx, &fx->host, OW(NONE), "", 0), child = fx_create(fx, &p->w->asker, OW(NONE), "", 0), reset;
    struct frame f;
    unsigned others;

    fx_create(fx, &fx->host, OW(NAMED), "stays", 0);
    fx_call(fx, &fx->host, fx_ref(0, p->job), "f", 0); /* so that p stays for now */
    fx->bare.b.phase = BROKER_DRAINING;
    interps_drain(&fx->bare.b);
    fx_failure(fx, session, CE(EXECUTION_FAILED));
    assert_int_not_equal(fx_called(p, KIND(CALL), NULL), 0);
    assert_false(fx_hear(p, &f));
    fx_failure(fx, child, CE(EXECUTION_FAILED));
    reset = fx_create(fx, &p->w->asker, OW(NONE), "", 0);
    assert_false(fx_hear(p, &f));
    fx_failure(fx, reset, CE(TEMPORARY));
    assert_int_equal(interps_resting(&fx->bare.b, &others), 0);
    assert_int_equal(others, 1); /* p; the named one waits in the queue, for the next broker */
    assert_int_equal(fx->bare.b.jobs.waiting, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_is_answered_when_it_has_begun_and_waits_for_no_commit),
        TEST(a_begin_that_is_told_otherwise_is_a_lie),
        TEST(a_named_one_is_answered_when_it_is_stored_too),
        TEST(a_name_is_taken_once_and_free_after_the_end),
        TEST(who_may_own_what),
        TEST(specs_that_make_no_interpreter_are_refused),
        TEST(there_are_no_more_than_the_broker_may_have),
        TEST(close_is_a_call_and_its_answer_the_result),
        TEST(close_and_reset_are_busy_while_a_call_runs),
        TEST(one_that_does_not_close_in_time_is_killed_and_says_so),
        TEST(a_session_takes_its_own_along_and_nobody_elses),
        TEST(a_create_that_nobody_waits_for_any_more_makes_nothing),
        TEST(reset_makes_a_new_process_under_the_same_id),
        TEST(one_call_runs_and_the_others_come_in_their_order),
        TEST(a_call_says_where_its_output_lies),
        TEST(so_many_calls_may_wait_and_no_more),
        TEST(all_lines_together_are_bounded_too),
        TEST(what_waits_leaves_the_line_when_its_time_is_over),
        TEST(what_runs_too_long_is_interrupted_and_holds_its_place_until_it_is_over),
        TEST(what_does_not_heed_an_interrupt_is_killed_and_the_next_hear_so),
        TEST(an_interrupt_of_nothing_is_nothing),
        TEST(a_cancelled_ask_is_answered_and_its_call_is_interrupted),
        TEST(its_own_errors_reach_the_caller_as_they_are),
        TEST(a_death_during_a_call_is_an_execution_that_failed_and_the_rest_hear_that_it_is_dead),
        TEST(a_killed_process_is_not_made_again_its_state_is_lost),
        TEST(so_many_of_the_dead_are_remembered),
        TEST(an_answer_that_is_none_ends_who_gave_it),
        TEST(it_may_not_say_what_is_for_the_broker_to_say),
        TEST(a_value_with_handles_that_are_not_its_own_is_not_shareable),
        TEST(a_plain_job_answers_no_calls),
        TEST(a_plain_job_is_told_of_itself),
        TEST(a_list_of_few_says_what_each_uses_and_one_of_many_does_not),
        TEST(a_child_that_asks_for_no_memory_gets_a_part_of_use_or_none),
        TEST(a_worker_names_others_by_its_handles_only),
        TEST(children_end_with_their_maker_and_theirs_with_them),
        TEST(a_maker_has_so_many_alive_with_all_of_theirs),
        TEST(without_the_capability_there_are_no_children),
        TEST(who_makes_them_in_a_loop_is_stopped),
        TEST(the_tree_is_so_deep_and_no_deeper),
        TEST(limits_and_capabilities_only_shrink),
        TEST(a_template_is_named_by_who_has_the_capability_for_it),
        TEST(a_child_that_nobody_holds_any_more_is_closed),
        TEST(links_end_both_and_a_good_end_ends_nobody),
        TEST(a_link_to_one_that_is_being_closed_is_refused_as_documented),
        TEST(a_call_to_oneself_is_a_deadlock_of_one),
        TEST(a_cycle_of_three_is_named_in_its_order),
        TEST(who_is_idle_can_be_called_back),
        TEST(what_nobody_waits_for_any_more_is_no_part_of_a_cycle),
        TEST(a_named_one_is_made_anew_by_the_next_broker_at_its_first_use),
        TEST(one_that_was_never_used_again_is_closed_without_a_process),
        TEST(what_waits_for_a_worker_when_the_broker_leaves_is_told_or_left_to_the_next),
        TEST(a_broker_that_leaves_ends_those_of_sessions_after_their_call_and_keeps_named_ones),
    };

    return cmocka_run_group_tests_name("interps", tests, NULL, NULL);
}
