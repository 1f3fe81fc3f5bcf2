/* chan.c - see coop/task.h: values from tasklet to tasklet, who runs when two meet, and the buffer between them. */
#include "worker/task/chan.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/task/threads.h"

enum { CAPACITY_MAX = 1 << 24 };

/* In the hook: it has been told what a channel is about to do, so no channel may change under it. */
static __thread bool telling;

/* ---- making and freeing -------------------------------------------------------------------------------------------------------- */

static int make_ring(coop_chan *c, size_t capacity)
{
    size_t places = 1;

    if (capacity == 0)
        return 0;
    while (places < capacity)
        places *= 2;
    c->ring = malloc(places * sizeof(*c->ring));
    if (c->ring == NULL)
        return -ENOMEM;
    c->mask = places - 1;
    c->cap = capacity;
    return 0;
}

int coop_chan_new(size_t capacity, coop_chan **ret_chan)
{
    coop_chan *c;

    if (ret_chan == NULL || capacity > CAPACITY_MAX)
        return -EINVAL;
    c = calloc(1, sizeof(*c));
    if (c == NULL || make_ring(c, capacity) != 0) {
        free(c);
        return -ENOMEM;
    }
    c->preference = COOP_PREFER_RECEIVER;
    c->group = task_group() != NULL ? task_group()->id : 0;
    *ret_chan = c;
    return 0;
}

static bool chan_has_waiters(coop_chan *c)
{
    struct chan_sight s = shared_chan_look(c);

    return s.waiting[COOP_SEND] > 0 || s.waiting[COOP_RECV] > 0;
}

int coop_chan_free(coop_chan *c)
{
    if (c == NULL)
        return 0;
    if (chan_has_waiters(c))
        return -EBUSY;
    if (telling)
        return -EPERM;
    free(c->ring);
    free(c);
    return 0;
}

/* ---- meeting ------------------------------------------------------------------------------------------------------------------- */

/* The wait of n is over. A select leaves all its queues by this, n among them: it is gone afterwards. Returns 0, in its turn: for tail position. */
static inline int complete(struct wait_node *n, struct coop_value v, bool now)
{
    coop_task *t = n->task;
    int rc = v.err;

    t->regs.word = v.word;
    if (t->on_wake != NULL) {
        t->wait.index = n->index;
        t->wait.err = v.err;
        rc = 0;
    }
    if (now)
        return task_wake_now(t, rc);
    task_wake(t, rc);
    return 0;
}

bool chan_try_send(coop_chan *c, struct coop_value *v)
{
    struct wait_node *n = c->waiting[COOP_RECV].first;
    struct coop_value sent = *v;

    if (!c->closing && n == NULL && c->len == c->cap)
        return false;
    v->err = c->closing ? -EPIPE : 0;
    if (c->closing)
        return true;
    if (n != NULL)
        (void)complete(n, sent, c->preference == COOP_PREFER_RECEIVER);
    else
        chan_ring_push(c, sent);
    return true;
}

/* A sender waits only when the buffer is full: its value takes the place of the one that leaves. */
bool chan_try_recv(coop_chan *c, struct coop_value *v)
{
    static const struct coop_value done;
    struct wait_node *n = c->waiting[COOP_SEND].first;

    if (n == NULL && c->len == 0) {
        v->err = -EPIPE;
        return c->closing;
    }
    if (c->len > 0)
        *v = chan_ring_pop(c);
    else
        *v = (struct coop_value){ n->word, n->err };
    if (n == NULL)
        return true;
    if (c->cap > 0)
        chan_ring_push(c, (struct coop_value){ n->word, n->err });
    (void)complete(n, done, c->preference == COOP_PREFER_SENDER);
    return true;
}

/* ---- the hook ------------------------------------------------------------------------------------------------------------------ */

int chan_tell(coop_chan *c, enum coop_select_op op, bool will_block)
{
    if (telling)
        return -EPERM;
    telling = true;
    sched->switch_trap++;
    sched->chan_hook(c, sched->current, op == COOP_SEND, will_block);
    sched->switch_trap--;
    telling = false;
    return 0;
}

/* A call that fails is no operation: nobody hears of it. */
static int tell(coop_chan *c, enum coop_select_op op, int64_t deadline)
{
    bool ready = chan_ready(c, op);
    int rc;

    if (sched->chan_hook == NULL)
        return 0;
    rc = ready ? 0 : task_may_block(deadline);
    return rc != 0 ? rc : chan_tell(c, op, !ready);
}

/* ---- send and receive ---------------------------------------------------------------------------------------------------------- */

static inline bool is_cancelled(void)
{
    const coop_task *t = sched->current;

    return __builtin_expect(t->cancelled, 0) && t->shield == 0;
}

/* Each switch is in tail position, and so nothing here may have its address taken (switch.h). */
static inline int send_value(coop_chan *c, struct coop_value v, int64_t deadline)
{
    struct wait_node *n;
    coop_task *t;
    int rc;

    if (c == NULL || sched == NULL)
        return -EINVAL;
    if (__builtin_expect(sched->hooked, 0)) {
        if (sched->member != NULL)
            return shared_chan_send(c, v, deadline);
        if (!is_cancelled() && (rc = tell(c, COOP_SEND, deadline)) != 0)
            return rc;
    }
    if (is_cancelled())
        return -ECANCELED;
    if (c->closing)
        return -EPIPE;
    n = c->waiting[COOP_RECV].first;
    if (n != NULL)
        return complete(n, v, c->preference == COOP_PREFER_RECEIVER);
    if (c->len < c->cap) {
        chan_ring_push(c, v);
        return 0;
    }
    t = sched->current;
    t->wait.word = v.word;
    t->wait.err = v.err;
    return task_block(&c->waiting[COOP_SEND], deadline, "chan send", c);
}

int coop_chan_send(coop_chan *c, intptr_t word, int64_t deadline)
{
    return send_value(c, (struct coop_value){ word, 0 }, deadline);
}

int coop_chan_send_error(coop_chan *c, int err, int64_t deadline)
{
    return err < 0 ? send_value(c, (struct coop_value){ 0, err }, deadline) : -EINVAL;
}

/* There is something to have, if only the end. */
static __attribute__((noinline)) int take(coop_chan *c, intptr_t *ret_word)
{
    struct coop_value v;

    (void)chan_try_recv(c, &v);
    if (v.err == 0)
        *ret_word = v.word;
    return v.err;
}

int coop_chan_recv(coop_chan *c, intptr_t *ret_word, int64_t deadline)
{
    int rc;

    if (c == NULL || ret_word == NULL || sched == NULL)
        return -EINVAL;
    if (__builtin_expect(sched->hooked, 0)) {
        if (sched->member != NULL)
            return shared_chan_recv(c, ret_word, deadline);
        if (!is_cancelled() && (rc = tell(c, COOP_RECV, deadline)) != 0)
            return rc;
    }
    if (is_cancelled())
        return -ECANCELED;
    if (c->len == 0 && wait_empty(&c->waiting[COOP_SEND]) && !c->closing)
        return task_block_receive(&c->waiting[COOP_RECV], deadline, "chan recv", c, ret_word);
    return take(c, ret_word);
}

/* ---- closing ------------------------------------------------------------------------------------------------------------------- */

int coop_chan_close(coop_chan *c)
{
    static const struct coop_value closed = { 0, -EPIPE };

    if (c == NULL)
        return -EINVAL;
    if (telling)
        return -EPERM;
    if (task_group() != NULL)
        return shared_chan_close(c);
    if (c->closing)
        return -EPIPE;
    c->closing = true;
    for (int op = COOP_SEND; op <= COOP_RECV; op++)
        while (!wait_empty(&c->waiting[op]))
            (void)complete(c->waiting[op].first, closed, false);
    return 0;
}

int coop_chan_open(coop_chan *c)
{
    if (c == NULL)
        return -EINVAL;
    if (telling)
        return -EPERM;
    if (task_group() != NULL)
        return shared_chan_open(c);
    c->closing = false;
    return 0;
}

bool coop_chan_is_closing(const coop_chan *c)
{
    return c != NULL && shared_chan_look(c).closing;
}

bool coop_chan_is_closed(const coop_chan *c)
{
    struct chan_sight s;

    if (c == NULL)
        return false;
    s = shared_chan_look(c);
    return s.closing && s.len == 0;
}

/* ---- looking in ---------------------------------------------------------------------------------------------------------------- */

long coop_chan_balance(const coop_chan *c)
{
    struct chan_sight s;

    if (c == NULL)
        return 0;
    s = shared_chan_look(c);
    return s.waiting[COOP_SEND] - s.waiting[COOP_RECV];
}

size_t coop_chan_len(const coop_chan *c)
{
    return c != NULL ? shared_chan_look(c).len : 0;
}

size_t coop_chan_cap(const coop_chan *c)
{
    return c != NULL ? c->cap : 0;
}

int coop_chan_set_preference(coop_chan *c, enum coop_preference p)
{
    if (c == NULL || (p != COOP_PREFER_RECEIVER && p != COOP_PREFER_NEITHER && p != COOP_PREFER_SENDER))
        return -EINVAL;
    return shared_chan_prefer(c, p);
}

enum coop_preference coop_chan_preference(const coop_chan *c)
{
    return c != NULL ? shared_chan_look(c).preference : COOP_PREFER_NEITHER;
}
