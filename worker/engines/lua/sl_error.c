/*
 * sl_error.c - see sl.h: classes of errors, bombs, and the error handler.
 *
 * A class is a table, called to make an error object; an object is a table whose metatable is its class. So tostring(e) is
 * "RuntimeError: text", e.type and e.message are its parts, and the job's receipt has the class as the error's type.
 */
#include "worker/engines/lua/sl.h"

#include <errno.h>

enum { BASES_MAX = 16 };

static const char *const names[SL_CLASSES] = {
    [SL_EXCEPTION] = "Exception",  [SL_RUNTIME_ERROR] = "RuntimeError",   [SL_VALUE_ERROR] = "ValueError",
    [SL_TYPE_ERROR] = "TypeError", [SL_STOP_ITERATION] = "StopIteration", [SL_TASKLET_EXIT] = "TaskletExit",
};

static const char class_meta, bomb_meta, handler_key;
static const char class_keys[SL_CLASSES];

/* ---- classes ------------------------------------------------------------------------------------------------------------------- */

/* tostring() of an error object. */
static int object_text(lua_State *L)
{
    lua_getfield(L, 1, "type");
    luaL_tolstring(L, -1, NULL);
    if (lua_getfield(L, 1, "message") == LUA_TNIL)
        lua_pop(L, 1);
    else {
        luaL_tolstring(L, -1, NULL);
        lua_pushfstring(L, "%s: %s", lua_tostring(L, -3), lua_tostring(L, -1));
    }
    return 1;
}

static int class_text(lua_State *L)
{
    lua_getfield(L, 1, "type");
    return 1;
}

/* Class(...): an object with the arguments as its list, the first one as its message. */
static int construct(lua_State *L)
{
    int n = lua_gettop(L) - 1;

    luaL_checktype(L, 1, LUA_TTABLE);
    lua_createtable(L, n, 1);
    if (n > 0) {
        lua_pushvalue(L, 2);
        lua_setfield(L, -2, "message");
    }
    lua_insert(L, 2);
    for (int i = n; i > 0; i--)
        lua_rawseti(L, 2, i);
    lua_pushvalue(L, 1);
    lua_setmetatable(L, 2);
    return 1;
}

/* A class called name, whose base (or nil) is on top; replaces it. */
static void make_class(lua_State *L, const char *name)
{
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "base");
    lua_pushstring(L, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__name");
    lua_setfield(L, -2, "type");
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, object_text);
    lua_setfield(L, -2, "__tostring");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_meta);
    lua_setmetatable(L, -2);
}

bool sl_is_class(lua_State *L, int index)
{
    bool is;

    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_meta);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

/* Whether the value at index is an object of the class on top, which is popped, or of one that derives from it. */
static bool is_object_of(lua_State *L, int index)
{
    const void *wanted = lua_topointer(L, -1);
    int top = lua_gettop(L) - 1;
    bool found = false;

    index = lua_absindex(L, index);
    lua_pop(L, 1);
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    for (int i = 0; i < BASES_MAX && !found && lua_type(L, -1) == LUA_TTABLE; i++) {
        found = lua_topointer(L, -1) == wanted;
        lua_pushliteral(L, "base");
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    lua_settop(L, top);
    return found;
}

bool sl_is_a(lua_State *L, int index, enum sl_class c)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[c]);
    return is_object_of(L, index);
}

/* exception(name [, base]): a class of the script's own. */
static int exception(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 2);
    if (lua_isnil(L, 2))
        lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[SL_EXCEPTION]);
    else if (!sl_is_class(L, 2))
        return sl_raise(L, SL_TYPE_ERROR, "the base of an exception must be one");
    make_class(L, name);
    return 1;
}

/* isinstance(value, class) */
static int isinstance(lua_State *L)
{
    luaL_checkany(L, 1);
    if (!sl_is_class(L, 2))
        return sl_raise(L, SL_TYPE_ERROR, "isinstance() arg 2 must be a class of errors");
    lua_settop(L, 2);
    lua_pushboolean(L, is_object_of(L, 1));
    return 1;
}

void sl_push_exit(lua_State *L)
{
    lua_pushcfunction(L, construct);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[SL_TASKLET_EXIT]);
    lua_call(L, 1, 1);
}

int sl_raise(lua_State *L, enum sl_class c, const char *text)
{
    luaL_checkstack(L, 6, NULL);
    lua_pushcfunction(L, construct);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[c]);
    lua_pushstring(L, text);
    lua_call(L, 2, 1);
    return lua_error(L);
}

/* ---- raising ------------------------------------------------------------------------------------------------------------------- */

/* The traceback at index, a string, becomes part of the error on top. */
static void add_traceback(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TSTRING)
        return;
    if (lua_type(L, -1) == LUA_TSTRING) {
        lua_pushliteral(L, "\n");
        lua_pushvalue(L, index);
        lua_concat(L, 3);
    } else if (sl_is_a(L, -1, SL_EXCEPTION)) {
        lua_pushliteral(L, "traceback");
        lua_pushvalue(L, index);
        lua_rawset(L, -3);
    }
}

static void push_new(lua_State *L, int class, int message)
{
    bool plain = lua_isnil(L, message);

    lua_pushcfunction(L, construct);
    lua_pushvalue(L, class);
    if (!plain)
        lua_pushvalue(L, message);
    lua_call(L, plain ? 1 : 2, 1);
}

void sl_push_error(lua_State *L, int first)
{
    int exc = lua_absindex(L, first), val = exc + 1, tb = exc + 2;

    luaL_checkstack(L, 8, NULL);
    if (lua_isnil(L, exc))
        sl_raise(L, SL_TYPE_ERROR, "exceptions must be classes, or instances, not nil");
    if (!sl_is_class(L, exc)) {
        if (!lua_isnil(L, val))
            sl_raise(L, SL_TYPE_ERROR, "instance exception may not have a separate value");
        lua_pushvalue(L, exc);
    } else {
        lua_pushvalue(L, exc);
        if (is_object_of(L, val))
            lua_pushvalue(L, val);
        else
            push_new(L, exc, val);
    }
    add_traceback(L, tb);
}

/* bomb(type [, value [, traceback]]): sent through a channel, or given as a tempval, it is raised where it arrives. */
static int bomb(lua_State *L)
{
    lua_settop(L, 3);
    if (lua_isnil(L, 1))
        return sl_raise(L, SL_TYPE_ERROR, "a bomb needs an exception");
    lua_createtable(L, 0, 3);
    lua_insert(L, 1);
    lua_setfield(L, 1, "traceback");
    lua_setfield(L, 1, "value");
    lua_setfield(L, 1, "type");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bomb_meta);
    lua_setmetatable(L, 1);
    return 1;
}

void sl_wrap(lua_State *L)
{
    lua_createtable(L, 0, 1);
    lua_insert(L, -2);
    lua_setfield(L, -2, "value");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bomb_meta);
    lua_setmetatable(L, -2);
}

static int raw_field(lua_State *L, int index, const char *name)
{
    lua_pushstring(L, name);
    return lua_rawget(L, index);
}

void sl_explode(lua_State *L, int index)
{
    bool is;

    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &bomb_meta);
    is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    if (!is)
        return;
    luaL_checkstack(L, 8, NULL);
    index = lua_absindex(L, index);
    if (raw_field(L, index, "type") == LUA_TNIL) { /* made by sl_wrap() */
        raw_field(L, index, "value");
    } else {
        raw_field(L, index, "value");
        raw_field(L, index, "traceback");
        sl_push_error(L, -3);
    }
    lua_error(L);
}

int sl_failed(lua_State *L, int rc)
{
    const struct lua_task *t = sched->current->engine;

    switch (rc) {
    case -ECANCELED:
        if (t->own) {
            sl_push_exit(L);
            return lua_error(L);
        }
        return lua_task_raise_cancelled(L);
    case -EDEADLK: return sl_raise(L, SL_RUNTIME_ERROR, "Deadlock: the last runnable tasklet cannot be blocked.");
    case -EPERM: return sl_raise(L, SL_RUNTIME_ERROR, sched->switch_trap > 0 ? "switch_trap" : "this tasklet does not like to be blocked.");
    default: return lua_task_failed(L, rc);
    }
}

/* ---- the error handler --------------------------------------------------------------------------------------------------------- */

/* set_error_handler([f]): called as f(type, value, traceback) instead of raising the error in main. Returns the old one. */
static int set_error_handler(lua_State *L)
{
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &handler_key);
    lua_pushvalue(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &handler_key);
    return 1;
}

/* A class, or "error" for what Lua raises itself. */
static void push_type(lua_State *L, int index)
{
    if (!sl_is_a(L, index, SL_EXCEPTION) || !lua_getmetatable(L, index))
        lua_pushliteral(L, "error");
}

bool sl_handle(lua_State *L)
{
    int error = lua_gettop(L);

    luaL_checkstack(L, 8, NULL);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &handler_key) == LUA_TNIL) {
        lua_pop(L, 1);
        return false;
    }
    push_type(L, error);
    lua_pushvalue(L, error);
    if (lua_type(L, error) == LUA_TTABLE)
        raw_field(L, error, "traceback");
    else
        lua_task_push_traceback(L);
    if (lua_pcall(L, 3, 0, 0) == LUA_OK)
        return true;
    lua_replace(L, error);
    return false;
}

void sl_open_errors(lua_State *L)
{
    static const luaL_Reg meta[] = {
        {"__call",      construct },
        { "__tostring", class_text},
        { NULL,         NULL      }
    };
    static const luaL_Reg functions[] = {
        {"bomb",               bomb             },
        { "exception",         exception        },
        { "isinstance",        isinstance       },
        { "set_error_handler", set_error_handler},
        { NULL,                NULL             }
    };

    luaL_newlib(L, meta);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &class_meta);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "stackless.bomb");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bomb_meta);
    for (int i = 0; i < SL_CLASSES; i++) {
        if (i == SL_EXCEPTION)
            lua_pushnil(L);
        else
            lua_rawgetp(L, LUA_REGISTRYINDEX, &class_keys[SL_EXCEPTION]);
        make_class(L, names[i]);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &class_keys[i]);
        lua_setfield(L, -2, names[i]);
    }
    luaL_setfuncs(L, functions, 0);
}
