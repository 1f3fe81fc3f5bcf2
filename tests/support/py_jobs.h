/*
 * py_jobs.h - a test program of Python's jobs: rows of a table, each a job and how it ends, and tests beside them, with one broker for all.
 *
 * Side:    tests. Included once by each of them.
 */
#ifndef TESTS_SUPPORT_PY_JOBS_H
#define TESTS_SUPPORT_PY_JOBS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/py_host.h"

struct py_jobs {
    const char *group;
    struct broker **b; /* set before the first test */
    const void *rows;  /* n of them, of size bytes each, which begin with their sentence, a const char * */
    size_t n, size;
    CMUnitTestFunction holds;        /* of a row, which is *state */
    const struct CMUnitTest *others; /* n_others of them */
    size_t n_others;
};

static struct broker **py_jobs_broker;

static int py_jobs_up(void **state)
{
    (void)state;
    *py_jobs_broker = broker_new();
    broker_up(*py_jobs_broker);
    return 0;
}

static int py_jobs_down(void **state)
{
    void *made = *py_jobs_broker;

    (void)state;
    return broker_teardown(&made);
}

/* main(): the exit code. Nothing is run, and 0 returned, where the engine is not built. TEST in the environment picks some. */
static int py_jobs_main(const struct py_jobs *jobs)
{
    struct CMUnitTest *tests = calloc(jobs->n + jobs->n_others, sizeof(*tests));
    int rc = 0;

    if (tests == NULL)
        abort();
    for (size_t i = 0; i < jobs->n; i++) {
        const char *const *row = (const void *)((const char *)jobs->rows + i * jobs->size);

        tests[i] = (struct CMUnitTest){ *row, jobs->holds, NULL, NULL, (void *)row };
    }
    memcpy(tests + jobs->n, jobs->others, jobs->n_others * sizeof(*tests));
    py_jobs_broker = jobs->b;
    cmocka_set_test_filter(getenv("TEST"));
    if (py_host_is_here())
        rc = _cmocka_run_group_tests(jobs->group, tests, jobs->n + jobs->n_others, py_jobs_up, py_jobs_down);
    free(tests);
    return rc;
}

#endif
