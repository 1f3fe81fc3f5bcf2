/*
 * arguments.h - argv and environment of a program, from its job.
 *
 * Side:    worker (init).
 * Owned:   the vectors live as long as the process.
 * Returns: 0, -ENOMEM, or -EINVAL with a sentence in why.
 */
#ifndef WORKER_ENGINES_EXEC_ARGUMENTS_H
#define WORKER_ENGINES_EXEC_ARGUMENTS_H

#include "worker/engines/exec/job.h"

enum { ARGUMENTS_WHY = 256 };

/* Sets j->argv and j->envp. What the job says of its environment goes before what we say. */
int arguments_make(struct exec_job *j, char why[ARGUMENTS_WHY]);

#endif
