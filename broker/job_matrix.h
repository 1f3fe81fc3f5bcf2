/*
 * job_matrix.h - the life of a job as data: which event leads from which state to which.
 *
 * Side:    broker.
 */
#ifndef BROKER_JOB_MATRIX_H
#define BROKER_JOB_MATRIX_H

#include "job.pb-c.h"

enum job_event {
    JOB_EV_ASSIGN,    /* a worker was given the job */
    JOB_EV_STARTED,   /* the worker said so */
    JOB_EV_LOST,      /* the worker is gone through no fault of the job, and it may run again */
    JOB_EV_END,       /* its end is known; the receipt is on its way to the store */
    JOB_EV_SUCCEEDED, /* the receipt is committed, with this outcome */
    JOB_EV_FAILED,
    JOB_EV_TIMED_OUT,
    JOB_EV_CANCELLED,
    JOB_EVENTS
};
#define JOB_STATES (PB__STATE__STATE_CANCELLED + 1)

extern const unsigned char job_next[JOB_STATES][JOB_EVENTS]; /* 0 = STATE_NONE = not a legal step */

int job_is_terminal(Pb__State s);
/* The outcome that belongs to a cause: one column for all of it, so that no two places disagree. */
Pb__State job_outcome(Pb__Cause cause);
const char *job_state_name(Pb__State s); /* lower case, as in JSON */
const char *job_cause_name(Pb__Cause c);

#endif
