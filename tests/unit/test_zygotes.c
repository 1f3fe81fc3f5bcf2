/* test_zygotes.c - which zygote makes workers, and when another takes its place: by a clock and zygotes of the test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "broker/zygotes.h"

enum { RENEW_US = 1000000 };

static struct bare_broker fx;
static struct crew *crew;

/* /bin/true stands for the worker program: a process that says nothing, and ends. The test says what it would have said. */
static int start(void **state)
{
    (void)state;
    if (bare_start(&fx) != 0)
        return -1;
    fx.b.config.zygote_renew_us = RENEW_US;
    fx.b.privilege.userns_fd = -1;
    (void)snprintf(fx.b.config.tier, sizeof(fx.b.config.tier), "auto");
    (void)snprintf(fx.b.config.worker, sizeof(fx.b.config.worker), "/bin/true");
    (void)snprintf(fx.b.places.worker_path, sizeof(fx.b.places.worker_path), "/bin/true");
    crew = &fx.b.crews[ENGINE_LUA];
    crew->zygote->ready = 1;
    zygotes_on_ready(crew->zygote);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bare_clear(&fx);
    zygotes_finish(&fx.b);
    pool_init(&fx.b.pool, &fx.b); /* for the second look of bare_stop() */
    for (int i = 0; i < ENGINE_COUNT; i++)
        fx.b.crews[i].own_zygote.restart.fn = bare_unused_timer;
    bare_stop(&fx);
    return 0;
}

static void pass(uint64_t us)
{
    fx.b.loop.now_us += us;
    timers_run(&fx.b.loop.timers, fx.b.loop.now_us);
}

static unsigned count(void)
{
    unsigned n = 0;

    for (const struct zygote *z = fx.b.zygotes; z != NULL; z = z->next)
        n += z->crew == crew;
    return n;
}

/* Of the one that serves: busy, or idle. */
static struct worker *worker(enum worker_phase phase)
{
    struct job *job;
    struct worker *w = bare_worker_in(&fx, phase, &job);

    w->zygote = crew->zygote;
    if (job != NULL)
        zygotes_on_job(w->zygote);
    return w;
}

static void come(void)
{
    assert_non_null(crew->coming);
    crew->coming->ready = 1;
    zygotes_on_ready(crew->coming);
}

static void go(struct worker *w)
{
    Pb__Exited e = PB__EXITED__INIT;

    pool_kill(w);
    if (w->job != NULL)
        w->job->worker = NULL;
    w->job = NULL;
    w->pid = 0;
    pool_on_exited(w, &e);
}

static void one_that_has_had_no_job_is_not_renewed(void **state)
{
    const struct zygote *first = crew->zygote;

    (void)state;
    for (int i = 0; i < 3; i++)
        pass(RENEW_US);
    assert_null(crew->coming);
    assert_ptr_equal(crew->zygote, first);
    (void)worker(WORKER_BUSY);
    pass(RENEW_US);
    assert_non_null(crew->coming);
    assert_ptr_equal(crew->zygote, first); /* until the other is ready */
}

static void the_earlier_one_stays_until_the_last_that_it_has_made_has_gone(void **state)
{
    struct zygote *first = crew->zygote;
    struct worker *a = worker(WORKER_BUSY), *b = worker(WORKER_BUSY);

    (void)state;
    pass(RENEW_US);
    come();
    assert_true(zygote_serves(crew->zygote) && !zygote_serves(first));
    assert_true(first->retired);
    pass(0);
    assert_int_equal(count(), 2);
    go(a);
    pass(0);
    assert_int_equal(count(), 2);
    go(b);
    pass(0);
    assert_int_equal(count(), 1);
}

static void so_many_jobs_renew_it_sooner(void **state)
{
    (void)state;
    (void)worker(WORKER_BUSY);
    for (unsigned i = crew->zygote->jobs; i < ZYGOTE_JOBS; i++) {
        assert_null(crew->coming);
        zygotes_on_job(crew->zygote);
    }
    pass(0);
    assert_non_null(crew->coming);
}

static void with_a_time_of_0_it_is_never_renewed_and_a_reload_counts_at_once(void **state)
{
    (void)state;
    fx.b.config.zygote_renew_us = 0;
    zygotes_check_config(&fx.b);
    (void)worker(WORKER_BUSY);
    for (unsigned i = 0; i < ZYGOTE_JOBS; i++)
        zygotes_on_job(crew->zygote);
    pass(100 * RENEW_US);
    assert_null(crew->coming);
    fx.b.config.zygote_renew_us = RENEW_US;
    zygotes_check_config(&fx.b);
    pass(RENEW_US);
    assert_non_null(crew->coming);
}

static void more_than_so_many_are_not_kept_by_what_lives_long(void **state)
{
    struct worker *first = NULL;

    (void)state;
    for (unsigned i = 0; i < ZYGOTES_OLD; i++) {
        struct worker *w = worker(WORKER_BUSY);

        first = first == NULL ? w : first;
        pass(RENEW_US);
        come();
    }
    (void)worker(WORKER_BUSY);
    pass(RENEW_US);
    assert_null(crew->coming);
    assert_int_equal(count(), ZYGOTES_OLD + 1);
    go(first);
    pass(RENEW_US);
    assert_non_null(crew->coming);
}

static struct zygote *of_template(void)
{
    struct zygote *z = NULL;

    assert_int_equal(zygotes_add_for_template(crew, &z), 0);
    return z;
}

/* What is left of templates keeps none of an engine's from being renewed. */
static void those_of_templates_are_not_among_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ZYGOTES_OLD; i++) {
        struct worker *child = worker(WORKER_BUSY);

        child->zygote = of_template();
        zygote_retire(child->zygote);
    }
    pass(0);
    assert_int_equal(count(), ZYGOTES_OLD + 1); /* their children live */
    pass(RENEW_US);
    assert_non_null(crew->coming);
}

static void of_templates_there_are_so_many_with_those_whose_children_live_on(void **state)
{
    struct zygote *z = NULL;
    struct worker *child = worker(WORKER_BUSY);

    (void)state;
    child->zygote = of_template();
    for (unsigned i = 1; i < ZYGOTES_OF_TEMPLATES; i++)
        z = of_template();
    zygote_retire(child->zygote);
    assert_int_equal(zygotes_add_for_template(crew, &z), -EMFILE);
    go(child); /* at once: the next build does not wait for the timer that ends it */
    (void)of_template();
    assert_int_equal(zygotes_add_for_template(crew, &z), -EMFILE);
    zygote_retire(z);
    (void)of_template();
}

static void one_that_is_not_ready_in_time_is_ended_and_another_tried(void **state)
{
    struct zygote *first = crew->zygote;

    (void)state;
    (void)worker(WORKER_BUSY);
    pass(RENEW_US);
    assert_non_null(crew->coming);
    pass(ZYGOTE_READY_US - 1);
    assert_non_null(crew->coming);
    pass(1);
    assert_null(crew->coming);
    assert_ptr_equal(crew->zygote, first);
    pass(0);
    assert_int_equal(count(), 1);
    pass(RENEW_US);
    come(); /* and its time is not up later */
    pass(ZYGOTE_READY_US);
    assert_true(zygote_serves(crew->zygote) && crew->zygote != first);
}

static void one_that_never_comes_changes_nothing_and_is_tried_again(void **state)
{
    struct zygote *first = crew->zygote;

    (void)state;
    (void)worker(WORKER_BUSY);
    pass(RENEW_US);
    assert_true(zygotes_on_gone(crew->coming));
    pass(0);
    assert_int_equal(count(), 1);
    assert_ptr_equal(crew->zygote, first);
    pass(RENEW_US);
    assert_non_null(crew->coming);
}

static void a_broker_that_drains_renews_nothing(void **state)
{
    (void)state;
    (void)worker(WORKER_BUSY);
    fx.b.phase = BROKER_DRAINING;
    pass(RENEW_US);
    assert_null(crew->coming);
    fx.b.phase = BROKER_UP;
}

/* One for one: what waits finds a spare at any time. */
static void a_spare_of_the_earlier_one_goes_when_there_is_one_in_its_place(void **state)
{
    struct worker *old = worker(WORKER_IDLE), *other = worker(WORKER_IDLE), *fresh;

    (void)state;
    (void)worker(WORKER_BUSY);
    pass(RENEW_US);
    come();
    assert_int_equal(old->phase, WORKER_IDLE);
    assert_int_equal(other->phase, WORKER_IDLE);
    fresh = bare_worker(&fx);
    fresh->pid = 1;
    pool_on_hello(fresh);
    assert_int_equal(fresh->phase, WORKER_IDLE);
    assert_int_equal((old->phase == WORKER_ENDING) + (other->phase == WORKER_ENDING), 1);
    fresh->pid = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_that_has_had_no_job_is_not_renewed),
        TEST(the_earlier_one_stays_until_the_last_that_it_has_made_has_gone),
        TEST(so_many_jobs_renew_it_sooner),
        TEST(with_a_time_of_0_it_is_never_renewed_and_a_reload_counts_at_once),
        TEST(more_than_so_many_are_not_kept_by_what_lives_long),
        TEST(those_of_templates_are_not_among_them),
        TEST(of_templates_there_are_so_many_with_those_whose_children_live_on),
        TEST(one_that_is_not_ready_in_time_is_ended_and_another_tried),
        TEST(one_that_never_comes_changes_nothing_and_is_tried_again),
        TEST(a_broker_that_drains_renews_nothing),
        TEST(a_spare_of_the_earlier_one_goes_when_there_is_one_in_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
