/* den.c - see den.h. */
#include "broker/den.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct den {
    struct cgroup_leaf *leaf;
    unsigned inside;
};

/* The template itself comes on top. */
static int bound(struct cgroup_leaf *leaf)
{
    char text[32];

    if (!leaf->groups->has[CGROUP_PIDS])
        return 0;
    snprintf(text, sizeof(text), "%d", TEMPLATE_CHILDREN + 1);
    return cgroup_write(leaf, CGROUP_F_PIDS_MAX, text);
}

int den_new(struct cgroups *g, struct den **ret)
{
    struct den *d;
    int rc;

    *ret = NULL;
    if (g->kind == CGROUP_NONE)
        return 0;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    d->leaf = cgroup_take(g);
    if (d->leaf == NULL) {
        rc = -errno;
        free(d);
        return rc;
    }
    d->inside = 1;
    rc = bound(d->leaf);
    if (rc != 0) {
        den_leave(d);
        return rc;
    }
    *ret = d;
    return 0;
}

struct den *den_enter(struct den *d)
{
    if (d != NULL)
        d->inside++;
    return d;
}

void den_leave(struct den *d)
{
    if (d == NULL || --d->inside > 0)
        return;
    cgroup_drop(d->leaf);
    free(d);
}

const struct cgroup_leaf *den_leaf(const struct den *d)
{
    return d != NULL ? d->leaf : NULL;
}
