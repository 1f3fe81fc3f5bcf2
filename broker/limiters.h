/*
 * limiters.h - a tenant's named semaphores: so many places, each taken by a job while it has a slot. The scheduler counts them.
 *
 * Side:    broker, main thread.
 * Owned:   the table owns its limiters; one stays while a job that waits or runs names it (removing it is refused until then).
 * Durable: the name and max; what is used follows from the jobs.
 * Returns: 0 or -errno; where there is a why, a sentence for the user.
 */
#ifndef BROKER_LIMITERS_H
#define BROKER_LIMITERS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/sched.h"
#include "broker/store.h"
#include "control.pb-c.h"

struct array;
struct broker;
struct control_call;
struct tenant;

#define LIMITER_KEY 64 /* bytes: letters, digits, '-', '_', '.', '/', ':' */
#define LIMITERS_OF_JOB                                                                                                                    \
    (SCHED_USES_MAX - 3)  /* one is left for the array that a task belongs to, one for its engine's workers, one for its template */
#define LIMITERS_MAX 1000 /* of a tenant */
#define LIMITERS_WHY 256

struct limiter {
    struct sched_limiter sched;
    struct limiter_name {
        uint64_t tenant;
        char key[LIMITER_KEY + 1];
    } name; /* zeroed behind the key: it is hashed whole */
    char reason[sizeof("LIMITER:") + LIMITER_KEY];
    bool removing; /* its removal is being committed: no job may name it any more */
    UT_hash_handle hh;
};

struct limiters {
    struct limiter *all;
};

int limiters_load(struct broker *b); /* from the store; before jobs_recover() */
void limiters_finish(struct broker *b);

/* What a spec's limiters are in a row of the store: "KEY=N KEY=N", in order of KEY. -ENOENT: no such limiter (why: the nearest); -EINVAL;
 * -EDQUOT: n is above its max, so that it could never run (max 0 is a limiter that is shut for now, and is no error). */
int limiters_settle(struct broker *b, const struct tenant *t, const Pb__Schedule *s, char ret[STORE_LIMITERS_LEN + 1],
                    char why[LIMITERS_WHY]);
/* Puts into use, behind the n that are there, what a row uses: its limiters, and its array's bound (NULL: no array). Returns how many there are
 * then, or -ENOMEM. */
int limiters_uses(struct broker *b, const struct tenant *t, const char *row_limiters, struct array *array,
                  struct sched_use use[SCHED_USES_MAX], unsigned n);

void verb_limiter_set(struct control_call *c);
void verb_limiter_ls(struct control_call *c);

#endif
