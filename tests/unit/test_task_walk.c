/*
 * test_task_walk.c - every call that can block, in every way in which it may be told not to: a row a call, a test a way.
 *
 * The header is in this program as text: a call with a deadline that has no row fails the first test.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"

__asm__(".pushsection .rodata\n"
        "header_text: .incbin \"include/coop/task.h\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char header_text[] __asm__("header_text") __attribute__((visibility("hidden")));

/* ---- what the calls wait for --------------------------------------------------------------------------------------------------- */

/* Made anew for each attempt, in a thread state of its own. None of it is ever going to happen. */
static struct {
    coop_task *holder[2];
    coop_chan *chan[2];
    coop_scope *scope;
    coop_mutex *mutex;
    coop_rwlock *rwlock;
    coop_sem *sem;
    coop_event *event;
    coop_cond *cond;
    coop_barrier *barrier;
    coop_waitgroup *waitgroup;
    coop_once once;
    coop_gen *gen;
    int pipe[2];
} the;

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

static int holds_mutex(void *arg)
{
    int rc = coop_mutex_lock(the.mutex, 0);

    (void)parks(arg);
    return rc != 0 ? rc : coop_mutex_unlock(the.mutex);
}

static int holds_rwlock(void *arg)
{
    int rc = coop_rwlock_write(the.rwlock, 0);

    (void)parks(arg);
    return rc != 0 ? rc : coop_rwlock_unlock(the.rwlock);
}

static int holds_once(void *arg)
{
    (void)coop_once_run(&the.once, parks, arg, COOP_NEVER);
    return 0;
}

static void hold(coop_fn fn)
{
    the.holder[0] = start_blocked(fn, NULL);
}

static void release(coop_task *t)
{
    if (t == NULL)
        return;
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_join(t, NULL, coop_after(5000000)), 0);
}

static void hold_two(void)
{
    the.holder[0] = start_blocked(parks, NULL);
    the.holder[1] = start_blocked(parks, NULL);
}

static void hold_one(void)
{
    hold(parks);
}

static void release_all(void)
{
    release(the.holder[0]);
    release(the.holder[1]);
}

/* ---- tasklets and descriptors -------------------------------------------------------------------------------------------------- */

static int call_run(int64_t deadline)
{
    return coop_run(deadline);
}

static int call_join(int64_t deadline)
{
    return coop_join(the.holder[0], NULL, deadline);
}

static int call_gather(int64_t deadline)
{
    return coop_gather(the.holder, 2, NULL, deadline);
}

static int call_wait_first(int64_t deadline)
{
    return coop_wait_first(the.holder, 2, deadline);
}

static int call_wait_for(int64_t deadline)
{
    int rc = coop_wait_for(the.holder[0], NULL, deadline);

    if (rc == -ETIMEDOUT)
        the.holder[0] = NULL; /* ended, and freed */
    return rc;
}

static int call_park(int64_t deadline)
{
    return coop_park(NULL, deadline);
}

static int call_sleep(int64_t deadline)
{
    return coop_sleep_until(deadline);
}

static int call_yield(int64_t deadline)
{
    (void)deadline;
    return coop_yield();
}

static int call_yield_to(int64_t deadline)
{
    static coop_task *t; /* in the run queue */
    int rc;

    (void)deadline;
    rc = coop_spawn(&t, parks, NULL, NULL);
    if (rc == 0) {
        (void)coop_detach(t);
        rc = coop_yield_to(t);
    }
    return rc;
}

static void make_pipe(void)
{
    assert_int_equal(pipe(the.pipe), 0);
}

static void close_pipe(void)
{
    close(the.pipe[0]);
    close(the.pipe[1]);
}

static int call_fd_wait(int64_t deadline)
{
    return coop_fd_wait(the.pipe[0], COOP_READABLE, deadline);
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

static void make_chans(void)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(coop_chan_new(0, &the.chan[i]), 0);
}

static void free_chans(void)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(coop_chan_balance(the.chan[i]), 0);
        assert_int_equal(coop_chan_free(the.chan[i]), 0);
    }
}

static int call_send(int64_t deadline)
{
    return coop_chan_send(the.chan[0], 1, deadline);
}

static int call_send_error(int64_t deadline)
{
    return coop_chan_send_error(the.chan[0], -EIO, deadline);
}

static int call_recv(int64_t deadline)
{
    intptr_t word;

    return coop_chan_recv(the.chan[0], &word, deadline);
}

static int call_select(int64_t deadline)
{
    struct coop_clause k[] = {
        {.op = COOP_RECV,  .chan = the.chan[0]},
        { .op = COOP_SEND, .chan = the.chan[1]},
    };

    return coop_select(k, 2, COOP_FAIR, deadline);
}

/* ---- generators: one that has yielded once, and then waits for what never comes -------------------------------------------------- */

static int yields_then_parks(coop_gen *g, void *arg)
{
    (void)coop_gen_yield(g, 1, NULL);
    return parks(arg);
}

static void make_gen(void)
{
    intptr_t word;

    assert_int_equal(coop_gen_new(yields_then_parks, NULL, &the.gen), 0);
    assert_int_equal(coop_gen_next(the.gen, &word), 0);
}

static void free_gen(void)
{
    assert_int_equal(coop_gen_free(the.gen), 0);
}

static int call_gen_next(int64_t deadline)
{
    intptr_t word;

    (void)deadline;
    return coop_gen_next(the.gen, &word);
}

static int call_gen_send(int64_t deadline)
{
    intptr_t word;

    (void)deadline;
    return coop_gen_send(the.gen, 2, &word);
}

static int call_gen_throw(int64_t deadline)
{
    intptr_t word;

    (void)deadline;
    return coop_gen_throw(the.gen, -EIO, &word);
}

/* ---- scopes -------------------------------------------------------------------------------------------------------------------- */

static int opens_scope(void *arg)
{
    const struct coop_attr attr = { .scope = the.scope };

    (void)arg;
    return coop_spawn(NULL, parks, NULL, &attr);
}

static void make_scope(void)
{
    assert_int_equal(coop_scope_new(&the.scope, COOP_NEVER), 0);
    assert_int_equal(joined(start(opens_scope, NULL)), 0);
}

static void close_scope(void)
{
    assert_int_equal(coop_scope_close(the.scope), 0);
}

static int call_scope_join(int64_t deadline)
{
    return coop_scope_join(the.scope, deadline);
}

/* ---- locks and the like -------------------------------------------------------------------------------------------------------- */

static void make_mutex(void)
{
    assert_int_equal(coop_mutex_new(&the.mutex), 0);
    hold(holds_mutex);
}

static void free_mutex(void)
{
    release_all();
    assert_int_equal(coop_mutex_lock(the.mutex, 0), 0); /* nobody was given it behind our back */
    assert_int_equal(coop_mutex_unlock(the.mutex), 0);
    assert_int_equal(coop_mutex_free(the.mutex), 0);
}

static int call_mutex(int64_t deadline)
{
    return coop_mutex_lock(the.mutex, deadline);
}

static void make_rwlock(void)
{
    assert_int_equal(coop_rwlock_new(&the.rwlock), 0);
    hold(holds_rwlock);
}

static void free_rwlock(void)
{
    release_all();
    assert_int_equal(coop_rwlock_write(the.rwlock, 0), 0);
    assert_int_equal(coop_rwlock_unlock(the.rwlock), 0);
    assert_int_equal(coop_rwlock_free(the.rwlock), 0);
}

static int call_read(int64_t deadline)
{
    return coop_rwlock_read(the.rwlock, deadline);
}

static int call_write(int64_t deadline)
{
    return coop_rwlock_write(the.rwlock, deadline);
}

static void make_sem(void)
{
    assert_int_equal(coop_sem_new(0, &the.sem), 0);
}

static void free_sem(void)
{
    assert_int_equal(coop_sem_post(the.sem), 0);
    assert_int_equal(coop_sem_value(the.sem), 1); /* nobody waits any more */
    assert_int_equal(coop_sem_free(the.sem), 0);
}

static int call_sem(int64_t deadline)
{
    return coop_sem_wait(the.sem, deadline);
}

static void make_event(void)
{
    assert_int_equal(coop_event_new(&the.event), 0);
}

static void free_event(void)
{
    assert_int_equal(coop_event_free(the.event), 0);
}

static int call_event(int64_t deadline)
{
    return coop_event_wait(the.event, deadline);
}

static void make_cond(void)
{
    assert_int_equal(coop_cond_new(&the.cond), 0);
    assert_int_equal(coop_mutex_new(&the.mutex), 0);
}

static void free_cond(void)
{
    assert_int_equal(coop_cond_free(the.cond), 0);
    free_mutex();
}

/* Whatever it returned, the caller has the mutex again. A cancelled one cannot lock: shielded, it can. */
static int call_cond(int64_t deadline)
{
    int rc, unlocked;

    coop_shield(true);
    rc = coop_mutex_lock(the.mutex, 0);
    coop_shield(false);
    if (rc == 0)
        rc = coop_cond_wait(the.cond, the.mutex, deadline);
    unlocked = coop_mutex_unlock(the.mutex);
    return unlocked != 0 ? unlocked : rc;
}

static void make_barrier(void)
{
    assert_int_equal(coop_barrier_new(2, &the.barrier), 0);
}

static void free_barrier(void)
{
    assert_int_equal(coop_barrier_free(the.barrier), 0);
}

static int call_barrier(int64_t deadline)
{
    return coop_barrier_wait(the.barrier, deadline);
}

static void make_waitgroup(void)
{
    assert_int_equal(coop_waitgroup_new(&the.waitgroup), 0);
    assert_int_equal(coop_waitgroup_add(the.waitgroup, 1), 0);
}

static void free_waitgroup(void)
{
    assert_int_equal(coop_waitgroup_free(the.waitgroup), 0);
}

static int call_waitgroup(int64_t deadline)
{
    return coop_waitgroup_wait(the.waitgroup, deadline);
}

static void make_once(void)
{
    hold(holds_once);
}

static int call_once(int64_t deadline)
{
    return coop_once_run(&the.once, parks, NULL, deadline);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

enum {
    MAIN_ONLY = 1,
    NO_DEADLINE = 2,
    NEVER_BLOCKS = 4, /* lets others run, which a block trap allows */
    SWITCHES = 8,     /* also when its deadline is past */
    OUTSIDE = 16,     /* something outside could end the wait: no deadlock */
};

static const struct call {
    const char *name;
    int (*call)(int64_t deadline);
    void (*set_up)(void), (*tear_down)(void);
    int at_deadline; /* what it returns */
    unsigned flags;
} calls[] = {
    {"coop_run",              call_run,        hold_one,       release_all,    -ETIMEDOUT, MAIN_ONLY                 },
    { "coop_join",            call_join,       hold_one,       release_all,    -ETIMEDOUT, 0                         },
    { "coop_gather",          call_gather,     hold_two,       release_all,    -ETIMEDOUT, 0                         },
    { "coop_wait_first",      call_wait_first, hold_two,       release_all,    -ETIMEDOUT, 0                         },
    { "coop_wait_for",        call_wait_for,   hold_one,       release_all,    -ETIMEDOUT, SWITCHES                  },
    { "coop_park",            call_park,       NULL,           NULL,           -ETIMEDOUT, 0                         },
    { "coop_sleep_until",     call_sleep,      NULL,           NULL,           0,          SWITCHES                  },
    { "coop_yield",           call_yield,      NULL,           NULL,           0,          NO_DEADLINE | NEVER_BLOCKS},
    { "coop_yield_to",        call_yield_to,   NULL,           NULL,           0,          NO_DEADLINE | NEVER_BLOCKS},
    { "coop_fd_wait",         call_fd_wait,    make_pipe,      close_pipe,     -ETIMEDOUT, OUTSIDE                   },
    { "coop_chan_send",       call_send,       make_chans,     free_chans,     -ETIMEDOUT, 0                         },
    { "coop_chan_send_error", call_send_error, make_chans,     free_chans,     -ETIMEDOUT, 0                         },
    { "coop_chan_recv",       call_recv,       make_chans,     free_chans,     -ETIMEDOUT, 0                         },
    { "coop_select",          call_select,     make_chans,     free_chans,     -ETIMEDOUT, 0                         },
    { "coop_gen_next",        call_gen_next,   make_gen,       free_gen,       0,          NO_DEADLINE               },
    { "coop_gen_send",        call_gen_send,   make_gen,       free_gen,       0,          NO_DEADLINE               },
    { "coop_gen_throw",       call_gen_throw,  make_gen,       free_gen,       0,          NO_DEADLINE               },
    { "coop_scope_join",      call_scope_join, make_scope,     close_scope,    -ETIMEDOUT, 0                         },
    { "coop_mutex_lock",      call_mutex,      make_mutex,     free_mutex,     -ETIMEDOUT, 0                         },
    { "coop_rwlock_read",     call_read,       make_rwlock,    free_rwlock,    -ETIMEDOUT, 0                         },
    { "coop_rwlock_write",    call_write,      make_rwlock,    free_rwlock,    -ETIMEDOUT, 0                         },
    { "coop_sem_wait",        call_sem,        make_sem,       free_sem,       -ETIMEDOUT, 0                         },
    { "coop_event_wait",      call_event,      make_event,     free_event,     -ETIMEDOUT, 0                         },
    { "coop_cond_wait",       call_cond,       make_cond,      free_cond,      -ETIMEDOUT, 0                         },
    { "coop_barrier_wait",    call_barrier,    make_barrier,   free_barrier,   -ETIMEDOUT, 0                         },
    { "coop_waitgroup_wait",  call_waitgroup,  make_waitgroup, free_waitgroup, -ETIMEDOUT, 0                         },
    { "coop_once_run",        call_once,       make_once,      release_all,    -ETIMEDOUT, 0                         },
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* These have a deadline and do not wait for it. */
static const char *const only_told[] = { "coop_timer_set", "coop_scope_new" };

static const char *name_in(const char *text, size_t len)
{
    for (size_t i = 0; i < CALLS; i++)
        if (strlen(calls[i].name) == len && memcmp(calls[i].name, text, len) == 0)
            return calls[i].name;
    for (size_t i = 0; i < sizeof(only_told) / sizeof(only_told[0]); i++)
        if (strlen(only_told[i]) == len && memcmp(only_told[i], text, len) == 0)
            return only_told[i];
    return NULL;
}

static void every_call_with_a_deadline_has_a_row(void **state)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
    unsigned found = 0;

    (void)state;
    for (const char *p = strstr(header_text, "coop_"); p != NULL; p = strstr(p, "coop_")) {
        size_t len = strspn(p, letters), params = p[len] == '(' ? strcspn(p + len, ")") : 0;
        const char *deadline = memmem(p + len, params, "int64_t deadline", 16);

        if (deadline != NULL && name_in(p, len) == NULL)
            fail_msg("%.*s() has a deadline and no row here", (int)len, p);
        found += deadline != NULL;
        p += len;
    }
    assert_true(found >= 22); /* it did read the header */
}

/* ---- attempts ------------------------------------------------------------------------------------------------------------------ */

enum way { CANCELLED_BEFORE = 1, CANCELLED_WITHIN = 2, SHIELDED = 4, BLOCK_TRAP = 8, SWITCH_TRAP = 16 };

struct attempt {
    const struct call *call;
    unsigned ways;
    int64_t deadline;
    int64_t after_us; /* above 0: the deadline is so far ahead when the call begins */
    coop_task *subject;
    /* what came of it */
    int rc, again;
    bool switched, was_blocked;
    int64_t ended;
};

static uint64_t switches(void)
{
    struct coop_stats stats;

    coop_get_stats(&stats);
    return stats.switches;
}

static int subject(void *arg)
{
    struct attempt *a = arg;
    uint64_t before;

    a->subject = coop_self();
    if ((a->ways & CANCELLED_BEFORE) != 0)
        (void)coop_cancel(a->subject);
    coop_shield((a->ways & SHIELDED) != 0);
    coop_block_trap((a->ways & BLOCK_TRAP) != 0);
    (void)coop_switch_trap((a->ways & SWITCH_TRAP) != 0);
    if (a->after_us > 0)
        a->deadline = coop_after(a->after_us);
    before = switches();
    a->rc = a->call->call(a->deadline);
    a->switched = switches() != before;
    a->ended = coop_now();
    if ((a->ways & (CANCELLED_BEFORE | CANCELLED_WITHIN)) != 0) /* a level, not an edge */
        a->again = a->call->call(a->deadline);
    (void)coop_switch_trap(-1);
    coop_block_trap(false);
    coop_shield(false);
    return 0;
}

/* Runs once the subject waits. */
static int cancels(void *arg)
{
    struct attempt *a = arg;

    a->was_blocked = coop_blocked(a->subject);
    return coop_cancel(a->subject);
}

static void go(struct attempt *a, bool in_main)
{
    coop_task *t = NULL, *canceller = NULL;

    memset(&the, 0, sizeof(the));
    assert_int_equal(coop_init(NULL), 0);
    if (a->call->set_up != NULL)
        a->call->set_up();
    if (!in_main)
        t = start(subject, a);
    if ((a->ways & CANCELLED_WITHIN) != 0)
        canceller = start(cancels, a);
    if (in_main)
        (void)subject(a);
    coop_shield(true); /* main may be cancelled, and still has to tidy up */
    if (t != NULL)
        assert_int_equal(joined(t), 0);
    if (canceller != NULL)
        assert_int_equal(joined(canceller), 0);
    if (a->call->tear_down != NULL)
        a->call->tear_down();
    coop_shield(false);
    assert_int_equal(coop_finish(), 0);
}

static void expect(const struct attempt *a, bool in_main, const char *what, intmax_t got, intmax_t wanted)
{
    if (got != wanted)
        fail_msg("%s, %s: %s is %jd and not %jd", a->call->name, in_main ? "in main" : "in a tasklet", what, got, wanted);
}

typedef void (*check_fn)(const struct attempt *a, bool in_main);

/* Every row that has none of these flags, in a tasklet and in main. */
static void walk(struct attempt pattern, unsigned without, check_fn check)
{
    for (size_t i = 0; i < CALLS; i++)
        for (int in_main = (calls[i].flags & MAIN_ONLY) != 0; in_main <= 1; in_main++) {
            struct attempt a = pattern;

            if ((calls[i].flags & without) != 0)
                continue;
            a.call = &calls[i];
            go(&a, in_main);
            check(&a, in_main);
        }
}

/* ---- the ways ------------------------------------------------------------------------------------------------------------------ */

static void is_cancelled(const struct attempt *a, bool in_main)
{
    expect(a, in_main, "the result", a->rc, -ECANCELED);
    expect(a, in_main, "the result of the next call", a->again, -ECANCELED);
    if ((a->ways & CANCELLED_WITHIN) != 0)
        expect(a, in_main, "blocked", a->was_blocked, true);
    else
        expect(a, in_main, "switched", a->switched, false);
}

static void a_cancelled_caller_is_told_at_once_and_each_time(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = CANCELLED_BEFORE, .deadline = COOP_NEVER }, 0, is_cancelled);
}

static void a_cancel_comes_before_a_deadline_that_is_past(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = CANCELLED_BEFORE, .deadline = 0 }, NO_DEADLINE, is_cancelled);
}

static void a_cancel_ends_every_wait(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = CANCELLED_WITHIN, .deadline = COOP_NEVER }, NEVER_BLOCKS, is_cancelled);
    walk((struct attempt){ .ways = CANCELLED_WITHIN, .after_us = 60000000 }, NEVER_BLOCKS | NO_DEADLINE, is_cancelled);
}

static void is_timed_out(const struct attempt *a, bool in_main)
{
    expect(a, in_main, "the result", a->rc, a->call->at_deadline);
    if (a->after_us > 0)
        expect(a, in_main, "its end before the deadline", a->ended < a->deadline, false);
    else if ((a->call->flags & SWITCHES) == 0)
        expect(a, in_main, "switched", a->switched, false);
}

static void a_deadline_that_is_past_is_a_try(void **state)
{
    (void)state;
    walk((struct attempt){ .deadline = 0 }, NO_DEADLINE, is_timed_out);
    walk((struct attempt){ .deadline = INT64_MIN }, NO_DEADLINE, is_timed_out);
    walk((struct attempt){ .deadline = coop_now() - 1000000 }, NO_DEADLINE, is_timed_out);
}

static void a_deadline_ends_every_wait_and_not_too_early(void **state)
{
    (void)state;
    walk((struct attempt){ .after_us = 2000 }, NO_DEADLINE, is_timed_out);
}

static void a_shielded_caller_waits_for_its_deadline_though_cancelled(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = CANCELLED_WITHIN | SHIELDED, .after_us = 2000 }, NO_DEADLINE | NEVER_BLOCKS, is_timed_out);
}

static void is_trapped(const struct attempt *a, bool in_main)
{
    bool may = (a->call->flags & NEVER_BLOCKS) != 0 && (a->ways & BLOCK_TRAP) != 0;

    expect(a, in_main, "the result", a->rc, may ? 0 : -EPERM);
    if (!may)
        expect(a, in_main, "switched", a->switched, false);
}

static void a_block_trap_refuses_every_wait(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = BLOCK_TRAP, .deadline = COOP_NEVER }, 0, is_trapped);
    walk((struct attempt){ .ways = BLOCK_TRAP, .after_us = 60000000 }, NO_DEADLINE, is_trapped);
}

static void a_switch_trap_refuses_every_switch(void **state)
{
    (void)state;
    walk((struct attempt){ .ways = SWITCH_TRAP, .deadline = COOP_NEVER }, 0, is_trapped);
}

static void main_is_told_of_a_deadlock_wherever_it_waits(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        struct attempt a = { .call = &calls[i], .deadline = COOP_NEVER };

        if ((calls[i].flags & (NEVER_BLOCKS | OUTSIDE)) != 0)
            continue;
        go(&a, true);
        expect(&a, true, "the result", a.rc, -EDEADLK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_with_a_deadline_has_a_row),
        cmocka_unit_test(a_cancelled_caller_is_told_at_once_and_each_time),
        cmocka_unit_test(a_cancel_comes_before_a_deadline_that_is_past),
        cmocka_unit_test(a_cancel_ends_every_wait),
        cmocka_unit_test(a_deadline_that_is_past_is_a_try),
        cmocka_unit_test(a_deadline_ends_every_wait_and_not_too_early),
        cmocka_unit_test(a_shielded_caller_waits_for_its_deadline_though_cancelled),
        cmocka_unit_test(a_block_trap_refuses_every_wait),
        cmocka_unit_test(a_switch_trap_refuses_every_switch),
        cmocka_unit_test(main_is_told_of_a_deadlock_wherever_it_waits),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
