/*
 * loop.h - init's life while the program runs: the link, its stdio, its calls without leave, its end.
 *
 * Side: worker (init). Waits for nothing but epoll, and for the broker to take what is sent.
 */
#ifndef WORKER_ENGINES_EXEC_LOOP_H
#define WORKER_ENGINES_EXEC_LOOP_H

#include "worker/engines/exec/job.h"

/* Before there is a job: what is waited with. 0 or -errno. */
int loop_prepare(struct exec_job *j);

/* Once there is one, and before the fork: the signals that are read, blocked from here on. 0 or -errno. */
int loop_take_signals(void);

/* After it: watches all there is to be watched. 0 or -errno. */
int loop_watch(struct exec_job *j);

/* Until the first process has ended, or the job has to. Then j->ended, or j->outcome->kind, says which. */
void loop_run(struct exec_job *j);

/* Of descriptors that are watched: no longer; and whether it matters that they can be written to. */
void loop_forget(struct exec_job *j, int fd);
void loop_want_write(struct exec_job *j, int fd, bool want);

#endif
