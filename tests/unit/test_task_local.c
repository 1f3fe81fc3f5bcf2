/* test_task_local.c - values of one tasklet, and values a tasklet hands to those it spawns. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "task_fixture.h"

static unsigned key, other;

static void destroy(void *value)
{
    note((char)(intptr_t)value);
}

static int use_key(void *arg)
{
    assert_null(coop_key_get(key));
    assert_int_equal(coop_key_set(key, arg), 0);
    assert_int_equal(coop_yield(), 0);
    assert_ptr_equal(coop_key_get(key), arg);
    return 0;
}

static void each_tasklet_has_its_own_value_and_destroys_it_at_its_end(void **state)
{
    coop_task *a, *b;

    (void)state;
    assert_int_equal(coop_key_new(&key, destroy), 0);
    assert_null(coop_key_get(key));
    assert_int_equal(coop_key_set(key, (void *)'m'), 0);
    a = start(use_key, (void *)'a');
    b = start(use_key, (void *)'b');
    assert_int_equal(joined(b), 0);
    assert_int_equal(joined(a), 0);
    assert_string_equal(trace, "ab");
    assert_ptr_equal(coop_key_get(key), (void *)'m');
    assert_int_equal(coop_finish(), 0); /* main ends too */
    assert_string_equal(trace, "abm");
    assert_int_equal(coop_init(NULL), 0);
}

static int set_and_unset(void *arg)
{
    assert_int_equal(coop_key_set(key, arg), 0);
    assert_int_equal(coop_key_set(key, (void *)'y'), 0); /* nobody is told of the old one */
    assert_int_equal(coop_key_set(other, arg), 0);
    assert_int_equal(coop_key_set(other, NULL), 0);
    return coop_exit(0);
}

static void only_what_is_set_at_the_end_is_destroyed(void **state)
{
    (void)state;
    assert_int_equal(coop_key_new(&key, destroy), 0);
    assert_int_equal(coop_key_new(&other, destroy), 0);
    assert_int_not_equal(key, other);
    assert_int_equal(joined(start(set_and_unset, (void *)'x')), 0);
    assert_string_equal(trace, "y");
}

static void destroy_and_set_other(void *value)
{
    note((char)(intptr_t)value);
    assert_int_equal(coop_key_set(other, (void *)'o'), 0);
}

static void destroy_and_set_again(void *value)
{
    note('+');
    assert_int_equal(coop_key_set(key, value), 0);
}

static void a_destructor_may_set_values_but_not_for_ever(void **state)
{
    (void)state;
    assert_int_equal(coop_key_new(&other, destroy), 0); /* comes first, and is set by the second */
    assert_int_equal(coop_key_new(&key, destroy_and_set_other), 0);
    assert_int_equal(joined(start(use_key, (void *)'x')), 0);
    assert_string_equal(trace, "xo");
    trace[0] = '\0';
    assert_int_equal(coop_key_new(&key, destroy_and_set_again), 0);
    assert_int_equal(joined(start(use_key, (void *)'x')), 0);
    assert_string_equal(trace, "++++");
}

static void there_are_64_keys_and_unknown_ones_are_refused(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0); /* takes none */
    assert_int_equal(coop_key_new(NULL, NULL), -EINVAL);
    assert_int_equal(coop_key_set(0, (void *)'x'), -EINVAL);
    assert_null(coop_key_get(0));
    for (int i = 0; i < 64; i++) {
        assert_int_equal(coop_key_new(&key, NULL), 0);
        assert_int_equal(coop_key_set(key, (void *)'x'), 0);
    }
    assert_int_equal(coop_key_new(&key, NULL), -ENOSPC);
    assert_int_equal(coop_key_set(64, (void *)'x'), -EINVAL);
    assert_null(coop_key_get(64));
    assert_null(coop_key_get(UINT_MAX));
    assert_int_equal(coop_scope_close(s), 0);
}

static void block(void *value)
{
    assert_int_equal(coop_yield(), 0);
    note((char)(intptr_t)value);
}

static void a_destructor_runs_in_its_tasklet_and_may_let_others_run(void **state)
{
    coop_task *a, *b;

    (void)state;
    assert_int_equal(coop_key_new(&key, block), 0);
    a = start(use_key, (void *)'a');
    b = start(use_key, (void *)'b');
    assert_int_equal(joined(a), 0);
    assert_int_equal(joined(b), 0);
    assert_string_equal(trace, "ab");
}

/* ---- contexts ------------------------------------------------------------------------------------------------------------------ */

static const char colour, size, shape;

static int see_colour(void *arg)
{
    (void)arg;
    return (int)(intptr_t)coop_context_get(&colour);
}

static int change_colour(void *arg)
{
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_context_get(&colour) == arg, 0);
    assert_int_equal(coop_context_set(&colour, arg), 0);
    assert_int_equal(coop_context_set(&shape, arg), 0);
    assert_ptr_equal(coop_context_get(&size), (void *)2);
    return joined(start(see_colour, NULL));
}

static void a_child_starts_with_its_parents_values_and_keeps_its_own(void **state)
{
    coop_task *t, *u;

    (void)state;
    assert_null(coop_context_get(&colour));
    assert_int_equal(coop_context_set(&colour, (void *)1), 0);
    assert_int_equal(coop_context_set(&size, (void *)2), 0);
    t = start(see_colour, NULL);
    u = start(change_colour, (void *)9);
    assert_int_equal(coop_context_set(&colour, (void *)3), 0); /* after the spawn: t does not see it */
    assert_int_equal(joined(t), 1);
    assert_int_equal(joined(u), 9);
    assert_ptr_equal(coop_context_get(&colour), (void *)3);
    assert_ptr_equal(coop_context_get(&size), (void *)2);
    assert_null(coop_context_get(&shape));
}

static int look(void *arg)
{
    const intptr_t *expected = arg;

    assert_int_equal(coop_yield(), 0);
    assert_int_equal((intptr_t)coop_context_get(&colour), expected[0]);
    assert_int_equal((intptr_t)coop_context_get(&size), expected[1]);
    assert_int_equal((intptr_t)coop_context_get(&shape), expected[2]);
    return 0;
}

static void whichever_value_is_changed_the_others_stay(void **state)
{
    static const char *const names[] = { &colour, &size, &shape };
    intptr_t expected[4][3] = {
        {1, 2, 3}
    };
    coop_task *t[4];

    (void)state;
    for (int i = 0; i < 3; i++)
        assert_int_equal(coop_context_set(names[i], (void *)expected[0][i]), 0);
    t[0] = start(look, expected[0]);
    for (int i = 0; i < 3; i++) { /* the oldest, the middle, the newest */
        memcpy(expected[i + 1], expected[i], sizeof(expected[i]));
        expected[i + 1][i] += 10;
        assert_int_equal(coop_context_set(names[i], (void *)expected[i + 1][i]), 0);
        t[i + 1] = start(look, expected[i + 1]);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(joined(t[i]), 0);
}

static void a_value_can_be_taken_back_and_a_name_is_needed(void **state)
{
    (void)state;
    assert_int_equal(coop_context_set(NULL, (void *)1), -EINVAL);
    assert_null(coop_context_get(NULL));
    assert_int_equal(coop_context_set(&colour, (void *)1), 0);
    assert_int_equal(coop_context_set(&colour, NULL), 0);
    assert_null(coop_context_get(&colour));
}

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_tasklet_has_its_own_value_and_destroys_it_at_its_end),
        T(only_what_is_set_at_the_end_is_destroyed),
        T(a_destructor_may_set_values_but_not_for_ever),
        T(there_are_64_keys_and_unknown_ones_are_refused),
        T(a_destructor_runs_in_its_tasklet_and_may_let_others_run),
        T(a_child_starts_with_its_parents_values_and_keeps_its_own),
        T(whichever_value_is_changed_the_others_stay),
        T(a_value_can_be_taken_back_and_a_name_is_needed),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
