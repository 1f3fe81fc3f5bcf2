/* test_aliases.c - functions that a parent offers its child: who may call, who answers, and what becomes of a call when one of them goes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asks_fixture.h"

/* A parent (a worker or a host program) and a child of its own, to which it offers print and read. */
struct kin {
    struct world *w;
    struct end *parent, *child;
    struct thing *interp; /* of the child */
    uint32_t number;      /* of its handle in the parent's table */
    struct alias_offers *offers;
};

static struct kin family_of(struct world *w, struct end *parent)
{
    static char *names[] = { "print", "read" };
    struct kin f = { .w = w, .parent = parent, .child = a_worker(w, NULL) };
    struct call_why why;

    f.interp = a_thing(w, KIND(INTERP), NULL);
    memcpy(f.interp->id, f.child->job->id, sizeof(f.interp->id));
    assert_int_equal(thing_register(f.interp, ""), 0);
    assert_int_equal(aliases_offer(parent->asker, f.interp->id, names, 2, &f.offers, &why), 0);
    assert_int_equal(aliases_give(f.offers, f.child->asker, &why), 0);
    f.number = given(parent, f.interp, UINT32_MAX, NULL)->number;
    return f;
}

static void ends(struct kin *f)
{
    aliases_free(f->offers);
    thing_unref(f->interp);
}

static uint64_t calls(struct end *e, const char *name, const char *bytes, uint64_t timeout_us)
{
    Pb__Value v = PB__VALUE__INIT;
    ASK(m, AliasCall, ALIAS_CALL, alias_call, ALIAS_CALL);

    v.cbor = (ProtobufCBinaryData){ strlen(bytes), (uint8_t *)bytes };
    m_body.name = (char *)name;
    m_body.args = &v;
    m_body.timeout_us = timeout_us;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

/* handle 0: of any child. */
static uint64_t pulls(struct end *e, uint32_t interp)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, AliasNext, ALIAS_NEXT, alias_next, ALIAS_NEXT);

    ref.handle = interp;
    m_body.interp = interp != 0 ? &ref : NULL;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static const Pb__Answer *done(struct end *e, uint64_t number, const char *bytes, const char *error)
{
    Pb__Value v = PB__VALUE__INIT;
    Pb__JobError err = PB__JOB_ERROR__INIT;
    ASK(m, AliasDone, ALIAS_DONE, alias_done, ALIAS_DONE);

    m_body.number = number;
    if (bytes != NULL) {
        v.cbor = (ProtobufCBinaryData){ strlen(bytes), (uint8_t *)bytes };
        m_body.value = &v;
    }
    if (error != NULL) {
        err.type = "error";
        err.message = (char *)error;
        err.traceback = "line 1";
        m_body.error = &err;
    }
    return asks(e, &m);
}

static const Pb__AliasInvocation *invoked(struct end *e, uint64_t pull)
{
    return answered(heard(e, pull), INVOCATION)->invocation;
}

static const Pb__Answer *takes_back(struct end *e, uint32_t interp, const char *alias)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleRevoke, HANDLE_REVOKE, handle_revoke, HANDLE_REVOKE);

    ref.handle = interp;
    m_body.ref = &ref;
    m_body.alias = (char *)alias;
    return asks(e, &m);
}

static void bytes_are(const ProtobufCBinaryData *b, const char *wanted)
{
    assert_int_equal(b->len, strlen(wanted));
    assert_memory_equal(b->data, wanted, b->len);
}

/* ---- a call ---------------------------------------------------------------------------------------------------------------------------------- */

static void whole_call(struct world *w, struct end *parent)
{
    struct kin f = family_of(w, parent);
    uint64_t pull = pulls(parent, 0), call;
    const Pb__AliasInvocation *inv;

    assert_null(heard(parent, pull));
    call = calls(f.child, "print", "hello", 0);
    inv = invoked(parent, pull);
    assert_string_equal(inv->name, "print");
    assert_string_equal(inv->caller, f.child->job->id);
    assert_int_equal(inv->interp, f.number);
    bytes_are(&inv->args->cbor, "hello");
    assert_null(heard(f.child, call));
    answered(done(parent, inv->number, "5", NULL), DONE);
    bytes_are(&answered(heard(f.child, call), RESULT)->result->value->cbor, "5");
    failed(done(parent, inv->number, "5", NULL), NOT_FOUND, "has not waited for it"); /* once */
    ends(&f);
}

static void a_child_calls_and_a_worker_answers(void **state)
{
    struct world *w = *state;

    whole_call(w, a_worker(w, NULL));
}

static void a_child_calls_and_a_host_program_answers(void **state)
{
    struct world *w = *state;

    whole_call(w, a_host(w));
}

static void an_error_arrives_as_one_of_the_function(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    uint64_t call = calls(f.child, "read", "", 0);
    const Pb__CallFailure *fail;

    answered(done(f.parent, invoked(f.parent, pulls(f.parent, 0))->number, NULL, "no such file"), DONE);
    fail = failed(heard(f.child, call), EXECUTION_FAILED, "no such file")->failure;
    assert_string_equal(fail->remote->type, "error");
    assert_string_equal(fail->remote->traceback, "line 1");
    ends(&f);
}

static void calls_wait_in_order_and_each_is_pulled_once(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    uint64_t call[5], pull[5], number[5];

    for (int i = 0; i < 3; i++)
        call[i] = calls(f.child, "print", (char[2]){ (char)('a' + i), 0 }, 0);
    for (int i = 0; i < 5; i++)
        pull[i] = pulls(f.parent, 0);
    for (int i = 3; i < 5; i++)
        call[i] = calls(f.child, "print", (char[2]){ (char)('a' + i), 0 }, 0);
    for (int i = 0; i < 5; i++) {
        bytes_are(&invoked(f.parent, pull[i])->args->cbor, (char[2]){ (char)('a' + i), 0 });
        number[i] = invoked(f.parent, pull[i])->number;
        assert_true(i == 0 || number[i] > number[i - 1]);
    }
    for (int i = 4; i >= 0; i--) /* answered in any order */
        answered(done(f.parent, number[i], "x", NULL), DONE);
    for (int i = 0; i < 5; i++)
        answered(heard(f.child, call[i]), RESULT);
    ends(&f);
}

static void a_pull_may_name_the_child(void **state)
{
    struct world *w = *state;
    struct end *parent = a_worker(w, NULL);
    struct kin f = family_of(w, parent), g = family_of(w, parent);
    uint64_t of_g = pulls(parent, g.number), any = pulls(parent, 0);

    (void)calls(f.child, "print", "f", 0);
    assert_null(heard(parent, of_g));
    bytes_are(&invoked(parent, any)->args->cbor, "f");
    (void)calls(g.child, "print", "g", 0);
    bytes_are(&invoked(parent, of_g)->args->cbor, "g");
    assert_int_equal(invoked(parent, of_g)->interp, g.number);
    failed(heard(parent, pulls(parent, 999)), BAD_HANDLE, "");
    of_g = pulls(parent, g.number);
    ends(&g);
    failed(heard(parent, of_g), DEAD, "the interpreter has ended");
    ends(&f);
}

/* ---- who may -------------------------------------------------------------------------------------------------------------------------------- */

static void only_what_is_offered_can_be_called(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    struct end *stranger = a_worker(w, NULL);
    char name[LIMITS_NAME + 10];

    failed(heard(f.child, calls(f.child, "exec", "", 0)), NO_FUNCTION, "no function exec is offered");
    failed(heard(f.child, calls(f.child, "", "", 0)), NO_FUNCTION, "");
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    failed(heard(f.child, calls(f.child, name, "", 0)), NO_FUNCTION, "");
    failed(heard(stranger, calls(stranger, "print", "", 0)), NO_FUNCTION, "");
    failed(heard(f.parent, calls(f.parent, "print", "", 0)), NO_FUNCTION, ""); /* its own is not offered to it */
    failed(done(stranger, 1, "x", NULL), BAD_REQUEST, "no such call");
    ends(&f);
}

/* Numbers are each parent's own: guessing them answers nobody else's call. */
static void nobody_answers_anothers_call(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL)), g = family_of(w, a_worker(w, NULL));
    uint64_t call = calls(f.child, "print", "", 0), number = invoked(f.parent, pulls(f.parent, 0))->number;

    assert_null(heard(g.parent, pulls(g.parent, 0)));
    for (uint64_t n = 0; n < number + 10; n++)
        failed(done(g.parent, n, "forged", NULL), BAD_REQUEST, "no such call");
    failed(done(f.child, number, "forged", NULL), BAD_REQUEST, "no such call");
    assert_null(heard(f.child, call));
    answered(done(f.parent, number, "true", NULL), DONE);
    bytes_are(&answered(heard(f.child, call), RESULT)->result->value->cbor, "true");
    ends(&f);
    ends(&g);
}

static void a_function_is_taken_back(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    uint64_t waiting = calls(f.child, "print", "", 0), running, number;

    number = invoked(f.parent, pulls(f.parent, 0))->number;
    running = waiting;
    waiting = calls(f.child, "print", "", 0);
    failed(takes_back(f.parent, f.number, "exec"), NOT_FOUND, "no such function");
    answered(takes_back(f.parent, f.number, "print"), DONE);
    failed(heard(f.child, running), REVOKED, "");
    failed(heard(f.child, waiting), REVOKED, "");
    failed(heard(f.child, calls(f.child, "print", "", 0)), REVOKED, "print has been taken back");
    failed(done(f.parent, number, "late", NULL), NOT_FOUND, "has not waited");
    assert_null(heard(f.parent, pulls(f.parent, 0))); /* the waiting one is no call any more */
    waiting = calls(f.child, "read", "", 0);          /* the other function is there */
    assert_null(heard(f.child, waiting));
    failed(takes_back(f.child, f.number, "read"), BAD_HANDLE, "");
    ends(&f);
}

/* The child hands its right on: as a handle, which its parent can take back too. */
static void a_grandchild_calls_by_a_handle(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    struct end *grandchild = a_worker(w, NULL);
    const Pb__Handle *mine = answered(asks_granted(f.child, "alias=print"), HANDLE)->handle;
    Pb__Handle out = PB__HANDLE__INIT, *list[] = { &out };
    Pb__Value v = PB__VALUE__INIT;
    Pb__Ref ref = PB__REF__INIT;
    struct parcel p;
    struct parcel_told told;
    struct call_why why;
    uint64_t number;
    ASK(m, AliasCall, ALIAS_CALL, alias_call, ALIAS_CALL);

    assert_int_equal(mine->kind, KIND(ALIAS));
    assert_string_equal(mine->name, "print");
    out.handle = mine->handle;
    out.rights = RIGHT(CALL);
    v.handles = list;
    v.n_handles = 1;
    assert_int_equal(parcel_take(&p, f.child->asker, NULL, &v, "args", &why), 0);
    assert_int_equal(parcel_give(&p, grandchild->asker, &told, &why), 0);
    ref.handle = told.value.handles[0]->handle;
    parcel_told_finish(&told);
    parcel_finish(&p);
    m_body.alias = &ref;
    assert_null(asks(grandchild, &m));
    number = invoked(f.parent, pulls(f.parent, 0))->number;
    answered(done(f.parent, number, "1", NULL), DONE);
    answered(heard(grandchild, m.number), RESULT);
    m.number = 0;
    m_body.name = "print";
    failed(asks(grandchild, &m), BAD_REQUEST, "not by both");
    m.number = 0;
    m_body.name = "";
    answered(takes_back(f.parent, f.number, "print"), DONE);
    failed(asks(grandchild, &m), REVOKED, "");
    ends(&f);
}

static void names_are_checked_when_they_are_offered(void **state)
{
    static char *twice[] = { "a", "b", "a" }, *empty[] = { "" }, *control[] = { "a\nb" }, *many[ALIASES_MAX + 1];
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct alias_offers *o;
    struct call_why why;

    for (int i = 0; i <= ALIASES_MAX; i++)
        many[i] = "x";
    assert_int_equal(aliases_offer(e->asker, e->job->id, twice, 3, &o, &why), -1);
    assert_non_null(strstr(why.message, "two aliases are named a"));
    assert_int_equal(aliases_offer(e->asker, e->job->id, empty, 1, &o, &why), -1);
    assert_int_equal(aliases_offer(e->asker, e->job->id, control, 1, &o, &why), -1);
    assert_int_equal(why.error, CE(BAD_REQUEST));
    assert_int_equal(aliases_offer(e->asker, e->job->id, many, ALIASES_MAX + 1, &o, &why), -1);
    assert_int_equal(why.error, CE(LIMIT));
    assert_int_equal(aliases_offer(e->asker, e->job->id, many, 0, &o, &why), 0);
    assert_null(o);
    aliases_free(o);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------------------- */

static void a_parent_that_goes_leaves_its_functions_dead(void **state)
{
    struct world *w = *state;

    for (int i = 0; i < 2; i++) {
        struct kin f = family_of(w, i == 0 ? a_host(w) : a_worker(w, NULL));
        uint64_t running = calls(f.child, "print", "", 0), waiting;

        (void)invoked(f.parent, pulls(f.parent, 0));
        waiting = calls(f.child, "read", "", 0);
        leaves(f.parent);
        failed(heard(f.child, running), DEAD, "who offers it has ended");
        failed(heard(f.child, waiting), DEAD, "who offers it has ended");
        failed(heard(f.child, calls(f.child, "print", "", 0)), DEAD, "who offers print has ended");
        ends(&f);
    }
}

static void a_child_that_goes_leaves_no_call(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    uint64_t number;

    (void)calls(f.child, "print", "", 0);
    number = invoked(f.parent, pulls(f.parent, 0))->number;
    (void)calls(f.child, "print", "", 0);
    leaves(f.child);
    failed(done(f.parent, number, "late", NULL), NOT_FOUND, "has not waited");
    assert_null(heard(f.parent, pulls(f.parent, 0)));
    ends(&f);
}

static void a_call_has_its_time(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    struct loop *l = &w->bare.b.loop;
    uint64_t call = calls(f.child, "print", "", 700), other = calls(f.child, "print", "", 900), number;

    timers_run(&l->timers, l->now_us + 700); /* nobody pulled */
    failed(heard(f.child, call), TIMED_OUT, "");
    number = invoked(f.parent, pulls(f.parent, 0))->number;
    timers_run(&l->timers, l->now_us + 900); /* nobody answered */
    failed(heard(f.child, other), TIMED_OUT, "");
    failed(done(f.parent, number, "late", NULL), NOT_FOUND, "has not waited");
    ends(&f);
}

static void a_cancelled_call_is_interrupted(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    uint64_t call = calls(f.child, "print", "", 0), pull;

    answered(asks_cancel(f.child, call), DONE);
    failed(heard(f.child, call), INTERRUPTED, "");
    pull = pulls(f.parent, 0);
    answered(asks_cancel(f.parent, pull), DONE);
    failed(heard(f.parent, pull), INTERRUPTED, "");
    call = calls(f.child, "print", "", 0);
    assert_null(heard(f.child, call));
    ends(&f);
}

/* The interpreter gets another process, which may call as the one before; what that had asked is over. */
static void a_new_process_of_the_child_may_call_too(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_host(w));
    struct end *again = a_worker(w, NULL);
    struct call_why why;
    uint64_t call;

    leaves(f.child);
    assert_int_equal(aliases_give(f.offers, again->asker, &why), 0);
    call = calls(again, "print", "x", 0);
    answered(done(f.parent, invoked(f.parent, pulls(f.parent, 0))->number, "1", NULL), DONE);
    answered(heard(again, call), RESULT);
    ends(&f);
}

static void a_value_that_cannot_be_sent_leaves_the_call_open(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    uint64_t call = calls(f.child, "print", "", 0), number = invoked(f.parent, pulls(f.parent, 0))->number;
    Pb__Handle bad = PB__HANDLE__INIT, *list[] = { &bad };
    Pb__Value v = PB__VALUE__INIT;
    ASK(m, AliasDone, ALIAS_DONE, alias_done, ALIAS_DONE);

    bad.handle = 4711;
    v.handles = list;
    v.n_handles = 1;
    m_body.number = number;
    m_body.value = &v;
    failed(asks(f.parent, &m), BAD_HANDLE, "4711");
    assert_null(heard(f.child, call));
    answered(done(f.parent, number, NULL, NULL), DONE); /* nothing: null */
    answered(heard(f.child, call), RESULT);
    ends(&f);
}

static void arguments_that_do_not_fit_the_parent_are_the_callers_trouble(void **state)
{
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    Pb__Handle one = PB__HANDLE__INIT, *list[] = { &one };
    Pb__Value v = PB__VALUE__INIT;
    uint64_t pull = pulls(f.parent, 0), call;
    ASK(m, AliasCall, ALIAS_CALL, alias_call, ALIAS_CALL);

    while (handles_room(f.parent->asker) > 0)
        given(f.parent, t, UINT32_MAX, NULL);
    one.handle = given(f.child, t, UINT32_MAX, NULL)->number;
    v.handles = list;
    v.n_handles = 1;
    m_body.name = "print";
    m_body.args = &v;
    failed(asks(f.child, &m), LIMIT, "its receiver would hold more than 4096 handles");
    assert_null(heard(f.parent, pull)); /* it goes on waiting */
    call = calls(f.child, "print", "x", 0);
    answered(done(f.parent, invoked(f.parent, pull)->number, "1", NULL), DONE);
    answered(heard(f.child, call), RESULT);
    thing_unref(t);
    ends(&f);
}

/* ---- the log of them ------------------------------------------------------------------------------------------------------------------------------ */

static void wait_for_the_store(struct store *s)
{
    struct store_op *op, *next;

    while (store_pending(s) > 0) {
        struct pollfd p = { .fd = store_event_fd(s), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 60000), 1);
        for (op = store_collect(s); op != NULL; op = next) {
            next = op->next;
            assert_int_equal(op->status, 0);
            store_op_free(op);
        }
    }
}

static const Pb__AliasLogList *logged(struct end *host, uint64_t before, uint32_t limit)
{
    ASK(m, AliasLog, ALIAS_LOG, alias_log, ALIAS_LOG);

    m_body.before = before;
    m_body.limit = limit;
    return answered(asks(host, &m), ALIAS_CALLS)->alias_calls;
}

static void every_call_is_kept_with_its_end(void **state)
{
    static const Pb__CallError wanted[] = { CE(TIMED_OUT), CE(EXECUTION_FAILED), CE(NONE), CE(REVOKED), CE(DEAD) };
    struct world *w = *state;
    struct kin f = family_of(w, a_worker(w, NULL));
    struct end *host = a_host(w);
    struct loop *l = &w->bare.b.loop;
    const Pb__AliasLogList *log;
    char why[STORE_WHY];

    if (store_open(w->bare.dir, &w->bare.b.store, why) != 0)
        fail_msg("%s", why);
    (void)calls(f.child, "print", "one", 5);
    timers_run(&l->timers, l->now_us + 5);
    (void)calls(f.child, "print", "two", 0);
    answered(done(f.parent, invoked(f.parent, pulls(f.parent, 0))->number, NULL, "x"), DONE);
    (void)calls(f.child, "read", "three", 0);
    answered(done(f.parent, invoked(f.parent, pulls(f.parent, 0))->number, "value", NULL), DONE);
    (void)calls(f.child, "read", "four", 0);
    answered(takes_back(f.parent, f.number, "read"), DONE);
    (void)calls(f.child, "print", "five", 0);
    leaves(f.parent);
    wait_for_the_store(w->bare.b.store);
    log = logged(host, 0, 0);
    assert_int_equal(log->n_calls, 5);
    for (int i = 0; i < 5; i++) {
        const Pb__AliasLogged *row = log->calls[4 - i];

        assert_int_equal(row->number, i + 1);
        assert_int_equal(row->error, wanted[i]);
        assert_string_equal(row->caller, f.child->job->id);
        assert_string_equal(row->server, f.parent->job->id);
        assert_string_equal(row->name, i == 2 || i == 3 ? "read" : "print");
        assert_int_equal(row->bytes_out, i == 2 ? 5 : 0);
    }
    assert_int_equal(log->calls[2]->bytes_in, 5);
    assert_int_equal(logged(host, 0, 2)->n_calls, 2);
    assert_int_equal(logged(host, 2, 0)->n_calls, 1);
    assert_int_equal(logged(host, 1, 0)->n_calls, 0);
    ends(&f);
    store_close(w->bare.b.store);
    w->bare.b.store = NULL;
}

static void the_log_is_for_host_programs(void **state)
{
    struct world *w = *state;
    ASK(m, AliasLog, ALIAS_LOG, alias_log, ALIAS_LOG);

    failed(asks(a_worker(w, NULL), &m), NOT_ALLOWED, "alias_log is for host programs only");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_child_calls_and_a_worker_answers),
        TEST(a_child_calls_and_a_host_program_answers),
        TEST(an_error_arrives_as_one_of_the_function),
        TEST(calls_wait_in_order_and_each_is_pulled_once),
        TEST(a_pull_may_name_the_child),
        TEST(only_what_is_offered_can_be_called),
        TEST(nobody_answers_anothers_call),
        TEST(a_function_is_taken_back),
        TEST(a_grandchild_calls_by_a_handle),
        TEST(names_are_checked_when_they_are_offered),
        TEST(a_parent_that_goes_leaves_its_functions_dead),
        TEST(a_child_that_goes_leaves_no_call),
        TEST(a_call_has_its_time),
        TEST(a_cancelled_call_is_interrupted),
        TEST(a_new_process_of_the_child_may_call_too),
        TEST(a_value_that_cannot_be_sent_leaves_the_call_open),
        TEST(arguments_that_do_not_fit_the_parent_are_the_callers_trouble),
        TEST(every_call_is_kept_with_its_end),
        TEST(the_log_is_for_host_programs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
