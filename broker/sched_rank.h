/*
 * sched_rank.h - an ordered set whose members live inside their owners, and that knows at which place each one stands.
 *
 * Side:    broker. Pure.
 * Owned:   the caller's structs; a node is in at most one set at a time, and must be out of it before its memory goes.
 * Costs:   O(log n) expected for each call but sched_rank_first() (the same) and sched_rank_size() (O(1)). No memory of its own.
 */
#ifndef BROKER_SCHED_RANK_H
#define BROKER_SCHED_RANK_H

#include <stdint.h>

struct sched_rank {
    struct sched_rank *left, *right, *up; /* a treap */
    uint64_t key;                         /* smaller stands before larger; equal ones in the order in which they came */
    uint32_t size;                        /* of the subtree; 0: it is in no set */
    uint8_t tag[4];                       /* the owner's: would be padding else */
};

void sched_rank_add(struct sched_rank **root, struct sched_rank *node);
void sched_rank_remove(struct sched_rank **root, struct sched_rank *node);
struct sched_rank *sched_rank_first(struct sched_rank *root); /* NULL: empty */
struct sched_rank *sched_rank_next(struct sched_rank *node);
uint32_t sched_rank_size(const struct sched_rank *root);
/* How many stand before a node of this key. */
uint32_t sched_rank_below(const struct sched_rank *root, uint64_t key);

#endif
