/*
 * children.h - the workers a zygote has forked and may not yet forget.
 *
 * Side:    zygote.
 * Rule:    an ended worker stays a zombie until the broker says Reap, so that its pid cannot name another process while the
 *          broker still believes in it.
 * Owned:   the table owns its rows.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_CHILDREN_H
#define WORKER_CHILDREN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "zygote.pb-c.h"

struct child {
    uint64_t worker;
    pid_t pid;
    int told; /* the broker has been sent Exited */
};

struct children {
    struct child *rows;
    size_t n, cap;
};

/* Makes room for one more row, so that children_add cannot fail after the fork. -ENOMEM. */
int children_reserve(struct children *c);
void children_add(struct children *c, uint64_t worker, pid_t pid);

/* Calls tell for each worker that has ended and was not told of. */
void children_collect(struct children *c, void (*tell)(void *arg, const Pb__Exited *e), void *arg);

/* Frees the pid of an ended worker. -ENOENT no such worker, -EBUSY it still runs. */
int children_reap(struct children *c, uint64_t worker);

/*
 * Kills and reaps the children that are no workers: a dead worker's programs, which came to us for want of a pid namespace that would have
 * ended with it. Each that dies may hand on its own: its SIGCHLD is when to look again. proc_fd: /proc.
 */
void children_end_orphans(const struct children *c, int proc_fd);
/* 0: a child of ours that is no worker; whether it still lives does not matter. -ECHILD: not a child. -EEXIST: a worker. */
int children_is_stray(const struct children *c, pid_t pid);
/* Kills and reaps every child that is no worker, and comes back when there is none. 0, or -errno: they are not known. */
int children_sweep(const struct children *c, int proc_fd, unsigned *ret_ended);
/* Kills and reaps all of them, the workers too, and whoever comes to us by that. When the broker has gone. */
void children_finish(struct children *c, int proc_fd);

#endif
