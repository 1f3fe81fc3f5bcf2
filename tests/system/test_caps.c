/*
 * test_caps.c - capabilities as a Lua job uses them, on a real broker: functions of the parent's, keys, grants, revocation; and what is on record of it.
 *
 * What a hostile worker makes of them: test_capabilities.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define FAMILY                                                                                                                             \
    "local interpreters, caps, queues = require 'coop.interpreters', require 'coop.caps', require 'coop.queues'\n"                         \
    "local function try(f, ...) local ok, e = pcall(f, ...) if ok then return 'ok' end return type(e) == 'table' and e.type or tostring(e) end\n"
#define CHILD "local coop, caps, queues, kv = require 'coop', require 'coop.caps', require 'coop.queues', require 'coop.kv'\n"

static struct proc *runs(struct broker *b, const char *const *caps, const char *lua)
{
    const char *args[24] = { "run", "--limit", "wall=60s" };
    size_t n = 3;

    for (; *caps != NULL; caps++) {
        args[n++] = "--cap";
        args[n++] = *caps;
    }
    args[n++] = script(b, "job.lua", lua);
    args[n] = NULL;
    return coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, args);
}
#define CAPS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void a_child_calls_what_its_parent_offers(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    json_t *calls;

    p = proc_expect(runs(b, CAPS("interpreters=1"),
                         FAMILY
                         "local child = interpreters.create{ engine = 'lua', aliases = {\n"
                         "  double = function(x) return 2 * x end, fail = function() error('no luck') end } }\n"
                         "child:exec([[" CHILD "function go(n) return coop.alias('double', n) end\n"
                         "function bad() coop.alias('fail') end function none() coop.alias('nothing') end ]])\n"
                         "print(child:call('go', 21))\n"
                         "local ok, e = pcall(child.call, child, 'bad') print(e.type, (e.message:find('no luck')) ~= nil)\n"
                         "local ok, e = pcall(child.call, child, 'none') print(e.type, (e.message:find('no function nothing')) ~= nil)\n"
                         "child:close()\n"),
                    0);
    expect_text(p->out, "42\nExecutionFailed\ttrue\nExecutionFailed\ttrue\n");
    broker_says(b, "event=alias", "name=\"double\"");
    calls = json_at(json_of(&proc_expect(coop(b, "audit", "calls", "--json"), 0)->out), "calls");
    while (json_array_size(calls) < 2) /* it rides along with the next commit */
        calls = json_at(json_of(&proc_expect(coop(b, "audit", "calls", "--json"), 0)->out), "calls");
    assert_int_equal(json_array_size(calls), 2); /* what was never offered is no call */
    assert_string_equal(json_str(json_array_get(calls, 1), "name"), "double");
    assert_string_equal(json_str(json_array_get(calls, 0), "name"), "fail");
    expect_has(proc_expect(coop(b, "audit", "calls"), 0)->out, "ExecutionFailed");
    expect_text(proc_expect(coop(b, "audit", "calls", "1"), 0)->out, "");
    (void)proc_expect(coop(b, "audit", "calls", "x"), COOP_EXIT_USAGE);
    (void)proc_expect(coop(b, "audit", "head", "1"), COOP_EXIT_USAGE);
}

#if defined(COOP_ASAN) || defined(COOP_TSAN)
#define WAITING "200" /* their tasklets have a stack that is all open */
#define SUM     "20100\n"
#else
#define WAITING "1000"
#define SUM     "500500\n"
#endif

/* None is answered before all of them wait, on both sides, in the memory that a job has by default. */
static void a_thousand_calls_wait_at_once(void **state)
{
    struct broker *b = *state;

    expect_text(
        proc_expect(
            runs(
                b, CAPS("interpreters=1"),
                FAMILY
                "local coop = require 'coop'\n"
                "local all, here = coop.event(), 0\n"
                "local function add(a) here = here + 1 if here == " WAITING " then all:set() end all:wait() return a end\n"
                "local child = interpreters.create{ engine = 'lua', aliases = { add = add } }\n"
                "child:exec([[" CHILD "local coop = require 'coop'\n"
                "function sum(n) local all = 0 for i = 1, n do coop.spawn(function() local r = coop.alias('add', i) all = all + r end) end\n"
                "coop.run() return all end ]])\n"
                "print(child:call('sum', " WAITING "))\n"),
            0)
            ->out,
        SUM);
}

static void a_prefix_is_shared_and_kept(void **state)
{
    struct broker *b = *state;
    const char *lua = "local kv = require 'coop.kv'.open('app/')\n"
                      "print(pcall(kv.get, kv, 'x')) kv:put('x', 'one') print(kv:get('x'))\n"
                      "local ok, e = pcall(require 'coop.kv'.open, 'other/') print(e.type)\n"
                      "for _, k in ipairs((kv:list())) do print(k) end\n";

    (void)proc_expect(coop(b, "kv", "put", "other/secret", "s"), 0);
    expect_has(proc_expect(runs(b, CAPS("kv=app/:rw"), lua), 0)->out, "one\nNotAllowed\nx\n");
    expect_text(proc_expect(coop(b, "kv", "get", "app/x"), 0)->out, "one\n");
    broker_kill(b);
    broker_up(b);
    expect_text(proc_expect(coop(b, "kv", "get", "app/x"), 0)->out, "one\n");
    expect_has(runs(b, CAPS("kv=app/:ro"), "local kv = require 'coop.kv'.open('app/') print(kv:get('x')) kv:put('x', 'two')\n")->err,
               "NotAllowed");
}

static void a_grant_is_taken_back(void **state)
{
    struct broker *b = *state;

    expect_text(
        proc_expect(runs(b, CAPS("interpreters=1", "queues=1"),
                         FAMILY
                         "local q = queues.create{}\n"
                         "local child = interpreters.create{ engine = 'lua', grants = { out = caps.attenuate(q, { 'send', 'grant' }) } }\n"
                         "child:exec([[" CHILD
                         "function send(v) caps.granted('out'):put(v) end function take() return caps.granted('out'):get() end ]])\n"
                         "child:call('send', 'hello') print((q:get()))\n"
                         "print(try(child.call, child, 'take'))\n"
                         "caps.revoke(q)\n"
                         "local ok, e = pcall(child.call, child, 'send', 'again') print((e.message:find('revoked')) ~= nil)\n"
                         "print(q:info().items)\n"),
                    0)
            ->out,
        "hello\nExecutionFailed\ntrue\n0\n");
}

static void a_child_gets_no_more_than_its_parent_has(void **state)
{
    struct broker *b = *state;

    expect_text(proc_expect(runs(b, CAPS("interpreters=1", "kv=app/:ro"),
                                 FAMILY "print(try(interpreters.create, { engine = 'lua', caps = { 'kv=app/:rw' } }))\n"
                                        "print(try(interpreters.create, { engine = 'lua', caps = { 'kv=:rw' } }))\n"
                                        "print(try(interpreters.create, { engine = 'lua', caps = { 'net=loopback' } }))\n"
                                        "print(try(interpreters.create, { engine = 'lua', caps = { 'queues' } }))\n"
                                        "local child = interpreters.create{ engine = 'lua', caps = { 'kv=app/x/:ro' } }\n"
                                        "child:exec([[" CHILD "function f() return kv.open('app/'):get('x') end ]])\n"
                                        "print(try(child.call, child, 'f'))\n"),
                            0)
                    ->out,
                "NotAllowed\nBadRequest\nBadRequest\nNotAllowed\nExecutionFailed\n");
}

static void what_an_engine_cannot_have_is_refused_by_name(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(runs(b, CAPS("net=loopback"), "print(1)"), COOP_EXIT_USAGE)->err,
               "the engine 'lua' cannot have the capability 'net': its policy has no network calls at all");
    expect_has(proc_expect(runs(b, CAPS("file=conf"), "print(1)"), COOP_EXIT_USAGE)->err, "does not say by which name it is found inside");
    expect_has(proc_expect(coop(b, "run", "--engine", "exec", "--cap", "queues", "true"), COOP_EXIT_USAGE)->err,
               "'exec' cannot have the capability 'queues'");
}

static void every_answer_was_as_documented(void **state)
{
    struct broker *b = *state;

    assert_int_equal(broker_said(b, "undocumented", ""), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_calls_what_its_parent_offers),
        cmocka_unit_test(a_thousand_calls_wait_at_once),
        cmocka_unit_test(a_prefix_is_shared_and_kept),
        cmocka_unit_test(a_grant_is_taken_back),
        cmocka_unit_test(a_child_gets_no_more_than_its_parent_has),
        cmocka_unit_test(what_an_engine_cannot_have_is_refused_by_name),
        cmocka_unit_test(every_answer_was_as_documented),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("caps", tests, broker_setup, broker_teardown);
}
