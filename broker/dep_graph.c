/* dep_graph.c - see dep_graph.h. */
#include "broker/dep_graph.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/dep_graph_own.h"
#include "broker/job_matrix.h"

void dep_graph_init(struct dep_graph *g, dep_graph_whole *whole, void *ctx)
{
    *g = (struct dep_graph){ .whole = whole, .ctx = ctx };
    g->ended_last = &g->ended;
}

static struct dep_node *find(const struct dep_graph *g, const char *id)
{
    uint8_t bytes[ULID_BYTES];
    struct dep_node *n = NULL;

    if (g->by_id != NULL && ulid_to_bytes(id, bytes) == 0)
        HASH_FIND(hh, g->by_id, bytes, sizeof(bytes), n);
    return n;
}

static struct dep_node *make(struct dep_graph *g, const char *id)
{
    struct dep_node *n = calloc(1, sizeof(*n));

    if (n == NULL || ulid_to_bytes(id, n->id) != 0) {
        free(n);
        return NULL;
    }
    HASH_ADD(hh, g->by_id, id, sizeof(n->id), n);
    return n;
}

static void drop_if_alone(struct dep_graph *g, struct dep_node *n)
{
    struct dep_node *whole;

    while (n != NULL && n->in == NULL && n->out == NULL && n->parts == NULL && !n->has_ended) {
        whole = n->whole;
        if (whole != NULL) {
            *n->at_part = n->next_part;
            if (n->next_part != NULL)
                n->next_part->at_part = n->at_part;
        }
        HASH_DEL(g->by_id, n);
        free(n);
        n = whole;
    }
}

static void join(struct dep_node *n, struct dep_node *whole)
{
    n->whole = whole;
    n->next_part = whole->parts;
    n->at_part = &whole->parts;
    if (n->next_part != NULL)
        n->next_part->at_part = &n->next_part;
    whole->parts = n;
}

static struct dep_node *find_or_make(struct dep_graph *g, const char *id)
{
    char whole[ULID_LEN + 1];
    struct dep_node *n = find(g, id), *of;

    if (n != NULL || (n = make(g, id)) == NULL || g->whole == NULL || !g->whole(g->ctx, id, whole))
        return n;
    of = find(g, whole);
    if (of == NULL)
        of = make(g, whole);
    if (of == NULL) {
        drop_if_alone(g, n);
        return NULL;
    }
    join(n, of);
    return n;
}

static void link_edge(struct dep_graph *g, struct dep_edge *e)
{
    e->next_in = e->job->in;
    e->at_in = &e->job->in;
    if (e->next_in != NULL)
        e->next_in->at_in = &e->next_in;
    e->job->in = e;
    e->job->unmet++;
    e->next_out = e->on->out;
    e->at_out = &e->on->out;
    if (e->next_out != NULL)
        e->next_out->at_out = &e->next_out;
    e->on->out = e;
    g->edges++;
}

static void unlink_edge(struct dep_graph *g, struct dep_edge *e)
{
    *e->at_in = e->next_in;
    if (e->next_in != NULL)
        e->next_in->at_in = e->at_in;
    *e->at_out = e->next_out;
    if (e->next_out != NULL)
        e->next_out->at_out = e->at_out;
    e->job->unmet--;
    g->edges--;
    free(e);
}

void dep_graph_finish(struct dep_graph *g)
{
    struct dep_node *n, *next;

    HASH_ITER (hh, g->by_id, n, next) {
        while (n->in != NULL)
            unlink_edge(g, n->in);
    }
    HASH_ITER (hh, g->by_id, n, next) {
        HASH_DEL(g->by_id, n);
        free(n);
    }
    dep_graph_init(g, g->whole, g->ctx);
}

static struct dep_edge *find_edge(const struct dep_graph *g, const char *job, const char *on)
{
    const struct dep_node *waits = find(g, job), *awaited = find(g, on);

    if (waits == NULL || awaited == NULL)
        return NULL;
    for (struct dep_edge *e = waits->in; e != NULL; e = e->next_in)
        if (e->on == awaited)
            return e;
    return NULL;
}

bool dep_graph_has(const struct dep_graph *g, const char *job, const char *on)
{
    return find_edge(g, job, on) != NULL;
}

/* search: whether it closes a circle is to be looked for. */
static int add(struct dep_graph *g, const char *job, const char *on, Pb__After after, bool search, struct dep_circle *circle)
{
    struct dep_node *waits, *awaited;
    struct dep_edge *e;
    int rc = 0;

    if (find_edge(g, job, on) != NULL)
        return -EEXIST;
    e = calloc(1, sizeof(*e));
    waits = find_or_make(g, job);
    awaited = find_or_make(g, on);
    if (e == NULL || waits == NULL || awaited == NULL)
        rc = -ENOMEM;
    else if (search)
        rc = dep_graph_search(g, waits, awaited, circle);
    if (rc == 0) {
        e->job = waits;
        e->on = awaited;
        e->after = after;
        link_edge(g, e);
        return 0;
    }
    free(e);
    drop_if_alone(g, waits);
    drop_if_alone(g, find(g, on)); /* it may have gone with the other */
    return rc;
}

int dep_graph_add(struct dep_graph *g, const char *job, const char *on, Pb__After after, struct dep_circle *circle)
{
    return add(g, job, on, after, true, circle);
}

int dep_graph_add_known(struct dep_graph *g, const char *job, const char *on, Pb__After after)
{
    return strcmp(job, on) != 0 ? add(g, job, on, after, false, NULL) : -ELOOP;
}

/* ---- changes -------------------------------------------------------------------------------------------------------------------------- */

static void take_out(struct dep_graph *g, struct dep_edge *e)
{
    struct dep_node *job = e->job, *on = e->on;

    unlink_edge(g, e);
    if (job->whole != on) /* else it goes with its part */
        drop_if_alone(g, on);
    drop_if_alone(g, job);
}

int dep_graph_drop(struct dep_graph *g, const char *job, const char *on)
{
    struct dep_edge *e = find_edge(g, job, on);

    if (e == NULL)
        return -ENOENT;
    take_out(g, e);
    return 0;
}

int dep_graph_set(struct dep_graph *g, const char *job, const char *on, Pb__After after)
{
    struct dep_edge *e = find_edge(g, job, on);

    if (e == NULL)
        return -ENOENT;
    e->after = after;
    return 0;
}

static void leave(struct dep_graph *g, struct dep_node *n)
{
    for (unsigned left = n->unmet; left > 0; left--) /* n goes with its last edge */
        take_out(g, n->in);
}

void dep_graph_leave(struct dep_graph *g, const char *job)
{
    struct dep_node *n = find(g, job);

    if (n != NULL)
        leave(g, n);
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

bool dep_graph_suits(Pb__After after, Pb__State outcome)
{
    assert(job_is_terminal(outcome));
    return after == PB__AFTER__AFTER_ANY || (after == PB__AFTER__AFTER_OK) == (outcome == PB__STATE__STATE_SUCCEEDED);
}

bool dep_graph_end(struct dep_graph *g, const char *on, Pb__State outcome)
{
    struct dep_node *n = find(g, on);

    if (n == NULL || n->out == NULL || n->has_ended)
        return g->ended != NULL;
    n->has_ended = true;
    n->outcome = outcome;
    n->next_ended = NULL;
    *g->ended_last = n;
    g->ended_last = &n->next_ended;
    return true;
}

static void settle(struct dep_graph *g, struct dep_edge *e, const struct dep_graph_handler *h)
{
    char job[ULID_LEN + 1], on[ULID_LEN + 1];
    Pb__State outcome = e->on->outcome;
    Pb__After after = e->after;
    bool suits = dep_graph_suits(after, outcome);
    unsigned left = e->job->unmet - 1;

    ulid_from_bytes(e->job->id, job);
    ulid_from_bytes(e->on->id, on);
    if (suits)
        take_out(g, e);
    else
        leave(g, e->job);
    /* the graph is whole again: whatever is called may change it */
    if (suits)
        h->met(h->ctx, job, on, left);
    else
        h->failed(h->ctx, job, on, after, outcome);
}

bool dep_graph_step(struct dep_graph *g, unsigned max, const struct dep_graph_handler *h)
{
    while (g->ended != NULL && max > 0) {
        struct dep_node *n = g->ended;

        if (n->out != NULL) {
            settle(g, n->out, h);
            max--;
            continue;
        }
        g->ended = n->next_ended;
        if (g->ended == NULL)
            g->ended_last = &g->ended;
        n->has_ended = false;
        drop_if_alone(g, n);
    }
    return g->ended != NULL;
}

/* ---- looking -------------------------------------------------------------------------------------------------------------------------- */

unsigned dep_graph_unmet(const struct dep_graph *g, const char *job)
{
    const struct dep_node *n = find(g, job);

    return n != NULL ? n->unmet : 0;
}

bool dep_graph_is_wanted(const struct dep_graph *g, const char *on)
{
    const struct dep_node *n = find(g, on);

    return n != NULL && n->out != NULL;
}

bool dep_graph_first(const struct dep_graph *g, const char *job, char ret_on[ULID_LEN + 1])
{
    const struct dep_node *n = find(g, job);

    if (n == NULL || n->in == NULL)
        return false;
    ulid_from_bytes(n->in->on->id, ret_on);
    return true;
}

size_t dep_graph_list(const struct dep_graph *g, const char *job, char (*ret_on)[ULID_LEN + 1], size_t max)
{
    const struct dep_node *n = find(g, job);
    size_t i = 0;

    for (const struct dep_edge *e = n != NULL ? n->in : NULL; e != NULL; e = e->next_in, i++)
        if (i < max)
            ulid_from_bytes(e->on->id, ret_on[i]);
    return i;
}

bool dep_graph_is_ending(const struct dep_graph *g, const char *on)
{
    const struct dep_node *n = find(g, on);

    return n != NULL && n->has_ended;
}
