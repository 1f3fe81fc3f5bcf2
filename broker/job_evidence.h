/*
 * job_evidence.h - what a job's worker tells about calls that the policy refuses: the one that ended it, or those that it would need.
 *
 * Side:    broker. The texts are the worker's: bounded here, escaped where they are shown.
 * Owned:   the caller's struct; evidence_finish() frees what is inside.
 * Returns: 0 or -errno. -EPROTO: past a bound.
 */
#ifndef BROKER_JOB_EVIDENCE_H
#define BROKER_JOB_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"
#include "link.pb-c.h"

#define EVIDENCE_ROWS   512  /* learned by a job */
#define EVIDENCE_ARGS   6    /* of a call */
#define EVIDENCE_ROW    512  /* bytes of a row, and of why it may not be granted */
#define EVIDENCE_MODULE 1024 /* bytes of a file's name */
#define EVIDENCE_WHO    64   /* bytes of a process's or tasklet's name */
#define EVIDENCE_TEXT   512

struct job_evidence {
    Pb__PolicyReport *violation; /* NULL: there was none */
    Pb__LearnedRow *learned;     /* malloc'd texts */
    size_t learned_count;
};

int evidence_check_violation(const Pb__Violation *v);
int evidence_check_learned(const Pb__Learned *l);
/* Copies what was checked; profile names the policy. -ENOMEM. */
int evidence_take_violation(struct job_evidence *e, const Pb__Violation *v, const char *profile, unsigned given);
int evidence_take_learned(struct job_evidence *e, const Pb__Learned *l);
void evidence_finish(struct job_evidence *e); /* empty again */

#endif
