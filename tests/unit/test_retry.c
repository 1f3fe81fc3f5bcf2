/* test_retry.c - whether there is another attempt, and after what pause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>

#include <cmocka.h>

#include "bare_broker.h"
#include "broker/jobs_own.h"

#define CA(name) PB__CAUSE__CAUSE_##name
#define ST(name) PB__STATE__STATE_##name

static struct job_retry policy(double base, double factor, double max, double jitter)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Retry retry = PB__RETRY__INIT;
    Pb__Backoff backoff = PB__BACKOFF__INIT;
    struct job_retry r;

    backoff.base_us = (uint64_t)base;
    backoff.factor = factor;
    backoff.max_us = (uint64_t)max;
    backoff.jitter = jitter;
    retry.backoff = &backoff;
    spec.retry = &retry;
    retry_from_spec(&spec, &r);
    return r;
}

static void the_pause_grows_by_its_factor_up_to_its_maximum(void **state)
{
    static const uint64_t want[] = { 1000, 1000, 2000, 4000, 8000, 10000, 10000 };
    struct job_retry r = policy(1000, 2, 10000, 0);

    (void)state;
    for (unsigned failed = 0; failed < 7; failed++)
        assert_int_equal(retry_pause_us(&r, failed, 0.5), want[failed]);
    assert_int_equal(retry_pause_us(&r, UINT32_MAX, 0), 10000);
}

static void jitter_takes_off_a_part_and_never_adds(void **state)
{
    struct job_retry r = policy(1000, 1, 1000, 0.25);

    (void)state;
    assert_int_equal(retry_pause_us(&r, 3, 0), 1000);
    assert_int_equal(retry_pause_us(&r, 3, 1), 750);
    assert_int_equal(retry_pause_us(&r, 3, 0.5), 875);
}

static void odd_numbers_make_no_odd_pause(void **state)
{
    const struct {
        struct job_retry r;
        uint64_t want;
    } rows[] = {
        {policy(1000,  0,        0,    0),   1000            }, /* a factor below 1 is 1 */
        { policy(1000, NAN,      0,    NAN), 1000            },
        { policy(1000, -5,       0,    -1),  1000            },
        { policy(1000, INFINITY, 0,    0),   JOB_RETRY_MAX_US},
        { policy(1000, 1e300,    5000, 0),   5000            },
        { policy(0,    2,        5000, 0),   0               },
        { policy(1e18, 2,        0,    0),   JOB_RETRY_MAX_US},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(retry_pause_us(&rows[i].r, 40, 0.5), i < 3 ? 1000 : rows[i].want);
    assert_int_equal(retry_pause_us(&(struct job_retry){ .base_us = 1000, .factor = 1, .max_us = 5000, .jitter = 1 }, 2, 1), 0);
}

static void without_a_word_of_the_spec_there_is_one_attempt(void **state)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    struct job_retry r;

    (void)state;
    retry_from_spec(&spec, &r);
    assert_int_equal(r.max_attempts, 1);
    assert_int_equal(r.infra_attempts, 3);
    assert_int_equal(r.base_us, 1000000);
    assert_int_equal(r.max_us, 300000000);
    assert_true(retry_is_success(&r, 0));
    assert_false(retry_is_success(&r, 1));
}

static void an_exit_code_may_be_a_success(void **state)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Retry retry = PB__RETRY__INIT;
    int32_t codes[] = { 3, 255 };
    struct job_retry r;

    (void)state;
    retry.success_exit_codes = codes;
    retry.n_success_exit_codes = 2;
    spec.retry = &retry;
    retry_from_spec(&spec, &r);
    assert_true(retry_is_success(&r, 3) && retry_is_success(&r, 255) && retry_is_success(&r, 0));
    assert_false(retry_is_success(&r, 4));
}

/* One that runs, whose end is decided. */
static struct job *ended(struct bare_broker *fx, Pb__Cause cause, uint32_t attempt, uint32_t infra, uint32_t max)
{
    struct job *job;

    bare_enter(fx, WORKER_BUSY);
    job = fx->job;
    job->retry = (struct job_retry){ .max_attempts = max, .infra_attempts = 3, .factor = 1 };
    job->attempt = attempt;
    job->infra = infra;
    job->end.cause = cause;
    return job;
}

/* What the host did to it before: attempts with these causes. */
static void ended_before(struct job *job, const Pb__Cause *causes)
{
    for (; *causes != CA(NONE); causes++) {
        struct store_attempt a = { .n = (uint32_t)job->n_attempts + 1, .cause = *causes, .infra = true };

        assert_int_equal(job_add_attempt(job, &a), 0);
    }
}

static void what_the_host_could_not_do_is_tried_again_without_counting_as_an_attempt(void **state)
{
    static const struct {
        Pb__Cause cause, before[4];
        bool asked, again;
    } rows[] = {
        {CA(INTERNAL),      { CA(NONE) },                                          false, true },
        { CA(INTERNAL),     { CA(INTERNAL) },                                      false, true },
        { CA(INTERNAL),     { CA(INTERNAL), CA(INTERNAL) },                        false, false},
        { CA(INTERNAL),     { CA(INTERNAL), CA(START_FAILED) },                    false, false},
        { CA(INTERNAL),     { CA(WORKER_LOST), CA(BROKER_LOST), CA(WORKER_LOST) }, false, true }, /* other counts */
        { CA(START_FAILED), { CA(NONE) },                                          false, true },
        { CA(START_FAILED), { CA(START_FAILED), CA(START_FAILED) },                false, false},
        { CA(START_FAILED), { CA(NONE) },                                          true,  false}, /* its own wish cannot be had */
    };
    struct bare_broker *fx = *state;

    for (unsigned max = 1; max <= 5; max += 4)
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct job *job = ended(fx, rows[i].cause, 4, 3, max);

            job->retry.on = i % 2 != 0 ? 1u << CA(EXIT) : 0; /* says nothing of these */
            job->end.asked = rows[i].asked;
            ended_before(job, rows[i].before);
            if (jobs_wants_another(job) != rows[i].again || job->is_dead)
                fail_msg("row %u: again %d, dead %d", i, jobs_wants_another(job), job->is_dead);
            assert_string_equal(job_fault_name(jobs_fault(job)), rows[i].asked ? "job" : "platform");
        }
}

static void which_ends_are_not_the_last_word(void **state)
{
    static const struct {
        Pb__Cause cause;
        uint32_t attempt, infra, max, on;
        bool again, dead;
    } rows[] = {
        {CA(EXIT),         1, 0, 1, 0,                     false, false},
        { CA(EXIT),        1, 0, 2, 0,                     true,  false},
        { CA(EXIT),        2, 0, 2, 0,                     false, true },
        { CA(WALL_LIMIT),  2, 0, 2, 0,                     false, true },
        { CA(EXIT),        3, 1, 2, 0,                     false, true }, /* the platform's does not count */
        { CA(EXIT),        2, 1, 2, 0,                     true,  false},
        { CA(OK),          1, 0, 5, 0,                     false, false},
        { CA(CANCELLED),   1, 0, 5, 0,                     false, false},
        { CA(POLICY),      1, 0, 5, 0,                     false, false},
        { CA(BAD_SPEC),    1, 0, 5, 0,                     false, false},
        { CA(POLICY),      1, 0, 5, 1u << CA(POLICY),      true,  false},
        { CA(EXIT),        1, 0, 5, 1u << CA(OOM),         false, false},
        { CA(OOM),         1, 0, 5, 1u << CA(OOM),         true,  false},
        { CA(WORKER_LOST), 1, 0, 5, 1u << CA(WORKER_LOST), false, false}, /* jobs_worker_lost() has decided that */
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct job *job = ended(fx, rows[i].cause, rows[i].attempt, rows[i].infra, rows[i].max);

        job->retry.on = rows[i].on;
        if (jobs_wants_another(job) != rows[i].again || job->is_dead != rows[i].dead)
            fail_msg("row %u: again %d, dead %d", i, jobs_wants_another(job), job->is_dead);
    }
}

static void nobody_tries_again_what_was_cancelled_or_had_read_its_stream(void **state)
{
    struct bare_broker *fx = *state;
    struct job *job = ended(fx, CA(EXIT), 1, 0, 3);

    job->cancelling = 1;
    assert_false(jobs_wants_another(job));
    job->cancelling = 0;
    job->stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    assert_true(jobs_wants_another(job));
    job->input.taken = 1;
    assert_false(jobs_wants_another(job));
}

static int setup(void **state)
{
    struct bare_broker *fx = calloc(1, sizeof(*fx));

    *state = fx;
    return fx != NULL ? bare_start(fx) : -1;
}

static int teardown(void **state)
{
    bare_stop(*state);
    free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_pause_grows_by_its_factor_up_to_its_maximum),
        TEST(jitter_takes_off_a_part_and_never_adds),
        TEST(odd_numbers_make_no_odd_pause),
        TEST(without_a_word_of_the_spec_there_is_one_attempt),
        TEST(an_exit_code_may_be_a_success),
        TEST(which_ends_are_not_the_last_word),
        TEST(what_the_host_could_not_do_is_tried_again_without_counting_as_an_attempt),
        TEST(nobody_tries_again_what_was_cancelled_or_had_read_its_stream),
    };

    return cmocka_run_group_tests_name("retry", tests, setup, teardown);
}
