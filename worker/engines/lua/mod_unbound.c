/* mod_unbound.c - see mod.h: what becomes of a queue's item when its sender has ended, as constants of Lua; the first stands for such an item, too. */
#include "worker/engines/lua/mod.h"

#include "worker/engines/lua/task.h"

#define UNBOUND_TYPE "coop.unbound"

static const char unbound_key; /* a table: [enum Unbound] = its constant */

static const struct unbound_row {
    const char *name;
    Pb__Unbound unbound;
} unbound_rows[] = {
    {"UNBOUND",         PB__UNBOUND__UNBOUND_REPLACE},
    { "UNBOUND_ERROR",  PB__UNBOUND__UNBOUND_ERROR  },
    { "UNBOUND_REMOVE", PB__UNBOUND__UNBOUND_REMOVE },
    { "PERSIST",        PB__UNBOUND__UNBOUND_PERSIST},
};

enum { N_UNBOUND = sizeof(unbound_rows) / sizeof(unbound_rows[0]) };

Pb__Unbound lua_unbound_at(lua_State *L, int index)
{
    const Pb__Unbound *u;

    if (lua_isnoneornil(L, index))
        return PB__UNBOUND__UNBOUND_NONE;
    u = luaL_checkudata(L, index, UNBOUND_TYPE);
    return *u;
}

static int unbound_text(lua_State *L)
{
    Pb__Unbound u = lua_unbound_at(L, 1);

    for (int i = 0; i < N_UNBOUND; i++)
        if (unbound_rows[i].unbound == u)
            lua_pushstring(L, unbound_rows[i].name);
    return 1;
}

void lua_unbound_push(lua_State *L, Pb__Unbound u)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &unbound_key);
    lua_rawgeti(L, -1, (lua_Integer)u);
    lua_remove(L, -2);
}

/* They are needed as soon as an item comes, so also where the module is not. */
void lua_unbound_open(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"__tostring", unbound_text},
        { NULL,        NULL        }
    };

    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &unbound_key) != LUA_TNIL) {
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_task_type(L, UNBOUND_TYPE, methods);
    lua_newtable(L);
    for (int i = 0; i < N_UNBOUND; i++) {
        Pb__Unbound *u = lua_newuserdatauv(L, sizeof(*u), 0);

        *u = unbound_rows[i].unbound;
        luaL_setmetatable(L, UNBOUND_TYPE);
        lua_rawseti(L, -2, (lua_Integer)unbound_rows[i].unbound);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &unbound_key);
}

void lua_unbound_constants(lua_State *L)
{
    lua_unbound_open(L);
    for (int i = 0; i < N_UNBOUND; i++) {
        lua_unbound_push(L, unbound_rows[i].unbound);
        lua_setfield(L, -2, unbound_rows[i].name);
    }
}
