/* test_task_bad.c - misuse, a row each: what it gives, and that the thread state works afterwards; and what happens at the limits. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

static coop_chan *closed_chan(size_t capacity)
{
    coop_chan *c = NULL;

    assert_int_equal(coop_chan_new(capacity, &c), 0);
    assert_int_equal(coop_chan_close(c), 0);
    return c;
}

static int with_closed(int (*act)(coop_chan *c))
{
    coop_chan *c = closed_chan(1);
    int rc = act(c);

    assert_int_equal(coop_chan_free(c), 0);
    return rc;
}

static int send_one(coop_chan *c)
{
    return coop_chan_send(c, 1, COOP_NEVER);
}

static int send_error(coop_chan *c)
{
    return coop_chan_send_error(c, -EIO, COOP_NEVER);
}

static int receive_one(coop_chan *c)
{
    intptr_t word;

    return coop_chan_recv(c, &word, COOP_NEVER);
}

/* The clause's own result. */
static int select_on(coop_chan *c, enum coop_select_op op)
{
    struct coop_clause k = { .op = op, .chan = c };
    int i = coop_select(&k, 1, COOP_FIRST, COOP_NEVER);

    return i < 0 ? i : k.rc;
}

static int select_send(coop_chan *c)
{
    return select_on(c, COOP_SEND);
}

static int select_receive(coop_chan *c)
{
    return select_on(c, COOP_RECV);
}

static int bad_send_to_closed(void)
{
    return with_closed(send_one);
}

static int bad_error_to_closed(void)
{
    return with_closed(send_error);
}

static int bad_receive_from_closed(void)
{
    return with_closed(receive_one);
}

static int bad_select_send_to_closed(void)
{
    return with_closed(select_send);
}

static int bad_select_receive_from_closed(void)
{
    return with_closed(select_receive);
}

static int bad_close_twice(void)
{
    return with_closed(coop_chan_close);
}

static int bad_close_of_nil(void)
{
    return coop_chan_close(NULL);
}

static int bad_select_nil_alone(void)
{
    return select_receive(NULL);
}

static int bad_select_nil_try(void)
{
    struct coop_clause k = { .op = COOP_SEND };

    return coop_select(&k, 1, COOP_FAIR, 0);
}

static int bad_select_nil_default(void)
{
    struct coop_clause k = { .op = COOP_RECV };

    return coop_select(&k, 1, COOP_DEFAULT, COOP_NEVER);
}

static int bad_select_nothing_default(void)
{
    return coop_select(NULL, 0, COOP_DEFAULT, COOP_NEVER);
}

static int bad_select_negative_count(void)
{
    struct coop_clause k = { .op = COOP_RECV };

    return coop_select(&k, (size_t)-1, COOP_FAIR, 0);
}

static int bad_capacity_negative(void)
{
    coop_chan *c;

    return coop_chan_new((size_t)-1, &c);
}

static int bad_capacity_huge(void)
{
    coop_chan *c;

    return coop_chan_new(((size_t)1 << 24) + 1, &c);
}

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

static int bad_stack_negative(void)
{
    const struct coop_attr attr = { .stack_size = (size_t)-1 };

    return coop_spawn(NULL, nothing, NULL, &attr);
}

static int bad_init_stack_huge(void)
{
    const struct coop_options huge = { .stack_size = (1 << 20) + 1 };
    int rc;

    assert_int_equal(coop_finish(), 0);
    rc = coop_init(&huge);
    assert_int_equal(coop_init(NULL), 0);
    return rc;
}

static int joins_itself(void *arg)
{
    (void)arg;
    return coop_join(coop_self(), NULL, COOP_NEVER);
}

static int bad_join_self(void)
{
    return joined(start(joins_itself, NULL));
}

static int gathers_itself(void *arg)
{
    coop_task *me = coop_self();

    (void)arg;
    return coop_gather(&me, 1, NULL, COOP_NEVER);
}

static int bad_gather_self(void)
{
    return joined(start(gathers_itself, NULL));
}

static int waits_for_itself(void *arg)
{
    coop_task *me = coop_self();

    (void)arg;
    return coop_wait_first(&me, 1, COOP_NEVER);
}

static int bad_wait_first_self(void)
{
    return joined(start(waits_for_itself, NULL));
}

static int wait_for_self(void *arg)
{
    (void)arg;
    return coop_wait_for(coop_self(), NULL, coop_after(1000));
}

static int bad_wait_for_self(void)
{
    return joined(start(wait_for_self, NULL));
}

static int bad_join_main(void)
{
    return coop_join(coop_main(), NULL, 0);
}

static int bad_detach_main(void)
{
    return coop_detach(coop_main());
}

static int bad_exit_main(void)
{
    return coop_exit(0);
}

static int runs_others(void *arg)
{
    (void)arg;
    return coop_run(COOP_NEVER);
}

static int bad_run_by_tasklet(void)
{
    return joined(start(runs_others, NULL));
}

static int finishes(void *arg)
{
    (void)arg;
    return coop_finish();
}

static int bad_finish_by_tasklet(void)
{
    return joined(start(finishes, NULL));
}

static int bad_yield_to_self(void)
{
    return coop_yield_to(coop_self());
}

static int bad_yield_to_blocked(void)
{
    coop_task *t = start_blocked(parks, NULL);
    int rc = coop_yield_to(t);

    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    return rc;
}

static int bad_detach_twice(void)
{
    coop_task *t = start_blocked(parks, NULL);
    int rc;

    assert_int_equal(coop_detach(t), 0);
    rc = coop_detach(t);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    return rc;
}

static int bad_unpark_ended(void)
{
    coop_task *t = start(nothing, NULL);
    int rc;

    assert_int_equal(coop_yield(), 0);
    rc = coop_unpark(t, 1);
    assert_int_equal(joined(t), 0);
    return rc;
}

static int bad_cancel_ended(void)
{
    coop_task *t = start(nothing, NULL);
    int rc;

    assert_int_equal(coop_yield(), 0);
    rc = coop_cancel(t);
    assert_int_equal(joined(t), 0); /* it had ended before */
    return rc;
}

/* ---- descriptors, timers, generators, scopes, locks ------------------------------------------------------------------------------ */

static int bad_fd_negative(void)
{
    return coop_fd_wait(-1, COOP_READABLE, 0) == 0 ? 0 : coop_fd_wait(INT_MIN, COOP_READABLE, COOP_NEVER);
}

static int bad_fd_huge(void)
{
    return coop_fd_wait(INT_MAX, COOP_READABLE, COOP_NEVER);
}

static int bad_fd_events(void)
{
    return coop_fd_wait(0, 4, 0);
}

static int bad_fd_plain(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int rc = coop_fd_wait(fd, COOP_READABLE, COOP_NEVER);

    close(fd);
    return rc;
}

static int bad_period_negative(void)
{
    coop_timer *t;
    int rc;

    assert_int_equal(coop_timer_new(nothing, NULL, &t), 0);
    rc = coop_timer_set(t, coop_after(1000), INT64_MIN);
    assert_int_equal(coop_timer_free(t), 0);
    return rc;
}

static int nexts_itself(coop_gen *g, void *arg)
{
    intptr_t word;

    (void)arg;
    return coop_gen_next(g, &word);
}

static int frees_itself(coop_gen *g, void *arg)
{
    (void)arg;
    return coop_gen_free(g);
}

static int first_of(coop_gen_fn fn)
{
    coop_gen *g;
    intptr_t word;
    int rc;

    assert_int_equal(coop_gen_new(fn, NULL, &g), 0);
    rc = coop_gen_next(g, &word);
    assert_int_equal(coop_gen_free(g), 0);
    return rc;
}

static int bad_gen_next_inside(void)
{
    return first_of(nexts_itself);
}

static int bad_gen_free_inside(void)
{
    return first_of(frees_itself);
}

static int closes_scope(void *s)
{
    return coop_scope_close(s);
}

static int bad_close_scope_inside(void)
{
    struct coop_attr attr = { .name = "child" };
    coop_task *t;
    int rc;

    assert_int_equal(coop_scope_new(&attr.scope, COOP_NEVER), 0);
    assert_int_equal(coop_spawn(&t, closes_scope, attr.scope, &attr), 0);
    rc = joined(t);
    assert_int_equal(coop_scope_close(attr.scope), rc); /* the child's failure */
    return rc;
}

static int bad_unlock_unlocked(void)
{
    coop_mutex *m;
    int rc;

    assert_int_equal(coop_mutex_new(&m), 0);
    rc = coop_mutex_unlock(m);
    assert_int_equal(coop_mutex_free(m), 0);
    return rc;
}

static int bad_unlock_rwlock(void)
{
    coop_rwlock *l;
    int rc;

    assert_int_equal(coop_rwlock_new(&l), 0);
    rc = coop_rwlock_unlock(l);
    assert_int_equal(coop_rwlock_free(l), 0);
    return rc;
}

static int bad_post_too_often(void)
{
    coop_sem *s;
    int rc;

    assert_int_equal(coop_sem_new(UINT_MAX, &s), 0);
    rc = coop_sem_post(s);
    assert_int_equal(coop_sem_free(s), 0);
    return rc;
}

static int bad_waitgroup_negative(void)
{
    coop_waitgroup *w;
    int rc;

    assert_int_equal(coop_waitgroup_new(&w), 0);
    assert_int_equal(coop_waitgroup_add(w, 1), 0);
    rc = coop_waitgroup_add(w, INT_MIN);
    assert_int_equal(coop_waitgroup_done(w), 0); /* the refused one did not count */
    assert_int_equal(coop_waitgroup_free(w), 0);
    return rc;
}

static int bad_barrier_of_none(void)
{
    coop_barrier *b;

    return coop_barrier_new(0, &b);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static const struct bad {
    const char *what;
    int (*act)(void);
    int gives;
} bad[] = {
    {"send to a closed channel",               bad_send_to_closed,             -EPIPE       },
    { "send of an error to a closed channel",  bad_error_to_closed,            -EPIPE       },
    { "receive from a closed channel",         bad_receive_from_closed,        -EPIPE       },
    { "select: send to a closed channel",      bad_select_send_to_closed,      -EPIPE       },
    { "select: receive from a closed channel", bad_select_receive_from_closed, -EPIPE       },
    { "close twice",                           bad_close_twice,                -EPIPE       },
    { "close of no channel",                   bad_close_of_nil,               -EINVAL      },
    { "select: no channel, alone",             bad_select_nil_alone,           -EDEADLK     },
    { "select: no channel, try",               bad_select_nil_try,             -ETIMEDOUT   },
    { "select: no channel, default",           bad_select_nil_default,         -EAGAIN      },
    { "select: no clause, default",            bad_select_nothing_default,     -EAGAIN      },
    { "select: -1 clauses",                    bad_select_negative_count,      -EINVAL      },
    { "channel of -1 places",                  bad_capacity_negative,          -EINVAL      },
    { "channel of 2^24 + 1 places",            bad_capacity_huge,              -EINVAL      },
    { "stack of -1 bytes",                     bad_stack_negative,             -EINVAL      },
    { "init with a stack above 1 MiB",         bad_init_stack_huge,            -EINVAL      },
    { "join oneself",                          bad_join_self,                  -EDEADLK     },
    { "gather oneself",                        bad_gather_self,                -EDEADLK     },
    { "wait for oneself first",                bad_wait_first_self,            -EDEADLK     },
    { "wait for oneself, with a deadline",     bad_wait_for_self,              -EDEADLK     },
    { "join main",                             bad_join_main,                  -EINVAL      },
    { "detach main",                           bad_detach_main,                -EINVAL      },
    { "exit from main",                        bad_exit_main,                  -EPERM       },
    { "run by a tasklet",                      bad_run_by_tasklet,             -EPERM       },
    { "finish by a tasklet",                   bad_finish_by_tasklet,          -EPERM       },
    { "yield to oneself",                      bad_yield_to_self,              -EINVAL      },
    { "yield to one that is blocked",          bad_yield_to_blocked,           -EINVAL      },
    { "detach twice",                          bad_detach_twice,               -EINVAL      },
    { "unpark one that has ended",             bad_unpark_ended,               -EINVAL      },
    { "cancel one that has ended",             bad_cancel_ended,               0            },
    { "wait for descriptor -1",                bad_fd_negative,                -EBADF       },
    { "wait for descriptor INT_MAX",           bad_fd_huge,                    -EBADF       },
    { "wait for an unknown event",             bad_fd_events,                  -EINVAL      },
    { "wait for a plain file",                 bad_fd_plain,                   COOP_READABLE},
    { "timer with a negative period",          bad_period_negative,            -EINVAL      },
    { "next of the generator one is in",       bad_gen_next_inside,            -EBUSY       },
    { "free of the generator one is in",       bad_gen_free_inside,            -EBUSY       },
    { "close of the scope one is in",          bad_close_scope_inside,         -EDEADLK     },
    { "unlock of an unlocked mutex",           bad_unlock_unlocked,            -EPERM       },
    { "unlock of an unlocked rwlock",          bad_unlock_rwlock,              -EPERM       },
    { "post beyond the largest count",         bad_post_too_often,             -EOVERFLOW   },
    { "waitgroup below 0",                     bad_waitgroup_negative,         -EINVAL      },
    { "barrier for nobody",                    bad_barrier_of_none,            -EINVAL      },
};

/* Two tasklets and a channel still do what they do. */
static int sends(void *c)
{
    return coop_chan_send(c, 7, COOP_NEVER);
}

static void still_works(const char *after)
{
    coop_chan *c;
    intptr_t word = 0;
    coop_task *t;

    assert_int_equal(coop_chan_new(0, &c), 0);
    t = start(sends, c);
    if (coop_chan_recv(c, &word, coop_after(5000000)) != 0 || word != 7 || joined(t) != 0)
        fail_msg("after \"%s\" nothing works", after);
    assert_int_equal(coop_chan_free(c), 0);
}

static void each_misuse_is_refused_and_harms_nothing(void **state)
{
    struct coop_stats stats;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int rc = bad[i].act();

        if (rc != bad[i].gives)
            fail_msg("%s gives %d and not %d", bad[i].what, rc, bad[i].gives);
        still_works(bad[i].what);
        coop_get_stats(&stats);
        if (stats.alive != 0)
            fail_msg("%s leaves %zu tasklets behind", bad[i].what, stats.alive);
    }
}

static void one_that_may_not_wait_for_anothers_end_does_not_cancel_it(void **state)
{
    coop_task *t = start_blocked(parks, NULL);

    (void)state;
    coop_block_trap(true);
    assert_int_equal(coop_wait_for(t, NULL, 0), -EPERM);
    coop_block_trap(false);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static void a_switch_trap_does_not_wrap(void **state)
{
    (void)state;
    assert_int_equal(coop_switch_trap(INT_MAX), 0);
    assert_int_equal(coop_switch_trap(INT_MAX), INT_MAX);
    assert_int_equal(coop_yield(), -EPERM);
    assert_int_equal(coop_switch_trap(INT_MIN), INT_MAX);
    assert_int_equal(coop_yield(), 0);
}

/* ---- limits -------------------------------------------------------------------------------------------------------------------- */

static void limit_to(size_t n)
{
    const struct coop_options few = { .max_tasklets = n };

    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_init(&few), 0);
}

static int yields_one(coop_gen *g, void *arg)
{
    (void)arg;
    return coop_gen_yield(g, 1, NULL);
}

static void what_needs_a_tasklet_beyond_the_limit_can_be_tried_again(void **state)
{
    coop_task *full;
    coop_gen *g;
    coop_timer *timer;
    intptr_t word = 0;

    (void)state;
    limit_to(1);
    full = start_blocked(parks, NULL);
    assert_int_equal(coop_gen_new(yields_one, NULL, &g), 0);
    assert_int_equal(coop_timer_new(nothing, NULL, &timer), 0);
    assert_int_equal(coop_gen_next(g, &word), -EAGAIN);
    assert_int_equal(coop_timer_set(timer, coop_after(1000), 0), -EAGAIN);
    assert_int_equal(coop_timer_stop(timer), 0);
    assert_int_equal(coop_unpark(full, 0), 0);
    assert_int_equal(joined(full), 0);
    assert_int_equal(coop_timer_set(timer, coop_after(1000), 0), 0);
    assert_int_equal(coop_run(coop_after(5000000)), 0);
    assert_int_equal(coop_gen_next(g, &word), 0);
    assert_int_equal(word, 1);
    assert_int_equal(coop_timer_free(timer), 0);
    assert_int_equal(coop_gen_free(g), 0);
}

static void a_scope_with_a_deadline_keeps_to_the_limit(void **state)
{
    struct coop_attr attr = { .name = "child" };
    struct coop_stats stats;

    (void)state;
    limit_to(2);
    assert_int_equal(coop_spawn(NULL, parks, NULL, NULL), 0);
    assert_int_equal(coop_scope_new(&attr.scope, coop_after(60000000)), 0);
    assert_int_equal(coop_spawn(NULL, parks, NULL, &attr), -EAGAIN); /* the scope's clock would be the second, this the third */
    coop_get_stats(&stats);
    assert_in_range(stats.alive, 1, 2);
    assert_int_equal(coop_yield(), 0);
    coop_get_stats(&stats);
    assert_int_equal(stats.alive, 1); /* nothing is left of it */
    assert_int_equal(coop_scope_close(attr.scope), 0);
}

#if !defined(COOP_ASAN) && !defined(COOP_TSAN) && !defined(COOP_EMULATED) /* these need far more address space than the limit leaves */
static int yields_once(void *arg)
{
    (void)arg;
    return coop_yield();
}

/* In a process of its own, whose address space is nearly used up: 0, or the line at which something was wrong. */
static int without_memory(void)
{
    const struct coop_attr large = { .stack_size = 1 << 20 };
    const struct rlimit little = { 256 << 20, 256 << 20 };
    int n = 0, rc;

    if (coop_finish() != 0 || setrlimit(RLIMIT_AS, &little) != 0 || coop_init(NULL) != 0)
        return __LINE__;
    while ((rc = coop_spawn(NULL, yields_once, NULL, &large)) == 0)
        n++;
    if (rc != -ENOMEM)
        return __LINE__;
    if (n < 16 || coop_run(COOP_NEVER) != 0) /* those that there are run all the same */
        return __LINE__;
    if (coop_spawn(NULL, yields_once, NULL, &large) != 0 || coop_run(COOP_NEVER) != 0) /* on a stack that was given back */
        return __LINE__;
    return coop_finish() == 0 ? 0 : __LINE__;
}

static void without_memory_for_a_stack_the_others_go_on(void **state)
{
    int status = -1;
    pid_t pid;

    (void)state;
    pid = fork();
    if (pid == 0)
        _exit(without_memory() % 256);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}
#define HAVE_MEMORY_TEST 1
#else
#define HAVE_MEMORY_TEST 0
#endif

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_misuse_is_refused_and_harms_nothing),
        T(one_that_may_not_wait_for_anothers_end_does_not_cancel_it),
        T(a_switch_trap_does_not_wrap),
        T(what_needs_a_tasklet_beyond_the_limit_can_be_tried_again),
        T(a_scope_with_a_deadline_keeps_to_the_limit),
#if HAVE_MEMORY_TEST
        T(without_memory_for_a_stack_the_others_go_on),
#endif
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
