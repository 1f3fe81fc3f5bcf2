/* spin.c - computes for about a fifth of a second, always the same work, and prints the microseconds it took. Linked statically. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

enum { STEPS = 200000000 };

int main(void)
{
    struct timespec from, to;
    uint64_t x = 88172645463325252;

    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < STEPS; i++) { /* xorshift64, Marsaglia 2003: each step needs the one before */
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.0f\n", (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3);
    return x == 0;
}
