/* base.c - see job.h. What is kept of the standard library is listed; what is taken away is listed with a reason. */
#include "worker/engines/lua/job.h"

#include <string.h>

#include "worker/output.h"

/* A line that fits is written in one piece, so that a run that is killed, or a reader that looks, does not see half of it. */
struct line {
    char bytes[1024];
    size_t len;
};

static void line_flush(struct line *l)
{
    output_write(PB__STREAM__STREAM_STDOUT, l->bytes, l->len);
    l->len = 0;
}

static void line_add(struct line *l, const char *s, size_t len)
{
    if (l->len + len > sizeof(l->bytes))
        line_flush(l);
    if (len > sizeof(l->bytes)) {
        output_write(PB__STREAM__STREAM_STDOUT, s, len);
        return;
    }
    memcpy(l->bytes + l->len, s, len);
    l->len += len;
}

static int base_print(lua_State *L)
{
    int n = lua_gettop(L);
    struct line line;

    line.len = 0;
    for (int i = 1; i <= n; i++) {
        size_t len;
        const char *s;

        if (i > 1)
            line_add(&line, "\t", 1);
        if (lua_istable(L, i) || lua_isuserdata(L, i))
            line_flush(&line); /* its __tostring may print, or fail: what stands before it comes first */
        s = luaL_tolstring(L, i, &len);
        line_add(&line, s, len);
        lua_pop(L, 1);
    }
    line_add(&line, "\n", 1);
    line_flush(&line);
    return 0;
}

static const char *load_piece(lua_State *L, void *ud, size_t *ret_len)
{
    (void)ud;
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, 1);
    lua_call(L, 0, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        *ret_len = 0;
        return NULL;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "reader function must return a string");
    lua_replace(L, 5); /* keeps the piece alive while the parser reads it */
    return lua_tolstring(L, 5, ret_len);
}

/* load, text only: bytecode is not checked by Lua and could do anything to this process. */
static int base_load(lua_State *L)
{
    size_t len;
    const char *s = lua_tolstring(L, 1, &len);
    const char *name = luaL_optstring(L, 2, s != NULL ? s : "=(load)");
    const char *mode = luaL_optstring(L, 3, "bt");
    int has_env = !lua_isnone(L, 4), status;

    if (strchr(mode, 't') == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "only text chunks can be loaded in a coop interpreter (mode \"t\")");
        return 2;
    }
    if (s != NULL) {
        status = luaL_loadbufferx(L, s, len, name, "t");
    } else {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, 5);
        status = lua_load(L, load_piece, NULL, name, "t");
    }
    if (status != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_env) {
        lua_pushvalue(L, 4);
        if (lua_setupvalue(L, -2, 1) == NULL)
            lua_pop(L, 1);
    }
    return 1;
}

/* The tables we keep whole, and then take the absent names out of. */
/* clang-format off */
static const luaL_Reg libraries[] = {
    { LUA_GNAME, luaopen_base },        { LUA_TABLIBNAME, luaopen_table },   { LUA_STRLIBNAME, luaopen_string },
    { LUA_MATHLIBNAME, luaopen_math },  { LUA_UTF8LIBNAME, luaopen_utf8 },   { LUA_COLIBNAME, lib_coroutine },
    { LUA_IOLIBNAME, lib_io },          { LUA_OSLIBNAME, lib_os },           { LUA_LOADLIBNAME, lib_package },
    { NULL, NULL },
};
/* clang-format on */

/* clang-format off */
static const struct absent_row {
    const char *table, *name, *why;
} absent_rows[] = {
    { NULL,      "dofile",       "there are no files; modules sent with the job are read with require" },
    { NULL,      "loadfile",     "there are no files; modules sent with the job are read with require" },
    { NULL,      "loadstring",   "it left Lua with 5.2; use load" },
    { NULL,      "unpack",       "it left Lua with 5.2; use table.unpack" },
    { NULL,      "setfenv",      "it left Lua with 5.2" },
    { NULL,      "ffi",          "it is part of LuaJIT, and would be a way around every wall" },
    { NULL,      "jit",          "it is part of LuaJIT" },
    { "string",  "dump",         "bytecode cannot be loaded again here" },
    { "os",      "execute",      "it would start a program" },
    { "os",      "remove",       "there are no files" },
    { "os",      "rename",       "there are no files" },
    { "os",      "tmpname",      "there are no files" },
    { "os",      "setlocale",    "the locale is always \"C\"" },
    { "io",      "open",         "there are no files; read io.stdin, write io.stdout" },
    { "io",      "popen",        "it would start a program" },
    { "io",      "tmpfile",      "there are no files" },
    { "package", "loadlib",      "it would run native code" },
    { "package", "searchpath",   "there are no files" },
    { "debug",   "debug",        "there is no terminal" },
    { "debug",   "getinfo",      "debug has traceback only" },
    { "debug",   "gethook",      "debug has traceback only" },
    { "debug",   "sethook",      "the hook belongs to cancellation" },
    { "debug",   "getlocal",     "debug has traceback only" },
    { "debug",   "setlocal",     "debug has traceback only" },
    { "debug",   "getmetatable", "debug has traceback only" },
    { "debug",   "setmetatable", "debug has traceback only" },
    { "debug",   "getregistry",  "debug has traceback only" },
    { "debug",   "getupvalue",   "debug has traceback only" },
    { "debug",   "setupvalue",   "debug has traceback only" },
    { "debug",   "upvalueid",    "debug has traceback only" },
    { "debug",   "upvaluejoin",  "debug has traceback only" },
    { "debug",   "getuservalue", "debug has traceback only" },
    { "debug",   "setuservalue", "debug has traceback only" },
};
/* clang-format on */

enum { N_ABSENT = sizeof(absent_rows) / sizeof(absent_rows[0]) };

static void take_away(lua_State *L, const struct absent_row *r)
{
    if (r->table == NULL)
        lua_pushglobaltable(L);
    else
        lua_getglobal(L, r->table);
    lua_pushnil(L);
    lua_setfield(L, -2, r->name);
    lua_pop(L, 1);
}

/* debug with nothing but traceback, which shows names and lines and changes nothing. */
static void open_debug(lua_State *L)
{
    luaopen_debug(L);
    lua_newtable(L);
    lua_getfield(L, -2, "traceback");
    lua_setfield(L, -2, "traceback");
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, LUA_DBLIBNAME);
    lua_pop(L, 1);
    lua_setglobal(L, LUA_DBLIBNAME);
    lua_pop(L, 1);
}

int lib_open_all(lua_State *L)
{
    static const luaL_Reg ours[] = {
        {"print", base_print},
        { "load", base_load },
        { NULL,   NULL      }
    };

    for (const luaL_Reg *r = libraries; r->func != NULL; r++) {
        luaL_requiref(L, r->name, r->func, 1);
        lua_pop(L, 1);
    }
    open_debug(L);
    lua_pushglobaltable(L);
    luaL_setfuncs(L, ours, 0);
    lua_pop(L, 1);
    for (int i = 0; i < N_ABSENT; i++)
        take_away(L, &absent_rows[i]);
    return 0;
}

const char *lib_absent(const char *last_part, const char **ret_full)
{
    static char full[64];

    for (int i = 0; i < N_ABSENT; i++) {
        const struct absent_row *r = &absent_rows[i];

        if (strcmp(r->name, last_part) != 0)
            continue;
        full[0] = '\0';
        if (r->table != NULL)
            strcat(strcpy(full, r->table), ".");
        strcat(full, r->name);
        *ret_full = full;
        return r->why;
    }
    return NULL;
}
