/*
 * learn.h - a job that is run to find out which rows it would need.
 *
 * Side: worker (init). The calls are the tenant's: their numbers and arguments are all that is looked at, and what is kept is bounded.
 */
#ifndef WORKER_ENGINES_EXEC_LEARN_H
#define WORKER_ENGINES_EXEC_LEARN_H

#include <linux/seccomp.h>
#include <stdbool.h>

enum { LEARN_ROWS = 512 }; /* with more different calls than that, the last row counts the others */

/* Notes a call that no row allows; given: enum policy_given. True: the kernel may do it, since a row could allow it. */
bool learn_note(const struct seccomp_data *call, unsigned given);

/* Says what was noted, before the Result. */
void learn_tell(void);

#endif
