/*
 * bench_lua.c - what tasklets cost in Lua: nanoseconds for each operation, what slices of a millisecond take, and how fair they are.
 *
 * Method: the engine as in a worker, unsealed, without a job. An operation is repeated for about 20 ms of the processor's time and that 15
 * times; the median is shown. A switch is shown less the call of a C function that does nothing, because a script pays that for anything.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "worker/engines/lua/engine.h"
#include "worker/engines/lua/job.h"

enum { ROUNDS = 15 };

static const char script[] =
    "local coop, sl = require 'coop', require 'stackless'\n"
    "coop.slice(0)\n"
    "local function null() end\n"
    "local function pair(f) return function(n) coop.spawn(function() for i = 1, n // 2 do f() end end) coop.spawn(function() for i = 1, n // 2 do "
    "f() end end) coop.run() end end\n"
    "local ops = {}\n"
    "function ops.call(n) local f = coop._nothing for i = 1, n do f() end end\n"
    "ops.yield = pair(coop.yield)\n"
    "function ops.schedule(n) local f = sl.schedule for t = 1, 2 do sl.tasklet(function() for i = 1, n // 2 do f() end end)() end sl.run() end\n"
    "function ops.message(n) local c = coop.channel() coop.spawn(function() for i = 1, n do c:send(i) end end) coop.spawn(function() for i = 1, n do "
    "c:receive() end end) coop.run() end\n"
    "function ops.sl_message(n) local c = sl.channel() sl.tasklet(function() for i = 1, n do c:send(i) end end)() sl.tasklet(function() for i = 1, n "
    "do c:receive() end end)() sl.run() end\n"
    "function ops.spawn(n) for i = 1, n do coop.spawn(null) coop.yield() end end\n"
    "function ops.sl_spawn(n) for i = 1, n do sl.tasklet(null)() sl.schedule() end end\n"
    "local function burn(n) local x = 0 for i = 1, n do x = x + i % 7 end return x end\n"
    "function ops.alone(n) for t = 1, 3 do coop.async(burn, n // 3):join() end end\n"
    "function ops.sliced(n) coop.slice(0.001) local t = {} for i = 1, 3 do t[i] = coop.async(burn, n // 3) end coop.gather(table.unpack(t)) "
    "coop.slice(0) end\n"
    "function ops.shares(seconds) local n, stop, at = {0, 0, 0}, false, os.clock() coop.slice(0.001) for i = 1, 3 do coop.spawn(function() while "
    "not stop do burn(1000) n[i] = n[i] + 1 stop = os.clock() - at > seconds end end) end coop.run() coop.slice(0) local all = n[1] + n[2] + n[3] "
    "return 100 * math.min(table.unpack(n)) / all, 100 * math.max(table.unpack(n)) / all end\n"
    "return ops\n";

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void must(lua_State *L, int status)
{
    if (status == LUA_OK)
        return;
    fprintf(stderr, "bench_lua: %s\n", lua_tostring(L, -1));
    exit(1);
}

/* Calls the operation, of the table on top of L. */
static double once(lua_State *L, const char *op, lua_Number n, int results)
{
    double start;

    lua_getfield(L, 1, op);
    lua_pushnumber(L, n);
    if (lua_tonumber(L, -1) >= 1) {
        lua_pop(L, 1);
        lua_pushinteger(L, (lua_Integer)n);
    }
    start = now_ns();
    must(L, lua_pcall(L, 1, results, 0));
    return now_ns() - start;
}

static double measure(lua_State *L, const char *op)
{
    double results[ROUNDS];
    unsigned n = 1000;

    while (once(L, op, n, 0) < 5e6)
        n *= 2;
    n *= 4;
    for (int i = 0; i < ROUNDS; i++)
        results[i] = once(L, op, n, 0) / n;
    qsort(results, ROUNDS, sizeof(results[0]), by_size);
    return results[ROUNDS / 2];
}

/* Both in turn, so that what the machine does meanwhile happens to both. */
static double loss_percent(lua_State *L)
{
    double ratio[ROUNDS];
    unsigned n = 30000000;

    for (int i = 0; i < ROUNDS; i++) {
        double alone = once(L, "alone", n, 0);

        ratio[i] = once(L, "sliced", n, 0) / alone;
    }
    qsort(ratio, ROUNDS, sizeof(ratio[0]), by_size);
    return 100 * (ratio[ROUNDS / 2] - 1);
}

static void show(const char *what, double value, const char *unit, double ask)
{
    if (ask > 0)
        printf("  %-52s %9.1f %-6s ask: %-6g %s\n", what, value, unit, ask, value <= ask ? "met" : "MISSED");
    else
        printf("  %-52s %9.1f %s\n", what, value, unit);
}

static void on_slice(int sig, siginfo_t *si, void *context)
{
    (void)sig;
    (void)si;
    (void)context;
    lua_engine.preempt(NULL);
}

static void on_fault(int sig, siginfo_t *si, void *context)
{
    (void)sig;
    (void)context;
    if (lua_engine.fault(si->si_addr) <= 0)
        _Exit(1);
}

/* As in a worker: signals have a stack of their own, because a tasklet's opens by one. */
static void install(int signo, void (*handler)(int, siginfo_t *, void *))
{
    static char room[64 << 10];
    stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
    struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

    if (sigaltstack(&stack, NULL) != 0 || sigaction(signo, &sa, NULL) != 0)
        exit(1);
}

static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static lua_State *open_engine(void)
{
    static Pb__JobSpec spec;
    lua_State *L;

    pb__job_spec__init(&spec);
    install(SIGVTALRM, on_slice);
    install(SIGSEGV, on_fault);
    if (lua_engine.prepare() != 0 || lua_engine.open(1) != 0)
        exit(1);
    L = lua_job.main;
    lua_job.spec = &spec;
    lua_job.current = L;
    return L;
}

int main(void)
{
    lua_State *L = open_engine();
    double call;

    must(L, luaL_dostring(L, "return require 'coop'"));
    lua_pushcfunction(L, nothing);
    lua_setfield(L, 1, "_nothing");
    lua_settop(L, 0);
    must(L, luaL_dostring(L, script));
    call = measure(L, "call");
    printf("tasklets in Lua: medians of %d, processor time\n\n", ROUNDS);
    show("call of a C function", call, "ns", 0);
    show("coop.yield, beyond that call", measure(L, "yield") - call, "ns", 30);
    show("stackless.schedule, beyond that call", measure(L, "schedule") - call, "ns", 30);
    show("coop: channel message", measure(L, "message"), "ns", 0);
    show("stackless: channel message", measure(L, "sl_message"), "ns", 0);
    show("coop: spawn, run and die", measure(L, "spawn"), "ns", 0);
    show("stackless: spawn, run and die", measure(L, "sl_spawn"), "ns", 0);
    show("three busy tasklets, 1 ms slices: loss", loss_percent(L), "%", 1);
    (void)once(L, "shares", 0.9, 2);
    show("  smallest share", lua_tonumber(L, -2), "%", 0);
    show("  largest share", lua_tonumber(L, -1), "%", 38);
    return 0;
}
