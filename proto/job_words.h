/*
 * job_words.h - the short forms of what a job's plan is made of, the same on a command line and in a job file: ID:ok, KEY=2,
 * 3,base=1s,on=exit+signal. (1-1000%20 is array_range.h's.)
 *
 * Side:    both.
 * Returns: 0 or -EINVAL with one sentence in why, which quotes what was typed with control characters escaped.
 */
#ifndef PROTO_JOB_WORDS_H
#define PROTO_JOB_WORDS_H

#include <stddef.h>

#include "job.pb-c.h"

#define JOB_WORDS_WHY 256
#define JOB_WORD      300 /* of the longest that is written: "KEY=N", "ID:any", "A-B:S%P" */

#define JOB_RETRY_ON 32 /* causes */

/* "ID", "ID:ok", "ID:fail", "ID:any". text is cut at its colon: ret->job points into it. */
int job_after_read(char *text, Pb__Dependency *ret, char why[JOB_WORDS_WHY]);

/* "KEY" or "KEY=N". text is cut: ret->key points into it. */
int job_limiter_read(char *text, Pb__LimiterUse *ret, char why[JOB_WORDS_WHY]);

/* "N", then any of ,base=TIME ,factor=F ,max=TIME ,jitter=J ,on=CAUSE+CAUSE ,infra=N ,ok=CODE+CODE; what is not given stays 0. */
struct job_retry_words {
    Pb__Retry retry;
    Pb__Backoff backoff;
    Pb__Cause on[JOB_RETRY_ON];
    int32_t ok[JOB_RETRY_ON];
};
int job_retry_read(const char *text, struct job_retry_words *ret, char why[JOB_WORDS_WHY]);

/* And back. buf of JOB_WORD bytes; -EINVAL: it has no such form (or is longer). */
int job_after_write(const Pb__Dependency *d, char *buf, size_t size);
int job_limiter_write(const Pb__LimiterUse *l, char *buf, size_t size);

#endif
