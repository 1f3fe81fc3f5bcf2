/*
 * dep_graph_own.h - what the files dep_graph*.c share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_DEP_GRAPH_OWN_H
#define BROKER_DEP_GRAPH_OWN_H

#include <uthash.h>

#include "broker/dep_graph.h"

/* job waits for on: in the list of what its job waits for, and of who waits for its on. */
struct dep_edge {
    struct dep_node *job, *on;
    struct dep_edge *next_in, **at_in;
    struct dep_edge *next_out, **at_out;
    Pb__After after;
};

struct dep_node {
    uint8_t id[ULID_BYTES];
    struct dep_edge *in;  /* what it waits for */
    struct dep_edge *out; /* who waits for it */
    unsigned unmet;       /* length of in */
    bool has_ended;       /* in the list of those */
    Pb__State outcome;
    struct dep_node *next_ended;
    uint32_t mark; /* of the search that has seen it */
    struct dep_node *seen_from, *next_seen;
    struct dep_node *whole; /* the array that it is a task of; NULL: of none */
    struct dep_node *parts; /* of an array: its tasks that have a node */
    struct dep_node *next_part, **at_part;
    UT_hash_handle hh;
};

/* waits is to wait for awaited: 0, or as dep_graph_add(). */
int dep_graph_search(struct dep_graph *g, struct dep_node *waits, struct dep_node *awaited, struct dep_circle *circle);

#endif
