/* test_waiting_ids.c - ids that were made in one millisecond, as those of an array's tasks, spread over the table like any others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/waiting.h"

enum { IDS = 100000, LONGEST = 32 };

/* Of main.c, which is in no archive. */
struct broker;
void broker_check_rest(struct broker *b);
void broker_check_rest(struct broker *b)
{
    (void)b;
}

static void no_chain_is_long(void **state)
{
    struct waiting_table t;
    char id[ULID_LEN + 1];
    size_t longest = 0;

    (void)state;
    assert_int_equal(waiting_init(&t), 0);
    for (int i = 0; i < IDS; i++) {
        ulid_make(1795374000000, id);
        assert_non_null(waiting_add(&t, id));
    }
    for (size_t i = 0; i <= t.mask; i++) {
        size_t n = 0;

        for (const struct waiting *w = t.buckets[i]; w != NULL; w = w->chain)
            n++;
        longest = n > longest ? n : longest;
    }
    assert_true(longest < LONGEST);
    assert_non_null(waiting_find(&t, id));
    waiting_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_chain_is_long) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
