/*
 * child.h - from fork to execve(): what the program's process does to itself.
 *
 * Side: worker, the child. Nothing of the tenant has run in it; it holds a copy of init's memory, which execve() drops.
 */
#ifndef WORKER_ENGINES_EXEC_CHILD_H
#define WORKER_ENGINES_EXEC_CHILD_H

#include <sys/types.h>

#include "worker/engines/exec/job.h"
#include "worker/engines/exec/launch.h"
#include "worker/engines/exec/program.h"

enum { CHILD_STEP = 32 };

enum child_what { CHILD_READY, CHILD_READY_UNNAMED, CHILD_STEP_FAILED, CHILD_LACKS, CHILD_EXEC_FAILED };

/* One packet to init. READY has the listener beside it. */
struct child_said {
    enum child_what what;
    int error;
    char step[CHILD_STEP];
    struct program_fault fault;
};

struct child {
    struct exec_job *job;
    const struct launch_filters *filters;
    pid_t init;
    int init_fd;  /* SEQPACKET, to init */
    int stdio[3]; /* to become 0, 1 and 2 */
};

_Noreturn void child_main(struct child *c);

#endif
