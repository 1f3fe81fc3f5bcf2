/* lua.c - the coroutines of Lua 5.4: a resume or a yield from Lua, and making one that runs and ends. */
#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include "bench/measure.h"

static lua_State *lua;

static const char program[] = "local wrap, yield = coroutine.wrap, coroutine.yield\n"
                              "local co = wrap(function() while true do yield() end end)\n"
                              "local function nothing() end\n"
                              "function turn(n) for _ = 1, n do co() end end\n"
                              "function life(n) for _ = 1, n do wrap(nothing)() end end\n";

static void call(const char *name, unsigned n)
{
    lua_getglobal(lua, name);
    lua_pushinteger(lua, (lua_Integer)n);
    lua_call(lua, 1, 0);
}

static void op_turn(unsigned n)
{
    call("turn", n / 2); /* each is two switches */
}

static void op_life(unsigned n)
{
    call("life", n);
}

int main(void)
{
    lua = luaL_newstate();
    luaL_openlibs(lua);
    if (luaL_dostring(lua, program) != LUA_OK) {
        fprintf(stderr, "%s\n", lua_tostring(lua, -1));
        return 1;
    }
    measure_say("yield", measure(op_turn), LUA_RELEASE " coroutine, resume or yield");
    measure_say("spawn", measure(op_life), LUA_RELEASE " coroutine, made, run and collected");
    lua_close(lua);
    return 0;
}
