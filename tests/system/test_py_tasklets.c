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

static const char *const files[] = { "stackless_tasklets", "stackless_channels", "stackless_runs", "thread_states" };

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
    const char *file; /* its path */
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
    static struct CMUnitTest tests[ROWS_MAX + sizeof(files) / sizeof(files[0])];
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
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return _cmocka_run_group_tests("py_tasklets", tests, n, NULL, NULL);
}
