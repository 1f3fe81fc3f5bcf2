/* task_error.c - see task.h: what a blocking call that failed means to Lua, and the error of a tasklet that nobody joins. */
#include "worker/engines/lua/sl.h"

#include <errno.h>
#include <string.h>

enum { TRACES_MAX = 100 };

static const char bombs_key; /* a table: [struct lua_task *] = { error } */

static const char cancelled_text[] = "cancelled";

static void add_line(void *ctx, const char *text)
{
    luaL_Buffer *b = ctx;

    luaL_addchar(b, '\n');
    luaL_addstring(b, text);
}

/* Where t stands, which is not the running one. */
static void add_trace(lua_State *L, luaL_Buffer *b, const coop_task *t)
{
    const struct lua_task *lt = t->engine;

    lua_pushfstring(L, "\ntasklet %d %s", (int)t->id, t->name);
    luaL_traceback(L, lt->current, lua_tostring(L, -1), 0);
    lua_remove(L, -2);
    luaL_addvalue(b);
}

void lua_task_push_describe(lua_State *L, const char *text, bool traces)
{
    luaL_Buffer b;
    int left = TRACES_MAX;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, text);
    sched_describe(add_line, &b, 0);
    for (const coop_task *t = sched->all; t != NULL && traces && left > 0; t = t->all_next) {
        if (t->engine == NULL || t == sched->current || t->state == TASK_ENDED)
            continue;
        add_trace(L, &b, t);
        left--;
    }
    luaL_pushresult(&b);
}

static int error_text(lua_State *L)
{
    lua_getfield(L, 1, "message");
    return 1;
}

/* An error object whose type the receipt shows. */
static int raise_typed(lua_State *L, const char *type)
{
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_createtable(L, 0, 2);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

static int raise_deadlock(lua_State *L)
{
    lua_task_push_describe(L, "Deadlock: the last runnable tasklet cannot be blocked.", true);
    return raise_typed(L, "Deadlock");
}

int lua_task_raise_bomb(lua_State *L)
{
    struct lua_task *t = sched->current->engine;

    if (t == NULL || !t->bombed)
        return luaL_error(L, "interrupted");
    t->bombed = false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bombs_key);
    if (lua_rawgetp(L, -1, t) != LUA_TTABLE)
        lua_task_no_memory(L); /* there was too little for the error itself */
    lua_rawgeti(L, -1, 1);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, -4, t);
    return lua_error(L);
}

/* Raises Lua's own memory error, which no script can mistake for another: nothing can be as large as this. */
void lua_task_no_memory(lua_State *L)
{
    lua_newuserdatauv(L, lua_job.memory.cap, 0);
}

/* The text alone, without a place: by that it is known again, as no failure of the tasklet's own. */
int lua_task_raise_cancelled(lua_State *L)
{
    lua_pushstring(L, cancelled_text);
    return lua_error(L);
}

int lua_task_failed(lua_State *L, int rc)
{
    switch (rc) {
    case -ETIMEDOUT:
    case -EAGAIN:
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    case -EPIPE:
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    case -ECANCELED: return lua_task_raise_cancelled(L);
    case -EINTR: return lua_task_raise_bomb(L);
    case -EDEADLK: return raise_deadlock(L);
    case -EPERM: return luaL_error(L, "this tasklet does not like to be blocked.");
    case -ENOMEM: lua_task_no_memory(L); return 0;
    default: return luaL_error(L, "%s", strerror(-rc));
    }
}

/* ---- bombs --------------------------------------------------------------------------------------------------------------------- */

void lua_task_bomb(lua_State *T, struct lua_task *t)
{
    lua_rawgetp(T, LUA_REGISTRYINDEX, &bombs_key);
    lua_createtable(T, 1, 0); /* so that the error may be nil */
    lua_pushvalue(T, -3);
    lua_rawseti(T, -2, 1);
    lua_rawsetp(T, -2, t);
    lua_pop(T, 1);
    t->bombed = true;
}

void lua_task_send_bomb(lua_State *T)
{
    struct lua_task *t = sl_watchdog();

    if (t->bombed)
        return;
    lua_task_bomb(T, t);
    if (t->task->state == TASK_BLOCKED)
        task_wake(t->task, -EINTR);
}

/* As the job's own handler, but a string stays a string: the traceback belongs to it from here on. */
int lua_task_with_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, 1), cancelled_text) != 0)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

bool lua_task_was_cancelled(lua_State *T)
{
    return sched->current->cancelled && lua_type(T, -1) == LUA_TSTRING && strcmp(lua_tostring(T, -1), cancelled_text) == 0;
}

int lua_task_late_error(lua_State *L)
{
    return sched != NULL && lua_task_bomb_is_here() ? lua_task_raise_bomb(L) : 0;
}

void lua_task_open_errors(lua_State *L)
{
    lua_newtable(L);
    lua_pushboolean(L, 0); /* there from now on: setting it takes no memory */
    lua_rawsetp(L, -2, &lua_task_main);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bombs_key);
}
