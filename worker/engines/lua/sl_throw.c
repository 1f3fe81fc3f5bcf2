/* sl_throw.c - see sl.h: errors for other tasklets. */
#include "worker/engines/lua/sl.h"

#include <errno.h>

/* One that has not begun has nothing to clean up: it is unbound. */
static int drop(lua_State *L, struct sl_tasklet *s)
{
    s->own.thread = NULL;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SL_THREAD);
    return 0;
}

/* To end what has ended already is no error; to raise anything else there is. */
static int throw_to_dead(lua_State *L)
{
    if (sl_is_a(L, -1, SL_TASKLET_EXIT))
        return 0;
    return sl_raise(L, SL_RUNTIME_ERROR, "You cannot throw to a dead tasklet");
}

/* The error on top is raised in the tasklet at 1: now, or when its turn comes. */
static int throw_top(lua_State *L, bool pending)
{
    struct sl_tasklet *s = sl_check(L, 1);

    lua_task_may_switch(L);
    if (s->t == sched->current->engine)
        return lua_error(L);
    if (!sl_alive(s))
        return throw_to_dead(L);
    if (sched->switch_trap > 0 && !pending)
        return sl_failed(L, -EPERM);
    if (!sl_begun(s) && sl_is_a(L, -1, SL_TASKLET_EXIT))
        return drop(L, s);
    if (!sl_begun(s))
        sl_begin(L, 1);
    lua_task_bomb(L, s->t);
    if (s->t->task->state == TASK_BLOCKED)
        task_wake(s->t->task, -EINTR);
    if (pending)
        return 0;
    lua_pushnil(L);
    return sl_switch_to(L, s->t->task, true);
}

/* throw(exc [, value [, traceback [, pending]]]) */
static int throw_it(lua_State *L)
{
    sl_check(L, 1);
    lua_settop(L, 5);
    sl_push_error(L, 2);
    return throw_top(L, lua_toboolean(L, 5));
}

/* Pushes what class(...) gives for the class at 2 and the arguments above it; or the error at 2, that is no class. */
void sl_push_made(lua_State *L, const char *who)
{
    int n = lua_gettop(L) - 2;

    if (n < 0) {
        lua_pushfstring(L, "%s() takes at least 1 argument", who);
        sl_raise(L, SL_TYPE_ERROR, lua_tostring(L, -1));
    }
    if (!sl_is_class(L, 2)) {
        if (n > 0)
            sl_raise(L, SL_TYPE_ERROR, "instance exception may not have a separate value");
        return;
    }
    luaL_checkstack(L, n + 2, "too many arguments");
    lua_pushvalue(L, 2);
    for (int i = 0; i < n; i++)
        lua_pushvalue(L, 3 + i);
    lua_call(L, n, 1);
}

/* raise_exception(class, ...) */
static int raise_exception(lua_State *L)
{
    sl_check(L, 1);
    sl_push_made(L, "raise_exception");
    return throw_top(L, false);
}

/* kill([pending]) */
static int kill_it(lua_State *L)
{
    sl_check(L, 1);
    lua_settop(L, 2);
    sl_push_exit(L);
    return throw_top(L, lua_toboolean(L, 2));
}

const luaL_Reg sl_throw_methods[] = {
    {"throw",            throw_it       },
    { "raise_exception", raise_exception},
    { "kill",            kill_it        },
    { NULL,              NULL           }
};
