/* job_matrix.c - see job_matrix.h. */
#include "broker/job_matrix.h"

#include <assert.h>
#include <stddef.h>

#define ST(name)  PB__STATE__STATE_##name
#define CA(name)  PB__CAUSE__CAUSE_##name
#define BIT(name) (1u << ST(name))

/* clang-format off */
const unsigned char job_next[JOB_STATES][JOB_EVENTS] = {
    /* those that wait */
    [ST(READY)]      = { [JOB_EV_HOLD] = ST(HELD), [JOB_EV_BLOCK] = ST(BLOCKED), [JOB_EV_SCHEDULE] = ST(SCHEDULED),
                         [JOB_EV_CLAIM] = ST(CLAIMED), [JOB_EV_END] = ST(FINISHING),
                         [JOB_EV_ASSIGN] = ST(STARTING) }, /* interpreters, and inits of templates: nobody claims those */
    [ST(HELD)]       = { [JOB_EV_BLOCK] = ST(BLOCKED), [JOB_EV_SCHEDULE] = ST(SCHEDULED), [JOB_EV_READY] = ST(READY),
                         [JOB_EV_END] = ST(FINISHING) },
    [ST(SCHEDULED)]  = { [JOB_EV_HOLD] = ST(HELD), [JOB_EV_BLOCK] = ST(BLOCKED), [JOB_EV_READY] = ST(READY),
                         [JOB_EV_END] = ST(FINISHING) },
    [ST(BLOCKED)]    = { [JOB_EV_HOLD] = ST(HELD), [JOB_EV_SCHEDULE] = ST(SCHEDULED), [JOB_EV_READY] = ST(READY),
                         [JOB_EV_END] = ST(FINISHING) },
    [ST(RETRY_WAIT)] = { [JOB_EV_HOLD] = ST(HELD), [JOB_EV_BLOCK] = ST(BLOCKED), [JOB_EV_SCHEDULE] = ST(SCHEDULED),
                         [JOB_EV_READY] = ST(READY), [JOB_EV_END] = ST(FINISHING) },
    /* those that have a slot */
    [ST(CLAIMED)]    = { [JOB_EV_UNCLAIM] = ST(READY), [JOB_EV_ASSIGN] = ST(STARTING), [JOB_EV_BACKOFF] = ST(RETRY_WAIT),
                         [JOB_EV_END] = ST(FINISHING) },
    [ST(STARTING)]   = { [JOB_EV_STARTED] = ST(RUNNING), [JOB_EV_LOST] = ST(READY), [JOB_EV_QUARANTINE] = ST(HELD),
                         [JOB_EV_BACKOFF] = ST(RETRY_WAIT), [JOB_EV_END] = ST(FINISHING) },
    [ST(RUNNING)]    = { [JOB_EV_PAUSE] = ST(PAUSED), [JOB_EV_LOST] = ST(READY), [JOB_EV_QUARANTINE] = ST(HELD),
                         [JOB_EV_BACKOFF] = ST(RETRY_WAIT), [JOB_EV_END] = ST(FINISHING) },
    [ST(PAUSED)]     = { [JOB_EV_RESUME] = ST(RUNNING), [JOB_EV_LOST] = ST(READY), [JOB_EV_QUARANTINE] = ST(HELD),
                         [JOB_EV_BACKOFF] = ST(RETRY_WAIT), [JOB_EV_END] = ST(FINISHING) },
    /* the receipt is being written */
    [ST(FINISHING)]  = { [JOB_EV_SUCCEEDED] = ST(SUCCEEDED), [JOB_EV_FAILED] = ST(FAILED), [JOB_EV_TIMED_OUT] = ST(TIMED_OUT),
                         [JOB_EV_CANCELLED] = ST(CANCELLED), [JOB_EV_EXPIRED] = ST(EXPIRED), [JOB_EV_SKIPPED] = ST(SKIPPED),
                         [JOB_EV_DEAD] = ST(DEAD) },
};

static const char *const state_names[JOB_STATES] = {
    [ST(NONE)] = "none",             [ST(READY)] = "ready",         [ST(STARTING)] = "starting",   [ST(RUNNING)] = "running",
    [ST(FINISHING)] = "finishing",   [ST(SUCCEEDED)] = "succeeded", [ST(FAILED)] = "failed",       [ST(TIMED_OUT)] = "timed_out",
    [ST(CANCELLED)] = "cancelled",   [ST(EXPIRED)] = "expired",     [ST(SKIPPED)] = "skipped",     [ST(DEAD)] = "dead",
    [ST(HELD)] = "held",             [ST(SCHEDULED)] = "scheduled", [ST(BLOCKED)] = "blocked",     [ST(CLAIMED)] = "claimed",
    [ST(RETRY_WAIT)] = "retry_wait", [ST(PAUSED)] = "paused",
};

static const unsigned terminal = BIT(SUCCEEDED) | BIT(FAILED) | BIT(TIMED_OUT) | BIT(CANCELLED) | BIT(EXPIRED) | BIT(SKIPPED) | BIT(DEAD),
                      waits    = BIT(READY) | BIT(HELD) | BIT(SCHEDULED) | BIT(BLOCKED) | BIT(RETRY_WAIT),
                      begun    = BIT(STARTING) | BIT(RUNNING) | BIT(PAUSED);

static const enum job_event outcome_events[JOB_STATES] = {
    [ST(SUCCEEDED)] = JOB_EV_SUCCEEDED, [ST(FAILED)] = JOB_EV_FAILED,   [ST(TIMED_OUT)] = JOB_EV_TIMED_OUT,
    [ST(CANCELLED)] = JOB_EV_CANCELLED, [ST(EXPIRED)] = JOB_EV_EXPIRED, [ST(SKIPPED)] = JOB_EV_SKIPPED,
    [ST(DEAD)] = JOB_EV_DEAD,
};

#define NOBODY   JOB_FAULT_NOBODY
#define JOB      JOB_FAULT_JOB
#define PLATFORM JOB_FAULT_PLATFORM

/*
 * retries: without a word of the spec's. Another attempt finds the same policy, the same program and the same rules. What the platform loses
 * or cannot make is another thing (jobs_retry.c): it is tried again whatever the spec says of attempts.
 */
static const struct {
    const char *name;
    Pb__State outcome;
    enum job_fault fault;
    bool retries;
} causes[] = {
    [CA(NONE)]         = { "none",         ST(FAILED),    NOBODY,   false },
    [CA(OK)]           = { "ok",           ST(SUCCEEDED), NOBODY,   false },
    [CA(EXIT)]         = { "exit",         ST(FAILED),    JOB,      true },
    [CA(SIGNAL)]       = { "signal",       ST(FAILED),    JOB,      true },
    [CA(EXCEPTION)]    = { "exception",    ST(FAILED),    JOB,      true },
    [CA(OOM)]          = { "oom",          ST(FAILED),    JOB,      true },
    [CA(CPU_LIMIT)]    = { "cpu_limit",    ST(TIMED_OUT), JOB,      true },
    [CA(WALL_LIMIT)]   = { "wall_limit",   ST(TIMED_OUT), JOB,      true },
    [CA(OUTPUT_LIMIT)] = { "output_limit", ST(FAILED),    JOB,      true },
    [CA(POLICY)]       = { "policy",       ST(FAILED),    JOB,      false },
    [CA(START_FAILED)] = { "start_failed", ST(FAILED),    PLATFORM, false },
    [CA(BAD_RESULT)]   = { "bad_result",   ST(FAILED),    JOB,      true },
    [CA(CANCELLED)]    = { "cancelled",    ST(CANCELLED), NOBODY,   false },
    [CA(WORKER_LOST)]  = { "worker_lost",  ST(FAILED),    PLATFORM, false },
    [CA(BROKER_LOST)]  = { "broker_lost",  ST(FAILED),    PLATFORM, false },
    [CA(INTERNAL)]     = { "internal",     ST(FAILED),    PLATFORM, false },
    [CA(IDLE_LIMIT)]   = { "idle_limit",   ST(TIMED_OUT), JOB,      true },
    [CA(DISK_LIMIT)]   = { "disk_limit",   ST(FAILED),    JOB,      true },
    [CA(PIDS_LIMIT)]   = { "pids_limit",   ST(FAILED),    JOB,      true },
    [CA(BAD_SPEC)]     = { "bad_spec",     ST(FAILED),    JOB,      false },
    [CA(DEADLINE)]     = { "deadline",     ST(EXPIRED),   NOBODY,   false },
    [CA(DEP_FAILED)]   = { "dep_failed",   ST(SKIPPED),   NOBODY,   false },
};
/* clang-format on */
enum { CAUSES = sizeof(causes) / sizeof(causes[0]) };

static bool is_in(Pb__State s, unsigned set)
{
    return (unsigned)s < JOB_STATES && (set & 1u << s) != 0;
}

bool job_is_terminal(Pb__State s)
{
    return is_in(s, terminal);
}

bool job_waits(Pb__State s)
{
    return is_in(s, waits);
}

bool job_has_begun(Pb__State s)
{
    return is_in(s, begun);
}

enum job_event job_outcome_event(Pb__State outcome)
{
    assert(job_is_terminal(outcome));
    return outcome_events[outcome];
}

bool job_has_failed(Pb__State s)
{
    return s == ST(FAILED) || s == ST(TIMED_OUT) || s == ST(DEAD);
}

Pb__State job_outcome(Pb__Cause cause)
{
    return (size_t)cause < CAUSES ? causes[cause].outcome : ST(FAILED);
}

enum job_fault job_cause_fault(Pb__Cause cause)
{
    return (size_t)cause < CAUSES ? causes[cause].fault : JOB_FAULT_PLATFORM;
}

const char *job_fault_name(enum job_fault f)
{
    static const char *const names[] = { [NOBODY] = "", [JOB] = "job", [PLATFORM] = "platform" };

    return names[f];
}

bool job_cause_retries(Pb__Cause cause)
{
    return (size_t)cause < CAUSES && causes[cause].retries;
}

const char *job_state_name(Pb__State s)
{
    return (size_t)s < JOB_STATES ? state_names[s] : "unknown";
}

const char *job_cause_name(Pb__Cause c)
{
    return (size_t)c < CAUSES ? causes[c].name : "unknown";
}
