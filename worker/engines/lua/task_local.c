/*
 * task_local.c - see task.h: what a tasklet has for itself, and what it inherits.
 *
 * Both are tables in the registry, by tasklet. A context is shared by parent and child until one of them changes it: it is copied then.
 */
#include "worker/engines/lua/task.h"

static const char locals_key, contexts_key;
static bool any_locals, any_contexts;

/* Pushes the table of a tasklet, or nil. */
static int push_of(lua_State *L, const void *key, const struct lua_task *t)
{
    int type;

    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    type = lua_rawgetp(L, -1, t);
    lua_remove(L, -2);
    return type;
}

/* The value on top, popped, becomes the tasklet's. */
static void set_of(lua_State *L, const void *key, const struct lua_task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    lua_insert(L, -2);
    lua_rawsetp(L, -2, t);
    lua_pop(L, 1);
}

void lua_task_inherit(lua_State *L, struct lua_task *child)
{
    const struct lua_task *parent = sched->current->engine;

    child->call = parent != NULL ? parent->call : 0;
    if (!any_contexts)
        return;
    if (push_of(L, &contexts_key, sched->current->engine) == LUA_TNIL)
        lua_pop(L, 1);
    else
        set_of(L, &contexts_key, child);
}

/* Setting what is there to nil takes no memory; setting what is not, none either. */
void lua_task_forget(lua_State *L, const struct lua_task *t)
{
    if (any_locals) {
        lua_pushnil(L);
        set_of(L, &locals_key, t);
    }
    if (any_contexts) {
        lua_pushnil(L);
        set_of(L, &contexts_key, t);
    }
}

/* locals(): a table of the running tasklet's own, gone when it ends. */
static int locals(lua_State *L)
{
    const struct lua_task *t = sched->current->engine;

    any_locals = true;
    if (push_of(L, &locals_key, t) != LUA_TNIL)
        return 1;
    lua_newtable(L);
    lua_pushvalue(L, -1);
    set_of(L, &locals_key, t);
    return 1;
}

/* context_set(name, value): for the running tasklet, and for those that it makes from now on. */
static int context_set(lua_State *L)
{
    const struct lua_task *t = sched->current->engine;

    luaL_argcheck(L, !lua_isnoneornil(L, 1) && lua_compare(L, 1, 1, LUA_OPEQ), 1, "a name is needed"); /* neither nil nor nan */
    lua_settop(L, 2);
    any_contexts = true;
    lua_newtable(L);
    if (push_of(L, &contexts_key, t) == LUA_TTABLE) {
        for (lua_pushnil(L); lua_next(L, 4);) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 3);
        }
    }
    lua_settop(L, 3);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    lua_rawset(L, 3);
    set_of(L, &contexts_key, t);
    return 0;
}

static int context_get(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (push_of(L, &contexts_key, sched->current->engine) != LUA_TTABLE || lua_isnil(L, 1))
        return 0;
    lua_pushvalue(L, 1);
    lua_rawget(L, -2);
    return 1;
}

void lua_task_open_locals(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"locals",       locals     },
        { "context_set", context_set},
        { "context_get", context_get},
        { NULL,          NULL       }
    };
    static const void *const keys[] = { &locals_key, &contexts_key };

    for (int i = 0; i < 2; i++) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, i == 0 ? "coop.locals" : "coop.contexts"); /* the same when the module is made again */
        lua_rawsetp(L, LUA_REGISTRYINDEX, keys[i]);
    }
    luaL_setfuncs(L, functions, 0);
}
