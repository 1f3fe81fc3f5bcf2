/*
 * test_templates.c - templates on a real broker: build, fork, versions, removal, a broker's restart, inits that fail; and templates and children that do
 * what they may not, which the probe in the place of Lua does for them.
 */
#include <errno.h>
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

#include "tests/support/broker_fixture.h"
#include "tests/support/template_peer.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

static struct broker *b;

/* ---- fixture ------------------------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    b = broker_new();
    broker_up(b);
    template_peer(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    template_peer_close();
    return broker_teardown(state);
}

/* ---- what works ---------------------------------------------------------------------------------------------------------------- */

static void a_job_finds_the_state_that_the_init_has_prepared(void **state)
{
    (void)state;
    template_build("squares", "squares = {} for i = 1, 1000 do squares[i] = i * i end");
    assert_string_equal(template_run("squares", "print(#squares, squares[1000])"), "1000\t1000000\n");
}

static void what_a_job_changes_the_next_one_does_not_see(void **state)
{
    (void)state;
    template_build("counter", "n = 1");
    for (int i = 0; i < 5; i++)
        assert_string_equal(template_run("counter", "n = n + 1; print(n)"), "2\n");
}

static void random_numbers_differ_in_each_child(void **state)
{
    const char *seen[20];

    (void)state;
    template_build("random", "first = math.random(0)");
    for (int i = 0; i < 20; i++) {
        seen[i] = template_run("random", "print(math.random(0), math.random(0))");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
}

static void two_hundred_forks_are_counted(void **state)
{
    const char *ids[200];

    (void)state;
    template_build("many", "word = 'made once'");
    for (int i = 0; i < 200; i++)
        ids[i] = template_submit("many", "print(word)");
    for (int i = 0; i < 200; i++) {
        expect_end(b, ids[i], "ok");
        if (i % 20 == 0)
            assert_string_equal(template_output(ids[i]), "made once\n");
    }
    assert_true(template_status("many")->forks >= 200);
    assert_true(template_status("many")->forks <= 202); /* one ahead of need, and the one after that */
}

static void a_version_is_what_it_was_when_it_was_named(void **state)
{
    (void)state;
    assert_int_equal(template_build("v", "is = 'first'")->version, 1);
    assert_int_equal(template_build("v", "is = 'second'")->version, 2);
    assert_string_equal(template_run("v@1", "print(is)"), "first\n");
    assert_string_equal(template_run("v@2", "print(is)"), "second\n");
    assert_string_equal(template_run("v", "print(is)"), "second\n");
    assert_non_null(strstr(template_refused("v@3", "print(is)", NULL), "v@3"));
}

static void a_number_is_never_given_twice(void **state)
{
    (void)state;
    template_build("n", "x = 1");
    template_build("n", "x = 2");
    assert_int_equal(template_remove("n@2"), CE(NONE));
    assert_int_equal(template_build("n", "x = 3")->version, 3);
    assert_string_equal(template_run("n", "print(x)"), "3\n");
    assert_string_equal(template_run("n@1", "print(x)"), "1\n");
    assert_int_equal(template_remove("n"), CE(NONE));
    assert_int_equal(template_remove("n"), CE(NOT_FOUND));
    template_refused("n", "print(x)", NULL);
}

static void who_runs_in_a_template_that_is_removed_ends_as_if_it_was_not(void **state)
{
    uint64_t start = support_now_ms();
    const char *id;

    (void)state;
    template_build("gone", "said = 'still here'");
    id = template_submit("gone", "print(said) io.flush() " BURN "print 'done'");
    broker_says(b, support_text("job_state job=%s", id), "to=running");
    assert_int_equal(template_remove("gone"), CE(NONE));
    expect_end(b, id, "ok");
    assert_string_equal(template_output(id), "still here\ndone\n");
    while (template_status("gone") != NULL)
        support_turn(start, "the end of a template that nobody uses");
}

static void a_new_broker_builds_it_again_at_its_first_use(void **state)
{
    (void)state;
    template_build("kept", "x = 'made by ' .. 'the init'");
    template_peer_close();
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    template_peer(b);
    assert_string_equal(template_status("kept")->state, "cold");
    assert_string_equal(template_run("kept@1", "print(x)"), "made by the init\n");
    assert_string_equal(template_status("kept")->state, "warm");
    assert_int_equal(template_build("kept", "x = 2")->version, 2);
}

static void a_broker_that_was_killed_leaves_no_process_and_the_next_has_it_again(void **state)
{
    pid_t pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)template_build("killed", "x = 1")->pid;
    assert_string_equal(template_run("killed", "print(x)"), "1\n");
    template_peer_close();
    broker_kill(b);
    while (kill(pid, 0) == 0)
        support_turn(start, "the template's end");
    broker_up(b);
    template_peer(b);
    assert_string_equal(template_run("killed", "print(x)"), "1\n");
}

static void a_template_that_is_killed_is_built_again_when_it_is_wanted(void **state)
{
    pid_t pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)template_build("shot", "x = 1")->pid;
    support_kill(pid, SIGKILL);
    while (template_status("shot")->pid != 0)
        support_turn(start, "the template's end");
    assert_string_equal(template_run("shot", "print(x)"), "1\n");
    assert_true(template_status("shot")->pid != (uint32_t)pid);
}

static void a_zygote_that_is_killed_takes_its_templates_along(void **state)
{
    pid_t zygote = broker_zygote(b), pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)template_build("orphan", "x = 1")->pid;
    support_kill(zygote, SIGKILL);
    while (kill(pid, 0) == 0)
        support_turn(start, "the template's end");
    assert_string_equal(template_run("orphan", "print(x)"), "1\n");
}

static void a_receipt_names_the_profile_and_the_steps_of_a_fork(void **state)
{
    json_t *r, *seal;
    const char *id;

    (void)state;
    template_build("sealed", "x = 1");
    id = template_submit("sealed", "print(x)");
    r = expect_end(b, id, "ok");
    assert_string_equal(json_str(r, "enforcement.seccomp"), "lua-template");
    seal = json_object_get(json_object_get(r, "enforcement"), "seal");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 1)), "forked");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 2)), "seccomp");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 3)), "leave");
}

static int compare(const void *a, const void *b2)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b2;

    return (x > y) - (x < y);
}

/* What is printed is for people: no time is asserted. */
static void ten_megabytes_are_forked(void **state)
{
    uint64_t us[100];

    (void)state;
    template_build("heavy", "blocks = {} for i = 1, 160 do blocks[i] = string.rep(string.char(i), 65536) end");
    assert_true(template_status("heavy")->mem_bytes > 10 << 20);
    for (int i = 0; i < 100; i++) {
        assert_string_equal(template_run("heavy", "print(#blocks)"), "160\n");
        us[i] = template_status("heavy")->fork_us;
    }
    qsort(us, 100, sizeof(us[0]), compare);
    printf("a fork of 10 MiB, from the order to a child that may have a job: p50 %.2f ms, p90 %.2f ms\n", (double)us[50] / 1e3,
           (double)us[90] / 1e3);
}

static int setup_hasty(void **state)
{
    b = broker_new();
    b->args[0] = "--template-idle";
    b->args[1] = "200ms";
    broker_up(b);
    template_peer(b);
    *state = b;
    return 0;
}

static void a_template_that_nobody_uses_is_let_go_and_built_again_when_it_is_named(void **state)
{
    uint64_t start = support_now_ms();

    (void)state;
    template_build("idle", "n = 41");
    broker_says(b, "template_ended template=idle@1", "cause=ok");
    while (template_status("idle")->alive > 0)
        support_turn(start, "the end of its spare child");
    assert_string_equal(template_status("idle")->state, "cold");
    assert_string_equal(template_run("idle", "print(n + 1)"), "42\n");
    broker_says_times(b, "template_warm template=idle@1", "", 2);
}

/* Which goes is the one that was used the longest ago; all of them serve. */
static void of_more_than_may_live_at_once_one_goes(void **state)
{
    char name[32];

    (void)state;
    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        template_build(name, "x = 1");
    }
    broker_says(b, "template_ended template=t", "cause=ok");
    for (int i = 0; i < 65; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        assert_string_equal(template_run(name, "print(x)"), "1\n");
    }
}

/* ---- inits that fail ----------------------------------------------------------------------------------------------------------- */

static void an_init_that_fails_is_answered_with_its_traceback(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = template_build_fails("bad", "local function deep() error 'no way' end deep()", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(f->remote);
    assert_non_null(strstr(f->remote->message, "no way"));
    assert_non_null(strstr(f->remote->traceback, "init.lua:1"));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_EXCEPTION);
    expect_end(b, f->receipt, "exception");
    assert_null(template_status("bad"));
}

static void an_init_that_never_ends_is_ended_by_its_limit(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = template_build_fails("long", "while true do end", &(struct template_how){ .cpu_us = 300000 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_CPU_LIMIT);
    f = template_build_fails("asleep", "require 'coop'.sleep(1000)", &(struct template_how){ .wall_us = 300000 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_WALL_LIMIT);
}

static void an_init_that_exits_eats_memory_or_prints_too_much_is_no_template(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = template_build_fails("exits", "os.exit(0)", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(strstr(f->message, "instead of returning"));
    f = template_build_fails("exits", "os.exit(3)", NULL, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_EXIT);
    f = template_build_fails("eats", "local t = {} while true do t[#t + 1] = string.rep('x', 100000) end",
                             &(struct template_how){ .memory_bytes = 16 << 20 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_OOM);
    f = template_build_fails("prints", "for i = 1, 10000 do print 'and again' end", &(struct template_how){ .stdout_bytes = 1000 },
                             CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_OUTPUT_LIMIT);
    f = template_build_fails("tasklets", "require 'coop'.spawn(function() require 'coop'.sleep(1000) end)", NULL, CE(TEMPLATE_FAILED));
    if (strstr(f->remote->message, "tasklets that have not ended") == NULL)
        support_fail("%s: %s", f->remote->type, f->remote->message);
    f = template_build_fails("syntax", "this is no Lua", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(strstr(f->remote->message, "syntax error"));
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
    (void)state;
    assert_non_null(strstr(template_build_fails("a b", "x = 1", NULL, CE(BAD_REQUEST))->message, "letters"));
    assert_non_null(strstr(template_build_fails("a@1", "x = 1", NULL, CE(BAD_REQUEST))->message, "letters"));
    template_build_fails("", "x = 1", NULL, CE(BAD_REQUEST));
    template_build_fails("empty", "", NULL, CE(BAD_REQUEST));
    assert_int_equal(template_remove("@"), CE(BAD_REQUEST));
    assert_int_equal(template_remove("none"), CE(NOT_FOUND));
    template_build("small", "x = 1");
    assert_non_null(strstr(template_refused("small", "print(x)", &(struct template_how){ .memory_bytes = 1u << 30 }), "was built with"));
    assert_non_null(strstr(template_refused("small@", "print(x)", NULL), "no template"));
}

static void a_job_of_a_template_has_limits_of_its_own(void **state)
{
    (void)state;
    template_build("limits", "x = string.rep('x', 1000000)");
    expect_end(b, template_submit("limits", "while true do x = x .. x end"), "oom");
    assert_int_equal(template_ask_submit("limits", "while true do end", &(struct template_how){ .cpu_us = 100000 })->body_case,
                     PB__REPLY__BODY_SUBMIT);
    broker_says(b, "job_ended", "cause=cpu_limit");
    assert_string_equal(template_run("limits", "print(#x)"), "1000000\n");
}

/* ---- hostile ones -------------------------------------------------------------------------------------------------------------- */

static int setup_probe(void **state)
{
    b = broker_new();
    b->args[0] = "--log-level";
    b->args[1] = "debug";
    b->args[2] = "--worker";
    b->args[3] = support_program("tests/escape/probe-template");
    broker_up(b);
    template_peer(b);
    *state = b;
    return 0;
}

/* Whether a child got the job before its template was ended is a matter of luck; and if one did, it may not do anything until the job's last limit. */
static void end_whatever_became_of(const char *id)
{
    (void)coop(b, "kill", id);
    (void)coop(b, "wait", "--quiet", id);
    assert_string_not_equal(json_str(receipt_of(b, id), "cause"), "");
}

/* Sends the build and the job that makes the template act, then waits for what the broker makes of it. */
static void act(const char *name, const char *why, const char *job)
{
    const char *id = NULL;
    const Pb__Answer *m = template_answered(template_ask_build(name, name, &(struct template_how){ .cpu_us = 500000 }));

    if (m->body_case == PB__ANSWER__BODY_TEMPLATE) {
        const Pb__Reply *r = template_ask_submit(name, "x", NULL);

        id = r->body_case == PB__REPLY__BODY_SUBMIT ? support_text("%s", r->submit->id) : NULL;
    } else {
        assert_int_equal(m->failure->error, CE(TEMPLATE_FAILED));
    }
    if (strcmp(why, "-") != 0)
        broker_says(b, support_text("template_ended template=%s@1", name), why);
    if (id != NULL && strcmp(job, "-") != 0)
        expect_end(b, id, job);
    else if (id != NULL)
        end_whatever_became_of(id);
    assert_int_equal(template_remove(name), m->body_case == PB__ANSWER__BODY_TEMPLATE ? CE(NONE) : CE(NOT_FOUND));
}

/* Only spare workers, that are no templates, are left. */
static void expect_no_strays(void)
{
    uint64_t start = support_now_ms();
    pid_t pids[TREE_MAX];

    while (tree_children(broker_zygote(b), pids) > 4)
        support_turn(start, "the end of all that templates have made");
}

static void each_hostile_act_ends_the_template_with_its_reason(void **state)
{
    FILE *f = popen(support_text("'%s' --acts", support_program("tests/escape/probe-template")), "r");
    char name[64], why[128], job[32];
    unsigned n = 0;

    (void)state;
    assert_non_null(f);
    while (fscanf(f, "%63[^\t]\t%127[^\t]\t%31[^\n]\n", name, why, job) == 3) {
        printf("%-20s %s\n", name, why);
        act(name, why, job);
        n++;
    }
    pclose(f);
    assert_true(n > 20);
    expect_no_strays();
}

#define PROBE(name) cmocka_unit_test_setup_teardown(name, setup_probe, teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_job_finds_the_state_that_the_init_has_prepared),
        TEST(what_a_job_changes_the_next_one_does_not_see),
        TEST(random_numbers_differ_in_each_child),
        TEST(two_hundred_forks_are_counted),
        TEST(a_version_is_what_it_was_when_it_was_named),
        TEST(a_number_is_never_given_twice),
        TEST(who_runs_in_a_template_that_is_removed_ends_as_if_it_was_not),
        TEST(a_new_broker_builds_it_again_at_its_first_use),
        TEST(a_broker_that_was_killed_leaves_no_process_and_the_next_has_it_again),
        TEST(a_template_that_is_killed_is_built_again_when_it_is_wanted),
        TEST(a_zygote_that_is_killed_takes_its_templates_along),
        TEST(a_receipt_names_the_profile_and_the_steps_of_a_fork),
        TEST(ten_megabytes_are_forked),
        cmocka_unit_test_setup_teardown(a_template_that_nobody_uses_is_let_go_and_built_again_when_it_is_named, setup_hasty, teardown),
        TEST(of_more_than_may_live_at_once_one_goes),
        TEST(an_init_that_fails_is_answered_with_its_traceback),
        TEST(an_init_that_never_ends_is_ended_by_its_limit),
        TEST(an_init_that_exits_eats_memory_or_prints_too_much_is_no_template),
        TEST(what_makes_no_sense_is_refused_by_name),
        TEST(a_job_of_a_template_has_limits_of_its_own),
        PROBE(each_hostile_act_ends_the_template_with_its_reason),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("templates", tests, NULL, NULL);
}
