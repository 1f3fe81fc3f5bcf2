/* mod_fields.c - see mod.h: tables of options. */
#include "worker/engines/lua/mod.h"

#include <string.h>

/* Pushes a table with the fields of the one at index, and no metatable. */
static void push_copy(lua_State *L, int index)
{
    luaL_checkstack(L, 8, NULL);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, index) != 0;) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

void lua_fields_own(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    push_copy(L, index);
    lua_replace(L, index);
    push_copy(L, index); /* to be walked while the other changes */
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        if (lua_istable(L, -1)) {
            lua_pushvalue(L, -2);
            push_copy(L, lua_gettop(L) - 1);
            lua_rawset(L, index);
        }
    lua_pop(L, 1);
}

const char *lua_field_text(lua_State *L, int index, const char *field, const char *otherwise)
{
    const char *text = otherwise;
    int type = lua_getfield(L, index, field);

    if (type == LUA_TSTRING)
        text = lua_tostring(L, -1); /* the table holds it */
    else if (type != LUA_TNIL)
        luaL_error(L, "field '%s' must be a string", field);
    lua_pop(L, 1);
    return text;
}

uint64_t lua_field_count(lua_State *L, int index, const char *field, uint64_t otherwise)
{
    lua_Integer n;
    int is;

    if (lua_getfield(L, index, field) == LUA_TNIL) {
        lua_pop(L, 1);
        return otherwise;
    }
    n = lua_tointegerx(L, -1, &is);
    if (!is || n < 0)
        luaL_error(L, "field '%s' must be a number from 0 on", field);
    lua_pop(L, 1);
    return (uint64_t)n;
}

bool lua_field_flag(lua_State *L, int index, const char *field)
{
    bool is;

    lua_getfield(L, index, field);
    is = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return is;
}

void lua_fields_check(lua_State *L, int index, const char *const *names)
{
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        int i = 0;

        while (name != NULL && names[i] != NULL && strcmp(names[i], name) != 0)
            i++;
        if (name == NULL || names[i] == NULL)
            luaL_error(L, "there is no option '%s'", name != NULL ? name : luaL_typename(L, -2));
    }
}
