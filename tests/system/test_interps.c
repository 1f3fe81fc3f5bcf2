/* test_interps.c - interpreters on a real broker: their state, their limits, their ends, and the ends of who made them. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/host.h"

#define CE(name)   PB__CALL_ERROR__CALL_ERROR_##name
#define CA(name)   PB__CAUSE__CAUSE_##name
#define IS(name)   PB__INTERP_STATE__INTERP_STATE_##name
#define OW(name)   PB__OWNER__OWNER_##name
#define BODY(name) PB__ASK__BODY_INTERP_##name
#define FOR_EVER   "while true do end"

static const Pb__InterpStatus *status(struct coop_client *c, const char *id)
{
    const Pb__Answer *a = host_answer(host_simple(c, BODY(INFO), id));

    assert_int_equal(a->body_case, PB__ANSWER__BODY_INTERP);
    return a->interp;
}

/* Its end, when it has come. */
static const Pb__InterpStatus *ended(struct coop_client *c, const char *id)
{
    const Pb__Answer *a = host_answer(host_simple(c, BODY(WAIT), id));

    assert_int_equal(a->body_case, PB__ANSWER__BODY_INTERP);
    assert_int_equal(a->interp->state, IS(ENDED));
    return a->interp;
}

static void wait_until_running(struct coop_client *c, const char *id)
{
    while (status(c, id)->state != IS(RUNNING)) /* each is a question and its answer: no time is waited for */
        ;
}

/* ---- state -------------------------------------------------------------------------------------------------------------------------- */

static void what_is_defined_stays_until_it_is_closed(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    id = host_interp(c, OW(NONE), "", "");
    host_runs(c, id, "n = 0; function add(x) n = n + x; return n end");
    assert_int_equal(host_calls(c, id, "add", 3), 3);
    assert_int_equal(host_calls(c, id, "add", 4), 7);
    assert_int_equal(host_answer(host_prepare(c, id, "\xa1\x61n\x14", 4))->body_case, PB__ANSWER__BODY_RESULT); /* n = 20 */
    assert_int_equal(host_calls(c, id, "add", 1), 21);
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), id))->body_case, PB__ANSWER__BODY_DONE);
    (void)host_failure(host_exec(c, id, "x = 1", 0), CE(CLOSED));
    assert_int_equal(ended(c, id)->cause, CA(OK));
    assert_string_equal(json_str(receipt_of(b, id), "cause"), "ok");
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void what_it_prints_is_in_its_log_and_ls_marks_it(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    struct proc *p;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    id = host_interp(c, OW(NONE), "", "");
    host_runs(c, id, "print('one')");
    host_runs(c, id, "print('two')");
    p = proc_expect(coop(b, "ls", "--json"), 0);
    expect_has(p->out, "\"interp\"");
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), id))->body_case, PB__ANSWER__BODY_DONE);
    (void)ended(c, id);
    p = proc_expect(coop(b, "logs", id), 0);
    expect_text(p->out, "one\ntwo\n");
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void a_reset_one_has_forgotten_everything_and_keeps_its_id(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    uint32_t pid;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    id = host_interp(c, OW(NONE), "", "");
    host_runs(c, id, "n = 5");
    pid = status(c, id)->pid;
    assert_int_equal(host_answer(host_simple(c, BODY(RESET), id))->body_case, PB__ANSWER__BODY_DONE);
    host_runs(c, id, "assert(n == nil)");
    assert_int_not_equal(status(c, id)->pid, pid);
    assert_int_equal(status(c, id)->incarnation, 2);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static char *interp_from(struct coop_client *c, const char *template, Pb__Owner owner, const char *name)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    const Pb__Answer *a;

    s.name = (char *)name;
    m.spec = &s;
    m.template_ = (char *)template;
    m.owner = owner;
    a = host_answer(host_ask(c, BODY(CREATE), &m));
    if (a->body_case != PB__ANSWER__BODY_HANDLE)
        support_fail("no interpreter: %s", a->failure->message);
    return a->handle->id;
}

static void one_from_a_template_has_its_state_and_again_after_a_reset(void **state)
{
    static const char init[] = "n = 41; function get(x) n = n + x; return n - 30 end";
    struct broker *b = *state;
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    struct coop_client *c;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    s.engine = "lua";
    s.source_name = "init.lua";
    s.source = (ProtobufCBinaryData){ strlen(init), (uint8_t *)init };
    m.name = "warm";
    m.spec = &s;
    assert_int_equal(host_answer(host_ask(c, PB__ASK__BODY_TEMPLATE_BUILD, &m))->body_case, PB__ANSWER__BODY_TEMPLATE);
    id = interp_from(c, "warm", OW(NAMED), "one");
    assert_int_equal(host_calls(c, id, "get", 1), 12);
    assert_int_equal(host_calls(c, id, "get", 1), 13);
    assert_string_equal(status(c, id)->whence, "template");
    assert_string_equal(status(c, id)->template_, "warm@1");
    assert_int_equal(host_answer(host_simple(c, BODY(RESET), id))->body_case, PB__ANSWER__BODY_DONE);
    assert_int_equal(host_calls(c, id, "get", 1), 12);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    c = host_open(b->url);
    assert_string_equal(status(c, "one")->whence, "adopted");
    assert_int_equal(host_calls(c, "one", "get", 2), 13); /* of the template, built anew */
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), "one"))->body_case, PB__ANSWER__BODY_DONE);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

/* ---- limits and interrupts ------------------------------------------------------------------------------------------------------------ */

static void an_interrupted_call_ends_and_its_interpreter_lives(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    struct coop_op *op;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    id = host_interp(c, OW(NONE), "", "");
    host_runs(c, id, "n = 7; function get(x) return n + x end");
    op = host_exec(c, id, FOR_EVER, 0);
    wait_until_running(c, id);
    assert_int_equal(host_answer(host_simple(c, BODY(INTERRUPT), id))->body_case, PB__ANSWER__BODY_DONE);
    (void)host_failure(op, CE(INTERRUPTED));
    (void)host_failure(host_exec(c, id, FOR_EVER, 20000), CE(TIMED_OUT));
    assert_int_equal(host_calls(c, id, "get", 1), 8);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void limits_of_time_hold_for_each_call_and_idle_between_them(void **state)
{
    static const struct {
        const char *limits, *source;
        Pb__Cause cause;
        const char *words;
    } rows[] = {
        {"cpu=300ms,wall=60s", FOR_EVER, CA(CPU_LIMIT),  "cpu limit of 300ms for a call"},
        { "wall=300ms",        FOR_EVER, CA(WALL_LIMIT), "a call of it"                 },
    };
    struct broker *b = *state;
    struct coop_client *c;
    struct coop_op *made, *run;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const Pb__CallFailure *f;

        id = host_interp(c, OW(NONE), "", rows[i].limits);
        f = host_failure(host_exec(c, id, rows[i].source, 0), CE(EXECUTION_FAILED));
        assert_int_equal(f->cause, rows[i].cause);
        assert_non_null(strstr(f->cause_detail, rows[i].words));
        assert_int_equal(ended(c, id)->cause, rows[i].cause);
        assert_non_null(receipt_of(b, f->receipt));
    }
    id = host_interp(c, OW(NONE), "", "stdout=1K"); /* of its life: what is beyond is dropped, and it goes on */
    for (int i = 0; i < 3; i++)
        host_runs(c, id, "for i = 1, 2000 do io.write('abcdefgh') end");
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), id))->body_case, PB__ANSWER__BODY_DONE);
    assert_int_equal(ended(c, id)->cause, CA(OK));
    id = host_interp(c, OW(NONE), "", "cpu=1s"); /* three calls that take more than that together */
    for (int i = 0; i < 3; i++)
        host_runs(c, id, "local t0 = os.clock(); while os.clock() - t0 < 0.6 do end");
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), id))->body_case, PB__ANSWER__BODY_DONE);
    made = host_ask_interp(c, OW(NAMED), "idler", "idle=150ms");
    run = host_exec(c, "idler", "local t0 = os.clock(); while os.clock() - t0 < 0.4 do end",
                    0); /* it waits there: no time is idle before it */
    id = host_answer(made)->handle->id;
    assert_int_equal(host_answer(run)->body_case, PB__ANSWER__BODY_RESULT); /* a call is not idle */
    assert_int_equal(ended(c, id)->cause, CA(IDLE_LIMIT));
    assert_non_null(strstr(ended(c, id)->cause_detail, "no call came"));
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void os_exit_and_a_refused_call_end_it_with_their_cause(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    const Pb__CallFailure *f;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    id = host_interp(c, OW(NONE), "", "");
    f = host_failure(host_exec(c, id, "os.exit(3)", 0), CE(EXECUTION_FAILED));
    assert_int_equal(f->cause, CA(EXIT));
    (void)ended(c, id);
    assert_string_equal(json_str(receipt_of(b, id), "cause"), "exit");
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

/* ---- kill -9 --------------------------------------------------------------------------------------------------------------------------- */

enum call_kind { EXEC, CALL, PREPARE, CLOSE, WAITING, IDLE, KINDS };

/* It hangs in a call of this kind: the process is stopped, so that nothing it does is missed. */
static void a_killed_process_is_told_to_all_who_wait_for_it_whatever_it_did(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;

    broker_up(b);
    c = host_open(b->url);
    for (int kind = EXEC; kind < KINDS; kind++) {
        char *id = host_interp(c, OW(NONE), "", "");
        pid_t pid = (pid_t)status(c, id)->pid;
        struct coop_op *op = NULL, *second = NULL, *monitor = host_simple(c, BODY(WAIT), id);
        const Pb__CallFailure *f;

        host_runs(c, id, "function f() end");
        support_kill(pid, SIGSTOP);
        if (kind == EXEC)
            op = host_exec(c, id, FOR_EVER, 0);
        else if (kind == CALL || kind == WAITING)
            op = host_call(c, id, "f", "\x80", 1);
        else if (kind == PREPARE)
            op = host_prepare(c, id, "\xa1\x61n\x14", 4);
        else if (kind == CLOSE)
            op = host_simple(c, BODY(CLOSE), id);
        if (kind == WAITING)
            second = host_call(c, id, "f", "\x80", 1);
        (void)status(c, id); /* behind it: the broker has it */
        support_kill(pid, SIGKILL);
        if (op != NULL) {
            f = host_failure(op, CE(EXECUTION_FAILED));
            assert_int_equal(f->cause, CA(WORKER_LOST));
            assert_string_equal(f->receipt, id);
        }
        if (second != NULL)
            assert_int_equal(host_failure(second, CE(DEAD))->cause, CA(WORKER_LOST));
        assert_int_equal(host_answer(monitor)->interp->cause, CA(WORKER_LOST));
        assert_string_equal(json_str(receipt_of(b, id), "cause"), "worker_lost"); /* at once: a monitor's word is good */
        (void)host_failure(host_call(c, id, "f", "\x80", 1), CE(DEAD));
    }
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void a_killed_broker_leaves_nothing_and_the_next_one_makes_named_ones_anew(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    struct tree *tree;
    char *session, *named;
    json_t *receipt;

    broker_up(b);
    c = host_open(b->url);
    session = host_interp(c, OW(SESSION), "mine", "");
    named = host_interp(c, OW(NAMED), "counter", "idle=1h");
    host_runs(c, named, "n = 1");
    (void)host_exec(c, session, FOR_EVER, 0);
    wait_until_running(c, session);
    tree = tree_of(b->proc->pid);
    broker_kill(b);
    for (unsigned i = 0; i < tree->n; i++)
        proc_wait_gone(tree->pidfds[i]);
    coop_client_close(c);
    broker_up(b);
    c = host_open(b->url);
    receipt = expect_end(b, session, "broker_lost");
    assert_non_null(receipt);
    assert_string_equal(status(c, "counter")->interp->id, named);
    assert_string_equal(status(c, "counter")->whence, "adopted");
    assert_int_equal(status(c, "counter")->pid, 0); /* not before it is used */
    host_runs(c, "counter", "assert(n == nil); n = 2");
    assert_true(status(c, "counter")->incarnation >= 2);
    assert_int_equal(broker_down(b), 0); /* which keeps it again */
    coop_client_close(c);
    broker_up(b);
    c = host_open(b->url);
    host_runs(c, "counter", "assert(n == nil)");
    assert_int_equal(host_answer(host_simple(c, BODY(CLOSE), "counter"))->body_case, PB__ANSWER__BODY_DONE);
    assert_non_null(expect_end(b, named, "ok"));
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void a_session_that_is_over_takes_its_interpreters_along(void **state)
{
    struct broker *b = *state;
    struct coop_client *c, *other;
    char *id;

    broker_up(b);
    c = host_open(b->url);
    other = host_open(b->url);
    id = host_interp(c, OW(SESSION), "", "");
    (void)host_exec(c, id, FOR_EVER, 0);
    wait_until_running(other, id);
    coop_client_close(c);
    assert_int_equal(ended(other, id)->cause, CA(CANCELLED));
    coop_client_close(other);
    assert_int_equal(broker_down(b), 0);
}

/* ---- from inside ---------------------------------------------------------------------------------------------------------------------- */

#define INTERPRETERS "local I = require 'coop.interpreters'\n"

static void a_script_makes_interpreters_and_they_make_theirs(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    broker_up(b);
    p = proc_expect(coop(b, "run", "--cap", "interpreters=3",
                         script(b, "tree.lua",
                                INTERPRETERS "local a = I.create{caps = {'interpreters=1'}}\n"
                                             "a:exec[[I = require 'coop.interpreters'\n"
                                             "function f(x) c = c or I.create(); c:exec('n = (n or 0) + 1; function get() return n end')\n"
                                             "return c:call('get') + x end]]\n"
                                             "print(a:call('f', 10), a:call('f', 20), a:info().children)\n"
                                             "print(select(2, pcall(a.call, a, 'nothing')).type)\n")),
                    0);
    expect_text(p->out, "11\t22\t1\nNoFunction\n");
    assert_int_equal(broker_down(b), 0);
}

static void the_cpu_limit_of_a_job_is_that_of_its_interpreters_too(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    broker_up(b);
    p = proc_expect(coop(b, "run", "--limit", "cpu=500ms", "--cap", "interpreters=2",
                         script(b, "burn.lua",
                                INTERPRETERS "for round = 1, 1000 do\nlocal a = I.create()\n"
                                             "a:exec[[local t0 = os.clock(); while os.clock() - t0 < 0.05 do end]]\na:close()\nend")),
                    COOP_EXIT_TIME_LIMIT);
    expect_has(p->err, "by interpreters that it made");
    assert_int_equal(broker_down(b), 0);
}

static void a_killed_script_takes_all_below_it_along(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    Pb__InterpList list = PB__INTERP_LIST__INIT;
    const Pb__InterpStatusList *l;
    char *id, *leaf = NULL;

    broker_up(b);
    c = host_open(b->url);
    id = submit(b, "--cap", "interpreters=3", "--limit", "wall=50s",
                script(b, "hold.lua",
                       INTERPRETERS "local a = I.create{caps = {'interpreters=1'}}\n"
                                    "a:exec[[require('coop.interpreters').create():exec('while true do end')]]"));
    while (leaf == NULL || status(c, leaf)->state != IS(RUNNING)) {
        l = host_answer(host_ask(c, BODY(LIST), &list))->interps;
        leaf = l->n_interps == 2 ? l->interps[l->interps[0]->depth == 2 ? 0 : 1]->interp->id : NULL;
    }
    assert_int_equal(status(c, leaf)->depth, 2);
    proc_expect(coop(b, "kill", id), 0);
    assert_int_equal(ended(c, leaf)->cause, CA(CANCELLED));
    (void)expect_end(b, id, "cancelled");
    assert_int_equal(host_answer(host_ask(c, BODY(LIST), &list))->interps->n_interps, 0);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void a_cycle_of_calls_is_refused_as_a_deadlock(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    broker_up(b);
    p = proc_expect(coop(b, "run", "--cap", "interpreters=3",
                         script(b, "cycle.lua",
                                INTERPRETERS "local a, b = I.create(), I.create()\n"
                                             "a:exec('function f(b) return b:call([[g]]) end function h() return 1 end')\n"
                                             "b:prepare_main{a = a}\n"
                                             "b:exec('function g() local ok, e = pcall(a.call, a, [[h]]) return e.type, #e.cycle end')\n"
                                             "print(table.unpack(a:call('f', b)))")),
                    0);
    expect_text(p->out, "Deadlock\t2\n");
    assert_int_equal(broker_down(b), 0);
}

/* ---- many ------------------------------------------------------------------------------------------------------------------------------- */

enum { MANY = 100, EACH = 1000, AHEAD = 8, LIVE = 2000 };

/* Each adds up what it is told; each answer is its sum until then. */
static void a_hundred_interpreters_answer_a_thousand_calls_each_with_the_right_sums(void **state)
{
    struct broker *b = *state;
    struct coop_client *c;
    static struct coop_op *ops[MANY][AHEAD];
    static char *ids[MANY];

    broker_up(b);
    c = host_open(b->url);
    for (int i = 0; i < MANY; i++) {
        ids[i] = host_interp(c, OW(NONE), "", "");
        host_runs(c, ids[i], "s = 0; function add(x) s = (s + x) % 23; return s end");
    }
    for (int at = 0; at < EACH + AHEAD; at++)
        for (int i = 0; i < MANY; i++) {
            struct coop_op **op = &ops[i][at % AHEAD];
            const uint8_t args[] = { 0x81, (uint8_t)(i % 20) };

            if (*op != NULL) {
                Pb__Reply *r = host_reply(*op);
                uint64_t sum = (uint64_t)(at - AHEAD + 1) * (uint64_t)(i % 20) % 23;

                assert_non_null(r);
                assert_int_equal(r->ask->body_case, PB__ANSWER__BODY_RESULT);
                assert_int_equal(r->ask->result->value->cbor.len, 1);
                assert_int_equal(r->ask->result->value->cbor.data[0], sum);
                pb__reply__free_unpacked(r, NULL);
            }
            *op = at < EACH ? host_call(c, ids[i], "add", args, sizeof(args)) : NULL;
        }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(status(c, ids[i])->calls, EACH + 1);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
}

static void two_thousand_live_at_once_and_all_end_with_their_session(void **state)
{
    struct broker *b = *state;
    struct coop_client *c, *other;
    static struct coop_op *ops[LIVE];
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__InterpList list = PB__INTERP_LIST__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    char *last = NULL;

    broker_up(b);
    c = host_open(b->url);
    s.engine = "lua";
    m.spec = &s;
    for (int i = 0; i < LIVE; i++) {
        ops[i] = host_ask(c, BODY(CREATE), &m);
        if (i >= 64)
            assert_int_equal(host_answer(ops[i - 64])->body_case, PB__ANSWER__BODY_HANDLE);
    }
    for (int i = LIVE - 64; i < LIVE; i++) {
        const Pb__Answer *a = host_answer(ops[i]);

        assert_int_equal(a->body_case, PB__ANSWER__BODY_HANDLE);
        last = a->handle->id;
    }
    assert_int_equal(host_answer(host_ask(c, BODY(LIST), &list))->interps->n_interps, LIVE);
    host_runs(c, last, "n = 1");
    other = host_open(b->url);
    coop_client_close(c);
    (void)ended(other, last);
    while (host_answer(host_ask(other, BODY(LIST), &list))->interps->n_interps > 0)
        ;
    coop_client_close(other);
    assert_int_equal(broker_down(b), 0);
}

static int setup(void **state)
{
    *state = broker_new();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_defined_stays_until_it_is_closed),
        TEST(what_it_prints_is_in_its_log_and_ls_marks_it),
        TEST(a_reset_one_has_forgotten_everything_and_keeps_its_id),
        TEST(one_from_a_template_has_its_state_and_again_after_a_reset),
        TEST(an_interrupted_call_ends_and_its_interpreter_lives),
        TEST(limits_of_time_hold_for_each_call_and_idle_between_them),
        TEST(os_exit_and_a_refused_call_end_it_with_their_cause),
        TEST(a_killed_process_is_told_to_all_who_wait_for_it_whatever_it_did),
        TEST(a_killed_broker_leaves_nothing_and_the_next_one_makes_named_ones_anew),
        TEST(a_session_that_is_over_takes_its_interpreters_along),
        TEST(a_script_makes_interpreters_and_they_make_theirs),
        TEST(the_cpu_limit_of_a_job_is_that_of_its_interpreters_too),
        TEST(a_killed_script_takes_all_below_it_along),
        TEST(a_cycle_of_calls_is_refused_as_a_deadlock),
        TEST(a_hundred_interpreters_answer_a_thousand_calls_each_with_the_right_sums),
        TEST(two_thousand_live_at_once_and_all_end_with_their_session),
    };

    return cmocka_run_group_tests_name("interps", tests, NULL, NULL);
}
