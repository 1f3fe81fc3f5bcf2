/* test_py_examples.c - the programs of examples/python/ do what they say; and the least of scripts is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <coop/exit_codes.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/py_host.h"

static void words_are_counted(void **state)
{
    static const char text[] = "the cat and the dog and the bird\n";

    expect_text(proc_expect(coop_in((struct broker *)*state, text, strlen(text), "run", "examples/python/words.py", "2"), 0)->out,
                "     3 the\n     2 and\n");
}

static void a_pipeline_of_tasklets_hands_on_every_word(void **state)
{
    static const char text[] = "the cat and the dog\nand the bird\n\nand one\n";

    expect_text(proc_expect(coop_in((struct broker *)*state, text, strlen(text), "run", "examples/python/pipeline.py", "2"), 0)->out,
                "     3 and\n     3 the\n     1 bird\n     1 cat\n     1 dog\n10 words of 2 workers\n");
}

static void a_pool_of_interpreters_shares_work_and_survives_errors(void **state)
{
    expect_text(proc_expect(coop((struct broker *)*state, "run", "--cap", "interpreters=3", "examples/python/fan_out.py", "1000"), 0)->out,
                "168 primes below 1000, counted in 13 parts\n"
                "squares: 1 4 9 16 25 36 49\n"
                "checked: 1\nchecked: 2\nchecked: ValueError: 3 is divided by three\nchecked: 4\n");
}

static void a_service_answers_others_while_a_request_waits(void **state)
{
    struct proc *p =
        proc_expect(coop((struct broker *)*state, "run", "--cap", "queues", "--cap", "interpreters=1", "examples/python/service.py"), 0);

    expect_has(p->out, "the last answer was to: who was the last?\n"
                       "ada: born in 1815\nalan: born in 1912\ngrace: born in 1906\nnobody: nobody knows\n");
}

/* As python3 has it. Of Lua an empty file is still a mistake (test_bad_input). */
static void an_empty_script_ends_well(void **state)
{
    struct broker *b = *state;

    expect_text(proc_expect(coop(b, "run", script(b, "empty.py", "")), 0)->out, "");
    expect_text(proc_expect(coop_in(b, "", 0, "run", "--engine", "python", "-"), 0)->out, "");
    expect_has(proc_expect(coop(b, "run", script(b, "empty", "")), COOP_EXIT_USAGE)->err, "empty is empty");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_are_counted),
        TEST(a_pipeline_of_tasklets_hands_on_every_word),
        TEST(a_pool_of_interpreters_shares_work_and_survives_errors),
        TEST(a_service_answers_others_while_a_request_waits),
        TEST(an_empty_script_ends_well),
    };

    if (!py_host_is_here())
        return 0;
    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
