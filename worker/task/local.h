/*
 * local.h - what the core asks of tasklet-local values and contexts; their functions are in coop/task.h.
 *
 * Side: worker. One thread state's.
 */
#ifndef WORKER_TASK_LOCAL_H
#define WORKER_TASK_LOCAL_H

#include "worker/task/sched.h"

/* At a spawn: child shares the context of the running tasklet. */
void local_inherit(coop_task *child);

/* At t's end, while it still runs: destroys its values, gives up its context. Twice does nothing. */
void local_end(coop_task *t);

/* Where scope.c keeps the list of scopes that the running tasklet has opened. NULL: no memory. */
coop_scope **local_scopes(void);

/* Where the running tasklet's unfinished runs of coop_once_run() hang, the innermost first. NULL: no memory. */
struct once_run;
struct once_run **local_onces(void);

#endif
