/*
 * learn.h - a job that is run to find out which rows it would need.
 *
 * Side: worker (init). The calls are the tenant's; their numbers and arguments are all that is looked at.
 */
#ifndef WORKER_ENGINES_EXEC_LEARN_H
#define WORKER_ENGINES_EXEC_LEARN_H

#include <linux/seccomp.h>
#include <stdbool.h>

#include "worker/policy.h"

enum { LEARN_ROWS = 512 }; /* more than that are counted in the last */

/* The policy that the job runs under. */
void learn_begin(const struct policy *p);

/* Notes a call that no row of it allows. True: the kernel may do it. */
bool learn_note(const struct seccomp_data *call);

/* Says what was noted, before the Result. */
void learn_tell(void);

#endif
