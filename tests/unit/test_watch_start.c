/* test_watch_start.c - a job that runs again is watched as one that never ran: what another worker used is not held against it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bare_broker.h"

static void what_an_earlier_worker_used_is_forgotten(void **state)
{
    static struct bare_broker fx;
    struct worker *w;
    struct job *job;

    (void)state;
    assert_int_equal(bare_start(&fx), 0);
    w = bare_worker_in(&fx, WORKER_ASSIGNED, &job);
    w->pid = getpid();
    job->limits.wall_us = job->limits.cpu_us = job->limits.idle_us = 1000000000;
    job->watch.oom_told = 1;
    job->watch.memory_peak = job->watch.pids_peak = 1u << 30;
    job->watch.cpu_us = job->watch.active_cpu_us = job->watch.base_sys_us = 1u << 30;
    assert_int_equal(watch_start(job), 0);
    assert_int_equal(job->watch.oom_told, 0);
    assert_true(job->watch.memory_peak == 0 && job->watch.pids_peak == 0);
    assert_true(job->watch.cpu_us == 0 && job->watch.active_cpu_us == 0 && job->watch.base_sys_us == 0);
    assert_true(job->watch.look.place != 0);
    watch_stop(job);
    bare_stop(&fx);
}

/* A child may begin when its template has ended: still what the template has in memory counts as its own. */
static void a_template_that_has_ended_is_still_what_its_child_began_with(void **state)
{
    static struct bare_broker fx;
    static struct template t;
    struct worker *w;
    struct job *job;

    (void)state;
    assert_int_equal(bare_start(&fx), 0);
    w = bare_worker_in(&fx, WORKER_ASSIGNED, &job);
    w->pid = getpid();
    w->of = &t;
    job->limits.wall_us = job->limits.cpu_us = job->limits.idle_us = 1000000000;
    w->role = WORKER_TEMPLATE;
    assert_int_equal(watch_start(job), 0);
    assert_true(t.base_bytes > 0 && t.base_bytes == job->watch.base_bytes);
    t.base_bytes = 4096; /* less than this process has */
    w->role = WORKER_FORKED;
    assert_int_equal(watch_start(job), 0);
    assert_int_equal(job->watch.base_bytes, 4096);
    watch_stop(job);
    w->role = WORKER_PLAIN;
    w->of = NULL;
    bare_stop(&fx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_an_earlier_worker_used_is_forgotten),
        cmocka_unit_test(a_template_that_has_ended_is_still_what_its_child_began_with),
    };

    return cmocka_run_group_tests_name("watch_start", tests, NULL, NULL);
}
