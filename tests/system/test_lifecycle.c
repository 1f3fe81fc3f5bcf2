/* test_lifecycle.c - a job between its submit and its end: held, released, paused, changed, tried again, too late, told of; by the command. */
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

#define FOR_EVER "while true do end\n"

/* ---- help --------------------------------------------------------------------------------------------------------------------------------------- */

static void expect_state(const struct broker *b, const char *id, const char *state, const char *reason)
{
    json_t *s = status_of(b, id);

    if (strcmp(json_str(s, "state"), state) != 0 || (reason != NULL && strcmp(json_str(s, "reason"), reason) != 0))
        support_fail("%s is %s (%s), wanted %s (%s)", id, json_str(s, "state"), json_str(s, "reason"), state, reason != NULL ? reason : "");
}

static const char *ok_script(const struct broker *b)
{
    return script(b, "ok.lua", "print('ok')");
}

/* One worker, and somebody who has it until it is killed. */
static char *occupy(struct broker *b)
{
    char *id = submit(b, script(b, "busy.lua", FOR_EVER));

    broker_says(b, "to=running", id);
    return id;
}

static struct broker *up_with_one_worker(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    b->args[0] = "--workers";
    b->args[1] = "1";
    broker_up(b);
    return b;
}

static void again(struct broker *b)
{
    broker_kill(b);
    broker_up(b);
}

/* ---- held ------------------------------------------------------------------------------------------------------------------------------------------ */

static void a_held_job_waits_for_its_release_also_across_the_brokers_death(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", ok_script(b));

    expect_state(b, id, "held", "HELD_USER");
    (void)proc_expect(coop(b, "hold", id), 0); /* twice is once */
    again(b);
    expect_state(b, id, "held", "HELD_USER");
    (void)proc_expect(coop(b, "release", id), 0);
    (void)expect_end(b, id, "ok");
    (void)proc_expect(coop(b, "release", id), COOP_EXIT_CONFLICT);
    (void)proc_expect(coop(b, "hold", id), COOP_EXIT_CONFLICT);
}

/* An attempt may begin, and print, before the store hears of it: when the broker dies then, the job is one that has never run. */
static void what_an_attempt_left_that_the_store_never_heard_of_is_not_the_jobs_output(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", ok_script(b));
    const char *left;

    broker_kill(b);
    left = support_put(support_text("%s/output", b->state_dir), support_text("%s.stdout", id), "of an attempt before\n", (size_t)-1);
    assert_int_equal(chown(left, b->uid, b->uid), 0);
    broker_up(b);
    (void)proc_expect(coop(b, "release", id), 0);
    (void)expect_end(b, id, "ok");
    assert_string_equal(coop(b, "logs", id)->out.bytes, "ok\n");
    assert_int_equal(access(left, F_OK), -1);
}

static void a_waiting_job_is_held_and_one_that_runs_is_not(void **state)
{
    struct broker *b = up_with_one_worker(state);
    char *busy = occupy(b), *id = submit(b, ok_script(b));

    expect_state(b, id, "ready", "NO_SLOT");
    (void)proc_expect(coop(b, "hold", id), 0);
    (void)proc_expect(coop(b, "hold", busy), COOP_EXIT_CONFLICT);
    (void)proc_expect(coop(b, "kill", busy), 0);
    (void)expect_end(b, busy, "cancelled");
    expect_state(b, id, "held", "HELD_USER"); /* though there is a place */
    (void)proc_expect(coop(b, "kill", id), 0);
    assert_int_equal(json_num(expect_end(b, id, "cancelled"), "attempt"), 0);
}

static void a_hold_that_was_answered_outlives_the_broker(void **state)
{
    struct broker *b = up_with_one_worker(state);
    char *busy = occupy(b), *id = submit(b, ok_script(b));

    (void)proc_expect(coop(b, "hold", id), 0);
    again(b);
    expect_state(b, id, "held", "HELD_USER");
    (void)proc_expect(coop(b, "kill", busy), 0);
    (void)proc_expect(coop(b, "release", id), 0);
    (void)expect_end(b, id, "ok");
}

/* ---- paused ---------------------------------------------------------------------------------------------------------------------------------------- */

/* It is paused for longer than its wall time, which is so much that a slow machine does not use it up between the commands. */
static void a_paused_job_stands_still_and_so_do_its_clocks(void **state)
{
    enum { WALL_US = 5000000 };
    struct broker *b = *state;
    const char *path = script(b, "a.lua", "print('up')\nlocal l = io.read()\nprint(l)");
    struct proc *p = coop_start(b, "run", "--limit", support_text("wall=%dus", WALL_US), path);
    const char *id;
    json_t *r;

    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    (void)proc_expect(coop(b, "pause", id), 0);
    expect_state(b, id, "paused", NULL);
    (void)proc_expect(coop(b, "pause", id), COOP_EXIT_CONFLICT);
    (void)expect_end(b, submit(b, script(b, "t.lua", support_text("require('coop').sleep(%d / 1e6)", WALL_US))), "ok");
    (void)proc_expect(coop(b, "resume", id), 0);
    (void)proc_expect(coop(b, "resume", id), COOP_EXIT_CONFLICT);
    proc_write(p, "on\n", 3);
    (void)proc_expect(p, 0);
    expect_text(p->out, "up\non\n");
    r = receipt_of(b, id);
    assert_true(json_num(r, "usage.paused_us") > WALL_US);
    assert_true(json_num(r, "usage.wall_us") < WALL_US);
}

static void a_paused_job_can_be_killed_and_cancelled(void **state)
{
    struct broker *b = *state;
    static const char *const verbs[] = { "kill", "cancel" };

    for (int i = 0; i < 2; i++) {
        char *id = submit(b, script(b, "a.lua", FOR_EVER));

        broker_says(b, "to=running", id);
        (void)proc_expect(coop(b, "pause", id), 0);
        (void)proc_expect(coop(b, verbs[i], id), 0);
        (void)expect_end(b, id, "cancelled");
    }
}

/* Where no control group can freeze it, it is refused by name. */
static void a_program_is_frozen_or_it_is_said_why_not(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--", "sh", "-c", "while :; do :; done");
    struct proc *p;

    broker_says(b, "to=running", id);
    p = coop(b, "pause", id);
    if (p->code == 0) {
        expect_state(b, id, "paused", NULL);
        (void)proc_expect(coop(b, "resume", id), 0);
        (void)proc_expect(coop(b, "pause", id), 0);
    } else {
        (void)proc_expect(p, COOP_EXIT_CONFLICT);
        expect_has(p->err, "freezer");
    }
    (void)proc_expect(coop(b, "kill", id), 0);
    (void)expect_end(b, id, "cancelled");
}

static void one_that_waits_is_not_paused(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", ok_script(b));
    struct proc *p = proc_expect(coop(b, "pause", id), COOP_EXIT_CONFLICT);

    expect_has(p->err, "held");
}

/* ---- changed --------------------------------------------------------------------------------------------------------------------------------------- */

static void a_waiting_job_is_changed_and_runs_by_its_new_spec(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", "--limit", "memory=64M", script(b, "a.lua", "local t = {} for i = 1, 1e9 do t[i] = i end"));
    json_t *r;

    (void)proc_expect(coop(b, "edit", id, "--prio", "5", "--name", "changed", "--limit", "memory=16M", "-l", "k=v"), 0);
    again(b);
    r = status_of(b, id);
    assert_int_equal(json_num(r, "priority"), 5);
    assert_string_equal(json_str(r, "name"), "changed");
    assert_string_equal(json_str(r, "labels.0.value"), "v");
    (void)proc_expect(coop(b, "release", id), 0);
    r = expect_end(b, id, "oom");
    assert_string_equal(json_str(r, "name"), "changed");
    assert_int_equal(json_num(r, "limits_effective.memory_bytes"), 16 << 20);
    (void)proc_expect(coop(b, "edit", id, "--prio", "1"), COOP_EXIT_CONFLICT);
}

static void a_change_that_makes_no_sense_changes_nothing(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", ok_script(b));

    assert_true(coop(b, "edit", id, "--prio", "9")->code != 0);
    assert_true(coop(b, "edit", id, "--limit", "memory=1")->code != 0);
    assert_true(coop(b, "edit", id, "--after", id)->code != 0); /* a circle of one */
    (void)proc_expect(coop(b, "release", id), 0);
    (void)expect_end(b, id, "ok");
}

/* ---- attempts -------------------------------------------------------------------------------------------------------------------------------------- */

static void a_job_that_fails_is_tried_as_often_as_it_says(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--retry", "3,base=1ms", script(b, "a.lua", "print('x') os.exit(3)"));
    json_t *r = expect_end(b, id, "exit");

    assert_string_equal(json_str(r, "outcome"), "dead");
    assert_int_equal(json_num(r, "attempt"), 3);
    assert_int_equal(json_num(r, "attempts.0.n"), 1);
    assert_string_equal(json_str(r, "attempts.1.cause"), "exit");
    assert_int_equal(json_num(r, "stdout.bytes"), 2); /* the last one's only */
    assert_string_equal(json_str(r, "fault"), "job");
}

/* Two attempts have failed when the broker dies; what it had counted is not counted again. */
static void attempts_are_counted_across_the_brokers_death(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--retry", "2,base=10m", script(b, "a.lua", "os.exit(3)"));
    json_t *r;

    broker_says(b, "to=retry_wait", id);
    (void)expect_end(b, submit(b, ok_script(b)), "ok"); /* committed behind it */
    again(b);
    expect_state(b, id, "retry_wait", "RETRY_WAIT");
    assert_int_equal(json_num(status_of(b, id), "attempt"), 1);
    (void)proc_expect(coop(b, "edit", "--prio", "5", id), 0); /* its pause goes on */
    expect_state(b, id, "retry_wait", "RETRY_WAIT");
    (void)proc_expect(coop(b, "hold", id), 0);
    (void)proc_expect(coop(b, "release", id), 0); /* which also ends its pause */
    r = expect_end(b, id, "exit");
    assert_int_equal(json_num(r, "attempt"), 2);
    assert_int_equal(json_num(r, "attempts.0.n"), 1);
}

static void a_job_is_run_again_as_a_new_one_and_goes_when_it_is_removed(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, ok_script(b));
    struct proc *p;

    (void)expect_end(b, id, "ok");
    p = proc_expect(coop(b, "retry", "--json", id), 0);
    (void)p;
    (void)proc_expect(coop(b, "rm", id), 0);
    (void)proc_expect(coop(b, "show", id), COOP_EXIT_NOT_FOUND);
    (void)proc_expect(coop(b, "audit", "verify"), 0); /* its record is still in the chain */
}

/* ---- times ----------------------------------------------------------------------------------------------------------------------------------------- */

static void a_job_that_has_not_begun_by_its_deadline_expires(void **state)
{
    struct broker *b = up_with_one_worker(state);
    char *busy = occupy(b), *id = submit(b, "--deadline", "+300ms", ok_script(b)),
         *held = submit(b, "--hold", "--deadline", "+300ms", ok_script(b));
    json_t *r = expect_end(b, id, "deadline");

    assert_string_equal(json_str(r, "outcome"), "expired");
    assert_string_equal(json_str(expect_end(b, held, "deadline"), "outcome"), "expired");
    (void)proc_expect(coop(b, "kill", busy), 0);
    (void)expect_end(b, busy, "cancelled");
}

static void a_job_begins_at_its_time_also_in_another_broker(void **state)
{
    struct broker *b = *state;
    char *soon = submit(b, "--in", "300ms", ok_script(b)), *late = submit(b, "--in", "1h", ok_script(b));

    expect_state(b, late, "scheduled", "NOT_BEFORE");
    (void)expect_end(b, soon, "ok");
    again(b);
    expect_state(b, late, "scheduled", "NOT_BEFORE");
    (void)proc_expect(coop(b, "cancel", late), 0);
    assert_int_equal(json_num(expect_end(b, late, "cancelled"), "attempt"), 0);
}

/* ---- the same key again ------------------------------------------------------------------------------------------------------------------------------ */

static void the_same_key_is_the_same_job_whatever_has_become_of_it(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", "--idem", "key", ok_script(b));

    assert_string_equal(submit(b, "--hold", "--idem", "key", ok_script(b)), id);
    (void)proc_expect(coop(b, "submit", "--idem", "key", script(b, "other.lua", "print(1)")), COOP_EXIT_CONFLICT);
    again(b);
    assert_string_equal(submit(b, "--hold", "--idem", "key", ok_script(b)), id);
    (void)proc_expect(coop(b, "release", id), 0);
    (void)expect_end(b, id, "ok");
    assert_string_equal(submit(b, "--hold", "--idem", "key", ok_script(b)), id);
    assert_string_not_equal(submit(b, "--hold", "--idem", "other", ok_script(b)), id);
}

/* Many at once, within a few commits: one job. */
static void a_race_with_one_key_makes_one_job(void **state)
{
    enum { RACERS = 12 };
    struct broker *b = *state;
    const char *path = ok_script(b);
    struct proc *p[RACERS];

    for (int i = 0; i < RACERS; i++)
        p[i] = coop_start(b, "submit", "--idem", "race", path);
    for (int i = 0; i < RACERS; i++) {
        (void)proc_expect(p[i], 0);
        assert_true(p[i]->out.len == p[0]->out.len && memcmp(p[i]->out.bytes, p[0]->out.bytes, p[0]->out.len) == 0);
    }
    assert_int_equal(json_array_size(json_at(json_of(&coop(b, "ls", "--json")->out), "jobs")), 1);
}

/* ---- told ------------------------------------------------------------------------------------------------------------------------------------------- */

static void whoever_asks_is_told_why_a_job_waits(void **state)
{
    struct broker *b = up_with_one_worker(state);
    char *busy = occupy(b), *first = submit(b, ok_script(b)), *second = submit(b, ok_script(b)), *dep;
    json_t *r = json_of(&proc_expect(coop(b, "show", "--json", second), 0)->out);

    assert_int_equal(json_num(r, "why.position"), 2);
    assert_int_equal(json_num(r, "why.ahead_own"), 1);
    assert_string_equal(json_str(r, "why.reason"), "NO_SLOT");
    (void)proc_expect(coop(b, "edit", second, "--prio", "5"), 0);
    r = json_of(&proc_expect(coop(b, "show", "--json", second), 0)->out);
    assert_int_equal(json_num(r, "why.position"), 1);
    dep = submit(b, "--after", first, ok_script(b));
    assert_non_null(strstr(json_str(status_of(b, dep), "reason"), first));
    (void)proc_expect(coop(b, "kill", busy), 0);
    (void)expect_end(b, dep, "ok");
}

static void a_drained_broker_takes_and_begins_nothing_until_it_does_again(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--hold", ok_script(b));

    (void)proc_expect(coop(b, "node", "drain"), 0);
    (void)proc_expect(coop(b, "submit", ok_script(b)), COOP_EXIT_TEMPORARY);
    (void)proc_expect(coop(b, "release", id), 0);
    expect_state(b, id, "ready", "DRAINING");
    (void)proc_expect(coop(b, "node", "undrain"), 0);
    (void)expect_end(b, id, "ok");
}

/* What somebody ended has not failed: neither one that waits nor one that runs. */
static void what_was_cancelled_is_used_and_has_not_failed(void **state)
{
    struct broker *b = *state;
    char *runs = occupy(b), *waits = submit(b, "--hold", ok_script(b));
    json_t *day;

    (void)proc_expect(coop(b, "kill", runs), 0);
    (void)proc_expect(coop(b, "cancel", waits), 0);
    (void)expect_end(b, runs, "cancelled");
    (void)expect_end(b, waits, "cancelled");
    (void)expect_end(b, submit(b, script(b, "fails.lua", "os.exit(3)")), "exit");
    day = json_at(json_of(&proc_expect(coop(b, "usage", "--json"), 0)->out), "days.0");
    assert_int_equal(json_num(day, "jobs"), 3);
    assert_int_equal(json_num(day, "failed"), 1);
}

/* Whoever follows what happens hears that another broker tells it from now on, and all that this one has to tell. */
static void who_follows_events_is_told_of_another_broker(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "events", "-f", "--since-start");
    char *before = submit(b, "--hold", ok_script(b)), *after;

    proc_until(p, &p->out, before);
    broker_kill(b);
    proc_until(p, &p->err, "the broker went away");
    broker_up(b);
    after = submit(b, "--hold", ok_script(b));
    proc_until(p, &p->err, "another broker has begun");
    proc_until(p, &p->out, after);
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
}

#define TEST(name)     cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define TEST_OWN(name) cmocka_unit_test_teardown(name, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_held_job_waits_for_its_release_also_across_the_brokers_death),
        TEST(what_an_attempt_left_that_the_store_never_heard_of_is_not_the_jobs_output),
        TEST_OWN(a_waiting_job_is_held_and_one_that_runs_is_not),
        TEST_OWN(a_hold_that_was_answered_outlives_the_broker),
        TEST(a_paused_job_stands_still_and_so_do_its_clocks),
        TEST(a_paused_job_can_be_killed_and_cancelled),
        TEST(a_program_is_frozen_or_it_is_said_why_not),
        TEST(one_that_waits_is_not_paused),
        TEST(a_waiting_job_is_changed_and_runs_by_its_new_spec),
        TEST(a_change_that_makes_no_sense_changes_nothing),
        TEST(a_job_that_fails_is_tried_as_often_as_it_says),
        TEST(attempts_are_counted_across_the_brokers_death),
        TEST(a_job_is_run_again_as_a_new_one_and_goes_when_it_is_removed),
        TEST_OWN(a_job_that_has_not_begun_by_its_deadline_expires),
        TEST(a_job_begins_at_its_time_also_in_another_broker),
        TEST(the_same_key_is_the_same_job_whatever_has_become_of_it),
        TEST(a_race_with_one_key_makes_one_job),
        TEST_OWN(whoever_asks_is_told_why_a_job_waits),
        TEST(what_was_cancelled_is_used_and_has_not_failed),
        TEST(who_follows_events_is_told_of_another_broker),
        TEST(a_drained_broker_takes_and_begins_nothing_until_it_does_again),
    };

    return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
