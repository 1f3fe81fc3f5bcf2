/* rows_hibernate.c - what a parked stack costs in memory and time when its bytes are packed away, and a million idle tasklets. */
#include <stdio.h>
#include <stdlib.h>

#include <coop/task.h>

#include "bench/rows.h"
#include "worker/task/sched.h"

enum { SOME = 100000, MILLION = 1000000 };

static coop_task *tasks[SOME];

static int parks_twice(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER) == 0 ? coop_park(NULL, COOP_NEVER) : 0;
}

static void spawn_parked(void)
{
    for (int i = 0; i < SOME; i++) {
        bench_must(coop_spawn(&tasks[i], parks_twice, NULL, NULL));
        if (i % 64 == 63)
            bench_must(coop_yield());
    }
    bench_must(coop_yield());
}

static void hibernate_each(void)
{
    for (int i = 0; i < SOME; i++)
        bench_must(coop_hibernate(tasks[i]));
}

/* In an order that no neighbour follows. */
static void shuffle(void)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = SOME - 1; i > 0; i--) {
        coop_task *swap = tasks[i];

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        tasks[i] = tasks[x % (i + 1)];
        tasks[x % (i + 1)] = swap;
    }
}

static double by_name_ns(void)
{
    double start;

    spawn_parked();
    start = measure_now_ns();
    hibernate_each();
    return (measure_now_ns() - start) / SOME;
}

static double hibernated_bytes(void)
{
    double before;

    for (int i = 0; i < SOME; i++)
        tasks[i] = NULL; /* so that the table's own pages are there before */
    before = measure_resident();
    spawn_parked();
    hibernate_each();
    return (measure_resident() - before) / SOME;
}

static double wake_ns(void)
{
    double start;

    spawn_parked();
    hibernate_each();
    shuffle();
    start = measure_now_ns();
    for (int i = 0; i < SOME; i++) {
        bench_must(coop_unpark(tasks[i], 0));
        bench_must(coop_yield());
    }
    return (measure_now_ns() - start) / SOME;
}

static double of_many_ns(void)
{
    double start;

    spawn_parked();
    sched->hibernate.above = 1;
    start = measure_now_ns();
    while (hibernate_some(true) > 0)
        ;
    return (measure_now_ns() - start) / SOME;
}

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

/* All but one. */
static double million_gb(void)
{
    const struct coop_options o = { .max_tasklets = MILLION, .hibernate_above = 1 };

    bench_must(coop_finish());
    bench_must(coop_init(&o));
    for (int i = 0; i < MILLION; i++) {
        bench_must(coop_spawn(NULL, parks, NULL, NULL));
        if (i % 64 == 63)
            bench_must(coop_yield());
    }
    bench_must(coop_sleep_until(coop_after(2000)));
    return measure_resident() / 1e9;
}

static const struct bench_row rows[] = {
    {"hibernate one, by name", .value = by_name_ns, .unit = "ns", .needs = 1u << 30 },
    { "hibernate one of many, by the watermark",            .value = of_many_ns, .unit = "ns", .ask = 1000, .needs = 1u << 30 },
    { "wake one in random order, and park it again",                       .value = wake_ns, .unit = "ns", .ask = 3000, .needs = 1u << 30 },
    { "idle tasklet, hibernated",.value = hibernated_bytes, .unit = "bytes", .ask = 700, .needs = 1u << 30 },
    { "1,000,000 tasklets, hibernated",             .value = million_gb, .unit = "GB", .needs = 5ul << 30 },
    { NULL                      },
};

const struct bench_group bench_hibernate = { "hibernation", rows };
