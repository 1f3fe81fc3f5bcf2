/*
 * test_limits.c - each limit of a job that is several processes, used up: the cause it ends with, what the receipt says held it, and that
 * nothing of it is left. With the control groups that there are, and without any, where what is sampled must do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define USE support_program("tests/programs/use")

/* What a broker of this machine can use. */
static bool grouped;

struct limit_row {
    const char *name, *limits, *words[4]; /* of tests/programs/use.c */
    const char *cause, *detail;           /* what the detail has in it */
    int exit_code;                        /* of coop run */
    bool only_grouped;                    /* nobody could tell without a control group */
};

/* clang-format off */
static const struct limit_row rows[] = {
    { "memory of one process",          "memory=32M",              { "eat=100" },               "oom",        "memory limit", 137, true },
    { "memory of a child, survived",    "memory=32M,wall=20s",     { "eat-in-child=100", "sleep=10000" }, "oom", "memory limit", 137, true },
    { "memory of eight together",       "memory=24M,wall=20s",     { "eat-in-children=8" },     "oom",        "memory limit", 137, false },
    { "cpu of one process",             "cpu=200ms",               { "spin=60000" },            "cpu_limit",  "cpu limit of 200ms", COOP_EXIT_TIME_LIMIT, false },
    { "cpu of processes at once",       "cpu=300ms",               { "spin-together=4" },       "cpu_limit",  "cpu limit of 300ms", COOP_EXIT_TIME_LIMIT, false },
    { "cpu of children not waited for", "cpu=300ms,wall=20s",      { "spin-in-children=500" },  "cpu_limit",  "cpu limit of 300ms", COOP_EXIT_TIME_LIMIT, false },
    { "wall",                           "wall=300ms",              { "sleep=60000" },           "wall_limit", "wall limit of 300ms", COOP_EXIT_TIME_LIMIT, false },
    { "wall of what stands still",      "wall=300ms",              { "stop" },                  "wall_limit", "wall limit of 300ms", COOP_EXIT_TIME_LIMIT, false },
    { "idle",                           "idle=200ms",              { "sleep=60000" },           "idle_limit", "idle limit of 200ms", COOP_EXIT_TIME_LIMIT, false },
    { "idle of what stands still",      "idle=200ms",              { "stop" },                  "idle_limit", "idle limit of 200ms", COOP_EXIT_TIME_LIMIT, false },
    { "idle after it was busy",         "idle=200ms",              { "spin=300", "mutter=4", "sleep=60000" }, "idle_limit", "idle limit of 200ms", COOP_EXIT_TIME_LIMIT, false },
    { "a fork bomb",                    "pids=30,wall=1s,cpu=20s", { "bomb" },                  "wall_limit", "wall limit of 1s", COOP_EXIT_TIME_LIMIT, false },
    { "processes refused, and it failed", "pids=10",               { "spawn=40" },              "pids_limit", "exit code 11, after its pids limit of 10 had refused it", COOP_EXIT_JOB_FAILED, true },
    { "a file past its size",           "file_size=1M",            { "fill=4" },                "disk_limit", "file_size limit of 1M", COOP_EXIT_JOB_FAILED, false },
    { "exactly its processes",          "pids=10",                 { "spawn=9", "exit=3" },     "exit",       "exit code 3", 3, false },
    { "exactly its memory",             "memory=64M",              { "eat=40" },                "ok",         "", 0, false },
    { "open files",                     "files=20",                { "descriptors=40" },        "exit",       "exit code 24", 24, false },
};
/* clang-format on */

static struct proc *run_row(struct broker *b, const struct limit_row *row)
{
    return coop(b, "run", "--limit", row->limits, USE, row->words[0], row->words[1], row->words[2], row->words[3]);
}

static json_t *last_receipt(const struct broker *b)
{
    return receipt_of(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));
}

static void check_row(struct broker *b, const struct limit_row *row)
{
    struct proc *p = run_row(b, row);
    json_t *r = last_receipt(b);
    const char *cause = json_str(r, "cause"), *detail = json_str(r, "cause_detail");

    if (strcmp(cause, row->cause) != 0 || strstr(detail, row->detail) == NULL)
        fail_msg("%s: %s (%s), wanted %s (%s)", row->name, cause, detail, row->cause, row->detail);
    if (strstr(detail, "signal 9") != NULL)
        fail_msg("%s: %s", row->name, detail);
    (void)proc_expect(p, row->exit_code);
}

static void every_limit_ends_a_job_with_its_own_cause(void **state)
{
    struct broker *b = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (grouped || !rows[i].only_grouped)
            check_row(b, &rows[i]);
    broker_expect_idle(b, 4);
}

static void the_receipt_says_who_held_what(void **state)
{
    struct broker *b = *state;
    static const char *const held[] = { "cpu", "wall", "memory", "pids", "disk", "idle", "output", "swap" };
    json_t *r, *e;

    (void)proc_expect(coop(b, "run", USE, "eat=20", "spin=50", "spawn=3"), 0);
    r = last_receipt(b);
    e = json_at(r, "enforcement");
    for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        if (strcmp(json_str(e, held[i]), "") == 0 || (strcmp(json_str(e, held[i]), "none") == 0 && strcmp(held[i], "swap") != 0))
            fail_msg("%s is held by '%s'", held[i], json_str(e, held[i]));
    assert_int_equal(strstr(json_str(e, "memory"), "cgroup") != NULL, grouped);
    assert_int_equal(strstr(json_str(e, "memory"), "sampled PSS") != NULL, !grouped);
    assert_true(json_num(r, "usage.cpu_user_us") + json_num(r, "usage.cpu_sys_us") >= 50000);
    assert_true(json_num(r, "usage.mem_peak_bytes") >= 20 << 20);
    if (grouped)
        assert_int_equal(json_num(r, "usage.pids_peak"), 4);
}

/* What it used is what it and all its children used, whoever waited for them. */
static void usage_counts_children_that_nobody_waited_for(void **state)
{
    struct broker *b = *state;
    json_t *r;

    if (!grouped)
        skip(); /* what lives shorter than a look may be missed: a lower bound, which the receipt says by "sampled" */
    (void)proc_expect(coop(b, "run", USE, "spin-in-children=10"), 0);
    r = last_receipt(b);
    assert_true(json_num(r, "usage.cpu_user_us") + json_num(r, "usage.cpu_sys_us") >= 200000);
}

static void limits_of_one_job_leave_the_next_alone(void **state)
{
    struct broker *b = *state;

    for (int i = 0; i < 3; i++) {
        check_row(b, &rows[2]);
        (void)proc_expect(coop(b, "run", USE, "eat=40", "spin=10", "spawn=20"), 0);
    }
}

static void below_what_an_engine_needs_is_refused_with_the_minimum(void **state)
{
    struct broker *b = *state;
    static const struct {
        const char *limit, *words;
    } low[] = {
        {"memory=1M",   "below the minimum of 8M for the engine exec"},
        { "files=3",    "below the minimum of 8"                     },
        { "disk=1K",    "below the minimum of 64K"                   },
        { "inodes=2",   "below the minimum of 16"                    },
        { "tasklets=9", "jobs of the engine exec have no such limit" },
        { "threads=2",  "jobs of the engine exec have no such limit" },
    };

    for (size_t i = 0; i < sizeof(low) / sizeof(low[0]); i++) {
        struct proc *p = coop(b, "run", "--limit", low[i].limit, USE);

        (void)proc_expect(p, 2);
        if (strstr(p->err.bytes, low[i].words) == NULL)
            fail_msg("%s: %s", low[i].limit, p->err.bytes);
    }
    (void)proc_expect(coop(b, "run", "--limit", "memory=8M,pids=1,files=8,disk=64K,inodes=16,file_size=1,result=1", "--", "true"), 0);
}

/* At T2 a job has no file system of its own: its disk is the machine's. */
static void what_nothing_enforces_is_refused_by_name_when_it_was_asked_for(void **state)
{
    struct broker *b = broker_new();
    static const char *const asked[] = { "disk=1M", "inodes=100", "pids=10" };

    *state = b;
    b->args[0] = "--cgroup";
    b->args[1] = "none";
    b->args[2] = "--tier";
    b->args[3] = "T2";
    broker_up(b);
    (void)proc_expect(coop(b, "run", "--", "sh", "-c", "exit 3"), 3); /* defaults are no demand */
    assert_string_equal(json_str(last_receipt(b), "enforcement.tier"), "T2");
    assert_string_equal(json_str(last_receipt(b), "enforcement.disk"), "RLIMIT_FSIZE");
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        (void)coop(b, "run", "--limit", asked[i], "--", "true");
        assert_string_equal(json_str(last_receipt(b), "cause"), "start_failed");
        assert_non_null(strstr(json_str(last_receipt(b), "cause_detail"), "nothing enforces it here, at tier T2"));
    }
}

static int up(void **state, const char *kind)
{
    struct broker *b = broker_new();

    b->args[0] = "--cgroup";
    b->args[1] = kind;
    broker_up(b);
    grouped = broker_said(b, "event=cgroups", "kind=none") == 0;
    if (!grouped)
        print_message("without control groups\n");
    *state = b;
    return 0;
}

static int up_auto(void **state)
{
    return up(state, "auto");
}

static int up_none(void **state)
{
    return up(state, "none");
}

#define BOTH(name)                                                                                                                         \
    cmocka_unit_test_setup_teardown(name, up_auto, broker_teardown), cmocka_unit_test_setup_teardown(name, up_none, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(every_limit_ends_a_job_with_its_own_cause),
        BOTH(the_receipt_says_who_held_what),
        BOTH(usage_counts_children_that_nobody_waited_for),
        BOTH(limits_of_one_job_leave_the_next_alone),
        cmocka_unit_test_setup_teardown(below_what_an_engine_needs_is_refused_with_the_minimum, up_auto, broker_teardown),
        cmocka_unit_test_teardown(what_nothing_enforces_is_refused_by_name_when_it_was_asked_for, broker_teardown),
    };

    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
