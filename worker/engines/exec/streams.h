/*
 * streams.h - the program's stdio: what it prints goes to the broker, what it may read comes from there.
 *
 * Side: worker (init). Bytes are passed on and never looked at; no descriptor here blocks.
 */
#ifndef WORKER_ENGINES_EXEC_STREAMS_H
#define WORKER_ENGINES_EXEC_STREAMS_H

#include "frame.h"
#include "worker/engines/exec/job.h"

/* Passes on what there is, up to a buffer: 1 more may come, 0 the end of it, -EAGAIN nothing there now, -EFBIG: past the job's limit. */
int streams_forward(struct exec_job *j, int fd, Pb__Stream id);

/* The program's input can take bytes: gives it some, or asks for more, or ends it. False: nothing to do until the broker has answered. */
bool streams_feed(struct exec_job *j);

/* The broker's answer. f is taken. */
void streams_answer(struct exec_job *j, struct frame *f);

/* Nobody reads it any more, or it has ended. */
void streams_close_input(struct exec_job *j);

/* Everybody is dead: what still lies in the pipes, up to the job's limits. 0; -EFBIG: there is more than they let by, and the job wants to end of it. */
int streams_drain(struct exec_job *j);

#endif
