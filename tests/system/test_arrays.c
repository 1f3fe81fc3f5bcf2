/* test_arrays.c - arrays as a whole and task by task: held, released, paused, waited for, tried again; by the command. */
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

/* ---- help ------------------------------------------------------------------------------------------------------------------------------ */

static struct broker *up_with_workers(void **state, const char *workers)
{
    struct broker *b = broker_new();

    *state = b;
    b->args[0] = "--workers";
    b->args[1] = workers;
    broker_up(b);
    return b;
}

static const char *ok_script(const struct broker *b)
{
    return script(b, "ok.lua", "print(os.getenv('COOP_ARRAY_INDEX'))");
}

static void expect_state(const struct broker *b, const char *id, const char *state, const char *reason)
{
    json_t *s = status_of(b, id);

    if (strcmp(json_str(s, "state"), state) != 0 || strcmp(json_str(s, "reason"), reason) != 0)
        support_fail("%s is %s %s, wanted %s %s", id, json_str(s, "state"), json_str(s, "reason"), state, reason);
}

static void expect_counts(const struct broker *b, const char *array, int succeeded, int failed, int cancelled)
{
    json_t *s = status_of(b, array);

    if (json_num(s, "tasks.succeeded") != succeeded || json_num(s, "tasks.failed") != failed || json_num(s, "tasks.cancelled") != cancelled)
        support_fail("array %s: %s", array, json_shown(s));
}

static const char *task(const char *array, unsigned index)
{
    return support_text("%s.%u", array, index);
}

/* The whole id of a task, as the broker's log has it. */
static const char *id_of(const struct broker *b, const char *ref)
{
    return json_str(status_of(b, ref), "id");
}

static void wait_until_it_runs(const struct broker *b, const char *job)
{
    proc_expect(coop(b, "wait", "--state", "running", job), 0);
}

/* ---- held ------------------------------------------------------------------------------------------------------------------------------ */

static void one_task_of_a_held_array_is_released(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-3", "--hold", ok_script(b));

    expect_state(b, array, "held", "HELD_USER");
    proc_expect(coop(b, "release", task(array, 2)), 0);
    expect_end(b, id_of(b, task(array, 2)), "ok");
    expect_state(b, array, "held", "HELD_USER");
    expect_counts(b, array, 1, 0, 0);
    proc_expect(coop(b, "release", array), 0);
    proc_expect(coop(b, "wait", array), 0);
    expect_counts(b, array, 3, 0, 0);
}

/* Also of one that was held after its submit, and after the broker's death. */
static void a_released_task_is_not_held_again_by_the_next_broker(void **state)
{
    struct broker *b = up_with_workers(state, "1");
    const char *loop = submit(b, ENDLESS, script(b, "loop.lua", FOR_EVER)), *array = submit(b, ENDLESS, "--array", "1-300", ok_script(b));

    wait_until_it_runs(b, loop);
    proc_expect(coop(b, "hold", array), 0);
    proc_expect(coop(b, "hold", array), 0);
    proc_expect(coop(b, "wait", "--state", "held", array), 0);
    proc_expect(coop(b, "release", task(array, 299)), 0);
    broker_kill(b);
    broker_up(b);
    expect_state(b, task(array, 300), "held", "HELD_USER");
    proc_expect(coop(b, "kill", loop), 0);
    expect_end(b, id_of(b, task(array, 299)), "ok");
    expect_counts(b, array, 1, 0, 0);
}

/* Its n-th attempt loses its worker. */
static void kill_worker_of(struct broker *b, const char *id, unsigned attempt)
{
    broker_says_times(b, "to=running", id, attempt);
    support_kill(broker_worker_with_job(b), SIGKILL);
    broker_says_times(b, "from=running", id, attempt);
}

static void a_task_that_ran_when_its_array_was_held_is_held_before_its_next_attempt(void **state)
{
    struct broker *b = up_with_workers(state, "1");
    const char *array = submit(b, ENDLESS, "--array", "1-2", script(b, "loop.lua", BURN FOR_EVER)), *first = id_of(b, task(array, 1));

    broker_says(b, "to=running", first);
    proc_expect(coop(b, "hold", array), 0);
    proc_expect(coop(b, "wait", "--state", "held", task(array, 2)), 0);
    expect_state(b, array, "running", "");
    kill_worker_of(b, first, 1);
    proc_expect(coop(b, "wait", "--state", "held", array), 0);
    expect_state(b, first, "held", "HELD_USER");
    proc_expect(coop(b, "cancel", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
}

static void who_waits_for_an_array_is_told_of_its_task_in_quarantine(void **state)
{
    struct broker *b = *state;
    const char *array, *first;
    struct proc *p, *any;

    array = submit(b, ENDLESS, "--array", "1-3", script(b, "a.lua", "if os.getenv('COOP_ARRAY_INDEX') == '1' then " BURN FOR_EVER "end"));
    first = id_of(b, task(array, 1));
    expect_end(b, id_of(b, task(array, 2)), "ok");
    expect_end(b, id_of(b, task(array, 3)), "ok");
    p = coop_start(b, "wait", array);
    any = coop_start(b, "wait", "--any", array);
    for (unsigned attempt = 1; attempt <= 3; attempt++)
        kill_worker_of(b, first, attempt);
    (void)proc_expect(p, COOP_EXIT_PLATFORM);
    expect_has(p->err, task(array, 1));
    expect_has(p->err, "coop release");
    (void)proc_expect(any, COOP_EXIT_PLATFORM);
    expect_state(b, array, "held", "QUARANTINE");
    expect_has(proc_expect(coop(b, "wait", array), COOP_EXIT_PLATFORM)->err, task(array, 1));
    proc_expect(coop(b, "kill", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
    expect_counts(b, array, 2, 0, 1);
}

static void who_waits_for_an_array_is_told_which_tasks_are_held(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-20", "--hold", ok_script(b));
    struct proc *p = proc_expect(coop(b, "wait", "--timeout", "1s", array), COOP_EXIT_TIME_LIMIT);

    expect_has(p->err, "20 of its tasks are held (HELD_USER)");
    expect_has(p->err, task(array, 1));
    expect_has(p->err, "and 12 more");
    p = proc_expect(coop(b, "wait", "--timeout", "1s", task(array, 3)), COOP_EXIT_TIME_LIMIT);
    expect_has(p->err, "is held (HELD_USER)");
    p = coop_start(b, "wait", array);
    proc_until(p, &p->err, "are held");
    proc_expect(coop(b, "release", array), 0);
    proc_expect(p, 0);
}

/* ---- paused ---------------------------------------------------------------------------------------------------------------------------- */

static void an_array_is_paused_and_resumed(void **state)
{
    struct broker *b = up_with_workers(state, "2");
    const char *array = submit(b, ENDLESS, "--array", "1-5", script(b, "loop.lua", FOR_EVER)), *first, *second;

    first = id_of(b, task(array, 1));
    second = id_of(b, task(array, 2));
    broker_says(b, "to=running", first);
    broker_says(b, "to=running", second);
    proc_expect(coop(b, "hold", task(array, 5)), 0);
    proc_expect(coop(b, "pause", array), 0);
    expect_state(b, array, "paused", "");
    expect_state(b, task(array, 1), "paused", "");
    expect_state(b, task(array, 2), "paused", "");
    proc_expect(coop(b, "wait", "--state", "held", task(array, 4)), 0);
    expect_state(b, task(array, 4), "held", "ARRAY_PAUSED");
    expect_state(b, task(array, 5), "held", "HELD_USER");
    proc_expect(coop(b, "kill", first), 0);
    proc_expect(coop(b, "kill", second), 0);
    proc_expect(coop(b, "wait", "--state", "held", array), 0); /* nobody has come after them */
    proc_expect(coop(b, "resume", array), 0);
    broker_says(b, "to=running", id_of(b, task(array, 3)));
    broker_says(b, "to=running", id_of(b, task(array, 4)));
    expect_state(b, task(array, 5), "held", "HELD_USER");
    expect_has(proc_expect(coop(b, "resume", array), COOP_EXIT_CONFLICT)->err, "no task that is paused");
    proc_expect(coop(b, "kill", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
}

static void a_paused_array_is_paused_after_the_brokers_death(void **state)
{
    struct broker *b = up_with_workers(state, "1");
    const char *array = submit(b, ENDLESS, "--array", "1-3", script(b, "loop.lua", FOR_EVER));

    broker_says(b, "to=running", id_of(b, task(array, 1)));
    proc_expect(coop(b, "pause", array), 0);
    proc_expect(coop(b, "wait", "--state", "held", task(array, 3)), 0);
    broker_kill(b);
    broker_up(b);
    expect_state(b, array, "held", "ARRAY_PAUSED");
    expect_state(b, task(array, 1), "held", "ARRAY_PAUSED");
    proc_expect(coop(b, "resume", array), 0);
    wait_until_it_runs(b, array);
    proc_expect(coop(b, "kill", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
}

/* Where no control group can freeze a program it goes on, and is named; the others are held back all the same. */
static void of_an_array_of_programs_each_that_cannot_be_paused_is_named(void **state)
{
    struct broker *b = up_with_workers(state, "1");
    const char *array = submit(b, "--array", "1-3", "--", "sleep", "1000"), *first = id_of(b, task(array, 1));
    struct proc *p;

    broker_says(b, "to=running", first);
    p = coop(b, "pause", array);
    if (proc_end(p) == 0) {
        expect_state(b, array, "paused", "");
    } else {
        proc_expect(p, COOP_EXIT_CONFLICT);
        expect_has(p->err, support_text("%s cannot be paused", task(array, 1)));
        expect_state(b, first, "running", "");
    }
    proc_expect(coop(b, "wait", "--state", "held", task(array, 3)), 0);
    proc_expect(coop(b, "kill", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
}

/* ---- once more ------------------------------------------------------------------------------------------------------------------------- */

static void one_task_is_tried_again_with_its_index(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-4", "-l", "run=7", ok_script(b)), *again;

    proc_expect(coop(b, "wait", array), 0);
    again = heard_line(&proc_expect(coop(b, "retry", task(array, 3)), 0)->out);
    proc_expect(coop(b, "wait", again), 0);
    expect_text(proc_expect(coop(b, "logs", task(again, 3)), 0)->out, "3\n");
    expect_counts(b, again, 1, 0, 0);
    proc_expect(coop(b, "logs", task(again, 2)), COOP_EXIT_NOT_FOUND);
    again = heard_line(&proc_expect(coop(b, "retry", id_of(b, task(array, 2))), 0)->out);
    proc_expect(coop(b, "wait", again), 0);
    expect_text(proc_expect(coop(b, "logs", task(again, 2)), 0)->out, "2\n");
}

/* ---- shown ----------------------------------------------------------------------------------------------------------------------------- */

static void show_tells_what_an_array_was_asked_for_and_what_its_tasks_wait_for(void **state)
{
    struct broker *b = up_with_workers(state, "1");
    const char *array, *ok = ok_script(b);
    struct proc *p;
    json_t *why;

    proc_expect(coop(b, "limiter", "set", "db", "0"), 0);
    array = submit(b, "--array", "1-5", "-l", "team=blue", "--limiter", "db", "--retry", "3,on=oom", "--idem", "k9", "--webhook",
                   "http://localhost:9/x,events=failed", "--keep", "2h", ok);
    proc_expect(coop(b, "hold", task(array, 4)), 0);
    p = proc_expect(coop(b, "show", array), 0);
    expect_has(p->out, "team=blue");
    expect_has(p->out, "db=1");
    expect_has(p->out, "3 attempts");
    expect_has(p->out, "oom");
    expect_has(p->out, "k9");
    expect_has(p->out, "http://localhost:9/x");
    expect_has(p->out, "2h");
    p = proc_expect(coop(b, "show", "--why", array), 0);
    expect_has(p->out, "4 for LIMITER:db, the first is 1");
    expect_has(p->out, "1 for HELD_USER, the first is 4");
    why = json_of(&proc_expect(coop(b, "show", "--why", "--json", array), 0)->out);
    assert_string_equal(json_str(why, "reason"), "LIMITER:db");
    assert_int_equal(json_num(why, "waits.0.tasks"), 4);
    assert_string_equal(json_str(status_of(b, array), "reason"), "LIMITER:db");
    proc_expect(coop(b, "cancel", array), 0);
}

static void an_entry_of_cron_is_shown_with_what_it_submits(void **state)
{
    struct broker *b = *state;
    const char *entry = submit(b, "--cron", "0 0 29 2 *", "--name", "leap", "--retry", "4", ok_script(b));
    struct proc *p = proc_expect(coop(b, "cron", "show", entry), 0);

    expect_has(p->out, "ok.lua");
    expect_has(p->out, "4 attempts");
    proc_expect(coop(b, "cron", "show", "01HZZZZZZZ0000000000000000"), COOP_EXIT_NOT_FOUND);
    expect_has(proc_expect(coop(b, "show", entry), COOP_EXIT_NOT_FOUND)->err, "coop cron show");
    expect_has(proc_expect(coop(b, "logs", entry), COOP_EXIT_NOT_FOUND)->err, "coop cron show");
    expect_has(proc_expect(coop(b, "cancel", entry), COOP_EXIT_NOT_FOUND)->err, "coop cron show");
}

static void what_is_done_to_limiters_and_entries_is_recorded(void **state)
{
    static const char *const acts[] = { "limiter.set", "limiter.rm", "cron.pause", "cron.resume", "cron.fire", "cron.rm" };
    struct broker *b = *state;
    const char *entry = submit(b, "--cron", "0 0 29 2 *", ok_script(b));
    struct proc *p;

    proc_expect(coop(b, "limiter", "set", "db", "2"), 0);
    proc_expect(coop(b, "limiter", "rm", "db"), 0);
    proc_expect(coop(b, "cron", "pause", entry), 0);
    proc_expect(coop(b, "cron", "resume", entry), 0);
    proc_expect(coop(b, "cron", "fire", entry), 0);
    proc_expect(coop(b, "cron", "rm", entry), 0);
    p = proc_expect(coop(b, "audit", "admin"), 0);
    for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
        expect_has(p->out, acts[i]);
    expect_has(p->out, entry);
}

int main(void)
{
#define T(name)   cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define OWN(name) cmocka_unit_test_teardown(name, broker_teardown)
    const struct CMUnitTest tests[] = {
        T(one_task_of_a_held_array_is_released),
        OWN(a_released_task_is_not_held_again_by_the_next_broker),
        OWN(a_task_that_ran_when_its_array_was_held_is_held_before_its_next_attempt),
        T(who_waits_for_an_array_is_told_which_tasks_are_held),
        T(who_waits_for_an_array_is_told_of_its_task_in_quarantine),
        OWN(an_array_is_paused_and_resumed),
        OWN(a_paused_array_is_paused_after_the_brokers_death),
        OWN(of_an_array_of_programs_each_that_cannot_be_paused_is_named),
        T(one_task_is_tried_again_with_its_index),
        OWN(show_tells_what_an_array_was_asked_for_and_what_its_tasks_wait_for),
        T(an_entry_of_cron_is_shown_with_what_it_submits),
        T(what_is_done_to_limiters_and_entries_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
