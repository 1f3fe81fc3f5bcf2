/*
 * shared_chan.c - channels of a group: chan.c's rules, for tasklets of several thread states.
 *
 * Locked:  what is in a channel. Nobody is woken under the lock; after the wake-up the channel is not looked at, it may be gone.
 * Turns:   a preference is between two of the same thread state. A partner of another is made runnable there, and the caller goes on.
 */
#include <errno.h>

#include "worker/task/chan.h"
#include "worker/task/threads.h"

/* ---- under the lock ----------------------------------------------------------------------------------------------------------------- */

bool shared_chan_ready(coop_chan *c, enum coop_select_op op)
{
    return c->closing || shared_waiting(&c->waiting[op == COOP_SEND ? COOP_RECV : COOP_SEND]) ||
           (op == COOP_SEND ? c->len < c->cap : c->len > 0);
}

/* What n waited for has happened. */
static void complete(coop_task *t, const struct wait_node *n, struct coop_value v)
{
    t->wait.index = n->index;
    t->wait.word = v.word;
    t->wait.err = v.err;
}

static bool try_send(coop_chan *c, struct coop_value *v, struct shared_partner *p)
{
    struct coop_value sent = *v;
    struct wait_node *n;

    v->err = c->closing ? -EPIPE : 0;
    if (c->closing)
        return true;
    p->task = shared_claim_first(&c->waiting[COOP_RECV], &n);
    p->now = c->preference == COOP_PREFER_RECEIVER;
    if (p->task != NULL) {
        complete(p->task, n, sent);
        return true;
    }
    if (c->len == c->cap) {
        *v = sent;
        return false;
    }
    chan_ring_push(c, sent);
    return true;
}

static bool try_recv(coop_chan *c, struct coop_value *v, struct shared_partner *p)
{
    static const struct coop_value done;
    struct coop_value sent;
    struct wait_node *n;

    p->task = shared_claim_first(&c->waiting[COOP_SEND], &n);
    p->now = c->preference == COOP_PREFER_SENDER;
    if (p->task == NULL && c->len == 0) {
        v->err = -EPIPE;
        return c->closing;
    }
    if (p->task != NULL) {
        sent = (struct coop_value){ n->word, n->err };
        complete(p->task, n, done);
    }
    *v = c->len > 0 ? chan_ring_pop(c) : sent;
    if (p->task != NULL && c->cap > 0)
        chan_ring_push(c, sent);
    return true;
}

bool shared_chan_try(coop_chan *c, enum coop_select_op op, struct coop_value *v, struct shared_partner *ret_partner)
{
    ret_partner->task = NULL;
    return op == COOP_SEND ? try_send(c, v, ret_partner) : try_recv(c, v, ret_partner);
}

/* ---- send and receive --------------------------------------------------------------------------------------------------------------- */

/* Has been woken with rc. One that was completed is out of the queue, and the channel may be gone. */
static void leave(coop_task *t)
{
    coop_chan *c = t->waits_for;

    t->on_wake = NULL;
    if (t->regs.result != 0)
        shared_leave(sched->member->group, c, &c->waiting[t->wait.index], &t->wait);
    atomic_store(&t->claim, CLAIM_NONE);
}

/* Under the lock. */
static int enter(coop_chan *c, enum coop_select_op op, struct coop_value v, int64_t deadline)
{
    coop_task *t = sched->current;
    int rc = task_may_block(deadline);

    if (rc != 0)
        return rc;
    t->wait.word = v.word;
    t->wait.err = v.err;
    t->wait.index = op;
    t->on_wake = leave;
    atomic_store(&t->claim, CLAIM_OPEN);
    shared_enter(&c->waiting[op], &t->wait);
    return 0;
}

static int tell(coop_chan *c, enum coop_select_op op, int64_t deadline)
{
    struct group *g = sched->member->group;
    bool ready;
    int rc;

    shared_lock(g, c);
    ready = shared_chan_ready(c, op);
    shared_unlock(g, c);
    rc = ready ? 0 : task_may_block(deadline);
    return rc != 0 ? rc : chan_tell(c, op, !ready);
}

static int check(coop_chan *c, enum coop_select_op op, int64_t deadline)
{
    struct sched *s = sched;
    int rc;

    if (s->member->group->id != c->group)
        return -EXDEV;
    rc = threads_cancelled(s->current);
    return rc == 0 && s->chan_hook != NULL ? tell(c, op, deadline) : rc;
}

/* *v: what is sent; or what was received. */
static int transfer(coop_chan *c, enum coop_select_op op, struct coop_value *v, int64_t deadline)
{
    struct group *g = task_group();
    coop_task *self = sched->current;
    struct shared_partner partner;
    bool done;
    int rc = check(c, op, deadline);

    if (rc != 0)
        return rc;
    shared_lock(g, c);
    done = shared_chan_try(c, op, v, &partner);
    if (!done)
        rc = enter(c, op, *v, deadline);
    shared_unlock(g, c);
    if (done && partner.task != NULL)
        shared_wake(partner.task, partner.now);
    if (done || rc != 0)
        return done ? v->err : rc;
    rc = shared_block(deadline, op == COOP_SEND ? "chan send" : "chan recv", c);
    *v = (struct coop_value){ self->wait.word, self->wait.err };
    return rc != 0 ? rc : v->err;
}

int shared_chan_send(coop_chan *c, struct coop_value v, int64_t deadline)
{
    return transfer(c, COOP_SEND, &v, deadline);
}

int shared_chan_recv(coop_chan *c, intptr_t *ret_word, int64_t deadline)
{
    struct coop_value v = { 0, 0 };
    int rc = transfer(c, COOP_RECV, &v, deadline);

    if (rc == 0)
        *ret_word = v.word;
    return rc;
}

/* ---- closing and looking in --------------------------------------------------------------------------------------------------------- */

int shared_chan_close(coop_chan *c)
{
    struct group *g = task_group();
    coop_task *woken[2] = { NULL, NULL };
    bool twice;

    if (g->id != c->group)
        return -EXDEV;
    shared_lock(g, c);
    twice = c->closing;
    c->closing = true;
    for (int op = COOP_SEND; op <= COOP_RECV && !twice; op++)
        woken[op] = shared_claim_all(&c->waiting[op], -EPIPE);
    shared_unlock(g, c);
    shared_wake_all(woken[COOP_SEND]);
    shared_wake_all(woken[COOP_RECV]);
    return twice ? -EPIPE : 0;
}

int shared_chan_open(coop_chan *c)
{
    struct group *g = task_group();

    if (g->id != c->group)
        return -EXDEV;
    shared_lock(g, c);
    c->closing = false;
    shared_unlock(g, c);
    return 0;
}

int shared_chan_prefer(coop_chan *c, enum coop_preference p)
{
    struct group *g = task_group();

    if (g != NULL && g->id != c->group)
        return -EXDEV;
    if (g != NULL)
        shared_lock(g, c);
    c->preference = p;
    if (g != NULL)
        shared_unlock(g, c);
    return 0;
}

/* After coop_finish() there is no group, and nobody to race with. Those in front that are about to leave do not count. */
struct chan_sight shared_chan_look(const coop_chan *chan)
{
    coop_chan *c = (coop_chan *)(uintptr_t)chan;
    struct group *g = task_group() != NULL && task_group()->id == c->group ? task_group() : NULL;
    struct chan_sight sight;

    if (g != NULL)
        shared_lock(g, c);
    for (int op = COOP_SEND; op <= COOP_RECV && g != NULL; op++)
        (void)shared_waiting(&c->waiting[op]);
    sight = (struct chan_sight){
        .waiting = {c->waiting[COOP_SEND].count, c->waiting[COOP_RECV].count},
        .len = c->len,
        .closing = c->closing,
        .preference = c->preference
    };
    if (g != NULL)
        shared_unlock(g, c);
    return sight;
}
