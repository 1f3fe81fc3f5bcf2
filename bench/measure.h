/*
 * measure.h - how every figure of `make bench` for tasklets is taken, ours and the peers': C and C++. bench/peers/go.go does the same in Go.
 *
 * Side:    benches.
 * Method: an operation is repeated for about 20 ms, and that 15 times; the median of the 15 is the figure.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { MEASURE_ROUNDS = 15 };

/* Does an operation n times, or a few more. */
typedef void (*measure_op)(unsigned n);

static inline double measure_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int measure_by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Nanoseconds for one of op's operations. */
static inline double measure(measure_op op)
{
    double results[MEASURE_ROUNDS], start, ns;
    unsigned n = 1000;

    for (;;) {
        start = measure_now_ns();
        op(n);
        ns = measure_now_ns() - start;
        if (ns > 5e6)
            break;
        n *= 2;
    }
    n = (unsigned)(n * (20e6 / ns));
    for (int i = 0; i < MEASURE_ROUNDS; i++) {
        start = measure_now_ns();
        op(n);
        results[i] = (measure_now_ns() - start) / n;
    }
    qsort(results, MEASURE_ROUNDS, sizeof(results[0]), measure_by_size);
    return results[MEASURE_ROUNDS / 2];
}

/* What of this process is in memory now, bytes; its page tables are not in it. */
static inline double measure_resident(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* One line of a peer's program: the operation, as a row names it, the figure in that row's unit, and what it is in the peer's words. */
static inline void measure_say(const char *operation, double value, const char *what)
{
    printf("%s\t%.3f\t%s\n", operation, value, what);
    fflush(stdout);
}

#endif
