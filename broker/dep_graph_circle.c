/*
 * dep_graph_circle.c - see dep_graph.h: whether one more edge would close a circle, and who is in it.
 *
 * An array's end is that of its tasks, and a task waits for whatever its array waits for. These edges are not stored: the search follows them
 * by the node of the whole and its parts.
 */
#include <errno.h>
#include <string.h>

#include "broker/dep_graph_own.h"

struct search {
    struct dep_graph *g;
    struct dep_node *from, *waits;
    struct dep_node **last; /* of those that were seen, and whose edges are still to be followed */
    size_t seen;
};

/* Who is to wait: the job itself, or an array, and with it each of its tasks. */
static bool is_sought(const struct search *s, const struct dep_node *n)
{
    return n == s->waits || n->whole == s->waits;
}

/* The way back from to's discovery: to was seen from somebody who waits for it, and so on, up to from. */
static void name_circle(const struct dep_node *from, const struct dep_node *to, struct dep_circle *ret)
{
    struct dep_circle c = { .count = 0 };

    /* to, then who waits for it, ...: turned round, each waits for the next */
    for (const struct dep_node *n = to;; n = n->seen_from) {
        if (c.count < DEP_GRAPH_NAMED)
            ulid_from_bytes(n->id, c.id[c.count]);
        c.count++;
        if (n == from)
            break;
    }
    *ret = (struct dep_circle){ .count = c.count };
    for (size_t i = 0, named = c.count < DEP_GRAPH_NAMED ? c.count : DEP_GRAPH_NAMED; i < named; i++)
        memcpy(ret->id[i], c.id[named - 1 - i], sizeof(c.id[i]));
}

/* by waits for n. */
static int see(struct search *s, struct dep_node *n, struct dep_node *by, struct dep_circle *circle)
{
    if (n->mark == s->g->mark)
        return 0;
    n->mark = s->g->mark;
    n->seen_from = by;
    if (is_sought(s, n)) {
        if (circle != NULL)
            name_circle(s->from, n, circle);
        return -ELOOP;
    }
    if (++s->seen > DEP_GRAPH_SEARCH)
        return -E2BIG;
    n->next_seen = NULL;
    *s->last = n;
    s->last = &n->next_seen;
    return 0;
}

static int see_edges(struct search *s, const struct dep_node *of, struct dep_node *by, struct dep_circle *circle)
{
    int rc = 0;

    for (const struct dep_edge *e = of->in; e != NULL && rc == 0; e = e->next_in)
        rc = see(s, e->on, by, circle);
    return rc;
}

/* All that n waits for, by itself, as an array, as a task. */
static int follow(struct search *s, struct dep_node *n, struct dep_circle *circle)
{
    int rc = see_edges(s, n, n, circle);

    for (struct dep_node *part = n->parts; part != NULL && rc == 0; part = part->next_part)
        rc = see(s, part, n, circle);
    return rc == 0 && n->whole != NULL ? see_edges(s, n->whole, n, circle) : rc;
}

/* Nobody waits for it, nor for a task of it, nor for the array that it is a task of. */
static bool is_last(const struct dep_node *n)
{
    if (n->out != NULL || (n->whole != NULL && n->whole->out != NULL))
        return false;
    for (const struct dep_node *part = n->parts; part != NULL; part = part->next_part)
        if (part->out != NULL)
            return false;
    return true;
}

/* Does awaited wait for waits, itself or by others? Broad first, so that the circle that is named is a short one. */
int dep_graph_search(struct dep_graph *g, struct dep_node *waits, struct dep_node *awaited, struct dep_circle *circle)
{
    struct search s = { .g = g, .from = awaited, .waits = waits };
    struct dep_node *start = NULL;
    int rc;

    if (awaited != waits && awaited->whole != waits && waits->whole != awaited && is_last(waits))
        return 0;
    g->mark++;
    s.last = &start;
    rc = see(&s, awaited, NULL, circle);
    for (struct dep_node *n = start; n != NULL && rc == 0; n = n->next_seen)
        rc = follow(&s, n, circle);
    return rc;
}
