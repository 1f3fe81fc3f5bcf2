/*
 * janitor.h - a process that outlives the broker by a moment, however the broker ends, and removes what it leaves: control groups and whoever is
 * still in them, work directories, the socket's name. While the broker lives it removes the groups of jobs that have ended.
 *
 * Side:    broker. The janitor is forked while the broker has read nothing but its command line, and is the same user, sealed: no privileges,
 *          no descriptors but a socket and the run directory, a filter with the few calls that it makes. Names of files are all it hears of
 *          tenants. The socket's other end is the broker's alone: when it closes, the broker has gone.
 * Order:   janitor_lock(), janitor_start() with one thread, janitor_on_child() at SIGCHLD, janitor_finish().
 * Returns: 0 or -errno.
 */
#ifndef BROKER_JANITOR_H
#define BROKER_JANITOR_H

#include <sys/types.h>

struct cgroups;

struct janitor {
    pid_t pid;  /* 0: there is none, and the next broker of the run directory does its work */
    int socket; /* our end */
    int lock;   /* the run directory, locked; between janitor_lock() and janitor_start() */
};

/*
 * Waits until the janitor of an earlier broker of this run directory has done: it would take our groups for those of its own. -EBUSY: it takes
 * too long. The caller is the directory's only broker.
 */
int janitor_lock(struct janitor *j, int run_dir);
/* From now on leaves that are dropped are the janitor's to remove. g: opened, not started. */
int janitor_start(struct janitor *j, struct cgroups *g);
/* A child has ended. When it was the janitor, the broker goes on without. */
void janitor_on_child(struct janitor *j, struct cgroups *g);
/* Lets it remove what there is, and waits for its end. Every process that a group could hold has been killed. */
void janitor_finish(struct janitor *j, struct cgroups *g);

#endif
