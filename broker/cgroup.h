/*
 * cgroup.h - control groups: what holds a job's processes together, counts what they use, and ends them all.
 *
 * Side:    broker. The groups are made in a directory that is ours: v2 below our own group when that is delegated to us (or, by root, beside
 *          it), v1 below our own group of each hierarchy. Without either there are no leaves, and watch.h samples instead.
 * Owned:   leaves belong to struct cgroups; a worker borrows one from cgroup_take() until cgroup_drop().
 * Returns: 0 or -errno.
 */
#ifndef BROKER_CGROUP_H
#define BROKER_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/loop.h"

enum cgroup_kind { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_KINDS };

extern const char *const cgroup_kind_names[CGROUP_KINDS + 1]; /* "none", "v1", "v2", NULL-terminated */

/* What is controlled; in v1 each has a hierarchy, in v2 all are one directory. */
enum cgroup_part { CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU, CGROUP_IO, CGROUP_FREEZER, CGROUP_PARTS };

#define CGROUP_FDS_MAX  CGROUP_PARTS /* descriptors that Spawn carries for a leaf */
#define CGROUP_PATH     4096
#define CGROUP_NAME_MAX 64
#define CGROUP_WHY      256

enum { CGROUP_AGAIN_US = 5000 }; /* between two tries to remove what the kernel still holds */

struct cgroups;

struct cgroup_leaf {
    struct cgroups *groups;
    char name[CGROUP_NAME_MAX];
    int dirs[CGROUP_PARTS];  /* its directory of each part, -1: none; in v2 all the same */
    int procs[CGROUP_PARTS]; /* v1: cgroup.procs of each, open for writing */
    uint64_t memory_bytes;   /* its limit, 0: none yet */
    bool holds_swap;         /* swap is limited, too */
    int events_watch;        /* v2: of inotify, while it is being removed */
    struct loop_watch oom;   /* v1: readable once the memory limit could not be kept */
    struct cgroup_leaf *next;
};

struct cgroups {
    enum cgroup_kind kind;
    bool has[CGROUP_PARTS];
    char base[CGROUP_PARTS][CGROUP_PATH]; /* the directory of ours that leaves are made in */
    bool base_made[CGROUP_PARTS];         /* it is not our own group: removed at the end, where that is allowed */
    int base_lock[CGROUP_PARTS];          /* v1: held on a base that other brokers may share; -1: none */
    char home[CGROUP_PATH];               /* v2: the group that we were in */
    char prefix[CGROUP_NAME_MAX];         /* of its leaves' names; each run directory has its own */
    char why[CGROUP_WHY];                 /* why nothing better than kind */
    uint64_t last_leaf;
    struct cgroup_leaf *spare, *dying;
    unsigned spares;
    struct loop *loop; /* NULL until cgroup_start() */
    struct loop_watch inotify;
    struct timer again; /* the removal of dying leaves */
    int janitor;        /* a socket that takes the names of leaves to be removed (janitor.h), -1: none; not ours to close */
};

/* What a leaf's processes, living and dead, have used. Rows that the kernel does not count are 0, and not in has. */
struct cgroup_usage {
    uint64_t cpu_user_us, cpu_sys_us, memory_peak, io_read, io_write, pids_peak;
    bool has_cpu, has_memory, has_io, has_pids_peak;
};

/*
 * Finds what there is, by making a group in it. owner: the uid that will work with it from now on, which may be another than ours (root's
 * last act). want: "auto", "v2", "v1" or "none".
 * Never fails for want of control groups: kind is CGROUP_NONE then, and why says it. -EINVAL: want is none of these.
 */
int cgroup_open(struct cgroups *g, const char *run_dir, uid_t owner, const char *want);
/* The run directory is ours: ends and removes what an earlier broker of it left. Removal goes on in this loop. */
int cgroup_start(struct cgroups *g, struct loop *loop);
/* Ends what is left in any leaf, and removes all. */
void cgroup_close(struct cgroups *g);

/* A fresh leaf, from the pool when there is one; NULL: there are none, or none can be made now (errno says why). */
struct cgroup_leaf *cgroup_take(struct cgroups *g);
/* Makes leaves ahead until so many are spare. */
void cgroup_stock(struct cgroups *g, unsigned spares);
/* For Spawn: fills fds, returns how many. v2: one directory; v1: one cgroup.procs of each hierarchy. They stay the leaf's. */
unsigned cgroup_fds(const struct cgroup_leaf *leaf, int fds[CGROUP_FDS_MAX]);
/* Memory in bytes, without swap, and pids; written when the leaf's worker gets its job. Forgets the peak so far, where the kernel can. */
int cgroup_limit(struct cgroup_leaf *leaf, uint64_t memory_bytes, uint64_t pids);
/* Reads what a finished leaf is charged with: a dozen files. A look while it runs reads the one that it wants. */
void cgroup_usage(const struct cgroup_leaf *leaf, struct cgroup_usage *ret);
/* Something in it was killed for want of memory (or told: v1 said that it ran out), and its own limit was in the way: else others took it. */
bool cgroup_ran_out(const struct cgroup_leaf *leaf, bool told);
/* Nothing lives in it. False when that cannot be told. */
bool cgroup_is_empty(const struct cgroup_leaf *leaf);
/* SIGKILL to everything in the leaf. Returns how many processes it still saw alive; 0: it is empty. */
unsigned cgroup_kill(struct cgroup_leaf *leaf);
/* Everything in it stands still, or goes on. -ENOENT: nothing here can do that. SIGKILL to what stands still takes effect, with v1, when it goes on. */
int cgroup_freeze(const struct cgroup_leaf *leaf, bool freeze);
/* The leaf is not used any more: killed, closed, and removed as soon as the kernel lets go of it; by the janitor, when there is one. */
void cgroup_drop(struct cgroup_leaf *leaf);

/* ---- between cgroup.c, cgroup_end.c and janitor.c -------------------------------------------------------------------------------------------- */

/* This part has a directory of its own; false for one that shares another's, or that is not there. */
bool cgroup_distinct(const struct cgroups *g, int part);
struct cgroup_leaf *cgroup_leaf_new(struct cgroups *g, const char *name);
int cgroup_leaf_open(struct cgroup_leaf *leaf, bool make);
void cgroup_leaf_path(const struct cgroup_leaf *leaf, int part, const char *file, char *path, size_t size);
void cgroup_leaf_close(struct cgroup_leaf *leaf); /* its descriptors */
void cgroup_leaf_free(struct cgroup_leaf *leaf);
void cgroup_sweep(struct cgroups *g); /* all leaves of this run directory's brokers; when none of them is in use */
void cgroup_remove_dying(struct cgroups *g);
void cgroup_wait_for_dying(struct cgroups *g, int ms);   /* without the loop, for so long at most */
void cgroup_remove(struct cgroups *g, const char *name); /* a leaf by its name; nothing that is not this broker's */
void cgroup_on_inotify(void *ctx);
void cgroup_on_again(void *ctx);

/* ---- cgroup_files.c: the names of things, and cgroup_find.c: where they are; for cgroup.c and its tests --------------------------- */

enum cgroup_file {
    CGROUP_F_MEMORY_MAX,
    CGROUP_F_SWAP_MAX,
    CGROUP_F_OOM_GROUP,
    CGROUP_F_PIDS_MAX,
    CGROUP_F_MEMORY_PEAK,
    CGROUP_F_MEMORY_NOW,
    CGROUP_F_MEMORY_FILES,
    CGROUP_F_OOM_KILLS,
    CGROUP_F_MEMORY_HITS,
    CGROUP_F_PIDS_REFUSED,
    CGROUP_F_PIDS_PEAK,
    CGROUP_F_CPU,
    CGROUP_F_CPU_USER,
    CGROUP_F_CPU_SYS,
    CGROUP_F_IO,
    CGROUP_F_KILL,
    CGROUP_F_FREEZE,
    CGROUP_FILES
};

extern const char *const cgroup_controllers[CGROUP_KINDS][CGROUP_PARTS]; /* as /proc/self/cgroup and cgroup.controllers name them */

/* -ENOENT: this kind or this kernel has no such file. */
int cgroup_read(const struct cgroup_leaf *leaf, enum cgroup_file file, uint64_t *ret);
/* Several that stand in one file are read at once, when they follow each other. The answer is the first one's; of the
 * others, what is not there leaves its *ret alone. */
int cgroup_read_some(const struct cgroup_leaf *leaf, const enum cgroup_file *files, unsigned n, uint64_t *ret);
int cgroup_write(const struct cgroup_leaf *leaf, enum cgroup_file file, const char *text);
/* Bytes read and written, summed over devices. */
int cgroup_read_io(const struct cgroup_leaf *leaf, uint64_t *ret_read, uint64_t *ret_written);

/*
 * Fills in kind, has, base and base_made of g from what mountinfo and own (the texts of /proc/self/mountinfo and /proc/self/cgroup) say,
 * creating what it needs. -ENOENT: this kind cannot be had, and g->why says why.
 */
int cgroup_find(struct cgroups *g, enum cgroup_kind kind, const char *mountinfo, const char *own, uid_t owner);

/* Removes what cgroup_find() made, unless other brokers use it, or root made it and we are root no more: then it stays, empty, for the next. */
void cgroup_leave(struct cgroups *g);
/* Makes those bases again that somebody has removed, or locks what is there in their place. 0, or -errno: one cannot be made, by us, now. */
int cgroup_remake_bases(struct cgroups *g);
/* Says no more that we use them: a child's word, who has them from us. Ours stays. */
void cgroup_unlock_bases(struct cgroups *g);

#endif
