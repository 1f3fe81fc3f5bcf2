/* test_arrays_table.c - each request that names a job knows what to do with an array: it acts, or says what to do instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/control.h"

/* Of main.c, which is in no archive. */
void broker_check_rest(struct broker *b);
void broker_check_rest(struct broker *b)
{
    (void)b;
}

static bool is_empty(const struct array_rule *r)
{
    return r->apply == NULL && r->instead == NULL;
}

static void every_request_that_names_a_job_has_a_row_for_arrays(void **state)
{
    unsigned named = 0;

    (void)state;
    for (size_t i = 0; i < control_rules_count; i++) {
        if (control_rules[i].apply == NULL || !control_rules[i].names_job)
            continue;
        named++;
        if (i >= array_rules_count || is_empty(&array_rules[i]))
            fail_msg("%s of an array: no row", control_rules[i].name);
    }
    assert_true(named > 10);
}

static void a_row_acts_or_refuses_and_not_both(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_rules_count; i++)
        assert_false(array_rules[i].apply != NULL && array_rules[i].instead != NULL);
}

static void no_row_is_for_a_request_that_names_no_job(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_rules_count && i < control_rules_count; i++)
        if (!is_empty(&array_rules[i]) && control_rules[i].apply != NULL)
            assert_true(control_rules[i].names_job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_that_names_a_job_has_a_row_for_arrays),
        cmocka_unit_test(a_row_acts_or_refuses_and_not_both),
        cmocka_unit_test(no_row_is_for_a_request_that_names_no_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
