/*
 * test_kill_inside.c - kill -9 of an interpreter that is in the middle of a call which it makes itself: everybody who waits for it hears how it ended,
 * what it made ends with it, items are where they belong, and the broker is as it was.
 *
 * That it is in the middle is known, not hoped for: a tasklet of it makes the call, another puts a word into a queue after that, and asks of one
 * worker come to the broker in their order.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/client.h"
#include "coop/value.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/traces.h"

enum { FOR_EVER = -1, ROOM = 2 };

#define OK(call)                                                                                                                           \
    do {                                                                                                                                   \
        if ((call) != 0)                                                                                                                   \
            support_fail("%s: %s: %s", #call, why.name, why.message);                                                                      \
    } while (0)

/* What all of them have, and how one begins a call and says so. */
#define HEAD                                                                                                                               \
    "coop, I, Q, B, K = require 'coop', require 'coop.interpreters', require 'coop.queues', require 'coop.buffers', require 'coop.kv'\n"   \
    "word, gate, full, kv = Q.open('word'), Q.open('gate'), Q.open('full'), K.open('k/')\n"                                                \
    "function hang(f, ...) local t = coop.async(f, ...) coop.yield() word:put(1, nil, Q.PERSIST) t:join() end\n"

struct scene {
    struct broker *b;
    struct coop_client *c;
    char id[64]; /* of the interpreter that is killed */
    pid_t pid;
    char child[64]; /* that it has made; "": none */
    pid_t child_pid;
    uint64_t invocation; /* the call of an alias that was handed to us */
};

/* ---- the kinds of calls -------------------------------------------------------------------------------------------------------------- */

static int64_t number_in(struct scene *s, const char *queue)
{
    struct coop_error why;
    struct coop_items items;
    int64_t n = -1;

    OK(coop_queue_get(s->c, queue, 1, SUPPORT_WAIT_MS * 1000, &items, &why));
    assert_int_equal(items.n, 1);
    if (items.items[0].value != NULL)
        assert_int_equal(coop_val_as_int(items.items[0].value, &n), 0);
    coop_items_free(&items);
    return n;
}

static void expect_empty(struct scene *s, const char *queue)
{
    struct coop_queue_info info;
    struct coop_error why;

    OK(coop_queue_info(s->c, queue, FOR_EVER, &info, &why));
    assert_int_equal(info.items, 0);
    assert_int_equal(info.getters, 0);
    assert_int_equal(info.putters, 0);
}

static void put_number(struct scene *s, const char *queue, int64_t n)
{
    coop_val *v = coop_val_int(n);
    struct coop_error why;

    OK(coop_queue_put(s->c, queue, (const coop_val *const *)&v, 1, COOP_UNBOUND_PERSIST, FOR_EVER, NULL, &why));
    coop_val_free(v);
}

/* Its child is held, so that it does not answer. */
static void hold_child(struct scene *s)
{
    support_kill(s->child_pid, SIGSTOP);
}

/* No new process is made, whoever waits for one. */
static void hold_zygote(struct scene *s)
{
    support_kill(broker_zygote(s->b), SIGSTOP);
}

static void let_zygote_go(struct scene *s)
{
    support_kill(broker_zygote(s->b), SIGCONT);
}

/* A getter that is dead takes nothing: what is put now is for the next. */
static void gate_is_for_others(struct scene *s)
{
    expect_empty(s, "gate");
    put_number(s, "gate", 7);
    assert_int_equal(number_in(s, "gate"), 7);
}

/* What was in stays, what waited does not come in. */
static void full_has_what_was_in(struct scene *s)
{
    struct coop_queue_info info;
    struct coop_error why;

    OK(coop_queue_info(s->c, "full", FOR_EVER, &info, &why));
    assert_int_equal(info.putters, 0);
    assert_int_equal(info.items, ROOM);
    assert_int_equal(number_in(s, "full"), 1);
    assert_int_equal(number_in(s, "full"), 2);
    expect_empty(s, "full");
}

/* A put that was under way is done or not done: the value is whole. */
static void value_is_whole(struct scene *s)
{
    struct coop_handle kv;
    struct coop_bytes v;
    struct coop_error why;

    OK(coop_kv_open(s->c, "k/", 0, FOR_EVER, &kv, &why));
    OK(coop_kv_get(s->c, &kv, "key", FOR_EVER, &v, &why));
    assert_int_equal(v.len, 10000);
    for (size_t i = 1; i < v.len; i++)
        assert_int_equal(((const char *)v.at)[i], ((const char *)v.at)[0]);
    free(v.at);
    OK(coop_kv_remove(s->c, &kv, "key", FOR_EVER, &why));
    OK(coop_handle_drop(s->c, &kv, FOR_EVER, &why));
}

static void take_its_call(struct scene *s)
{
    struct coop_invocation call;
    struct coop_error why;

    OK(coop_alias_next(s->c, s->id, SUPPORT_WAIT_MS * 1000, &call, &why));
    assert_string_equal(call.name, "slow");
    assert_string_equal(call.caller, s->id);
    s->invocation = call.number;
    coop_invocation_free(&call);
}

/* Its call was handed to us: what we answer now is for nobody, and we hear so. */
static void answer_is_for_nobody(struct scene *s)
{
    coop_val *v = coop_val_int(1);
    struct coop_error why;

    assert_int_not_equal(coop_alias_done(s->c, s->invocation, v, NULL, NULL, FOR_EVER, &why), 0);
    assert_string_equal(why.name, "NotFound");
    coop_val_free(v);
}

static void what_was_made_for_it_serves_others(struct scene *s);

#define CHILD "child = I.create() child:exec('function f() end') return child:id()"

/* clang-format off */
static const struct kind {
    const char *name, *prepare; /* returns its child's id, or nothing */
    void (*hold)(struct scene *s);
    const char *hangs;
    void (*meet)(struct scene *s), (*let_go)(struct scene *s), (*after)(struct scene *s);
} kinds[] = {
    { "create",  "",    hold_zygote, "for _ = 1, 4 do coop.spawn(I.create) end hang(I.create)",                 NULL, let_zygote_go, what_was_made_for_it_serves_others },
    { "exec",    CHILD, hold_child,  "hang(function() child:exec('x = 1') end)",                              NULL, NULL, NULL },
    { "call",    CHILD, hold_child,  "hang(function() child:call('f') end)",                                  NULL, NULL, NULL },
    { "prepare", CHILD, hold_child,  "hang(function() child:prepare_main{n = 1} end)",                        NULL, NULL, NULL },
    { "close",   CHILD, hold_child,  "hang(function() child:close() end)",                                    NULL, NULL, NULL },
    { "wait",    CHILD, NULL,        "hang(function() child:wait() end)",                                     NULL, NULL, NULL },
    { "get",     "",    NULL,        "hang(function() gate:get() end)",                                       NULL, NULL, gate_is_for_others },
    { "put",     "",    NULL,        "for n = 1, 2 do full:put(n, nil, Q.PERSIST) end hang(function() full:put(3, nil, Q.PERSIST) end)", NULL, NULL, full_has_what_was_in },
    { "alias",   "",    NULL,        "hang(function() coop.alias('slow') end)",                               take_its_call, NULL, answer_is_for_nobody },
    { "buffer",  "",    NULL,        "word:put(1, nil, Q.PERSIST) while true do B.new(65536):seal() B.new(65536) end",            NULL, NULL, NULL },
    { "kv",      "",    NULL,        "kv:put('key', ('0'):rep(10000)) word:put(1, nil, Q.PERSIST) while true do for k = 0, 9 do kv:put('key', tostring(k):rep(10000)) end end", NULL, NULL, value_is_whole },
};
/* clang-format on */
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- one of them ----------------------------------------------------------------------------------------------------------------------- */

static pid_t pid_of(struct scene *s, const char *id)
{
    struct coop_interp_info info;
    struct coop_error why;

    OK(coop_interp_info(s->c, id, FOR_EVER, &info, &why));
    assert_true(info.pid > 0);
    return info.pid;
}

static void make(struct scene *s)
{
    static const char *const caps[] = {
        "interpreters=8", "queue=word:both", "queue=gate:both", "queue=full:both", "buffers=16M", "kv=k/:rw"
    };
    const char *aliases[] = { "slow" };
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_interp_options o = { .size = sizeof(o), .spec = spec, .aliases = aliases, .n_aliases = 1 };
    struct coop_handle h;
    struct coop_error why;

    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
        coop_spec_cap(spec, caps[i]);
    OK(coop_interp_create(s->c, &o, FOR_EVER, &h, &why));
    coop_spec_free(spec);
    (void)snprintf(s->id, sizeof(s->id), "%s", h.id);
    s->pid = pid_of(s, s->id);
}

static void prepare(struct scene *s, const char *source)
{
    char *all = support_text("%s%s", HEAD, source);
    struct coop_call_result r;
    struct coop_error why;
    const char *child;
    size_t len;

    OK(coop_interp_exec(s->c, s->id, NULL, all, strlen(all), FOR_EVER, &r, &why));
    s->child[0] = '\0';
    child = coop_val_as_text(r.value, &len);
    if (child != NULL) {
        (void)snprintf(s->child, sizeof(s->child), "%.*s", (int)len, child);
        s->child_pid = pid_of(s, s->child);
    }
    coop_val_free(r.value);
}

/* What op ends as: a failure of this name, and the cause. */
static void expect_failure(struct coop_op *op, const char *name, const char *cause)
{
    struct coop_result r;
    struct coop_error why;

    assert_int_equal(coop_op_wait(op, SUPPORT_WAIT_MS * 1000), 0);
    assert_int_not_equal(coop_op_take(op, &r, &why), 0);
    assert_string_equal(why.name, name);
    assert_string_equal(why.cause, cause);
    coop_op_free(op);
}

static void expect_monitor(struct coop_op *op, const char *cause)
{
    struct coop_result r;
    struct coop_error why;

    assert_int_equal(coop_op_wait(op, SUPPORT_WAIT_MS * 1000), 0);
    OK(coop_op_take(op, &r, &why));
    assert_string_equal(r.interp.cause, cause);
    coop_result_free(&r);
    coop_op_free(op);
}

static struct coop_op *monitor(struct scene *s, const char *id)
{
    struct coop_op *op = NULL;
    struct coop_error why;

    OK(coop_interp_wait_begin(s->c, id, FOR_EVER, &op, &why));
    return op;
}

static void nobody_is_alive(struct scene *s)
{
    struct coop_interp_list list;
    struct coop_error why;

    OK(coop_interp_list(s->c, false, FOR_EVER, &list, &why));
    assert_int_equal(list.n, 0);
    free(list.items);
}

static void kill_it(struct scene *s, const struct kind *k)
{
    struct coop_op *op = NULL, *of_it, *of_child = NULL;
    struct coop_error why;

    make(s);
    prepare(s, k->prepare);
    of_it = monitor(s, s->id);
    if (s->child[0] != '\0')
        of_child = monitor(s, s->child);
    if (k->hold != NULL)
        k->hold(s);
    OK(coop_interp_exec_begin(s->c, s->id, NULL, k->hangs, strlen(k->hangs), FOR_EVER, &op, &why));
    assert_int_equal(number_in(s, "word"), 1);
    if (k->meet != NULL)
        k->meet(s);
    support_kill(s->pid, SIGKILL);
    if (k->let_go != NULL)
        k->let_go(s);
    expect_failure(op, "ExecutionFailed", "worker_lost");
    expect_monitor(of_it, "worker_lost");
    if (of_child != NULL)
        expect_monitor(of_child, "cancelled");
    (void)expect_end(s->b, s->id, "worker_lost");
    nobody_is_alive(s);
    if (k->after != NULL)
        k->after(s);
    expect_empty(s, "word");
}

/* The processes that it waited for are spare now, and more than are kept: the next ones have them. */
static void what_was_made_for_it_serves_others(struct scene *s)
{
    const char *makes = "for _ = 1, 4 do I.create() end";
    struct coop_error why;
    struct coop_op *of_it;

    make(s);
    prepare(s, makes);
    of_it = monitor(s, s->id);
    OK(coop_interp_kill(s->c, s->id, FOR_EVER, &why));
    expect_monitor(of_it, "cancelled");
    nobody_is_alive(s);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------------------------- */

static void make_queue(struct scene *s, const char *name, unsigned max_items)
{
    struct coop_queue_options o = { .size = sizeof(o), .name = name, .max_items = max_items };
    struct coop_handle h;
    struct coop_error why;

    OK(coop_queue_create(s->c, &o, FOR_EVER, &h, &why));
}

static void open_scene(struct scene *s, struct broker *b)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = b->url, .no_autostart = true };
    struct coop_error why;

    memset(s, 0, sizeof(*s));
    s->b = b;
    OK(coop_client_open(&o, &s->c, &why));
    make_queue(s, "word", 0);
    make_queue(s, "gate", 0);
    make_queue(s, "full", ROOM);
}

static void who_is_killed_in_a_call_of_its_own_leaves_nothing(void **state)
{
    const struct traces *before;
    struct scene s;

    open_scene(&s, *state);
    for (size_t i = 0; i < KINDS; i++) /* the broker opens what it keeps open: files of its store, a thread that closes descriptors */
        kill_it(&s, &kinds[i]);
    before = traces_settled(s.b);
    for (size_t i = 0; i < KINDS; i++) {
        kill_it(&s, &kinds[i]);
        traces_expect(s.b, before);
    }
    coop_client_close(s.c);
}

/* ---- what it has put before --------------------------------------------------------------------------------------------------------------- */

#define PUTS                                                                                                                               \
    "for k, how in ipairs{Q.UNBOUND, Q.UNBOUND_ERROR, Q.UNBOUND_REMOVE, Q.PERSIST} do gate:put(k, nil, how) end\n"                         \
    "gate:put(5) hang(function() child:wait() end)"

/* Puts one item of each policy, and one as the queue says, and is killed. */
static void killed_sender(struct scene *s)
{
    struct coop_op *op = NULL, *of_it;
    struct coop_error why;

    make(s);
    prepare(s, CHILD);
    of_it = monitor(s, s->id);
    OK(coop_interp_exec_begin(s->c, s->id, NULL, PUTS, strlen(PUTS), FOR_EVER, &op, &why));
    assert_int_equal(number_in(s, "word"), 1);
    support_kill(s->pid, SIGKILL);
    expect_monitor(of_it, "worker_lost");
    expect_failure(op, "ExecutionFailed", "worker_lost");
}

static void items_of_a_killed_sender_are_as_was_said_for_each(void **state)
{
    struct coop_items items;
    struct coop_error why;
    struct scene s;

    open_scene(&s, *state);
    killed_sender(&s);
    assert_int_equal(number_in(&s, "gate"), -1); /* REPLACE: it comes without its value */
    assert_int_not_equal(coop_queue_get(s.c, "gate", 1, 0, &items, &why), 0);
    assert_string_equal(why.name, "ItemInterpreterDestroyed");
    assert_int_equal(number_in(&s, "gate"), 4);
    assert_int_equal(number_in(&s, "gate"), -1); /* as its queue says */
    expect_empty(&s, "gate");
    coop_client_close(s.c);
}

/* The same as an interpreter sees it that was waiting for them. */
static void an_interpreter_is_told_of_a_killed_sender(void **state)
{
    const char *gets = "local seen = {} for k = 1, 4 do local ok, v = pcall(gate.get, gate, 0)\n"
                       "seen[k] = ok and tostring(v) or v.type end return table.concat(seen, ' ')";
    struct coop_call_result r;
    struct coop_error why;
    struct scene s;
    size_t len;

    open_scene(&s, *state);
    killed_sender(&s);
    make(&s);
    prepare(&s, "");
    OK(coop_interp_exec(s.c, s.id, NULL, gets, strlen(gets), FOR_EVER, &r, &why));
    assert_string_equal(coop_val_as_text(r.value, &len), "UNBOUND ItemInterpreterDestroyed 4 UNBOUND");
    expect_empty(&s, "gate");
    coop_val_free(r.value);
    coop_client_close(s.c);
}

static int setup(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--pool";
    b->args[1] = "1";
    traces_begin();
    broker_up(b);
    *state = b;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_killed_in_a_call_of_its_own_leaves_nothing),
        TEST(items_of_a_killed_sender_are_as_was_said_for_each),
        TEST(an_interpreter_is_told_of_a_killed_sender),
    };

    return cmocka_run_group_tests_name("kill -9 in a call from inside", tests, NULL, NULL);
}
