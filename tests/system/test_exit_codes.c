/*
 * test_exit_codes.c - each verb about jobs that wait, run or have ended: used well it ends with 0, used wrongly with the code that its manual has, and
 * says why. Each wrong use stands beside a right one.
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

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
enum { WORDS = 12 };

/* Jobs of each kind, made once for a test. */
struct jobs {
    const char *ended, *failed, *running, *paused, *held, *held2, *later, *then, *nobody;
    const char *script, *forever;
};

static struct jobs make(struct broker *b)
{
    struct jobs j = { .script = script(b, "a.lua", "print('a')\n"), .forever = script(b, "for_ever.lua", "while true do end\n") };

    j.ended = submit(b, j.script);
    j.failed = submit(b, script(b, "fails.lua", "os.exit(3)\n"));
    j.running = submit(b, ENDLESS, j.forever);
    j.paused = submit(b, ENDLESS, j.forever);
    j.held = submit(b, "--hold", "-l", "kind=held", j.script);
    j.held2 = submit(b, "--hold", j.script);
    j.later = submit(b, "--in", "1h", j.script);
    j.then = submit(b, "--hold", "--after", j.later, j.script);
    j.nobody = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    (void)proc_expect(coop(b, "wait", j.ended), 0);
    (void)proc_expect(coop(b, "wait", j.failed), COOP_EXIT_JOB_FAILED);
    (void)proc_expect(coop(b, "wait", "--state", "running", j.running, j.paused), 0);
    (void)proc_expect(coop(b, "pause", j.paused), 0);
    return j;
}

/* Words that stand for a job. */
static const char *word(const struct jobs *j, const char *text)
{
    const struct {
        const char *name, *is;
    } words[] = {
        {"ENDED",    j->ended  },
        { "FAILED",  j->failed },
        { "RUNNING", j->running},
        { "PAUSED",  j->paused },
        { "HELD",    j->held   },
        { "HELD2",   j->held2  },
        { "LATER",   j->later  },
        { "THEN",    j->then   },
        { "NOBODY",  j->nobody },
        { "SCRIPT",  j->script },
        { "FOREVER", j->forever},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].name, text) == 0)
            return words[i].is;
    return text;
}

struct row {
    int code;
    const char *says; /* on standard error; NULL: nothing is looked for */
    const char *argv[WORDS];
};

/* As text, and as an error of --json with the same code. */
static void try_row(struct broker *b, const struct jobs *j, const struct row *r)
{
    const char *argv[WORDS + 2];
    size_t n = 0;
    struct proc *p;

    for (; r->argv[n] != NULL; n++)
        argv[n] = word(j, r->argv[n]);
    argv[n] = NULL;
    p = proc_expect(coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, argv), r->code);
    if (r->says != NULL)
        expect_has(p->err, r->says);
    if (r->says == NULL || r->code == 0)
        return;
    memmove(argv + 2, argv + 1, n * sizeof(*argv));
    argv[1] = "--json";
    p = proc_expect(coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, argv), r->code);
    assert_string_equal(json_str(json_line(&p->out, json_lines(&p->out) - 1), "schema"), "coop.Error/1");
    assert_int_equal(json_num(json_line(&p->out, json_lines(&p->out) - 1), "exit_code"), r->code);
    expect_text(p->err, "");
}

static void try_rows(struct broker *b, const struct row *rows, size_t n)
{
    struct jobs j = make(b);

    for (size_t i = 0; i < n; i++)
        try_row(b, &j, &rows[i]);
}

/* clang-format off */
static void what_cannot_be_done_in_a_state_is_a_conflict(void **state)
{
    static const struct row rows[] = {
        { 81, "already ended",             { "hold", "ENDED" } },
        { 81, "is running",                { "hold", "RUNNING" } },
        { 0,  NULL,                        { "hold", "LATER" } },
        { 81, "only one that is held",     { "release", "RUNNING" } },
        { 81, "already ended",             { "release", "ENDED" } },
        { 0,  NULL,                        { "release", "HELD2" } },
        { 81, "only one that runs",        { "pause", "HELD" } },
        { 81, "ended",                     { "pause", "ENDED" } },
        { 81, "only one that is paused",   { "resume", "RUNNING" } },
        { 0,  NULL,                        { "resume", "PAUSED" } },
        { 0,  NULL,                        { "pause", "PAUSED" } },
        { 81, "ended",                     { "cancel", "ENDED" } },
        { 81, "ended",                     { "kill", "FAILED" } },
        { 0,  NULL,                        { "kill", "PAUSED" } },
        { 81, NULL,                        { "result", "RUNNING" } },
        { 0,  NULL,                        { "result", "ENDED" } },
        { 81, "otherwise",                 { "wait", "--state", "running", "ENDED" } },
        { 0,  NULL,                        { "wait", "--state", "running", "RUNNING" } },
        { 0,  NULL,                        { "hold", "-l", "kind=held" } },   /* there is none to which it can be done: no mistake */
        { 0,  NULL,                        { "release", "-l", "kind=held" } },
        { 0,  NULL,                        { "wait", "HELD" } },
    };

    try_rows(*state, rows, ARRAY_LEN(rows));
}

static void what_is_asked_of_ended_jobs_and_of_waiting_ones_stays_theirs(void **state)
{
    static const struct row rows[] = {
        { 81, NULL,                        { "edit", "--prio", "5", "ENDED" } },
        { 81, NULL,                        { "edit", "--prio", "5", "RUNNING" } },
        { 0,  NULL,                        { "edit", "--prio", "5", "HELD" } },
        { 81, NULL,                        { "rm", "RUNNING" } },
        { 81, NULL,                        { "rm", "HELD" } },
        { 81, NULL,                        { "retry", "RUNNING" } },
        { 0,  NULL,                        { "retry", "--clone", "HELD" } },
        { 0,  NULL,                        { "retry", "ENDED" } },
        { 0,  NULL,                        { "rm", "ENDED" } },
        { 80, NULL,                        { "show", "ENDED" } },
        { 81, "circle",                    { "edit", "--after", "LATER", "LATER" } },
        { 81, "circle",                    { "edit", "--after", "THEN", "LATER" } },
        { 0,  NULL,                        { "edit", "--drop-after", "LATER", "THEN" } },
        { 0,  NULL,                        { "edit", "--after", "THEN", "LATER" } },
        { 80, NULL,                        { "edit", "--after", "NOBODY", "LATER" } },
        { 80, NULL,                        { "edit", "--drop-after", "HELD", "LATER" } },
        { 2,  "nothing is to be changed",  { "edit", "HELD" } },
        { 2,  "1 to 5",                    { "edit", "--prio", "6", "HELD" } },
        { 2,  "interactive, normal or batch", { "edit", "--class", "urgent", "HELD" } },
        { 2,  "is no time",                { "edit", "--at", "soon", "HELD" } },
        { 2,  "ok, fail or any",           { "edit", "--after", "01ARZ3NDEKTSV4RRFFQ69G5FAV:good", "HELD" } },
        { 79, "above the maximum",         { "edit", "--limit", "cpu=5000h", "HELD" } },
    };

    try_rows(*state, rows, ARRAY_LEN(rows));
}

static void what_is_not_there_is_not_found(void **state)
{
    static const struct row rows[] = {
        { 80, "no job",  { "wait", "NOBODY" } },
        { 2,  "this machine", { "store", "check", "--endpoint", "tls+tcp://127.0.0.1:1" } },
        { 80, "no job",  { "logs", "NOBODY" } },
        { 80, "no job",  { "result", "NOBODY" } },
        { 80, "no job",  { "show", "NOBODY" } },
        { 80, "no job",  { "show", "--why", "NOBODY" } },
        { 80, "no job",  { "cancel", "NOBODY" } },
        { 80, "no job",  { "kill", "NOBODY" } },
        { 80, "no job",  { "hold", "NOBODY" } },
        { 80, "no job",  { "release", "NOBODY" } },
        { 80, "no job",  { "pause", "NOBODY" } },
        { 80, "no job",  { "resume", "NOBODY" } },
        { 80, "no job",  { "retry", "NOBODY" } },
        { 80, "no job",  { "edit", "--prio", "1", "NOBODY" } },
        { 80, "no job",  { "rm", "NOBODY" } },
        { 80, NULL,      { "wait", "--any", "NOBODY" } },
        { 80, NULL,      { "submit", "--after", "NOBODY", "SCRIPT" } },
        { 80, NULL,      { "submit", "--limiter", "nothing", "SCRIPT" } },
        { 80, NULL,      { "cron", "rm", "NOBODY" } },
        { 80, NULL,      { "cron", "fire", "NOBODY" } },
        { 80, NULL,      { "limiter", "rm", "nothing" } },
        { 2,  "0 to 1000000", { "limiter", "set", "places", "many" } },
        { 80, NULL,      { "tenant", "show", "nobody" } },
        { 0,  NULL,      { "show", "--why", "ENDED" } },
        { 0,  NULL,      { "show", "--why", "HELD" } },
        { 0,  NULL,      { "events", "ENDED" } },
    };

    try_rows(*state, rows, ARRAY_LEN(rows));
}

static void keys_quotas_time_and_ends_have_their_codes(void **state)
{
    static const struct row rows[] = {
        { 0,   NULL,           { "submit", "--idem", "key", "SCRIPT" } },
        { 0,   NULL,           { "submit", "--idem", "key", "SCRIPT" } },
        { 81,  "key",          { "submit", "--idem", "key", "FOREVER" } },
        { 2,   NULL,           { "submit", "--deadline", "2001-01-01", "SCRIPT" } },
        { 2,   NULL,           { "submit", "--cron", "0 0 30 2 *", "SCRIPT" } },
        { 79,  NULL,           { "submit", "--array", "1-1000000000", "SCRIPT" } },
        { 124, "--timeout",    { "wait", "--timeout", "100ms", "RUNNING" } },
        { 124, "--timeout",    { "wait", "--any", "--timeout", "100ms", "RUNNING", "HELD" } },
        { 124, "--timeout",    { "events", "-f", "--timeout", "100ms" } },
        { 0,   NULL,           { "cancel", "HELD" } },
        { 130, NULL,           { "wait", "HELD" } },
        { 1,   NULL,           { "wait", "ENDED", "FAILED" } },
        { 1,   NULL,           { "wait", "--any", "FAILED", "RUNNING" } },
        { 0,   NULL,           { "wait", "--any", "ENDED", "RUNNING" } },
    };

    try_rows(*state, rows, ARRAY_LEN(rows));
}

static void a_broker_that_drains_or_is_not_there_is_to_be_tried_again(void **state)
{
    static const struct row rows[] = {
        { 0,  NULL,            { "node", "drain" } },
        { 75, "drain",         { "submit", "SCRIPT" } },
        { 0,  NULL,            { "node", "undrain" } },
        { 0,  NULL,            { "submit", "SCRIPT" } },
        { 75, NULL,            { "ls", "--endpoint", "ipc:///nowhere/at.all" } },
    };

    try_rows(*state, rows, ARRAY_LEN(rows));
}
/* clang-format on */

static void a_task_is_its_arrays_id_and_its_number(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-5:2", script(b, "n.lua", "print('task', os.getenv('COOP_ARRAY_INDEX'))\n"));
    static const char *const none[] = { ".2", ".0", ".7", ".99999999999999999" };
    static const char *const no_id[] = { ".", ".x", ".3x", ".03", ".-3", ".3.3", ".99999999999999999999" };
    struct proc *p = proc_expect(coop(b, "wait", array), 0);

    expect_text(p->out, support_text("%s succeeded (ok)\n", array));
    expect_text(proc_expect(coop(b, "logs", support_text("%s.3", array)), 0)->out, "task\t3\n");
    assert_int_equal(json_num(json_of(&coop(b, "result", "--json", support_text("%s.5", array))->out), "array_index"), 5);
    for (size_t i = 0; i < ARRAY_LEN(none); i++)
        expect_has(proc_expect(coop(b, "show", support_text("%s%s", array, none[i])), COOP_EXIT_NOT_FOUND)->err, "no job");
    for (size_t i = 0; i < ARRAY_LEN(no_id); i++)
        expect_has(proc_expect(coop(b, "show", support_text("%s%s", array, no_id[i])), COOP_EXIT_USAGE)->err, "not a job id");
    p = proc_expect(coop(b, "submit", script(b, "one.lua", "-- nothing\n")), 0); /* no array */
    expect_has(proc_expect(coop(b, "show", support_text("%s.1", heard_line(&p->out))), COOP_EXIT_NOT_FOUND)->err, "no job");
    expect_has(proc_expect(coop(b, "result", array), COOP_EXIT_USAGE)->err, "which task"); /* an array has none of its own */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_task_is_its_arrays_id_and_its_number),
        TEST(what_cannot_be_done_in_a_state_is_a_conflict),
        TEST(what_is_asked_of_ended_jobs_and_of_waiting_ones_stays_theirs),
        TEST(what_is_not_there_is_not_found),
        TEST(keys_quotas_time_and_ends_have_their_codes),
        TEST(a_broker_that_drains_or_is_not_there_is_to_be_tried_again),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("exit_codes", tests, NULL, NULL);
}
