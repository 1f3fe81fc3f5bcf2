/*
 * space_join.h - how one worker comes into its space: made by the zygote, finished by itself.
 *
 * Side:    zygote (space_clone), then the worker before its seal is closed (the join_ functions, which are steps of seal.c).
 * Returns: 0 or -errno.
 */
#ifndef WORKER_SPACE_JOIN_H
#define WORKER_SPACE_JOIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/space.h"

enum { SPACE_CGROUPS = 6, SPACE_UID_INSIDE = 1000 };

/* What one process knows of its space; a worker inherits its zygote's. */
struct space_state {
    enum tier tier;
    bool entered;    /* namespaces are the zygote's own */
    bool programs;   /* workers get namespaces of their own too */
    bool own_userns; /* the zygote is in a user namespace that it entered or made */
    bool real_root;  /* uid 0 here is uid 0 of the machine */
    uint32_t uid;    /* the zygote's */
    bool may_map;    /* uids other than our own can be given to workers */
    int proc_fd;     /* the host's /proc, to write maps by pid; -1 */
    int zygote_fd;   /* the zygote's pidfd: whether it still lives; -1 */
    int work_fd;     /* T2: the directory that the broker has made for the job; -1 */
    int own_proc_fd; /* space_proc_fd() */
};
extern struct space_state space_now;

/* What comes along with one worker. Descriptors stay the caller's, in the zygote; in the worker the seal closes them. */
struct space_spawn {
    uint32_t uid;      /* 0: the zygote's */
    bool bare;         /* of an engine that says so (engine.h): libc need not know of the fork */
    int cgroup_v2;     /* a directory, or -1 */
    bool moves_itself; /* set by space_clone() for the worker: clone3 could not put it there */
    int cgroups_v1[SPACE_CGROUPS];
    unsigned n_cgroups_v1;
    int work_fd; /* T2, or -1 */
    int go_fd;   /* from space_clone() in the worker: where the zygote says that the uid map is written; -1 */
};

/* Writes a text to a file of procfs in one call, as the kernel wants maps of ids. */
int space_write(int dir_fd, const char *path, const char *text);

/* As fork(2): the pid, 0 in the worker, or -errno; *ret_pidfd in the zygote only. A worker that cannot be mapped is killed by us. */
pid_t space_clone(struct space_spawn *s, int *ret_pidfd);

/* Puts itself into the cgroups of hierarchies that clone3 does not know. 1: there are none. */
int join_cgroups(const struct space_spawn *s);

/* Waits for the map, and becomes coop. 1: no user namespace of its own. */
int join_user(const struct space_spawn *s);

/* Dies with the zygote, also when that died before we asked. */
int join_parent_death(void);

/* The cgroup namespace (its root is where join_cgroups has put us) and a session keyring with nothing in it. 1: there is no such thing. */
int join_cgroup_namespace(void);
int join_keyring(void);

#endif
