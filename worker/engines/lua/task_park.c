/* task_park.c - see task.h: parking, traps, and timers. */
#include "worker/engines/lua/task.h"

#include <errno.h>
#include <math.h>

#define TIMER_TYPE "coop.timer"

/* ---- park and unpark ----------------------------------------------------------------------------------------------------------- */

/* park([seconds]) -> the value that somebody unparks it with */
static int park(lua_State *L)
{
    intptr_t word;
    int rc = coop_park(&word, lua_task_deadline(L, 1));

    if (rc != 0)
        return lua_task_failed(L, rc);
    lua_task_push_ref(L, word);
    return 1;
}

/* A value that was given and not taken is given up. */
void lua_task_drop_permit(lua_State *L, coop_task *t)
{
    if (t->has_permit)
        luaL_unref(L, LUA_REGISTRYINDEX, (int)t->permit);
    t->has_permit = false;
}

/* unpark(t, value); t nil: main. Before the park it is kept: the last one. */
static int unpark(lua_State *L)
{
    const struct lua_task *t = lua_isnil(L, 1) ? &lua_task_main : luaL_checkudata(L, 1, LUA_TASK_TYPE);
    intptr_t word;

    lua_settop(L, 2);
    if (t->task == NULL || t->ended)
        return luaL_error(L, "it has ended");
    word = lua_task_ref(L, 2);
    lua_task_drop_permit(L, t->task);
    (void)coop_unpark(t->task, word);
    return 0;
}

/* ---- traps --------------------------------------------------------------------------------------------------------------------- */

/* block_trap(f, ...): a call of f that would block is an error. */
static int block_trap(lua_State *L)
{
    int status;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    coop_block_trap(true);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    coop_block_trap(false);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* switch_trap(f, ...): and so is any switch. */
static int switch_trap(lua_State *L)
{
    int status;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    coop_switch_trap(1);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    coop_switch_trap(-1);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

/* ---- timers -------------------------------------------------------------------------------------------------------------------- */

struct lua_timer {
    struct lua_task *sleeper; /* whose userdata is in a user value; NULL: not set */
};

enum { CALL_SLOT = 1, SLEEPER_SLOT, TIMER_SLOTS = SLEEPER_SLOT };

/* timer(f, ...): f(...) is called in a tasklet of its own when the time comes. */
static int timer(lua_State *L)
{
    int n = lua_gettop(L);
    struct lua_timer *t;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    t = lua_newuserdatauv(L, sizeof(*t), TIMER_SLOTS);
    t->sleeper = NULL;
    luaL_setmetatable(L, TIMER_TYPE);
    lua_insert(L, 1);
    lua_createtable(L, n, 1);
    lua_insert(L, 2);
    lua_pushinteger(L, n);
    lua_setfield(L, 2, "n");
    for (int i = n; i > 0; i--)
        lua_rawseti(L, 2, i);
    lua_setiuservalue(L, 1, CALL_SLOT);
    return 1;
}

/* Pushes f and its arguments, of the timer at 1; returns how many they are all together. */
static int push_call(lua_State *L)
{
    int n, call;

    lua_getiuservalue(L, 1, CALL_SLOT);
    call = lua_gettop(L);
    lua_getfield(L, call, "n");
    n = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
    luaL_checkstack(L, n + LUA_MINSTACK, "too many arguments");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, call, i);
    lua_remove(L, call);
    return n;
}

static int spawn_call(lua_State *L)
{
    int first = lua_gettop(L) + 1;

    push_call(L);
    lua_task_spawn(L, first, false, NULL);
    return 0;
}

/* Missed ones are left out. */
static int64_t next_deadline(int64_t deadline, int64_t period)
{
    int64_t late = coop_now() - deadline;

    return deadline + (late > 0 ? late / period * period : 0) + period;
}

/* A timer's tasklet: the timer, its deadline, its period. It calls nothing itself that comes again, which may take longer than a period. */
static int sleeper(lua_State *L)
{
    struct lua_timer *t = luaL_checkudata(L, 1, TIMER_TYPE);
    int64_t deadline = lua_tointeger(L, 2), period = lua_tointeger(L, 3);

    for (;;) {
        if (coop_sleep_until(deadline) != 0 || coop_cancelled() != 0)
            return 0;
        if (period == 0)
            break;
        lua_pushcfunction(L, spawn_call);
        lua_pushvalue(L, 1);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK) /* no room for it: this one is left out */
            lua_pop(L, 1);
        deadline = next_deadline(deadline, period);
    }
    t->sleeper = NULL;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SLEEPER_SLOT);
    lua_call(L, push_call(L) - 1, 0);
    return 0;
}

static bool stop(struct lua_timer *t)
{
    const struct lua_task *s = t->sleeper;

    t->sleeper = NULL;
    if (s == NULL || s->ended)
        return false;
    (void)coop_cancel(s->task);
    return true;
}

static int64_t microseconds(lua_State *L, int index)
{
    lua_Number s = luaL_optnumber(L, index, 0);

    luaL_argcheck(L, s >= 0 && s < 1e9, index, "seconds out of range");
    return (int64_t)ceil(s * 1e6);
}

/* set(seconds [, period]) */
static int timer_set(lua_State *L)
{
    struct lua_timer *t = luaL_checkudata(L, 1, TIMER_TYPE);
    int64_t after = microseconds(L, 2), period = microseconds(L, 3);

    luaL_checknumber(L, 2);
    lua_settop(L, 1);
    lua_pushcfunction(L, sleeper);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, coop_after(after));
    lua_pushinteger(L, period);
    (void)stop(t);
    t->sleeper = lua_task_spawn(L, 2, false, NULL);
    lua_setiuservalue(L, 1, SLEEPER_SLOT);
    return 0;
}

/* stop() -> whether it was set */
static int timer_stop(lua_State *L)
{
    lua_pushboolean(L, stop(luaL_checkudata(L, 1, TIMER_TYPE)));
    return 1;
}

void lua_task_open_parks(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"set",   timer_set },
        { "stop", timer_stop},
        { NULL,   NULL      }
    };
    static const luaL_Reg functions[] = {
        {"park",         park       },
        { "unpark",      unpark     },
        { "block_trap",  block_trap },
        { "switch_trap", switch_trap},
        { "timer",       timer      },
        { NULL,          NULL       }
    };

    lua_task_type(L, TIMER_TYPE, methods);
    luaL_setfuncs(L, functions, 0);
}
