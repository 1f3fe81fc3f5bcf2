/* test_task_threads.c - several thread states: what tasklets on different OS threads do with each other, and how nothing is lost between them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "task_fixture.h"

static int init_threads(unsigned n)
{
    return coop_init(&(struct coop_options){ .threads = n });
}

static int setup2(void **state)
{
    (void)state;
    return init_threads(2);
}

static coop_task *start_on(unsigned thread, coop_fn fn, void *arg)
{
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, arg, &(struct coop_attr){ .thread = thread }), 0);
    return t;
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

struct table {
    coop_chan *to, *from;
    int rounds;
};

static int return_each(void *arg)
{
    const struct table *t = arg;
    intptr_t word;
    int rc = coop_thread() == 2 ? 0 : -EINVAL;

    for (int i = 0; i < t->rounds && rc == 0; i++) {
        rc = coop_chan_recv(t->to, &word, COOP_NEVER);
        if (rc == 0)
            rc = coop_chan_send(t->from, word + 1, COOP_NEVER);
    }
    return rc;
}

static void a_ball_goes_to_and_fro_between_two_threads(void **state)
{
    struct table t = { .rounds = 20000 };
    intptr_t word = 0;
    coop_task *other;

    (void)state;
    assert_int_equal(coop_threads(), 2);
    assert_int_equal(coop_chan_new(0, &t.to), 0);
    assert_int_equal(coop_chan_new(0, &t.from), 0);
    other = start_on(2, return_each, &t);
    for (int i = 0; i < t.rounds; i++) {
        assert_int_equal(coop_chan_send(t.to, word, COOP_NEVER), 0);
        assert_int_equal(coop_chan_recv(t.from, &word, COOP_NEVER), 0);
    }
    assert_int_equal(word, t.rounds);
    assert_int_equal(joined(other), 0);
    assert_int_equal(coop_chan_free(t.to), 0);
    assert_int_equal(coop_chan_free(t.from), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ball_goes_to_and_fro_between_two_threads, setup2, task_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
