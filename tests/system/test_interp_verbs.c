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
    expect_has(proc_expect(coop(b, "interp", "create", "--run", "/dev/null"), COOP_EXIT_USAGE)->err, "give --engine lua");
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
    assert_int_equal(strncmp(p->out.bytes, "NAME ", 5), 0);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_interpreter_keeps_its_state_between_commands),
        TEST(arguments_are_json_or_else_text),
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
        TEST(a_queue_from_a_terminal_keeps_what_was_put),
        TEST(a_queue_gives_back_what_was_put_in_its_order),
        TEST(keys_are_kept),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
