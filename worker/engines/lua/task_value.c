/* task_value.c - see task.h: time-outs, references, types, and memory that Lua does not see. */
#include "worker/engines/lua/task.h"

#include <math.h>

static const char anchors_key;

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

void lua_task_may_not_switch(lua_State *L)
{
    if (lua_task_in_finalizer(L))
        luaL_error(L, "a finalizer cannot wait");
    lua_task_raise_bomb(L);
}

int64_t lua_task_deadline(lua_State *L, int index)
{
    lua_Number s;

    lua_task_may_switch(L);
    if (lua_isnoneornil(L, index))
        return COOP_NEVER;
    s = luaL_checknumber(L, index);
    if (!(s > 0))
        return 0;
    return s > 1e12 ? COOP_NEVER : coop_after((int64_t)ceil(s * 1e6));
}

intptr_t lua_task_ref(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void lua_task_push_ref(lua_State *L, intptr_t word)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, word);
    luaL_unref(L, LUA_REGISTRYINDEX, (int)word);
}

/* Methods are in a table of their own: a script that could call __gc would. */
void lua_task_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    for (; methods->name != NULL; methods++) {
        lua_pushcfunction(L, methods->func);
        lua_setfield(L, methods->name[0] == '_' ? -3 : -2, methods->name);
    }
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------- */

bool lua_task_is_room(size_t bytes)
{
    const struct lua_memory *m = &lua_job.memory;

    return m->used < m->cap && bytes <= m->cap - m->used;
}

void lua_task_charge(lua_State *L, size_t bytes)
{
    if (!lua_task_is_room(bytes))
        lua_gc(L, LUA_GCCOLLECT);
    if (!lua_task_is_room(bytes))
        lua_task_no_memory(L);
    lua_job.memory.used += bytes;
}

void lua_task_discharge(size_t bytes)
{
    lua_job.memory.used -= bytes;
}

/* ---- anchors ------------------------------------------------------------------------------------------------------------------- */

/* Anchored in a table of the registry: registry[anchors][userdata pointer] = userdata. */
void lua_task_anchor(lua_State *L, const void *p, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, p);
    lua_pop(L, 1);
}

void lua_task_let_go(lua_State *L, const void *p)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_pushnil(L);
    lua_rawsetp(L, -2, p);
    lua_pop(L, 1);
}

void lua_task_push_anchored(lua_State *L, const void *p)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_rawgetp(L, -1, p);
    lua_remove(L, -2);
}

void lua_task_open_values(lua_State *L)
{
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors_key);
}
