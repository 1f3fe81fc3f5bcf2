/*
 * test_faults.c - a disk that loses output, a clock that is set: a broker with fault.so in it (tests/fault/fault.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <coop/exit_codes.h>

#include "tests/fault/fault.h"
#include "tests/support/broker_fixture.h"

static struct fault_area *area; /* of the broker that the test has */

static void unmap(void *at)
{
    (void)munmap(at, sizeof(struct fault_area));
}

static struct fault_area *make_area(struct broker *b)
{
    static const char *env[3];
    const char *dir = support_dir(), *path = support_text("%s/area", dir);
    void *at = MAP_FAILED;
    int fd;

    if (chmod(dir, 0711) != 0 || (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        support_fail("%s: %s", path, strerror(errno));
    if (fchmod(fd, 0666) == 0 && ftruncate(fd, sizeof(struct fault_area)) == 0)
        at = mmap(NULL, sizeof(struct fault_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        support_fail("%s: %s", path, strerror(errno));
    (void)close(fd);
    support_on_release(unmap, at);
    env[0] = support_preload("tests/fault/fault.so");
    env[1] = support_text(FAULT_ENV_AREA "=%s", path);
    b->env = env;
    return at;
}

static int setup(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    area = make_area(b);
    broker_up(b);
    return 0;
}

/* ---- the disk -------------------------------------------------------------------------------------------------------------------------- */

#define LONG "for i = 1, 1000 do print(('x'):rep(1000)) end"

/* The kernel says it once. A receipt that came of a second question would promise what is not there. */
static void output_that_the_disk_lost_is_not_promised(void **state)
{
    struct broker *b = *state;
    json_t *r;
    char *id;

    atomic_store(&area->sync_fails, 1);
    id = submit(b, script(b, "a.lua", LONG));
    r = expect_end(b, id, "internal");
    assert_int_equal(atomic_load(&area->sync_failed), 1);
    assert_string_equal(json_str(r, "fault"), "platform");
    if (strstr(json_str(r, "cause_detail"), "its output could not be kept: Input/output error") == NULL)
        support_fail("%s", json_str(r, "cause_detail"));
    assert_int_equal(json_num(r, "stdout.bytes"), 0);
    assert_int_equal(json_num(r, "stdout.dropped"), 1001000);
    expect_text(proc_expect(coop(b, "logs", id), 0)->out, "");
    id = submit(b, script(b, "b.lua", LONG));
    assert_int_equal(json_num(expect_end(b, id, "ok"), "stdout.bytes"), 1001000);
    expect_receipts(b, 2);
}

/* As when a file system finds itself damaged: what was answered stays, what comes is refused, and receipts are owed until they can be written. */
static void a_state_that_becomes_read_only_loses_nothing_that_was_answered(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "ok.lua", "print('ran')"), *waits = submit(b, "--hold", "--name", "waits", file), *runs;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", "print('up')\nio.read()\nprint('down')"));
    json_t *now;

    proc_until(p, &p->out, "up\n");
    runs = json_str(json_of(&coop(b, "ls", "--json", "--state", "running")->out), "jobs.0.id");
    atomic_store(&area->read_only, 1);
    expect_has(proc_expect(coop(b, "submit", file), COOP_EXIT_TEMPORARY)->err, "was not accepted");
    (void)proc_expect(coop(b, "submit", "--array", "1-10", file), COOP_EXIT_TEMPORARY);
    (void)proc_expect(coop(b, "submit", "--cron", "0 0 1 1 *", file), COOP_EXIT_TEMPORARY);
    (void)proc_expect(coop(b, "edit", "--name", "other", waits), COOP_EXIT_TEMPORARY);
    (void)proc_expect(coop(b, "release", waits), COOP_EXIT_TEMPORARY);
    (void)proc_expect(coop(b, "quota", "set", support_text("uid-%u", (unsigned)geteuid()), "max_queued=5"), COOP_EXIT_TEMPORARY);
    proc_write(p, "go\n", 3);
    broker_says(b, "event=receipt_not_stored", runs);
    assert_string_equal(json_str(status_of(b, runs), "state"), "finishing");
    now = status_of(b, waits);
    assert_string_equal(json_str(now, "state"), "held");
    assert_string_equal(json_str(now, "name"), "waits");
    atomic_store(&area->read_only, 0);
    (void)proc_expect(p, 0);
    expect_text(p->out, "up\ndown\n");
    (void)expect_end(b, runs, "ok");
    (void)expect_end(b, submit(b, file), "ok");
    (void)proc_expect(coop(b, "release", waits), 0);
    (void)expect_end(b, waits, "ok");
    expect_receipts(b, 3);
    broker_kill(b);
    broker_up(b);
    expect_receipts(b, 3);
    (void)proc_expect(coop(b, "audit", "verify"), 0);
}

/* ---- the clock ------------------------------------------------------------------------------------------------------------------------- */

#define HOUR INT64_C(3600000000)

/* By so much it is ahead of the machine's from now on; the broker has heard of it when this returns. */
static void turn(const struct broker *b, int64_t us)
{
    atomic_store(&area->clock_us, us);
    (void)proc_expect(coop(b, "version"), 0);
    (void)proc_expect(coop(b, "version"), 0);
}

static const char *state_of(const struct broker *b, const char *id)
{
    return json_str(status_of(b, id), "state");
}

static const char *ok_script(const struct broker *b)
{
    return script(b, "ok.lua", "print('ran')");
}

/* not_before is a time of the wall clock: it comes when that says so, and not before. */
static void a_job_for_later_begins_when_the_clock_says_so(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--in", "1h", ok_script(b)), *later;

    assert_string_equal(state_of(b, id), "scheduled");
    turn(b, 2 * HOUR);
    (void)expect_end(b, id, "ok");
    turn(b, -5 * HOUR);
    later = submit(b, "--in", "1h", ok_script(b));
    assert_true(strcmp(later, id) > 0); /* ids go on, whatever the clock says */
    turn(b, -4 * HOUR - HOUR / 2);
    assert_string_equal(state_of(b, later), "scheduled");
    turn(b, 0);
    (void)expect_end(b, later, "ok");
}

static void a_deadline_follows_the_clock(void **state)
{
    struct broker *b = *state;
    const char *id = submit(b, "--hold", "--deadline", "+1h", ok_script(b));

    turn(b, -5 * HOUR);
    assert_string_equal(state_of(b, id), "held");
    turn(b, HOUR / 2);
    assert_string_equal(state_of(b, id), "held");
    turn(b, 2 * HOUR);
    (void)expect_end(b, id, "deadline");
}

/* Its limits are times that pass, not times of day; the receipt's times are the clock's. */
static void a_job_that_runs_does_not_age_by_the_clock(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", "--limit", "wall=10m", script(b, "a.lua", "print('up')\nio.read()"));
    const char *id;
    json_t *r;

    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    turn(b, 2 * HOUR);
    assert_string_equal(state_of(b, id), "running");
    turn(b, -2 * HOUR);
    assert_string_equal(state_of(b, id), "running");
    turn(b, 3 * HOUR);
    proc_write(p, "go\n", 3);
    (void)proc_expect(p, 0);
    r = receipt_of(b, id);
    assert_true(json_num(r, "usage.wall_us") < HOUR / 6);
    assert_true(json_num(r, "times.ended_us") - json_num(r, "times.started_us") >= 3 * HOUR);
}

/* So is the pause before another attempt. */
static void a_retry_waits_its_pause_whatever_the_clock_says(void **state)
{
    struct broker *b = *state;
    const char *fails = script(b, "fail.lua", "os.exit(3)"), *slow, *soon;
    json_t *r;

    slow = submit(b, "--retry", "2,base=1h,jitter=0", fails);
    broker_says(b, "event=job_retries", slow);
    turn(b, 2 * HOUR);
    assert_string_equal(state_of(b, slow), "retry_wait");
    turn(b, -10 * HOUR);
    assert_string_equal(state_of(b, slow), "retry_wait");
    soon = submit(b, "--retry", "2,base=100ms,jitter=0", fails);
    r = expect_end(b, soon, "exit");
    assert_int_equal(json_num(r, "attempt"), 2);
    assert_true(json_num(r, "epoch") > json_num(r, "attempts.0.epoch"));
    (void)proc_expect(coop(b, "kill", slow), 0);
}

static void of_the_times_that_the_clock_skipped_one_is_fired(void **state)
{
    struct broker *b = *state;
    unsigned minute = (unsigned)(time(NULL) / 60 + 30) % 60; /* not during this test */
    const char *entry = submit(b, "--cron", support_text("%u * * * *", minute), ok_script(b));

    turn(b, 5 * HOUR);
    broker_says(b, "event=cron_fired", entry);
    broker_says(b, "event=job_ended", "cause=ok");
    turn(b, 5 * HOUR);
    assert_int_equal(broker_said(b, "event=cron_fired", entry), 1);
    turn(b, 2 * HOUR); /* minutes that have been fired are not fired again */
    turn(b, 5 * HOUR);
    assert_int_equal(broker_said(b, "event=cron_fired", entry), 1);
    turn(b, 7 * HOUR);
    broker_says_times(b, "event=cron_fired", entry, 2);
    (void)proc_expect(coop(b, "cron", "rm", entry), 0);
}

static void what_a_day_allows_is_there_again_when_the_clock_says_tomorrow(void **state)
{
    struct broker *b = *state;
    const char *tenant = support_text("uid-%u", (unsigned)geteuid()), *id;

    (void)expect_end(b, submit(b, script(b, "burn.lua", "while os.clock() < 1.5 do end")), "ok");
    (void)proc_expect(coop(b, "quota", "set", tenant, "cpu_s_per_day=1"), 0);
    id = submit(b, ok_script(b));
    assert_string_equal(json_str(status_of(b, id), "reason"), "QUOTA_CPU_DAY");
    turn(b, -25 * HOUR); /* yesterday, of which nothing is known any more, was no better */
    assert_string_equal(state_of(b, id), "ready");
    turn(b, 25 * HOUR);
    (void)expect_end(b, id, "ok");
}

/* How long what has ended is kept is a time of the wall clock too. */
static void a_receipt_is_kept_until_the_clock_says_its_time_is_over(void **state)
{
    struct broker *b = *state;
    const char *kept = submit(b, ok_script(b)), *file, *id;

    file = script(b, "job.yaml", "engine: lua\ncode: \"print('ran')\"\nretention: {result_ttl: 1h}\n");
    id = heard_line(&proc_expect(coop(b, "submit", "-f", file), 0)->out);
    (void)expect_end(b, kept, "ok");
    (void)expect_end(b, id, "ok");
    turn(b, -5 * HOUR);
    (void)proc_expect(coop(b, "show", id), 0);
    turn(b, 2 * HOUR);
    broker_says(b, "event=kept_no_longer", id);
    (void)proc_expect(coop(b, "show", id), COOP_EXIT_NOT_FOUND);
    (void)expect_end(b, kept, "ok");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_that_the_disk_lost_is_not_promised),
        TEST(a_state_that_becomes_read_only_loses_nothing_that_was_answered),
        TEST(a_job_for_later_begins_when_the_clock_says_so),
        TEST(a_deadline_follows_the_clock),
        TEST(a_job_that_runs_does_not_age_by_the_clock),
        TEST(a_retry_waits_its_pause_whatever_the_clock_says),
        TEST(of_the_times_that_the_clock_skipped_one_is_fired),
        TEST(what_a_day_allows_is_there_again_when_the_clock_says_tomorrow),
        TEST(a_receipt_is_kept_until_the_clock_says_its_time_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
