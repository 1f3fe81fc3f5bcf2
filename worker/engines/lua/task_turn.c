/* task_turn.c - see task.h: taking turns, and looking in. */
#include "worker/engines/lua/task.h"

#include <errno.h>

static int yield(lua_State *L)
{
    int rc;

    lua_task_may_switch(L);
    rc = coop_yield();
    if (rc == 0 && lua_task_bomb_is_here())
        rc = -EINTR;
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int sleep_for(lua_State *L)
{
    int rc;

    luaL_checknumber(L, 1);
    rc = coop_sleep_until(lua_task_deadline(L, 1));
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int run(lua_State *L)
{
    int rc;

    if (sched->current != &sched->main)
        return luaL_error(L, "only the main tasklet can run the others");
    rc = lua_task_bomb_is_here() ? -EINTR : coop_run(lua_task_deadline(L, 1));
    if (rc == 0 && lua_task_bomb_is_here())
        rc = -EINTR;
    if (rc != 0)
        return lua_task_failed(L, rc);
    lua_pushboolean(L, 1);
    return 1;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)coop_now() / 1e6);
    return 1;
}

static int cancelled(lua_State *L)
{
    lua_pushboolean(L, coop_cancelled() != 0);
    return 1;
}

/* shield(f, ...): a cancellation waits until f has returned. */
static int shield(lua_State *L)
{
    int status;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    coop_shield(true);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    coop_shield(false);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static void set_number(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static int stats(lua_State *L)
{
    struct coop_stats s;

    coop_get_stats(&s);
    lua_createtable(L, 0, 8);
    set_number(L, "switches", s.switches);
    set_number(L, "spawned", s.spawned);
    set_number(L, "ended", s.ended);
    set_number(L, "slices", s.slices);
    set_number(L, "alive", s.alive);
    set_number(L, "peak", s.peak);
    set_number(L, "runnable", s.runnable);
    set_number(L, "stack_bytes", s.stack_bytes);
    return 1;
}

/* backtrace([traces]): who waits for what, a line each; traces true: and where each stands. */
static int backtrace(lua_State *L)
{
    lua_task_push_describe(L, "tasklets:", lua_toboolean(L, 1));
    return 1;
}

void lua_task_open_turns(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"yield",      yield    },
        { "sleep",     sleep_for},
        { "run",       run      },
        { "now",       now      },
        { "cancelled", cancelled},
        { "shield",    shield   },
        { "stats",     stats    },
        { "backtrace", backtrace},
        { NULL,        NULL     }
    };

    luaL_setfuncs(L, functions, 0);
}
