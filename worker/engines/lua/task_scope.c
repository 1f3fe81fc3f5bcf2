/* task_scope.c - see task.h: scopes. */
#include "worker/engines/lua/task.h"

#include <errno.h>

#define SCOPE_TYPE "coop.scope"

struct lua_scope {
    coop_scope *scope; /* NULL: closed */
    bool cancelled;    /* by the script */
};

static int scope_spawn(lua_State *L)
{
    const struct lua_scope *s = luaL_checkudata(L, 1, SCOPE_TYPE);

    if (s->scope == NULL)
        return luaL_error(L, "the scope is closed");
    lua_task_spawn(L, 2, true, s->scope);
    lua_getiuservalue(L, 1, 1); /* the children: where a failed one's error is found */
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
    lua_pop(L, 1);
    return 1;
}

static int scope_cancel(lua_State *L)
{
    struct lua_scope *s = luaL_checkudata(L, 1, SCOPE_TYPE);

    s->cancelled = true;
    if (s->scope != NULL)
        coop_scope_cancel(s->scope);
    return 0;
}

/* failures() -> the ids of the children that have failed, oldest first, at most 16 */
static int scope_failures(lua_State *L)
{
    const struct lua_scope *s = luaL_checkudata(L, 1, SCOPE_TYPE);
    const struct coop_failure *list;
    size_t n;

    if (s->scope == NULL)
        return luaL_error(L, "the scope is closed");
    n = coop_scope_failures(s->scope, &list);
    n = n < COOP_FAILURES_KEPT ? n : COOP_FAILURES_KEPT;
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)list[i].task);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* The error of the child whose failure was first; it lies on its thread, which children (a table) holds. */
static int raise_failure(lua_State *L, uint64_t id, int children)
{
    lua_Integer n = luaL_len(L, children);

    for (lua_Integer i = 1; i <= n; i++) {
        struct lua_task *t;

        lua_rawgeti(L, children, i);
        t = luaL_testudata(L, -1, LUA_TASK_TYPE);
        if (t != NULL && t->ended && t->status != LUA_OK && (t->task == NULL || coop_id(t->task) == id))
            return lua_task_results(L, -1);
        lua_pop(L, 1);
    }
    return luaL_error(L, "a tasklet of the scope failed");
}

/* Children are cancelled without anybody's failure at the scope's deadline only, or by s:cancel(). */
static bool any_cancelled(lua_State *L, int children)
{
    lua_Integer n = luaL_len(L, children);
    bool any = false;

    for (lua_Integer i = 1; i <= n && !any; i++) {
        const struct lua_task *t;

        lua_rawgeti(L, children, i);
        t = lua_touserdata(L, -1);
        any = t->ended && t->status != LUA_OK;
        lua_pop(L, 1);
    }
    return any;
}

/*
 * scope(f [, seconds]): calls f(s); s:spawn(g, ...) makes children. Returns true and what f returned, when all have ended. An error of f or
 * of a child cancels the rest and is raised here. After the seconds all are cancelled: nil, "timeout".
 */
static int scope(lua_State *L)
{
    int64_t deadline = lua_task_deadline(L, 2);
    const struct coop_failure *list;
    struct lua_scope *s;
    uint64_t failed = 0;
    int status, rc;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    s = lua_newuserdatauv(L, sizeof(*s), 1); /* 2 */
    *s = (struct lua_scope){ .scope = NULL };
    luaL_setmetatable(L, SCOPE_TYPE);
    lua_newtable(L); /* 3 */
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 2, 1);
    rc = coop_scope_new(&s->scope, deadline);
    if (rc != 0)
        return lua_task_failed(L, rc);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    status = lua_pcall(L, 1, LUA_MULTRET, 0); /* from 4 on: the results, or the error */
    rc = status == LUA_OK ? coop_scope_join(s->scope, COOP_NEVER) : 0;
    if (coop_scope_failures(s->scope, &list) > 0)
        failed = list[0].task;
    while (coop_scope_close(s->scope) == -EINTR)
        ; /* a bomb woke it: the children have not ended yet */
    s->scope = NULL;
    luaL_checkstack(L, LUA_MINSTACK, "too many results");
    if (status != LUA_OK)
        return lua_error(L);
    if (failed != 0)
        return raise_failure(L, failed, 3);
    if (rc != 0)
        return lua_task_failed(L, rc);
    if (any_cancelled(L, 3)) {
        lua_pushnil(L);
        lua_pushstring(L, s->cancelled ? "cancelled" : "timeout");
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, 4);
    return lua_gettop(L) - 3;
}

void lua_task_open_scopes(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"spawn",     scope_spawn   },
        { "cancel",   scope_cancel  },
        { "failures", scope_failures},
        { NULL,       NULL          }
    };
    static const luaL_Reg functions[] = {
        {"scope", scope},
        { NULL,   NULL }
    };

    lua_task_type(L, SCOPE_TYPE, methods);
    luaL_setfuncs(L, functions, 0);
}
