/* job_matrix.c - see job_matrix.h. */
#include "broker/job_matrix.h"

#define ST(name) PB__STATE__STATE_##name
#define CA(name) PB__CAUSE__CAUSE_##name

/* clang-format off */
const unsigned char job_next[JOB_STATES][JOB_EVENTS] = {
    [ST(READY)]     = { [JOB_EV_ASSIGN] = ST(STARTING), [JOB_EV_END] = ST(FINISHING) },
    [ST(STARTING)]  = { [JOB_EV_STARTED] = ST(RUNNING), [JOB_EV_LOST] = ST(READY), [JOB_EV_END] = ST(FINISHING) },
    [ST(RUNNING)]   = { [JOB_EV_LOST] = ST(READY), [JOB_EV_END] = ST(FINISHING) },
    [ST(FINISHING)] = { [JOB_EV_SUCCEEDED] = ST(SUCCEEDED), [JOB_EV_FAILED] = ST(FAILED),
                        [JOB_EV_TIMED_OUT] = ST(TIMED_OUT), [JOB_EV_CANCELLED] = ST(CANCELLED) },
};
/* clang-format on */

/* clang-format off */
static const char *const state_names[JOB_STATES] = {
    [ST(NONE)] = "none",           [ST(READY)] = "ready",     [ST(STARTING)] = "starting",
    [ST(RUNNING)] = "running",     [ST(FINISHING)] = "finishing", [ST(SUCCEEDED)] = "succeeded",
    [ST(FAILED)] = "failed",       [ST(TIMED_OUT)] = "timed_out", [ST(CANCELLED)] = "cancelled",
};
/* clang-format on */

/* clang-format off */
static const struct {
    const char *name;
    Pb__State outcome;
} causes[] = {
    [CA(NONE)]         = { "none",         ST(FAILED) },
    [CA(OK)]           = { "ok",           ST(SUCCEEDED) },
    [CA(EXIT)]         = { "exit",         ST(FAILED) },
    [CA(SIGNAL)]       = { "signal",       ST(FAILED) },
    [CA(EXCEPTION)]    = { "exception",    ST(FAILED) },
    [CA(OOM)]          = { "oom",          ST(FAILED) },
    [CA(CPU_LIMIT)]    = { "cpu_limit",    ST(TIMED_OUT) },
    [CA(WALL_LIMIT)]   = { "wall_limit",   ST(TIMED_OUT) },
    [CA(OUTPUT_LIMIT)] = { "output_limit", ST(FAILED) },
    [CA(POLICY)]       = { "policy",       ST(FAILED) },
    [CA(START_FAILED)] = { "start_failed", ST(FAILED) },
    [CA(BAD_RESULT)]   = { "bad_result",   ST(FAILED) },
    [CA(CANCELLED)]    = { "cancelled",    ST(CANCELLED) },
    [CA(WORKER_LOST)]  = { "worker_lost",  ST(FAILED) },
    [CA(BROKER_LOST)]  = { "broker_lost",  ST(FAILED) },
    [CA(INTERNAL)]     = { "internal",     ST(FAILED) },
    [CA(IDLE_LIMIT)]   = { "idle_limit",   ST(TIMED_OUT) },
    [CA(DISK_LIMIT)]   = { "disk_limit",   ST(FAILED) },
    [CA(PIDS_LIMIT)]   = { "pids_limit",   ST(FAILED) },
    [CA(BAD_SPEC)]     = { "bad_spec",     ST(FAILED) },
};
/* clang-format on */

int job_is_terminal(Pb__State s)
{
    return s >= ST(SUCCEEDED) && s <= ST(DEAD);
}

Pb__State job_outcome(Pb__Cause cause)
{
    return (size_t)cause < sizeof(causes) / sizeof(causes[0]) ? causes[cause].outcome : ST(FAILED);
}

const char *job_state_name(Pb__State s)
{
    return (size_t)s < JOB_STATES ? state_names[s] : "unknown";
}

const char *job_cause_name(Pb__Cause c)
{
    return (size_t)c < sizeof(causes) / sizeof(causes[0]) ? causes[c].name : "unknown";
}
