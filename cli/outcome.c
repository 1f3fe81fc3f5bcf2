/* outcome.c - see outcome.h. */
#include "cli/outcome.h"

#include <coop/exit_codes.h>

#define CAUSE(x) [PB__CAUSE__CAUSE_##x]

/* clang-format off */
const struct outcome_row outcome_table[] = {
    /* cause              how             code                   job said  for the manual: the exit code, the cause */
    CAUSE(NONE)         = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL, NULL },
    CAUSE(OK)           = { OUTCOME_OWN,    0,                     1, NULL, "it ended with 0" },
    CAUSE(EXIT)         = { OUTCOME_OWN,    0,                     1, NULL, "it ended itself with another code" },
    CAUSE(SIGNAL)       = { OUTCOME_SIGNAL, 0,                     0, "the job died of signal n", "a program, or native code, died of a signal that it gave itself or that its fault brought" },
    CAUSE(EXCEPTION)    = { OUTCOME_FIXED,  COOP_EXIT_EXCEPTION,   1, "uncaught error in the job; its traceback is on standard error", "an error of a script that nothing in it caught" },
    CAUSE(OOM)          = { OUTCOME_FIXED,  COOP_EXIT_OOM,         0, "out of memory, with \"oom\" on standard error and in --json", "it used more than its memory limit; files of a program's work directory, /tmp and /dev/shm are in memory and count too" },
    CAUSE(CPU_LIMIT)    = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, "the cpu, wall or idle limit, or --timeout", "all its threads and processes together used its cpu limit" },
    CAUSE(WALL_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, NULL, "its wall limit has passed since it began, by the broker's clock" },
    CAUSE(OUTPUT_LIMIT) = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, "the stdout or stderr limit (with --on-output-limit kill), the disk, inodes or pids limit", "it wrote more to stdout or stderr than the limit, and --on-output-limit is kill" },
    CAUSE(POLICY)       = { OUTCOME_FIXED,  COOP_EXIT_POLICY,      0, "ended by the system call policy, which the message names", "it made a system call that its policy has no row for; the receipt names call, arguments and place" },
    CAUSE(START_FAILED) = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, "of the platform: start_failed, worker_lost, broker_lost, internal; and bad_result", "no worker could be made ready for it, as often as it was tried; or, at once, this machine cannot give what --require or a limit asks for" },
    CAUSE(BAD_RESULT)   = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL, "its worker broke the protocol, as code that has taken a worker over might, and was killed" },
    CAUSE(CANCELLED)    = { OUTCOME_FIXED,  COOP_EXIT_CANCELLED,   0, "cancelled", "somebody asked for it: coop cancel, coop kill, Ctrl-C, --timeout" },
    CAUSE(WORKER_LOST)  = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL, "its worker ended without a word of why, as often as it was tried" },
    CAUSE(BROKER_LOST)  = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL, "the broker ended while it ran, and it cannot be run again: its input was a stream, or it was begun three times" },
    CAUSE(INTERNAL)     = { OUTCOME_FIXED,  COOP_EXIT_PLATFORM,    0, NULL, "the host could not do or keep something, as often as it was tried: a full disk under the output, a spec that cannot be read" },
    CAUSE(IDLE_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, NULL, "it used no cpu for as long as its idle limit" },
    CAUSE(DISK_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, NULL, "a program had no more room in its work directory and ended on that: bytes by the limit disk, or files by inodes" },
    CAUSE(PIDS_LIMIT)   = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, NULL, "a program was refused further processes or threads by the limit pids, and failed of that" },
    CAUSE(BAD_SPEC)     = { OUTCOME_GIVEN,  0,                     0, NULL, "what is to run cannot be: not found, not executable, a library or an interpreter missing (127, 126)" },
    CAUSE(DEADLINE)     = { OUTCOME_FIXED,  COOP_EXIT_TIME_LIMIT,  0, NULL, "its deadline came before it began" },
    CAUSE(DEP_FAILED)   = { OUTCOME_FIXED,  COOP_EXIT_JOB_FAILED,  0, "a job that it waits for did not end as --after asks", "a job that it waits for did not end as --after asks; the detail names it" },
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
