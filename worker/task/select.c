/*
 * select.c - see coop/task.h: one of several channel operations.
 *
 * A select that must wait has a node in each channel's queue. The first partner completes one of them; task_wake() then calls leave_all(),
 * which takes the others out before anybody else can meet them. The nodes hang from waits_for and never lie on a stack.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "worker/task/chan.h"
#include "worker/task/threads.h"

/* ---- choosing ------------------------------------------------------------------------------------------------------------------ */

/* xorshift64: fairness among the ready needs no secret, and a run that can be repeated is worth more. */
uint32_t select_random(uint32_t below)
{
    static __thread uint64_t state = 0x9e3779b97f4a7c15u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(((state >> 32) * below) >> 32);
}

static bool is_ready(const struct coop_clause *clause)
{
    return clause->chan != NULL && chan_ready(clause->chan, clause->op);
}

static int first_ready(const struct coop_clause *clauses, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_ready(&clauses[i]))
            return (int)i;
    return -1;
}

static int any_ready(const struct coop_clause *clauses, size_t n)
{
    uint32_t count = 0, chosen;
    int last = -1;

    for (size_t i = 0; i < n; i++)
        if (is_ready(&clauses[i])) {
            last = (int)i;
            count++;
        }
    if (count < 2)
        return last;
    chosen = select_random(count);
    for (size_t i = 0;; i++)
        if (is_ready(&clauses[i]) && chosen-- == 0)
            return (int)i;
}

static int choose(const struct coop_clause *clauses, size_t n, enum coop_select_policy policy)
{
    return policy == COOP_FAIR ? any_ready(clauses, n) : first_ready(clauses, n);
}

void select_finish(struct coop_clause *clause, struct coop_value v)
{
    clause->rc = v.err;
    if (v.err == 0 && clause->op == COOP_RECV)
        clause->word = v.word;
}

/* It is ready. */
static void act(struct coop_clause *clause)
{
    struct coop_value v = { clause->word, 0 };

    if (clause->op == COOP_SEND)
        (void)chan_try_send(clause->chan, &v);
    else
        (void)chan_try_recv(clause->chan, &v);
    select_finish(clause, v);
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static struct select_node *node_get(coop_chan *c, enum coop_select_op op)
{
    struct select_node *n = c->lent[op].wait.task == NULL ? &c->lent[op] : malloc(sizeof(*n));

    if (n != NULL) {
        n->wait.next = n->wait.prev = NULL;
        n->wait.task = sched->current;
        n->chan = c;
        n->op = op;
    }
    return n;
}

static void node_put(struct select_node *n)
{
    n->wait.task = NULL;
    if (n != &n->chan->lent[n->op])
        free(n);
}

static void leave_all(coop_task *t)
{
    struct select_node *n = t->waits_for, *more;

    t->on_wake = NULL;
    t->waits_for = NULL;
    for (; n != NULL; n = more) {
        more = n->more;
        wait_remove(&n->chan->waiting[n->op], &n->wait);
        node_put(n);
    }
}

/* In front of *list. A channel listed twice for the same has one node: it counts once in the balance. */
static int enter(struct select_node **list, const struct coop_clause *clause, int index, uint64_t ticket)
{
    coop_chan *c = clause->chan;
    struct select_node *n;

    if (c == NULL || c->seen[clause->op] == ticket)
        return 0;
    n = node_get(c, clause->op);
    if (n == NULL)
        return -ENOMEM;
    c->seen[clause->op] = ticket;
    n->wait.word = clause->word;
    n->wait.err = 0;
    n->wait.index = index;
    n->more = *list;
    *list = n;
    wait_push(&c->waiting[clause->op], &n->wait);
    return 0;
}

/* From a random one on when fair: of two clauses that are the same, the earlier is the one that waits. */
static int enter_all(const struct coop_clause *clauses, size_t n, enum coop_select_policy policy)
{
    static __thread uint64_t tickets;
    size_t start = policy == COOP_FAIR && n > 1 ? select_random((uint32_t)n) : 0;
    struct select_node *list = NULL;
    int rc = 0;

    tickets++;
    for (size_t k = 0; k < n && rc == 0; k++) {
        size_t i = start + k < n ? start + k : start + k - n;

        rc = enter(&list, &clauses[i], (int)i, tickets);
    }
    sched->current->waits_for = list;
    if (rc != 0)
        leave_all(sched->current);
    return rc;
}

static int wait_for_one(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline)
{
    coop_task *t = sched->current;
    int rc = enter_all(clauses, n, policy);

    if (rc != 0)
        return rc;
    t->on_wake = leave_all;
    rc = task_block(NULL, deadline, "select", t->waits_for);
    if (t->on_wake != NULL)
        leave_all(t); /* it did not block */
    if (rc != 0)
        return rc;
    select_finish(&clauses[t->wait.index], (struct coop_value){ t->regs.word, t->wait.err });
    return t->wait.index;
}

/* ---- select -------------------------------------------------------------------------------------------------------------------- */

static int tell_all(const struct coop_clause *clauses, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        if (clauses[i].chan != NULL)
            rc = chan_tell(clauses[i].chan, clauses[i].op, true);
    return rc;
}

static bool makes_sense(const struct coop_clause *clauses, size_t n, enum coop_select_policy policy)
{
    if (sched == NULL || (clauses == NULL && n > 0) || n > INT_MAX || (unsigned)policy > COOP_DEFAULT)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned)clauses[i].op > COOP_RECV)
            return false;
    return true;
}

int coop_select(struct coop_clause *clauses, size_t n, enum coop_select_policy policy, int64_t deadline)
{
    int i, rc;

    if (!makes_sense(clauses, n, policy))
        return -EINVAL;
    if (sched->member != NULL)
        return shared_select(clauses, n, policy, deadline);
    rc = coop_cancelled();
    if (rc != 0)
        return rc;
    i = choose(clauses, n, policy);
    rc = i >= 0 ? 0 : policy == COOP_DEFAULT ? -EAGAIN : task_may_block(deadline);
    if (rc == 0 && sched->chan_hook != NULL)
        rc = i >= 0 ? chan_tell(clauses[i].chan, clauses[i].op, false) : tell_all(clauses, n);
    if (rc != 0)
        return rc;
    if (i < 0)
        return wait_for_one(clauses, n, policy, deadline);
    act(&clauses[i]);
    return i;
}
