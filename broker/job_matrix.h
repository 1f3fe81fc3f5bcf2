/*
 * job_matrix.h - the life of a job as data: which event leads from which state to which; what is behind each cause.
 *
 * Side:    broker.
 */
#ifndef BROKER_JOB_MATRIX_H
#define BROKER_JOB_MATRIX_H

#include <stdbool.h>

#include "job.pb-c.h"

enum job_event {
    JOB_EV_HOLD,       /* somebody holds it back */
    JOB_EV_BLOCK,      /* it waits for the end of others */
    JOB_EV_SCHEDULE,   /* it waits for its time */
    JOB_EV_READY,      /* nothing but the scheduler keeps it back any more */
    JOB_EV_CLAIM,      /* the scheduler gave it a slot */
    JOB_EV_UNCLAIM,    /* and it could not be used: the broker drains, it was held, or its crew has no workers */
    JOB_EV_ASSIGN,     /* a worker was given the job */
    JOB_EV_STARTED,    /* the worker said so */
    JOB_EV_PAUSE,      /* its processes are frozen */
    JOB_EV_RESUME,     /* and run on */
    JOB_EV_LOST,       /* the worker is gone through no fault of the job, and it may run again */
    JOB_EV_QUARANTINE, /* the same once too often: it is held */
    JOB_EV_BACKOFF,    /* the attempt has failed, another is to be made in a while */
    JOB_EV_END,        /* its end is known; the receipt is on its way to the store */
    JOB_EV_SUCCEEDED,  /* the receipt is committed, with this outcome */
    JOB_EV_FAILED,
    JOB_EV_TIMED_OUT,
    JOB_EV_CANCELLED,
    JOB_EV_EXPIRED,
    JOB_EV_SKIPPED,
    JOB_EV_DEAD,
    JOB_EVENTS
};
#define JOB_STATES (PB__STATE__STATE_PAUSED + 1)

extern const unsigned char job_next[JOB_STATES][JOB_EVENTS]; /* 0 = STATE_NONE = not a legal step */

bool job_is_terminal(Pb__State s);
bool job_has_failed(Pb__State s); /* it ended, and not as it should; nobody cancelled it, and it has not been kept from beginning */
/* It has no slot and no worker: READY, HELD, SCHEDULED, BLOCKED, RETRY_WAIT. */
bool job_waits(Pb__State s);
/* It has a worker of its own: STARTING, RUNNING, PAUSED. */
bool job_has_begun(Pb__State s);
/* The event that the commit of a receipt with this outcome is. */
enum job_event job_outcome_event(Pb__State outcome);

/* Whose fault a cause is: one column, so that no two places disagree. */
enum job_fault { JOB_FAULT_NOBODY, JOB_FAULT_JOB, JOB_FAULT_PLATFORM };
enum job_fault job_cause_fault(Pb__Cause cause);
const char *job_fault_name(enum job_fault f); /* "", "job", "platform", as in a receipt */
/* The outcome that belongs to a cause: the same. It is DEAD in place of FAILED or TIMED_OUT when there were several attempts to be had. */
Pb__State job_outcome(Pb__Cause cause);
/* Tried again when a spec does not say which causes are: the job's own, but those that another attempt cannot mend. */
bool job_cause_retries(Pb__Cause cause);
const char *job_state_name(Pb__State s); /* lower case, as in JSON */
const char *job_cause_name(Pb__Cause c);

#endif
