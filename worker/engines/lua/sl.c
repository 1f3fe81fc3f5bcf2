/* sl.c - see sl.h: the module, and types whose objects have attributes. */
#include "worker/engines/lua/sl.h"

#include <string.h>

bool sl_end_broke;

/* ---- types --------------------------------------------------------------------------------------------------------------------- */

static int absent(lua_State *L, const char *name, const char *why)
{
    lua_pushfstring(L, "%s is not available in Lua: %s", name, why);
    return sl_raise(L, SL_RUNTIME_ERROR, lua_tostring(L, -1));
}

/* The row of the attribute whose name is at 2; NULL: none. Upvalue 2 has the rows by name. */
static const struct sl_attr *find(lua_State *L, int rows)
{
    const struct sl_attr *a;

    lua_pushvalue(L, 2);
    lua_rawget(L, rows);
    a = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (a != NULL && a->get == NULL)
        absent(L, a->name, a->absent);
    return a;
}

static int index_object(lua_State *L)
{
    const struct sl_attr *a;

    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    a = find(L, lua_upvalueindex(2));
    return a != NULL ? a->get(L) : 0;
}

static int set_in_object(lua_State *L)
{
    const struct sl_attr *a = find(L, lua_upvalueindex(1));

    if (a == NULL)
        return luaL_error(L, "no attribute '%s'", luaL_tolstring(L, 2, NULL));
    if (a->set == NULL)
        return luaL_error(L, "attribute '%s' is read-only", a->name);
    return a->set(L);
}

void sl_type(lua_State *L, const char *name, const luaL_Reg *methods, const struct sl_attr *attrs)
{
    lua_task_type(L, name, methods);
    luaL_getmetatable(L, name);
    lua_getfield(L, -1, "__index");
    lua_newtable(L);
    for (; attrs->name != NULL; attrs++) {
        lua_pushlightuserdata(L, (void *)attrs);
        lua_setfield(L, -2, attrs->name);
    }
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, set_in_object, 1);
    lua_setfield(L, -4, "__newindex");
    lua_pushcclosure(L, index_object, 2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

/* ---- functions ----------------------------------------------------------------------------------------------------------------- */

static int getcurrent(lua_State *L)
{
    sl_push(L, sched->current->engine);
    return 1;
}

static int getmain(lua_State *L)
{
    sl_push(L, &lua_task_main);
    return 1;
}

static int getruncount(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)sched->runnable + 1);
    return 1;
}

/* Main's is the thread's: 1. */
static int getcurrentid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)sched->current->id);
    return 1;
}

/* get_thread_info([id]) -> main, current, runcount */
static int get_thread_info(lua_State *L)
{
    if (luaL_optinteger(L, 1, 1) != 1)
        return sl_raise(L, SL_RUNTIME_ERROR, "Thread id not found");
    lua_settop(L, 0);
    getmain(L);
    getcurrent(L);
    getruncount(L);
    return 3;
}

/* switch_trap([delta]) -> the old level */
static int switch_trap(lua_State *L)
{
    lua_Integer delta = luaL_optinteger(L, 1, 0);

    luaL_argcheck(L, delta >= -1000000 && delta <= 1000000, 1, "number out of range");
    lua_pushinteger(L, coop_switch_trap((int)delta));
    return 1;
}

static int threads(lua_State *L)
{
    lua_createtable(L, 1, 0);
    lua_pushinteger(L, 1);
    lua_rawseti(L, -2, 1);
    return 1;
}

static int debug(lua_State *L)
{
    lua_pushboolean(L, 0);
    return 1;
}

static int uncollectables(lua_State *L)
{
    lua_newtable(L);
    return 1;
}

#define NO_PICKLES "tasklets of Lua cannot be serialized"

static const struct sl_attr module_attrs[] = {
    {"current",                             getcurrent,     NULL, NULL                                                     },
    { "main",                               getmain,        NULL, NULL                                                     },
    { "runcount",                           getruncount,    NULL, NULL                                                     },
    { "threads",                            threads,        NULL, NULL                                                     },
    { "debug",                              debug,          NULL, NULL                                                     },
    { "uncollectables",                     uncollectables, NULL, NULL                                                     },
    { "enable_softswitch",                  NULL,           NULL, "every tasklet has a C stack, every switch is a hard one"},
    { "pickle_flags",                       NULL,           NULL, NO_PICKLES                                               },
    { "pickle_flags_default",               NULL,           NULL, NO_PICKLES                                               },
    { "PICKLEFLAGS_PRESERVE_TRACING_STATE", NULL,           NULL, NO_PICKLES                                               },
    { "PICKLEFLAGS_PRESERVE_AG_FINALIZER",  NULL,           NULL, NO_PICKLES                                               },
    { "PICKLEFLAGS_RESET_AG_FINALIZER",     NULL,           NULL, NO_PICKLES                                               },
    { "PICKLEFLAGS_PICKLE_CONTEXT",         NULL,           NULL, NO_PICKLES                                               },
    { NULL,                                 NULL,           NULL, NULL                                                     }
};

/* Who ended last, or who blocked last: it decides what main is told. */
static void on_deadlock(void)
{
    sl_end_broke = sched->current->state == TASK_ENDED;
}

static void add_attributes(lua_State *L)
{
    sl_type(L, "stackless",
            (const luaL_Reg[]){
                {NULL, NULL}
    },
            module_attrs);
    luaL_setmetatable(L, "stackless");
}

int lib_stackless(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"getcurrent",       getcurrent     },
        { "getmain",         getmain        },
        { "getruncount",     getruncount    },
        { "getcurrentid",    getcurrentid   },
        { "get_thread_info", get_thread_info},
        { "switch_trap",     switch_trap    },
        { NULL,              NULL           }
    };

    lua_task_start(L);
    sched->on_deadlock = on_deadlock;
    lua_newtable(L);
    sl_open_errors(L);
    sl_open_tasklets(L);
    sl_open_ring(L);
    sl_open_channels(L);
    sl_open_runs(L);
    sl_open_hooks(L);
    luaL_setfuncs(L, functions, 0);
    add_attributes(L);
    return 1;
}
