/* rows_switch.c - one tasklet gives way to another: bodies that are alike, that differ, and that compute with floating point. */
#include <coop/task_inline.h>

#include "bench/rows.h"

static unsigned turns;
static volatile double sum;

static int yields(void *arg)
{
    (void)arg;
    while (turns > 0) {
        turns--;
        coop_yield();
    }
    return 0;
}

/* Inexact: a sticky flag of the floating-point unit, which a tasklet that does not compute lacks. */
static int yields_and_computes(void *arg)
{
    double x = 1.0 / 3;

    (void)arg;
    while (turns > 0) {
        turns--;
        x = x * 1.0000001 + 0.1;
        coop_yield();
    }
    sum = x;
    return 0;
}

static int yields_inline(void *arg)
{
    (void)arg;
    while (turns > 0) {
        turns--;
        coop_yield_inline();
    }
    return 0;
}

static int yields_inline_and_computes(void *arg)
{
    double x = 1.0 / 3;

    (void)arg;
    while (turns > 0) {
        turns--;
        x = x * 1.0000001 + 0.1;
        coop_yield_inline();
    }
    sum = x;
    return 0;
}

static void two(coop_fn one, coop_fn other, unsigned n)
{
    turns = n;
    bench_must(coop_spawn(NULL, one, NULL, NULL));
    bench_must(coop_spawn(NULL, other, NULL, NULL));
    bench_must(coop_run(COOP_NEVER));
}

static void op_yield(unsigned n)
{
    two(yields, yields, n);
}

static void op_yield_computing(unsigned n)
{
    two(yields_and_computes, yields_and_computes, n);
}

static void op_yield_mixed(unsigned n)
{
    two(yields, yields_and_computes, n);
}

static void op_yield_inline(unsigned n)
{
    two(yields_inline, yields_inline, n);
}

static void op_yield_inline_mixed(unsigned n)
{
    two(yields_inline, yields_inline_and_computes, n);
}

static const struct bench_row rows[] = {
    {"yield, by call",                                  .op = op_yield, .unit = "ns", .ask = 7, .peers = "yield" },
    { "yield, by call, both compute in floating point",                                     .op = op_yield_computing, .unit = "ns", .ask = 7 },
    { "yield, by call, different bodies, one computes",                                 .op = op_yield_mixed, .unit = "ns", .ask = 7, .peers = "yield-mixed" },
    { "yield, inlined", .op = op_yield_inline, .unit = "ns", .ask = 5 },
    { "yield, inlined, different bodies, one computes",                                     .op = op_yield_inline_mixed, .unit = "ns", .ask = 5 },
    { NULL                                               },
};

const struct bench_group bench_switch = { "switching", rows };
