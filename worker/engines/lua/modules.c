/*
 * modules.c - see job.h. require() over the modules that were sent with the job, and over package.preload.
 *
 * A module is sent under a file's name; "a/b.lua" and "a/b" answer require "a.b", "a/init.lua" answers require "a".
 */
#include "worker/engines/lua/job.h"
#include "worker/engines/lua/mod.h"
#include "worker/engines/lua/sl.h"

#include <string.h>

/* Does a sent name stand for a required one? '/' in the first is '.' in the second; ".lua" and "/init.lua" at its end do not count. */
static int answers(const char *sent, const char *wanted)
{
    size_t n = strlen(wanted);

    if (strncmp(sent, "./", 2) == 0)
        sent += 2;
    for (size_t i = 0; i < n; i++)
        if (sent[i] == '\0' || (sent[i] != wanted[i] && !(sent[i] == '/' && wanted[i] == '.')))
            return 0;
    sent += n;
    return *sent == '\0' || strcmp(sent, ".lua") == 0 || strcmp(sent, "/init.lua") == 0;
}

static const Pb__Module *find_module(const char *wanted)
{
    const Pb__JobSpec *spec = lua_job.spec;

    for (size_t i = 0; i < spec->n_modules; i++)
        if (answers(spec->modules[i]->name, wanted))
            return spec->modules[i];
    return NULL;
}

static int search_preload(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    if (lua_getfield(L, -1, name) == LUA_TNIL) {
        lua_pushfstring(L, "no field package.preload['%s']", name);
        return 1;
    }
    lua_pushliteral(L, ":preload:");
    return 2;
}

static void push_list_of_modules(lua_State *L)
{
    const Pb__JobSpec *spec = lua_job.spec;
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, spec->n_modules == 0 ? "no modules were sent with this job" : "not among the modules sent with this job:");
    for (size_t i = 0; i < spec->n_modules; i++) {
        luaL_addchar(&b, ' ');
        luaL_addstring(&b, spec->modules[i]->name);
    }
    luaL_pushresult(&b);
}

static int search_sent(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const Pb__Module *m = find_module(name);

    if (m == NULL) {
        push_list_of_modules(L);
        return 1;
    }
    lua_pushfstring(L, "@%s", m->name);
    if (luaL_loadbufferx(L, (const char *)m->source.data, m->source.len, lua_tostring(L, -1), "t") != LUA_OK)
        return luaL_error(L, "error loading module '%s':\n\t%s", name, lua_tostring(L, -1));
    lua_pushstring(L, m->name);
    return 2;
}

/* Leaves loader and its data on the stack, or raises what every searcher said. */
static void find_loader(lua_State *L, const char *name)
{
    luaL_Buffer said;

    if (lua_getfield(L, lua_upvalueindex(1), "searchers") != LUA_TTABLE)
        luaL_error(L, "'package.searchers' must be a table");
    luaL_buffinit(L, &said);
    for (int i = 1;; i++) {
        luaL_addstring(&said, "\n\t");
        if (lua_rawgeti(L, 3, i) == LUA_TNIL) {
            lua_pop(L, 1);
            luaL_buffsub(&said, 2);
            luaL_pushresult(&said);
            luaL_error(L, "module '%s' not found:%s", name, lua_tostring(L, -1));
        }
        lua_pushstring(L, name);
        lua_call(L, 1, 2);
        if (lua_isfunction(L, -2))
            return;
        if (lua_isstring(L, -2)) {
            lua_pop(L, 1);
            luaL_addvalue(&said);
        } else {
            lua_pop(L, 2);
            luaL_buffsub(&said, 2);
        }
    }
}

static int package_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);

    lua_settop(L, 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE); /* 2 */
    lua_getfield(L, 2, name);
    if (lua_toboolean(L, -1))
        return 1;
    lua_pop(L, 1);
    find_loader(L, name);
    lua_rotate(L, -2, 1); /* data, loader */
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3); /* data, loader, name, data */
    lua_call(L, 2, 1);    /* data, result */
    if (!lua_isnil(L, -1))
        lua_setfield(L, 2, name);
    else
        lua_pop(L, 1);
    if (lua_getfield(L, 2, name) == LUA_TNIL) {
        lua_pushboolean(L, 1);
        lua_copy(L, -1, -2);
        lua_setfield(L, 2, name);
    }
    lua_rotate(L, -2, 1); /* result, data */
    return 2;
}

/* Last, so that a module of the job's own with such a name comes first. */
static int search_built_in(lua_State *L)
{
    static const luaL_Reg built_in[] = {
        {"coop",               lib_coop        },
        { "stackless",         lib_stackless   },
        { "coop.interpreters", lib_interpreters},
        { "coop.queues",       lib_queues      },
        { "coop.buffers",      lib_buffers     },
        { "coop.kv",           lib_kv          },
        { "coop.caps",         lib_caps        },
    };
    const char *name = luaL_checkstring(L, 1);

    for (size_t i = 0; i < sizeof(built_in) / sizeof(built_in[0]); i++) {
        if (strcmp(name, built_in[i].name) != 0)
            continue;
        lua_pushcfunction(L, built_in[i].func);
        lua_pushliteral(L, ":built-in:");
        return 2;
    }
    lua_pushfstring(L, "no built-in module '%s'", name);
    return 1;
}

int lib_package(lua_State *L)
{
    static const lua_CFunction searchers[] = { search_preload, search_sent, search_built_in };

    lua_newtable(L);
    lua_newtable(L);
    for (int i = 0; i < 3; i++) {
        lua_pushcfunction(L, searchers[i]);
        lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -2, "searchers");
    lua_pushliteral(L, "/\n;\n?\n!\n-\n");
    lua_setfield(L, -2, "config");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_setfield(L, -2, "loaded");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_setfield(L, -2, "preload");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, package_require, 1);
    lua_setglobal(L, "require");
    return 1;
}
