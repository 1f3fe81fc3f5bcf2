/*
 * shared_select.c - select over the channels of a group: select.c's rules, for tasklets of several thread states.
 *
 * Locks: those of all its channels, in the order of their places, while it chooses, and while it lines up; so nothing happens in between.
 * Nodes: lie in memory of the select's own, because a channel that it did not choose may be gone when it leaves.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "worker/task/chan.h"
#include "worker/task/threads.h"

struct node {
    struct wait_node wait;
    coop_chan *chan;
    enum coop_select_op op;
};

struct nodes { /* coop_task.waits_for */
    size_t n;
    struct node list[];
};

/* ---- the locks ---------------------------------------------------------------------------------------------------------------------- */

_Static_assert(SHARED_LOCKS == 64, "a word of bits");

static uint64_t locks_of(const struct coop_clause *clauses, size_t n)
{
    uint64_t set = 0;

    for (size_t i = 0; i < n; i++)
        if (clauses[i].chan != NULL)
            set |= 1ull << shared_index(clauses[i].chan);
    return set;
}

static void for_each(struct group *g, uint64_t set, int (*fn)(pthread_mutex_t *))
{
    for (; set != 0; set &= set - 1)
        (void)fn(&g->locks[__builtin_ctzll(set)].mutex);
}

/* ---- choosing ----------------------------------------------------------------------------------------------------------------------- */

static bool try_one(struct coop_clause *clause, struct shared_partner *ret_partner)
{
    struct coop_value v = { clause->word, 0 };

    if (clause->chan == NULL || !shared_chan_try(clause->chan, clause->op, &v, ret_partner))
        return false;
    select_finish(clause, v);
    return true;
}

static size_t count_ready(const struct coop_clause *clauses, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += clauses[i].chan != NULL && shared_chan_ready(clauses[i].chan, clauses[i].op);
    return count;
}

/* The k-th of those that are ready, or the one after it, when somebody has just given up waiting. -1: none. */
static int try_from(struct coop_clause *clauses, size_t n, size_t k, struct shared_partner *ret_partner)
{
    for (size_t i = 0; i < n; i++) {
        if (clauses[i].chan == NULL || !shared_chan_ready(clauses[i].chan, clauses[i].op) || k-- > 0)
            continue;
        k = 0;
        if (try_one(&clauses[i], ret_partner))
            return (int)i;
    }
    return -1;
}

static int try_any(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, struct shared_partner *ret_partner)
{
    size_t ready = policy == COOP_FAIR ? count_ready(clauses, n) : 1;
    int i = ready > 1 ? try_from(clauses, n, select_random((uint32_t)ready), ret_partner) : -1;

    return i >= 0 ? i : try_from(clauses, n, 0, ret_partner);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------------ */

static void leave_all(coop_task *t)
{
    struct group *g = sched->member->group;
    struct nodes *nodes = t->waits_for;

    t->on_wake = NULL;
    for (size_t i = 0; i < nodes->n; i++) {
        struct node *n = &nodes->list[i];

        shared_leave(g, n->chan, &n->chan->waiting[n->op], &n->wait);
    }
    atomic_store(&t->claim, CLAIM_NONE);
    t->waits_for = NULL;
    free(nodes);
}

/* A channel listed twice for the same has one node: it counts once in the balance. */
static void enter(struct nodes *nodes, const struct coop_clause *clause, int index, uint64_t ticket)
{
    coop_chan *c = clause->chan;
    struct node *n;

    if (c == NULL || c->seen[clause->op] == ticket)
        return;
    c->seen[clause->op] = ticket;
    n = &nodes->list[nodes->n++];
    n->chan = c;
    n->op = clause->op;
    n->wait.word = clause->word;
    n->wait.index = index;
    shared_enter(&c->waiting[clause->op], &n->wait);
}

/* From a random one on when fair, as in select.c. */
static int enter_all(const struct coop_clause *clauses, size_t n, enum coop_select_policy policy)
{
    static atomic_uint_fast64_t tickets;
    coop_task *t = sched->current;
    uint64_t ticket = atomic_fetch_add_explicit(&tickets, 1, memory_order_relaxed) + 1;
    size_t start = policy == COOP_FAIR && n > 1 ? select_random((uint32_t)n) : 0;
    struct nodes *nodes = calloc(1, sizeof(*nodes) + n * sizeof(nodes->list[0]));

    if (nodes == NULL)
        return -ENOMEM;
    atomic_store(&t->claim, CLAIM_OPEN);
    for (size_t k = 0; k < n; k++) {
        size_t i = start + k < n ? start + k : start + k - n;

        enter(nodes, &clauses[i], (int)i, ticket);
    }
    t->waits_for = nodes;
    t->on_wake = leave_all;
    return 0;
}

/* One of them, or -EAGAIN and it stands in all their queues when it may. */
static int choose(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline,
                  struct shared_partner *ret_partner)
{
    struct group *g = sched->member->group;
    const uint64_t set = locks_of(clauses, n);
    int i, rc;

    for_each(g, set, pthread_mutex_lock);
    i = try_any(clauses, n, policy, ret_partner);
    rc = i >= 0 || policy == COOP_DEFAULT ? -EAGAIN : task_may_block(deadline);
    if (rc == 0)
        rc = enter_all(clauses, n, policy);
    for_each(g, set, pthread_mutex_unlock);
    return i >= 0 ? i : rc != 0 ? rc : (int)n;
}

/* ---- select ------------------------------------------------------------------------------------------------------------------------- */

static int tell(const struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline)
{
    struct group *g = sched->member->group;
    const uint64_t set = locks_of(clauses, n);
    bool ready;
    int rc;

    for_each(g, set, pthread_mutex_lock);
    ready = count_ready(clauses, n) > 0;
    for_each(g, set, pthread_mutex_unlock);
    rc = ready || policy == COOP_DEFAULT ? 0 : task_may_block(deadline);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (clauses[i].chan != NULL)
            rc = chan_tell(clauses[i].chan, clauses[i].op, !ready);
    return rc;
}

static int check(const struct coop_clause *clauses, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (clauses[i].chan != NULL && clauses[i].chan->group != task_group()->id)
            return -EXDEV;
    return threads_cancelled(sched->current);
}

int shared_select(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline)
{
    struct shared_partner partner = { NULL, false };
    coop_task *self = sched->current;
    int i, rc = check(clauses, n);

    if (rc == 0 && sched->chan_hook != NULL)
        rc = tell(clauses, n, policy, deadline);
    if (rc != 0)
        return rc;
    i = choose(clauses, n, policy, deadline, &partner);
    if (partner.task != NULL)
        shared_wake(partner.task, partner.now);
    if (i < 0 || (size_t)i < n)
        return i;
    rc = shared_block(deadline, "select", self->waits_for);
    if (rc != 0)
        return rc;
    i = self->wait.index;
    select_finish(&clauses[i], (struct coop_value){ self->wait.word, self->wait.err });
    return i;
}
