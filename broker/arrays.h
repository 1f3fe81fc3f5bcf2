/*
 * arrays.h - arrays: one spec, many tasks. The array is a row of its own with an id of its own; its tasks are jobs that share its spec.
 *
 * Side:    broker, main thread.
 * Owned:   the table owns the arrays that have a task without a receipt; a pointer is good until the last task's end was told. Those that have
 *          ended are only in the store.
 * Durable: the array and all its tasks are there together, or none of them. What is done to a whole array (hold, release, cancel, kill) is first written as its wish,
 *          then done task by task in slices, and taken up again by the next broker.
 * State:   while a task has no receipt that of the task that has come furthest: running, paused, ready, retry_wait, scheduled, blocked, held.
 *          Then succeeded when all tasks have, else failed when one has (timed out, expired, skipped, dead are that too), else cancelled.
 * Bounded: QUOTA_ARRAY tasks, ARRAYS_TASKS where nobody says; refused before anything is allocated.
 */
#ifndef BROKER_ARRAYS_H
#define BROKER_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/jobs.h"
#include "broker/rep_socket.h"
#include "broker/sched.h"
#include "broker/store.h"
#include "broker/timers.h"
#include "control.pb-c.h"

struct broker;
struct control_call;
struct tenant;
struct waiting;

#define ARRAYS_TASKS 100000  /* of one array, where no quota says so */
#define ARRAYS_MAX   1000000 /* whatever a quota says */
#define ARRAYS_SLICE 256     /* tasks a turn of the loop */

/* What is being done to all tasks of an array: kept in the hold column of its row, as these numbers. */
enum array_wish {
    ARRAY_WISH_NONE,
    ARRAY_WISH_HOLD,
    ARRAY_WISH_RELEASE,
    ARRAY_WISH_CANCEL,
    ARRAY_WISH_KILL,
    ARRAY_WISH_PAUSE,
    ARRAY_WISH_RESUME,
    ARRAY_WISHES
};

/* BLOCKED: what the array has had done to a task, so that a sweep that begins anew does it once. QUARANTINED: it is counted as such. */
enum array_task_flag { ARRAY_TASK_BLOCKED = 1 << 0, ARRAY_TASK_QUARANTINED = 1 << 1 };

#define ARRAYS_NAMED 8 /* tasks that a status names */

struct array {
    struct store_array row;
    struct tenant *tenant;
    struct broker *broker;
    struct waiting **tasks;      /* by place in the range; NULL: has ended, is not in memory yet, or there is none of that index */
    uint8_t *flags;              /* the same: set of array_task_flag */
    size_t n;                    /* places */
    size_t live;                 /* tasks without a receipt */
    size_t in_state[JOB_STATES]; /* of those in memory */
    size_t quarantined;          /* of those that are HELD */
    Pb__ArrayCounts counts;      /* of the others: succeeded, failed, cancelled */
    struct sched_limiter bound;  /* max_parallel; 0 while its tasks are being held */
    enum array_wish wish;        /* NONE again when each task has had it, but for those that end it */
    unsigned wishing;            /* by request, and being written down */
    unsigned unmet;              /* dependencies of the whole that have not ended */
    bool has_edit;               /* for each task that waits */
    struct jobs_edit edit;
    char *skip; /* malloc'd: one of them did not end as it has to, and this says so; NULL: no */
    bool committed, is_wanted, over;
    size_t sweep_at;           /* the next place that a sweep looks at; n: it is done */
    struct array_fresh *fresh; /* being submitted: what its tasks are made of */
    struct array_waiter *waiters;
    struct timer step;
    UT_hash_handle hh;
};

struct arrays {
    struct array *by_id;
};

int arrays_load(struct broker *b);     /* those that have not ended; before jobs_recover() */
void arrays_recover(struct broker *b); /* dependencies are known, no task is admitted: those that wait for them are blocked */
void arrays_start(struct broker *b);   /* after it: tasks are there, wishes go on */
void arrays_finish(struct broker *b);  /* nothing is begun any more; answers who waits */
void arrays_free(struct broker *b);    /* after jobs_finish() */

/* As jobs_submit(), of a spec with schedule->array: ret_id is the array's. *ret_tasks: how many. */
int arrays_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], uint64_t *ret_tasks, struct jobs_refusal *no);

struct array *arrays_find(struct broker *b, const char *id); /* a whole id; NULL: no array that has not ended */
/* For jobs_enter(): the array of a row (row->array_id, not ""), which gets to know its task; w->array is set. */
void arrays_take_task(struct broker *b, const char *array_id, struct waiting *w);
void arrays_leave_task(struct waiting *w);                 /* it leaves no trace */
void arrays_task_moved(struct waiting *w, Pb__State from); /* a task, or none of any: it was in this state */

/* For deps.c: one thing more, or less, that all of it waits for; and that one of them has ended wrongly. */
void arrays_block(struct array *a);
void arrays_unblock(struct array *a);
void arrays_skip(struct array *a, const char *detail);

/* Something is to be done to all tasks: durable, then a sweep. done: when it is committed, or cannot be (-errno). */
int arrays_wish(struct array *a, enum array_wish wish, void (*done)(struct store_op *op), void *owner);

/* A task's spec is its array's. What makes it its own: array_id, array_index, and two variables. *d must outlive the use of the spec; arrays_undress()
 * frees what is in it. -ENOMEM. */
struct array_dress {
    Pb__EnvVar vars[2];
    Pb__EnvVar **env; /* malloc'd */
    char id[ULID_LEN + 1], index[24];
};
int arrays_dress(const struct waiting *task, Pb__JobSpec *spec, struct array_dress *d);
void arrays_undress(struct array_dress *d);

/* The array itself as a status; *own keeps its texts. -ENOENT: not an array. */
struct array_look {
    struct store_array row;
    Pb__ArrayCounts counts;
    char detail[96], reason[JOBS_REASON];
    uint64_t held[ARRAYS_NAMED];
};
int arrays_status(struct broker *b, const char *id, struct array_look *own, Pb__JobStatus *ret);

/* A request that names an array instead of a job: c->id is its id. Looked up in a table by the kind of request; some are refused by name. */
void arrays_request(struct control_call *c);
void arrays_drop_peer(struct broker *b, uint32_t peer);

#endif
