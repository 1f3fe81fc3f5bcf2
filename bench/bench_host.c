/*
 * bench_host.c - what it costs to host many tenants and many jobs: the scheduler and the store by themselves, then a broker with all of it.
 *
 * Side:    host. Starts brokers of its own, one after the other.
 * Usage:   bench_host [PART...]: parts by name, all without.
 */
#include <stdio.h>
#include <string.h>

#include "bench/bench_host.h"
#include "bench/host.h"

/* clang-format off */
static const struct part {
    const char *name, *title;
    void (*rows)(void);
} parts[] = {
    { "sched",   "the scheduler alone: 1,000,000 jobs of 10,000 tenants wait", host_sched_rows },
    { "store",   "the store alone: each is durable before it counts",          host_store_rows },
    { "rates",   "jobs end to end: a fresh sealed worker each, and durable",   host_rates_rows },
    { "shares",  "weights 1:2:5 under saturation, through a broker",           host_shares_rows },
    { "million", "a million waiting jobs in a broker",                         host_million_rows },
    { "restart", "a broker that finds 100,000 jobs which have not ended",      host_restart_rows },
};
/* clang-format on */

int main(int argc, char **argv)
{
    int any = 0;

    host_init();
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int wanted = argc < 2;

        for (int a = 1; a < argc; a++)
            wanted |= strcmp(argv[a], parts[i].name) == 0;
        if (!wanted)
            continue;
        printf("%s%s\n", any++ ? "\n" : "", parts[i].title);
        parts[i].rows();
    }
    if (any == 0)
        fprintf(stderr, "bench: no part has that name\n");
    return any == 0;
}
