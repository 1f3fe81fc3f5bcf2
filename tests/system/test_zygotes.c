/*
 * test_zygotes.c - the processes that workers are forked from: renewed beside what runs, one of its own for each template of Python, and what
 * becomes of what an earlier one has made.
 */
#include <setjmp.h>
#include <signal.h>
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
#include "tests/support/py_host.h"

#define HASH "hash('a text that was not interned before')"

static int setup_hasty(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--zygote-renew";
    b->args[1] = "100ms";
    broker_up(b);
    *state = b;
    return 0;
}

static const char *first_line(const struct proc *p)
{
    return support_text("%.*s", (int)strcspn(p->out.bytes, "\n"), p->out.bytes);
}

static const char *hash_of_a_job(struct broker *b)
{
    return first_line(proc_expect(coop(b, "run", script(b, "hash.py", "print(" HASH ")")), 0));
}

static const char *hash_in(struct broker *b, const char *interp)
{
    return first_line(proc_expect(coop(b, "interp", "exec", interp, "--source", HASH), 0));
}

static pid_t pid_of(struct broker *b, const char *interp)
{
    struct proc *p = proc_expect(coop(b, "interp", "show", interp, "--json"), 0);
    const char *at = strstr(p->out.bytes, "\"pid\"");

    assert_non_null(at);
    return (pid_t)strtol(at + strcspn(at, "0123456789"), NULL, 10);
}

static void renewed(struct broker *b, pid_t zygote)
{
    broker_says(b, "zygote_renewed engine=python", support_text("old=%d ", (int)zygote));
}

/* ---- renewed ----------------------------------------------------------------------------------------------------------------------------- */

static void jobs_have_another_seed_when_it_is_renewed_and_what_runs_goes_on(void **state)
{
    struct broker *b = *state;
    const char *interp = first_line(proc_expect(coop(b, "interp", "create", "--engine", "python"), 0));
    const char *before = hash_in(b, interp);
    pid_t zygote = tree_parent(pid_of(b, interp));
    uint64_t start = support_now_ms();

    renewed(b, zygote);
    while (strcmp(hash_of_a_job(b), before) == 0) /* spares of the earlier one may serve until others are in their place */
        support_turn(start, "a job of the new zygote");
    assert_string_equal(hash_in(b, interp), before);
    assert_int_equal(tree_parent(pid_of(b, interp)), zygote); /* it has not gone */
    proc_expect(coop(b, "interp", "close", interp), 0);
}

/* With the spares that it had made. Which one it is a living interpreter says: after the end of a job it may be another already. */
static void one_that_nothing_needs_any_more_goes(void **state)
{
    struct broker *b = *state;
    const char *interp = first_line(proc_expect(coop(b, "interp", "create", "--engine", "python"), 0));
    const char *before = hash_in(b, interp);
    pid_t zygote = tree_parent(pid_of(b, interp));
    struct tree *t = tree_of(zygote);

    assert_true(t->n > 1);
    proc_expect(coop(b, "interp", "close", interp), 0);
    renewed(b, zygote);
    for (unsigned i = 0; i < t->n; i++)
        proc_wait_gone(t->pidfds[i]);
    assert_string_not_equal(hash_of_a_job(b), before);
}

static void the_end_of_an_earlier_one_ends_what_it_has_made_and_nothing_else(void **state)
{
    struct broker *b = *state;
    const char *interp = first_line(proc_expect(coop(b, "interp", "create", "--engine", "python"), 0));
    pid_t zygote = tree_parent(pid_of(b, interp));

    renewed(b, zygote);
    assert_int_equal(kill(zygote, SIGKILL), 0);
    broker_says(b, "zygote_gone engine=python", support_text("pid=%d ", (int)zygote));
    assert_true(coop(b, "interp", "exec", interp, "--source", "1")->code != 0);
    (void)hash_of_a_job(b);
}

static void jobs_that_come_all_the_time_all_run(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "p.py", "import os\nprint(os.getpid() > 0)");

    proc_expect(coop(b, "submit", "--array", "1-300", "--engine", "python", "-c", "print(1)"), 0);
    for (int i = 0; i < 10; i++)
        expect_text(proc_expect(coop(b, "run", path), 0)->out, "True\n");
    proc_expect(coop(b, "submit", "--array", "1-100", "-c", "print(1)", "--wait", "--engine", "python"), 0);
    assert_true(broker_said(b, "zygote_renewed engine=python", "") > 0);
    assert_int_equal(broker_said(b, "start_failed", ""), 0);
}

/* ---- of templates ------------------------------------------------------------------------------------------------------------------------ */

static const char *hash_in_template(struct broker *b, const char *name)
{
    return first_line(proc_expect(coop(b, "run", "--template", name, "-c", "print(" HASH ", own)"), 0));
}

static void a_template_has_a_seed_of_its_own_and_keeps_it(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "init.py", "own = " HASH "\n"), *one, *two;
    pid_t zygote;
    char own[64], later[64];

    proc_expect(coop(b, "template", "build", "one", "--run", path), 0);
    proc_expect(coop(b, "template", "build", "two", "--run", path), 0);
    assert_int_equal(broker_zygote_of(b, "python") > 0, true);
    one = hash_in_template(b, "one");
    two = hash_in_template(b, "two");
    assert_string_not_equal(one, two);
    assert_int_equal(sscanf(one, "%63s %63s", own, later), 2);
    assert_string_equal(own, later); /* the same in its children */
    assert_string_not_equal(hash_of_a_job(b), own);
    zygote = tree_parent(pid_of(b, first_line(proc_expect(coop(b, "interp", "create", "--engine", "python"), 0))));
    renewed(b, zygote);
    assert_string_equal(hash_in_template(b, "one"), one);
    assert_string_equal(hash_in_template(b, "two"), two);
}

static void its_zygote_goes_with_it_and_another_makes_it_anew(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "init.py", "own = 1\n"), *before;
    struct tree *t;
    pid_t zygote;

    proc_expect(coop(b, "template", "build", "one", "--run", path), 0);
    zygote = broker_zygote_of(b, "python");
    before = hash_in_template(b, "one");
    t = tree_of(zygote);
    assert_int_equal(kill(zygote, SIGKILL), 0);
    for (unsigned i = 0; i < t->n; i++)
        proc_wait_gone(t->pidfds[i]);
    assert_string_not_equal(hash_in_template(b, "one"), before);
    zygote = broker_zygote_of(b, "python");
    t = tree_of(zygote);
    proc_expect(coop(b, "template", "rm", "one"), 0);
    for (unsigned i = 0; i < t->n; i++)
        proc_wait_gone(t->pidfds[i]);
}

/* ---- a wish that cannot be had --------------------------------------------------------------------------------------------------------------- */

static void a_seed_that_is_asked_for_is_refused_by_name(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.py", "print(1)");

    expect_has(proc_expect(coop(b, "run", "--env", "PYTHONHASHSEED=0", path), COOP_EXIT_USAGE)->err,
               "env PYTHONHASHSEED: the seed is drawn");
    expect_text(proc_expect(coop(b, "run", "--env", "PYTHONHASHSEED=random", path), 0)->out, "1\n");
    expect_has(coop(b, "interp", "create", "--engine", "python", "--env", "PYTHONHASHSEED=0")->err, "PYTHONHASHSEED");
    proc_expect(coop(b, "run", "--env", "PYTHONHASHSEED=0", script(b, "a.lua", "print(1)")), 0);
}

#define HASTY(name) cmocka_unit_test_setup_teardown(name, setup_hasty, broker_teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HASTY(jobs_have_another_seed_when_it_is_renewed_and_what_runs_goes_on),
        HASTY(one_that_nothing_needs_any_more_goes),
        HASTY(the_end_of_an_earlier_one_ends_what_it_has_made_and_nothing_else),
        HASTY(jobs_that_come_all_the_time_all_run),
        HASTY(a_template_has_a_seed_of_its_own_and_keeps_it),
        TEST(its_zygote_goes_with_it_and_another_makes_it_anew),
        TEST(a_seed_that_is_asked_for_is_refused_by_name),
    };

    if (!py_host_is_here())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
