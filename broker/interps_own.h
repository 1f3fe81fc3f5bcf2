/*
 * interps_own.h - what the parts of interps.h share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_INTERPS_OWN_H
#define BROKER_INTERPS_OWN_H

#include "broker/asks.h"
#include "broker/calls.h"
#include "broker/broker.h"
#include "broker/interps.h"
#include "value.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
#define CA(name) PB__CAUSE__CAUSE_##name
#define IS(name) PB__INTERP_STATE__INTERP_STATE_##name
#define OW(name) PB__OWNER__OWNER_##name

/* One exec, call or prepare: asked for, waiting or running. */
struct interp_call {
    struct interp *on;
    struct ask *ask;  /* NULL: nobody waits for it any more, and it still runs */
    struct job *from; /* whose worker asked; NULL: a host program, or nobody waits */
    Pb__CallKind kind;
    char *text; /* the function's name, or the source's */
    uint8_t *source;
    size_t source_len;
    struct parcel args;
    uint64_t number, began_at;
    uint64_t out_from[2];
    struct interp_call *next, *prev;           /* waiting for the same */
    struct interp_call *from_next, *from_prev; /* of the same asker */
};

/* One end of a tie, in the list of its job's. */
struct tie_end {
    struct interp_tie *tie;
    struct job *job;
    struct tie_end *next, *prev;
};

/* Two jobs whose lives are tied together. */
struct interp_tie {
    struct tie_end of[2];
    struct job *ended;              /* one of the two, whose end the other is to share: it is in interps.due */
    struct interp_tie *next, *prev; /* there */
};

/* ---- interps.c ---- */

struct interp *interp_of(struct thing *t);
/* What the Ref of an ask means; it is answered when that is nothing (NULL). */
struct interp *interp_named(struct ask *a, const Pb__Ref *ref, uint32_t rights, struct handle **ret_handle);
/* The same for who only looks: also the last one that had this name. */
struct interp *interp_seen(struct ask *a, const Pb__Ref *ref, struct handle **ret_handle);
/* Answers that it has ended: with error DEAD, or EXECUTION_FAILED for the call that ran. */
void interp_fail_ended(struct ask *a, const struct interp *i, Pb__CallError error);
/* Whether it takes calls; else the ask is answered. */
bool interp_takes(struct interp *i, struct ask *a);
/* Asks for its process, when it has none. */
void interp_want(struct interp *i);
const char *interp_shown(const struct interp *i); /* its name, or its id */
void interp_tell_created(struct interp *i);
void interp_unheld(struct interp *i); /* closes it when it is of no use to anybody any more */
struct interp *interp_new(struct estate *e, const char *id, const Pb__JobSpec *spec, Pb__Owner owner);

/* ---- interps_look.c ---- */

void watchers_tell(struct interp *i);

/* ---- interps_call.c ---- */

void interp_begun(struct interp *i);              /* it takes calls */
struct ask *call_take_ask(struct interp_call *c); /* it is no longer the call's: it has been, or is about to be, answered */
void call_leave_line(struct interp_call *c);
void call_free(struct interp_call *c);
void calls_pump(struct interp *i);     /* the next call, when none runs */
void calls_fail_all(struct interp *i); /* it has ended */
int calls_close(struct interp *i);     /* tells the worker to end; 0 or -errno */
void calls_on_grace(void *ctx);

/* ---- interps_tree.c ---- */

/* Whether the asker's worker may make another one with these limits; they are filled in from what its job has. */
int tree_admit(struct job *parent, Pb__JobSpec *spec, uint32_t max_children, struct call_why *why);
/* Before the template is looked for: whether it is there is nothing that a worker may find out. Its own is pinned to the version that it has. */
int tree_admit_template(const struct job *parent, Pb__JobSpec *spec, struct call_why *why);
void tree_join(struct interp *i, struct asker *maker);
void tree_leave(struct interp *i);
void tree_end_below(struct job *job);
/* As handles of the asker's; what they refer to stays theirs. 0, or -1 with why. */
int grants_take(struct interp *i, const struct asker *from, Pb__Grant *const *grants, size_t n, struct call_why *why);
int grants_give(struct interp *i, struct asker *to, struct call_why *why);
void grants_finish(struct interp *i);

/* ---- interps_ties.c ---- */

/* Its end is decided: those that are tied to it are due. They end by ties_work_off(), when nobody walks the tree any more. */
void ties_on_end(struct job *job);
void ties_work_off(struct interps *all);
void ties_forget(struct job *job); /* it is no more */

/* ---- interps_wait.c ---- */

/* Whether a call of this job to i would wait for ever; then the cycle is in ret, CYCLE_MAX at most, and how many are in it is returned. */
enum { CYCLE_MAX = 64 };
unsigned wait_cycle(struct job *from, struct interp *to, const struct interp *ret[CYCLE_MAX]);

/* ---- interps_named.c ---- */

/* What the store keeps of a named one beside its spec. */
int named_define(const Pb__InterpCreate *m, struct store_blob *ret);

#endif
