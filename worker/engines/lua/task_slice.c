/*
 * task_slice.c - see task.h: turns for tasklets that do not yield.
 *
 * A timer of the process's own CPU time ends a slice. Its handler sets Lua's hook on whoever runs, which Lua allows a signal handler to
 * do; the hook takes itself away and yields. So a script that has one tasklet, or only polite ones, pays nothing.
 */
#include "worker/engines/lua/sl.h"

#include <errno.h>
#include <sys/time.h>

enum { SLICE_US = 10000, SLICE_MIN_US = 1000 };

static int end_slice(void)
{
    sched->stats.slices++;
    sched->until_poll = 1; /* that was long enough to look at clock and link */
    return coop_yield();
}

/* Cancelled and computing on: the end of its slice is the end. Nobody else looks, so an error here is met at once. */
static void on_slice_over(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    if (lua_job.cancelled) /* the cancel's own hook may have been the one just taken away */
        lua_job_hook(L);
    else if (!lua_task_in_finalizer(L) && end_slice() == -ECANCELED)
        lua_task_raise_cancelled(L);
    else if (lua_task_bomb_is_here())
        lua_task_raise_bomb(L);
}

void lua_task_preempt(const void *context)
{
    lua_State *L = lua_job.current;
    const struct lua_task *t;
    bool others;

    (void)context;
    if (sched == NULL || L == NULL || lua_job.cancelled || lua_job.closing || lua_task_finishing || sl_counts)
        return;
    t = sched->current->engine;
    if (t != NULL && t->own) /* Stackless has no slices: its tasklets take turns where they say so */
        return;
    others = sched_others_wait();
    if (sched->current->cancelled || (others && !sched->current->atomic && sched->switch_trap == 0))
        lua_sethook(L, on_slice_over, LUA_MASKCOUNT, 1);
}

static long slice_us;

static void set_timer(long us)
{
    struct itimerval slice = { .it_interval.tv_usec = us, .it_value.tv_usec = us };

    slice_us = us;
    setitimer(ITIMER_VIRTUAL, &slice, NULL);
}

void lua_task_forked(void)
{
    if (slice_us > 0)
        set_timer(slice_us);
}

/* slice(seconds): how long one may compute while others wait; at least a millisecond; 0: for ever. */
static int slice(lua_State *L)
{
    lua_Number us = luaL_checknumber(L, 1) * 1e6;

    luaL_argcheck(L, us >= 0 && us < 1e6, 1, "a slice is less than a second");
    set_timer(us == 0 ? 0 : us < SLICE_MIN_US ? SLICE_MIN_US : (long)us);
    return 0;
}

/* atomic(f, ...): no slice ends in f. */
static int atomic(lua_State *L)
{
    bool old;
    int status;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    old = coop_atomic(true);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    coop_atomic(old);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

void lua_task_open_slices(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"slice",   slice },
        { "atomic", atomic},
        { NULL,     NULL  }
    };

    luaL_setfuncs(L, functions, 0);
    set_timer(SLICE_US);
}
