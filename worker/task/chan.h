/*
 * chan.h - what a channel is inside, for select.c.
 *
 * Side:  worker. Rules: sched.h.
 * Ends:  whoever completes a waiter writes what it got into its task's regs.word and wakes it with the outcome; a select is woken with 0, the
 *        outcome is in wait.err and the clause in wait.index. The waiter touches nothing else afterwards, so the channel may be freed between
 *        its wake-up and its turn.
 */
#ifndef WORKER_TASK_CHAN_H
#define WORKER_TASK_CHAN_H

#include "worker/task/sched.h"

/* A place of a select in a channel's queue. Each channel lends one for each direction, so that the usual select allocates nothing. */
struct select_node {
    struct wait_node wait; /* wait.task NULL: not lent */
    coop_chan *chan;
    enum coop_select_op op;
    struct select_node *more; /* of the same select */
};

struct coop_chan {
    struct wait_queue waiting[2]; /* by enum coop_select_op; both have somebody only when that is one select */
    struct coop_value *ring;      /* mask + 1 of them; NULL: capacity 0 */
    size_t mask, head, len, cap;
    enum coop_preference preference;
    bool closing;
    struct select_node lent[2];
    uint64_t seen[2]; /* the last select that queued here */
    uint64_t group;   /* id of the one whose thread states share it, under its lock (threads.h); 0: made by one that was alone */
};

static inline bool chan_ready(const coop_chan *c, enum coop_select_op op)
{
    if (c->closing || !wait_empty(&c->waiting[op == COOP_SEND ? COOP_RECV : COOP_SEND]))
        return true;
    return op == COOP_SEND ? c->len < c->cap : c->len > 0;
}

static inline void chan_ring_push(coop_chan *c, struct coop_value v)
{
    c->ring[(c->head + c->len++) & c->mask] = v;
}

static inline struct coop_value chan_ring_pop(coop_chan *c)
{
    struct coop_value v = c->ring[c->head & c->mask];

    c->head++;
    c->len--;
    return v;
}

/* Does it at once and says so; false: it would block. v->err is the outcome afterwards: 0, -EPIPE, or the error that was sent. */
bool chan_try_send(coop_chan *c, struct coop_value *v);
bool chan_try_recv(coop_chan *c, struct coop_value *v);

/* select.c: what came of the chosen clause. */
void select_finish(struct coop_clause *clause, struct coop_value v);
uint32_t select_random(uint32_t below);

/* Calls the hook, which is set. -EPERM: from inside it. */
int chan_tell(coop_chan *c, enum coop_select_op op, bool will_block);

#endif
