/*
 * test_interp_native.c - shared objects as interpreters, by the command; and native jobs that make interpreters from inside. What the
 * functions and jobs do is in tests/native/deeds.c.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "coop/client.h"
#include "coop/interp.h" /* both in one file: the first has the calls */
#include "tests/support/broker_fixture.h"

#if defined(COOP_ASAN) || defined(COOP_TSAN)
#define SANITIZED
#endif

static struct broker *b; /* one for all */

static const char *deeds(void)
{
    return support_program("tests/native/deeds.so");
}

static const char *example(const char *name)
{
    return support_program(support_text("examples/native/%s.so", name));
}

static char *make_of(const char *file, const char *limits)
{
    return heard_line(&proc_expect(coop(b, "interp", "create", "--engine", "native", "--limit", limits, "--run", file), 0)->out);
}

static char *make(void)
{
    return make_of(deeds(), "cpu=20s");
}

/* The value, as JSON, is what it must print. */
static void gives(const char *id, const char *function, const char *arg, const char *value)
{
    struct proc *p = proc_expect(coop(b, "interp", "call", "--quiet", id, function, arg), 0);

    expect_text(p->out, support_text("%s\n", value));
}

/* It must fail; the failure. */
static json_t *failure_of(const char *id, const char *function, const char *arg)
{
    struct proc *p = coop(b, "interp", "call", "--json", id, function, arg);

    assert_int_not_equal(p->code, 0);
    return json_of(&p->out);
}

static json_t *state_of(const char *id)
{
    return json_of(&proc_expect(coop(b, "interp", "show", "--json", id), 0)->out);
}

static void until_running(const char *id)
{
    while (strcmp(json_str(state_of(id), "state"), "running") != 0) /* each is a question and its answer: no time is waited for */
        ;
}

/* ---- what a call can be --------------------------------------------------------------------------------------------------------- */

struct call {
    const char *sentence, *function, *arg; /* arg NULL: none */
    const char *name, *type, *cause;       /* of the failure: its name, the error in there, how it ended; NULL name: it goes well */
    const char *words;                     /* the value; or what the message has */
    bool lives;                            /* and knows afterwards what it knew before */
};

#define GOES_WELL      NULL, "", ""
#define FAILS(type)    "ExecutionFailed", type, "none"
#define REFUSED(name)  name, "", "none"
#define ENDS(cause)    "ExecutionFailed", "", cause
#define LIVES          true
#define IS_OVER        false
#define UNCAUGHT(type) "ExecutionFailed", type, "exception"

/* clang-format off */
static const struct call calls[] = {
    { "a function gives a value",                        "get",          NULL,                 GOES_WELL,                 "7", LIVES },
    { "values of every type come and go",                "echo",         "[null,true,-5,2.5,\"\xc3\xa9\",[],{\"k\":[1]}]", GOES_WELL, "[[null, true, -5, 2.5, \"\\u00e9\", [], {\"k\": [1]}]]", LIVES },
    { "an integer of any size does",                     "echo",         "123456789012345678901234567890", GOES_WELL,      "[123456789012345678901234567890]", LIVES },
    { "nothing returned is null",                        "returns",        NULL,                 GOES_WELL,                 "null", LIVES },
    { "a large text comes back",                         "large",        "60000",              GOES_WELL,                 NULL, LIVES },
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) /* a sanitizer wants an address space without limit */
    { "malloc() fails at the limit, and only that",      "eats",         NULL,                 GOES_WELL,                 "true", LIVES },
#endif
    { "it can sleep",                                    "yields",       NULL,                 GOES_WELL,                 "\"slept\"", LIVES },

    { "an argument of another type is told",             "add",          "\"x\"",              FAILS("TypeError"),        "add: argument 1 is of type text: an integer of 64 bits is wanted", LIVES },
    { "a missing argument is told",                      "add",          NULL,                 FAILS("TypeError"),        "add: argument 1 is missing", LIVES },
    { "an error of its own is told",                     "fails",        NULL,                 FAILS("ValueError"),       "7 is too many", LIVES },
    { "a returned errno is told",                        "returns",      "-2",                 FAILS("Error"),            "No such file or directory (errno 2)", LIVES },
    { "a positive number is told",                       "returns",      "3",                  FAILS("Error"),            "it returned 3, which is neither 0 nor a negative errno", LIVES },
    { "a deadlock is told",                              "deadlocks",    NULL,                 FAILS("Deadlock"),         "every tasklet is blocked", LIVES },
    { "what failed inside is passed on",                 "uses_grant",   "nothing",            FAILS("NotFound"),         "nothing", LIVES },
    { "a result that cannot be sent is named",           "no_value",     NULL,                 REFUSED("NotShareable"),   "value[2]", LIVES },
    { "a function that is not there",                    "malloc",       "1",                  REFUSED("NoFunction"),     "deeds.so has no function \"malloc\"", LIVES },
    { "another that is not there: its table is",         "coop_functions", NULL,               REFUSED("NoFunction"),     "\"coop_functions\"", LIVES },

    { "a bad pointer ends it",                           "segv",         NULL,                 ENDS("signal"),            "signal 11", IS_OVER },
    { "exit() ends it",                                  "exits",        NULL,                 ENDS("exit"),              "", IS_OVER },
    { "_exit(0) ends it, though well",                   "leaves",       NULL,                 ENDS("ok"),                "", IS_OVER },
    { "a forbidden call ends it",                        "opens_socket", NULL,                 ENDS("policy"),            "socket(AF_INET, SOCK_STREAM, 0) is not in profile native", IS_OVER },
    { "a loop ends at the cpu limit of a call",          "loops",        NULL,                 ENDS("cpu_limit"),         "cpu", IS_OVER },
#ifndef SANITIZED
    { "abort() ends it",                                 "aborts",       NULL,                 ENDS("signal"),            "abort()", IS_OVER },
    { "endless recursion ends it",                       "recurses",     NULL,                 UNCAUGHT(""),              "stack overflow in tasklet 1 main", IS_OVER },
#endif
};
/* clang-format on */

enum { N_CALLS = sizeof(calls) / sizeof(calls[0]) };

static void expect_over(const char *id, const char *cause)
{
    json_t *f = failure_of(id, "get", NULL);
    json_t *r = expect_end(b, id, cause);

    assert_string_equal(json_str(f, "name"), strcmp(cause, "ok") == 0 ? "Closed" : "Dead");
    assert_string_equal(json_str(f, "cause"), cause);
    assert_string_equal(json_str(f, "receipt"), id);
    assert_string_equal(json_str(r, "engine"), "native");
}

static void it_is_so(void **state)
{
    const struct call *c = *state;
    char *id = make_of(deeds(), "cpu=500ms,memory=64M,stdout=10K");
    json_t *f;

    gives(id, "add", "7", "7");
    if (c->name == NULL) {
        if (c->words != NULL)
            gives(id, c->function, c->arg, c->words);
        else
            (void)proc_expect(coop(b, "interp", "call", "--quiet", id, c->function, c->arg), 0);
    } else {
        f = failure_of(id, c->function, c->arg);
        assert_string_equal(json_str(f, "name"), c->name);
        assert_string_equal(json_str(f, "cause"), c->cause);
        assert_non_null(strstr(json_str(f, "message"), c->words));
        if (c->type[0] != '\0')
            assert_string_equal(json_str(f, "remote.type"), c->type);
        assert_string_equal(json_str(f, "receipt"), c->lives ? "" : id);
    }
    if (c->lives) {
        gives(id, "get", NULL, "7");
        (void)proc_expect(coop(b, "interp", "close", id), 0);
    } else {
        expect_over(id, c->cause);
    }
}

/* ---- state, names, output ------------------------------------------------------------------------------------------------------- */

static void its_globals_are_its_own(void **state)
{
    char *one = make(), *other = make();

    (void)state;
    gives(one, "add", "1", "1");
    gives(other, "add", "10", "10");
    gives(one, "add", "1", "2");
    gives(other, "get", NULL, "10");
    (void)proc_expect(coop(b, "interp", "close", one), 0);
    gives(other, "get", NULL, "10");
    (void)proc_expect(coop(b, "interp", "kill", other), 0);
}

static void prepared_names_are_there_all_at_once(void **state)
{
    char *id = make();

    (void)state;
    gives(id, "prepared", "a", "\"no such name\"");
    (void)proc_expect(coop(b, "interp", "prepare", id, "a=[1,2]", "b=text"), 0);
    gives(id, "prepared", "a", "[1, 2]");
    gives(id, "prepared", "b", "\"text\"");
    (void)proc_expect(coop(b, "interp", "prepare", id, "b=null"), 0);
    gives(id, "prepared", "a", "[1, 2]");
    gives(id, "prepared", "b", "null");
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
}

static void it_has_no_source_text(void **state)
{
    char *id = make();
    struct proc *p = coop(b, "interp", "exec", "--json", id, script(b, "a.lua", "x = 1"));

    (void)state;
    assert_string_equal(json_str(json_of(&p->out), "name"), "Unsupported");
    assert_string_equal(json_str(json_of(&p->out), "message"),
                        "native has no source text: give a shared object when the interpreter is created");
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
}

static void what_a_call_prints_is_out_when_it_is_over(void **state)
{
    char *id = make();
    struct proc *p = proc_expect(coop(b, "interp", "call", id, "says"), 0);

    (void)state;
    expect_has(p->out, "without a newline");
    expect_has(p->err, "an error\n");
    (void)proc_expect(coop(b, "interp", "close", id), 0);
    expect_text(proc_expect(coop(b, "logs", id), 0)->out, "without a newlinestopped at 0\n");
}

static void the_traceback_is_the_modules_calls(void **state)
{
    char *id = make();

    (void)state;
    expect_has(coop(b, "interp", "call", id, "fails")->err, "\n    deeds.so+0x");
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
}

/* ---- begin and end -------------------------------------------------------------------------------------------------------------- */

static void what_is_no_interpreter_is_refused_with_the_reason(void **state)
{
    static const struct {
        const char *file, *words;
    } rows[] = {
        {"no_entry",    "no_entry.so has no coop_functions: an interpreter defines const struct coop_function coop_functions[]"},
        { "unresolved", "unresolved.so: undefined symbol: nobody_has_this_function"                                            },
        { "internal",   "internal.so: undefined symbol: link_send_packed"                                                      },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *file = support_program(support_text("tests/native/%s.so", rows[i].file));

        expect_has(proc_expect(coop(b, "interp", "create", "--engine", "native", "--run", file), COOP_EXIT_EXCEPTION)->err, rows[i].words);
    }
}

static void an_interpreter_may_be_a_job_too(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "run", deeds()), 99);
    expect_has(proc_expect(coop(b, "run", example("counter")), COOP_EXIT_EXCEPTION)->err, "counter.so has no coop_job()");
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------------------- */

static void an_interrupt_ends_the_call_and_not_the_interpreter(void **state)
{
    static const char *const how[] = { "sleeps", "looks" };

    (void)state;
    for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        char *id = make();
        struct proc *p = coop_start(b, "interp", "call", "--json", id, how[i]);

        until_running(id);
        assert_string_equal(json_str(state_of(id), "running"), how[i]);
        (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
        (void)proc_expect(p, COOP_EXIT_CANCELLED);
        assert_string_equal(json_str(json_of(&p->out), "name"), "Interrupted");
        gives(id, "yields", NULL, "\"slept\""); /* it is over with that call */
        (void)proc_expect(coop(b, "interp", "close", id), 0);
    }
}

static void a_call_that_ends_well_all_the_same_does(void **state)
{
    char *id = make();
    struct proc *p = coop_start(b, "interp", "call", id, "does_not_care");

    (void)state;
    until_running(id);
    (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
    expect_has(proc_expect(p, 0)->out, "\"all the same\"");
    gives(id, "yields", NULL, "\"slept\"");
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
}

static void a_call_that_does_not_hear_is_killed(void **state)
{
    char *id = make();
    struct proc *p = coop_start(b, "interp", "call", "--json", id, "loops");

    (void)state;
    until_running(id);
    (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
    (void)proc_end(p);
    assert_string_equal(json_str(json_of(&p->out), "name"), "ExecutionFailed");
    assert_string_equal(json_str(json_of(&p->out), "cause"), "cancelled");
    expect_over(id, "cancelled");
}

static void a_busy_one_is_not_closed(void **state)
{
    char *id = make();
    struct proc *p = coop_start(b, "interp", "call", "--json", id, "sleeps");

    (void)state;
    until_running(id);
    expect_has(proc_expect(coop(b, "interp", "close", id), COOP_EXIT_CONFLICT)->err, "Busy");
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
    (void)proc_end(p);
    assert_string_equal(json_str(json_of(&p->out), "name"), "ExecutionFailed");
    assert_string_equal(json_str(json_of(&p->out), "cause"), "cancelled");
}

/* ---- what calls leave behind ---------------------------------------------------------------------------------------------------- */

static void tasklets_go_on_between_the_calls(void **state)
{
    char *id = make();

    (void)state;
    gives(id, "leaves_tasklet", "20000", "null");
    assert_string_equal(json_str(state_of(id), "state"), "idle"); /* main is what counts */
    while (strcmp(heard_line(&proc_expect(coop(b, "interp", "call", "--quiet", id, "get"), 0)->out), "1000") != 0)
        ;
    gives(id, "leaves_tasklet", "0", "null");
    (void)proc_expect(coop(b, "interp", "close", id), 0); /* one that sleeps is cancelled */
    expect_has(proc_expect(coop(b, "logs", id), 0)->out, "stopped at 1000\n");
}

static void an_interrupt_leaves_other_tasklets_alone(void **state)
{
    char *id = make();
    struct proc *p;

    (void)state;
    gives(id, "leaves_tasklet", "200000", "null");
    p = coop_start(b, "interp", "call", "--json", id, "sleeps");
    until_running(id);
    (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    while (strcmp(heard_line(&proc_expect(coop(b, "interp", "call", "--quiet", id, "get"), 0)->out), "0") == 0)
        ;
    gives(id, "get", NULL, "1000"); /* -1: it was cancelled */
    (void)proc_expect(coop(b, "interp", "kill", id), 0);
}

static void a_spoilt_main_is_good_for_the_next_call(void **state)
{
    char *id = make();
    struct proc *p;

    (void)state;
    gives(id, "spoils", NULL, "null");
    gives(id, "yields", NULL, "\"slept\"");
    p = coop_start(b, "interp", "call", "--json", id, "sleeps");
    until_running(id);
    (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    (void)proc_expect(coop(b, "interp", "close", id), 0);
}

static void threads_of_an_interpreter_are_its_own(void **state)
{
    char *id = make_of(deeds(), "threads=3,memory=512M");
    struct proc *p;

    (void)state;
    gives(id, "add", "3", "3");
    gives(id, "yields", NULL, "\"slept\"");
    p = coop_start(b, "interp", "call", "--json", id, "sleeps");
    until_running(id);
    (void)proc_expect(coop(b, "interp", "interrupt", id), 0);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    gives(id, "yields", NULL, "\"slept\"");
    (void)proc_expect(coop(b, "interp", "close", id), 0);
}

/* ---- from inside ---------------------------------------------------------------------------------------------------------------- */

struct inside {
    const char *name; /* of the job in deeds.c */
    const char *out;
};

/* clang-format off */
static const struct inside insides[] = {
    { "of_itself",
      "42\nnative spawned 2 calls, state 2\nitself: native job, state 3\n1 below, the same\nok\nget: -32 Closed [] [ok] [receipt]\n" },
    { "of_lua",
      "42\n10\nexec: -10 ExecutionFailed [error] [] []\nnames the line\nexec: -110 TimedOut [] [] []\n" },
#ifndef SANITIZED
    { "crashes",
      "segv: -10 ExecutionFailed [] [signal] [receipt]\nthen: -130 Dead [] [signal] [receipt]\n"
      "aborts: -10 ExecutionFailed [] [signal] [receipt]\nthen: -130 Dead [] [signal] [receipt]\n"
      "exits: -10 ExecutionFailed [] [exit] [receipt]\nthen: -130 Dead [] [exit] [receipt]\n"
      "leaves: -10 ExecutionFailed [] [ok] [receipt]\nthen: -32 Closed [] [ok] [receipt]\n"
      "opens_socket: -10 ExecutionFailed [] [policy] [receipt]\nthen: -130 Dead [] [policy] [receipt]\n"
      "recurses: -10 ExecutionFailed [StackOverflow] [exception] [receipt]\nthen: -130 Dead [] [exception] [receipt]\n" },
#endif
    { "many_wait", "0 failed, sum 499500\n" },
    { "queues",
      "100 items, sum 4950\nget by send: -13 NotAllowed [] [] []\nget of none: -11 QueueEmpty [] [] []\nput 100 got 100\n"
      "put revoked: -128 Revoked [] [] []\nput closed: -32 Closed [] [] []\n" },
    { "buffers", "1048576\nwrites: -10 ExecutionFailed [] [signal] [receipt]\nnot a buffer: -9 BadHandle [] [] []\n" },
    { "large_values", "2097152 2097152\n" },
    { "aliases", "LOUD\nupper of nothing: -10 ExecutionFailed [TypeError] [] []\nlower: -10 ExecutionFailed [NoFunction] [] []\nserved: 0\n" },
    { "grants",
      "by grant\nanother: -10 ExecutionFailed [NotFound] [] []\n2 held\nforged: -9 BadHandle [] [] []\nof another kind: -9 BadHandle [] [] []\n" },
    { "is_killed", "sleeps: -10 ExecutionFailed [] [cancelled] [receipt]\n" },
    { "times_out", "sleeps: -110 TimedOut [] [] []\n3\n" },
    { "keys", "again: -17 NameTaken [] [] []\n22\none\ntwo\ngone: -2 NotFound [] [] []\n" },
    { "futures", "not yet: -110 TimedOut [] [] []\n0\n1 0\n" },
};
/* clang-format on */

enum { N_INSIDES = sizeof(insides) / sizeof(insides[0]) };

static struct proc *run_inside(const char *name)
{
    return coop(b, "run", "--limit", "memory=512M", "--cap", "interpreters=8", "--cap", "queues", "--cap", "buffers", "--cap",
                "kv=deeds/:rw", deeds(), name);
}

static void from_inside_it_is_so(void **state)
{
    const struct inside *i = *state;
    struct proc *p = proc_expect(run_inside(i->name), 0);

    expect_text(p->out, i->out);
    expect_text(p->err, "");
}

static void who_would_wait_for_itself_is_told(void **state)
{
    struct proc *p = proc_expect(run_inside("cycles"), 0);

    (void)state;
    expect_has(p->out, "calls itself: -10 ExecutionFailed [Deadlock] [] []\nthey would wait for each other for ever: ");
}

static void without_capabilities_nothing_is_allowed(void **state)
{
    (void)state;
    expect_text(proc_expect(coop(b, "run", deeds(), "not_allowed"), 0)->out,
                "create: -13 NotAllowed [] [] []\nqueue: -13 NotAllowed [] [] []\nbuffer: -13 NotAllowed [] [] []\n"
                "kv: -13 NotAllowed [] [] []\ngranted: -2 NotFound [] [] []\nalias: -38 NoFunction [] [] []\n");
}

static void a_linked_childs_bad_end_is_its_parents(void **state)
{
    (void)state;
    expect_has(proc_expect(run_inside("linked"), COOP_EXIT_CANCELLED)->err, "which ended: signal");
}

static void children_end_with_their_parent(void **state)
{
    json_t *list;

    (void)state;
    (void)proc_expect(run_inside("many_wait"), 0);
    list = json_of(&proc_expect(coop(b, "interp", "ls", "--json"), 0)->out);
    assert_int_equal(json_array_size(json_at(list, "interps")), 0);
}

/* ---- the examples --------------------------------------------------------------------------------------------------------------- */

static void the_examples_do_what_they_say(void **state)
{
    char *id = make_of(example("counter"), "cpu=20s");

    (void)state;
    gives(id, "add", "5", "5\n5"); /* it prints it, too */
    gives(id, "add", "7", "12\n12");
    gives(id, "stats", NULL, "{\"calls\": 3, \"total\": 12}");
    assert_string_equal(json_str(failure_of(id, "add", "9223372036854775807"), "remote.type"), "OverflowError");
    gives(id, "wait", "0.001", "null");
    gives(id, "reset", NULL, "null");
    (void)proc_expect(coop(b, "interp", "close", id), 0);
    expect_text(proc_expect(coop(b, "run", "--cap", "interpreters=4", example("fan_out"), "4", "1000"), 0)->out,
                "1000 calls, sum 332833500\n");
}

static void every_function_of_the_headers_is_there(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "run", support_program("tests/native/all_inside.so")), 0);
}

#define TEST(f)  cmocka_unit_test(f)
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

static const struct CMUnitTest others[] = {
    TEST(its_globals_are_its_own),
    TEST(prepared_names_are_there_all_at_once),
    TEST(it_has_no_source_text),
    TEST(what_a_call_prints_is_out_when_it_is_over),
    TEST(the_traceback_is_the_modules_calls),
    TEST(what_is_no_interpreter_is_refused_with_the_reason),
    TEST(an_interpreter_may_be_a_job_too),
    TEST(an_interrupt_ends_the_call_and_not_the_interpreter),
    TEST(a_call_that_ends_well_all_the_same_does),
    TEST(a_call_that_does_not_hear_is_killed),
    TEST(a_busy_one_is_not_closed),
    TEST(tasklets_go_on_between_the_calls),
    TEST(an_interrupt_leaves_other_tasklets_alone),
    TEST(a_spoilt_main_is_good_for_the_next_call),
    TEST(threads_of_an_interpreter_are_its_own),
    TEST(who_would_wait_for_itself_is_told),
    TEST(without_capabilities_nothing_is_allowed),
    TEST(a_linked_childs_bad_end_is_its_parents),
    TEST(children_end_with_their_parent),
    TEST(the_examples_do_what_they_say),
    TEST(every_function_of_the_headers_is_there),
};

static int up(void **state)
{
    void *fresh = NULL;
    int rc = broker_setup(&fresh);

    (void)state;
    b = fresh;
    return rc;
}

static int down(void **state)
{
    void *used = b;

    (void)state;
    return broker_teardown(&used);
}

int main(void)
{
    static struct CMUnitTest tests[N_CALLS + N_INSIDES + N_OTHERS];
    size_t n = 0;

    for (size_t i = 0; i < N_CALLS; i++)
        tests[n++] = (struct CMUnitTest){ .name = calls[i].sentence, .test_func = it_is_so, .initial_state = (void *)&calls[i] };
    for (size_t i = 0; i < N_INSIDES; i++)
        tests[n++] =
            (struct CMUnitTest){ .name = insides[i].name, .test_func = from_inside_it_is_so, .initial_state = (void *)&insides[i] };
    memcpy(&tests[n], others, sizeof(others));
    n += N_OTHERS;
    cmocka_set_test_filter(getenv("TEST"));
    return _cmocka_run_group_tests("interp_native", tests, n, up, down);
}
