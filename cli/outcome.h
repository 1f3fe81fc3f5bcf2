/*
 * outcome.h - from how a job ended to the command's exit code, as one table.
 *
 * Side: host (CLI).
 */
#ifndef CLI_OUTCOME_H
#define CLI_OUTCOME_H

#include <stddef.h>

#include "job.pb-c.h"

enum outcome_kind {
    OUTCOME_OWN,    /* the job's own code (run), 0 or 1 (wait, result) */
    OUTCOME_GIVEN,  /* the code that the receipt has, for all of them */
    OUTCOME_SIGNAL, /* 128 + the signal */
    OUTCOME_FIXED,
};

struct outcome_row {
    enum outcome_kind kind;
    int code;            /* of OUTCOME_FIXED */
    int said_by_job;     /* the job's own stderr already tells why: run adds nothing */
    const char *help;    /* the exit code, for the manual; NULL when it says nothing of its own */
    const char *meaning; /* the cause, for the manual; NULL: no end */
};

/* Index: Pb__Cause. */
extern const struct outcome_row outcome_table[];
extern const size_t outcome_count;

/* run passes the job's own code through. */
int outcome_of_run(Pb__Cause cause, int exit_code, int signal);

/* wait and result: 0 when it succeeded, 1 when it ended itself with another code, else as run. */
int outcome_of_wait(Pb__Cause cause, int exit_code, int signal);

#endif
