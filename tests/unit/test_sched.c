/* test_sched.c - which job is next, what keeps one back, and what is said of it; a random walk beside a model is in test_sched_random.c. */
#include <errno.h>
#include <math.h>

#include "tests/unit/sched_fixture.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- within a tenant -------------------------------------------------------------------------------------------------------------------- */

static void nothing_is_next_where_nothing_waits(void **state)
{
    struct fixture *f = *state;

    fx_tenant(f, 0, NULL, 1);
    assert_null(fx_next(f));
}

static void the_oldest_is_next_whatever_the_order_of_putting(void **state)
{
    static const unsigned keys[] = { 5, 1, 4, 2, 3 };
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);

    for (unsigned i = 0; i < LEN(keys); i++)
        fx_put_using(f, t, keys[i], NORMAL, 3, 1, NULL, 0);
    for (unsigned i = 1; i <= LEN(keys); i++)
        assert_int_equal(fx_next(f)->sched.rank.key, i);
    assert_null(fx_next(f));
    assert_int_equal(sched_running(f->s), LEN(keys));
    assert_int_equal(sched_waiting(f->s), 0);
}

static void class_comes_before_priority_and_priority_before_age(void **state)
{
    static const Pb__JobClass classes[] = { BATCH, NORMAL, INTERACTIVE };
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    unsigned key = 1;

    for (unsigned c = 0; c < LEN(classes); c++) {
        for (unsigned p = 1; p <= 5; p++)
            fx_put_using(f, t, key++, classes[c], p, 1, NULL, 0);
    }
    for (unsigned i = 0; i < 15; i++) {
        struct fx_job *j = fx_next(f);

        assert_int_equal(j->sched.rank.key, 15 - i);
        assert_int_equal(sched_job_class(&j->sched), classes[2 - i / 5]);
        assert_int_equal(sched_job_priority(&j->sched), 5 - i % 5);
    }
}

static void a_class_is_served_although_a_higher_one_never_ends(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct fx_job *batch = fx_put_using(f, t, 1, BATCH, 1, 1, NULL, 0);
    unsigned claims = 0;

    fx_put_using(f, t, 2, INTERACTIVE, 5, 1, NULL, 0);
    for (struct fx_job *j = fx_next(f); j != batch; j = fx_next(f)) {
        fx_put_using(f, t, 10 + ++claims, INTERACTIVE, 5, 1, NULL, 0);
        assert_true(claims <= SCHED_PATIENCE);
    }
    assert_int_equal(claims, SCHED_PATIENCE);
}

static void a_job_that_is_moved_takes_its_place_by_age(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct fx_job *a = fx_put(f, t), *b = fx_put(f, t), *c = fx_put(f, t);

    assert_int_equal(sched_move(f->s, &c->sched, NORMAL, 5, f->now), 0);
    assert_int_equal(sched_move(f->s, &b->sched, NORMAL, 5, f->now), 0);
    assert_ptr_equal(fx_next(f), b);
    assert_ptr_equal(fx_next(f), c);
    assert_ptr_equal(fx_next(f), a);
}

static void a_job_that_is_taken_away_is_not_next(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct fx_job *a = fx_put(f, t), *b = fx_put(f, t);

    assert_int_equal(sched_put(f->s, &a->sched, NORMAL, 3, f->now), -EBUSY);
    sched_take(f->s, &a->sched, f->now);
    sched_take(f->s, &a->sched, f->now); /* does not wait: nothing */
    assert_false(sched_waits(&a->sched));
    assert_ptr_equal(fx_next(f), b);
    assert_null(fx_next(f));
}

/* ---- between tenants -------------------------------------------------------------------------------------------------------------------- */

/* So many claims, one after the other, where there is always work of each; each job costs what cost() says. */
static void saturate(struct fixture *f, unsigned tenants, unsigned claims, double had[], float (*cost)(unsigned tenant, unsigned i))
{
    for (unsigned i = 0; i < tenants; i++)
        had[i] = 0;
    for (unsigned i = 0; i < tenants; i++)
        fx_put_using(f, &f->t[i], i + 1, NORMAL, 3, cost(i, 0), NULL, 0);
    for (unsigned i = 0; i < claims; i++) {
        struct fx_job *j = fx_next(f);
        unsigned t = (unsigned)(j->sched.uses->tenant - f->t);

        had[t] += j->sched.cost;
        fx_done(f, j);
        j->sched.cost = cost(t, i);
        j->sched.rank.key = 100 + i;
        assert_int_equal(sched_put(f->s, &j->sched, NORMAL, 3, f->now), 0);
    }
}

static float cost_of_one(unsigned tenant, unsigned i)
{
    (void)tenant;
    (void)i;
    return 1;
}

/* Tenants whose jobs are of very different size: a hundred times between the smallest and the largest. */
static float cost_of_very_different_jobs(unsigned tenant, unsigned i)
{
    return (float)(1 + tenant * 10 + i % 3 * 3) / 10;
}

static void assert_shares(const double had[], const double entitled[], unsigned n)
{
    double sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += had[i];
    for (unsigned i = 0; i < n; i++) {
        if (fabs(had[i] / sum / entitled[i] - 1) > 0.02)
            fail_msg("tenant %u had %.4f and is entitled to %.4f", i, had[i] / sum, entitled[i]);
    }
}

static void shares_follow_the_weights_1_2_5(void **state)
{
    static const double entitled[] = { 1 / 8.0, 2 / 8.0, 5 / 8.0 };
    struct fixture *f = *state;
    double had[3];

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 2);
    fx_tenant(f, 2, NULL, 5);
    saturate(f, 3, 8000, had, cost_of_one);
    assert_shares(had, entitled, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(fabs(sched_share(f->s, &f->t[i], f->now) - entitled[i]) < 0.02 * entitled[i]);
        assert_true(fabs(sched_entitled(f->s, &f->t[i]) - entitled[i]) < 1e-9);
    }
}

static void shares_are_of_what_jobs_cost_not_of_their_number(void **state)
{
    static const double entitled[] = { 1 / 8.0, 2 / 8.0, 5 / 8.0 };
    struct fixture *f = *state;
    double had[3];

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 2);
    fx_tenant(f, 2, NULL, 5);
    saturate(f, 3, 50000, had, cost_of_very_different_jobs);
    assert_shares(had, entitled, 3);
}

static void shares_are_given_to_a_parent_first_then_to_its_children(void **state)
{
    /* a 1; b 3 with children c 1, d 2 and jobs of its own (1) */
    static const double entitled[] = { 1 / 4.0, 3 / 16.0, 3 / 16.0, 6 / 16.0 };
    struct fixture *f = *state;
    struct sched_tenant *b;
    double had[4];

    fx_tenant(f, 0, NULL, 1);
    b = fx_tenant(f, 1, NULL, 3);
    fx_tenant(f, 2, b, 1);
    fx_tenant(f, 3, b, 2);
    saturate(f, 4, 16000, had, cost_of_one);
    assert_shares(had, entitled, 4);
    assert_true(fabs(sched_entitled(f->s, &f->t[3]) - 6 / 16.0) < 1e-9);
    assert_true(fabs(sched_entitled(f->s, b) - 3 / 4.0) < 1e-9);
}

static void a_tenant_that_was_away_has_saved_up_nothing(void **state)
{
    struct fixture *f = *state;
    unsigned of_b = 0;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    for (unsigned i = 0; i < 300; i++)
        fx_put(f, &f->t[0]);
    for (unsigned i = 0; i < 100; i++)
        fx_done(f, fx_next(f));
    for (unsigned i = 0; i < 100; i++)
        fx_put(f, &f->t[1]);
    for (unsigned i = 0; i < 100; i++)
        of_b += fx_next(f)->sched.uses->tenant == &f->t[1];
    assert_in_range(of_b, 49, 51);
}

static void one_job_of_a_small_tenant_is_next_but_one_behind_a_thousand_of_a_big_one(void **state)
{
    struct fixture *f = *state;
    struct fx_job *small;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    for (unsigned i = 0; i < 1000; i++)
        fx_put(f, &f->t[0]);
    for (unsigned i = 0; i < 10; i++)
        fx_next(f);
    small = fx_put(f, &f->t[1]);
    assert_true(fx_next(f) == small || fx_next(f) == small);
}

static void what_was_estimated_too_high_is_given_back(void **state)
{
    struct fixture *f = *state;
    double had[2] = { 0, 0 };

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    for (unsigned i = 0; i < 1000; i++) { /* the first says 10 and uses 1, the second says 1 and uses 1 */
        fx_put_using(f, &f->t[0], 1 + i, NORMAL, 3, 10, NULL, 0);
        fx_put_using(f, &f->t[1], 1 + i, NORMAL, 3, 1, NULL, 0);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct fx_job *j = fx_next(f);

        had[j->sched.uses->tenant - f->t] += 1;
        sched_done(f->s, j->sched.uses, j->sched.cost, j->sched.charged, 1, f->now);
    }
    assert_true(fabs(had[0] - had[1]) < 20);
    assert_true(fabs(sched_tenant_usage(f->s, &f->t[0], f->now) - had[0]) < 1e-6);
}

static void estimates_that_turn_out_wrong_are_corrected(void **state)
{
    struct fixture *f = *state;
    struct fx_job *j = NULL;

    fx_tenant(f, 0, NULL, 1);
    for (unsigned i = 0; i < 400; i++) {
        fx_put_using(f, &f->t[0], 1 + i, NORMAL, 3, 10, NULL, 0);
        j = fx_next(f);
        sched_done(f->s, j->sched.uses, j->sched.cost, j->sched.charged, 0.5, f->now);
    }
    assert_true(fabs(j->sched.charged - 0.5) < 0.01);
    assert_true(j->sched.cost == 10);
    fx_put_using(f, &f->t[0], 500, NORMAL, 3, 10, NULL, 0);
    j = fx_next(f);
    sched_done(f->s, j->sched.uses, j->sched.cost, j->sched.charged, 0, f->now); /* came to nothing: nothing is learned */
    assert_true(fabs(f->t[0].factor - 0.05) < 0.001);
}

static void a_settlement_gives_no_credit_from_a_time_without_work(void **state)
{
    struct fixture *f = *state;
    struct fx_job *long_one;
    unsigned of_a = 0;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    long_one = fx_put_using(f, &f->t[0], 1, NORMAL, 3, 1000, NULL, 0);
    assert_ptr_equal(fx_next(f), long_one);
    for (unsigned i = 0; i < 1500; i++)
        fx_put(f, &f->t[1]);
    for (unsigned i = 0; i < 900; i++)
        fx_done(f, fx_next(f));
    for (unsigned i = 0; i < 200; i++) /* only now it has work again */
        fx_put(f, &f->t[0]);
    sched_done(f->s, long_one->sched.uses, 1000, 1000, 1, f->now);
    for (unsigned i = 0; i < 100; i++)
        of_a += fx_next(f)->sched.uses->tenant == &f->t[0];
    assert_in_range(of_a, 48, 52);
}

/* The first says of each job a thousand times what it uses, and has many running when the second comes. */
static void high_estimates_of_what_runs_do_not_set_back_who_comes_then(void **state)
{
    enum { SLOTS = 32 };
    struct fixture *f = *state;
    struct fx_job *running[SLOTS];
    unsigned of_b = 0;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    for (unsigned i = 0; i < 1000; i++)
        fx_put_using(f, &f->t[0], 1 + i, NORMAL, 3, 10, NULL, 0);
    for (unsigned i = 0; i < SLOTS; i++)
        running[i] = fx_next(f);
    for (unsigned i = 0; i < 1000; i++)
        fx_put_using(f, &f->t[1], 1 + i, NORMAL, 3, 10, NULL, 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct fx_job *done = running[i % SLOTS];

        sched_done(f->s, done->sched.uses, done->sched.cost, done->sched.charged, 0.01, f->now);
        running[i % SLOTS] = fx_next(f);
        of_b += running[i % SLOTS]->sched.uses->tenant == &f->t[1];
    }
    assert_in_range(of_b, 480, 520); /* until it has as many running as the other, all are its */
}

static void usage_and_what_a_tenant_is_ahead_halve_with_the_half_life(void **state)
{
    struct fixture *f = *state;
    double lead;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    fx_put(f, &f->t[1]);
    fx_put_using(f, &f->t[0], 1, NORMAL, 3, 64, NULL, 0);
    fx_next(f);
    fx_next(f);
    lead = f->t[0].node.vtime;
    assert_true(lead == 64);
    f->now += SCHED_HALF_LIFE_US + SCHED_HALF_LIFE_US / 64 + 1;
    assert_null(fx_next(f));
    assert_true(fabs(sched_tenant_usage(f->s, &f->t[0], f->now) / 64 - 0.5) < 0.01);
    assert_true(fabs(f->t[0].node.vtime / 64 - 0.5) < 0.01);
    assert_true(fabs(sched_share(f->s, &f->t[0], f->now) - 64 / 65.0) < 1e-6); /* everybody's halves */
}

static void what_a_tenant_has_had_can_be_put_back(void **state)
{
    struct fixture *f = *state;

    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    sched_tenant_restore(f->s, &f->t[0], 8, SCHED_HALF_LIFE_US, f->now);
    sched_tenant_restore(f->s, &f->t[1], 12, 0, f->now);
    sched_tenant_restore(f->s, &f->t[1], NAN, 0, f->now);
    assert_true(fabs(sched_share(f->s, &f->t[0], f->now) - 0.25) < 1e-9);
}

static void the_cost_is_that_of_the_dominant_resource(void **state)
{
    (void)state;
    assert_true(fabs(sched_cost(1, 4, 1, 2, 32, 10) - 5) < 1e-9);     /* half of the memory */
    assert_true(fabs(sched_cost(3, 4, 1, 100, 32, 10) - 7.5) < 1e-9); /* three of four CPUs */
    assert_true(fabs(sched_cost(9, 4, 1, 100, 32, 10) - 10) < 1e-9);
    assert_true(fabs(sched_cost(0, 4, 0, 100, 2, 10) - 5) < 1e-9); /* it slept, in one of two slots */
    assert_true(fabs(sched_cost(0, 4, 0, 100, 0, 10) - 10) < 1e-9);
    assert_true(sched_cost(1, 4, 1, 2, 32, 0) == SCHED_COST_MIN);
}

static void a_weight_that_is_none_is_refused(void **state)
{
    static const double bad[] = { 0, -1, NAN, INFINITY, SCHED_WEIGHT_MIN / 2, SCHED_WEIGHT_MAX * 2 };
    struct fixture *f = *state;

    fx_tenant(f, 0, NULL, 1);
    for (unsigned i = 0; i < LEN(bad); i++) {
        assert_int_equal(sched_tenant_add(f->s, &f->t[1], NULL, bad[i], f->now), -EINVAL);
        assert_int_equal(sched_tenant_set_weight(f->s, &f->t[0], bad[i]), -EINVAL);
    }
    assert_int_equal(sched_tenant_set_weight(f->s, &f->t[0], 7), 0);
}

static void a_tenant_with_jobs_children_or_held_sets_is_not_removed(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *a = fx_tenant(f, 0, NULL, 1), *b = fx_tenant(f, 1, a, 1);
    struct fx_job *j = fx_put(f, b);

    assert_int_equal(sched_tenant_remove(f->s, a), -EBUSY);
    assert_int_equal(sched_tenant_remove(f->s, b), -EBUSY);
    assert_ptr_equal(fx_next(f), j);
    assert_int_equal(sched_tenant_remove(f->s, b), -EBUSY);
    fx_done(f, j);
    assert_int_equal(sched_tenant_remove(f->s, b), -EBUSY);
    sched_uses_drop(f->s, j->sched.uses);
    assert_int_equal(sched_tenant_remove(f->s, b), 0);
    assert_int_equal(sched_tenant_remove(f->s, a), 0);
}

/* ---- gates ------------------------------------------------------------------------------------------------------------------------------ */

static void no_more_run_than_max_running_says_here_and_above(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *a = fx_tenant(f, 0, NULL, 1), *b = fx_tenant(f, 1, a, 1), *c = fx_tenant(f, 2, a, 1);
    struct fx_job *first;

    sched_tenant_set_max_running(f->s, a, 3);
    sched_tenant_set_max_running(f->s, b, 1);
    for (unsigned i = 0; i < 5; i++) {
        fx_put(f, b);
        fx_put(f, c);
    }
    first = fx_next(f);
    for (unsigned i = 0; i < 2; i++)
        assert_non_null(fx_next(f));
    assert_null(fx_next(f));
    assert_int_equal(a->running, 3);
    assert_int_equal(b->running, 1);
    fx_done(f, first);
    assert_non_null(fx_next(f));
    assert_null(fx_next(f));
    sched_tenant_set_max_running(f->s, a, 0);
    while (fx_next(f) != NULL)
        ;
    assert_int_equal(c->running + b->running, a->running);
    assert_int_equal(b->running, 1);
    assert_int_equal(c->waiting, 0);
}

static void a_blocked_tenant_waits_until_its_block_ends(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *a = fx_tenant(f, 0, NULL, 1), *b = fx_tenant(f, 1, a, 1);
    struct fx_job *j = fx_put(f, b);

    sched_tenant_block(f->s, a, SCHED_QUOTA_CPU_DAY, f->now + 500);
    sched_tenant_block(f->s, b, SCHED_SUSPENDED, SCHED_NEVER);
    assert_null(fx_next(f));
    assert_int_equal(sched_wake_us(f->s), f->now + 500);
    f->now += 500;
    assert_null(fx_next(f));
    assert_int_equal(sched_wake_us(f->s), SCHED_NEVER);
    sched_tenant_block(f->s, b, SCHED_SUSPENDED, 0);
    assert_ptr_equal(fx_next(f), j);
}

static void a_full_limiter_keeps_back_only_those_that_use_it(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter db;
    struct sched_use one = { &db, 1 };
    struct fx_job *a, *b, *c, *d;

    sched_limiter_init(&db, "LIMITER:db", 1, false);
    a = fx_put_using(f, t, 1, NORMAL, 3, 1, &one, 1);
    b = fx_put_using(f, t, 2, NORMAL, 3, 1, &one, 1);
    c = fx_put_using(f, t, 3, NORMAL, 3, 1, &one, 1);
    d = fx_put_using(f, t, 4, NORMAL, 3, 1, NULL, 0);
    assert_int_equal(db.jobs, 3);
    assert_ptr_equal(fx_next(f), a);
    assert_ptr_equal(fx_next(f), d);
    assert_null(fx_next(f));
    assert_int_equal(db.used, 1);
    assert_int_equal(db.jobs, 2);
    fx_done(f, a);
    assert_ptr_equal(fx_next(f), b);
    assert_null(fx_next(f));
    sched_limiter_set(f->s, &db, 2);
    assert_ptr_equal(fx_next(f), c);
}

static void who_needs_many_places_is_not_passed_at_its_limiter_for_ever(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter l;
    struct sched_use one = { &l, 1 }, three = { &l, 3 };
    struct fx_job *running[3], *big;

    sched_limiter_init(&l, "LIMITER:l", 3, false);
    for (unsigned i = 0; i < 3; i++)
        fx_put_using(f, t, 1 + i, NORMAL, 3, 1, &one, 1);
    for (unsigned i = 0; i < 3; i++)
        running[i] = fx_next(f);
    big = fx_put_using(f, t, 10, NORMAL, 3, 1, &three, 1);
    for (unsigned i = 0; i < 3; i++)
        fx_put_using(f, t, 20 + i, NORMAL, 3, 1, &one, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_null(fx_next(f));
        fx_done(f, running[i]);
    }
    assert_ptr_equal(fx_next(f), big);
    assert_null(fx_next(f));
    fx_done(f, big);
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(fx_next(f));
}

static void a_low_class_at_a_limiter_is_served_although_a_higher_one_never_ends(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter l;
    struct sched_use one = { &l, 1 };
    struct fx_job *batch, *j;
    unsigned claims = 0;

    sched_limiter_init(&l, "LIMITER:l", 1, false);
    batch = fx_put_using(f, t, 1, BATCH, 1, 1, &one, 1);
    fx_put_using(f, t, 2, INTERACTIVE, 5, 1, &one, 1);
    while ((j = fx_next(f)) != batch) {
        assert_non_null(j);
        fx_put_using(f, t, 10 + ++claims, INTERACTIVE, 5, 1, &one, 1);
        assert_null(fx_next(f)); /* looks at all of them, and finds it full */
        fx_done(f, j);
        assert_true(claims <= 2 * SCHED_PATIENCE);
    }
}

/* A model's random walk found it: it was put back behind a better class, and woken again as the one that was passed too often, for ever. */
static void who_was_passed_too_often_is_so_when_it_has_been_woken_as_well(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter l;
    struct sched_use one = { &l, 1 }, two = { &l, 2 }, three = { &l, 3 };
    struct fx_job *holder[2], *low, *high;

    sched_limiter_init(&l, "LIMITER:l", 3, false);
    for (int i = 0; i < 2; i++) {
        holder[i] = fx_put_using(f, t, 1 + (unsigned)i, INTERACTIVE, 3, 1, &one, 1);
        assert_ptr_equal(fx_next(f), holder[i]);
    }
    low = fx_put_using(f, t, 10, BATCH, 3, 1, &two, 1);
    assert_null(fx_next(f)); /* it waits at the limiter */
    for (unsigned i = 0; i < SCHED_PATIENCE; i++) {
        struct fx_job *j = fx_put_using(f, t, 100 + i, INTERACTIVE, 3, 1, &one, 1);

        assert_ptr_equal(fx_next(f), j);
        fx_done(f, j);
    }
    high = fx_put_using(f, t, 1000, NORMAL, 3, 1, &three, 1);
    assert_null(fx_next(f));
    fx_done(f, holder[0]);
    assert_ptr_equal(fx_next(f), low);
    fx_done(f, holder[1]);
    assert_null(fx_next(f));
    fx_done(f, low);
    assert_ptr_equal(fx_next(f), high);
}

static void who_needs_more_places_than_there_are_keeps_nobody_back(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter l;
    struct sched_use five = { &l, 5 }, one = { &l, 1 };
    struct fx_job *big, *small, *more;

    sched_limiter_init(&l, "LIMITER:l", 2, false);
    big = fx_put_using(f, t, 1, NORMAL, 3, 1, &five, 1);
    small = fx_put_using(f, t, 2, NORMAL, 3, 1, &one, 1);
    assert_ptr_equal(fx_next(f), small);
    assert_null(fx_next(f));
    assert_string_equal(fx_why(f, big), "LIMITER:l");
    sched_limiter_set(f->s, &l, 5);
    more = fx_put_using(f, t, 3, NORMAL, 3, 1, &one, 1);
    assert_null(fx_next(f)); /* now it fits one day, and is the first */
    fx_done(f, small);
    assert_ptr_equal(fx_next(f), big);
    sched_limiter_set(f->s, &l, 1);
    fx_done(f, big);
    assert_ptr_equal(fx_next(f), more);
}

static void a_limiter_of_several_tenants_holds_all_back_and_lets_all_go(void **state)
{
    struct fixture *f = *state;
    struct sched_limiter crew;
    struct sched_use one = { &crew, 1 };
    struct fx_job *other;

    sched_limiter_init(&crew, "NO_WORKER", 0, true);
    for (unsigned i = 0; i < 4; i++) {
        fx_tenant(f, i, NULL, 1);
        for (unsigned k = 0; k < 5; k++)
            fx_put_using(f, &f->t[i], k + 1, NORMAL, k + 1, 1, &one, 1);
    }
    other = fx_put_using(f, &f->t[3], 100, BATCH, 1, 1, NULL, 0);
    assert_ptr_equal(fx_next(f), other);
    assert_null(fx_next(f));
    assert_string_equal(fx_why(f, &f->jobs[0]), "NO_WORKER");
    sched_limiter_set(f->s, &crew, SCHED_UNLIMITED);
    for (unsigned i = 0; i < 20; i++)
        assert_non_null(fx_next(f));
    assert_null(fx_next(f));
    assert_int_equal(crew.used, 20);
}

static void two_limiters_at_once_are_taken_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter x, y;
    struct sched_use of_x = { &x, 1 }, both[] = { { &y, 1 }, { &x, 1 } };
    struct fx_job *a, *b, *c;

    sched_limiter_init(&x, "LIMITER:x", 1, false);
    sched_limiter_init(&y, "LIMITER:y", 0, false);
    a = fx_put_using(f, t, 1, NORMAL, 3, 1, both, 2);
    b = fx_put_using(f, t, 2, NORMAL, 3, 1, &of_x, 1);
    c = fx_put_using(f, t, 3, NORMAL, 3, 1, both, 2);
    assert_ptr_equal(a->sched.uses, c->sched.uses);
    assert_ptr_equal(fx_next(f), b); /* who waits for y keeps no place of x */
    assert_null(fx_next(f));
    sched_limiter_set(f->s, &y, 2);
    assert_null(fx_next(f));
    fx_done(f, b);
    assert_ptr_equal(fx_next(f), a);
    assert_int_equal(x.used, 1);
    assert_int_equal(y.used, 1);
    assert_null(fx_next(f));
    sched_take(f->s, &c->sched, f->now);
    fx_done(f, a);
    assert_int_equal(x.used + y.used, 0);
}

/* Each of the two is always full when the other has a place: there is a job more for it, every time. */
static void who_needs_two_limiters_is_served_although_never_both_have_a_place(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter l[2];
    struct sched_use use[2] = {
        {&l[0],  1},
        { &l[1], 1}
    };
    struct fx_job *running[2], *both, *j = NULL;
    unsigned claims = 0;

    for (unsigned i = 0; i < 2; i++) {
        sched_limiter_init(&l[i], "LIMITER:l", 1, false);
        fx_put_using(f, t, 1 + i, NORMAL, 3, 1, &use[i], 1);
    }
    for (unsigned i = 0; i < 2; i++)
        running[i] = fx_next(f);
    both = fx_put_using(f, t, 10, NORMAL, 3, 1, use, 2);
    while (j != both) {
        unsigned i = claims++ % 2;

        fx_put_using(f, t, 100 + claims, NORMAL, 3, 1, &use[i], 1);
        fx_done(f, running[i]);
        j = fx_next(f);
        if (j == NULL) { /* the place is kept: the other one's end is all that is missing */
            assert_int_equal(l[i].used, 0);
            fx_done(f, running[1 - i]);
            j = fx_next(f);
            assert_ptr_equal(j, both);
        }
        running[i] = j;
        assert_true(claims <= 2 * SCHED_PATIENCE + 2);
    }
    assert_true(claims > SCHED_PATIENCE); /* it keeps no place idle before */
    fx_done(f, both);
    assert_non_null(fx_next(f));
    assert_int_equal(sched_waiting(f->s), 0);
}

static void a_limiter_named_twice_is_one_with_more_places(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_limiter x, y;
    struct sched_use twice[] = { { &x, 1 }, { &y, 0 }, { &x, 2 } }, once[] = { { &y, 1 }, { &x, 3 } };
    struct sched_uses *a, *b;

    sched_limiter_init(&x, "LIMITER:x", 5, false);
    sched_limiter_init(&y, "LIMITER:y", 5, false);
    a = sched_uses_get(f->s, t, twice, 3);
    b = sched_uses_get(f->s, t, once, 2);
    assert_ptr_equal(a, b);
    assert_true(sched_limiter_known(&x));
    sched_uses_drop(f->s, a);
    sched_uses_drop(f->s, b);
    assert_false(sched_limiter_known(&x));
    sched_uses_drop(f->s, NULL);
}

static void a_job_taken_over_counts_and_is_charged(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 2);
    struct sched_limiter l;
    struct sched_use one = { &l, 1 };
    struct sched_uses *u;

    sched_limiter_init(&l, "LIMITER:l", 1, false);
    u = sched_uses_get(f->s, t, &one, 1);
    sched_tenant_set_max_running(f->s, t, 1);
    sched_adopt(f->s, u, 4, f->now);
    sched_adopt(f->s, u, 4, f->now);
    assert_int_equal(t->running, 2);
    assert_int_equal(l.used, 2);
    assert_true(t->node.vtime == 4);
    sched_done(f->s, u, 4, 4, 4, f->now);
    sched_done(f->s, u, 4, 4, 4, f->now);
    assert_int_equal(t->running + l.used, 0);
    sched_uses_drop(f->s, u);
}

/* ---- why -------------------------------------------------------------------------------------------------------------------------------- */

static void the_reason_is_the_gate_that_is_shut(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *a = fx_tenant(f, 0, NULL, 1), *b = fx_tenant(f, 1, a, 1);
    struct fx_job *ran = fx_put(f, b), *j = fx_put(f, b);
    struct sched_why why;

    assert_ptr_equal(fx_next(f), ran);
    assert_string_equal(fx_why(f, j), "NO_SLOT");
    sched_tenant_set_max_running(f->s, a, 1);
    sched_why(f->s, &j->sched, f->now, &why);
    assert_string_equal(why.reason, "QUOTA_RUNNING");
    assert_ptr_equal(why.tenant, a);
    assert_int_equal(why.position, 0);
    sched_tenant_block(f->s, b, SCHED_QUOTA_MEM_DAY, f->now + 100);
    sched_why(f->s, &j->sched, f->now, &why);
    assert_string_equal(why.reason, "QUOTA_MEM_DAY");
    assert_int_equal(why.until_us, f->now + 100);
    sched_tenant_block(f->s, b, SCHED_QUOTA_CPU_DAY, f->now + 200);
    assert_string_equal(fx_why(f, j), "QUOTA_CPU_DAY");
    sched_tenant_block(f->s, b, SCHED_SUSPENDED, SCHED_NEVER);
    assert_string_equal(fx_why(f, j), "SUSPENDED");
    sched_tenant_block(f->s, b, SCHED_SUSPENDED, 0);
    f->now += 200;
    assert_string_equal(fx_why(f, j), "QUOTA_RUNNING");
    sched_tenant_set_max_running(f->s, a, 0);
    assert_string_equal(fx_why(f, j), "NO_SLOT");
}

static void who_is_behind_another_tenant_waits_for_its_fair_share(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *a = fx_tenant(f, 0, NULL, 1), *b = fx_tenant(f, 1, NULL, 1);
    struct fx_job *of_a = fx_put(f, a), *of_b = fx_put(f, b);
    struct sched_why why;

    assert_string_equal(fx_why(f, of_a), "NO_SLOT");
    sched_why(f->s, &of_b->sched, f->now, &why);
    assert_string_equal(why.reason, "FAIRSHARE");
    assert_int_equal(why.position, 2);
    assert_int_equal(why.ahead_own, 0);
    assert_true(why.entitled == 0.5);
    assert_int_equal(why.estimate_us, 0); /* nothing was claimed yet */
}

static void the_position_is_the_number_of_claims_until_it(void **state)
{
    struct fixture *f = *state;
    static const double weights[] = { 1, 2, 5 };
    unsigned place = 0;
    struct sched_why why[120];

    for (unsigned t = 0; t < 3; t++)
        fx_tenant(f, t, NULL, weights[t]);
    for (unsigned i = 0; i < 120; i++) {
        fx_put_using(f, &f->t[i % 3], i + 1, i % 5 == 0 ? BATCH : NORMAL, 1 + i % 2, 1, NULL, 0);
    }
    for (unsigned i = 0; i < 120; i++)
        sched_why(f->s, &f->jobs[i].sched, f->now, &why[i]);
    for (struct fx_job *j = fx_next(f); j != NULL; j = fx_next(f)) {
        place++;
        assert_in_range(why[j->number].position, place > 2 ? place - 2 : 1, place + 2);
        if (place == 1)
            assert_int_equal(why[j->number].position, 1);
    }
    assert_int_equal(place, 120);
}

static void the_estimate_is_by_the_rate_of_claims(void **state)
{
    struct fixture *f = *state;
    struct sched_tenant *t = fx_tenant(f, 0, NULL, 1);
    struct sched_why why;

    for (unsigned i = 0; i < 1000; i++)
        fx_put(f, t);
    for (unsigned i = 0; i < 600; i++) { /* ten a second, for a minute */
        f->now += 100000;
        assert_non_null(fx_next(f));
    }
    assert_true(fabs(sched_claims_per_s(f->s, f->now) - 10) < 0.2);
    sched_why(f->s, &f->jobs[699].sched, f->now, &why);
    assert_int_equal(why.position, 100);
    assert_in_range(why.estimate_us, 9800000, 10200000);
    f->now += 3600000000u;
    assert_true(sched_claims_per_s(f->s, f->now) == 0);
}

static int count_one(void *ctx, struct sched_job *job)
{
    (void)job;
    return ++*(unsigned *)ctx == 7 ? 42 : 0;
}

static void each_that_waits_is_listed_once(void **state)
{
    struct fixture *f = *state;
    struct sched_limiter l;
    struct sched_use one = { &l, 1 };
    unsigned n = 0;

    sched_limiter_init(&l, "LIMITER:l", 0, false);
    fx_tenant(f, 0, NULL, 1);
    fx_tenant(f, 1, NULL, 1);
    fx_put(f, &f->t[0]);
    fx_put(f, &f->t[1]);
    fx_put_using(f, &f->t[0], 50, BATCH, 1, 1, &one, 1);
    assert_int_equal(sched_each(f->s, NULL, count_one, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(sched_each(f->s, &f->t[0], count_one, &n), 0);
    assert_int_equal(n, 5);
    assert_int_equal(sched_each(f->s, NULL, count_one, &n), 42);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_is_next_where_nothing_waits),
        T(the_oldest_is_next_whatever_the_order_of_putting),
        T(class_comes_before_priority_and_priority_before_age),
        T(a_class_is_served_although_a_higher_one_never_ends),
        T(a_job_that_is_moved_takes_its_place_by_age),
        T(a_job_that_is_taken_away_is_not_next),
        T(shares_follow_the_weights_1_2_5),
        T(shares_are_of_what_jobs_cost_not_of_their_number),
        T(shares_are_given_to_a_parent_first_then_to_its_children),
        T(a_tenant_that_was_away_has_saved_up_nothing),
        T(one_job_of_a_small_tenant_is_next_but_one_behind_a_thousand_of_a_big_one),
        T(what_was_estimated_too_high_is_given_back),
        T(estimates_that_turn_out_wrong_are_corrected),
        T(a_settlement_gives_no_credit_from_a_time_without_work),
        T(high_estimates_of_what_runs_do_not_set_back_who_comes_then),
        T(usage_and_what_a_tenant_is_ahead_halve_with_the_half_life),
        T(what_a_tenant_has_had_can_be_put_back),
        T(the_cost_is_that_of_the_dominant_resource),
        T(a_weight_that_is_none_is_refused),
        T(a_tenant_with_jobs_children_or_held_sets_is_not_removed),
        T(no_more_run_than_max_running_says_here_and_above),
        T(a_blocked_tenant_waits_until_its_block_ends),
        T(a_full_limiter_keeps_back_only_those_that_use_it),
        T(who_needs_many_places_is_not_passed_at_its_limiter_for_ever),
        T(a_low_class_at_a_limiter_is_served_although_a_higher_one_never_ends),
        T(who_was_passed_too_often_is_so_when_it_has_been_woken_as_well),
        T(who_needs_more_places_than_there_are_keeps_nobody_back),
        T(a_limiter_of_several_tenants_holds_all_back_and_lets_all_go),
        T(two_limiters_at_once_are_taken_together_or_not_at_all),
        T(who_needs_two_limiters_is_served_although_never_both_have_a_place),
        T(a_limiter_named_twice_is_one_with_more_places),
        T(a_job_taken_over_counts_and_is_charged),
        T(the_reason_is_the_gate_that_is_shut),
        T(who_is_behind_another_tenant_waits_for_its_fair_share),
        T(the_position_is_the_number_of_claims_until_it),
        T(the_estimate_is_by_the_rate_of_claims),
        T(each_that_waits_is_listed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
