/* test_python_none.c - coop where the engine python was not built: its jobs are refused by what is missing, all others run. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define MISSING "the engine python is not installed here: coop_python.so is not beside coop-worker (built where python3-dev is)"

/* A worker with nothing beside it. */
static int up(void **state)
{
    struct broker *b = broker_new();
    static char worker[PATH_MAX]; /* as long as the broker */

    snprintf(worker, sizeof(worker), "%s/coop-worker", b->dir);
    (void)proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL },
                                 (const char *const[]){ "/bin/cp", support_program("coop-worker"), worker, NULL }),
                      0);
    b->args[0] = "--worker";
    b->args[1] = worker;
    broker_up(b);
    *state = b;
    return 0;
}

static void a_script_says_what_is_missing(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "run", script(b, "x.py", "print(1)\n")), COOP_EXIT_PLATFORM)->err, MISSING);
    expect_has(proc_expect(coop(b, "run", "--cap", "packages", "-c", "print(1)"), COOP_EXIT_PLATFORM)->err, MISSING);
}

static void so_do_an_interpreter_and_a_template(void **state)
{
    struct broker *b = *state;

    expect_has(coop(b, "interp", "create", "--engine", "python")->err, MISSING);
    expect_has(coop(b, "template", "build", "data", "--engine", "python", "-m", "json")->err, MISSING);
}

static void other_engines_run(void **state)
{
    struct broker *b = *state;

    expect_text(proc_expect(coop(b, "run", script(b, "x.lua", "print(2)\n")), 0)->out, "2\n");
    expect_text(proc_expect(coop(b, "run", "--", "echo", "3"), 0)->out, "3\n");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_says_what_is_missing),
        cmocka_unit_test(so_do_an_interpreter_and_a_template),
        cmocka_unit_test(other_engines_run),
    };

    return cmocka_run_group_tests_name("without the engine python", tests, up, broker_teardown);
}
