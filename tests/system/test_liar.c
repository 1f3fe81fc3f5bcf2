/*
 * test_liar.c - workers that lie on their links, all at once, beside honest jobs: each lie ends its own job, honest jobs end well, and the broker
 * is afterwards what it was. How much longer an honest job takes meanwhile is printed, in the same run, and not asserted.
 *
 * The liars are jobs of tests/escape/probe_worker.c; each lie by itself is tried in tests/escape/test_attempts.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/escape/host.h"

enum { HONEST = 100, NOISE = 2000 };

/* Ends of a lie that are its own: a rule broken, a limit met; or none, when the lie harms nobody. */
static const struct lie {
    const char *name, *causes;
} lies[] = {
    {"frame_empty",         "bad_result"                    },
    { "frame_2_31",         "bad_result"                    },
    { "frame_2_63",         "bad_result"                    },
    { "frame_oversize",     "bad_result"                    },
    { "frame_truncated",    "bad_result"                    },
    { "frame_bad_type",     "bad_result"                    },
    { "frame_unknown",      "bad_result"                    },
    { "frame_varint_11",    "bad_result"                    },
    { "frame_field_max",    "bad_result"                    },
    { "frame_many_fields",  "bad_result"                    },
    { "frame_bad_utf8",     "bad_result"                    },
    { "second_hello",       "bad_result"                    },
    { "second_started",     "bad_result"                    },
    { "result_bad_kind",    "bad_result"                    },
    { "past_credit",        "bad_result"                    },
    { "log_flood",          "bad_result ok"                 },
    { "empty_output_flood", "bad_result ok"                 },
    { "flood_stdout",       "output_limit"                  },
    { "alternating_flood",  "output_limit"                  },
    { "never_reads",        "bad_result wall_limit internal"},
};
enum { LIES = sizeof(lies) / sizeof(lies[0]) };

static struct host *host;

static void end_of_lie(const struct lie *l, const char *id)
{
    const char *cause;

    (void)coop(host->b, "wait", "--quiet", id);
    cause = json_str(receipt_of(host->b, id), "cause");
    if (strstr(l->causes, cause) == NULL)
        support_fail("%s ended %s, wanted %s", l->name, cause, l->causes);
}

/* ---- how long an honest job takes ------------------------------------------------------------------------------------------------ */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Each prints what it should, byte for byte. Fills took with the times, smallest first. */
static void honest_jobs(uint64_t took[HONEST])
{
    const char *path = script(host->b, "honest.lua", support_text("noise 7 %d\n", NOISE));
    const uint8_t *noise = support_noise(NOISE, 7);

    for (int i = 0; i < HONEST; i++) {
        uint64_t from = now_us();
        struct proc *p = proc_expect(coop(host->b, "run", path), 0);

        took[i] = now_us() - from;
        expect_bytes(p->out, noise, NOISE);
        host_forget(p);
    }
    qsort(took, HONEST, sizeof(took[0]), by_size);
}

/* Liars without end: as soon as one has been found out the next begins. */
static struct proc *liars(const char *const *names)
{
    const char *loop = "while :; do ";

    for (; *names != NULL; names++)
        loop = support_text("%s '%s' run -q --limit wall=2s,stdout=64K '%s' >/dev/null 2>&1 </dev/zero;", loop, support_program("coop"),
                            script(host->b, support_text("%s.lua", *names), support_text("case %s\n", *names)));
    return proc_start(
        &(struct proc_how){
            .env = (const char *const[]){support_text("COOP_ENDPOINT=%s", host->b->url), NULL}
    },
        (const char *const[]){ "/bin/sh", "-c", support_text("%s done", loop), NULL });
}

static void honest_jobs_beside_liars_end_well(void **state)
{
    static const char *const breakers[] = { "frame_2_31", "frame_truncated", "frame_many_fields", "past_credit", "second_hello", NULL };
    static const char *const flooders[] = { "log_flood", "empty_output_flood", "flood_stdout", NULL };
    static const char *const sitters[] = { "never_reads", "frame_loris", NULL };
    uint64_t alone[HONEST], beside[HONEST];
    struct proc *some[3];

    (void)state;
    honest_jobs(alone);
    some[0] = liars(breakers);
    some[1] = liars(flooders);
    some[2] = liars(sitters);
    honest_jobs(beside);
    for (int i = 0; i < 3; i++) {
        proc_kill(some[i], SIGKILL);
        (void)proc_end(some[i]);
    }
    printf("@ honest jobs, alone and beside liars: p50 %llu and %llu us (x %.2f), p99 %llu and %llu us (x %.2f)\n",
           (unsigned long long)alone[HONEST / 2], (unsigned long long)beside[HONEST / 2],
           (double)beside[HONEST / 2] / (double)alone[HONEST / 2], (unsigned long long)alone[HONEST * 99 / 100],
           (unsigned long long)beside[HONEST * 99 / 100], (double)beside[HONEST * 99 / 100] / (double)alone[HONEST * 99 / 100]);
    host_unharmed(host);
}

static void each_of_many_lies_at_once_ends_its_own_job(void **state)
{
    const char *ids[LIES];

    (void)state;
    for (size_t i = 0; i < LIES; i++)
        ids[i] = submit(host->b, "--limit", "wall=20s,stdout=64K,stderr=64K",
                        script(host->b, "lie.lua", support_text("case %s\n", lies[i].name)));
    for (size_t i = 0; i < LIES; i++)
        end_of_lie(&lies[i], ids[i]);
    host_unharmed(host);
}

/* It comes byte by byte: the broker's patience ends before the job's time does. */
static void a_message_that_does_not_end_ends_its_job(void **state)
{
    const char *id, *why;

    (void)state;
    id = submit(host->b, "--limit", "wall=10m,cpu=5m", script(host->b, "slow.lua", "case frame_loris\n"));
    why = json_str(expect_end(host->b, id, "bad_result"), "cause_detail");
    if (strstr(why, "a frame that does not end") == NULL)
        support_fail("the receipt says: %s", why);
    host_unharmed(host);
}

static void the_broker_is_as_it_was(void **state)
{
    (void)state;
    host_at_rest(host);
}

static int group_up(void **state)
{
    (void)state;
    host = host_new();
    host->b->args[2] = "--worker";
    host->b->args[3] = support_program("tests/escape/probe-worker");
    host_up(host, script(host->b, "noop.lua", "noise 1 1\n"));
    return 0;
}

static int group_down(void **state)
{
    void *b = host->b;

    (void)state;
    return broker_teardown(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_lies_at_once_ends_its_own_job),
        cmocka_unit_test(honest_jobs_beside_liars_end_well),
        cmocka_unit_test(a_message_that_does_not_end_ends_its_job),
        cmocka_unit_test(the_broker_is_as_it_was),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("liars", tests, group_up, group_down);
}
