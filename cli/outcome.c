/* outcome.c - see outcome.h. */
#include "cli/outcome.h"

#include <coop/exit_codes.h>

#define CAUSE(x) [PB__CAUSE__CAUSE_##x]

/* clang-format off */
const struct outcome_row outcome_table[] = {
    /* cause              how             code                   job said  for the manual */
    CAUSE(NONE)         = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL },
    CAUSE(OK)           = { OUTCOME_OWN,    0,                     1, NULL },
    CAUSE(EXIT)         = { OUTCOME_OWN,    0,                     1, NULL },
    CAUSE(SIGNAL)       = { OUTCOME_SIGNAL, 0,                     0, "the job died of signal n" },
    CAUSE(EXCEPTION)    = { OUTCOME_FIXED,  COOP_EXIT_EXCEPTION,   1, "uncaught error in the job; its traceback is on standard error" },
    CAUSE(OOM)          = { OUTCOME_FIXED,  COOP_EXIT_OOM,         0, "out of memory, with \"oom\" on standard error and in --json" },
    CAUSE(CPU_LIMIT)    = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, "the cpu, wall or idle limit, or --timeout" },
    CAUSE(WALL_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, NULL },
    CAUSE(OUTPUT_LIMIT) = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, "the stdout or stderr limit (with --on-output-limit kill), the disk, inodes or pids limit" },
    CAUSE(POLICY)       = { OUTCOME_FIXED,  COOP_EXIT_POLICY,      0, "ended by the system call policy, which the message names" },
    CAUSE(START_FAILED) = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, "not the job's fault: start_failed, worker_lost, broker_lost, bad_result, internal" },
    CAUSE(BAD_RESULT)   = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL },
    CAUSE(CANCELLED)    = { OUTCOME_FIXED,  COOP_EXIT_CANCELLED,   0, "cancelled" },
    CAUSE(WORKER_LOST)  = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL },
    CAUSE(BROKER_LOST)  = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL },
    CAUSE(INTERNAL)     = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL },
    CAUSE(IDLE_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, NULL },
    CAUSE(DISK_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, NULL },
    CAUSE(PIDS_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, NULL },
    CAUSE(BAD_SPEC)     = { OUTCOME_GIVEN,  0,                     0, NULL },
};
/* clang-format on */
const size_t outcome_count = sizeof(outcome_table) / sizeof(outcome_table[0]);

static const struct outcome_row *row_of(Pb__Cause cause)
{
    return (unsigned)cause < outcome_count ? &outcome_table[cause] : &outcome_table[PB__CAUSE__CAUSE_INTERNAL];
}

int outcome_of_run(Pb__Cause cause, int exit_code, int signal)
{
    const struct outcome_row *row = row_of(cause);

    switch (row->kind) {
    case OUTCOME_OWN: return exit_code & 0xff;
    case OUTCOME_GIVEN: return (exit_code & 0xff) != 0 ? exit_code & 0xff : COOP_EXIT_NOT_EXECUTABLE;
    case OUTCOME_SIGNAL: return COOP_EXIT_SIGNAL_BASE + (signal & 0x7f);
    case OUTCOME_FIXED: break;
    }
    return row->code;
}

int outcome_of_wait(Pb__Cause cause, int exit_code, int signal)
{
    if (row_of(cause)->kind == OUTCOME_OWN)
        return cause == PB__CAUSE__CAUSE_OK ? COOP_EXIT_OK : COOP_EXIT_JOB_FAILED;
    return outcome_of_run(cause, exit_code, signal);
}
