/* test_task_locks.c - mutex, rwlock, sem, event, cond, barrier, waitgroup, once: who waits, who is let go, in which order. */
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

enum { SHORT_US = 3000, WAITERS = 3 };

/* ---- what all of them promise: one row each ------------------------------------------------------------------------------------- */

struct guarded { /* a cond and its mutex */
    coop_cond *cond;
    coop_mutex *mutex;
};

static void *make_mutex(unsigned waiters)
{
    coop_mutex *m;

    (void)waiters;
    assert_int_equal(coop_mutex_new(&m), 0);
    assert_int_equal(coop_mutex_lock(m, 0), 0);
    return m;
}

static int wait_mutex(void *o, int64_t deadline)
{
    return coop_mutex_lock(o, deadline);
}

static void unlock_mutex(void *o)
{
    assert_int_equal(coop_mutex_unlock(o), 0);
}

static int free_mutex(void *o)
{
    return coop_mutex_free(o);
}

static void *make_rwlock(unsigned waiters)
{
    coop_rwlock *l;

    (void)waiters;
    assert_int_equal(coop_rwlock_new(&l), 0);
    assert_int_equal(coop_rwlock_write(l, 0), 0);
    return l;
}

static int wait_read(void *o, int64_t deadline)
{
    return coop_rwlock_read(o, deadline);
}

static int wait_write(void *o, int64_t deadline)
{
    return coop_rwlock_write(o, deadline);
}

static void unlock_rwlock(void *o)
{
    assert_int_equal(coop_rwlock_unlock(o), 0);
}

static int free_rwlock(void *o)
{
    return coop_rwlock_free(o);
}

static void *make_sem(unsigned waiters)
{
    coop_sem *s;

    (void)waiters;
    assert_int_equal(coop_sem_new(0, &s), 0);
    return s;
}

static int wait_sem(void *o, int64_t deadline)
{
    return coop_sem_wait(o, deadline);
}

static void post_sem(void *o)
{
    assert_int_equal(coop_sem_post(o), 0);
}

static int free_sem(void *o)
{
    return coop_sem_free(o);
}

static void *make_event(unsigned waiters)
{
    coop_event *e;

    (void)waiters;
    assert_int_equal(coop_event_new(&e), 0);
    return e;
}

static int wait_event(void *o, int64_t deadline)
{
    return coop_event_wait(o, deadline);
}

static void set_event(void *o)
{
    assert_int_equal(coop_event_set(o), 0);
}

static int free_event(void *o)
{
    return coop_event_free(o);
}

static void *make_cond(unsigned waiters)
{
    struct guarded *g = calloc(1, sizeof(*g));

    (void)waiters;
    assert_int_equal(coop_cond_new(&g->cond), 0);
    assert_int_equal(coop_mutex_new(&g->mutex), 0);
    return g;
}

static int wait_cond(void *o, int64_t deadline)
{
    struct guarded *g = o;
    int rc;

    coop_shield(true);
    assert_int_equal(coop_mutex_lock(g->mutex, COOP_NEVER), 0);
    coop_shield(false);
    rc = coop_cond_wait(g->cond, g->mutex, deadline);
    assert_int_equal(coop_mutex_unlock(g->mutex), 0); /* held again, whatever rc is */
    assert_int_equal(coop_cancelled(), rc == -ECANCELED ? -ECANCELED : 0);
    return rc;
}

static void signal_cond(void *o)
{
    assert_int_equal(coop_cond_signal(((struct guarded *)o)->cond), 0);
}

static int free_cond(void *o)
{
    struct guarded *g = o;
    int rc = coop_cond_free(g->cond);

    if (rc == 0) {
        assert_int_equal(coop_mutex_free(g->mutex), 0);
        free(g);
    }
    return rc;
}

static void *make_barrier(unsigned waiters)
{
    coop_barrier *b;

    assert_int_equal(coop_barrier_new(waiters + 1, &b), 0);
    return b;
}

static int wait_barrier(void *o, int64_t deadline)
{
    return coop_barrier_wait(o, deadline);
}

static void come_last(void *o)
{
    assert_int_equal(coop_barrier_wait(o, 0), 1);
}

static int free_barrier(void *o)
{
    return coop_barrier_free(o);
}

static void *make_waitgroup(unsigned waiters)
{
    coop_waitgroup *w;

    (void)waiters;
    assert_int_equal(coop_waitgroup_new(&w), 0);
    assert_int_equal(coop_waitgroup_add(w, 1), 0);
    return w;
}

static int wait_waitgroup(void *o, int64_t deadline)
{
    return coop_waitgroup_wait(o, deadline);
}

static void done_waitgroup(void *o)
{
    assert_int_equal(coop_waitgroup_done(o), 0);
}

static int free_waitgroup(void *o)
{
    return coop_waitgroup_free(o);
}

struct row {
    const char *name;
    void *(*make)(unsigned waiters); /* in a state that makes others wait */
    int (*wait)(void *o, int64_t deadline);
    void (*release)(void *o); /* by main: lets the first waiter go, or all */
    void (*after)(void *o);   /* by a waiter that got it: lets the next one go; NULL: no need */
    int (*free)(void *o);
};

/* clang-format off */
static const struct row rows[] = {
    { "mutex",     make_mutex,     wait_mutex,     unlock_mutex,   unlock_mutex,  free_mutex },
    { "read",      make_rwlock,    wait_read,      unlock_rwlock,  unlock_rwlock, free_rwlock },
    { "write",     make_rwlock,    wait_write,     unlock_rwlock,  unlock_rwlock, free_rwlock },
    { "sem",       make_sem,       wait_sem,       post_sem,       post_sem,      free_sem },
    { "event",     make_event,     wait_event,     set_event,      NULL,          free_event },
    { "cond",      make_cond,      wait_cond,      signal_cond,    signal_cond,   free_cond },
    { "barrier",   make_barrier,   wait_barrier,   come_last,      NULL,          free_barrier },
    { "waitgroup", make_waitgroup, wait_waitgroup, done_waitgroup, NULL,          free_waitgroup },
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

struct waiter {
    const struct row *row;
    void *object;
    int64_t deadline;
    char name;
};

static int wait_and_note(void *arg)
{
    const struct waiter *w = arg;
    int rc = w->row->wait(w->object, w->deadline);

    if (rc == 0) {
        note(w->name);
        if (w->row->after != NULL)
            w->row->after(w->object);
    }
    return rc;
}

static void waiters_are_let_go_in_the_order_they_came(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w[WAITERS];
        coop_task *t[WAITERS];
        void *o = r->make(WAITERS);

        trace[0] = '\0';
        for (int i = 0; i < WAITERS; i++) {
            w[i] = (struct waiter){ r, o, COOP_NEVER, (char)('a' + i) };
            t[i] = start_blocked(wait_and_note, &w[i]);
        }
        r->release(o);
        for (int i = WAITERS - 1; i >= 0; i--)
            assert_int_equal(joined(t[i]), 0);
        assert_string_equal(trace, "abc");
        assert_int_equal(r->free(o), 0);
    }
}

static void a_deadline_of_0_tries_and_does_not_block(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w = { r, r->make(1), 0, 'a' };
        coop_task *t = start(wait_and_note, &w);

        assert_int_equal(coop_yield(), 0);
        assert_false(coop_alive(t));
        assert_int_equal(joined(t), -ETIMEDOUT);
        assert_int_equal(r->free(w.object), 0);
    }
}

static void a_deadline_ends_the_wait_and_not_too_early(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        int64_t due = coop_after(SHORT_US);
        struct waiter w = { r, r->make(1), due, 'a' };
        coop_task *t = start_blocked(wait_and_note, &w);

        assert_int_equal(joined(t), -ETIMEDOUT);
        assert_true(coop_now() >= due);
        assert_int_equal(r->free(w.object), 0);
    }
}

static void cancelling_ends_the_wait_and_nobody_waits_afterwards(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w = { r, r->make(1), COOP_NEVER, 'a' };
        coop_task *t = start_blocked(wait_and_note, &w);

        assert_int_equal(coop_cancel(t), 0);
        assert_int_equal(joined(t), -ECANCELED);
        assert_int_equal(r->free(w.object), 0);
    }
}

static void a_cancelled_caller_fails_also_where_it_need_not_wait(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w = { r, r->make(0), COOP_NEVER, 'a' }; /* 0: a barrier of one is there at once */
        coop_task *t;

        if (r->release != come_last)
            r->release(w.object);
        t = start(wait_and_note, &w);
        assert_int_equal(coop_cancel(t), 0);
        assert_int_equal(joined(t), -ECANCELED);
        assert_int_equal(r->free(w.object), 0);
    }
}

static void what_somebody_waits_on_is_not_freed(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w = { r, r->make(1), COOP_NEVER, 'a' };
        coop_task *t = start_blocked(wait_and_note, &w);

        assert_int_equal(r->free(w.object), -EBUSY);
        r->release(w.object);
        assert_int_equal(joined(t), 0);
        assert_int_equal(r->free(w.object), 0);
    }
}

static int wait_trapped(void *arg)
{
    const struct waiter *w = arg;
    int rc;

    coop_block_trap(true);
    rc = w->row->wait(w->object, w->deadline);
    coop_block_trap(false);
    return rc;
}

static void nobody_blocks_while_trapped(void **state)
{
    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++) {
        struct waiter w = { r, r->make(1), COOP_NEVER, 'a' };

        assert_int_equal(joined(start(wait_trapped, &w)), -EPERM);
        assert_int_equal(r->free(w.object), 0);
    }
}

static void a_null_object_is_refused(void **state)
{
    struct guarded none = { 0 };

    (void)state;
    for (const struct row *r = rows; r < rows + ROWS; r++)
        if (r->wait != wait_cond)
            assert_int_equal(r->wait(NULL, 0), -EINVAL);
    assert_int_equal(coop_mutex_new(&none.mutex), 0);
    assert_int_equal(coop_cond_wait(NULL, none.mutex, 0), -EINVAL);
    assert_int_equal(coop_mutex_free(none.mutex), 0);
    assert_int_equal(coop_cond_new(&none.cond), 0);
    assert_int_equal(coop_cond_wait(none.cond, NULL, 0), -EINVAL);
    assert_int_equal(coop_cond_free(none.cond), 0);
    assert_int_equal(coop_mutex_new(NULL), -EINVAL);
    assert_int_equal(coop_rwlock_new(NULL), -EINVAL);
    assert_int_equal(coop_sem_new(0, NULL), -EINVAL);
    assert_int_equal(coop_event_new(NULL), -EINVAL);
    assert_int_equal(coop_cond_new(NULL), -EINVAL);
    assert_int_equal(coop_barrier_new(1, NULL), -EINVAL);
    assert_int_equal(coop_waitgroup_new(NULL), -EINVAL);
    assert_int_equal(coop_mutex_unlock(NULL), -EINVAL);
    assert_int_equal(coop_rwlock_unlock(NULL), -EINVAL);
    assert_int_equal(coop_sem_post(NULL), -EINVAL);
    assert_int_equal(coop_sem_value(NULL), 0);
    assert_int_equal(coop_event_set(NULL), -EINVAL);
    assert_int_equal(coop_event_clear(NULL), -EINVAL);
    assert_false(coop_event_is_set(NULL));
    assert_int_equal(coop_cond_signal(NULL), -EINVAL);
    assert_int_equal(coop_cond_broadcast(NULL), -EINVAL);
    assert_int_equal(coop_waitgroup_add(NULL, 1), -EINVAL);
    assert_int_equal(coop_waitgroup_done(NULL), -EINVAL);
}

static void freeing_null_does_nothing(void **state)
{
    (void)state;
    assert_int_equal(coop_mutex_free(NULL), 0);
    assert_int_equal(coop_rwlock_free(NULL), 0);
    assert_int_equal(coop_sem_free(NULL), 0);
    assert_int_equal(coop_event_free(NULL), 0);
    assert_int_equal(coop_cond_free(NULL), 0);
    assert_int_equal(coop_barrier_free(NULL), 0);
    assert_int_equal(coop_waitgroup_free(NULL), 0);
}

/* ---- mutex --------------------------------------------------------------------------------------------------------------------- */

static int unlock_of_another(void *m)
{
    return coop_mutex_unlock(m);
}

static void a_mutex_is_unlocked_by_its_holder_only(void **state)
{
    coop_mutex *m = make_mutex(1);

    (void)state;
    assert_int_equal(coop_mutex_lock(m, 0), -EDEADLK);
    assert_int_equal(joined(start(unlock_of_another, m)), -EPERM);
    assert_int_equal(coop_mutex_unlock(m), 0);
    assert_int_equal(coop_mutex_unlock(m), -EPERM);
    assert_int_equal(coop_mutex_free(m), 0);
}

static void an_unlocked_mutex_goes_to_the_first_waiter_not_to_who_asks_next(void **state)
{
    coop_mutex *m = make_mutex(1);
    struct waiter w = { &rows[0], m, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_mutex_unlock(m), 0);
    assert_int_equal(coop_mutex_lock(m, 0), -ETIMEDOUT);
    assert_string_equal(trace, "");
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_mutex_lock(m, 0), 0);
    assert_int_equal(coop_mutex_unlock(m), 0);
    assert_int_equal(coop_mutex_free(m), 0);
}

static void who_was_given_the_mutex_and_is_then_cancelled_holds_it(void **state)
{
    coop_mutex *m = make_mutex(1);
    struct waiter w = { &rows[0], m, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_mutex_unlock(m), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), 0);
    assert_string_equal(trace, "a");
    assert_int_equal(coop_mutex_free(m), 0);
}

static int lock_and_leave(void *m)
{
    return coop_mutex_lock(m, 0);
}

static void a_later_tasklet_does_not_inherit_the_mutex_of_one_that_ended(void **state)
{
    coop_mutex *m;

    (void)state;
    assert_int_equal(coop_mutex_new(&m), 0);
    assert_int_equal(joined(start(lock_and_leave, m)), 0);
    assert_int_equal(joined(start(unlock_of_another, m)), -EPERM); /* in the same memory */
    assert_int_equal(coop_mutex_free(m), 0);
}

/* ---- rwlock -------------------------------------------------------------------------------------------------------------------- */

struct party {
    coop_rwlock *lock;
    bool writes;
    char name;
    int64_t deadline;
};

static int take_and_leave(void *arg)
{
    const struct party *p = arg;
    int rc = p->writes ? coop_rwlock_write(p->lock, p->deadline) : coop_rwlock_read(p->lock, p->deadline);

    if (rc != 0)
        return rc;
    note(p->name);
    assert_int_equal(coop_yield(), 0);
    note((char)(p->name - 'a' + 'A'));
    return coop_rwlock_unlock(p->lock);
}

static void readers_read_together_and_a_waiting_writer_is_not_overtaken(void **state)
{
    coop_rwlock *l;
    coop_task *t[4];

    (void)state;
    assert_int_equal(coop_rwlock_new(&l), 0);
    assert_int_equal(coop_rwlock_read(l, 0), 0);
    assert_int_equal(coop_rwlock_read(l, 0), 0);
    struct party p[] = {
        {l,  true,  'w', COOP_NEVER},
        { l, false, 'r', COOP_NEVER},
        { l, false, 's', COOP_NEVER},
        { l, true,  'x', COOP_NEVER}
    };
    for (int i = 0; i < 4; i++)
        t[i] = start_blocked(take_and_leave, &p[i]);
    assert_int_equal(coop_rwlock_read(l, 0), -ETIMEDOUT);
    assert_int_equal(coop_rwlock_unlock(l), 0);
    assert_int_equal(coop_rwlock_write(l, 0), -ETIMEDOUT);
    assert_int_equal(coop_rwlock_unlock(l), 0);
    assert_int_equal(coop_rwlock_unlock(l), -EPERM); /* it is the writer's already */
    for (int i = 3; i >= 0; i--)
        assert_int_equal(joined(t[i]), 0);
    assert_string_equal(trace, "wWrsRSxX");
    assert_int_equal(coop_rwlock_unlock(l), -EPERM);
    assert_int_equal(coop_rwlock_free(l), 0);
}

static void readers_go_on_when_the_writer_before_them_gives_up(void **state)
{
    coop_rwlock *l;

    (void)state;
    assert_int_equal(coop_rwlock_new(&l), 0);
    assert_int_equal(coop_rwlock_read(l, 0), 0);
    struct party w = { l, true, 'w', COOP_NEVER }, r = { l, false, 'r', COOP_NEVER };
    coop_task *writer = start_blocked(take_and_leave, &w), *reader = start_blocked(take_and_leave, &r);
    assert_int_equal(coop_cancel(writer), 0);
    assert_int_equal(joined(reader), 0);
    assert_int_equal(joined(writer), -ECANCELED);
    assert_string_equal(trace, "rR");
    assert_int_equal(coop_rwlock_unlock(l), 0);
    assert_int_equal(coop_rwlock_free(l), 0);
}

static void a_lock_stays_while_one_that_gave_up_has_not_looked_at_it(void **state)
{
    coop_rwlock *l = make_rwlock(1);
    struct party w = { l, true, 'w', COOP_NEVER };
    coop_task *writer = start_blocked(take_and_leave, &w);

    (void)state;
    assert_int_equal(coop_cancel(writer), 0);
    assert_int_equal(coop_rwlock_free(l), -EBUSY);
    assert_int_equal(joined(writer), -ECANCELED);
    assert_int_equal(coop_rwlock_free(l), 0);
}

static void a_writer_does_not_wait_for_itself(void **state)
{
    coop_rwlock *l = make_rwlock(1);

    (void)state;
    assert_int_equal(coop_rwlock_write(l, 0), -EDEADLK);
    assert_int_equal(coop_rwlock_read(l, 0), -EDEADLK);
    assert_int_equal(coop_rwlock_unlock(l), 0);
    assert_int_equal(coop_rwlock_free(l), 0);
}

/* ---- sem ----------------------------------------------------------------------------------------------------------------------- */

static void a_sem_counts_down_and_up_and_does_not_wrap(void **state)
{
    coop_sem *s;

    (void)state;
    assert_int_equal(coop_sem_new(UINT_MAX, &s), 0);
    assert_int_equal(coop_sem_post(s), -EOVERFLOW);
    assert_int_equal(coop_sem_wait(s, 0), 0);
    assert_int_equal(coop_sem_value(s), UINT_MAX - 1);
    assert_int_equal(coop_sem_post(s), 0);
    assert_int_equal(coop_sem_value(s), UINT_MAX);
    assert_int_equal(coop_sem_free(s), 0);
}

static void what_is_posted_to_a_waiter_cannot_be_taken_by_another(void **state)
{
    coop_sem *s = make_sem(1);
    struct waiter w = { &rows[3], s, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_sem_post(s), 0);
    assert_int_equal(coop_sem_value(s), 0);
    assert_int_equal(coop_sem_wait(s, 0), -ETIMEDOUT);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_sem_value(s), 1);
    assert_int_equal(coop_sem_free(s), 0);
}

/* ---- event --------------------------------------------------------------------------------------------------------------------- */

static void an_event_stays_set_until_it_is_cleared(void **state)
{
    coop_event *e = make_event(0);

    (void)state;
    assert_false(coop_event_is_set(e));
    assert_int_equal(coop_event_set(e), 0);
    assert_true(coop_event_is_set(e));
    assert_int_equal(coop_event_wait(e, 0), 0);
    assert_int_equal(coop_event_wait(e, 0), 0);
    assert_int_equal(coop_event_clear(e), 0);
    assert_int_equal(coop_event_wait(e, 0), -ETIMEDOUT);
    assert_int_equal(coop_event_free(e), 0);
}

static void an_event_that_is_set_and_freed_lets_its_waiters_go_all_the_same(void **state)
{
    coop_event *e = make_event(1);
    struct waiter w = { &rows[4], e, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_event_set(e), 0);
    assert_int_equal(coop_event_clear(e), 0);
    assert_int_equal(coop_event_free(e), 0);
    assert_int_equal(joined(t), 0);
}

/* ---- cond ---------------------------------------------------------------------------------------------------------------------- */

static void a_cond_wants_the_mutex_held(void **state)
{
    struct guarded *g = make_cond(1);

    (void)state;
    assert_int_equal(coop_cond_wait(g->cond, g->mutex, COOP_NEVER), -EPERM);
    assert_int_equal(free_cond(g), 0);
}

static void a_cancelled_cond_wait_has_the_mutex_again_though_it_must_wait_for_it(void **state)
{
    struct guarded *g = make_cond(1);
    struct waiter w = { &rows[5], g, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_mutex_lock(g->mutex, 0), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(coop_yield(), 0);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_cancel(t), 0); /* it is shielded: it does not give up the mutex */
    assert_int_equal(coop_yield(), 0);
    assert_true(coop_blocked(t));
    assert_int_equal(coop_mutex_unlock(g->mutex), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(free_cond(g), 0);
}

static void a_mutex_is_not_freed_under_a_cond_wait(void **state)
{
    struct guarded *g = make_cond(1);
    struct waiter w = { &rows[5], g, COOP_NEVER, 'a' };
    coop_task *t = start_blocked(wait_and_note, &w);

    (void)state;
    assert_int_equal(coop_mutex_free(g->mutex), -EBUSY);
    signal_cond(g);
    assert_int_equal(coop_mutex_free(g->mutex), -EBUSY);
    assert_int_equal(joined(t), 0);
    assert_int_equal(free_cond(g), 0);
}

static void a_signal_wakes_one_and_a_broadcast_all(void **state)
{
    static const struct row quiet = { "cond", make_cond, wait_cond, signal_cond, NULL, free_cond };
    struct guarded *g = make_cond(1);
    struct waiter w[WAITERS];
    coop_task *t[WAITERS];

    (void)state;
    signal_cond(g); /* nobody hears it, and it is not kept */
    for (int i = 0; i < WAITERS; i++) {
        w[i] = (struct waiter){ &quiet, g, COOP_NEVER, (char)('a' + i) };
        t[i] = start_blocked(wait_and_note, &w[i]);
    }
    signal_cond(g);
    assert_int_equal(joined(t[0]), 0);
    assert_string_equal(trace, "a");
    assert_true(coop_blocked(t[1]));
    assert_int_equal(coop_cond_broadcast(g->cond), 0);
    assert_int_equal(joined(t[2]), 0);
    assert_int_equal(joined(t[1]), 0);
    assert_string_equal(trace, "abc");
    assert_int_equal(free_cond(g), 0);
}

/* ---- barrier ------------------------------------------------------------------------------------------------------------------- */

static void a_barrier_can_be_passed_again_and_one_comes_last(void **state)
{
    coop_barrier *b = make_barrier(1);
    struct waiter w = { &rows[6], b, COOP_NEVER, 'a' };

    (void)state;
    for (int i = 0; i < 2; i++) {
        coop_task *t = start_blocked(wait_and_note, &w);

        assert_int_equal(coop_barrier_wait(b, 0), 1);
        assert_int_equal(joined(t), 0);
    }
    assert_int_equal(coop_barrier_free(b), 0);
    assert_int_equal(coop_barrier_new(0, &b), -EINVAL);
}

static void one_that_gives_up_breaks_the_barrier_for_good(void **state)
{
    coop_barrier *b = make_barrier(2);
    struct waiter patient = { &rows[6], b, COOP_NEVER, 'a' }, hasty = { &rows[6], b, 0, 'b' };
    coop_task *t = start_blocked(wait_and_note, &patient), *u;

    (void)state;
    hasty.deadline = coop_after(100 * SHORT_US); /* one that is past would only try */
    u = start_blocked(wait_and_note, &hasty);
    assert_int_equal(joined(t), -EPIPE);
    assert_int_equal(joined(u), -ETIMEDOUT);
    assert_int_equal(coop_barrier_wait(b, COOP_NEVER), -EPIPE);
    assert_int_equal(coop_barrier_free(b), 0);
}

static void one_that_only_tries_does_not_break_the_barrier(void **state)
{
    coop_barrier *b = make_barrier(1);
    struct waiter w = { &rows[6], b, COOP_NEVER, 'a' };
    coop_task *t;

    (void)state;
    assert_int_equal(coop_barrier_wait(b, 0), -ETIMEDOUT);
    t = start_blocked(wait_and_note, &w);
    assert_int_equal(coop_barrier_wait(b, 0), 1);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_barrier_free(b), 0);
}

/* ---- waitgroup ----------------------------------------------------------------------------------------------------------------- */

static void a_waitgroup_does_not_go_below_0(void **state)
{
    coop_waitgroup *w;

    (void)state;
    assert_int_equal(coop_waitgroup_new(&w), 0);
    assert_int_equal(coop_waitgroup_wait(w, 0), 0);
    assert_int_equal(coop_waitgroup_done(w), -EINVAL);
    assert_int_equal(coop_waitgroup_add(w, 2), 0);
    assert_int_equal(coop_waitgroup_add(w, -3), -EINVAL);
    assert_int_equal(coop_waitgroup_done(w), 0);
    assert_int_equal(coop_waitgroup_wait(w, 0), -ETIMEDOUT);
    assert_int_equal(coop_waitgroup_add(w, INT_MAX), 0);
    assert_int_equal(coop_waitgroup_add(w, -INT_MAX), 0);
    assert_int_equal(coop_waitgroup_done(w), 0);
    assert_int_equal(coop_waitgroup_wait(w, 0), 0);
    assert_int_equal(coop_waitgroup_free(w), 0);
}

/* ---- once ---------------------------------------------------------------------------------------------------------------------- */

struct once_user {
    coop_once once;
    coop_event *go;
    int runs, result;
    int64_t deadline;
};

static int slow_start(void *arg)
{
    struct once_user *u = arg;

    u->runs++;
    assert_int_equal(coop_once_run(&u->once, slow_start, u, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_event_wait(u->go, COOP_NEVER), 0);
    return u->result;
}

static int use_once(void *arg)
{
    struct once_user *u = arg;

    return coop_once_run(&u->once, slow_start, u, u->deadline);
}

static void once_runs_once_and_the_others_wait_for_its_end(void **state)
{
    struct once_user u = { .go = make_event(1), .deadline = COOP_NEVER, .result = 7 };
    coop_task *first = start_blocked(use_once, &u), *second = start_blocked(use_once, &u), *third = start_blocked(use_once, &u);

    (void)state;
    assert_int_equal(coop_once_run(&u.once, slow_start, &u, 0), -ETIMEDOUT);
    assert_int_equal(coop_once_run(&u.once, slow_start, &u, coop_after(SHORT_US)), -ETIMEDOUT);
    assert_int_equal(coop_cancel(third), 0);
    assert_int_equal(joined(third), -ECANCELED);
    assert_int_equal(coop_event_set(u.go), 0);
    assert_int_equal(joined(second), 0);
    assert_int_equal(joined(first), 0);
    assert_int_equal(coop_once_run(&u.once, slow_start, &u, 0), 0);
    assert_int_equal(u.runs, 1);
    assert_int_equal(coop_event_free(u.go), 0);
}

static void everybody_is_told_that_once_failed(void **state)
{
    struct once_user u = { .go = make_event(1), .deadline = COOP_NEVER, .result = -EIO };
    coop_task *first = start_blocked(use_once, &u), *second = start_blocked(use_once, &u);

    (void)state;
    assert_int_equal(coop_event_set(u.go), 0);
    assert_int_equal(joined(first), -EIO);
    assert_int_equal(joined(second), -EIO);
    assert_int_equal(coop_once_run(&u.once, slow_start, &u, 0), -EIO);
    assert_int_equal(u.runs, 1);
    assert_int_equal(coop_event_free(u.go), 0);
}

static void a_cancelled_caller_does_not_run_once(void **state)
{
    struct once_user u = { .go = make_event(1) };
    coop_task *t = start(use_once, &u);

    (void)state;
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(u.runs, 0);
    assert_int_equal(coop_once_run(NULL, slow_start, &u, 0), -EINVAL);
    assert_int_equal(coop_once_run(&u.once, NULL, &u, 0), -EINVAL);
    assert_int_equal(coop_event_free(u.go), 0);
}

struct leaver {
    coop_once once, inner;
    int result;
};

static int leaves(void *arg)
{
    const struct leaver *l = arg;

    (void)coop_yield();
    return coop_exit(l->result);
}

static int leaves_from_inner(void *arg)
{
    struct leaver *l = arg;

    return coop_once_run(&l->inner, leaves, l, COOP_NEVER);
}

static int run_outer(void *arg)
{
    struct leaver *l = arg;

    return coop_once_run(&l->once, leaves_from_inner, l, COOP_NEVER);
}

static void an_exit_inside_once_counts_as_its_end(void **state)
{
    (void)state;
    for (int result = -EIO; result <= 3; result += EIO + 3) {
        struct leaver l = { .result = result };
        coop_task *runner = start(run_outer, &l), *waiter = start(run_outer, &l);

        assert_int_equal(joined(runner), result);
        assert_int_equal(joined(waiter), result < 0 ? result : 0);
        assert_int_equal(coop_once_run(&l.inner, leaves, &l, 0), result < 0 ? result : 0);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(waiters_are_let_go_in_the_order_they_came),
        T(a_deadline_of_0_tries_and_does_not_block),
        T(a_deadline_ends_the_wait_and_not_too_early),
        T(cancelling_ends_the_wait_and_nobody_waits_afterwards),
        T(a_cancelled_caller_fails_also_where_it_need_not_wait),
        T(what_somebody_waits_on_is_not_freed),
        T(nobody_blocks_while_trapped),
        T(a_null_object_is_refused),
        T(freeing_null_does_nothing),
        T(a_mutex_is_unlocked_by_its_holder_only),
        T(an_unlocked_mutex_goes_to_the_first_waiter_not_to_who_asks_next),
        T(who_was_given_the_mutex_and_is_then_cancelled_holds_it),
        T(a_later_tasklet_does_not_inherit_the_mutex_of_one_that_ended),
        T(readers_read_together_and_a_waiting_writer_is_not_overtaken),
        T(readers_go_on_when_the_writer_before_them_gives_up),
        T(a_lock_stays_while_one_that_gave_up_has_not_looked_at_it),
        T(a_writer_does_not_wait_for_itself),
        T(a_sem_counts_down_and_up_and_does_not_wrap),
        T(what_is_posted_to_a_waiter_cannot_be_taken_by_another),
        T(an_event_stays_set_until_it_is_cleared),
        T(an_event_that_is_set_and_freed_lets_its_waiters_go_all_the_same),
        T(a_cond_wants_the_mutex_held),
        T(a_cancelled_cond_wait_has_the_mutex_again_though_it_must_wait_for_it),
        T(a_mutex_is_not_freed_under_a_cond_wait),
        T(a_signal_wakes_one_and_a_broadcast_all),
        T(a_barrier_can_be_passed_again_and_one_comes_last),
        T(one_that_gives_up_breaks_the_barrier_for_good),
        T(one_that_only_tries_does_not_break_the_barrier),
        T(a_waitgroup_does_not_go_below_0),
        T(once_runs_once_and_the_others_wait_for_its_end),
        T(everybody_is_told_that_once_failed),
        T(an_exit_inside_once_counts_as_its_end),
        T(a_cancelled_caller_does_not_run_once),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
