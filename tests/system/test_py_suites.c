/*
 * test_py_suites.c - other people's tests, in tasklets: CPython's own of generators, coroutines, contexts and asyncio (package
 * libpython3.11-testsuite), and greenlet's (python3-greenlet). What is not installed is skipped by name.
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

#include "tests/support/py_host.h"
#include "tests/support/support.h"

#define CPYTHON  "/usr/lib/python3.11"            /* package libpython3.11-testsuite */
#define GREENLET "/usr/lib/python3/dist-packages" /* package python3-greenlet */
#define OF_GENERATORS                                                                                                                      \
    "test.test_generators", "test.test_generator_stop", "test.test_coroutines", "test.test_asyncgen", "test.test_yield_from",              \
        "test.test_context", "test.test_contextlib", "test.test_contextlib_async", "test.test_with", "test.test_raise",                    \
        "test.test_exception_group"

struct row {
    const char *way, *module; /* how, and which */
};

/* Where a copy of the package lies: the environment says, or it is installed. NULL: nowhere. */
static const char *find(const char *variable, const char *installed, const char *file)
{
    const char *said = getenv(variable), *directory = said != NULL ? said : installed;

    return access(support_text("%s/%s", directory, file), R_OK) == 0 ? directory : NULL;
}

static void cpython(const char *const *words)
{
    const char *where = find("COOP_CPYTHON_TESTS", CPYTHON, "test/test_generators.py"), *all[32] = { PY_ROWS "cpython_suite.py", where };

    if (where == NULL)
        skip(); /* apt install libpython3.11-testsuite */
    for (size_t i = 0; words[i] != NULL; i++)
        all[2 + i] = words[i];
    (void)proc_expect(py_host(all), 0);
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

/* Modules that the loop of a sealed worker cannot pass: it has no descriptors. */
static const char need_sockets[] = "base_events streams";

/* One test each: some take a while. */
static void asyncio_module_passes(void **state)
{
    const struct row *r = *state;

    cpython((const char *const[]){ r->way, r->module, NULL });
}

static size_t add_asyncio(struct CMUnitTest *tests, size_t n)
{
    static const char *const modules[] = { "tasks",      "futures",  "base_events", "locks",   "streams", "queues",
                                           "taskgroups", "timeouts", "runners",     "waitfor", "pep492" };
    static const char *const ways[] = { "plain", "ours", "sliced", "sealed" };

    for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++) {
            if (strcmp(ways[k], "sealed") == 0 && strstr(need_sockets, modules[i]) != NULL)
                continue;
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
    (void)proc_expect(py_host((const char *const[]){ PY_ROWS "greenlet_suite.py", where, "test_greenlet", "test_throw", "test_generator",
                                                     "test_generator_nested", "test_weakref", "test_gc", "test_contextvars", "test_tracing",
                                                     "test_extension_interface", "test_greenlet_trash", NULL }),
                      0);
}

int main(void)
{
    static struct CMUnitTest tests[64] = {
        cmocka_unit_test(cpythons_tests_of_generators_and_contexts_pass_in_a_tasklet),
        cmocka_unit_test(cpythons_tests_of_generators_and_contexts_pass_with_short_slices_and_a_busy_neighbour),
        cmocka_unit_test(greenlets_own_tests_pass),
    };

    if (!py_host_is_here())
        return 0;
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return _cmocka_run_group_tests("py_suites", tests, add_asyncio(tests, 3), NULL, NULL);
}
