/* task.c - see task.h: the thread state of the job, its start and its end. */
#include "worker/engines/lua/sl.h"
#include "worker/engines/lua/value.h"

#include <errno.h>
#include <stdint.h>

/*
 * A nested call through C takes up to 2.1 KiB (string.gsub), and Lua stops them at 200, or 220 while it handles an error: 460 KiB. So a
 * tasklet's count begins at BALLAST: 108 calls take 230 KiB, a pattern or a syntax error at their end 15 KiB more.
 */
enum { BALLAST = 112, FINISH_STEPS = 1000000 };

/* Above the job's memory while its tasklets end: or each of thousands would collect all the garbage there is for its own last error. */
enum { FINISH_ROOM = 4 << 20 };

struct lua_task lua_task_main, lua_task_nobody;
lua_State *lua_task_ballast;
bool lua_task_finishing;

static const char ballast_key;

static void on_switch(coop_task *from, coop_task *to)
{
    struct lua_task *leaves = from->engine, *comes = to->engine;

    if (leaves != NULL)
        leaves->current = lua_job.current;
    if (comes != NULL)
        lua_job.current = comes->current;
    if (sl_counts && comes != NULL)
        sl_count_slice(comes);
    if (lua_job.cancelled && lua_job.current != NULL)
        lua_job_hook(lua_job.current);
}

void lua_task_interrupt(void)
{
    if (sched != NULL)
        sched_interrupt(sched);
}

/* It has had its time to clean up. */
static void on_late(lua_State *L, lua_Debug *ar)
{
    struct lua_task *t = sched->current->engine;

    (void)ar;
    if (t != NULL)
        t->forced = true;
    lua_job_hook(L);
}

static void end_soon(coop_task *t)
{
    const struct lua_task *lt = t->engine;

    coop_cancel(t);
    if (lt != NULL)
        lua_sethook(lt->current, on_late, LUA_MASKCOUNT, FINISH_STEPS);
}

void lua_task_finish(void)
{
    if (sched == NULL)
        return;
    lua_task_finishing = true;
    sched->daemons = 0; /* they are waited for, too */
    if (lua_job.memory.cap < SIZE_MAX - FINISH_ROOM)
        lua_job.memory.cap += FINISH_ROOM;
    for (coop_task *t = sched->all; t != NULL; t = t->all_next)
        if (t->state != TASK_ENDED)
            end_soon(t);
    sched->main.cancelled = false;
    while (coop_run(COOP_NEVER) == -EINTR) /* an error came to main, once: it is there for lua_task_late_error() */
        ;
    coop_switch_trap(1); /* finalizers come next; those that are left must not run among them */
}

size_t lua_task_alive(void)
{
    size_t n = 0;

    for (const coop_task *t = sched != NULL ? sched->all : NULL; t != NULL; t = t->all_next)
        n += t->state != TASK_ENDED;
    return n;
}

void lua_task_limits(const Pb__Limits *limits)
{
    if (sched != NULL && limits != NULL && limits->tasklets > 0)
        sched->max_tasklets = limits->tasklets;
}

/* Lua counts nested calls on from whoever resumes, and a thread keeps its count: two that resume each other in turn get anywhere. */
static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static void make_ballast(lua_State *L)
{
    lua_State *pair[2];
    int n;

    lua_createtable(L, 2, 0);
    for (int i = 0; i < 2; i++) {
        pair[i] = lua_newthread(L);
        lua_rawseti(L, -2, i + 1);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ballast_key);
    for (int i = 0; i < BALLAST; i++) {
        lua_pushcfunction(pair[i % 2], nothing);
        lua_resume(pair[i % 2], i > 0 ? pair[(i + 1) % 2] : NULL, 0, &n);
    }
    lua_task_ballast = pair[(BALLAST - 1) % 2];
}

void lua_task_start(lua_State *L)
{
    const Pb__Limits *limits = lua_job.spec->limits;
    const struct coop_options options = { .stack_size = LUA_STACK, .max_tasklets = limits != NULL ? limits->tasklets : 0 };

    if (sched != NULL)
        return;
    make_ballast(L);
    lua_task_open_errors(L);
    lua_task_open_values(L);
    if (coop_init(&options) != 0)
        luaL_error(L, "not enough memory");
    lua_task_main.current = lua_task_main.thread = lua_job.main;
    lua_task_main.task = &sched->main;
    sched->main.engine = &lua_task_main;
    sched_on_switch(on_switch);
    if (lua_job.interpreter)
        sched->on_interrupt = lua_interp_on_interrupt;
}

int lib_coop(lua_State *L)
{
    lua_task_start(L);
    lua_newtable(L);
    lua_task_open_tasklets(L);
    lua_task_open_turns(L);
    lua_task_open_scopes(L);
    lua_task_open_channels(L);
    lua_task_open_locks(L);
    lua_task_open_slices(L);
    lua_task_open_hooks(L);
    lua_task_open_generators(L);
    lua_task_open_locals(L);
    lua_task_open_parks(L);
    lua_value_open(L);
    return 1;
}
