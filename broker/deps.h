/*
 * deps.h - jobs that wait for the end of others: the broker's hands around dep_graph.h.
 *
 * Side:    broker, main thread.
 * Durable: an edge is written with the submit or the edit that makes it, and marked as met when it is. What ended while no broker ran is
 *          settled at the start of the next, from the outcomes in the store.
 * Bounded: DEPS_MAX of one job; DEPS_SLICE edges a turn of the loop, and no more skips at a time than the store keeps up with.
 * Who may be waited for: a job or an array of the same tenant, by its whole id or its beginning; no interpreter. One that has ended already
 *          counts at once.
 */
#ifndef BROKER_DEPS_H
#define BROKER_DEPS_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/dep_graph.h"
#include "broker/store.h"
#include "broker/timers.h"

struct broker;
struct tenant;
struct waiting;

#define DEPS_MAX   256
#define DEPS_SLICE 256
#define DEPS_WHY   320

/* An edge of a job whose submit is still being committed, when what it waits for ended wrongly. */
struct dep_early {
    char job[ULID_LEN + 1], on[ULID_LEN + 1];
    Pb__After after;
    struct dep_early *next;
};

struct deps {
    struct dep_graph graph;
    struct timer step;
    bool started;
    struct dep_early *early; /* during one slice */
    size_t skipping;         /* skipped, and their receipts on the way */
};

/* What a spec or an edit asks for, with whole ids, each once; as a store_submit or store_edit takes it. */
struct deps_list {
    struct store_dep *deps; /* malloc'd; met: it has ended, as it has to */
    size_t n;
};

/* queue: the one that a token is bound to, which sees no others; "": any. -ENOENT: no such job (or another's); -EINVAL; -E2BIG: too many; -ENOMEM. job: the id of who asks, NULL: it is being submitted. */
int deps_resolve(struct broker *b, const struct tenant *t, const char *queue, const char *job, Pb__Dependency *const *after, size_t n,
                 struct deps_list *ret, char why[DEPS_WHY]);
void deps_list_finish(struct deps_list *l);

/*
 * A submit of job with these is on its way: it is blocked by those that are not met. w: its entry, or NULL for an array, which asks for itself. Sets
 * has_deps, and is_wanted of those it waits for. deps_admit() when the commit is back, 0 or -errno: only then anything of it is settled.
 */
int deps_enter(struct broker *b, const char *job, struct waiting *w, const struct deps_list *l);
void deps_admit(struct broker *b, const char *job, int status);

/* At a restart: when every entry and every array is there (jobs_enter()), before any is admitted: blocks those that have edges. */
int deps_recover(struct broker *b);
void deps_init(struct broker *b);
void deps_start(struct broker *b); /* from now on ends are settled */
void deps_finish(struct broker *b);

/*
 * Edges of a job or an array that waits are to be added and dropped: checked. It is blocked by the new ones from now on; the caller puts add and
 * drop into its STORE_EDIT, and says how that went: then the others are dropped, or the new ones taken back.
 * -ELOOP: it would close a circle (why: its members); -ENOENT: one to drop is not there, or one to add is not a job; nothing is changed then.
 */
int deps_edit(struct broker *b, const struct tenant *t, const char *queue, const char *job, struct waiting *w, Pb__Dependency *const *add,
              size_t n_add, char *const *drop, size_t n_drop, struct deps_list *ret_add, struct deps_list *ret_drop, char why[DEPS_WHY]);

void deps_edited(struct broker *b, const char *job, int status, const struct deps_list *add, const struct deps_list *drop);

/* An array has ended; jobs tell by themselves. */
void deps_ended(struct broker *b, const char *on, Pb__State outcome);
/* It is gone, or will not begin: it waits for nothing any more. */
void deps_leave(struct broker *b, const char *job);
/* One of those it waits for, for "DEP:ID". false: none. */
bool deps_first(const struct broker *b, const char *job, char ret_on[ULID_LEN + 1]);

#endif
