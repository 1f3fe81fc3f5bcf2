/*
 * reap.h - the ends of a job's processes: waited for, and brought about.
 *
 * Side: worker (init: pid 1 of the job's pid namespace, or elsewhere the one that orphans of its own come to).
 */
#ifndef WORKER_ENGINES_EXEC_REAP_H
#define WORKER_ENGINES_EXEC_REAP_H

#include "worker/engines/exec/job.h"

/* For tests: the list of children is used even where signals could go to all. */
extern bool reap_by_list;

/* Before there is a job: finds out how its processes can be reached. 0 or -errno. */
int reap_prepare(struct exec_job *j);

/* Takes those that have ended; of the first process it keeps how. Never waits. */
void reap_ended(struct exec_job *j);

/* The program is asked to end: SIGTERM to its process group, or to the program where it has left that. */
void reap_ask(struct exec_job *j);

/* Ends all that is left, and waits until nothing is. */
void reap_all(struct exec_job *j);

#endif
