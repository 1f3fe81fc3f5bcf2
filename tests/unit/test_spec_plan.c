/* test_spec_plan.c - what a job is beside what it runs: what the broker takes, what it refuses, and with which words; what it fills in. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/spec_check.h"
#include "broker/spec_check_parts.h"
#include "frame.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NOW          1800000000000000ull /* 2027-01-15T08:00:00Z */
enum { MANY = 1100 };

/* A spec with one of each; tests spoil it. */
struct plan {
    Pb__JobSpec spec;
    Pb__Schedule schedule;
    Pb__ArrayRange array;
    Pb__Retry retry;
    Pb__Backoff backoff;
    Pb__Retention retention;
    Pb__Webhook hook, *hooks[MANY];
    Pb__Label label[MANY], *labels[MANY];
    Pb__Dependency dep[MANY], *deps[MANY];
    Pb__LimiterUse limiter[MANY], *limiters[MANY];
    Pb__Cause on[4];
    int32_t codes[MANY];
    Pb__State events[MANY];
    char keys[MANY][32];
    char long_text[3000];
};

static struct plan *fresh(void)
{
    static struct plan p;

    memset(&p, 0, sizeof(p));
    pb__job_spec__init(&p.spec);
    pb__schedule__init(&p.schedule);
    pb__array_range__init(&p.array);
    pb__retry__init(&p.retry);
    pb__backoff__init(&p.backoff);
    pb__retention__init(&p.retention);
    pb__webhook__init(&p.hook);
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(p.keys[i], sizeof(p.keys[i]), "01ARZ3NDEKTSV4RRFFQ69%05u", i);
        pb__label__init(&p.label[i]);
        p.label[i].key = p.keys[i];
        p.labels[i] = &p.label[i];
        pb__dependency__init(&p.dep[i]);
        p.dep[i].job = p.keys[i];
        p.deps[i] = &p.dep[i];
        pb__limiter_use__init(&p.limiter[i]);
        p.limiter[i].key = p.keys[i];
        p.limiters[i] = &p.limiter[i];
        p.hooks[i] = &p.hook;
    }
    memset(p.long_text, 'x', sizeof(p.long_text) - 1);
    p.hook.url = "https://example.org/hook?a=b,c";
    p.hook.events = p.events;
    p.retry.backoff = &p.backoff;
    p.retry.on = p.on;
    p.retry.success_exit_codes = p.codes;
    p.schedule.after = p.deps;
    p.schedule.limiters = p.limiters;
    p.spec.schedule = &p.schedule;
    p.spec.retry = &p.retry;
    p.spec.retention = &p.retention;
    p.spec.labels = p.labels;
    p.spec.webhooks = p.hooks;
    return &p;
}

static void expect(const struct plan *p, int rc, const char *words)
{
    char why[SPEC_WHY] = "";
    int got = spec_check_plan(&p->spec, NOW, why);

    if (got != rc || strcmp(why, words) != 0)
        fail_msg("got %d '%s', wanted %d '%s'", got, why, rc, words);
    assert_true(frame_is_utf8(why, strlen(why)));
    for (const char *c = why; *c != '\0'; c++)
        assert_true((unsigned char)*c >= 0x20);
    assert_true(strlen(why) < SPEC_WHY - 1);
}

/* The text's first n bytes. */
static char *cut(struct plan *p, size_t n)
{
    p->long_text[n] = '\0';
    return p->long_text;
}

/* ---- words -------------------------------------------------------------------------------------------------------------------------- */

static void a_spec_at_every_bound_is_taken(void **state)
{
    struct plan *p = fresh();

    (void)state;
    expect(p, 0, "");
    p->spec.n_labels = 64;
    p->label[0].key = "a/b.c_d-9";
    p->label[1].value = cut(p, 255);
    p->spec.idem_key = p->long_text;
    p->spec.queue = "q-1._";
    p->spec.priority = 5;
    p->spec.class_ = PB__JOB_CLASS__JOB_CLASS_BATCH;
    p->spec.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    p->schedule.n_after = 256;
    p->schedule.n_limiters = 8;
    p->schedule.not_before_us = NOW - 1;
    p->schedule.deadline_us = NOW + 1;
    p->schedule.array = &p->array;
    p->array.to = 999999;
    p->array.max_parallel = UINT32_MAX;
    p->retry.max_attempts = 1000;
    p->retry.infra_attempts = 100;
    p->retry.n_success_exit_codes = 64;
    p->codes[0] = 255;
    p->backoff.factor = 1;
    p->backoff.jitter = 1;
    p->backoff.base_us = p->backoff.max_us = 30 * 86400000000ull;
    p->retry.n_on = 2;
    p->on[0] = PB__CAUSE__CAUSE_EXIT;
    p->on[1] = PB__CAUSE__CAUSE_POLICY;
    p->spec.n_webhooks = 8;
    p->hook.n_events = 1;
    p->events[0] = PB__STATE__STATE_RUNNING;
    p->retention.result_us = 86400000000ull * 366 * 100;
    expect(p, 0, "");
}

static void labels_are_checked_key_by_key(void **state)
{
    static const char *const bad[] = { "", "a b", "a=b", "\xc3\xa4", "a\nb" };
    struct plan *p = fresh();
    char words[SPEC_WHY];

    (void)state;
    p->spec.n_labels = 65;
    expect(p, -EDQUOT, "the limit 'labels' allows 64, this job has 65");
    p->spec.n_labels = 2;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        static const char *const shown[] = { "", "a b", "a=b", "\\xc3\\xa4", "a\\x0ab" };

        p->label[1].key = (char *)bad[i];
        snprintf(words, sizeof(words), "the label key '%s' is not 1 to 63 of letters, digits, . _ - and /", shown[i]);
        expect(p, -EINVAL, words);
    }
    p->label[1].key = p->label[0].key;
    snprintf(words, sizeof(words), "the label '%s' is given twice", p->label[0].key);
    expect(p, -EINVAL, words);
    p->label[1].key = "k";
    p->label[1].value = "a\x01";
    expect(p, -EINVAL, "the value of the label 'k' has a control character in it");
    p->label[1].value = "\xc2\x9b"; /* C1 */
    expect(p, -EINVAL, "the value of the label 'k' has a control character in it");
    p->label[1].value = cut(p, 256);
    expect(p, -EINVAL, "the value of the label 'k' has 256 bytes, it may have 255");
    p->label[1].value = "";
    p->label[1].key = cut(p, 64);
    p->spec.labels = &p->labels[1];
    p->spec.n_labels = 1;
    assert_int_equal(spec_check_plan(&p->spec, NOW, words), -EINVAL);
}

static void names_classes_and_priorities_are_checked(void **state)
{
    static const char *const traces[] = { "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                          "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                          "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01" };
    struct plan *p = fresh();

    (void)state;
    p->spec.priority = 6;
    expect(p, -EINVAL, "the priority 6 is not 1 (last) to 5 (first)");
    p->spec.priority = 0;
    p->spec.class_ = 7;
    expect(p, -EINVAL, "there is no class 7; there are interactive, normal and batch");
    p->spec.class_ = 0;
    p->spec.queue = "a/b";
    expect(p, -EINVAL, "the queue 'a/b' is not 1 to 63 of letters, digits, . _ -");
    p->spec.queue = "";
    p->spec.idem_key = "a\tb";
    expect(p, -EINVAL, "the idem key has a control character in it");
    p->spec.idem_key = cut(p, 256);
    expect(p, -EINVAL, "the idem key has 256 bytes, it may have 255");
    p->spec.idem_key = "";
    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        p->spec.traceparent = (char *)traces[i];
        expect(p, -EINVAL, "the traceparent is not of the form 00-TRACE-PARENT-FLAGS, 32, 16 and 2 hexadecimal digits");
    }
}

/* ---- schedule ------------------------------------------------------------------------------------------------------------------------- */

static void a_deadline_is_after_now_and_after_the_start(void **state)
{
    struct plan *p = fresh();

    (void)state;
    p->schedule.deadline_us = NOW;
    expect(p, -EINVAL, "the deadline 2027-01-15T08:00:00Z has passed, it is 2027-01-15T08:00:00Z");
    p->schedule.deadline_us = NOW + 1500000;
    p->schedule.not_before_us = NOW + 1500000;
    expect(p, -EINVAL, "the deadline 2027-01-15T08:00:01.5Z is not after 2027-01-15T08:00:01.5Z, before which the job may not begin");
    p->schedule.not_before_us = UINT64_MAX;
    p->schedule.deadline_us = 0;
    expect(p, -EINVAL, "not_before or deadline is after the year 9999");
}

static void an_array_is_bounded_and_nothing_overflows(void **state)
{
    struct plan *p = fresh();

    (void)state;
    p->schedule.array = &p->array;
    p->array.from = p->array.to = p->array.step = 1;
    p->array.to = 1000000000;
    expect(p, -EDQUOT, "the limit 'array tasks' allows 1000000, this job has 1000000000");
    p->array.from = 5;
    p->array.to = 3;
    expect(p, -EINVAL, "the array ends before it begins: 5-3");
    p->array.from = 0;
    p->array.to = UINT64_MAX;
    expect(p, -EDQUOT, "the limit 'array tasks' allows 1000000, this job has 18446744073709551615");
    p->array.step = UINT64_MAX;
    expect(p, 0, "");
    assert_true(spec_array_tasks(&p->array) == 2);
    p->array.step = 0;
    assert_true(spec_array_tasks(&p->array) == UINT64_MAX);
    p->array.to = 6;
    assert_true(spec_array_tasks(&p->array) == 7);
    p->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    expect(p, -EINVAL, "the tasks of an array have no terminal, and nobody to stream their input");
}

static void dependencies_and_limiters_are_checked(void **state)
{
    struct plan *p = fresh();
    char words[200];

    (void)state;
    p->schedule.n_after = 257;
    expect(p, -EDQUOT, "the limit 'dependencies' allows 256, this job has 257");
    p->schedule.n_after = 2;
    p->dep[1].job = "nope!";
    expect(p, -EINVAL, "after: 'nope!' is not a job's id");
    p->dep[1].job = p->dep[0].job;
    snprintf(words, sizeof(words), "after: the job %s is named twice", p->dep[0].job);
    expect(p, -EINVAL, words);
    p->schedule.n_after = 1;
    p->dep[0].on = 9;
    snprintf(words, sizeof(words), "after %s: there is no condition 9; there are ok, fail and any", p->dep[0].job);
    expect(p, -EINVAL, words);
    p->schedule.n_after = 0;
    p->schedule.n_limiters = 9;
    expect(p, -EDQUOT, "the limit 'limiters' allows 8, this job has 9");
    p->schedule.n_limiters = 2;
    p->limiter[0].key = p->limiter[1].key = "db";
    expect(p, -EINVAL, "the limiter 'db' is given twice");
    p->limiter[1].key = "";
    expect(p, -EINVAL, "the limiter '' is not 1 to 63 of letters, digits, . _ - and /");
    p->limiter[1].key = "x";
    p->limiter[1].n = 1000001;
    expect(p, -EDQUOT, "the limit 'places of a limiter' allows 1000000, this job has 1000001");
}

static void cron_goes_with_nothing_that_is_said_of_one_job(void **state)
{
    struct plan *p = fresh();
    char why[SPEC_WHY];

    (void)state;
    p->schedule.zone = "utc";
    expect(p, -EINVAL, "there is a zone, which is cron's, and no cron");
    p->schedule.cron = "@daily";
    expect(p, 0, "");
    p->schedule.zone = "Europe/Berlin";
    expect(p, -EINVAL, "zone 'Europe/Berlin' is neither \"UTC\" nor \"local\"");
    p->schedule.zone = "";
    p->schedule.n_after = 1;
    expect(p, -EINVAL, "cron and after do not go together: what a job waits for ends once, cron starts it again and again");
    p->schedule.n_after = 0;
    p->schedule.array = &p->array;
    expect(p, 0, ""); /* an entry may start an array each time */
    p->schedule.array = NULL;
    p->schedule.not_before_us = NOW;
    expect(p, -EINVAL, "cron says when each of its jobs begins: not_before and deadline are for one");
    p->schedule.not_before_us = 0;
    p->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    expect(p, -EINVAL, "a job of cron has nobody to stream its input");
    p->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_NONE;
    p->schedule.cron = "0 0 31 2 *"; /* cron_expr.h's tests have the others */
    assert_int_equal(spec_check_plan(&p->spec, NOW, why), -EINVAL);
    p->schedule.cron = cut(p, 2000);
    assert_int_equal(spec_check_plan(&p->spec, NOW, why), -EINVAL);
}

/* ---- retry ------------------------------------------------------------------------------------------------------------------------------ */

static void retries_are_bounded_and_no_number_is_odd(void **state)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, -1, 0.5, 1000.5 };
    struct plan *p = fresh();
    char why[SPEC_WHY];

    (void)state;
    p->retry.max_attempts = 1001;
    expect(p, -EDQUOT, "the limit 'attempts' allows 1000, this job has 1001");
    p->retry.max_attempts = 3;
    p->retry.infra_attempts = 101;
    expect(p, -EDQUOT, "the limit 'infra attempts' allows 100, this job has 101");
    p->retry.infra_attempts = 0;
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        p->backoff.factor = odd[i];
        assert_int_equal(spec_check_plan(&p->spec, NOW, why), -EINVAL);
        p->backoff.factor = 0;
        p->backoff.jitter = odd[i] == 0.5 ? 1.1 : odd[i];
        assert_int_equal(spec_check_plan(&p->spec, NOW, why), -EINVAL);
        p->backoff.jitter = 0;
    }
    p->backoff.factor = 0.5;
    expect(p, -EINVAL, "retry: the factor 0.5 is not between 1 and 1000");
    p->backoff.factor = 2;
    p->backoff.jitter = 1.5;
    expect(p, -EINVAL, "retry: the jitter 1.5 is not between 0 and 1");
    p->backoff.jitter = 0;
    p->backoff.base_us = 2000000;
    p->backoff.max_us = 1000000;
    expect(p, -EINVAL, "retry: the first pause, 2s, is longer than the longest, 1s");
    p->backoff.max_us = UINT64_MAX;
    expect(p, -EINVAL, "retry: a pause between attempts is at most 30 days");
    p->backoff.max_us = 0;
    p->retry.n_success_exit_codes = 1;
    p->codes[0] = 256;
    expect(p, -EINVAL, "retry: the exit code 256 is not between 0 and 255");
    p->codes[0] = -1;
    expect(p, -EINVAL, "retry: the exit code -1 is not between 0 and 255");
    p->retry.n_success_exit_codes = 65;
    expect(p, -EDQUOT, "the limit 'success exit codes' allows 64, this job has 65");
}

static void causes_after_which_there_is_no_other_attempt_are_refused(void **state)
{
    static const struct {
        Pb__Cause cause;
        const char *words;
    } rows[] = {
        {PB__CAUSE__CAUSE_NONE,         "retry: after none there is no other attempt"                      },
        { PB__CAUSE__CAUSE_OK,          "retry: after ok there is no other attempt"                        },
        { PB__CAUSE__CAUSE_CANCELLED,   "retry: after cancelled there is no other attempt"                 },
        { PB__CAUSE__CAUSE_BAD_SPEC,    "retry: after bad_spec there is no other attempt"                  },
        { PB__CAUSE__CAUSE_WORKER_LOST,
         "retry: worker_lost is the platform's: it is tried again by itself, infra_attempts says how often"},
        { 99,                           "retry: there is no cause 99"                                      },
    };
    struct plan *p = fresh();

    (void)state;
    p->retry.n_on = 1;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        p->on[0] = rows[i].cause;
        expect(p, -EINVAL, rows[i].words);
    }
    p->retry.n_on = 2;
    p->on[0] = p->on[1] = PB__CAUSE__CAUSE_OOM;
    expect(p, -EINVAL, "retry: the cause oom is given twice");
}

/* ---- webhooks ---------------------------------------------------------------------------------------------------------------------------- */

static void addresses_are_taken_or_refused(void **state)
{
    static const char *const good[] = { "http://h",          "https://h/",   "http://h:1",        "https://h.example.org:65535/a?b#c",
                                        "http://127.0.0.1/", "http://[::1]", "http://[::1]:80/x", "http://h/a@b",
                                        "https://h?x" };
    static const char *const bad[] = { "http://",         "http:///x",         "http://:80/", "http://h:0/",
                                       "http://h:65536/", "http://h:x/",       "http://h:/",  "http://h /",
                                       "http://h/\x01",   "http://h/\xc3\xa4", "http://[::1", "http://[]/",
                                       "http://[::1]x/",  "http://[::1]:/",    "http://h$/",  "http://h/\"" };
    static const char *const schemes[] = { "", "ftp://h/", "HTTP://h/", "//h/", "h", "file:///etc/passwd", "https:/h" };
    struct plan *p = fresh();
    char why[SPEC_WHY];

    (void)state;
    p->spec.n_webhooks = 1;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        p->hook.url = (char *)good[i];
        expect(p, 0, "");
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        p->hook.url = (char *)bad[i];
        if (spec_check_plan(&p->spec, NOW, why) != -EINVAL || strstr(why, "has no good host or port") == NULL)
            fail_msg("%s: %s", bad[i], why);
    }
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        p->hook.url = (char *)schemes[i];
        if (spec_check_plan(&p->spec, NOW, why) != -EINVAL || strstr(why, "does not begin with http:// or https://") == NULL)
            fail_msg("%s: %s", schemes[i], why);
    }
    p->hook.url = "https://user:secret@h/";
    expect(p, -EINVAL, "the address of a webhook has a user or a password in it; sign with a key instead");
    memcpy(p->long_text, "http://", 7);
    p->hook.url = cut(p, 2049);
    expect(p, -EINVAL, "the address of a webhook has 2049 bytes, it may have 2048");
    p->hook.url = "http://h/";
    p->hook.n_events = 1;
    p->events[0] = 77;
    expect(p, -EINVAL, "webhook: there is no state 77");
    p->hook.n_events = MANY;
    assert_int_equal(spec_check_plan(&p->spec, NOW, why), -EDQUOT);
    p->hook.n_events = 0;
    p->hook.key = "a\nb";
    expect(p, -EINVAL, "the key of a webhook names a kv entry: at most 255 bytes without control characters");
    p->spec.n_webhooks = 9;
    expect(p, -EDQUOT, "the limit 'webhooks' allows 8, this job has 9");
    p->spec.n_webhooks = 0;
    p->retention.log_us = UINT64_MAX;
    expect(p, -EINVAL, "retention: longer than a hundred years");
}

/* ---- filled in ---------------------------------------------------------------------------------------------------------------------------- */

static void what_is_not_said_is_filled_in(void **state)
{
    struct plan *p = fresh();
    struct spec_room room;

    (void)state;
    p->spec.retry = NULL;
    p->schedule.array = &p->array;
    p->schedule.n_limiters = 1;
    p->schedule.cron = "@daily";
    spec_fill(&p->spec, &room);
    assert_int_equal(p->spec.priority, 3);
    assert_string_equal(p->spec.queue, "default");
    assert_int_equal(p->spec.retry->max_attempts, 1);
    assert_int_equal(p->spec.retry->infra_attempts, 3);
    assert_true(p->spec.retry->backoff->base_us == 1000000 && p->spec.retry->backoff->max_us == 300000000);
    assert_true(p->spec.retry->backoff->factor == 2 && p->spec.retry->backoff->jitter == 0.1);
    assert_int_equal(p->array.step, 1);
    assert_int_equal(p->limiter[0].n, 1);
    assert_string_equal(p->schedule.zone, "UTC");
}

/* What is filled in never makes a spec that would be refused. */
static void what_is_said_stays_and_the_rest_fits_to_it(void **state)
{
    struct plan *p = fresh();
    struct spec_room room;

    (void)state;
    p->spec.priority = 1;
    p->spec.queue = "q";
    p->retry.max_attempts = 7;
    p->backoff.base_us = 600000000;
    spec_fill(&p->spec, &room);
    assert_int_equal(p->spec.priority, 1);
    assert_string_equal(p->spec.queue, "q");
    assert_int_equal(p->retry.max_attempts, 7);
    assert_true(p->backoff.max_us == 600000000 && p->backoff.jitter == 0);
    expect(p, 0, "");
    p = fresh();
    p->backoff.max_us = 500;
    spec_fill(&p->spec, &room);
    assert_true(p->backoff.base_us == 500);
    expect(p, 0, "");
}

static void an_interpreter_has_no_plan(void **state)
{
    struct plan *p = fresh();
    char why[SPEC_WHY];

    (void)state;
    assert_int_equal(spec_check_no_plan(&p->spec, why), -EINVAL);
    assert_string_equal(why, "an interpreter has no schedule: it is made now, and lives until it is closed");
    p->spec.schedule = NULL;
    assert_int_equal(spec_check_no_plan(&p->spec, why), -EINVAL);
    p->spec.retry = NULL;
    assert_int_equal(spec_check_no_plan(&p->spec, why), 0);
    p->spec.hold = 1;
    assert_int_equal(spec_check_no_plan(&p->spec, why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_at_every_bound_is_taken),
        cmocka_unit_test(labels_are_checked_key_by_key),
        cmocka_unit_test(names_classes_and_priorities_are_checked),
        cmocka_unit_test(a_deadline_is_after_now_and_after_the_start),
        cmocka_unit_test(an_array_is_bounded_and_nothing_overflows),
        cmocka_unit_test(dependencies_and_limiters_are_checked),
        cmocka_unit_test(cron_goes_with_nothing_that_is_said_of_one_job),
        cmocka_unit_test(retries_are_bounded_and_no_number_is_odd),
        cmocka_unit_test(causes_after_which_there_is_no_other_attempt_are_refused),
        cmocka_unit_test(addresses_are_taken_or_refused),
        cmocka_unit_test(what_is_not_said_is_filled_in),
        cmocka_unit_test(what_is_said_stays_and_the_rest_fits_to_it),
        cmocka_unit_test(an_interpreter_has_no_plan),
    };

    return cmocka_run_group_tests_name("spec_plan", tests, NULL, NULL);
}
