/*
 * probe.h - what this machine lets a process do, found by doing it: one row for each thing that coop can use.
 *
 * Side:    worker program; the broker's doctor reads what probe_print() writes, the zygote chooses its tier by the rows that name one.
 * Rule:    each row is tried in a child of its own, which ends: nothing is left changed. Nothing is judged by a version number.
 * Returns: probe_run: 0, or -errno when not even the child could be made. How the thing went is in the answer.
 */
#ifndef WORKER_PROBE_H
#define WORKER_PROBE_H

#include <stdio.h>

#include "worker/space_enter.h"

enum { PROBE_DETAIL = 200 };

struct probe_answer {
    int rc;     /* 0, or the -errno that the kernel gave */
    long value; /* a number that says more, as Landlock's ABI; 0: none */
    char detail[PROBE_DETAIL];
};

struct probe_row {
    const char *name;
    int (*try)(const struct space_ask *ask, struct probe_answer *ret_a); /* in the child */
    const char *needed;                                                  /* what coop does with it */
    const char *lost;                                                    /* what it does instead */
};

extern const struct probe_row probe_rows[]; /* ends with a row without a name */

int probe_run(const struct probe_row *row, const struct space_ask *ask, struct probe_answer *ret_a);

/* One JSON object a line: {"probe":NAME,"ok":BOOL,"error":NAME OR "","value":N,"detail":TEXT,"for":TEXT,"lost":TEXT}. 0 or -errno. */
int probe_print(FILE *to, const struct space_ask *ask);

#endif
