/*
 * jobs_own.h - what the files jobs_*.c share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_JOBS_OWN_H
#define BROKER_JOBS_OWN_H

#include "broker/deps.h"
#include "broker/jobs.h"
#include "broker/limiters.h"
#include "broker/tenants.h"

/* ---- the only places where a state changes: jobs_wait.c ---- */

void jobs_step(struct job *job, enum job_event event); /* its entry's too; an entry's reason is for those who follow events */
void jobs_move(struct jobs *j, struct waiting *w, enum job_event event, const char *reason); /* of an entry, its job's too */
/* Puts an entry that waits where its holds, dependencies and times say; a step, or nothing. */
void jobs_place(struct jobs *j, struct waiting *w, const char *reason);
/* The same for the first time: no step. */
void jobs_place_first(struct jobs *j, struct waiting *w);
void jobs_held_meanwhile(struct jobs *j, struct waiting *w); /* it has come back to waiting: while it ran somebody may have held it */
void jobs_on_due(void *ctx);                                 /* of the timer due */
void jobs_on_wall(void *ctx);
void jobs_arm_clocks(struct jobs *j); /* after anything that may have changed who is due first */
void jobs_end_waiting(struct jobs *j, struct waiting *w, Pb__Cause cause, const char *detail); /* with a job or without */
void jobs_submit_finish(struct jobs *j);
void jobs_forget_shared(struct jobs *j);                 /* the spec that tasks share is let go: jobs_slim.c */
void jobs_drop_entry(struct jobs *j, struct waiting *w); /* it has a receipt, or leaves no trace; its job is gone */

/* ---- the table: jobs.c ---- */

struct job *job_alloc(struct jobs *j, const char *id, const char *name, const char *engine);
void job_take_spec(struct job *job, const Pb__JobSpec *spec);
void job_keep_spec(struct job *job, const uint8_t *packed, size_t len);
/* A job for an entry. 0; -ENOENT, -EIO, -EPROTO ...: its spec cannot be had. */
int jobs_make(struct jobs *j, struct waiting *w, struct job **ret);
void jobs_free(struct job *job);   /* answers who still waits for it */
void jobs_forget(struct job *job); /* the same, and no file of it stays */
void jobs_looked_off(struct job *job);
void jobs_may_let_go(struct job *job); /* it waits: when nobody looks */
void jobs_on_tidy(void *ctx);
void jobs_drop_seal(struct job *job);
void jobs_stop_timers(struct job *job);
void jobs_keep_spec(struct jobs *j, struct waiting *w, const uint8_t *packed, size_t len);
void jobs_drop_spec(struct jobs *j, struct waiting *w);

/* ---- coming in, in the steps that a job and an array have in common: jobs_submit.c ---- */

#define JOBS_PLAN_WHY 320
_Static_assert(JOBS_PLAN_WHY >= LIMITERS_WHY && JOBS_PLAN_WHY >= DEPS_WHY, "takes the words of either");
struct jobs_plan {
    char limiters[STORE_LIMITERS_LEN + 1];
    struct deps_list deps;
};
/* Whether these tasks may come in: the same key, the spec, quotas. 1: it was there before, and is answered for. Sets *no and ret_id. */
int jobs_prepare(struct jobs *j, const struct jobs_order *o, uint64_t tasks, uint8_t hash[STORE_HASH], char ret_id[ULID_LEN + 1],
                 struct jobs_refusal *no);
/* What it uses and waits for; the caller finishes ret->deps. */
int jobs_plan(struct jobs *j, const struct jobs_order *o, struct jobs_plan *ret, struct jobs_refusal *no);
/* op is about to be pushed: when it is back, who is to hear of it does. -ENOMEM. */
int jobs_note_submit(struct jobs *j, const struct jobs_order *o, const uint8_t hash[STORE_HASH], struct store_op *op);

/* ---- the scheduler, and the crews' queues: jobs_sched.c ---- */

/* READY, and the scheduler is to know it. -ENOMEM. */
int jobs_sched_put(struct jobs *j, struct waiting *w);
void jobs_sched_take(struct jobs *j, struct waiting *w);
void jobs_sched_cost(struct jobs *j, struct waiting *w,
                     const struct store_job *row);       /* by its limits; of one that the scheduler does not have */
void jobs_make_ready(struct jobs *j, struct waiting *w); /* READY: the scheduler's now. jobs_wait.c */
int jobs_sched_enter(struct jobs *j, struct waiting *w, const struct store_job *row); /* what it uses, and what it will cost */
void jobs_sched_leave(struct jobs *j, struct waiting *w);
/* Its claim is over. used NULL: it came to nothing. Returns what it cost in the end. */
double jobs_settle(struct jobs *j, struct waiting *w, const Pb__Usage *used);
/* The same by what the job used, and into its account; one that has no claim is left alone. */
void jobs_settle_job(struct job *job);
/* What an interpreter used, who has no claim. Returns what it cost. */
double jobs_charge(struct jobs *j, struct tenant *t, const struct tenant_use *used);
void jobs_on_claim_due(void *ctx);
void jobs_unclaim(struct jobs *j, struct waiting *w); /* CLAIMED, and back to READY */
void jobs_dequeue(struct job *job);                   /* nothing when it does not wait in a queue */
void jobs_put_in_queue(struct job *job, int at_head);

/* Names a run, for the store and for whoever follows its output: above every one before, also those a dead broker did not write down. */
uint64_t jobs_next_epoch(const struct job *job); /* jobs_run.c */

/* ---- to the store: jobs_notes.c ---- */

void jobs_let_go_refused(struct jobs *j, struct waiting *w,
                         const char *why); /* the store would not have it: no trace of it stays. jobs_submit.c */

void jobs_note_claim(struct job *job, uint64_t epoch_was); /* of an entry: an attempt begins. Pushed with the others of this turn. */
void jobs_flush_claims(struct jobs *j);                    /* before anything else is pushed that may be about one of them */
/* A step between states that are no ends; ended NULL: no attempt ended with it. */
void jobs_note_move(struct jobs *j, struct waiting *w, const struct store_attempt *ended);
void jobs_note_step(struct jobs *j, struct waiting *w, uint64_t epoch_was, const struct store_attempt *ended); /* with a new epoch */
void jobs_note_living(struct job *job, Pb__State state, uint64_t epoch_was); /* the same for one without an entry */
void jobs_fence(const struct job *job, struct store_fence *ret);             /* of its receipt */
void jobs_claims_back(struct jobs *j, struct store_op *op);
void jobs_move_back(struct jobs *j, struct store_op *op);
/* Refused by its fence: by what is known now it may go through. Else it is another broker's, and fenced. */
bool jobs_is_behind(struct jobs *j, const char *id, const struct store_fence *fence);
void jobs_fenced(struct jobs *j, const char *id, int status);

/* ---- the end: jobs_end.c, jobs_receipt.c, jobs_slim.c ---- */

/* The end is decided and no worker is left: another attempt, or its receipt goes to the store. */
void jobs_conclude(struct job *job);
void jobs_write_receipt(struct job *job);
/* As jobs_decide(), of a job without a worker, whose end somebody else writes down. */
__attribute__((format(printf, 3, 4))) void jobs_note_end(struct job *job, Pb__Cause cause, const char *fmt, ...);
/* When what is kept of one goes. asked: its spec's, may be NULL. */
void jobs_retention(const struct tenant *t, const Pb__Retention *asked, uint64_t ended_us, struct store_finish *ret);
void jobs_pause_over(struct job *job); /* its end is decided, or its worker has ended */
void jobs_on_pause_long(void *ctx);    /* of the timer pause.over */
void jobs_let_die(struct job *job);    /* paused, and killed: what is frozen does not die */
void jobs_on_store_retry(void *ctx);   /* of the timer store_retry */
/* The end of an entry without a job: its receipt is written from its spec and its row. */
void jobs_end_slim(struct jobs *j, struct waiting *w, Pb__Cause cause, const char *detail);
void jobs_slim_finished(struct jobs *j, struct waiting *w, const struct store_op *op);
void jobs_slim_again(struct jobs *j, struct waiting *w); /* its receipt could not be stored a while ago */
void jobs_tell_end(struct jobs *j, struct waiting *w, Pb__State outcome, Pb__Cause cause);
/* ---- attempts: jobs_retry.c ---- */

void retry_from_spec(const Pb__JobSpec *spec, struct job_retry *ret);
/* The pause after so many attempts have failed; random: 0 to 1. */
uint64_t retry_pause_us(const struct job_retry *r, unsigned failed, double random);
bool retry_is_success(const struct job_retry *r, int exit_code);
/* The end that is decided is not the last word. Also notes that its attempts are used up. */
bool jobs_wants_another(struct job *job);
unsigned jobs_ended_by(const struct job *job, Pb__Cause cause); /* of its attempts before this one */
void jobs_back_off(struct job *job);
/* Nothing that it did explains why its worker is gone: an end, or none. */
void jobs_worker_lost(struct job *job);
void jobs_lost(struct job *job); /* none: it runs again, or is held */
void jobs_run_again(struct job *job, enum job_event event);

#endif
