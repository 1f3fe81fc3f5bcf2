/*
 * rows.h - what bench_task measures: a table of rows, in groups, a file each (bench/rows_*.c). A new row goes into the group it belongs to;
 * a new group also into the list in bench_task.c and into BENCH_TASK in the Makefile.
 *
 * Side:    benches.
 * Each row is measured in a process of its own, in which coop_init() has been called, without hibernation, and nothing else has run.
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stddef.h>

#include "bench/measure.h"

struct bench_row {
    const char *name;
    measure_op op;         /* timed: nanoseconds for each operation */
    double (*value)(void); /* in its place: measured by the row itself, in its unit */
    const char *unit;
    double ask;        /* what the figure has to be at most; 0: nothing is asked */
    const char *peers; /* the operation whose peers are shown below it, as their programs name it; NULL: none */
    size_t needs;      /* bytes of memory that must be available; 0: few */
};

struct bench_group {
    const char *title;
    const struct bench_row *rows; /* ends with a name of NULL */
};

extern const struct bench_group bench_switch, bench_chan, bench_life, bench_hibernate;

/* Ends the program with a message when rc is below 0. */
void bench_must(int rc);

#endif
