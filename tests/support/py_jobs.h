/*
 * py_jobs.h - a test program of Python's jobs: rows of a table, each a job and how it ends, and tests beside them, with one broker for all.
 *
 * Side:    tests.
 */
#ifndef TESTS_SUPPORT_PY_JOBS_H
#define TESTS_SUPPORT_PY_JOBS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"

struct py_jobs {
    const char *group;
    struct broker **b; /* set before the first test */
    const void *rows;  /* n of them, of size bytes each, which begin with their sentence, a const char * */
    size_t n, size;
    CMUnitTestFunction holds;        /* of a row, which is *state */
    const struct CMUnitTest *others; /* n_others of them */
    size_t n_others;
};

/* main(): the exit code. Nothing is run, and 0 returned, where the engine is not built. TEST in the environment picks some. */
int py_jobs_main(const struct py_jobs *jobs);

#endif
