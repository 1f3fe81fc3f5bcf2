/*
 * arrays.h - arrays: one spec, many tasks. The array is a row of its own with an id of its own; its tasks are jobs that share its spec.
 *
 * Side:    broker, main thread.
 * Owned:   the table owns the arrays that have a task without a receipt; a pointer is good until the last task's end was told. Those that have
 *          ended are only in the store.
 * Durable: the array and all its tasks are one commit. What is done to a whole array (hold, release, cancel, kill) is first written as its wish,
 *          then done task by task in slices, and taken up again by the next broker.
 * State:   running while a task has no receipt; then succeeded when all tasks have, else failed when one has (timed out, expired, skipped, dead
 *          are that too), else cancelled.
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

/* What is being done to all tasks of an array: kept in the hold column of its row. */
enum array_wish { ARRAY_WISH_NONE, ARRAY_WISH_HOLD, ARRAY_WISH_RELEASE, ARRAY_WISH_CANCEL, ARRAY_WISH_KILL };

struct array {
    struct store_array row;
    struct tenant *tenant;
    struct broker *broker;
    struct waiting **tasks; /* by their order; NULL: has ended */
    size_t n;
    Pb__ArrayCounts counts;     /* of those that have ended: succeeded, failed, cancelled */
    struct sched_limiter bound; /* max_parallel; 0 while the array is held */
    char reason[sizeof("ARRAY_MAX_PARALLEL")];
    enum array_wish wish;
    size_t wish_at; /* tasks before this one are done */
    unsigned unmet; /* dependencies of the whole that have not ended */
    bool committed, is_wanted;
    struct array_waiter *waiters;
    struct timer step;
    UT_hash_handle hh;
};

struct arrays {
    struct array *by_id;
};

int arrays_load(struct broker *b);   /* those that have not ended; before jobs_recover() */
void arrays_start(struct broker *b); /* after it: tasks are there, wishes go on */
void arrays_finish(struct broker *b);

/* As jobs_submit(), of a spec with schedule->array: ret_id is the array's. *ret_tasks: how many. */
int arrays_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], uint64_t *ret_tasks, struct jobs_refusal *no);

struct array *arrays_find(struct broker *b, const char *id); /* a whole id; NULL: no array that has not ended */
/* For jobs_enter(): the array of a row (row->array_id), which gets to know its task. */
void arrays_take_task(struct array *a, struct waiting *w);

/* A task's spec is its array's: what makes it its own. The two texts must outlive the spec's use; the array of pointers is malloc'd into ret_own. */
struct array_dress {
    Pb__EnvVar vars[2];
    Pb__EnvVar **env;
    char id[ULID_LEN + 1], index[24];
};
int arrays_dress(const char *array_id, uint64_t index, Pb__JobSpec *spec, struct array_dress *d);
void arrays_undress(struct array_dress *d);

/* The array itself as a status; *own keeps its texts. -ENOENT: not an array. */
struct array_look {
    struct store_array row;
    Pb__ArrayCounts counts;
    char detail[96];
};
int arrays_status(struct broker *b, const char *id, struct array_look *own, Pb__JobStatus *ret);

/* A request that names an array instead of a job: c->id is its id. Looked up in a table by the kind of request; some are refused by name. */
void arrays_request(struct control_call *c);
void arrays_drop_peer(struct broker *b, uint32_t peer);

#endif
