/*
 * policy_row.h - a line of a system call policy, as data.
 *
 * Side:  both: workers compile rows into a filter, everybody else reads and prints them (policy_text.h).
 * Rule:  rows stand in order, and the first one of a call whose conditions all hold decides. No row, or none that holds = what the policy says
 *        of what it does not list: the job ends, and the receipt names the call.
 */
#ifndef PROTO_POLICY_ROW_H
#define PROTO_POLICY_ROW_H

#include <stdint.h>

enum policy_verdict {
    POLICY_VIOLATION, /* reported, and the job ends; in a row: an exception from the rows after it */
    POLICY_ALLOW,     /* the kernel does it */
    POLICY_REFUSE,    /* answered with the row's errno, nothing happens */
    POLICY_ANSWER,    /* SIGSYS: the worker's own handler gives the answer (struct engine, answer); the kernel does nothing */
    POLICY_NOTIFY,    /* whoever holds the filter's listener is told, and the caller waits for its answer */
    POLICY_VERDICTS
};

/*
 * Holds when (argument & mask) == value. What the kernel takes for 32 bits has a mask within 32 bits: it does not look at those above, so a call
 * is made neither legal nor illegal by them. mask 0 = no condition, and none after it.
 */
struct policy_arg {
    uint8_t index; /* 0 to 5 */
    uint64_t mask, value;
};

enum { POLICY_ARGS = 3 };

/* What a row may depend on beside the call: of the job, and of where it runs. */
enum policy_given {
    POLICY_NET_LOOPBACK = 1,    /* the job has the capability net=loopback */
    POLICY_SHARED_SIGNALS = 2,  /* its signals could reach processes that are not its own (T2, Landlock before ABI 6) */
    POLICY_SHARED_SOCKETS = 4,  /* so could its connections (T2, Landlock before ABI 9) */
    POLICY_SHARED_FILES = 8,    /* so could calls that change a file by its path, but not its contents (T2: no Landlock holds those) */
    POLICY_SHARED_SIZES = 16,   /* and truncate(2) (T2, Landlock before ABI 3) */
    POLICY_SAMPLED_MEMORY = 32, /* no cgroup holds the job's memory: what its processes have is sampled */
    POLICY_SHARED_PIDS = 64,    /* it may name processes that are not its own: no pid namespace (T2) */
    POLICY_GIVEN_ALL = 127
};

struct policy_row {
    uint32_t nr;
    const char *name;
    enum policy_verdict verdict;
    int error;      /* with POLICY_REFUSE, 1 to 4095 */
    unsigned given; /* enum policy_given: the row stands only where all of this does; 0 = everywhere */
    struct policy_arg args[POLICY_ARGS];
    const char *why;
};

#endif
