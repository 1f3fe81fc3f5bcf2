/*
 * jobs_own.h - what jobs.c (the table, the queue, the run) and jobs_end.c (the end) share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_JOBS_OWN_H
#define BROKER_JOBS_OWN_H

#include "broker/jobs.h"

void jobs_step(struct job *job, enum job_event event); /* the only place where a job's state changes */
void jobs_free(struct job *job);                       /* answers who still waits for it */
void jobs_forget(struct job *job);                     /* the same, and no file of it stays */
void jobs_drop_seal(struct job *job);
void jobs_stop_timers(struct job *job);
void jobs_dequeue(struct job *job); /* nothing when it does not wait */
void jobs_put_in_queue(struct job *job, int at_head);
/* Tells the store that an attempt begins (RUNNING) or is to be made again (READY). */
void jobs_note_start(struct job *job, Pb__State state);
/* The end is decided and no worker is left: its receipt goes to the store. */
void jobs_write_receipt(struct job *job);
void jobs_on_store_retry(void *ctx); /* of the timer store_retry */

#endif
