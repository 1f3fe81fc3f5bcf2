/*
 * coroutine.c - see job.h. The standard library, with resume and wrap of our own: they keep lua_job.current true, so that a cancel
 * finds the coroutine that is running.       Source of the shape: Lua 5.4's lcorolib.c.
 */
#include "worker/engines/lua/sl.h"

static lua_State *check_coroutine(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);

    luaL_argexpected(L, co != NULL, 1, "coroutine");
    return co;
}

/* lua_resume, with current moved along; when a cancel came meanwhile the resumer is told as well. */
static int run_on(lua_State *L, lua_State *co, int n_args, int *ret_n)
{
    lua_State *before = lua_job.current; /* not always L: what __close runs, runs on a thread that nobody resumed */
    int status;

    lua_job.current = co;
    if (sl_counts)
        sl_count_coroutine(L, co);
    if (lua_job.cancelled)
        lua_job_hook(co);
    status = lua_resume(co, L, n_args, ret_n);
    lua_job.current = before;
    if (lua_job.cancelled)
        lua_job_hook(L);
    return status;
}

/*
 * Why lua_resume() would refuse it, else NULL. Asked here, because Lua puts its own refusal on the coroutine's stack: one that runs in
 * another tasklet has its error handler on another C stack, and memory running out just then would jump there.
 */
static const char *refusal(lua_State *co)
{
    lua_Debug ar;

    switch (lua_status(co)) {
    case LUA_YIELD: return NULL;
    case LUA_OK:
        if (lua_getstack(co, 0, &ar))
            return "cannot resume non-suspended coroutine";
        return lua_gettop(co) > 0 ? NULL : "cannot resume dead coroutine";
    default: return "cannot resume dead coroutine";
    }
}

/* Number of results, now on L; or -1 with the error there. */
static int resume(lua_State *L, lua_State *co, int n_args)
{
    const char *why = refusal(co);
    int status, n;

    if (why != NULL) {
        lua_pushstring(L, why);
        return -1;
    }
    if (!lua_checkstack(co, n_args)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, n_args);
    status = run_on(L, co, n_args, &n);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, n + 1)) {
        lua_pop(co, n);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, n);
    return n;
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    int n = resume(L, co, lua_gettop(L) - 1);

    lua_pushboolean(L, n >= 0);
    lua_insert(L, n >= 0 ? -(n + 1) : -2);
    return n >= 0 ? n + 1 : 2;
}

static int reset(lua_State *co)
{
    lua_State *before = lua_job.current;
    int status;

    lua_job.current = co;
    status = lua_resetthread(co);
    lua_job.current = before;
    return status;
}

static int co_close(lua_State *L)
{
    lua_State *co = check_coroutine(L);
    lua_Debug ar;

    if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
        return luaL_error(L, "cannot close a %s coroutine", co == L ? "running" : "normal");
    if (reset(co) == LUA_OK) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    return 2;
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = resume(L, co, lua_gettop(L)), status;

    if (n >= 0)
        return n;
    status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) { /* it died: close its variables, which may change the error */
        status = reset(co);
        lua_xmove(co, L, 1);
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int co_wrap(lua_State *L)
{
    lua_State *co;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

int lib_coroutine(lua_State *L)
{
    static const luaL_Reg ours[] = {
        {"resume", co_resume},
        { "close", co_close },
        { "wrap",  co_wrap  },
        { NULL,    NULL     }
    };

    luaopen_coroutine(L);
    lua_pushliteral(L, "C stack overflow"); /* made by lua_resume() too; there, it must be found, not allocated */
    lua_setfield(L, LUA_REGISTRYINDEX, "coop.overflow");
    luaL_setfuncs(L, ours, 0);
    return 1;
}
