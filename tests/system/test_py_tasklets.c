/*
 * test_py_tasklets.c - tasklets of Python: every row of tests/python/, a sentence each, in Debian's own python3.11 with what a job finds there; and
 * each file as one job in a sealed worker.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/py_host.h"

enum { ROWS_MAX = 400 };

static const char *const files[] = { "stackless_tasklets", "stackless_channels", "stackless_runs",
                                     "thread_states",      "asyncio_loops",      "leaks",
                                     "freeze_tasklets",    "freeze_objects",     "hibernation" };

struct row {
    const char *file; /* its path */
    const char *name;
};

static void holds(void **state)
{
    const struct row *r = *state;

    (void)proc_expect(py_host((const char *const[]){ r->file, r->name, NULL }), 0);
}

static void holds_in_a_sealed_worker(void **state)
{
    const struct row *r = *state;
    void *fixture = NULL;
    struct proc *p;

    assert_int_equal(broker_setup(&fixture), 0);
    p = proc_expect(coop((struct broker *)fixture, "run", "--limit", "memory=256MiB,threads=3,cpu=1h,wall=1h", "--file",
                         PY_ROWS "rows.py:rows", r->file),
                    0);
    expect_has(p->out, " rows, 0 failed");
    broker_teardown(&fixture);
}

/* The names a file says it has, each a test; returns how many there are then. */
static size_t add_rows(struct CMUnitTest *tests, size_t n, const char *file)
{
    struct proc *p = proc_expect(py_host((const char *const[]){ file, "--list", NULL }), 0);

    for (char *rest = p->out.bytes, *name; (name = strsep(&rest, "\n")) != NULL && *name != '\0' && n < ROWS_MAX;) {
        struct row *r = calloc(1, sizeof(*r));

        *r = (struct row){ file, strdup(name) };
        tests[n++] = (struct CMUnitTest){ .name = r->name, .test_func = holds, .initial_state = r };
    }
    return n;
}

int main(void)
{
    static struct CMUnitTest tests[ROWS_MAX];
    size_t n = 0;

    if (!py_host_is_here())
        return 0;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *file = strdup(support_text(PY_ROWS "%s.py", files[i]));
        struct row *whole = calloc(1, sizeof(*whole));

        *whole = (struct row){ file, strdup(support_text("%s_holds_in_a_sealed_worker", files[i])) };
        n = add_rows(tests, n, file);
        tests[n++] = (struct CMUnitTest){ .name = whole->name, .test_func = holds_in_a_sealed_worker, .initial_state = whole };
    }
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return _cmocka_run_group_tests("py_tasklets", tests, n, NULL, NULL);
}
