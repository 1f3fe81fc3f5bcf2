/* test_shares.c - the scheduler in a real broker: what waits says why, goes on as soon as its gate opens, and goes in the order that was asked for. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/support.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static int one_worker(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--workers";
    b->args[1] = "1";
    broker_up(b);
    *state = b;
    return 0;
}

static const char *own_tenant(void)
{
    return support_text("uid-%u", (unsigned)getuid());
}

static void let(const struct broker *b, const char *what)
{
    assert_int_equal(coop(b, "quota", "set", own_tenant(), what)->code, 0);
}

static void what_waits_for_a_quota_says_so_and_runs_when_it_is_raised(void **state)
{
    const struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n");
    const char *id, *behind;

    assert_int_equal(coop(b, "version")->code, 0); /* the tenant is made with its first request */
    let(b, "max_running=0");
    id = submit(b, path);
    behind = submit(b, path);
    assert_string_equal(json_str(status_of(b, id), "state"), "ready");
    assert_string_equal(json_str(status_of(b, id), "reason"), "QUOTA_RUNNING");
    let(b, "max_running=none");
    expect_end(b, id, "ok");
    expect_end(b, behind, "ok");
}

static json_int_t began(const struct broker *b, const char *id)
{
    return json_num(expect_end(b, id, "ok"), "times.started_us");
}

static void class_comes_before_priority_and_priority_before_age(void **state)
{
    static const char *const rows[][2] = {
        {"batch",        "5"},
        { "normal",      "1"},
        { "normal",      "4"},
        { "normal",      "4"},
        { "interactive", "1"},
        { "interactive", "2"}
    };
    static const unsigned order[] = { 5, 4, 2, 3, 1, 0 };
    const struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n"), *ids[LEN(rows)];

    assert_int_equal(coop(b, "version")->code, 0);
    let(b, "max_running=0");
    for (unsigned i = 0; i < LEN(rows); i++)
        ids[i] = submit(b, "--class", rows[i][0], "--prio", rows[i][1], path);
    let(b, "max_running=1");
    for (unsigned i = 1; i < LEN(order); i++)
        assert_true(began(b, ids[order[i - 1]]) < began(b, ids[order[i]]));
}

static void a_retry_is_a_submit_like_any_other(void **state)
{
    const struct broker *b = *state;
    const char *id = submit(b, script(b, "noop.lua", "return 0\n"));

    expect_end(b, id, "ok");
    let(b, "submit_per_s=0");
    (void)proc_expect(coop(b, "retry", id), COOP_EXIT_QUOTA);
    let(b, "submit_per_s=none");
    let(b, "max_queued=0");
    (void)proc_expect(coop(b, "retry", "--clone", id), COOP_EXIT_QUOTA);
    let(b, "max_queued=none");
    (void)proc_expect(coop(b, "tenant", "set", own_tenant(), "state=suspended"), 0);
    (void)proc_expect(coop(b, "retry", "--clone", id), COOP_EXIT_PERMISSION);
    (void)proc_expect(coop(b, "tenant", "set", own_tenant(), "state=active"), 0);
    (void)proc_expect(coop(b, "retry", id), 0);
}

static void a_dry_run_looks_at_the_rate_and_takes_nothing(void **state)
{
    const struct broker *b = *state;
    const char *path = script(b, "noop.lua", "return 0\n");

    assert_int_equal(coop(b, "version")->code, 0);
    let(b, "submit_per_s=0.001");
    (void)proc_expect(coop(b, "submit", "--dry-run", path), 0);
    (void)proc_expect(coop(b, "submit", "--dry-run", path), 0);
    (void)submit(b, path);
    (void)proc_expect(coop(b, "submit", "--dry-run", path), COOP_EXIT_QUOTA);
}

static int one_worker_short_pauses(void **state)
{
    struct broker *b = broker_new();

    b->args[0] = "--workers";
    b->args[1] = "1";
    b->args[2] = "--max-pause";
    b->args[3] = "50ms";
    broker_up(b);
    *state = b;
    return 0;
}

/* The only slot, and somebody who would keep it for ever. */
static void a_pause_ends_by_itself_and_others_get_their_turn(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", "print('up')\nprint(io.read())"));
    const char *id, *behind;

    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    behind = submit(b, script(b, "noop.lua", "return 0\n"));
    (void)proc_expect(coop(b, "pause", id), 0);
    broker_says(b, "event=pause_over", id);
    expect_has(coop(b, "pause", id)->err, "--max-pause");
    proc_write(p, "on\n", 3);
    (void)proc_expect(p, 0);
    expect_end(b, behind, "ok");
    assert_true(json_num(receipt_of(b, id), "usage.paused_us") >= 50000);
}

static json_int_t stored(const struct broker *b)
{
    struct proc *p = proc_expect(coop(b, "--json", "tenant", "show", own_tenant()), 0);

    return json_num(json_line(&p->out, 0), "stored_bytes");
}

/* One that nobody has ever set anything of, and so has no row. */
static void what_a_local_user_has_stored_is_counted_and_bound_at_once(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "much.lua", "print((\"x\"):rep(20000))\n"), *id = submit(b, path), *second;
    json_int_t one, both;

    expect_end(b, id, "ok");
    one = stored(b);
    assert_true(one > 20000);
    second = submit(b, path);
    expect_end(b, second, "ok");
    both = stored(b);
    assert_true(both > one + 20000);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    assert_int_equal(stored(b), both);
    let(b, "stored_bytes=30000");
    assert_int_equal(coop(b, "submit", path)->code, COOP_EXIT_QUOTA);
    assert_int_equal(stored(b), both);
    assert_int_equal(coop(b, "rm", "-y", id)->code, 0);
    assert_in_range(stored(b), 20001, both - 20001);
    expect_end(b, submit(b, path), "ok");
    assert_int_equal(coop(b, "submit", path)->code, COOP_EXIT_QUOTA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_retry_is_a_submit_like_any_other, one_worker, broker_teardown),
        cmocka_unit_test_setup_teardown(a_dry_run_looks_at_the_rate_and_takes_nothing, one_worker, broker_teardown),
        cmocka_unit_test_setup_teardown(a_pause_ends_by_itself_and_others_get_their_turn, one_worker_short_pauses, broker_teardown),
        cmocka_unit_test_setup_teardown(what_waits_for_a_quota_says_so_and_runs_when_it_is_raised, one_worker, broker_teardown),
        cmocka_unit_test_setup_teardown(what_a_local_user_has_stored_is_counted_and_bound_at_once, one_worker, broker_teardown),
        cmocka_unit_test_setup_teardown(class_comes_before_priority_and_priority_before_age, one_worker, broker_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
