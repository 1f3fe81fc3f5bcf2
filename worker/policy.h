/*
 * policy.h - which system calls a sealed worker may make, as data.
 *
 * Side:   worker. Read by bpf.c (the program), by --explain-policy and docs (the reasons), and by a test that walks every number.
 * Rule:   no row = the call ends the worker and the receipt names it. A number outside the known ones is answered ENOSYS, because
 *         a newer libc probes for newer calls. A foreign ABI (i386, x32) kills at once: there is no honest reason for it.
 */
#ifndef WORKER_POLICY_H
#define WORKER_POLICY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum policy_verdict {
    POLICY_VIOLATION, /* SIGSYS: reported, then the worker is killed. Never in a row: it is what no row means */
    POLICY_ALLOW,     /* when every condition of the row holds; several rows of one call are alternatives */
    POLICY_REFUSE,    /* answered with the row's errno, nothing happens */
    POLICY_ANSWER,    /* SIGSYS: the worker's own handler gives the answer (struct engine, trapped); the kernel does nothing */
    POLICY_KILL,      /* killed on the spot, nothing reported */
};

/* Holds when (argument & mask) == value, on all 64 bits. mask 0 = no condition. */
struct policy_arg {
    uint8_t index;
    uint64_t mask, value;
    const char *text;
};

enum { POLICY_ARGS = 3 };

struct policy_row {
    uint32_t nr;
    const char *name;
    enum policy_verdict verdict;
    int error; /* with POLICY_REFUSE */
    struct policy_arg args[POLICY_ARGS];
    const char *why;
};

struct policy_gap {
    uint32_t first, last; /* numbers that no known call has */
};

struct policy {
    const char *name;
    const struct policy_row *rows;
    size_t n_rows;
    const struct policy_gap *gaps;
    size_t n_gaps;
    uint32_t newest; /* the highest number we know; above it: ENOSYS */
};

#define POLICY_X32_BIT 0x40000000u /* set in the number of an x32 call */

/* The policy of a profile by name, or NULL. */
const struct policy *policy_find(const char *profile);

/* Prints every row with its reason. */
void policy_explain(const struct policy *p, FILE *to);

#endif
