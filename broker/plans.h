/*
 * plans.h - what is made of jobs: arrays, dependencies, entries of cron, limiters; and how long what has ended is kept.
 *
 * Side:    broker, main thread. One member of struct broker; the parts have headers of their own.
 */
#ifndef BROKER_PLANS_H
#define BROKER_PLANS_H

#include "broker/arrays.h"
#include "broker/cron.h"
#include "broker/deps.h"
#include "broker/limiters.h"
#include "broker/retention.h"

struct plans {
    struct limiters limiters;
    struct arrays arrays;
    struct deps deps;
    struct crons crons;
    struct retention retention;
};

void plans_init(struct broker *b);   /* after jobs_init() */
int plans_load(struct broker *b);    /* after tenants_load(), before jobs_recover(): limiters and arrays */
int plans_recover(struct broker *b); /* jobs_recover() calls it when every entry is there and none is admitted: dependencies */
int plans_start(struct broker *b);   /* after jobs_recover(): everything goes on from now */
void plans_finish(struct broker *b); /* before jobs_finish(): nothing is begun any more */
void plans_free(struct broker *b);   /* after it: what jobs have named may go */

/* What a submit means: jobs_submit() of a plain job, else an array's or cron's. *ret_tasks: of an array, else 0. */
int plans_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], uint64_t *ret_tasks, struct jobs_refusal *no);

#endif
