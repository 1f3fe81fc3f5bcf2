/*
 * space_enter.h - the zygote's half of the space: which tier this machine gives, tried out in a child, and then entered for good.
 *
 * Side:    zygote, single-threaded, before it says ready.
 * Rule:    what the child could do the zygote does; a step that fails after that is fatal. A tier that was asked for by name is taken or
 *          refused, never replaced.
 * Returns: 0 or -errno; *ret_got says in words what was chosen, or what refused.
 */
#ifndef WORKER_SPACE_ENTER_H
#define WORKER_SPACE_ENTER_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker/space.h"

enum { SPACE_WHY = 240, SPACE_NAMESPACES = 8 };

struct space_ask {
    int tier;      /* of enum tier; -1: the best there is */
    int userns_fd; /* a user namespace with a range of uids that we own, or -1. Closed when entered */
    bool programs; /* the engine runs programs: its workers get namespaces of their own and a view of the host's system directories */
};

struct space_got {
    enum tier tier;
    char *namespaces[SPACE_NAMESPACES]; /* constants: those that a worker of this zygote is in and the broker is not */
    unsigned n_namespaces;
    char why[SPACE_WHY]; /* why not the tier above; "" when there is none. On failure: why not the one asked for */
};

int space_enter(const struct space_ask *ask, struct space_got *ret_got);

/* The same, for who only wants to know: everything happens in a child that ends. */
int space_try(const struct space_ask *ask, enum tier tier, char *why, size_t size);

/* Only its first step: the user namespace given, else (T1 by name, or no root) a new one, else none. For probe.c. */
int space_enter_user(const struct space_ask *ask);

/* "auto", "T0" ... -> -1 or a tier. -EINVAL (as return; -1 is an answer) for another word. */
int space_tier(const char *name, int *ret_tier);

#endif
