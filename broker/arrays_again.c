/* arrays_again.c - tasks of an array are submitted once more: those that have not succeeded, all, or one. See arrays.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"
#include "broker/stored.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
#define ST(name) PB__STATE__STATE_##name

struct gathered {
    uint64_t *index;
    uint64_t n, cap, unfinished;
    bool all; /* also those that have succeeded, or have not ended */
};

static int gather(void *ctx, const struct store_job *task)
{
    struct gathered *g = ctx;

    g->unfinished += !job_is_terminal(task->state);
    if (!g->all && task->state == ST(SUCCEEDED))
        return 0;
    if (g->n == g->cap) {
        uint64_t cap = g->cap > 0 ? 2 * g->cap : 64, *more = realloc(g->index, cap * sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        g->index = more;
        g->cap = cap;
    }
    g->index[g->n++] = task->array_index;
    return 0;
}

static void submit_again(struct control_call *c, struct tenant *t, Pb__JobSpec *spec, const struct gathered *g)
{
    struct jobs_order o = { .tenant = t, .user = c->actor.name, .spec = spec, .done = verb_on_submitted };
    struct arrays_subset only = { g->index, g->n };
    char id[ULID_LEN + 1];
    struct jobs_refusal no = { "out of memory", "" };
    uint64_t tasks;
    int rc = -ENOMEM;

    o.ctx = verb_submit_call(c, g->n);
    if (o.ctx != NULL) {
        spec_make_anew(spec);
        rc = arrays_submit_only(c->broker, &o, &only, id, &tasks, &no);
    }
    if (rc == 0)
        return;
    free(o.ctx);
    verb_refuse_submit(c->broker, c->way, rc, &no);
}

void array_verb_retry(struct control_call *c)
{
    struct broker *b = c->broker;
    struct gathered g = { .all = c->request->retry->clone };
    struct store_array row;
    struct frame spec = { 0 };
    int rc = store_each_task(b->store, c->id, false, gather, &g);
    struct tenant *t;

    if (rc == 0)
        rc = store_find_array(b->store, c->id, NULL, 0, &row);
    if (rc == 0)
        rc = stored_spec(b, c->id, &spec);
    t = rc == 0 ? tenants_of_job(&b->tenants, row.tenant) : NULL;
    if (rc != 0 || t == NULL || ((Pb__JobSpec *)spec.msg)->schedule == NULL)
        control_refuse(b, c->way, ER(INTERNAL), "array %s cannot be read: %s", c->id, rc != 0 ? strerror(-rc) : "it is damaged");
    else if (g.unfinished > 0 && !g.all)
        control_refuse(b, c->way, ER(CONFLICT), "%llu tasks of array %s have not ended; a clone does not wait for them",
                       (unsigned long long)g.unfinished, c->id);
    else if (g.n == 0)
        control_refuse(b, c->way, ER(CONFLICT), "all tasks of array %s have succeeded; a clone is all of them again", c->id);
    else
        submit_again(c, t, (Pb__JobSpec *)spec.msg, &g);
    frame_release(&spec);
    free(g.index);
}

/* Of its array the one index, as an array: its program asks for it. */
void array_retry_task(struct control_call *c, const struct store_job *task)
{
    struct broker *b = c->broker;
    uint64_t index = task->array_index;
    struct gathered g = { .index = &index, .n = 1 };
    struct tenant *t = tenants_of_job(&b->tenants, task->tenant);
    struct frame spec = { 0 };
    int rc = stored_spec(b, task->id, &spec);

    if (rc != 0 || t == NULL || ((Pb__JobSpec *)spec.msg)->schedule == NULL || ((Pb__JobSpec *)spec.msg)->schedule->array == NULL)
        control_refuse(b, c->way, ER(INTERNAL), "job %s cannot be read: %s", c->id, rc != 0 ? strerror(-rc) : "it is damaged");
    else
        submit_again(c, t, (Pb__JobSpec *)spec.msg, &g);
    frame_release(&spec);
}
