/*
 * space.h - the namespaces a worker lives in and the files it sees: made by the zygote, narrowed by each worker.
 *
 * Side:    worker. The zygote's half runs once, before it says ready; the worker's half before its program, or its engine, begins.
 * Returns: 0 or -errno. Whoever gets an error ends: nothing runs with less than the tier that was said.
 *
 * Tiers (docs/security.md): T0 namespaces and a range of uids, given by a broker that root started; T1 namespaces of an ordinary user;
 * T2 Landlock and the system call filter alone; T3 the filter alone.
 */
#ifndef WORKER_SPACE_H
#define WORKER_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "tiers.h"

/* What a program's worker (engine exec) asks for once it has its job, before anything of the job's is used. */
struct space_work {
    uint64_t disk_bytes, inodes; /* of the work directory, /tmp and /dev/shm together; not enforced at T2, which the receipt says */
    bool loopback;               /* a network with nothing but lo, up */
    bool proc;                   /* a /proc of its own */
    bool terminal; /* terminals of its own, at /dev/pts and /dev/ptmx; at T2 those are the host's, and no program sees their names */
};

/*
 * What takes no knowledge of the job, ahead of it: the work directory's mounts with room for nothing yet, the rules of what the view shows, and
 * space_proc_fd(). Once, in a worker that has its uid and still its capabilities, before space_work().
 */
int space_ready(void);

/*
 * Gives the work directory its size, and makes what else the job asked for. *ret_work_fd: the directory, the caller's to close; *ret_path: its name inside,
 * constant: "/work" at T0 and T1, with a TMPDIR of /tmp; at T2 the directory that the broker has made, which is the TMPDIR too. Mounting needs
 * capabilities that space_close() gives up. -EOPNOTSUPP: loopback or proc where there are no namespaces to have them in.
 */
int space_work(const struct space_work *want, int *ret_work_fd, const char **ret_path);

/* After an error of it: which part could not be had, as a step of the seal is named: "own_proc", say, where a container covers parts of /proc. */
const char *space_failed_part(void);

/* A private procfs that is mounted nowhere, to look at the job's own processes; -1 where there is none (T2). Owned by space.c. */
int space_proc_fd(void);

/*
 * The last of it, inherited by every program: all capabilities gone for good, no_new_privs, Landlock on what the view shows (read and execute)
 * and on the work directory (everything but devices). After this nothing can be mounted.
 */
int space_close(void);

/*
 * By a program's process, after space_close() and before its first byte: nothing it starts may signal what is outside of that, init for one.
 * 0 also where Landlock is older than ABI 6: then it is for the filter to refuse.
 */
int space_confine(void);

#endif
