/* os.c - see job.h. Time comes from the standard library; getenv knows the job's variables only; exit ends the job. */
#include "worker/engines/lua/task.h"

#include <stdlib.h>
#include <string.h>

#include "worker/serve.h"

static int os_getenv(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const Pb__JobSpec *spec = lua_job.spec;

    for (size_t i = spec->n_env; i-- > 0;) { /* the last one given wins */
        const Pb__EnvVar *v = spec->env[i];

        if (strcmp(v->name, name) != 0)
            continue;
        lua_pushlstring(L, (const char *)v->value.data, v->value.len);
        return 1;
    }
    lua_pushnil(L);
    return 1;
}

/* The code is the script's, whatever its tasklets died of; but that is said. */
static void print_late_errors(lua_State *L)
{
    lua_pushcfunction(L, lua_task_print_late_errors);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

static int os_exit(lua_State *L)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXIT };
    lua_Integer code = EXIT_SUCCESS;

    if (lua_isboolean(L, 1))
        code = lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        code = luaL_optinteger(L, 1, EXIT_SUCCESS);
    print_late_errors(L);
    if (lua_toboolean(L, 2))
        lua_job_close(L); /* as the manual says: runs the pending finalizers */
    o.exit_code = (int)(code & 0xff);
    serve_finish(&o);
    return 0;
}

int lib_os(lua_State *L)
{
    static const char *const kept[] = { "clock", "date", "difftime", "time" };
    static const luaL_Reg ours[] = {
        {"getenv", os_getenv},
        { "exit",  os_exit  },
        { NULL,    NULL     }
    };

    lua_newtable(L);
    luaopen_os(L);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        lua_getfield(L, -1, kept[i]);
        lua_setfield(L, -3, kept[i]);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, ours, 0);
    return 1;
}
