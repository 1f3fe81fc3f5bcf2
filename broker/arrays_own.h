/*
 * arrays_own.h - what the files arrays*.c share; nobody else includes it.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_ARRAYS_OWN_H
#define BROKER_ARRAYS_OWN_H

#include "broker/arrays.h"

/* What the tasks of a new array are made of, until each of them is in memory. */
struct array_fresh {
    struct store_job row;     /* of each, but id and index */
    struct store_task *tasks; /* malloc'd */
    size_t n, at;             /* at: the next that is to be entered */
    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
    void *ctx;
    Pb__Limits limits;
};

/* Of a range, these indexes alone: for another try of those that have failed. */
struct arrays_subset {
    const uint64_t *index;
    uint64_t n;
};
int arrays_submit_only(struct broker *b, const struct jobs_order *o, const struct arrays_subset *only, char ret_id[ULID_LEN + 1],
                       uint64_t *ret_tasks, struct jobs_refusal *no);
void arrays_begin_wish(struct array *a, enum array_wish wish); /* it is committed: from now on */
void arrays_begin_edit(struct array *a, const struct jobs_edit *e);
void arrays_set_bound(struct array *a, bool shut); /* while it is being committed that nothing more is to begin */

struct array *array_new(struct broker *b, const struct store_array *row, struct tenant *t); /* NULL without memory */
void array_free(struct array *a);
size_t array_place(const struct array *a, uint64_t index);
void array_go_on(struct array *a); /* there is something to do, a slice at a time */
void array_sweep(struct array *a); /* each task is looked at, from the first on */
void array_on_step(void *ctx);     /* of the timer step */
uint32_t array_bound(const struct array *a);
void array_settle_block(struct array *a, size_t place);
const struct waiting *array_first_waiting(const struct array *a); /* of those that wait, one that has come furthest; NULL: none does */
bool array_is_stuck(const struct array *a);                       /* nothing of it goes on before somebody releases a task */
void array_tell_stuck(struct array *a);                           /* who waits for its end is told, when it is */
void array_fresh_free(struct array *a);
void array_end(struct array *a);                                                           /* when no task is left: noted, told */
void array_fill_status(const struct array *a, struct array_look *own, Pb__JobStatus *ret); /* of one in memory */
void array_answer_waiters(struct array *a);                                                /* it has ended, or the broker does */
Pb__State array_outcome(const Pb__ArrayCounts *c);                                         /* of counts that are complete */

#endif
