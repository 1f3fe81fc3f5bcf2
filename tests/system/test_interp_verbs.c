/*
 * test_interp_verbs.c - coop interp, call, template, queue and kv from a terminal, against a real broker: for each thing that is right, one that is
 * wrong, with its exit code and its words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define COUNTER "n = 0; function add(k) n = n + k; print('adding', k); return n end; function give(...) return ... end"

/* The one line that it printed. */
static char *line_of(struct proc *p)
{
    size_t len = strcspn(p->out.bytes, "\n");

    return strndup(p->out.bytes, len);
}

static char *made(const struct broker *b, const char *source)
{
    return line_of(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--run", script(b, "made.lua", source)), 0));
}

static void an_interpreter_keeps_its_state_between_commands(void **state)
{
    struct broker *b = *state;
    char *id = made(b, COUNTER);

    expect_text(proc_expect(coop(b, "interp", "call", id, "add", "3"), 0)->out, "adding\t3\n3\n");
    expect_text(proc_expect(coop(b, "interp", "call", id, "add", "-1.5"), 0)->out, "adding\t-1.5\n1.5\n");
    expect_text(proc_expect(coop_in(b, "return n", 8, "interp", "exec", id, "-"), 0)->out, "1.5\n");
    expect_text(proc_expect(coop_in(b, "n = 7", 5, "interp", "exec", id, "-"), 0)->out, "");
    expect_has(proc_expect(coop(b, "interp", "prepare", "--json", id, "n=40", "name=Ada"), 0)->out, "\"schema\"");
    expect_text(proc_expect(coop_in(b, "return n, name", 14, "interp", "exec", id, "-"), 0)->out, "[40, \"Ada\"]\n");
    expect_has(proc_expect(coop(b, "interp", "show", id), 0)->out, "state     idle\n");
    proc_expect(coop(b, "interp", "close", id), 0);
    expect_has(proc_expect(coop(b, "interp", "call", id, "add", "1"), COOP_EXIT_CONFLICT)->err, "Closed");
    free(id);
}

/* A number of the document of its own tenant's usage. What was told before a submit is stored with it. */
static unsigned long long used(const struct broker *b, struct proc_how *how, const char *field)
{
    const char *key = support_text("\"%s\": ", field), *at;
    struct proc *p;

    (void)proc_expect(coop_start_as(b, how, "submit", "--hold", script(b, "held.lua", "return 1")), 0);
    p = proc_expect(coop_start_as(b, how, "usage", "--json"), 0);
    at = strstr(p->out.bytes, key);
    return at != NULL ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* It counts when a call is over, not when the interpreter ends, and once. */
static void what_a_living_one_computes_counts_today(void **state)
{
    static const char source[] = "function spin(s) local t = os.clock(); while os.clock() - t < s do end end";
    struct broker *b = *state;
    const char *env[] = { NULL, NULL };
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };
    unsigned long long alive, after;
    struct proc *p;
    char *id, *token;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    token = line_of(proc_expect(coop(b, "token", "create", "submit,read,cancel", "tenant=acme", "-q"), 0));
    env[0] = support_text("COOP_TOKEN=%s", token);
    free(token);
    p = proc_expect(coop_start_as(b, &how, "interp", "create", "--engine", "lua", "--run", script(b, "spin.lua", source)), 0);
    id = line_of(p);
    (void)proc_expect(coop_start_as(b, &how, "interp", "call", id, "spin", "0.6"), 0);
    alive = used(b, &how, "cpu_us");
    assert_true(alive >= 500000);
    assert_int_equal(used(b, &how, "jobs"), 0);
    (void)proc_expect(coop(b, "quota", "set", "acme", "cpu_s_per_day=1"), 0);
    (void)proc_expect(coop_start_as(b, &how, "interp", "call", id, "spin", "0.6"), 0);
    expect_has(proc_expect(coop_start_as(b, &how, "interp", "call", id, "spin", "0"), COOP_EXIT_QUOTA)->err, "today's CPU time");
    expect_has(proc_expect(coop_start_as(b, &how, "interp", "create", "--engine", "lua"), COOP_EXIT_QUOTA)->err, "today's CPU time");
    alive = used(b, &how, "cpu_us");
    assert_true(alive >= 1000000);
    (void)proc_expect(coop_start_as(b, &how, "interp", "close", id), 0);
    after = used(b, &how, "cpu_us");
    assert_true(after >= alive && after < alive + 500000);
    (void)proc_expect(coop(b, "quota", "set", "acme", "cpu_s_per_day=none"), 0);
    (void)proc_expect(coop_start_as(b, &how, "interp", "create", "--engine", "lua"), 0);
    free(id);
}

static void arguments_are_json_or_else_text(void **state)
{
    static const char *const rows[][2] = {
        {"null",                               "null"                             },
        { "[1, 2.5, \"x\", true]",             "[1, 2.5, \"x\", true]"            },
        { "{\"a\": {\"b\": []}}",              "{\"a\": {\"b\": []}}"             },
        { "word",                              "\"word\""                         },
        { "[1,",                               "\"[1,\""                          },
        { "\"quoted\"",                        "\"quoted\""                       },
        { "9223372036854775807",               "9223372036854775807"              },
        { "340282366920938463463374607431768", "340282366920938463463374607431768"},
        { "{\"$bytes\": \"AP8=\"}",            "{\"$bytes\": \"AP8=\"}"           },
        { "\xc3\xa4",                          "\"\\u00e4\""                      },
    };
    struct broker *b = *state;
    char *id = made(b, COUNTER);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_text(proc_expect(coop(b, "interp", "call", id, "give", rows[i][0]), 0)->out, support_text("%s\n", rows[i][1]));
    expect_has(proc_expect(coop(b, "interp", "call", id, "give", "{\"$bytes\": 1}"), COOP_EXIT_USAGE)->err, "is JSON, and no value");
    expect_text(proc_expect(coop(b, "interp", "call", id, "give", "--", "--json"), 0)->out, "\"--json\"\n");
    proc_expect(coop(b, "interp", "kill", id), 0);
    free(id);
}

/* More than a message has room for goes through a buffer, there and back. */
static void long_values_go_there_and_come_back(void **state)
{
    enum { LONG = 100000 };
    struct broker *b = *state;
    const char *file = script(b, "made.lua", COUNTER);
    char *id = line_of(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--cap", "buffers=1M", "--run", file), 0));
    char *text = malloc(LONG + 1), *line;

    memset(text, 'x', LONG);
    text[LONG] = '\0';
    line = support_text("\"%s\"\n", text);
    expect_text(proc_expect(coop(b, "interp", "call", id, "give", text), 0)->out, line);
    proc_expect(coop(b, "interp", "prepare", id, support_text("word=%s", text)), 0);
    expect_text(proc_expect(coop_in(b, "return #word", 12, "interp", "exec", id, "-"), 0)->out, "100000\n");
    proc_expect(coop(b, "queue", "create", "long"), 0);
    proc_expect(coop(b, "queue", "put", "long", text, text), 0);
    expect_text(proc_expect(coop(b, "queue", "get", "long"), 0)->out, line);
    proc_expect(coop(b, "interp", "kill", id), 0);
    free(text);
    free(id);
}

static void what_goes_wrong_inside_has_a_name_and_a_traceback(void **state)
{
    struct broker *b = *state;
    char *id = made(b, "function bad() error('oh no') end; function out() os.exit(70) end; function fun() return print end");
    struct proc *p = proc_expect(coop(b, "interp", "call", id, "bad"), COOP_EXIT_EXCEPTION);

    expect_has(p->err, "ExecutionFailed");
    expect_has(p->err, "oh no");
    expect_has(p->err, "made.lua:1: in ");
    expect_has(proc_expect(coop(b, "interp", "call", id, "nothing"), COOP_EXIT_NOT_FOUND)->err, "NoFunction");
    expect_has(proc_expect(coop(b, "interp", "call", id, "fun"), COOP_EXIT_USAGE)->err, "NotShareable");
    p = proc_expect(coop(b, "interp", "call", "--json", id, "bad"), COOP_EXIT_EXCEPTION);
    expect_has(p->out, "\"name\": \"ExecutionFailed\"");
    p = proc_expect(coop(b, "interp", "call", id, "out"), COOP_EXIT_EXCEPTION);
    expect_has(p->err, support_text("coop result %s", id));
    expect_has(proc_expect(coop(b, "interp", "wait", id), 0)->out, "ended     exit");
    expect_has(proc_expect(coop(b, "interp", "exec", id, script(b, "x.lua", "x = 1")), COOP_EXIT_CONFLICT)->err, "Dead");
    free(id);
}

static void what_makes_no_sense_is_refused_before_anything_is_made(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "interp", "creat"), COOP_EXIT_USAGE)->err, "did you mean 'coop interp create'?");
    expect_has(proc_expect(coop(b, "interp", "create"), COOP_EXIT_USAGE)->err, "an engine or a template");
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lau"), COOP_EXIT_USAGE)->err, "lua");
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "exec"), COOP_EXIT_USAGE)->err, "Unsupported");
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--limit", "memory=1T"), COOP_EXIT_QUOTA)->err, "maximum");
    expect_has(proc_expect(coop(b, "interp", "create", "--template", "none"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
    expect_has(proc_expect(coop(b, "interp", "call", "only-one"), COOP_EXIT_USAGE)->err, "wants ID FUNC ARGS...");
    expect_has(proc_expect(coop(b, "interp", "show", "nobody"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
    expect_has(proc_expect(coop(b, "interp", "prepare", "nobody", "novalue"), COOP_EXIT_USAGE)->err, "NAME=VALUE");
    expect_has(proc_expect(coop(b, "interp", "exec", "nobody", "/no/such/file"), COOP_EXIT_PROGRAM_MISSING)->err, "/no/such/file");
    expect_has(proc_expect(coop(b, "call", "f"), COOP_EXIT_USAGE)->err, "--template NAME, or --run FILE");
    expect_text(proc_expect(coop(b, "interp", "ls", "--quiet"), 0)->out, "");
}

static void a_name_is_taken_once(void **state)
{
    struct broker *b = *state;

    proc_expect(coop(b, "interp", "create", "--engine", "lua", "--name", "one"), 0);
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--name", "one"), COOP_EXIT_CONFLICT)->err, "NameTaken");
    expect_text(proc_expect(coop_in(b, "print 'hi' return 1", 19, "interp", "exec", "one", "-"), 0)->out, "hi\n1\n");
    proc_expect(coop(b, "interp", "close", "one"), 0);
    proc_expect(coop(b, "interp", "create", "--engine", "lua", "--name", "one"), 0);
    proc_expect(coop(b, "interp", "kill", "one"), 0);
}

static void a_call_of_its_own_leaves_no_interpreter(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "twice.lua", "function twice(x) return x * 2 end");

    expect_text(proc_expect(coop(b, "call", "--run", file, "twice", "21"), 0)->out, "42\n");
    expect_has(proc_expect(coop(b, "call", "--run", file, "thrice", "21"), COOP_EXIT_NOT_FOUND)->err, "NoFunction");
    expect_has(proc_expect(coop(b, "call", "--run", script(b, "bad.lua", "error('at once')"), "f"), COOP_EXIT_EXCEPTION)->err, "at once");
    expect_has(proc_expect(coop(b, "call", "--run", script(b, "syntax.lua", "function ("), "f"), COOP_EXIT_EXCEPTION)->err,
               "syntax.lua:1:");
    expect_text(proc_expect(coop(b, "interp", "ls", "--quiet"), 0)->out, "");
}

static void a_call_that_takes_too_long_is_ended_and_the_interpreter_lives(void **state)
{
    struct broker *b = *state;
    char *id = made(b, "function loop() while true do pcall(string.rep, 'x', 10) end end; function one() return 1 end");

    expect_has(proc_expect(coop(b, "interp", "call", "--timeout", "100ms", id, "loop"), COOP_EXIT_TIME_LIMIT)->err, "TimedOut");
    expect_text(proc_expect(coop(b, "interp", "call", id, "one"), 0)->out, "1\n");
    free(id);
}

static void a_template_is_built_once_and_copied(void **state)
{
    struct broker *b = *state;
    const char *init =
        script(b, "init.lua", "rows = {} for i = 1, 1000 do rows[i] = i end function more() rows[#rows + 1] = 0 return #rows end");

    expect_text(proc_expect(coop(b, "template", "build", "rows", "--engine", "lua", "--run", init), 0)->out, "rows@1\n");
    expect_text(proc_expect(coop(b, "template", "build", "rows", "--engine", "lua", "--run", init), 0)->out, "rows@2\n");
    expect_text(proc_expect(coop(b, "call", "--template", "rows@1", "more"), 0)->out, "1001\n");
    expect_text(proc_expect(coop(b, "call", "--template", "rows", "more"), 0)->out, "1001\n");
    expect_has(proc_expect(coop(b, "template", "ls"), 0)->out, "rows@2");
    expect_has(proc_expect(coop(b, "template", "build", "rows"), COOP_EXIT_USAGE)->err, "--run init.lua");
    expect_has(proc_expect(coop(b, "template", "build", "bad", "--run", script(b, "bad.lua", "error('no')")), COOP_EXIT_EXCEPTION)->err,
               "TemplateFailed");
    expect_has(proc_expect(coop(b, "call", "--template", "rows@3", "more"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
    proc_expect(coop(b, "template", "rm", "rows"), 0);
    expect_has(proc_expect(coop(b, "template", "rm", "rows"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
}

static void a_job_begins_as_a_copy_of_its_template(void **state)
{
    struct broker *b = *state;
    const char *init = script(b, "init.lua", "function find(k) return k .. '!' end");
    const char *use = script(b, "use.lua", "print(find('here'), arg[1])");
    char *id;

    proc_expect(coop(b, "template", "build", "words", "--run", init, "--limit", "memory=32M"), 0);
    expect_text(proc_expect(coop(b, "run", "--template", "words", use, "a"), 0)->out, "here!\ta\n");
    id = line_of(proc_expect(coop(b, "submit", "--template", "words@1", use), 0));
    expect_text(proc_expect(coop(b, "logs", "--follow", id), 0)->out, "here!\tnil\n");
    expect_has(proc_expect(coop(b, "show", "--json", id), 0)->out, "\"template\": \"words@1\"");
    free(id);
    expect_has(proc_expect(coop(b, "run", "--template", "nosuch", use), COOP_EXIT_NOT_FOUND)->err, "there is no template 'nosuch'");
    expect_has(proc_expect(coop(b, "run", "--template", "words@9", use), COOP_EXIT_NOT_FOUND)->err, "words@9");
    expect_has(proc_expect(coop(b, "run", "--template", "words", "--limit", "memory=1G", use), COOP_EXIT_USAGE)->err, "memory");
    expect_has(proc_expect(coop(b, "run", "--template", "words", script(b, "p.sh", "#!/bin/sh\n")), COOP_EXIT_USAGE)->err,
               "is one of the engine 'lua'");
}

/* What --run says is part of what it is: a new broker has it run again. */
static void a_named_one_is_made_anew_with_its_script(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "svc.lua", "print 'begins' function twice(x) return x * 2 end");
    struct proc *p = proc_expect(coop(b, "interp", "create", "--run", file, "--name", "svc"), 0);

    assert_int_equal(strncmp(p->out.bytes, "begins\n", 7), 0);
    expect_text(proc_expect(coop(b, "interp", "call", "svc", "twice", "21"), 0)->out, "42\n");
    broker_kill(b);
    broker_up(b);
    expect_text(proc_expect(coop(b, "interp", "call", "svc", "twice", "4"), 0)->out, "8\n");
    p = proc_expect(coop(b, "interp", "create", "--run", script(b, "bad.lua", "print 'so far' error('at once')")), COOP_EXIT_EXCEPTION);
    expect_text(p->out, "so far\n");
    expect_has(p->err, "bad.lua:1: at once");
    expect_has(p->err, "traceback");
    expect_has(proc_expect(coop(b, "interp", "create", "--run", "/dev/null"), COOP_EXIT_USAGE)->err, "--engine lua");
    expect_has(proc_expect(coop(b, "interp", "create", "--run", script(b, "slow.lua", "while true do end"), "--limit", "wall=200ms"),
                           COOP_EXIT_EXCEPTION)
                   ->err,
               "wall");
}

static void what_it_prints_in_its_life_does_not_end_it(void **state)
{
    struct broker *b = *state;
    const char *tiny = script(b, "tiny.lua", "function say() print(('x'):rep(3000)) return 1 end");

    proc_expect(coop(b, "interp", "create", "--run", tiny, "--name", "talks", "--limit", "stdout=4K"), 0);
    for (int i = 0; i < 3; i++)
        expect_has(proc_expect(coop(b, "interp", "call", "talks", "say"), 0)->out, "1\n");
    proc_expect(coop(b, "interp", "close", "talks"), 0);
}

static void who_looks_for_one_that_has_ended_sees_how(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "svc.lua", "function out() os.exit(70) end");

    proc_expect(coop(b, "interp", "create", "--run", file, "--name", "svc"), 0);
    expect_has(proc_expect(coop(b, "interp", "show", "svc"), 0)->out, "limits    cpu=");
    proc_expect(coop(b, "interp", "call", "svc", "out"), COOP_EXIT_EXCEPTION);
    expect_has(proc_expect(coop(b, "interp", "show", "svc"), 0)->out, "ended     exit");
    assert_null(strstr(proc_expect(coop(b, "interp", "show", "svc"), 0)->out.bytes, "used "));
    expect_has(proc_expect(coop(b, "interp", "wait", "svc"), 0)->out, "receipt   coop result ");
    expect_has(proc_expect(coop(b, "interp", "call", "svc", "out"), COOP_EXIT_CONFLICT)->err, "Dead");
    proc_expect(coop(b, "interp", "create", "--run", file, "--name", "svc"), 0);
    expect_has(proc_expect(coop(b, "interp", "show", "svc"), 0)->out, "state     idle");
}

static void the_type_of_an_error_is_printed_with_it(void **state)
{
    struct broker *b = *state;
    char *id = made(
        b,
        "function bad() error(setmetatable({}, {__name = 'MyError', __tostring = function() return 'no way' end})) end function plain() error('oh') end");

    expect_has(proc_expect(coop(b, "interp", "call", id, "bad"), COOP_EXIT_EXCEPTION)->err, "ExecutionFailed: MyError: no way\n");
    expect_has(proc_expect(coop(b, "interp", "call", id, "plain"), COOP_EXIT_EXCEPTION)->err, "ExecutionFailed: made.lua:1: oh\n");
    expect_has(proc_expect(coop(b, "template", "build", "bad", "--run", script(b, "no.lua", "require 'data'")), COOP_EXIT_EXCEPTION)->err,
               "TemplateFailed: the template bad@1 could not be made: no.lua:1: module 'data' not found:\n");
    free(id);
}

/* At rest when its owner ends well, it is closed; only one that was busy is cancelled. */
static void whose_owner_ends_well_has_ended_well(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "f.lua", "function one() return 1 end");
    const char *job = script(b, "job.lua", "i = require('coop.interpreters').create() i:exec('x = 1')");
    struct proc *p;

    proc_expect(coop(b, "call", "--run", file, "one"), 0);
    proc_expect(coop(b, "run", "--cap", "interpreters=1", job), 0);
    p = proc_expect(coop(b, "ls"), 0);
    expect_has(p->out, "succeeded");
    assert_null(strstr(p->out.bytes, "cancelled"));
}

static void what_a_job_may_not_says_how_it_may(void **state)
{
    struct broker *b = *state;
    char *id = made(b, "function big() return ('x'):rep(100000) end");

    expect_has(proc_expect(coop(b, "run", script(b, "i.lua", "require('coop.interpreters').create()")), COOP_EXIT_EXCEPTION)->err,
               "see --cap interpreters=N");
    expect_has(proc_expect(coop(b, "run", script(b, "q.lua", "require('coop.queues').create()")), COOP_EXIT_EXCEPTION)->err,
               "see --cap queues");
    expect_has(proc_expect(coop(b, "interp", "call", id, "big"), COOP_EXIT_USAGE)->err, "see --cap buffers=SIZE");
    free(id);
}

static void a_large_value_is_printed_too(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "big.lua", "function big() return {('x'):rep(100000), 7} end");

    proc_expect(coop(b, "interp", "create", "--run", file, "--cap", "buffers=1M", "--name", "big"), 0);
    expect_has(proc_expect(coop(b, "interp", "call", "big", "big"), 0)->out, "xxxx\", 7]\n");
    expect_has(proc_expect(coop(b, "interp", "call", "--json", "big", "big"), 0)->out, "xxxx\", 7]");
}

static void a_queue_from_a_terminal_keeps_what_was_put(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    proc_expect(coop(b, "queue", "create", "mem"), 0);
    proc_expect(coop(b, "queue", "put", "mem", "1", "2"), 0);
    expect_text(proc_expect(coop(b, "queue", "get", "mem", "--max-items", "2"), 0)->out, "1\n2\n");
    proc_expect(coop(b, "queue", "put", "mem", "3", "--unbound", "replace"), 0);
    p = proc_expect(coop(b, "queue", "get", "--json", "mem"), 0);
    expect_has(p->out, "\"unbound\": \"replace\"");
    expect_has(p->out, "\"sender\": \"");
    expect_text(p->err, "");
    p = proc_expect(coop(b, "queue", "ls"), 0);
    assert_int_equal(strncmp(p->out.bytes, "ID ", 3), 0);
    p = proc_expect(coop(b, "template", "ls"), 0);
    assert_int_equal(strncmp(p->out.bytes, "TEMPLATE ", 9), 0);
}

static void a_queue_gives_back_what_was_put_in_its_order(void **state)
{
    struct broker *b = *state;

    proc_expect(coop(b, "queue", "create", "q", "--max-items", "3", "--durable"), 0);
    proc_expect(coop(b, "queue", "put", "q", "1", "{\"k\": [2]}", "three"), 0);
    expect_has(proc_expect(coop(b, "queue", "put", "q", "4", "--timeout", "50ms"), COOP_EXIT_TEMPORARY)->err, "QueueFull");
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_text(proc_expect(coop(b, "queue", "get", "q", "--max-items", "9"), 0)->out, "1\n{\"k\": [2]}\n\"three\"\n");
    expect_has(proc_expect(coop(b, "queue", "get", "q", "--timeout", "50ms"), COOP_EXIT_TEMPORARY)->err, "QueueEmpty");
    expect_has(proc_expect(coop(b, "queue", "create", "q"), COOP_EXIT_CONFLICT)->err, "NameTaken");
    expect_has(proc_expect(coop(b, "queue", "create", "r", "--unbound", "keep"), COOP_EXIT_USAGE)->err,
               "replace, error, remove or persist");
    proc_expect(coop(b, "queue", "close", "q"), 0);
    expect_has(proc_expect(coop(b, "queue", "put", "q", "1"), COOP_EXIT_CONFLICT)->err, "Closed");
    proc_expect(coop(b, "queue", "rm", "q"), 0);
    expect_has(proc_expect(coop(b, "queue", "get", "q"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
}

static void keys_are_kept(void **state)
{
    struct broker *b = *state;

    proc_expect(coop(b, "kv", "put", "a/one", "1"), 0);
    proc_expect(coop(b, "kv", "put", "a/two", "zwei"), 0);
    broker_kill(b);
    broker_up(b);
    expect_text(proc_expect(coop(b, "kv", "get", "a/two"), 0)->out, "zwei\n");
    expect_text(proc_expect(coop(b, "kv", "ls", "a/"), 0)->out, "a/one\na/two\n");
    proc_expect(coop(b, "kv", "rm", "a/one"), 0);
    expect_has(proc_expect(coop(b, "kv", "get", "a/one"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
}

/* ---- handles from a terminal ------------------------------------------------------------------------------------------------------- */

#define GRANTED "function read(name) return require('coop.caps').granted(name):read() end"

static void a_file_is_granted_as_it_was_when_it_was_read(void **state)
{
    struct broker *b = *state;
    const char *data = script(b, "data.txt", "first words\n"), *lua = script(b, "granted.lua", GRANTED);
    char *id =
        line_of(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--run", lua, "--cap", support_text("file=words=%s", data)), 0));

    script(b, "data.txt", "other words");
    expect_text(proc_expect(coop(b, "interp", "call", id, "read", "words"), 0)->out, "\"first words\\n\"\n");
    expect_text(proc_expect(coop(b, "call", "--run", lua, "--cap", support_text("file=words=%s", data), "read", "words"), 0)->out,
                "\"other words\"\n");
    expect_has(proc_expect(coop(b, "interp", "call", id, "read", "letters"), COOP_EXIT_EXCEPTION)->err, "NotFound");
    proc_expect(coop(b, "interp", "reset", id), 0);
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "return require('coop.caps').granted('words'):read()"), 0)->out,
                "\"first words\\n\"\n");
    broker_kill(b);
    broker_up(b);
    expect_has(proc_expect(coop(b, "interp", "exec", id, "--source", "require('coop.caps').granted('words')"), COOP_EXIT_EXCEPTION)->err,
               "NotFound"); /* memory is gone with the broker that held it */
    free(id);
}

static void a_file_that_cannot_be_granted_is_refused_by_name(void **state)
{
    struct broker *b = *state;
    static const char *const rows[][2] = {
        {"file=words",            "file=NAME=PATH"  },
        { "file==x",              "file=NAME=PATH"  },
        { "file=words=",          "names no file"   },
        { "file=words=/no/file",  "No such file"    },
        { "file=words=/etc",      "is a directory"  },
        { "file=words=/dev/null", "a pipe, a socket"},
    };
    const char *empty = script(b, "empty.txt", ""), *data = script(b, "data.txt", "x"), *lua = script(b, "a.lua", "x = 1");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--cap", rows[i][0]), COOP_EXIT_USAGE)->err, rows[i][1]);
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--cap", support_text("file=e=%s", empty)), COOP_EXIT_USAGE)->err,
               "is empty");
    assert_int_equal(truncate(empty, 300 << 20), 0); /* of holes */
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--cap", support_text("file=e=%s", empty)), COOP_EXIT_USAGE)->err,
               support_text("file %s would be one", empty));
    data = support_text("file=d=%s", data);
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--cap", data, "--cap", data), COOP_EXIT_USAGE)->err,
               "two things are granted by the name 'd'");
    expect_has(proc_expect(coop(b, "run", "--cap", data, lua), COOP_EXIT_USAGE)->err, "a job is given no --cap file=");
    expect_has(proc_expect(coop(b, "submit", "--cap", data, lua), COOP_EXIT_USAGE)->err, "make an interpreter");
    expect_has(proc_expect(coop(b, "template", "build", "t", "--run", lua, "--cap", data), COOP_EXIT_USAGE)->err,
               "a template is given no --cap file=");
    expect_text(proc_expect(coop(b, "interp", "ls", "--quiet", "--all"), 0)->out, "");
}

static void things_are_granted_with_the_rights_that_were_named(void **state)
{
    struct broker *b = *state;
    char *other = made(b, "function one() return 1 end"), *id;

    proc_expect(coop(b, "queue", "create", "jobs"), 0);
    proc_expect(coop(b, "kv", "put", "app/key", "kept"), 0);
    id = line_of(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--grant", "in=queue:jobs:recv", "--grant",
                                  support_text("other=interp:%s:call", other), "--grant", "keys=kv:app/:ro"),
                             0));
    proc_expect(coop(b, "queue", "put", "jobs", "42"), 0);
    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source",
                                 "g = require('coop.caps').granted; return g('in'):get(), g('other'):call('one'), g('keys'):get('key')"),
                            0)
                    ->out,
                "[42, 1, \"kept\"]\n");
    expect_has(proc_expect(coop(b, "interp", "exec", id, "--source", "g('in'):put(1)"), COOP_EXIT_EXCEPTION)->err, "NotAllowed");
    expect_has(proc_expect(coop(b, "interp", "exec", id, "--source", "g('other'):close()"), COOP_EXIT_EXCEPTION)->err, "NotAllowed");
    expect_has(proc_expect(coop(b, "interp", "exec", id, "--source", "g('keys'):put('key', '')"), COOP_EXIT_EXCEPTION)->err, "NotAllowed");
    free(other);
    free(id);
}

static void a_grant_that_makes_no_sense_is_refused(void **state)
{
    struct broker *b = *state;
    static const struct {
        const char *grant, *words;
        int code;
    } rows[] = {
        {"queue:jobs:recv",        "by which name it is found",           COOP_EXIT_USAGE    },
        { "in=jobs",               "not a kind, a thing and a right",     COOP_EXIT_USAGE    },
        { "in=quue:jobs:recv",     "did you mean 'queue'?",               COOP_EXIT_USAGE    },
        { "in=queue:jobs:all",     "there is no right 'all'",             COOP_EXIT_USAGE    },
        { "in=interpreters:3",     "is a right of the job, and no thing", COOP_EXIT_USAGE    },
        { "in=queue:nothing:recv", "there is no queue nothing",           COOP_EXIT_NOT_FOUND},
        { "in=interp:nobody:call", "there is no interpreter nobody",      COOP_EXIT_NOT_FOUND},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--grant", rows[i].grant), rows[i].code)->err, rows[i].words);
    expect_text(proc_expect(coop(b, "interp", "ls", "--quiet", "--all"), 0)->out, "");
}

static void max_children_bounds_the_tree_below(void **state)
{
    struct broker *b = *state;
    const char *lua = script(b, "tree.lua",
                             "local i = require 'coop.interpreters' kept = {}\n"
                             "function more() kept[#kept + 1] = i.create{engine = 'lua'} return #kept end");
    char *id = line_of(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--run", lua, "--max-children", "2"), 0));

    proc_expect(coop(b, "interp", "call", id, "more"), 0);
    expect_text(proc_expect(coop(b, "interp", "call", id, "more"), 0)->out, "2\n");
    expect_has(proc_expect(coop(b, "interp", "call", id, "more"), COOP_EXIT_EXCEPTION)->err, "Limit");
    expect_has(proc_expect(coop(b, "call", "--run", lua, "more"), COOP_EXIT_EXCEPTION)->err, "NotAllowed");
    expect_has(proc_expect(coop(b, "interp", "create", "--engine", "lua", "--max-children", "0"), COOP_EXIT_USAGE)->err, "1 to 10000");
    free(id);
}

/* ---- small words --------------------------------------------------------------------------------------------------------------------- */

static void source_is_a_script_on_the_command_line(void **state)
{
    struct broker *b = *state;
    char *id = made(b, COUNTER);

    expect_text(proc_expect(coop(b, "interp", "exec", id, "--source", "n = 5 return n + 1"), 0)->out, "6\n");
    expect_has(proc_expect(coop(b, "interp", "exec", id, "--source", "return +"), COOP_EXIT_EXCEPTION)->err, "source:1:");
    expect_has(proc_expect(coop(b, "interp", "exec", id), COOP_EXIT_USAGE)->err, "there is no script");
    expect_has(proc_expect(coop(b, "interp", "exec", id, "-", "--source", "x"), COOP_EXIT_USAGE)->err, "no file beside it");
    free(id);
}

static void one_call_is_given_its_time(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "loop.lua", "function loop() while true do pcall(string.rep, 'x', 10) end end");

    expect_has(proc_expect(coop(b, "call", "--timeout", "200ms", "--run", file, "loop"), COOP_EXIT_TIME_LIMIT)->err, "TimedOut");
    expect_text(proc_expect(coop(b, "interp", "ls", "--quiet"), 0)->out, "");
}

static void what_a_command_puts_in_outlives_the_command(void **state)
{
    struct broker *b = *state;

    proc_expect(coop(b, "queue", "create", "q"), 0);
    proc_expect(coop(b, "queue", "put", "q", "1", "two"), 0);
    expect_has(proc_expect(coop(b, "queue", "show", "q"), 0)->out, "items     2 of 1024\n");
    expect_text(proc_expect(coop(b, "queue", "show", "--quiet", "q"), 0)->out, "2\n");
    expect_text(proc_expect(coop(b, "queue", "get", "q", "--max-items", "2"), 0)->out, "1\n\"two\"\n");
    proc_expect(coop(b, "queue", "put", "q", "--unbound", "replace", "3"), 0);
    expect_text(proc_expect(coop(b, "queue", "get", "q"), 0)->out, "null\n");
    expect_text(proc_expect(coop(b, "queue", "ls", "--quiet"), 0)->out, "q\n");
    expect_has(proc_expect(coop(b, "queue", "show", "none"), COOP_EXIT_NOT_FOUND)->err, "NotFound");
}

static void each_word_has_a_document_of_its_schema(void **state)
{
    struct broker *b = *state;
    char *id = made(b, COUNTER);
    const char *const rows[][6] = {
        {"coop.InterpStatusList/1", "interp", "ls"                },
        {"coop.InterpStatus/1",                 "interp",   "show",                   id },
        {"coop.CallResult/1",                 "interp",   "call",                   id, "add", "1" },
        {"coop.CallResult/1",                        "interp",             "prepare",  id, "x=1" },
        {"coop.Handle/1",                    "queue",                           "create",                                "q" },
        {"coop.QueueTaken/1",                      "queue",                             "put","q", "[7]" },
        {"coop.QueueStatus/1",                      "queue",                         "show",                                              "q" },
        {     "coop.QueueItems/1",                   "queue","get","q" },
        {"coop.QueueStatusList/1",                    "queue",                          "ls"                                                                       },
        {                                                                                                  "coop.Done/1",                     "queue",   "close","q" },
        {"coop.Done/1",                      "kv",                             "put",                                                                                                 "k", "v" },
        {                                                                                                                                                                                                                                                                 "coop.KvValue/1",                      "kv",                           "get","k" },
        {"coop.KvKeys/1",                    "kv","ls"                                                                    },
        {                                                                                                                                                                                                                                                                                                                                                                                         "coop.TemplateStatusList/1",                     "template",                              "ls"},
        {"coop.AliasLogList/1",                        "audit",           "calls"                                              },
        {                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                 "coop.Done/1",            "interp", "reset",              id },
        {"coop.Done/1",            "interp", "close",              id },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct proc *p = proc_expect(coop(b, "--json", rows[i][1], rows[i][2], rows[i][3], rows[i][4], rows[i][5]), 0);
        json_t *doc = json_of(&p->out);

        assert_string_equal(json_string_value(json_object_get(doc, "schema")), rows[i][0]);
        if (strcmp(rows[i][0], "coop.QueueItems/1") == 0)
            assert_int_equal(
                json_integer_value(json_array_get(json_object_get(json_array_get(json_object_get(doc, "items"), 0), "value"), 0)), 7);
    }
    free(id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_interpreter_keeps_its_state_between_commands),
        TEST(what_a_living_one_computes_counts_today),
        TEST(arguments_are_json_or_else_text),
        TEST(long_values_go_there_and_come_back),
        TEST(what_goes_wrong_inside_has_a_name_and_a_traceback),
        TEST(what_makes_no_sense_is_refused_before_anything_is_made),
        TEST(a_name_is_taken_once),
        TEST(a_call_of_its_own_leaves_no_interpreter),
        TEST(a_call_that_takes_too_long_is_ended_and_the_interpreter_lives),
        TEST(a_template_is_built_once_and_copied),
        TEST(a_job_begins_as_a_copy_of_its_template),
        TEST(a_named_one_is_made_anew_with_its_script),
        TEST(what_it_prints_in_its_life_does_not_end_it),
        TEST(who_looks_for_one_that_has_ended_sees_how),
        TEST(the_type_of_an_error_is_printed_with_it),
        TEST(whose_owner_ends_well_has_ended_well),
        TEST(what_a_job_may_not_says_how_it_may),
        TEST(a_large_value_is_printed_too),
        TEST(a_queue_from_a_terminal_keeps_what_was_put),
        TEST(a_queue_gives_back_what_was_put_in_its_order),
        TEST(keys_are_kept),
        TEST(a_file_is_granted_as_it_was_when_it_was_read),
        TEST(a_file_that_cannot_be_granted_is_refused_by_name),
        TEST(things_are_granted_with_the_rights_that_were_named),
        TEST(a_grant_that_makes_no_sense_is_refused),
        TEST(max_children_bounds_the_tree_below),
        TEST(source_is_a_script_on_the_command_line),
        TEST(one_call_is_given_its_time),
        TEST(what_a_command_puts_in_outlives_the_command),
        TEST(each_word_has_a_document_of_its_schema),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
