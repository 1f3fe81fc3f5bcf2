/* test_crew.c - how many workers each engine's crew lacks: what waits is served in the order in which it came, whatever runs it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bare_broker.h"

enum { JOBS_MAX = 32 };

struct fixture {
    struct bare_broker bare;
    struct job *jobs[JOBS_MAX];
    unsigned n;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    *state = f;
    return bare_start(&f->bare);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < f->n; i++)
        free(f->jobs[i]);
    bare_stop(&f->bare);
    free(f);
    return 0;
}

/* At the end of its engine's queue; it came at this time. */
static void waits(struct fixture *f, int engine, uint64_t came)
{
    struct crew_queue *q = &f->bare.b.crews[engine].plain;
    struct job *job = calloc(1, sizeof(*job));

    f->jobs[f->n++] = job;
    job->ready_at = came;
    if (q->first == NULL) {
        q->first = job->queue_next = job->queue_prev = job;
    } else {
        job->queue_next = q->first;
        job->queue_prev = q->first->queue_prev;
        q->first->queue_prev->queue_next = job;
        q->first->queue_prev = job;
    }
    q->waiting++;
    f->bare.b.jobs.waiting++;
}

static unsigned lacks(const struct fixture *f, int engine, unsigned spare)
{
    return crew_missing(&f->bare.b.crews[engine], spare);
}

/* Where other jobs have a control group, one without would be held by less. */
static void a_program_without_the_control_group_that_others_have_does_not_start(void **state)
{
    struct bare_broker *bare = &((struct fixture *)*state)->bare;
    struct job *job;

    bare->engine = ENGINE_EXEC;
    job = bare_job(bare, PB__STATE__STATE_STARTING);
    job->worker = bare_worker(bare);
    watch_init(job);
    bare->b.cgroups.kind = CGROUP_V1;
    assert_int_equal(watch_start(job), -ENODEV);
    bare->b.cgroups.kind = CGROUP_NONE;
    assert_int_equal(watch_start(job), 0);
    assert_string_equal(job->watch.words.pids, "sampled count");
    watch_stop(job);
    job->worker = NULL;
}

static void nobody_waits_and_nothing_is_lacking_but_spares(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(lacks(f, ENGINE_LUA, 0), 0);
    assert_int_equal(lacks(f, ENGINE_LUA, 3), 3);
    f->bare.b.crews[ENGINE_LUA].idle = 2;
    f->bare.b.crews[ENGINE_LUA].booting = 2;
    assert_int_equal(lacks(f, ENGINE_LUA, 3), 0);
    assert_int_equal(lacks(f, ENGINE_NATIVE, 1), 1); /* another crew's are no help */
}

static void spares_are_as_many_as_asked_for_and_the_engine_wants(void **state)
{
    struct fixture *f = *state;

    f->bare.b.config.pool = 4;
    assert_int_equal(crew_spares(&f->bare.b.crews[ENGINE_LUA]), 4);
    assert_int_equal(crew_spares(&f->bare.b.crews[ENGINE_NATIVE]), 1);
    f->bare.b.config.pool = 0;
    assert_int_equal(crew_spares(&f->bare.b.crews[ENGINE_NATIVE]), 0);
}

static void one_engines_jobs_need_as_many_as_may_run(void **state)
{
    struct fixture *f = *state;

    f->bare.b.config.workers = 4;
    for (uint64_t i = 0; i < 3; i++)
        waits(f, ENGINE_LUA, i);
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 3);
    for (uint64_t i = 3; i < 10; i++)
        waits(f, ENGINE_LUA, i);
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 4);
    f->bare.b.pool.busy = 3;
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 1);
    assert_int_equal(lacks(f, ENGINE_LUA, 2), 3);
    f->bare.b.pool.busy = 5; /* more than may: a config that shrank */
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 0);
}

/* Room for 4: the first four that came, of whichever engine; together they never want more than there is room for. */
static void the_first_that_came_share_the_room(void **state)
{
    static const struct {
        int engine;
        uint64_t came;
    } rows[] = {
        {ENGINE_LUA,     1},
        { ENGINE_LUA,    2},
        { ENGINE_NATIVE, 3},
        { ENGINE_LUA,    4},
        { ENGINE_NATIVE, 5},
        { ENGINE_NATIVE, 6}
    };
    struct fixture *f = *state;

    f->bare.b.config.workers = 4;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        waits(f, rows[i].engine, rows[i].came);
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 3);
    assert_int_equal(lacks(f, ENGINE_NATIVE, 0), 1);
    for (unsigned workers = 0; workers <= 8; workers++) {
        f->bare.b.config.workers = workers;
        assert_int_equal(lacks(f, ENGINE_LUA, 0) + lacks(f, ENGINE_NATIVE, 0), workers < 6 ? workers : 6);
    }
}

static void a_flood_of_one_engine_does_not_starve_the_other(void **state)
{
    struct fixture *f = *state;

    f->bare.b.config.workers = 2;
    waits(f, ENGINE_NATIVE, 5);
    for (uint64_t i = 0; i < 20; i++)
        waits(f, ENGINE_LUA, i < 4 ? i : i + 10);
    assert_int_equal(lacks(f, ENGINE_NATIVE, 0), 0); /* four came before it */
    f->bare.b.config.workers = 5;
    assert_int_equal(lacks(f, ENGINE_NATIVE, 0), 1);
    assert_int_equal(lacks(f, ENGINE_LUA, 0), 4);
}

/* A container's range may be shorter than what was asked for: nobody waits in vain for a uid, and spare workers leave room for jobs. */
static void where_uids_are_few_spares_leave_some_and_no_more_workers_are_made_than_there_are(void **state)
{
    struct fixture *f = *state;
    struct crew *c = &f->bare.b.crews[ENGINE_LUA];
    struct worker *w;

    f->bare.b.config.pool = 1000;
    f->bare.b.privilege.ids = 2 * ENGINE_COUNT * 3;
    assert_true(crew_spares(c) <= 3);
    f->bare.b.privilege.ids = 1;
    assert_int_equal(crew_spares(c), 0);
    w = bare_worker_in(&f->bare, WORKER_BUSY, &f->bare.job);
    w->uid_inside = 1;
    waits(f, ENGINE_LUA, 1);
    c->zygote->ready = 1;
    pool_refill(&f->bare.b.pool); /* the only one is taken */
    assert_ptr_equal(f->bare.b.pool.all, w);
    assert_null(w->next);
    c->zygote->ready = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(where_uids_are_few_spares_leave_some_and_no_more_workers_are_made_than_there_are),
        TEST(nobody_waits_and_nothing_is_lacking_but_spares),
        TEST(spares_are_as_many_as_asked_for_and_the_engine_wants),
        TEST(a_program_without_the_control_group_that_others_have_does_not_start),
        TEST(one_engines_jobs_need_as_many_as_may_run),
        TEST(the_first_that_came_share_the_room),
        TEST(a_flood_of_one_engine_does_not_starve_the_other),
    };

    return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}
