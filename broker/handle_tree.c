/*
 * handle_tree.c - see handles.h: which handle was derived from which, and what ends with what.
 *
 * A handle that is dropped leaves those below it where they are. With none or one below it, that takes its place; else it stays as a ghost,
 * nobody's and without rights, until no more than one is left below it. So each ghost has two branches or more, and there are fewer of them
 * than of handles; and a drop moves one handle at most, however wide the tree is.
 * Nobody else's code runs while the tree is walked: asks of revoked handles are gathered and ended afterwards.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/handles.h"

/* ---- in and out ------------------------------------------------------------------------------------------------------------------- */

static struct handle **list_of(struct handle *h)
{
    return h->above != NULL ? &h->above->first : &h->thing->roots;
}

static void link_in(struct handle *h)
{
    struct handle **list = list_of(h);

    h->prev = NULL;
    h->next = *list;
    if (h->next != NULL)
        h->next->prev = h;
    *list = h;
}

static void link_out(struct handle *h)
{
    if (h->prev != NULL)
        h->prev->next = h->next;
    else
        *list_of(h) = h->next;
    if (h->next != NULL)
        h->next->prev = h->prev;
    h->next = h->prev = NULL;
}

static bool has_two_below(const struct handle *h)
{
    return h->first != NULL && h->first->next != NULL;
}

/* The one below it, if any, stands where it stood. */
static void splice(struct handle *h)
{
    struct handle *below = h->first;

    if (below != NULL) {
        assert(below->next == NULL);
        link_out(below);
        below->above = h->above;
        link_in(below);
    }
    link_out(h);
}

static void ghost_free(struct handle *h)
{
    free(h->prefix);
    free(h);
}

/* A handle below this one has gone. */
static void prune(struct handle *h)
{
    if (h == NULL || !h->ghost || has_two_below(h))
        return;
    splice(h);
    ghost_free(h);
}

/* ---- holding ------------------------------------------------------------------------------------------------------------------------ */

static void unhold(struct thing *t)
{
    if (--t->held == 0 && t->ops->unheld != NULL) {
        thing_ref(t);
        t->ops->unheld(t);
        thing_unref(t);
    }
    thing_unref(t);
}

struct handle *handle_new(struct thing *t, uint32_t rights, struct handle *above)
{
    struct handle *h = calloc(1, sizeof(*h));

    assert(above == NULL || above->thing == t);
    if (h != NULL && above != NULL && above->prefix != NULL && (h->prefix = strdup(above->prefix)) == NULL) {
        free(h);
        return NULL;
    }
    if (h == NULL)
        return NULL;
    h->thing = thing_ref(t);
    t->held++;
    h->kind = t->kind;
    h->rights = rights & thing_all_rights(t->kind) & (above != NULL ? above->rights : UINT32_MAX);
    h->above = above;
    link_in(h);
    return h;
}

/* ---- ending ------------------------------------------------------------------------------------------------------------------------- */

static void gather_asks(struct handle *h, struct ask **list)
{
    while (h->asks != NULL)
        ask_join(h->asks, list);
}

/* A tombstone, out of the tree; it has nothing below it. Of a ghost nothing stays. */
static void bury(struct handle *h, struct ask **asks)
{
    struct thing *t = h->thing;

    link_out(h);
    if (h->ghost) {
        ghost_free(h);
        return;
    }
    gather_asks(h, asks);
    h->thing = NULL;
    h->above = NULL;
    h->rights = 0;
    unhold(t);
}

/*
 * Everything below top, leaves first and each handle visited once: no recursion, as a hostile chain is as long as it likes. Somebody holds
 * the thing meanwhile, so that its unheld() is not called from here.
 */
static void bury_below(struct handle *top, struct ask **asks)
{
    struct handle *at = top, *up;

    for (;;) {
        while (at->first != NULL)
            at = at->first;
        if (at == top)
            return;
        up = at->above;
        bury(at, asks);
        at = up;
    }
}

void handle_revoke(struct handle *h)
{
    struct ask *asks = NULL;

    bury_below(h, &asks);
    asks_end_revoked(&asks, ASK_REVOKED);
}

void handle_end(struct handle *h)
{
    struct handle *above = h->above;
    struct ask *asks = NULL;

    struct thing *t = h->thing;

    if (t == NULL)
        return;
    thing_ref(t);
    t->held++; /* what waits through it ends before what it waits for */
    while (h->first != NULL) {
        struct handle *below = h->first;

        link_out(below);
        below->above = above;
        link_in(below);
    }
    bury(h, &asks);
    prune(above);
    asks_end_revoked(&asks, ASK_REVOKED);
    unhold(t);
}

static bool begins(const struct handle *h, const char *prefix)
{
    return strncmp(h->prefix != NULL ? h->prefix : "", prefix, strlen(prefix)) == 0;
}

static void bury_matching(struct handle *list, const char *prefix, struct ask **asks)
{
    struct handle *h, *next;

    for (h = list; h != NULL; h = next) {
        next = h->next;
        if (!begins(h, prefix))
            continue;
        bury_below(h, asks);
        bury(h, asks);
    }
}

void thing_revoke_prefix(struct thing *t, const char *prefix)
{
    struct ask *asks = NULL;

    thing_ref(t);
    t->held++;
    bury_matching(t->roots, prefix, &asks);
    asks_end_revoked(&asks, ASK_REVOKED);
    unhold(t);
}

void thing_revoke_all(struct thing *t)
{
    thing_revoke_prefix(t, "");
}

void handle_drop(struct handle *h)
{
    struct ask *asks = NULL;
    struct handle *above;
    struct thing *t;

    if (h == NULL)
        return;
    handle_take_back(h);
    gather_asks(h, &asks);
    t = h->thing;
    if (t != NULL && has_two_below(h)) {
        h->ghost = true; /* what is below it does not ask for its rights; its prefix is what a revoke by prefix goes by */
    } else {
        above = h->above;
        if (t != NULL) {
            splice(h);
            prune(above);
        }
        free(h->prefix);
        free(h);
    }
    asks_end_revoked(&asks, ASK_CANCELLED);
    if (t != NULL)
        unhold(t);
}
