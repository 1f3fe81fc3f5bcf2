/*
 * test_task_fair.c - who is due gets its turn however busily the others switch, and thread states know nothing of each other.
 *
 * Stepping a generator is not among the busy: it is a call, in which nobody else runs, as near as its step may be to a switch.
 * The busy ones go on until the one that is due has run, or for ten seconds, which is a failure.
 */
#include <errno.h>
#include <pthread.h>
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

enum { PATIENCE_US = 10000000, DUE_US = 3000 };

static bool had_turn, starved;
static int64_t give_up_at;
static coop_chan *there, *back;
static coop_task *pair[2];

static bool goes_on(void)
{
    static unsigned calls;

    if (++calls % 1024 == 0 && coop_now() > give_up_at)
        starved = true;
    return !had_turn && !starved;
}

/* ---- the busy ------------------------------------------------------------------------------------------------------------------ */

static int yields(void *arg)
{
    (void)arg;
    while (goes_on())
        if (coop_yield() != 0)
            return 1;
    return 0;
}

static int serves(void *arg)
{
    (void)arg;
    while (goes_on())
        if (coop_chan_send(there, 1, COOP_NEVER) != 0)
            return 1;
    return coop_chan_close(there);
}

static int returns(void *arg)
{
    intptr_t word;

    (void)arg;
    while (coop_chan_recv(there, &word, COOP_NEVER) == 0)
        ;
    return 0;
}

static int selects(void *arg)
{
    intptr_t me = (intptr_t)arg;

    while (goes_on()) {
        struct coop_clause k[] = {
            {.op = me == 0 ? COOP_SEND : COOP_RECV,  .chan = there},
            { .op = me == 0 ? COOP_RECV : COOP_SEND, .chan = back },
        };

        if (coop_select(k, 2, COOP_FAIR, coop_after(PATIENCE_US)) < 0)
            return 1;
    }
    (void)coop_chan_close(there);
    (void)coop_chan_close(back);
    return 0;
}

/* Each lets the other go on, and waits for it. */
static int unparks(void *arg)
{
    coop_task *const *other = arg;

    while (goes_on() && coop_unpark(*other, 0) == 0)
        if (coop_park(NULL, COOP_NEVER) != 0)
            return 1;
    (void)coop_unpark(*other, 0); /* that it sees the end as well; it may have */
    return 0;
}

/* To the other of the pair, by name; when it has ended there is nobody. */
static int yields_to(void *arg)
{
    while (goes_on())
        (void)coop_yield_to(*(coop_task **)arg);
    return 0;
}

/* ---- those that are due -------------------------------------------------------------------------------------------------------- */

static int has_turn(void *arg)
{
    (void)arg;
    had_turn = true;
    return 0;
}

static int sleeps(void *arg)
{
    int rc = coop_sleep_until(coop_after(DUE_US));

    (void)has_turn(arg);
    return rc;
}

static int pipe_ends[2];

static int waits_for_byte(void *arg)
{
    int rc = coop_fd_wait(pipe_ends[0], COOP_READABLE, COOP_NEVER);

    (void)has_turn(arg);
    return rc == COOP_READABLE ? 0 : -1;
}

static int times_out(void *arg)
{
    int rc = coop_park(NULL, coop_after(DUE_US));

    (void)has_turn(arg);
    return rc == -ETIMEDOUT ? 0 : -1;
}

/* ---- the tests ----------------------------------------------------------------------------------------------------------------- */

static const struct busy {
    const char *what;
    coop_fn one, other; /* other NULL: none */
    enum coop_preference preference;
} busy[] = {
    {"two that yield",                             yields,    yields,    COOP_PREFER_NEITHER },
    { "one that yields",                           yields,    NULL,      COOP_PREFER_NEITHER },
    { "a channel that prefers receivers",          serves,    returns,   COOP_PREFER_RECEIVER},
    { "a channel that prefers nobody",             serves,    returns,   COOP_PREFER_NEITHER },
    { "a channel that prefers senders",            serves,    returns,   COOP_PREFER_SENDER  },
    { "selects on channels that prefer receivers", selects,   selects,   COOP_PREFER_RECEIVER},
    { "selects on channels that prefer senders",   selects,   selects,   COOP_PREFER_SENDER  },
    { "two that yield to each other",              yields_to, yields_to, COOP_PREFER_NEITHER },
    { "two that park",                             unparks,   unparks,   COOP_PREFER_NEITHER },
};

static void run_busy(const struct busy *b, const char *due)
{
    had_turn = starved = false;
    give_up_at = coop_after(PATIENCE_US);
    pair[0] = start(b->one, b->one == selects ? (void *)0 : &pair[1]);
    pair[1] = b->other != NULL ? start(b->other, b->other == selects ? (void *)1 : &pair[0]) : NULL;
    assert_int_equal(coop_run(COOP_NEVER), 0);
    for (int i = 0; i < 2 && pair[i] != NULL; i++)
        assert_int_equal(joined(pair[i]), 0);
    if (starved)
        fail_msg("%s: %s starves", b->what, due);
}

/* Among the busy of each row. before (may be NULL) is done once fn waits. */
static void is_not_starved(coop_fn fn, const char *due, void (*before)(void))
{
    for (size_t i = 0; i < sizeof(busy) / sizeof(busy[0]); i++) {
        coop_task *t;

        assert_int_equal(coop_chan_new(0, &there), 0);
        assert_int_equal(coop_chan_new(0, &back), 0);
        assert_int_equal(coop_chan_set_preference(there, busy[i].preference), 0);
        assert_int_equal(coop_chan_set_preference(back, busy[i].preference), 0);
        t = start_blocked(fn, NULL);
        if (before != NULL)
            before();
        run_busy(&busy[i], due);
        assert_int_equal(joined(t), 0);
        assert_int_equal(coop_chan_free(there), 0);
        assert_int_equal(coop_chan_free(back), 0);
    }
}

static void a_sleeper_wakes_however_busy_the_others_are(void **state)
{
    (void)state;
    is_not_starved(sleeps, "a sleeper", NULL);
}

static void a_deadline_comes_however_busy_the_others_are(void **state)
{
    (void)state;
    is_not_starved(times_out, "a deadline", NULL);
}

static void write_byte(void)
{
    assert_int_equal(write(pipe_ends[1], "x", 1), 1);
}

static int takes_byte(void *arg)
{
    char c;
    int rc = waits_for_byte(arg);

    return rc == 0 && read(pipe_ends[0], &c, 1) == 1 ? 0 : -1;
}

static void a_descriptor_is_seen_however_busy_the_others_are(void **state)
{
    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    is_not_starved(takes_byte, "a descriptor", write_byte);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static coop_timer *timer;

static int sets_timer(void *arg)
{
    int rc = coop_timer_new(has_turn, arg, &timer);

    if (rc == 0)
        rc = coop_timer_set(timer, coop_after(DUE_US), 0);
    if (rc == 0)
        rc = coop_sleep_until(coop_after(2 * DUE_US));
    return rc == 0 ? coop_timer_free(timer) : rc;
}

static void a_timer_fires_however_busy_the_others_are(void **state)
{
    (void)state;
    is_not_starved(sets_timer, "a timer", NULL);
}

/* ---- one thread state for each thread ------------------------------------------------------------------------------------------- */

enum { THREADS = 4, MESSAGES = 2000 };

struct world {
    pthread_t thread;
    coop_chan *chan;
    intptr_t sum;
    int rc;
};

static int gives_numbers(void *arg)
{
    struct world *w = arg;
    int rc = 0;

    for (intptr_t i = 1; i <= MESSAGES && rc == 0; i++)
        rc = coop_chan_send(w->chan, i, COOP_NEVER);
    return rc == 0 ? coop_chan_close(w->chan) : rc;
}

static int adds_up(void *arg)
{
    struct world *w = arg;
    struct coop_clause k = { .op = COOP_RECV, .chan = w->chan };

    while (coop_select(&k, 1, COOP_FAIR, COOP_NEVER) == 0 && k.rc == 0)
        w->sum += k.word;
    return k.rc == -EPIPE ? 0 : -1;
}

static void *lives(void *arg)
{
    struct world *w = arg;

    w->rc = coop_self() == NULL && coop_init(NULL) == 0 ? coop_chan_new(0, &w->chan) : -1;
    if (w->rc == 0)
        w->rc = coop_spawn(NULL, gives_numbers, w, NULL);
    if (w->rc == 0)
        w->rc = coop_spawn(NULL, adds_up, w, NULL);
    if (w->rc == 0)
        w->rc = coop_run(COOP_NEVER);
    if (w->rc == 0)
        w->rc = coop_chan_free(w->chan);
    return coop_finish() == 0 ? w : NULL;
}

static void threads_have_thread_states_of_their_own(void **state)
{
    struct world worlds[THREADS] = { { .rc = -1 } };
    void *result;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&worlds[i].thread, NULL, lives, &worlds[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(worlds[i].thread, &result), 0);
        assert_ptr_equal(result, &worlds[i]);
        assert_int_equal(worlds[i].rc, 0);
        assert_int_equal(worlds[i].sum, (intptr_t)MESSAGES * (MESSAGES + 1) / 2);
    }
    assert_ptr_equal(coop_self(), coop_main()); /* ours is as it was */
}

enum { QUEUED = 200 };

static int turns_before_due, due_at = -1;

static int counts_turns(void *arg)
{
    (void)arg;
    for (int i = 0; i < 3; i++) {
        turns_before_due++;
        (void)coop_yield();
    }
    return 0;
}

static int comes_due(void *arg)
{
    int rc = coop_sleep_until(coop_after(1));

    (void)arg;
    due_at = turns_before_due;
    return rc;
}

/* It is woken at one of the looks at the clock, each 61 switches; all that stand in the queue then have their turn first. */
static void one_that_comes_due_goes_behind_those_who_wait(void **state)
{
    coop_task *t = start_blocked(comes_due, NULL), *others[QUEUED];

    (void)state;
    for (int i = 0; i < QUEUED; i++)
        others[i] = start(counts_turns, NULL);
    for (int64_t until = coop_after(3000); coop_now() < until;)
        ; /* it is due, and nobody has looked */
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(joined(t), 0);
    assert_true(due_at >= QUEUED);
    for (int i = 0; i < QUEUED; i++)
        assert_int_equal(joined(others[i]), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_sleeper_wakes_however_busy_the_others_are),      T(a_deadline_comes_however_busy_the_others_are),
        T(a_descriptor_is_seen_however_busy_the_others_are), T(a_timer_fires_however_busy_the_others_are),
        T(threads_have_thread_states_of_their_own),          T(one_that_comes_due_goes_behind_those_who_wait),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
