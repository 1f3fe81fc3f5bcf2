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
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"

#define PYTHON "/usr/bin/python3.11"
#define ROWS   "tests/python/" /* from the top folder, as make check is */

enum { ROWS_MAX = 400 };

static const char *const files[] = { "stackless_tasklets", "stackless_channels", "stackless_runs",
                                     "thread_states",      "asyncio_loops",      "leaks",
                                     "hibernation" };

/* As start.c loads it; then the file runs as a script. */
static const char load_module[] = "import sys, _imp\n"
                                  "from _frozen_importlib import ModuleSpec\n"
                                  "spec = ModuleSpec('coop_python', None, origin=sys.argv[1])\n"
                                  "module = _imp.create_dynamic(spec)\n"
                                  "_imp.exec_dynamic(module)\n"
                                  "module.tasklets()\n"
                                  "import runpy\n"
                                  "sys.argv = sys.argv[2:]\n"
                                  "sys.path.insert(0, '" ROWS "')\n"
                                  "runpy.run_path(sys.argv[0], run_name='__main__')\n";

struct row {
    const char *file; /* its path; of CPython's tests how they run */
    const char *name;
};

static struct proc *python(const char *file, const char *word)
{
    const char *const argv[] = { PYTHON, "-X", "utf8", "-B", "-c", load_module, support_program("coop_python.so"), file, word, NULL };

    return proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv);
}

static void holds(void **state)
{
    const struct row *r = *state;

    (void)proc_expect(python(r->file, r->name), 0);
}

static void holds_in_a_sealed_worker(void **state)
{
    const struct row *r = *state;
    void *fixture = NULL;
    struct proc *p;

    assert_int_equal(broker_setup(&fixture), 0);
    p = proc_expect(coop((struct broker *)fixture, "run", "--limit", "memory=256MiB", "--file", ROWS "rows.py:rows", r->file), 0);
    expect_has(p->out, " rows, 0 failed");
    broker_teardown(&fixture);
}

/* ---- other people's tests, where they are installed ------------------------------------------------------------------------------ */

#define CPYTHON  "/usr/lib/python3.11"            /* package libpython3.11-testsuite */
#define GREENLET "/usr/lib/python3/dist-packages" /* package python3-greenlet */
#define OF_GENERATORS                                                                                                                      \
    "test.test_generators", "test.test_generator_stop", "test.test_coroutines", "test.test_asyncgen", "test.test_yield_from",              \
        "test.test_context", "test.test_contextlib", "test.test_contextlib_async", "test.test_with", "test.test_raise",                    \
        "test.test_exception_group"
/* Where a copy of the package lies: the environment says, or it is installed. NULL: nowhere. */
static const char *find(const char *variable, const char *installed, const char *file)
{
    const char *said = getenv(variable), *directory = said != NULL ? said : installed;

    return access(support_text("%s/%s", directory, file), R_OK) == 0 ? directory : NULL;
}

static void run_suite(const char *const *words)
{
    const char *argv[40] = { PYTHON, "-X", "utf8", "-B", "-c", load_module, support_program("coop_python.so") };
    size_t n = 7;

    while (*words != NULL)
        argv[n++] = *words++;
    (void)proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), 0);
}

static void cpython(const char *const *words)
{
    const char *where = find("COOP_CPYTHON_TESTS", CPYTHON, "test/test_generators.py"), *all[32] = { ROWS "cpython_suite.py", where };

    if (where == NULL)
        skip(); /* apt install libpython3.11-testsuite */
    for (size_t i = 0; words[i] != NULL; i++)
        all[2 + i] = words[i];
    run_suite(all);
}

static void cpythons_tests_of_generators_and_contexts_pass_in_a_tasklet(void **state)
{
    (void)state;
    cpython((const char *const[]){ "plain", OF_GENERATORS, NULL });
}

static void cpythons_tests_of_generators_and_contexts_pass_with_short_slices_and_a_busy_neighbour(void **state)
{
    (void)state;
    cpython((const char *const[]){ "sliced", OF_GENERATORS, NULL });
}

/* One test each: some take a while. */
static void asyncio_module_passes(void **state)
{
    const struct row *r = *state;

    cpython((const char *const[]){ r->file, r->name, NULL });
}

static size_t add_asyncio(struct CMUnitTest *tests, size_t n)
{
    static const char *const modules[] = { "tasks",      "futures",  "base_events", "locks",   "streams", "queues",
                                           "taskgroups", "timeouts", "runners",     "waitfor", "pep492" };
    static const char *const ways[] = { "plain", "ours", "sliced" };

    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
            struct row *r = calloc(1, sizeof(*r));

            *r = (struct row){ ways[k], strdup(support_text("test.test_asyncio.test_%s", modules[i])) };
            tests[n++] = (struct CMUnitTest){ .name = strdup(support_text("cpythons_tests_of_asyncio_%s_pass_%s", modules[i], ways[k])),
                                              .test_func = asyncio_module_passes,
                                              .initial_state = r };
        }
    return n;
}

static void greenlets_own_tests_pass(void **state)
{
    const char *where = find("COOP_GREENLET_TESTS", GREENLET, "greenlet/tests/test_greenlet.py");

    (void)state;
    if (where == NULL)
        skip(); /* apt install python3-greenlet */
    run_suite((const char *const[]){ ROWS "greenlet_suite.py", where, "test_greenlet", "test_throw", "test_generator",
                                     "test_generator_nested", "test_weakref", "test_gc", "test_contextvars", "test_tracing",
                                     "test_extension_interface", "test_greenlet_trash", NULL });
}

/* The names a file says it has, each a test; returns how many there are then. */
static size_t add_rows(struct CMUnitTest *tests, size_t n, const char *file)
{
    struct proc *p = proc_expect(python(file, "--list"), 0);

    for (char *rest = p->out.bytes, *name; (name = strsep(&rest, "\n")) != NULL && *name != '\0' && n < ROWS_MAX;) {
        struct row *r = calloc(1, sizeof(*r));

        *r = (struct row){ file, strdup(name) };
        tests[n++] = (struct CMUnitTest){ .name = r->name, .test_func = holds, .initial_state = r };
    }
    return n;
}

int main(void)
{
    static struct CMUnitTest tests[ROWS_MAX + 64];
    static const struct CMUnitTest suites[] = {
        cmocka_unit_test(cpythons_tests_of_generators_and_contexts_pass_in_a_tasklet),
        cmocka_unit_test(cpythons_tests_of_generators_and_contexts_pass_with_short_slices_and_a_busy_neighbour),
        cmocka_unit_test(greenlets_own_tests_pass),
    };
    size_t n = 0;

    if (access(support_program("coop_python.so"), R_OK) != 0) {
        printf("skipped: the engine python is not built here\n");
        return 0;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *file = strdup(support_text(ROWS "%s.py", files[i]));
        struct row *whole = calloc(1, sizeof(*whole));

        *whole = (struct row){ file, strdup(support_text("%s_holds_in_a_sealed_worker", files[i])) };
        n = add_rows(tests, n, file);
        tests[n++] = (struct CMUnitTest){ .name = whole->name, .test_func = holds_in_a_sealed_worker, .initial_state = whole };
    }
    for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
        tests[n++] = suites[i];
    n = add_asyncio(tests, n);
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return _cmocka_run_group_tests("py_tasklets", tests, n, NULL, NULL);
}
