/*
 * bench_task.c - what a tasklet costs: nanoseconds for each operation, and bytes for an idle one, with the peers of the same run beside it.
 *
 * Method: an operation is repeated for about 20 ms and that is repeated 15 times; the median is shown. Peers: swapcontext(3) of this libc, and
 * the coroutines of Lua 5.4, in this process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <coop/task.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include "worker/task/sched.h"

enum { ROUNDS = 15, IDLE = 100000 };

typedef void (*op_fn)(unsigned n);

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Nanoseconds for one of op's operations: the median of ROUNDS. */
static double measure(op_fn op)
{
    double results[ROUNDS], start, ns;
    unsigned n = 1000;

    for (;;) {
        start = now_ns();
        op(n);
        ns = now_ns() - start;
        if (ns > 5e6)
            break;
        n *= 2;
    }
    n = (unsigned)(n * (20e6 / ns));
    for (int i = 0; i < ROUNDS; i++) {
        start = now_ns();
        op(n);
        results[i] = (now_ns() - start) / n;
    }
    qsort(results, ROUNDS, sizeof(results[0]), by_size);
    return results[ROUNDS / 2];
}

static void must(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_task: %s\n", strerror(-rc));
    exit(1);
}

/* ---- switching ----------------------------------------------------------------------------------------------------------------- */

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

static int yields_and_computes(void *arg)
{
    double x = 1.0 / 3;

    (void)arg;
    while (turns > 0) {
        turns--;
        x = x * 1.0000001 + 0.1; /* inexact: a sticky flag that the other side lacks */
        coop_yield();
    }
    sum = x;
    return 0;
}

static void op_yield(unsigned n)
{
    turns = n;
    must(coop_spawn(NULL, yields, NULL, NULL));
    must(coop_spawn(NULL, yields, NULL, NULL));
    must(coop_run(COOP_NEVER));
}

static void op_yield_mixed(unsigned n)
{
    turns = n;
    must(coop_spawn(NULL, yields, NULL, NULL));
    must(coop_spawn(NULL, yields_and_computes, NULL, NULL));
    must(coop_run(COOP_NEVER));
}

static ucontext_t here, there;

static void swaps(void)
{
    for (;;)
        swapcontext(&there, &here);
}

static void op_swapcontext(unsigned n)
{
    static char stack[64 << 10];

    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof(stack);
    makecontext(&there, swaps, 0);
    for (unsigned i = 0; i < n; i += 2)
        swapcontext(&here, &there);
}

/* ---- channels ------------------------------------------------------------------------------------------------------------------ */

static coop_chan *chan, *other;

static int sends(void *arg)
{
    unsigned n = *(unsigned *)arg;

    while (n-- > 0)
        coop_chan_send(chan, 1, COOP_NEVER);
    return 0;
}

static int receives(void *arg)
{
    unsigned n = *(unsigned *)arg;
    intptr_t word;

    while (n-- > 0)
        coop_chan_recv(chan, &word, COOP_NEVER);
    return 0;
}

static void op_message(unsigned n)
{
    must(coop_chan_new(0, &chan));
    must(coop_spawn(NULL, receives, &n, NULL));
    must(coop_spawn(NULL, sends, &n, NULL));
    must(coop_run(COOP_NEVER));
    must(coop_chan_free(chan));
}

static void op_buffered(unsigned n)
{
    intptr_t word;

    must(coop_chan_new(128, &chan));
    for (unsigned i = 0; i < n; i += 64) {
        for (int k = 0; k < 64; k++)
            coop_chan_send(chan, k, COOP_NEVER);
        for (int k = 0; k < 64; k++)
            coop_chan_recv(chan, &word, COOP_NEVER);
    }
    must(coop_chan_free(chan));
}

static void op_select(unsigned n)
{
    struct coop_clause k[2];

    must(coop_chan_new(1, &chan));
    must(coop_chan_new(1, &other));
    must(coop_chan_send(chan, 1, 0));
    must(coop_chan_send(other, 1, 0));
    for (unsigned i = 0; i < n; i++) {
        k[0] = (struct coop_clause){ .op = COOP_RECV, .chan = chan };
        k[1] = (struct coop_clause){ .op = COOP_RECV, .chan = other };
        must(coop_chan_send(coop_select(k, 2, COOP_FAIR, COOP_NEVER) == 0 ? chan : other, 1, 0));
    }
    must(coop_chan_free(chan));
    must(coop_chan_free(other));
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

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

static long resident_kb(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int parks(void *arg)
{
    (void)arg;
    return coop_park(NULL, COOP_NEVER);
}

/* Spawning for the first time, and what stays in memory. */
static void idle(double *ret_spawn_ns, double *ret_bytes)
{
    long before = resident_kb();
    double start = now_ns();

    for (int i = 0; i < IDLE; i++)
        must(coop_spawn(NULL, parks, NULL, NULL));
    coop_yield();
    *ret_spawn_ns = (now_ns() - start) / IDLE;
    *ret_bytes = (double)(resident_kb() - before) * 1024 / IDLE;
}

/* ---- Lua ----------------------------------------------------------------------------------------------------------------------- */

static lua_State *lua;

static void op_lua(unsigned n)
{
    lua_getglobal(lua, "turn");
    lua_pushinteger(lua, (lua_Integer)n / 2);
    lua_call(lua, 1, 0);
}

static void open_lua(void)
{
    lua = luaL_newstate();
    luaL_openlibs(lua);
    if (luaL_dostring(lua, "local co = coroutine.wrap(function() while true do coroutine.yield() end end)\n"
                           "function turn(n) for _ = 1, n do co() end end") != LUA_OK)
        exit(1);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static void show(const char *what, double value, const char *unit, double ask)
{
    if (ask > 0)
        printf("  %-52s %9.1f %-6s ask: %-6g %s\n", what, value, unit, ask, value <= ask ? "met" : "MISSED");
    else
        printf("  %-52s %9.1f %s\n", what, value, unit);
}

/* ---- hibernation --------------------------------------------------------------------------------------------------------------- */

enum { MILLION = 1000000 };

static long page_tables_kb(void)
{
    char line[128];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "VmPTE: %ld", &kb) == 1)
            break;
    if (f != NULL)
        fclose(f);
    return kb;
}

/* In an order that no neighbour follows. */
static void shuffle(coop_task **t, size_t n)
{
    uint64_t x = 88172645463325252u;

    for (size_t i = n - 1; i > 0; i--) {
        coop_task *swap = t[i];

        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        t[i] = t[x % (i + 1)];
        t[x % (i + 1)] = swap;
    }
}

static coop_task **spawn_parked(int n, coop_fn fn)
{
    coop_task **t = malloc((size_t)n * sizeof(coop_task *));

    if (t == NULL)
        must(-1);
    for (int i = 0; i < n; i++) {
        must(coop_spawn(&t[i], fn, NULL, NULL));
        if (i % 64 == 63)
            must(coop_yield());
    }
    must(coop_yield());
    return t;
}

static void end_all(coop_task **t, int n)
{
    for (int i = 0; i < n; i++) {
        must(coop_cancel(t[i]));
        must(coop_detach(t[i]));
    }
    must(coop_run(COOP_NEVER));
    free(t);
}

static int parks_twice(void *arg)
{
    return parks(arg) == 0 ? parks(arg) : 0;
}

/* All at once, by the watermark, when those that were made together lie side by side; each woken by an unpark in random order, and parked
 * again; then by name, in that order: a system call for each. */
static void hibernation(void)
{
    struct coop_options o = { .hibernate_above = SIZE_MAX };
    double before, start;
    coop_task **t;

    must(coop_init(&o));
    before = (double)resident_kb();
    t = spawn_parked(IDLE, parks_twice);
    sched->hibernate.above = 1;
    start = now_ns();
    while (hibernate_some(true) > 0)
        ;
    if (!coop_hibernated(t[0])) {
        printf("  this build or this kernel cannot\n");
        return;
    }
    show("hibernate one of many, neighbours", (now_ns() - start) / IDLE, "ns", 1000);
    show("idle tasklet, hibernated", ((double)resident_kb() - before) * 1024 / IDLE - sizeof(coop_task *), "bytes", 700);
    sched->hibernate.above = SIZE_MAX;
    shuffle(t, IDLE);
    start = now_ns();
    for (int i = 0; i < IDLE; i++) {
        must(coop_unpark(t[i], 0));
        must(coop_yield());
    }
    show("wake one and park it again, in random order", (now_ns() - start) / IDLE, "ns", 3000);
    start = now_ns();
    for (int i = 0; i < IDLE; i++)
        must(coop_hibernate(t[i]));
    show("hibernate one by name, in random order", (now_ns() - start) / IDLE, "ns", 0);
    end_all(t, IDLE);
    must(coop_finish());
}

/* What a million takes: bytes of memory, and of page tables. */
static void million(size_t above, const char *what, double ask_gb)
{
    struct coop_options o = { .max_tasklets = MILLION, .hibernate_above = above };
    long before = resident_kb(), tables = page_tables_kb();
    double start;
    coop_task **t;
    struct coop_stats s;

    must(coop_init(&o));
    start = now_ns();
    t = spawn_parked(MILLION, parks);
    must(coop_sleep_until(coop_after(2000)));
    coop_get_stats(&s);
    printf("  %s: %zu hibernated, %.2f us each to make and park\n", what, s.hibernated, (now_ns() - start) / MILLION / 1000);
    show("  resident", (double)(resident_kb() - before) / 1e6 * 1.024, "GB", ask_gb);
    show("  page tables", (double)(page_tables_kb() - tables) / 1e6 * 1.024, "GB", 0);
    end_all(t, MILLION);
    must(coop_finish());
}

/* In a process of its own: what is measured begins without pages that others have left. above: of a million; 0: the figures for one. */
static void in_child(size_t above)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        if (above == 0)
            hibernation();
        else
            million(above,
                    above == SIZE_MAX ? "1,000,000 idle, hibernation off"
                    : above == 1      ? "1,000,000 idle, above 1"
                                      : "1,000,000 idle, above 65,536",
                    above == SIZE_MAX ? 4.5 : 0);
        fflush(stdout);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        must(-EIO);
}

int main(void)
{
    const struct coop_options all_stay = { .hibernate_above = SIZE_MAX };
    double swap, yield, cold, bytes, lua_switch;

    must(coop_init(&all_stay));
    open_lua();
    printf("tasklets: medians of %d, switch by %s\n\n", ROUNDS, switch_name);
    swap = measure(op_swapcontext);
    yield = measure(op_yield);
    show("yield, by call", yield, "ns", 7);
    show("yield, different bodies, one with floating point", measure(op_yield_mixed), "ns", 7);
    show("channel message, unbuffered, by call", measure(op_message), "ns", 25);
    show("channel message, buffered: half a send and receive", measure(op_buffered), "ns", 6);
    show("select of two ready, and a send", measure(op_select), "ns", 30);
    show("spawn, run and die, warm", measure(op_spawn_warm), "ns", 20);
    show("timer: arm and cancel", measure(op_timer), "ns", 15);
    idle(&cold, &bytes);
    show("spawn and first run, cold", cold, "ns", 2100);
    show("idle tasklet, resident", bytes, "bytes", 4403);
    lua_switch = measure(op_lua);
    printf("\npeers in this run\n");
    show("swapcontext(3)", swap, "ns", 0);
    show("  against a yield", swap / yield, "x", 0);
    show("Lua 5.4 resume or yield", lua_switch, "ns", 0);
    show("  against a yield", lua_switch / yield, "x", 0);
    lua_close(lua);
    must(coop_finish());
    printf("\nhibernation\n");
    in_child(0);
    in_child(SIZE_MAX);
    in_child(65536);
    in_child(1);
    return 0;
}
