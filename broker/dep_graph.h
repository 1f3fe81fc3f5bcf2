/*
 * dep_graph.h - who waits for whose end: edges between jobs and arrays, and what an end means to those that wait for it.
 *
 * Side:    broker. Pure: no I/O, no clock; knows ids and nothing else of a job.
 * Owned:   nodes and edges are the graph's; ids are copied. A node is there while it has an edge.
 * Bounded: an end is noted at once and settled in slices, by dep_graph_step(): a fan-out of 100,000 is 100,000 steps, in as many turns of the loop
 *          as the caller likes. A chain is not followed here: the next link ends when its own receipt is committed, and is told like any other.
 * Arrays:  have edges of their own, and so have their tasks. For circles alone it counts that an array ends when its tasks have, and that a
 *          task begins when nothing keeps its array back; also one that has begun, which another attempt may take back to waiting.
 * Returns: 0 or -errno. -EEXIST: the edge is there; -ENOENT: it is not; -ELOOP: it would close a circle; -E2BIG: more than DEP_GRAPH_SEARCH
 *          others would have to be looked at to know; -ENOMEM.
 */
#ifndef BROKER_DEP_GRAPH_H
#define BROKER_DEP_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"
#include "ulid.h"

#define DEP_GRAPH_SEARCH 100000
#define DEP_GRAPH_NAMED  8 /* members of a circle that are named */

struct dep_node;

/* The array that a job is a task of. false: of none. */
typedef bool dep_graph_whole(void *ctx, const char *job, char ret_array[ULID_LEN + 1]);

struct dep_graph {
    struct dep_node *by_id;
    struct dep_node *ended, **ended_last; /* in the order in which they were told, until all that waits for them is settled */
    size_t edges;
    uint32_t mark; /* of the last search */
    dep_graph_whole *whole;
    void *ctx;
};

/* Members of a circle, each waiting for the next, the last for the first. count may be more than are named. */
struct dep_circle {
    char id[DEP_GRAPH_NAMED][ULID_LEN + 1];
    size_t count;
};

/* whole: asked of each id that is new; NULL: there are no arrays. */
void dep_graph_init(struct dep_graph *g, dep_graph_whole *whole, void *ctx);
void dep_graph_finish(struct dep_graph *g);

/* job waits for the end of on. circle: may be NULL; is filled in with -ELOOP. One that nobody waits for can close none, and is not searched. */
int dep_graph_add(struct dep_graph *g, const char *job, const char *on, Pb__After after, struct dep_circle *circle);
/* The same of one that was let in before, by another broker: not searched. */
int dep_graph_add_known(struct dep_graph *g, const char *job, const char *on, Pb__After after);
int dep_graph_drop(struct dep_graph *g, const char *job, const char *on);
bool dep_graph_has(const struct dep_graph *g, const char *job, const char *on);
/* Another way of ending is waited for from now on. -ENOENT. */
int dep_graph_set(struct dep_graph *g, const char *job, const char *on, Pb__After after);
/* It waits for nobody any more: it has ended, or will not begin. Those that wait for it still do. */
void dep_graph_leave(struct dep_graph *g, const char *job);

/* Does an end with this outcome do? */
bool dep_graph_suits(Pb__After after, Pb__State outcome);
/* on has ended. Nothing is called yet; dep_graph_step() is due when this returns true. */
bool dep_graph_end(struct dep_graph *g, const char *on, Pb__State outcome);

/* What one edge has become. May change the graph, and end others. */
struct dep_graph_handler {
    void (*met)(void *ctx, const char *job, const char *on, unsigned left); /* left: others that it still waits for */
    /* It will never be met: job has been taken out of all that it waited for. */
    void (*failed)(void *ctx, const char *job, const char *on, Pb__After after, Pb__State outcome);
    void *ctx;
};
/* Settles at most max edges. Returns whether there are more. */
bool dep_graph_step(struct dep_graph *g, unsigned max, const struct dep_graph_handler *h);

unsigned dep_graph_unmet(const struct dep_graph *g, const char *job); /* that it waits for */
bool dep_graph_is_wanted(const struct dep_graph *g, const char *on);  /* somebody waits for it */
/* What job waits for, in no order: at most max ids; returns how many there are. */
size_t dep_graph_list(const struct dep_graph *g, const char *job, char (*ret_on)[ULID_LEN + 1], size_t max);
bool dep_graph_is_ending(const struct dep_graph *g, const char *on); /* its end was told, and is not settled yet */
/* One that job waits for, for whoever asks why it waits: copied to ret_on. false: none. */
bool dep_graph_first(const struct dep_graph *g, const char *job, char ret_on[ULID_LEN + 1]);

#endif
