/* rows_life.c - making tasklets and timers, and what an idle tasklet keeps in memory. */
#include <coop/task.h>

#include "bench/rows.h"
#include "worker/task/sched.h"

enum { COLD = 100000, MANY = 1000000 };

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void op_spawn_warm(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        coop_spawn(NULL, nothing, NULL, NULL);
        coop_yield();
    }
}

static void op_timer(unsigned n)
{
    struct wheel_node node = { 0 };
    int64_t soon = coop_after(1000000);

    for (unsigned i = 0; i < n; i++) {
        wheel_arm(&sched->wheel, &node, soon + i);
        wheel_cancel(&sched->wheel, &node);
    }
}

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

/* So many that each runs once and is then idle. */
static void park_many(int n)
{
    for (int i = 0; i < n; i++)
        bench_must(coop_spawn(NULL, parks, NULL, NULL));
    bench_must(coop_yield());
}

static double spawn_cold_ns(void)
{
    double start = measure_now_ns();

    park_many(COLD);
    return (measure_now_ns() - start) / COLD;
}

static double idle_bytes(void)
{
    double before = measure_resident();

    park_many(COLD);
    return (measure_resident() - before) / COLD;
}

static double million_gb(void)
{
    park_many(MANY);
    return measure_resident() / 1e9;
}

static const struct bench_row rows[] = {
    {"spawn, run and die, warm",   .op = op_spawn_warm, .unit = "ns", .ask = 20, .peers = "spawn" },
    { "spawn and first run, cold",                .value = spawn_cold_ns, .unit = "ns", .ask = 2100, .peers = "spawn-cold", .needs = 1u << 30 },
    { "timer: arm and cancel",            .op = op_timer, .unit = "ns", .ask = 15, .peers = "timer" },
    { "idle tasklet, resident", .value = idle_bytes, .unit = "bytes", .ask = 4403, .peers = "idle", .needs = 1u << 30 },
    { "1,000,000 tasklets, resident",                .value = million_gb, .unit = "GB", .ask = 4.5, .needs = 5ul << 30 },
    { NULL      },
};

const struct bench_group bench_life = { "life", rows };
