/*
 * task_trace.c - see task.h: where an error came from, beside the error.
 *
 * The error itself stays as it was raised, so that whoever joins its tasklet can compare it. The trace is a string: the tasklet's name, a
 * NUL, its traceback. It goes with the error to whoever meets that; when the same error comes to the end of the job or of another tasklet,
 * it is found again.
 */
#include "worker/engines/lua/sl.h"

#include <string.h>

#include "worker/output.h"

/* Tables of the registry. */
static const char traces_key; /* [struct lua_task *] = the trace of the error that ends it */
static const char met_key;    /* { error, trace, tasklet that met it }: the last one of another's. Weak, so as to keep none alive */

enum { MET_ERROR = 1, MET_TRACE, MET_BY };

/* Pushes the trace that belongs to the error at index, when the running tasklet has met that as another's; or nothing. */
static bool push_met(lua_State *L, int index)
{
    int top = lua_gettop(L);

    luaL_checkstack(L, 6, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &met_key);
    lua_rawgeti(L, top + 1, MET_ERROR);
    lua_rawgeti(L, top + 1, MET_BY);
    if (lua_touserdata(L, -1) == sched->current->engine && lua_rawequal(L, index, top + 2) &&
        lua_rawgeti(L, top + 1, MET_TRACE) == LUA_TSTRING) {
        lua_replace(L, top + 1);
        lua_settop(L, top + 1);
        return true;
    }
    lua_settop(L, top);
    return false;
}

int lua_task_raise_met(lua_State *L)
{
    int error = lua_gettop(L) - 1;

    luaL_checkstack(L, 4, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &met_key);
    lua_insert(L, error + 1);
    lua_rawseti(L, error + 1, MET_TRACE);
    lua_pushvalue(L, error);
    lua_rawseti(L, error + 1, MET_ERROR);
    lua_pushlightuserdata(L, sched->current->engine);
    lua_rawseti(L, error + 1, MET_BY);
    lua_settop(L, error);
    return lua_error(L);
}

static void push_label(lua_State *L, const coop_task *t)
{
    lua_pushfstring(L, "tasklet %I%s%s", (LUAI_UACINT)t->id, t->name[0] != '\0' ? " " : "", t->name);
}

int lua_task_with_traceback(lua_State *L)
{
    lua_settop(L, 1);
    if (lua_task_is_cancelled_text(L, 1))
        return 1;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &traces_key);
    if (!push_met(L, 1)) {
        push_label(L, sched->current);
        lua_pushlstring(L, "", 1);
        luaL_traceback(L, L, NULL, 1);
        lua_concat(L, 3);
    }
    lua_rawsetp(L, 2, sched->current->engine);
    lua_settop(L, 1);
    return 1;
}

void lua_task_push_trace(lua_State *L, const struct lua_task *t)
{
    luaL_checkstack(L, 4, NULL);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &traces_key);
    lua_rawgetp(L, -1, t);
    lua_remove(L, -2);
}

void lua_task_forget_trace(lua_State *L, const struct lua_task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &traces_key);
    lua_pushnil(L);
    lua_rawsetp(L, -2, t);
    lua_pop(L, 1);
}

/* The trace on top becomes the name and the traceback. */
static void split(lua_State *L)
{
    const char *label = lua_tostring(L, -1);

    lua_pushstring(L, label);
    lua_pushstring(L, label + strlen(label) + 1);
    lua_remove(L, -3);
}

bool lua_task_push_met(lua_State *L, int index)
{
    if (sched == NULL || !push_met(L, index))
        return false;
    split(L);
    return true;
}

void lua_task_push_traceback(lua_State *L)
{
    lua_task_push_trace(L, sched->current->engine);
    if (lua_type(L, -1) != LUA_TSTRING)
        return;
    split(L);
    lua_remove(L, -2);
}

/* ---- what nobody will meet ----------------------------------------------------------------------------------------------------- */

/* error, trace -> the text of both */
static int uncaught_text(lua_State *L)
{
    lua_pushcfunction(L, lua_job_error_text);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1); /* 3 */
    if (lua_type(L, 2) != LUA_TSTRING)
        return 1;
    lua_pushvalue(L, 2);
    split(L); /* 4, 5 */
    lua_pushvalue(L, 4);
    lua_pushliteral(L, ": ");
    lua_pushvalue(L, 3);
    lua_pushliteral(L, "\n");
    lua_pushvalue(L, 5);
    lua_concat(L, 5);
    return 1;
}

void lua_task_print_uncaught(lua_State *L)
{
    static const char no_text[] = "an error of a tasklet, without a text";
    const char *text = NULL;
    size_t len;

    luaL_checkstack(L, 4, NULL);
    lua_pushcfunction(L, uncaught_text);
    lua_insert(L, -3);
    coop_switch_trap(1); /* a __tostring may be the script's */
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        text = lua_tolstring(L, -1, &len);
    coop_switch_trap(-1);
    output_write(PB__STREAM__STREAM_STDERR, text != NULL ? text : no_text, text != NULL ? len : sizeof(no_text) - 1);
    output_write(PB__STREAM__STREAM_STDERR, "\n", 1);
    lua_pop(L, 1);
}

void lua_task_open_traces(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &traces_key);
    lua_createtable(L, MET_BY, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &met_key);
}
