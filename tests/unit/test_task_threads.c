/*
 * test_task_threads.c - several thread states: what tasklets on different OS threads do with each other, and that nothing is lost between them.
 *
 * Tasklets of other threads assert nothing (cmocka's asserts belong to its thread): they return what they found, and main looks at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"
#include "worker/task/sched.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { LONG = 2000, MANY = 1000 };
#else
enum { LONG = 20000, MANY = 5000 };
#endif

static int init_threads(unsigned n)
{
    return coop_init(&(struct coop_options){ .threads = n });
}

static int setup2(void **state)
{
    (void)state;
    trace[0] = '\0';
    return init_threads(2);
}

static int setup3(void **state)
{
    (void)state;
    return init_threads(3);
}

static coop_task *start_on(unsigned thread, coop_fn fn, void *arg)
{
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, arg, &(struct coop_attr){ .thread = thread }), 0);
    return t;
}

static coop_task *start_movable(coop_fn fn, void *arg)
{
    coop_task *t = NULL;

    assert_int_equal(coop_spawn(&t, fn, arg, &(struct coop_attr){ .movable = true }), 0);
    return t;
}

static coop_chan *channel(size_t capacity)
{
    coop_chan *c = NULL;

    assert_int_equal(coop_chan_new(capacity, &c), 0);
    return c;
}

/* Until so many receivers (below 0) or senders wait in c. */
static void until_waiting(coop_chan *c, long balance)
{
    while (coop_chan_balance(c) != balance)
        assert_int_equal(coop_yield(), 0);
}

/* What fn returns on that thread. */
static int ask(unsigned thread, coop_fn fn, void *arg)
{
    return joined(start_on(thread, fn, arg));
}

/* ---- making ---------------------------------------------------------------------------------------------------------------------- */

static int own_thread(void *arg)
{
    (void)arg;
    return (int)coop_thread();
}

static void each_tasklet_starts_on_the_thread_it_was_given(void **state)
{
    (void)state;
    assert_int_equal(coop_threads(), 3);
    assert_int_equal(coop_thread(), 1);
    for (unsigned k = 1; k <= 3; k++)
        assert_int_equal(ask(k, own_thread, NULL), (int)k);
    assert_int_equal(ask(0, own_thread, NULL), 1);
}

static int spawn_there(void *arg)
{
    coop_task *t;
    int result, rc = coop_spawn(&t, own_thread, NULL, &(struct coop_attr){ .thread = (unsigned)(uintptr_t)arg });

    return rc != 0 || coop_join(t, &result, COOP_NEVER) != 0 ? -EINVAL : result;
}

static void a_tasklet_of_any_thread_spawns_onto_any(void **state)
{
    (void)state;
    assert_int_equal(ask(2, spawn_there, (void *)0), 2);
    assert_int_equal(ask(2, spawn_there, (void *)1), 1);
    assert_int_equal(ask(2, spawn_there, (void *)3), 3);
}

static void senseless_numbers_of_threads_are_refused(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(init_threads(65), -EINVAL);
    assert_int_equal(init_threads(2), 0);
    assert_int_equal(coop_spawn(&t, own_thread, NULL, &(struct coop_attr){ .thread = 3 }), -EINVAL);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(init_threads(1), 0);
    assert_int_equal(coop_threads(), 1);
    assert_int_equal(coop_spawn(&t, own_thread, NULL, &(struct coop_attr){ .thread = 2 }), -EINVAL);
    assert_int_equal(joined(start_on(1, own_thread, NULL)), 1);
    assert_int_equal(joined(start_movable(own_thread, NULL)), 1);
    assert_int_equal(coop_finish(), 0);
}

static void as_many_threads_as_allowed_come_and_go(void **state)
{
    (void)state;
    assert_int_equal(init_threads(64), 0);
    assert_int_equal(ask(64, own_thread, NULL), 64);
    assert_int_equal(coop_finish(), 0);
}

static int id_of_self(void *arg)
{
    (void)arg;
    return (int)coop_id(coop_self());
}

static void no_id_is_given_twice_in_a_group(void **state)
{
    bool seen[200] = { [1] = true };

    (void)state;
    assert_int_equal(coop_id(coop_main()), 1);
    for (unsigned i = 0; i < 30; i++) {
        int id = ask(i % 3 + 1, id_of_self, NULL);

        assert_in_range(id, 4, 199);
        assert_false(seen[id]);
        seen[id] = true;
    }
}

static int wait_for_close(void *arg)
{
    intptr_t word;

    return coop_chan_recv(arg, &word, COOP_NEVER);
}

static void the_limit_of_tasklets_is_the_groups(void **state)
{
    coop_task *t[3];
    coop_chan *c;

    (void)state;
    assert_int_equal(coop_init(&(struct coop_options){ .threads = 2, .max_tasklets = 3 }), 0);
    c = channel(0);
    for (unsigned i = 0; i < 3; i++)
        t[i] = start_on(i % 2 + 1, wait_for_close, c);
    assert_int_equal(coop_spawn(NULL, own_thread, NULL, NULL), -EAGAIN);
    assert_int_equal(coop_chan_close(c), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(joined(t[i]), -EPIPE);
    for (int i = 0; i < MANY; i++) { /* one that has been joined is not counted any more */
        t[i % 3] = start_on(2, own_thread, NULL);
        if (i % 3 == 2)
            assert_int_equal(coop_gather(t, 3, NULL, COOP_NEVER), 0);
    }
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static int finish_here(void *arg)
{
    (void)arg;
    return coop_finish();
}

static int run_here(void *arg)
{
    (void)arg;
    return coop_run(COOP_NEVER);
}

static int main_id(void *arg)
{
    (void)arg;
    return (int)coop_id(coop_main());
}

static void only_the_first_threads_main_ends_the_group(void **state)
{
    (void)state;
    assert_int_equal(ask(2, finish_here, NULL), -EPERM);
    assert_int_equal(ask(2, run_here, NULL), -EPERM);
    assert_int_equal(ask(2, main_id, NULL), 1);
}

/* ---- channels -------------------------------------------------------------------------------------------------------------------- */

struct table {
    coop_chan *to, *from;
    int rounds;
};

static int return_each(void *arg)
{
    const struct table *t = arg;
    intptr_t word;
    int rc = 0;

    for (int i = 0; i < t->rounds && rc == 0; i++) {
        rc = coop_chan_recv(t->to, &word, COOP_NEVER);
        if (rc == 0)
            rc = coop_chan_send(t->from, word + 1, COOP_NEVER);
    }
    return rc;
}

static void play(size_t capacity)
{
    struct table t = { .to = channel(capacity), .from = channel(capacity), .rounds = LONG };
    intptr_t word = 0;
    coop_task *other = start_on(2, return_each, &t);

    for (int i = 0; i < t.rounds; i++) {
        assert_int_equal(coop_chan_send(t.to, word, COOP_NEVER), 0);
        assert_int_equal(coop_chan_recv(t.from, &word, COOP_NEVER), 0);
    }
    assert_int_equal(word, t.rounds);
    assert_int_equal(joined(other), 0);
    assert_int_equal(coop_chan_free(t.to), 0);
    assert_int_equal(coop_chan_free(t.from), 0);
}

static void a_ball_goes_to_and_fro_between_two_threads(void **state)
{
    (void)state;
    play(0);
    play(1);
}

static int send_numbers(void *arg)
{
    coop_chan *c = arg;
    int rc = 0;

    for (intptr_t i = 1; i <= MANY && rc == 0; i++)
        rc = coop_chan_send(c, i, COOP_NEVER);
    return rc;
}

static void fan_in(size_t capacity)
{
    coop_chan *c = channel(capacity);
    coop_task *senders[4];
    intptr_t word, sum = 0;

    for (unsigned i = 0; i < 4; i++)
        senders[i] = start_on(i % 2 + 1, send_numbers, c);
    for (int i = 0; i < 4 * MANY; i++) {
        assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), 0);
        sum += word;
    }
    assert_int_equal(sum, (intptr_t)4 * MANY * (MANY + 1) / 2);
    assert_int_equal(coop_gather(senders, 4, NULL, COOP_NEVER), 0);
    assert_int_equal(coop_chan_balance(c), 0);
    assert_int_equal(coop_chan_len(c), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static void what_four_senders_on_two_threads_send_arrives_once_each(void **state)
{
    (void)state;
    fan_in(0);
    fan_in(8);
}

static int send_five(void *arg)
{
    return coop_chan_send(arg, 5, COOP_NEVER);
}

static void a_close_ends_those_that_wait_on_other_threads(void **state)
{
    coop_chan *c = channel(0), *d = channel(0);
    coop_task *t[6];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        t[i] = start_on(i + 1, wait_for_close, c);
    for (unsigned i = 0; i < 3; i++)
        t[3 + i] = start_on(i + 1, send_five, d);
    until_waiting(c, -3);
    until_waiting(d, 3);
    assert_int_equal(coop_chan_free(c), -EBUSY);
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(coop_chan_close(c), -EPIPE);
    assert_int_equal(coop_chan_close(d), 0);
    assert_true(coop_chan_is_closed(c) && coop_chan_is_closing(d));
    for (int i = 0; i < 6; i++)
        assert_int_equal(joined(t[i]), -EPIPE);
    assert_int_equal(coop_chan_free(c), 0);
    assert_int_equal(coop_chan_free(d), 0);
}

static int send_error_there(void *arg)
{
    return coop_chan_send_error(arg, -EILSEQ, COOP_NEVER);
}

static void an_error_travels_between_threads(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t = start_on(2, send_error_there, c);
    intptr_t word = 77;

    (void)state;
    until_waiting(c, 1);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EILSEQ);
    assert_int_equal(word, 77);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static int recv_noted(void *arg)
{
    intptr_t word;
    int rc = coop_chan_recv(arg, &word, COOP_NEVER);

    note('R');
    return rc;
}

static int bystander(void *arg)
{
    (void)arg;
    note('B');
    return 0;
}

static void on_the_same_thread_a_preferred_receiver_still_runs_at_once(void **state)
{
    coop_chan *c = channel(0);
    coop_task *r = start(recv_noted, c), *b;

    (void)state;
    until_waiting(c, -1);
    b = start(bystander, NULL);
    assert_int_equal(coop_chan_send(c, 1, COOP_NEVER), 0);
    note('M');
    assert_int_equal(joined(r), 0);
    assert_int_equal(joined(b), 0);
    assert_string_equal(trace, "RBM");
    assert_int_equal(coop_chan_free(c), 0);
}

static int heard[2]; /* by will_block */
static int switches;

static void hear(coop_chan *c, coop_task *t, bool sending, bool will_block)
{
    (void)c;
    (void)t;
    (void)sending;
    heard[will_block]++;
}

static int nobodies;

static void see(coop_task *from, coop_task *to)
{
    nobodies += (from != NULL && coop_id(from) == 0) || (to != NULL && coop_id(to) == 0);
    switches++;
}

static void hooks_hear_of_what_their_own_thread_does(void **state)
{
    coop_chan *c = channel(1);
    coop_task *t;
    intptr_t word;

    (void)state;
    heard[0] = heard[1] = switches = nobodies = 0;
    coop_set_chan_hook(hear);
    assert_int_equal(ask(2, send_five, c), 0);
    assert_int_equal(heard[0] + heard[1], 0);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), 0);
    assert_int_equal(heard[0], 1);
    t = start(recv_noted, c);
    until_waiting(c, -1);
    assert_int_equal(heard[1], 1);
    coop_set_switch_hook(see);
    assert_int_equal(ask(2, send_five, c), 0);
    assert_int_equal(joined(t), 0);
    coop_set_switch_hook(NULL);
    coop_set_chan_hook(NULL);
    assert_true(switches >= 2);
    assert_int_equal(nobodies, 0); /* what a thread does when it has nothing to do is nobody's business */
    assert_int_equal(coop_chan_free(c), 0);
}

static void a_channel_made_before_there_were_threads_is_refused(void **state)
{
    struct coop_clause clause = { .op = COOP_RECV };
    coop_chan *c = channel(1);
    intptr_t word;

    (void)state;
    assert_int_equal(init_threads(2), 0);
    clause.chan = c;
    assert_int_equal(coop_chan_send(c, 1, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_chan_close(c), -EXDEV);
    assert_int_equal(coop_chan_open(c), -EXDEV);
    assert_int_equal(coop_select(&clause, 1, COOP_FAIR, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static void a_channel_outlives_its_group_and_is_refused_in_another(void **state)
{
    coop_chan *c;
    intptr_t word = 0;

    (void)state;
    assert_int_equal(init_threads(2), 0);
    c = channel(2);
    assert_int_equal(coop_chan_send(c, 7, COOP_NEVER), 0);
    assert_int_equal(coop_finish(), 0);

    assert_int_equal(coop_init(NULL), 0); /* alone: nobody can be in the way */
    assert_int_equal(coop_chan_send(c, 8, COOP_NEVER), 0);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), 0);
    assert_int_equal(word, 7);
    assert_int_equal(coop_finish(), 0);

    assert_int_equal(init_threads(2), 0);
    assert_int_equal(coop_chan_send(c, 1, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_chan_close(c), -EXDEV);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

/* ---- select ---------------------------------------------------------------------------------------------------------------------- */

static void a_select_takes_from_channels_of_senders_on_other_threads(void **state)
{
    struct coop_clause clauses[3];
    coop_task *senders[3];
    intptr_t sums[3] = { 0 };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        clauses[i] = (struct coop_clause){ .op = COOP_RECV, .chan = channel(i) };
        senders[i] = start_on(i + 1, send_numbers, clauses[i].chan);
    }
    for (int i = 0; i < 3 * MANY; i++) {
        int k = coop_select(clauses, 3, COOP_FAIR, COOP_NEVER);

        assert_in_range(k, 0, 2);
        assert_int_equal(clauses[k].rc, 0);
        sums[k] += clauses[k].word;
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sums[i], (intptr_t)MANY * (MANY + 1) / 2);
        assert_int_equal(joined(senders[i]), 0);
        assert_int_equal(coop_chan_free(clauses[i].chan), 0);
    }
}

struct pair {
    coop_chan *a, *b;
    intptr_t sent, received;
};

/* Sends in one or receives from the other, whichever comes first, until it has sent enough; then it only receives until both are closed. */
static int trade(void *arg)
{
    struct pair *p = arg;
    struct coop_clause c[2] = {
        {.op = COOP_SEND,  .chan = p->a},
        { .op = COOP_RECV, .chan = p->b}
    };

    for (intptr_t next = 1; next <= MANY;) {
        int k;

        c[0].word = next;
        k = coop_select(c, 2, COOP_FAIR, COOP_NEVER);
        if (k == 1 && c[1].rc == -EPIPE)
            c[1].chan = NULL; /* the other has sent enough */
        else if (k < 0 || c[k].rc != 0)
            return k < 0 ? k : c[k].rc;
        else
            p->received += k == 1 ? c[1].word : 0;
        p->sent += k == 0 ? next++ : 0;
    }
    (void)coop_chan_close(p->a);
    while (coop_chan_recv(p->b, &c[1].word, COOP_NEVER) == 0)
        p->received += c[1].word;
    return 0;
}

static void two_selects_on_two_threads_serve_each_other(void **state)
{
    coop_chan *a = channel(0), *b = channel(0);
    struct pair one = { a, b, 0, 0 }, two = { b, a, 0, 0 };
    coop_task *t[2] = { start_on(1, trade, &one), start_on(2, trade, &two) };
    int results[2];

    (void)state;
    assert_int_equal(coop_gather(t, 2, results, COOP_NEVER), 0);
    assert_int_equal(results[0], 0);
    assert_int_equal(results[1], 0);
    assert_int_equal(one.sent, (intptr_t)MANY * (MANY + 1) / 2);
    assert_int_equal(one.sent, two.received);
    assert_int_equal(two.sent, one.received);
    assert_int_equal(coop_chan_free(a), 0);
    assert_int_equal(coop_chan_free(b), 0);
}

static int select_two(void *arg)
{
    struct pair *p = arg;
    struct coop_clause c[2] = {
        {.op = COOP_RECV,  .chan = p->a},
        { .op = COOP_RECV, .chan = p->b}
    };
    int k = coop_select(c, 2, COOP_FAIR, COOP_NEVER);

    return k < 0 ? k : c[k].rc != 0 ? c[k].rc : k;
}

static void the_channel_a_select_did_not_choose_can_be_freed_at_once(void **state)
{
    (void)state;
    for (int i = 0; i < MANY / 10; i++) {
        struct pair p = { .a = channel(0), .b = channel(0) };
        coop_task *t = start_on(2, select_two, &p);
        int rc;

        until_waiting(p.a, -1);
        assert_int_equal(coop_chan_send(p.b, 1, COOP_NEVER), 0);
        while ((rc = coop_chan_free(p.a)) == -EBUSY)
            assert_int_equal(coop_yield(), 0);
        assert_int_equal(rc, 0);
        assert_int_equal(coop_chan_free(p.b), 0);
        assert_int_equal(joined(t), 1);
    }
}

static void a_select_with_more_clauses_than_there_are_locks_works(void **state)
{
    enum { N = 700 };
    static struct coop_clause clauses[N];
    coop_task *t;

    (void)state;
    for (int i = 0; i < N; i++)
        clauses[i] = (struct coop_clause){ .op = COOP_RECV, .chan = i % 7 == 3 ? NULL : channel(0) };
    t = start_on(2, send_five, clauses[N - 1].chan);
    assert_int_equal(coop_select(clauses, N, COOP_FAIR, COOP_NEVER), N - 1);
    assert_int_equal(clauses[N - 1].word, 5);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_select(clauses, N, COOP_DEFAULT, COOP_NEVER), -EAGAIN);
    assert_int_equal(coop_select(clauses, N, COOP_FAIR, coop_after(2000)), -ETIMEDOUT);
    for (int i = 0; i < N; i++)
        assert_int_equal(coop_chan_free(clauses[i].chan), 0);
}

/* ---- what one does to another's -------------------------------------------------------------------------------------------------- */

static int park_for_ever(void *arg)
{
    intptr_t value = 0;
    int rc = coop_park(&value, COOP_NEVER);

    (void)arg;
    return rc != 0 ? rc : (int)value;
}

static int sleep_long(void *arg)
{
    (void)arg;
    return coop_sleep_until(coop_after(3600000000));
}

static int compute_until_cancelled(void *arg)
{
    atomic_int *runs = arg;

    atomic_store(runs, 1);
    while (coop_cancelled() == 0)
        ;
    return coop_yield();
}

static void a_cancel_reaches_a_tasklet_of_another_thread_whatever_it_does(void **state)
{
    static atomic_int runs;
    coop_chan *c = channel(0);
    coop_task *t[4];

    (void)state;
    atomic_store(&runs, 0);
    t[0] = start_on(2, wait_for_close, c);
    t[1] = start_on(2, park_for_ever, NULL);
    t[2] = start_on(2, sleep_long, NULL);
    until_waiting(c, -1);
    t[3] = start_on(2, compute_until_cancelled, &runs);
    while (atomic_load(&runs) == 0)
        assert_int_equal(coop_yield(), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(coop_cancel(t[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(joined(t[i]), -ECANCELED);
    assert_int_equal(coop_chan_balance(c), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static int shielded(void *arg)
{
    int rc;

    coop_shield(true);
    rc = wait_for_close(arg);
    coop_shield(false);
    return rc != -EPIPE ? rc : coop_cancelled();
}

static void a_shield_holds_against_another_thread(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t = start_on(2, shielded, c);

    (void)state;
    until_waiting(c, -1);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(ask(2, own_thread, NULL), 2); /* behind the cancel in its inbox */
    assert_int_equal(coop_chan_balance(c), -1);
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(joined(t), -ECANCELED);
    assert_int_equal(coop_chan_free(c), 0);
}

static int park_many(void *arg)
{
    intptr_t value, last = 0;
    coop_chan *seen = arg;
    int rc;

    while (last < MANY && (rc = coop_park(&value, COOP_NEVER)) == 0 && value > last) {
        last = value;
        rc = coop_chan_send(seen, last, COOP_NEVER);
        if (rc != 0)
            return rc;
    }
    return last == MANY ? 0 : -EINVAL;
}

static void an_unpark_reaches_another_thread_before_the_park_or_after_it(void **state)
{
    coop_chan *seen = channel(0);
    coop_task *t = start_on(2, park_many, seen);
    intptr_t word;

    (void)state;
    for (intptr_t i = 1; i <= MANY; i++) {
        assert_int_equal(coop_unpark(t, i), 0);
        assert_int_equal(coop_chan_recv(seen, &word, COOP_NEVER), 0);
        assert_int_equal(word, i);
    }
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_chan_free(seen), 0);
}

static int seven(void *arg)
{
    (void)arg;
    return 7;
}

static void results_of_other_threads_are_joined_gathered_and_waited_for(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t[3] = { start_on(1, wait_for_close, c), start_on(2, seven, NULL), start_on(3, wait_for_close, c) };
    int results[3];

    (void)state;
    assert_int_equal(coop_wait_first(t, 3, COOP_NEVER), 1);
    assert_int_equal(coop_wait_first(t, 3, COOP_NEVER), 1);
    assert_int_equal(coop_gather(t, 3, results, coop_after(2000)), -ETIMEDOUT);
    assert_true(coop_alive(t[2]));
    assert_false(coop_alive(t[1]));
    assert_int_equal(coop_join(t[2], NULL, coop_after(1000)), -ETIMEDOUT);
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(coop_gather(t, 3, results, COOP_NEVER), 0);
    assert_int_equal(results[0], -EPIPE);
    assert_int_equal(results[1], 7);
    assert_int_equal(results[2], -EPIPE);
    assert_int_equal(coop_wait_for(start_on(2, sleep_long, NULL), NULL, coop_after(1000)), -ETIMEDOUT);
    assert_int_equal(coop_chan_free(c), 0);
}

static int join_it(void *arg)
{
    return coop_join(arg, NULL, COOP_NEVER);
}

static void one_joins_the_others_are_refused(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t = start_on(3, wait_for_close, c), *joiner = start_on(2, join_it, t);

    (void)state;
    assert_int_equal(ask(2, own_thread, NULL), 2); /* behind the joiner */
    assert_int_equal(coop_join(t, NULL, COOP_NEVER), -EBUSY);
    assert_int_equal(coop_detach(t), -EBUSY);
    assert_int_equal(coop_join(coop_self(), NULL, COOP_NEVER), -EINVAL); /* main */
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(joined(joiner), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static void thousands_come_and_go_and_their_memory_goes_home(void **state)
{
    struct coop_stats stats;
    uint64_t before;

    (void)state;
    coop_get_stats(&stats);
    before = stats.stack_bytes;
    for (int i = 0; i < MANY; i++) {
        coop_task *t[8];

        for (unsigned k = 0; k < 8; k++)
            t[k] = start_on(k % 2 + 1, seven, NULL);
        assert_int_equal(coop_spawn(NULL, seven, NULL, &(struct coop_attr){ .thread = 2 }), 0);
        assert_int_equal(coop_gather(t, 8, NULL, COOP_NEVER), 0);
    }
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(ask(2, seven, NULL), 7);
    assert_int_equal(coop_yield(), 0); /* what has come home is looked at */
    coop_get_stats(&stats);
    assert_int_equal(stats.alive, 0);
    assert_in_range(stats.stack_bytes, before, before + 64 * 1024 * 2); /* one or two may be on their way */
}

/* ---- deadlines against wake-ups --------------------------------------------------------------------------------------------------- */

struct race {
    coop_chan *c;
    atomic_long sent, n_sent, received, n_received;
};

/* Deadlines that come at about the time the partner does. */
static int64_t soon(unsigned *seed)
{
    return coop_after(rand_r(seed) % 2500);
}

static int send_in_time(void *arg)
{
    struct race *r = arg;
    unsigned seed = (unsigned)coop_id(coop_self());

    for (intptr_t i = 1; i <= MANY / 4; i++) {
        int rc = coop_chan_send(r->c, i, soon(&seed));

        if (rc != 0 && rc != -ETIMEDOUT)
            return rc;
        if (rc == 0) {
            atomic_fetch_add(&r->sent, i);
            atomic_fetch_add(&r->n_sent, 1);
        } else if (rand_r(&seed) % 4 == 0) {
            (void)coop_sleep_until(soon(&seed));
        }
    }
    return 0;
}

static int recv_in_time(void *arg)
{
    struct race *r = arg;
    unsigned seed = (unsigned)coop_id(coop_self());
    int rc = 0;

    while (rc == 0 || rc == -ETIMEDOUT) {
        intptr_t word;

        rc = coop_chan_recv(r->c, &word, soon(&seed));
        if (rc == 0) {
            atomic_fetch_add(&r->received, word);
            atomic_fetch_add(&r->n_received, 1);
        } else if (rand_r(&seed) % 4 == 0) {
            (void)coop_sleep_until(soon(&seed));
        }
    }
    return rc;
}

static void race(size_t capacity)
{
    struct race r = { .c = channel(capacity) };
    coop_task *senders[4], *receivers[4];

    for (unsigned i = 0; i < 4; i++) {
        senders[i] = start_on(i % 3 + 1, send_in_time, &r);
        receivers[i] = start_on((i + 1) % 3 + 1, recv_in_time, &r);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(coop_join(senders[i], NULL, COOP_NEVER), 0);
    assert_int_equal(coop_chan_close(r.c), 0);
    for (int i = 0; i < 4; i++) {
        int result;

        assert_int_equal(coop_join(receivers[i], &result, COOP_NEVER), 0);
        assert_int_equal(result, -EPIPE);
    }
    assert_true(atomic_load(&r.n_sent) > 0);
    assert_int_equal(atomic_load(&r.n_sent), atomic_load(&r.n_received));
    assert_int_equal(atomic_load(&r.sent), atomic_load(&r.received));
    assert_int_equal(coop_chan_balance(r.c), 0);
    assert_int_equal(coop_chan_free(r.c), 0);
}

static void a_value_is_received_once_or_its_sender_is_told_that_it_was_late(void **state)
{
    (void)state;
    race(0);
    race(2);
}

/* ---- stealing -------------------------------------------------------------------------------------------------------------------- */

struct crowd {
    atomic_int inside, wanted;
    atomic_int on[3];
};

/* Runs until so many are inside at once, each on an OS thread of its own: so it computes, and never switches. */
static int meet_without_switching(void *arg)
{
    struct crowd *c = arg;

    atomic_fetch_add(&c->on[coop_thread() - 1], 1);
    atomic_fetch_add(&c->inside, 1);
    while (atomic_load(&c->inside) < atomic_load(&c->wanted))
        ;
    return 0;
}

static void movable_tasklets_that_compute_end_up_on_all_threads(void **state)
{
    struct crowd c = { .wanted = 3 };
    coop_task *t[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        t[i] = start_movable(meet_without_switching, &c);
    assert_int_equal(coop_gather(t, 3, NULL, COOP_NEVER), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&c.on[i]), 1);
}

static int stay(void *arg)
{
    unsigned at = (unsigned)(uintptr_t)arg;

    for (int i = 0; i < MANY; i++)
        if (coop_thread() != at || coop_yield() != 0)
            return -EINVAL;
    return 0;
}

static __attribute__((noinline)) int errno_now(void)
{
    return errno;
}

static __attribute__((noinline)) void set_errno(int to)
{
    errno = to;
}

/* Made on the first thread; until one has been elsewhere the other has nothing to do, once its pinned ones have ended. */
static int wander(void *arg)
{
    int mine = (int)coop_id(coop_self());
    atomic_int *moves = arg;
    unsigned at = 1;

    set_errno(mine);
    for (int i = 0; i < MANY || atomic_load(moves) == 0; i++) {
        if (coop_thread() != at)
            atomic_fetch_add(moves, 1);
        at = coop_thread();
        if (coop_yield() != 0 || errno_now() != mine)
            return -EINVAL;
    }
    return 0;
}

static void pinned_ones_never_move_while_movable_ones_do_and_keep_their_errno(void **state)
{
    static atomic_int moves;
    coop_task *t[12];
    int results[12];

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        t[i] = start_on(i % 2 + 1, stay, (void *)(uintptr_t)(i % 2 + 1));
        t[6 + i] = start_movable(wander, &moves);
    }
    assert_int_equal(coop_gather(t, 12, results, COOP_NEVER), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(results[i], 0);
    assert_true(atomic_load(&moves) > 0);
}

static int count_one(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
    return coop_yield();
}

static void more_movable_ones_than_a_queue_holds_all_run(void **state)
{
    static atomic_int count;
    enum { N = 2000 };

    (void)state;
    atomic_store(&count, 0);
    for (int i = 0; i < N; i++)
        assert_int_equal(coop_spawn(NULL, count_one, &count, &(struct coop_attr){ .movable = true, .stack_size = 16 << 10 }), 0);
    assert_int_equal(coop_run(COOP_NEVER), 0);
    assert_int_equal(atomic_load(&count), N);
}

static int pass_on(void *arg)
{
    const struct table *t = arg;
    intptr_t word;
    int rc;

    while ((rc = coop_chan_recv(t->to, &word, COOP_NEVER)) == 0 && (rc = coop_chan_send(t->from, word + 1, COOP_NEVER)) == 0)
        ;
    return rc;
}

static void values_pass_through_a_chain_of_movable_tasklets_in_order(void **state)
{
    enum { N = 20 };
    struct table link[N];
    coop_task *t[N];
    coop_chan *c[N + 1];
    coop_task *sender;
    intptr_t word;

    (void)state;
    for (int i = 0; i <= N; i++)
        c[i] = channel((size_t)i % 3);
    for (int i = 0; i < N; i++) {
        link[i] = (struct table){ c[i], c[i + 1], 0 };
        t[i] = start_movable(pass_on, &link[i]);
    }
    sender = start_movable(send_numbers, c[0]);
    for (intptr_t i = 1; i <= MANY; i++) {
        assert_int_equal(coop_chan_recv(c[N], &word, COOP_NEVER), 0);
        assert_int_equal(word, i + N);
    }
    assert_int_equal(joined(sender), 0);
    for (int i = 0; i < N; i++) {
        assert_int_equal(coop_cancel(t[i]), 0);
        assert_int_equal(joined(t[i]), -ECANCELED);
    }
    for (int i = 0; i <= N; i++)
        assert_int_equal(coop_chan_free(c[i]), 0);
}

/* ---- what belongs to one thread state -------------------------------------------------------------------------------------------- */

struct objects {
    coop_mutex *mutex;
    coop_rwlock *rwlock;
    coop_sem *sem;
    coop_event *event;
    coop_cond *cond;
    coop_barrier *barrier;
    coop_waitgroup *waitgroup;
    coop_timer *timer;
    coop_gen *gen;
    coop_scope *scope;
    unsigned key;
    coop_task *parked, *stranger;
};

static int generate(coop_gen *g, void *arg)
{
    (void)arg;
    return coop_gen_yield(g, 1, NULL);
}

#define REFUSED(call)                                                                                                                      \
    if ((call) != -EXDEV)                                                                                                                  \
    return __LINE__

static int use_them_all(void *arg)
{
    struct objects *o = arg;
    intptr_t word;

    REFUSED(coop_mutex_lock(o->mutex, COOP_NEVER));
    REFUSED(coop_mutex_unlock(o->mutex));
    REFUSED(coop_mutex_free(o->mutex));
    REFUSED(coop_rwlock_read(o->rwlock, COOP_NEVER));
    REFUSED(coop_rwlock_write(o->rwlock, COOP_NEVER));
    REFUSED(coop_rwlock_unlock(o->rwlock));
    REFUSED(coop_rwlock_free(o->rwlock));
    REFUSED(coop_sem_wait(o->sem, COOP_NEVER));
    REFUSED(coop_sem_post(o->sem));
    REFUSED(coop_sem_free(o->sem));
    REFUSED(coop_event_wait(o->event, COOP_NEVER));
    REFUSED(coop_event_set(o->event));
    REFUSED(coop_event_clear(o->event));
    REFUSED(coop_event_free(o->event));
    REFUSED(coop_cond_wait(o->cond, o->mutex, COOP_NEVER));
    REFUSED(coop_cond_signal(o->cond));
    REFUSED(coop_cond_broadcast(o->cond));
    REFUSED(coop_cond_free(o->cond));
    REFUSED(coop_barrier_wait(o->barrier, COOP_NEVER));
    REFUSED(coop_barrier_free(o->barrier));
    REFUSED(coop_waitgroup_add(o->waitgroup, 1));
    REFUSED(coop_waitgroup_done(o->waitgroup));
    REFUSED(coop_waitgroup_wait(o->waitgroup, COOP_NEVER));
    REFUSED(coop_waitgroup_free(o->waitgroup));
    REFUSED(coop_timer_set(o->timer, coop_after(1000), 0));
    REFUSED(coop_timer_stop(o->timer));
    REFUSED(coop_timer_free(o->timer));
    REFUSED(coop_gen_next(o->gen, &word));
    REFUSED(coop_gen_send(o->gen, 1, &word));
    REFUSED(coop_gen_throw(o->gen, -EILSEQ, &word));
    REFUSED(coop_gen_close(o->gen));
    REFUSED(coop_gen_free(o->gen));
    REFUSED(coop_scope_join(o->scope, COOP_NEVER));
    REFUSED(coop_scope_cancel(o->scope));
    REFUSED(coop_scope_close(o->scope));
    REFUSED(coop_spawn(NULL, seven, NULL, &(struct coop_attr){ .scope = o->scope }));
    REFUSED(coop_key_set(o->key, o));
    REFUSED(coop_yield_to(o->stranger));
    if (coop_key_get(o->key) != NULL || coop_sem_value(o->sem) != 0 || coop_event_is_set(o->event) ||
        coop_scope_failures(o->scope, NULL) != 0)
        return __LINE__;
    return 0;
}

static void make_them_all(struct objects *o)
{
    assert_int_equal(coop_mutex_new(&o->mutex), 0);
    assert_int_equal(coop_rwlock_new(&o->rwlock), 0);
    assert_int_equal(coop_sem_new(3, &o->sem), 0);
    assert_int_equal(coop_event_new(&o->event), 0);
    assert_int_equal(coop_event_set(o->event), 0);
    assert_int_equal(coop_cond_new(&o->cond), 0);
    assert_int_equal(coop_barrier_new(1, &o->barrier), 0);
    assert_int_equal(coop_waitgroup_new(&o->waitgroup), 0);
    assert_int_equal(coop_timer_new(seven, NULL, &o->timer), 0);
    assert_int_equal(coop_gen_new(generate, NULL, &o->gen), 0);
    assert_int_equal(coop_scope_new(&o->scope, COOP_NEVER), 0);
    assert_int_equal(coop_key_new(&o->key, NULL), 0);
    assert_int_equal(coop_key_set(o->key, o), 0);
    o->stranger = start(park_for_ever, NULL);
}

static void free_them_all(struct objects *o)
{
    intptr_t word;

    assert_int_equal(coop_gen_next(o->gen, &word), 0);
    assert_int_equal(coop_mutex_free(o->mutex), 0);
    assert_int_equal(coop_rwlock_free(o->rwlock), 0);
    assert_int_equal(coop_sem_free(o->sem), 0);
    assert_int_equal(coop_event_free(o->event), 0);
    assert_int_equal(coop_cond_free(o->cond), 0);
    assert_int_equal(coop_barrier_free(o->barrier), 0);
    assert_int_equal(coop_waitgroup_free(o->waitgroup), 0);
    assert_int_equal(coop_timer_free(o->timer), 0);
    assert_int_equal(coop_gen_free(o->gen), 0);
    assert_int_equal(coop_scope_close(o->scope), 0);
    assert_ptr_equal(coop_key_get(o->key), o);
    assert_int_equal(coop_cancel(o->stranger), 0);
    assert_int_equal(joined(o->stranger), -ECANCELED);
}

static void what_belongs_to_one_thread_state_is_refused_on_another(void **state)
{
    struct objects o = { 0 };

    (void)state;
    make_them_all(&o);
    assert_int_equal(ask(2, use_them_all, &o), 0);
    free_them_all(&o);
}

static int movable_limits(void *arg)
{
    coop_scope *s;
    unsigned key;

    (void)arg;
    if (coop_key_new(&key, NULL) != 0)
        return __LINE__;
    REFUSED(coop_key_set(key, &key));
    REFUSED(coop_scope_new(&s, COOP_NEVER));
    return 0;
}

static void a_movable_tasklet_has_no_keys_and_no_scopes_and_is_in_none(void **state)
{
    coop_scope *s;

    (void)state;
    assert_int_equal(joined(start_movable(movable_limits, NULL)), 0);
    assert_int_equal(coop_scope_new(&s, COOP_NEVER), 0);
    assert_int_equal(coop_spawn(NULL, seven, NULL, &(struct coop_attr){ .scope = s, .thread = 2 }), -EXDEV);
    assert_int_equal(coop_spawn(NULL, seven, NULL, &(struct coop_attr){ .scope = s, .movable = true }), -EXDEV);
    assert_int_equal(coop_scope_close(s), 0);
}

static int scope_here(void *arg)
{
    coop_scope *s;
    int rc;

    (void)arg;
    if (coop_scope_new(&s, coop_after(2000)) != 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (coop_spawn(NULL, sleep_long, NULL, &(struct coop_attr){ .scope = s }) != 0)
            return -2;
    rc = coop_scope_join(s, COOP_NEVER);
    return rc == 0 ? coop_scope_close(s) : rc;
}

static void scopes_timers_and_generators_work_on_any_thread_that_made_them(void **state)
{
    (void)state;
    assert_int_equal(ask(2, scope_here, NULL), 0);
}

struct once {
    coop_once once;
    coop_chan *go;
    atomic_int count;
};

static int once_fn(void *arg)
{
    struct once *o = arg;
    intptr_t word;

    atomic_fetch_add(&o->count, 1);
    return coop_chan_recv(o->go, &word, COOP_NEVER);
}

static int run_once(void *arg)
{
    struct once *o = arg;

    return coop_once_run(&o->once, once_fn, o, COOP_NEVER);
}

static void a_once_is_refused_while_it_runs_elsewhere_and_done_for_everybody(void **state)
{
    struct once o = { .go = channel(0) };
    coop_task *t = start_on(2, run_once, &o), *behind;

    (void)state;
    until_waiting(o.go, -1);
    behind = start_on(2, run_once, &o);
    assert_int_equal(coop_once_run(&o.once, once_fn, &o, COOP_NEVER), -EXDEV);
    assert_int_equal(coop_chan_send(o.go, 1, COOP_NEVER), 0);
    assert_int_equal(joined(t), 0);
    assert_int_equal(joined(behind), 0);
    assert_int_equal(coop_once_run(&o.once, once_fn, &o, COOP_NEVER), 0);
    assert_int_equal(atomic_load(&o.count), 1);
    assert_int_equal(coop_chan_free(o.go), 0);
}

static int context_value(void *arg)
{
    return coop_context_get(arg) == arg ? 0 : -EINVAL;
}

static void a_context_is_inherited_across_threads(void **state)
{
    static const char name = 'n';
    coop_task *t[20];

    (void)state;
    assert_int_equal(coop_context_set(&name, (void *)(uintptr_t)&name), 0);
    for (unsigned i = 0; i < 20; i++)
        t[i] = start_on(i % 2 + 1, context_value, (void *)(uintptr_t)&name);
    for (int i = 0; i < 20; i++)
        assert_int_equal(joined(t[i]), 0);
}

/* ---- deadlock -------------------------------------------------------------------------------------------------------------------- */

static void when_all_threads_wait_for_ever_main_is_told_at_once(void **state)
{
    coop_chan *c = channel(0);
    intptr_t word;

    (void)state;
    for (unsigned i = 0; i < 6; i++)
        (void)start_on(i % 3 + 1, wait_for_close, c);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_run(COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_park(NULL, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_chan_balance(c), -6);
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_chan_free(c), 0);
}

static int sleep_and_send(void *arg)
{
    int rc = coop_sleep_until(coop_after(20000));

    return rc != 0 ? rc : coop_chan_send(arg, 9, COOP_NEVER);
}

static void a_sleeper_on_another_thread_is_hope(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t = start_on(2, sleep_and_send, c);
    intptr_t word;

    (void)state;
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), 0);
    assert_int_equal(word, 9);
    assert_int_equal(joined(t), 0);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -EDEADLK);
    assert_int_equal(coop_chan_free(c), 0);
}

struct pipe_to_chan {
    int fd;
    coop_chan *c;
};

static int wait_and_send(void *arg)
{
    const struct pipe_to_chan *p = arg;
    int rc = coop_fd_wait(p->fd, COOP_READABLE, COOP_NEVER);

    return rc != COOP_READABLE ? -EINVAL : coop_chan_send(p->c, 9, COOP_NEVER);
}

static int write_later(void *arg)
{
    int rc = coop_sleep_until(coop_after(5000));

    return rc == 0 && write((int)(intptr_t)arg, "x", 1) == 1 ? 0 : -EIO;
}

static void a_descriptor_on_another_thread_is_hope(void **state)
{
    struct pipe_to_chan p = { .c = channel(0) };
    coop_task *t, *w;
    intptr_t word;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    p.fd = fds[0];
    t = start_on(3, wait_and_send, &p);
    w = start_on(2, write_later, (void *)(intptr_t)fds[1]);
    assert_int_equal(coop_chan_recv(p.c, &word, COOP_NEVER), 0);
    assert_int_equal(joined(t), 0);
    assert_int_equal(joined(w), 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(coop_chan_free(p.c), 0);
}

static void coop_finish_ends_whatever_waits_on_any_thread(void **state)
{
    static atomic_int count;
    coop_chan *c;

    (void)state;
    atomic_store(&count, 0);
    assert_int_equal(init_threads(4), 0);
    c = channel(0);
    for (unsigned i = 0; i < 40; i++) {
        static const coop_fn fns[] = { wait_for_close, park_for_ever, sleep_long, send_five };

        (void)start_on(i % 4 + 1, fns[i % 4 + (i % 4 == 3 && i % 8 == 3 ? -3 : 0)], c);
        assert_int_equal(coop_spawn(NULL, count_one, &count, &(struct coop_attr){ .movable = true }), 0);
    }
    assert_int_equal(coop_finish(), 0);
    assert_in_range(atomic_load(&count), 0, 40);
    assert_int_equal(coop_chan_balance(c), 0);
    assert_int_equal(coop_chan_free(c), 0);
    assert_null(coop_self());
}

static int spawn_more(void *arg)
{
    coop_chan *c = arg;

    (void)coop_spawn(NULL, wait_for_close, c, &(struct coop_attr){ .thread = coop_thread() % 2 + 1 });
    return wait_for_close(c);
}

static int refuses_to_end(void *arg)
{
    coop_shield(true);
    return wait_for_close(arg);
}

static void coop_finish_says_that_some_refuse_to_end(void **state)
{
    coop_chan *c = channel(0);
    coop_task *t;

    (void)state;
    (void)start_on(2, spawn_more, c);
    t = start_on(2, refuses_to_end, c);
    assert_int_equal(coop_finish(), -EBUSY);
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(joined(t), -EPIPE);
    assert_int_equal(coop_chan_free(c), 0);
}

static int sleep_and_spawn(void *arg)
{
    int rc = sleep_long(arg);

    for (unsigned i = 0; i < 4; i++) /* they would sleep for an hour, were they not cancelled from the start */
        (void)coop_spawn(NULL, sleep_long, NULL, &(struct coop_attr){ .thread = i % 2 + 1 });
    return rc;
}

static void what_is_spawned_while_the_group_finishes_ends_too(void **state)
{
    (void)state;
    assert_int_equal(init_threads(2), 0);
    for (unsigned i = 0; i < 8; i++)
        (void)start_on(i % 2 + 1, sleep_and_spawn, NULL);
    assert_int_equal(coop_finish(), 0);
}

static void a_group_that_finds_no_descriptors_leaves_none_behind(void **state)
{
    struct rlimit before, few;
    int fd = dup(0), after;

    (void)state;
    close(fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)fd + 5;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_int_equal(init_threads(4), -EMFILE);
    assert_null(coop_self());
    after = dup(0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(after, fd);
    close(after);
    assert_int_equal(init_threads(4), 0);
    assert_int_equal(ask(4, own_thread, NULL), 4);
    assert_int_equal(coop_finish(), 0);
}

static struct sched *first;
static volatile sig_atomic_t handled_on;

static void interrupt(int signo)
{
    (void)signo;
    handled_on = (sig_atomic_t)coop_thread();
    sched_interrupt(first);
}

static void a_signal_comes_to_the_first_thread_and_cancels_those_on_all(void **state)
{
    const struct itimerval soon_ = { .it_value.tv_usec = 20000 };
    coop_chan *c = channel(0);
    coop_task *t[2] = { start_on(2, sleep_long, NULL), start_on(3, wait_for_close, c) };
    intptr_t word;

    (void)state;
    first = sched;
    handled_on = 0;
    signal(SIGALRM, interrupt);
    assert_int_equal(setitimer(ITIMER_REAL, &soon_, NULL), 0);
    assert_int_equal(coop_chan_recv(c, &word, COOP_NEVER), -ECANCELED);
    assert_int_equal(handled_on, 1);
    coop_shield(true);
    assert_int_equal(joined(t[0]), -ECANCELED);
    assert_int_equal(joined(t[1]), -ECANCELED);
    signal(SIGALRM, SIG_DFL);
    assert_int_equal(coop_chan_free(c), 0);
}

static void a_backtrace_names_the_tasklets_of_all_threads(void **state)
{
    coop_chan *c = channel(0);
    char text[4096] = "";
    int fds[2];
    coop_task *t[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(coop_spawn(&t[0], wait_for_close, c, &(struct coop_attr){ .name = "here" }), 0);
    assert_int_equal(coop_spawn(&t[1], wait_for_close, c, &(struct coop_attr){ .name = "there", .thread = 2 }), 0);
    until_waiting(c, -2);
    coop_backtrace(fds[1], 4);
    assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
    assert_non_null(strstr(text, "main [running]"));
    assert_non_null(strstr(text, "here [chan recv]"));
    assert_non_null(strstr(text, "there [of thread 2]"));
    assert_int_equal(coop_chan_close(c), 0);
    assert_int_equal(coop_gather(t, 2, NULL, COOP_NEVER), 0);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(coop_chan_free(c), 0);
}

/* ---- everything at once ---------------------------------------------------------------------------------------------------------- */

enum { CHANNELS = 5, ACTORS = 12 };

struct bedlam {
    coop_chan *c[CHANNELS];
    atomic_long in, out, n_in, n_out;
    unsigned seed;
    _Atomic(coop_task *) actors[ACTORS];
};

struct actor {
    struct bedlam *b;
    unsigned seed;
    int index;
};

static void count(struct bedlam *b, bool sent, intptr_t word)
{
    atomic_fetch_add(sent ? &b->in : &b->out, word);
    atomic_fetch_add(sent ? &b->n_in : &b->n_out, 1);
}

static int act_select(struct actor *a)
{
    struct coop_clause c[4];
    size_t n = (size_t)rand_r(&a->seed) % 4 + 1;
    int64_t deadline = coop_after(rand_r(&a->seed) % 3000);
    int k;

    for (size_t i = 0; i < n; i++)
        c[i] = (struct coop_clause){ .op = rand_r(&a->seed) % 2 == 0 ? COOP_SEND : COOP_RECV,
                                     .chan = a->b->c[rand_r(&a->seed) % CHANNELS],
                                     .word = rand_r(&a->seed) % 1000 };
    k = coop_select(c, n, (enum coop_select_policy)(rand_r(&a->seed) % 3), deadline);
    if (k >= 0 && c[k].rc == 0)
        count(a->b, c[k].op == COOP_SEND, c[k].word);
    return k >= 0 ? c[k].rc : k;
}

static int act_chan(struct actor *a)
{
    coop_chan *c = a->b->c[rand_r(&a->seed) % CHANNELS];
    int64_t deadline = coop_after(rand_r(&a->seed) % 3000);
    bool send = rand_r(&a->seed) % 2 == 0;
    intptr_t word = rand_r(&a->seed) % 1000;
    int rc = send ? coop_chan_send(c, word, deadline) : coop_chan_recv(c, &word, deadline);

    if (rc == 0)
        count(a->b, send, word);
    return rc;
}

static int act(struct actor *a)
{
    switch (rand_r(&a->seed) % 8) {
    case 0: return coop_sleep_until(coop_after(rand_r(&a->seed) % 2000));
    case 1: return coop_yield();
    case 2: return coop_park(NULL, coop_after(rand_r(&a->seed) % 2000));
    case 3: (void)coop_unpark(atomic_load(&a->b->actors[rand_r(&a->seed) % ACTORS]), 1); return 0;
    case 4:
    case 5: return act_select(a);
    default: return act_chan(a);
    }
}

/* Its errors are its own: a cancel, a time-out, a try that failed, a channel that is closed. */
static int actor(void *arg)
{
    struct actor a = *(struct actor *)arg;
    int rc = 0;

    for (int i = 0; i < MANY / 4 && rc != -ECANCELED; i++) {
        rc = act(&a);
        if (rc != 0 && rc != -ETIMEDOUT && rc != -EAGAIN && rc != -ECANCELED)
            return rc;
    }
    return rc == -ECANCELED ? rc : 0;
}

static void empty(struct bedlam *b)
{
    for (int i = 0; i < CHANNELS; i++) {
        intptr_t word;

        assert_int_equal(coop_chan_balance(b->c[i]), 0);
        while (coop_chan_recv(b->c[i], &word, 0) == 0)
            count(b, false, word);
        assert_int_equal(coop_chan_free(b->c[i]), 0);
    }
}

/* Some are cancelled half way; which is up to the seed, when is up to the machine. */
static void run_bedlam(unsigned threads, unsigned seed)
{
    static struct bedlam b;
    static struct actor actors[ACTORS];
    coop_task *t[ACTORS];

    print_message("seed %u, %u threads\n", seed, threads);
    assert_int_equal(init_threads(threads), 0);
    b = (struct bedlam){ .seed = seed };
    for (unsigned i = 0; i < CHANNELS; i++)
        b.c[i] = channel(i % 3);
    for (unsigned i = 0; i < ACTORS; i++)
        atomic_store(&b.actors[i], coop_main());
    for (unsigned i = 0; i < ACTORS; i++) {
        struct coop_attr attr = { .thread = (unsigned)rand_r(&seed) % threads + 1, .movable = rand_r(&seed) % 2 == 0 };

        actors[i] = (struct actor){ &b, (unsigned)rand_r(&seed), (int)i };
        assert_int_equal(coop_spawn(&t[i], actor, &actors[i], &attr), 0);
        atomic_store(&b.actors[i], t[i]);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(coop_sleep_until(coop_after(rand_r(&seed) % 20000)), 0);
        assert_int_equal(coop_cancel(t[(unsigned)rand_r(&seed) % ACTORS]), 0);
    }
    assert_int_equal(coop_run(COOP_NEVER), 0); /* all have ended before the first is freed: they unpark each other */
    for (int i = 0; i < ACTORS; i++) {
        int result = joined(t[i]);

        assert_true(result == 0 || result == -ECANCELED);
    }
    empty(&b);
    assert_int_equal(atomic_load(&b.n_in), atomic_load(&b.n_out));
    assert_int_equal(atomic_load(&b.in), atomic_load(&b.out));
    assert_int_equal(coop_finish(), 0);
}

static void whatever_they_do_each_value_is_received_once(void **state)
{
    const char *given = getenv("TASK_SEED");
    unsigned seed = given != NULL ? (unsigned)strtoul(given, NULL, 10) : (unsigned)coop_now();

    (void)state;
    for (unsigned threads = 2; threads <= 4; threads++)
        run_bedlam(threads, seed + threads);
}

static int ends_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void one_that_has_ended_is_not_unparked(void **state)
{
    coop_task *t = start_on(2, ends_at_once, NULL);

    (void)state;
    assert_int_equal(coop_wait_first(&t, 1, COOP_NEVER), 0);
    assert_int_equal(coop_unpark(t, 1), -EINVAL);
    assert_int_equal(joined(t), 0);
}

/* Cancelled, it gives the whole program up, and then needs some turns. */
static int cancels_main_and_tidies(void *arg)
{
    (void)coop_park(NULL, COOP_NEVER);
    (void)coop_cancel(arg);
    coop_shield(true);
    for (int i = 0; i < 5; i++)
        (void)coop_sleep_until(coop_after(1000));
    coop_shield(false);
    return 0;
}

static void a_cancelled_main_still_waits_for_those_that_tidy_up(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        assert_int_equal(init_threads(threads), 0);
        assert_int_equal(coop_spawn(NULL, cancels_main_and_tidies, coop_main(), NULL), 0);
        assert_int_equal(coop_yield(), 0);
        assert_int_equal(coop_finish(), 0);
    }
}

/* Their memory goes home while mail for them is still under way. */
static void those_that_end_elsewhere_are_freed_once(void **state)
{
    enum { ROUNDS = 2000, CROWD = 8 };
    coop_task *t[CROWD];

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CROWD; i++)
            t[i] = start_movable(ends_at_once, NULL);
        for (int i = 0; i < CROWD; i++)
            (void)coop_cancel(t[i]);
        for (int i = 0; i < CROWD; i++)
            (void)joined(t[i]);
    }
}

#define TEST2(name) cmocka_unit_test_setup_teardown(name, setup2, task_teardown)
#define TEST3(name) cmocka_unit_test_setup_teardown(name, setup3, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST3(each_tasklet_starts_on_the_thread_it_was_given),
        TEST3(a_tasklet_of_any_thread_spawns_onto_any),
        cmocka_unit_test(senseless_numbers_of_threads_are_refused),
        cmocka_unit_test(as_many_threads_as_allowed_come_and_go),
        TEST3(no_id_is_given_twice_in_a_group),
        cmocka_unit_test(the_limit_of_tasklets_is_the_groups),
        TEST2(only_the_first_threads_main_ends_the_group),
        TEST2(one_that_has_ended_is_not_unparked),
        cmocka_unit_test(a_cancelled_main_still_waits_for_those_that_tidy_up),
        TEST3(those_that_end_elsewhere_are_freed_once),
        TEST2(a_ball_goes_to_and_fro_between_two_threads),
        TEST2(what_four_senders_on_two_threads_send_arrives_once_each),
        TEST3(a_close_ends_those_that_wait_on_other_threads),
        TEST2(an_error_travels_between_threads),
        TEST2(on_the_same_thread_a_preferred_receiver_still_runs_at_once),
        TEST2(hooks_hear_of_what_their_own_thread_does),
        cmocka_unit_test(a_channel_made_before_there_were_threads_is_refused),
        cmocka_unit_test(a_channel_outlives_its_group_and_is_refused_in_another),
        TEST3(a_select_takes_from_channels_of_senders_on_other_threads),
        TEST2(two_selects_on_two_threads_serve_each_other),
        TEST2(the_channel_a_select_did_not_choose_can_be_freed_at_once),
        TEST2(a_select_with_more_clauses_than_there_are_locks_works),
        TEST2(a_cancel_reaches_a_tasklet_of_another_thread_whatever_it_does),
        TEST2(a_shield_holds_against_another_thread),
        TEST2(an_unpark_reaches_another_thread_before_the_park_or_after_it),
        TEST3(results_of_other_threads_are_joined_gathered_and_waited_for),
        TEST3(one_joins_the_others_are_refused),
        TEST2(thousands_come_and_go_and_their_memory_goes_home),
        TEST3(a_value_is_received_once_or_its_sender_is_told_that_it_was_late),
        TEST3(movable_tasklets_that_compute_end_up_on_all_threads),
        TEST2(pinned_ones_never_move_while_movable_ones_do_and_keep_their_errno),
        TEST3(more_movable_ones_than_a_queue_holds_all_run),
        TEST3(values_pass_through_a_chain_of_movable_tasklets_in_order),
        TEST2(what_belongs_to_one_thread_state_is_refused_on_another),
        TEST2(a_movable_tasklet_has_no_keys_and_no_scopes_and_is_in_none),
        TEST2(scopes_timers_and_generators_work_on_any_thread_that_made_them),
        TEST2(a_once_is_refused_while_it_runs_elsewhere_and_done_for_everybody),
        TEST2(a_context_is_inherited_across_threads),
        cmocka_unit_test_setup(when_all_threads_wait_for_ever_main_is_told_at_once, setup3),
        TEST2(a_sleeper_on_another_thread_is_hope),
        TEST3(a_descriptor_on_another_thread_is_hope),
        cmocka_unit_test(coop_finish_ends_whatever_waits_on_any_thread),
        TEST2(coop_finish_says_that_some_refuse_to_end),
        cmocka_unit_test(what_is_spawned_while_the_group_finishes_ends_too),
        cmocka_unit_test(a_group_that_finds_no_descriptors_leaves_none_behind),
        TEST3(a_signal_comes_to_the_first_thread_and_cancels_those_on_all),
        TEST2(a_backtrace_names_the_tasklets_of_all_threads),
        cmocka_unit_test(whatever_they_do_each_value_is_received_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
