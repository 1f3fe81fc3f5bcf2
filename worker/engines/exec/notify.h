/*
 * notify.h - calls of the program that its policy does not allow: they wait at a listener, which init holds.
 *
 * Side: worker (init). What is read about the caller is a hostile process's; it goes into a report and decides nothing.
 */
#ifndef WORKER_ENGINES_EXEC_NOTIFY_H
#define WORKER_ENGINES_EXEC_NOTIFY_H

#include "worker/engines/exec/job.h"

/* Before the seal: whether we know the kernel's messages. 0, -ENOSYS, or -errno. */
int notify_prepare(void);

/* One call: ends the job as violated, with its caller still waiting; in a learning job it is noted, and answered. */
void notify_receive(struct exec_job *j);

/* What there is to say of the call that has ended the job. */
void notify_report(void);

#endif
