/*
 * scope.h - what the core tells scopes; their own functions are in coop/task.h.
 *
 * Side:    worker. One thread state's.
 * Fields:  scope, scope_next and scope_prev of a tasklet are written here only.
 */
#ifndef WORKER_TASK_SCOPE_H
#define WORKER_TASK_SCOPE_H

#include "worker/task/sched.h"

/* t is being made. -EINVAL: the parent of s has ended; -ECANCELED: s is being closed. A child of a cancelled scope starts cancelled. */
int scope_adopt(coop_scope *s, coop_task *t);

/* t, a child, has ended: its result and whether it was cancelled stand. t is forgotten. */
void scope_child_ended(coop_task *t);

/* The parent of all these (local_scopes()) has ended: nothing can be spawned into them any more. */
void scope_parent_ended(coop_scope **open);

#endif
