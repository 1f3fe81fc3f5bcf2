/*
 * den.h - the control group that a template and its children share, where there are any: what holds a child that dropped its parent's death, and the
 * number of them.
 *
 * Side:  broker.
 * Owned: by those in it together; the last that leaves has whatever is left in it killed. Its name is the janitor's, as any leaf's.
 */
#ifndef BROKER_DEN_H
#define BROKER_DEN_H

#include "broker/cgroup.h"

struct den;

/* How many children a template may have at once. */
#define TEMPLATE_CHILDREN 4096

/* *ret NULL: there are no control groups here. -errno: there are, and none can be made now. */
int den_new(struct cgroups *g, struct den **ret);
struct den *den_enter(struct den *d);                    /* NULL is NULL */
void den_leave(struct den *d);                           /* NULL is nothing */
const struct cgroup_leaf *den_leaf(const struct den *d); /* NULL of NULL */

#endif
