/* py_jobs.c - see py_jobs.h. */
#include "tests/support/py_jobs.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/py_host.h"

static struct broker **shared;

static int up(void **state)
{
    (void)state;
    *shared = broker_new();
    broker_up(*shared);
    return 0;
}

static int down(void **state)
{
    void *made = *shared;

    (void)state;
    return broker_teardown(&made);
}

int py_jobs_main(const struct py_jobs *jobs)
{
    struct CMUnitTest *tests = calloc(jobs->n + jobs->n_others, sizeof(*tests));
    int rc;

    if (tests == NULL)
        abort();
    if (!py_host_is_here()) {
        free(tests);
        return 0;
    }
    for (size_t i = 0; i < jobs->n; i++) {
        const char *const *row = (const void *)((const char *)jobs->rows + i * jobs->size);

        tests[i] = (struct CMUnitTest){ *row, jobs->holds, NULL, NULL, (void *)row };
    }
    memcpy(tests + jobs->n, jobs->others, jobs->n_others * sizeof(*tests));
    shared = jobs->b;
    cmocka_set_test_filter(getenv("TEST"));
    rc = _cmocka_run_group_tests(jobs->group, tests, jobs->n + jobs->n_others, up, down);
    free(tests);
    return rc;
}
