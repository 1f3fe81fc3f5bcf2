/*
 * proc_tree.h - what /proc says of a broker's processes: its zygote, that one's workers, their memory and CPU time.
 *
 * Side: tests.
 */
#ifndef TESTS_SUPPORT_PROC_TREE_H
#define TESTS_SUPPORT_PROC_TREE_H

#include "tests/support/support.h"

enum { TREE_MAX = 256 };

/* 0: there is no such process. */
pid_t tree_parent(pid_t pid);

/* Children of a process that have not ended. Returns how many; into holds TREE_MAX. */
unsigned tree_children(pid_t parent, pid_t *into);

/* The process and all that descend from it, as open pidfds: proc_wait_gone() each. They are closed by support_release(). */
struct tree {
    unsigned n;
    pid_t pids[TREE_MAX];
    int pidfds[TREE_MAX];
};
struct tree *tree_of(pid_t root);

/* kB from /proc/PID/status: "VmRSS", "VmHWM". */
long tree_status_kb(pid_t pid, const char *name);

/* A soft limit from /proc/PID/limits: "Max cpu time". UINT64_MAX: unlimited. */
uint64_t tree_limit(pid_t pid, const char *name);

/* CPU time of a whole process, microseconds; 0 when there is none. */
uint64_t tree_cpu_us(pid_t pid);

#endif
