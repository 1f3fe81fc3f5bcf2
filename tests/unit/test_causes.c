/* test_causes.c - which cause a job gets when several would do: the table's order, and what counts as evidence for each row. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/causes.h"
#include "broker/cgroup.h"
#include "job_limits.h"

static Pb__Limits limits = PB__LIMITS__INIT;

static int settle(void **state)
{
    char why[LIMITS_WHY];

    (void)state;
    limits.idle_us = 5000000;
    return limits_settle(&limits, ENGINE_EXEC, why);
}

/* One fact a row: what makes it strike, alone. */
static void strike(struct causes_facts *f, const char *name)
{
    if (strcmp(name, "policy") == 0)
        f->ended = f->failed = true, f->signal = SIGSYS;
    else if (strcmp(name, "oom") == 0)
        f->oom = true;
    else if (strcmp(name, "cpu") == 0)
        f->cpu_us = limits.cpu_us;
    else if (strcmp(name, "idle") == 0)
        f->idle_us = limits.idle_us;
    else if (strcmp(name, "wall") == 0)
        f->wall_us = limits.wall_us;
    else if (strcmp(name, "file_size") == 0)
        f->ended = f->failed = true, f->signal = SIGXFSZ;
    else if (strcmp(name, "pids") == 0)
        f->ended = f->failed = true, f->exit_code = 1, f->pids_refused = 3;
    else if (strcmp(name, "pids_seen") == 0)
        f->pids_seen = limits.pids + 1;
    else if (strcmp(name, "disk") == 0)
        f->ended = f->failed = true, f->exit_code = 1, f->disk_full = true;
    else
        fail_msg("no fact for %s", name);
}

static void nothing_strikes_a_job_within_its_limits(void **state)
{
    struct causes_facts f = { .limits = &limits };

    (void)state;
    assert_null(causes_find(&f));
    f.cpu_us = limits.cpu_us - 1;
    f.wall_us = limits.wall_us - 1;
    f.idle_us = limits.idle_us - 1;
    f.pids_seen = limits.pids;
    f.pids_refused = 1; /* it still runs: it may do without */
    f.disk_full = true;
    assert_null(causes_find(&f));
    f.ended = true; /* and ended well */
    assert_null(causes_find(&f));
    f.failed = true;
    assert_non_null(causes_find(&f));
}

static void each_row_strikes_alone_with_words_and_a_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < causes_count; i++) {
        struct causes_facts f = { .limits = &limits };
        char detail[CAUSES_DETAIL] = "";
        const struct causes_row *row;

        strike(&f, causes_table[i].name);
        row = causes_find(&f);
        assert_ptr_equal(row, &causes_table[i]);
        assert_true(row->reason[0] != '\0');
        if (row->say == NULL)
            continue; /* whoever saw it says it */
        row->say(&f, detail);
        assert_true(strlen(detail) > 10);
        assert_null(strstr(detail, "signal 9"));
    }
}

static const char *said(const struct causes_facts *f)
{
    static char detail[CAUSES_DETAIL];

    causes_find(f)->say(f, detail);
    return detail;
}

static void the_words_name_the_limit_that_struck_and_no_other(void **state)
{
    struct causes_facts f = { .limits = &limits };

    (void)state;
    strike(&f, "pids");
    f.pids_refused = 1;
    assert_non_null(strstr(said(&f), "had refused it a process or thread 1 time"));
    assert_null(strstr(said(&f), "1 times"));
    f = (struct causes_facts){ .limits = &limits, .oom = true };
    assert_null(strstr(said(&f), "files"));
    f.memory_files = 200 << 20;
    assert_non_null(strstr(said(&f), "memory limit of 256M, 200M of it for files of its work directory"));
    f = (struct causes_facts){ .limits = &limits };
    strike(&f, "disk");
    assert_non_null(strstr(said(&f), "its disk limit of 64M was used up"));
    assert_null(strstr(said(&f), "inodes"));
    f.inodes_full = true;
    assert_non_null(strstr(said(&f), "its inodes limit of 10000 was used up"));
    assert_null(strstr(said(&f), "disk"));
}

/* Two that can be true at one time: the upper one, whichever came first. */
static void of_two_the_upper_row_is_the_cause(void **state)
{
    unsigned pairs = 0;

    (void)state;
    for (size_t i = 0; i < causes_count; i++)
        for (size_t k = i + 1; k < causes_count; k++) {
            struct causes_facts f = { .limits = &limits };
            int lower_signal;

            strike(&f, causes_table[k].name);
            lower_signal = f.signal;
            strike(&f, causes_table[i].name);
            if ((lower_signal != 0 && f.signal != lower_signal) || !causes_table[k].struck(&f) || !causes_table[i].struck(&f))
                continue; /* they cannot both be: one signal, or running and ended */
            assert_ptr_equal(causes_find(&f), &causes_table[i]);
            pairs++;
        }
    assert_true(pairs >= 10);
}

static void a_job_that_ended_well_a_moment_before_its_limit_was_noticed_has_ended_well(void **state)
{
    struct causes_facts f = { .limits = &limits, .ended = true };

    (void)state;
    f.cpu_us = limits.cpu_us + 1000;
    f.wall_us = limits.wall_us + 1000;
    f.idle_us = limits.idle_us + 1000;
    assert_null(causes_find(&f));
    f.failed = true;
    f.exit_code = 1;
    assert_null(causes_find(&f));
}

/* Any process may send itself any signal. */
static void a_signal_alone_is_no_evidence_of_cpu_use(void **state)
{
    struct causes_facts f = { .limits = &limits, .ended = true, .failed = true, .signal = SIGXCPU };

    (void)state;
    assert_null(causes_find(&f));
    f.cpu_us = limits.cpu_us;
    assert_int_equal(causes_find(&f)->cause, PB__CAUSE__CAUSE_CPU_LIMIT);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_words_name_the_limit_that_struck_and_no_other),
        TEST(nothing_strikes_a_job_within_its_limits),
        TEST(each_row_strikes_alone_with_words_and_a_reason),
        TEST(of_two_the_upper_row_is_the_cause),
        TEST(a_job_that_ended_well_a_moment_before_its_limit_was_noticed_has_ended_well),
        TEST(a_signal_alone_is_no_evidence_of_cpu_use),
    };

    return cmocka_run_group_tests_name("causes", tests, settle, NULL);
}
