/*
 * attempt.h - one hostile job beside an honest one, and what its receipt has to say whatever it did.
 *
 * Side:  tests; header only, as host.h.
 * Order: attempt_neighbour(); attempt_run(); the caller's own judgement; attempt_harmed_nobody(). attempt_teardown() after each test.
 */
#ifndef TESTS_ESCAPE_ATTEMPT_H
#define TESTS_ESCAPE_ATTEMPT_H

#include "coop/exit_codes.h"
#include "tests/escape/host.h"

#define ATTEMPT_LIMITS "cpu=20s,wall=60s,memory=32M,stdout=64K,stderr=64K"
enum { ATTEMPT_OUT_CAP = 64 << 10, ATTEMPT_TEXT = 40000 };

/* ---- the honest neighbour: says one thing, waits for a line, says another ------------------------------------------------------ */

struct neighbour {
    const char *script; /* of the engine that this broker has; prints what says[] begins with up to "waiting\n", then reads a line */
    const char *says;
    size_t len;
    struct proc *proc;
};

static inline void attempt_neighbour(const struct host *h, struct neighbour *n)
{
    n->proc = coop_start(h->b, "run", "--limit", ATTEMPT_LIMITS, script(h->b, "neighbour.lua", n->script));
    proc_until(n->proc, &n->proc->out, "waiting\n");
}

static inline void attempt_neighbour_is_unharmed(struct neighbour *n)
{
    proc_write(n->proc, "\n", 1);
    proc_close_in(n->proc);
    (void)proc_expect(n->proc, 0);
    expect_bytes(n->proc->out, n->says, n->len);
    expect_text(n->proc->err, "");
    host_forget(n->proc);
    n->proc = NULL;
}

/* After a failure: no job is left that waits for a line. */
static inline void attempt_teardown(const struct host *h, struct neighbour *n)
{
    json_t *jobs;

    if (n->proc == NULL)
        return;
    proc_kill(n->proc, SIGKILL);
    n->proc = NULL;
    jobs = json_at(json_of(&coop(h->b, "ls", "--json", "--limit", "20")->out), "jobs");
    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (strcmp(json_str(json_array_get(jobs, i), "state"), "running") == 0)
            (void)coop(h->b, "kill", json_str(json_array_get(jobs, i), "id"));
}

/* ---- what a receipt has to say ------------------------------------------------------------------------------------------------- */

struct ended {
    json_t *receipt;
    const char *cause, *detail, *out, *err; /* what it wrote, as far as that is text */
    int signal, code;
};

static inline void attempt_outcome_fits_cause(const struct ended *e)
{
    /* clang-format off */
    static const struct {
        const char *cause, *outcome;
        int code;
    } causes[] = {
        { "ok",           "succeeded", COOP_EXIT_OK },
        { "exit",         "failed",    -1 }, /* the job's own */
        { "policy",       "failed",    COOP_EXIT_POLICY },
        { "bad_result",   "failed",    COOP_EXIT_PLATFORM },
        { "cpu_limit",    "timed_out", COOP_EXIT_TIME_LIMIT },
        { "wall_limit",   "timed_out", COOP_EXIT_TIME_LIMIT },
        { "output_limit", "failed",    COOP_EXIT_JOB_FAILED },
        { "exception",    "failed",    COOP_EXIT_EXCEPTION },
        { "oom",          "failed",    COOP_EXIT_OOM },
        { "signal",       "failed",    COOP_EXIT_SIGNAL_BASE }, /* + the signal */
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        int code = causes[i].code;

        if (strcmp(e->cause, causes[i].cause) != 0)
            continue;
        if (code == -1)
            code = (int)json_num(e->receipt, "exit_code");
        if (code == COOP_EXIT_SIGNAL_BASE)
            code += e->signal;
        assert_string_equal(json_str(e->receipt, "outcome"), causes[i].outcome);
        assert_int_equal(e->code, code);
        return;
    }
    support_fail("it ended %s, which no attempt may: %.2000s", e->cause, json_shown(e->receipt));
}

static inline void attempt_numbers_are_not_negative(json_t *at)
{
    const char *key;
    json_t *value;

    if (json_is_integer(at) && json_integer_value(at) < 0)
        support_fail("a receipt has a negative number");
    json_object_foreach(at, key, value) attempt_numbers_are_not_negative(value);
}

/* Whatever a worker did, these hold: it ran once, sealed, and the texts are fit for a terminal. */
static inline void attempt_receipt_is_true(const struct host *h, const struct ended *e)
{
    json_t *r = e->receipt, *seal = json_at(r, "enforcement.seal");
    json_int_t uid = json_num(r, "enforcement.uid");

    attempt_outcome_fits_cause(e);
    if (json_num(r, "attempt") != 1)
        support_fail("it made the broker run it %lld times", (long long)json_num(r, "attempt"));
    for (const char *p = e->detail; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
    assert_string_equal(json_str(r, "enforcement.seccomp"), h->profile);
    assert_int_equal(strlen(json_str(r, "enforcement.seccomp_hash")), 64);
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 1)), "seccomp");
    if (geteuid() == 0 && h->b->uid == 0)
        assert_true(uid >= 1879100000); /* of its own */
    else
        assert_int_equal(uid, h->b->uid != 0 ? h->b->uid : geteuid());
    assert_true(json_num(r, "stdout.bytes") <= ATTEMPT_OUT_CAP && json_num(r, "stderr.bytes") <= ATTEMPT_OUT_CAP);
    attempt_numbers_are_not_negative(r);
}

/* ---- the job ------------------------------------------------------------------------------------------------------------------- */

static inline const char *attempt_chunks(const struct proc *p, size_t lines, const char *stream)
{
    const char *text = "";

    for (size_t i = 0; i + 1 < lines; i++) {
        json_t *chunk = json_line(&p->out, i);

        if (strcmp(json_str(chunk, "stream"), stream) == 0 && strlen(text) < ATTEMPT_TEXT)
            text = support_text("%s%s", text, json_str(chunk, "data"));
    }
    return text;
}

/* What became of a `coop run --json` that has ended. */
static inline struct ended attempt_heard(struct proc *p)
{
    size_t lines = json_lines(&p->out);
    struct ended e = { .code = p->code };

    if (lines == 0)
        support_fail("no receipt: %s%s", p->out.bytes, p->err.bytes);
    e.receipt = json_line(&p->out, lines - 1);
    e.cause = json_str(e.receipt, "cause");
    e.detail = json_str(e.receipt, "cause_detail");
    e.signal = (int)json_num(e.receipt, "signal");
    e.out = attempt_chunks(p, lines, "stdout");
    e.err = attempt_chunks(p, lines, "stderr");
    host_forget(p);
    return e;
}

/* limits: tighter ones, or NULL. The script's first argument is the canary's path. */
static inline struct ended attempt_run(const struct host *h, const char *text, const char *limits)
{
    return attempt_heard(coop(h->b, "run", "--json", "--limit", ATTEMPT_LIMITS, "--limit", limits != NULL ? limits : "cpu=20s",
                              script(h->b, "attempt.lua", text), "--", h->canary));
}

/* causes: those that are right, with spaces between. */
static inline void attempt_ended(const struct ended *e, const char *causes)
{
    const char *at = strstr(causes, e->cause);
    size_t len = strlen(e->cause);

    if (at == NULL || (at > causes && at[-1] != ' ') || (at[len] != ' ' && at[len] != '\0'))
        support_fail("it ended %s (%s), wanted %s; it said: %.1000s%.1000s\n%.2000s", e->cause, e->detail, causes, e->out, e->err,
                     json_shown(e->receipt));
}

static inline void attempt_harmed_nobody(const struct host *h, struct neighbour *n, const struct ended *e)
{
    attempt_receipt_is_true(h, e);
    host_worker_is_gone(h, (pid_t)json_num(e->receipt, "where.worker_pid"));
    attempt_neighbour_is_unharmed(n);
    host_unharmed(h);
}

#endif
