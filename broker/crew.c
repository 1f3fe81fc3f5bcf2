/* crew.c - see pool.h: how many workers a crew lacks. When they are asked for: pool_refill.c. */
#include "broker/broker.h"
#include "broker/templates.h"

/*
 * How many of this crew's plain jobs are among the first room of all that wait, whatever they wait for: so many workers are worth making.
 * Who came first is told by ready_at; each queue is in its order.
 */
static unsigned jobs_due(const struct crew *mine, unsigned room)
{
    const struct broker *b = mine->broker;
    const struct job *at[ENGINE_COUNT];
    unsigned left[ENGINE_COUNT], due = 0;

    if (mine->template != NULL || b->jobs.waiting == mine->plain.waiting)
        return room < mine->plain.waiting ? room : mine->plain.waiting;
    for (int i = 0; i < ENGINE_COUNT; i++) {
        at[i] = b->crews[i].plain.first;
        left[i] = b->crews[i].plain.waiting;
    }
    for (; room > 0; room--) {
        int first = -1;

        for (int i = 0; i < ENGINE_COUNT; i++)
            if (left[i] > 0 && (first < 0 || at[i]->ready_at < at[first]->ready_at))
                first = i;
        if (first < 0)
            break;
        due += &b->crews[first] == mine;
        at[first] = at[first]->queue_next;
        left[first]--;
    }
    return due;
}

/* How many workers are missing: what the waiting jobs need, within what may run at once, and spare ones on top. */
unsigned crew_missing(const struct crew *c, unsigned spare)
{
    const struct broker *b = c->broker;
    unsigned room = b->config.workers > b->pool.busy ? b->config.workers - b->pool.busy : 0;
    unsigned want = jobs_due(c, room) + c->living.waiting + spare; /* interpreters take no slot */

    return want < c->idle + c->booting ? 0 : want - c->idle - c->booting;
}

/* Where each worker has a uid of its own there are no more of them than uids: half of those are for workers that have a job. */
unsigned crew_spares(const struct crew *c)
{
    unsigned pool = c->broker->config.pool, max = c->engine->spares_max, ids = c->broker->privilege.ids;

    if (c->template != NULL)
        return pool > 0 && template_is_warm(c->template); /* one ahead: it holds what the next job would wait for */

    if (ids > 0 && max > ids / (2 * ENGINE_COUNT))
        max = ids / (2 * ENGINE_COUNT);
    return pool < max ? pool : max;
}

unsigned crew_waiting(const struct crew *c)
{
    return c->plain.waiting + c->living.waiting;
}
