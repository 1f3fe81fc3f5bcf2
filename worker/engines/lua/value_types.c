/* value_types.c - see value_types.h. Each is a userdata whose first word says which; the string is its user value. */
#include "worker/engines/lua/value_types.h"

#include <string.h>

#include "value.h"
#include "worker/engines/lua/mod.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"

#define NULL_TYPE  "coop.null"
#define BYTES_TYPE "coop.bytes"
#define BIG_TYPE   "coop.big"

static const char null_key;

struct content {
    size_t len;
    char bytes[];
};

enum lua_value_type lua_value_type(lua_State *L, int index)
{
    static const char *const names[] = { [LUA_VALUE_NULL] = NULL_TYPE, [LUA_VALUE_BYTES] = BYTES_TYPE, [LUA_VALUE_BIG] = BIG_TYPE };

    for (int t = LUA_VALUE_NULL; t <= LUA_VALUE_BIG; t++)
        if (luaL_testudata(L, index, names[t]) != NULL)
            return (enum lua_value_type)t;
    return LUA_VALUE_OTHER;
}

const char *lua_value_content(lua_State *L, int index, size_t *ret_len)
{
    const struct content *c = lua_touserdata(L, index);

    *ret_len = c->len;
    return c->bytes;
}

static struct content *new (lua_State *L, const char *type, const char *bytes, size_t len)
{
    struct content *c = lua_newuserdatauv(L, sizeof(*c) + len + 1, 0);

    c->len = len;
    memcpy(c->bytes, bytes, len);
    c->bytes[len] = '\0';
    luaL_setmetatable(L, type);
    return c;
}

static int text_of(lua_State *L)
{
    size_t len;
    const char *s = lua_value_content(L, 1, &len);

    lua_pushlstring(L, s, len);
    return 1;
}

static int null_text(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

static int len_of(lua_State *L)
{
    size_t len;

    (void)lua_value_content(L, 1, &len);
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int equal(lua_State *L)
{
    size_t n[2];
    const char *s[2];

    if (lua_value_type(L, 1) != lua_value_type(L, 2) || lua_value_type(L, 1) == LUA_VALUE_OTHER)
        return 0;
    for (int i = 0; i < 2; i++)
        s[i] = lua_value_content(L, i + 1, &n[i]);
    lua_pushboolean(L, n[0] == n[1] && memcmp(s[0], s[1], n[0]) == 0);
    return 1;
}

/* bytes(s): travels as bytes also when it is UTF-8. */
static int bytes(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);

    new (L, BYTES_TYPE, s, len);
    return 1;
}

/* big(digits): an integer of any size, in decimal. One that fits is an ordinary one. */
static int big(lua_State *L)
{
    size_t len, digits;
    const char *s = luaL_checklstring(L, 1, &len);

    digits = strspn(s + (s[0] == '-'), "0123456789");
    luaL_argcheck(L, digits > 0 && digits + (s[0] == '-') == len && digits <= VALUE_BIG_DIGITS, 1,
                  "decimal digits are needed, with or without a '-'");
    if (lua_stringtonumber(L, s) != 0 && lua_isinteger(L, -1))
        return 1;
    lua_value_push_big(L, s, len);
    return 1;
}

void lua_value_push_big(lua_State *L, const char *digits, size_t len)
{
    (void)new (L, BIG_TYPE, digits, len);
}

void lua_value_push_null(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key);
}

static void add_meta(lua_State *L, const char *type, const luaL_Reg *methods)
{
    lua_task_type(L, type, methods);
}

static void open_types(lua_State *L)
{
    static const luaL_Reg null_methods[] = {
        {"__tostring", null_text},
        { NULL,        NULL     }
    };
    static const luaL_Reg content_methods[] = {
        {"__tostring", text_of},
        { "__len",     len_of },
        { "__eq",      equal  },
        { NULL,        NULL   }
    };

    add_meta(L, NULL_TYPE, null_methods);
    add_meta(L, BYTES_TYPE, content_methods);
    add_meta(L, BIG_TYPE, content_methods);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key) == LUA_TNIL) {
        (void)new (L, NULL_TYPE, "", 0);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
    }
    lua_pop(L, 1);
}

void lua_value_open_types(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &null_key) == LUA_TNIL)
        open_types(L);
    lua_pop(L, 1);
}

void lua_value_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"bytes",  bytes         },
        { "big",   big           },
        { "alias", lua_alias_call},
        { NULL,    NULL          }
    };

    lua_value_open_types(L);
    luaL_setfuncs(L, functions, 0);
    lua_value_push_null(L);
    lua_setfield(L, -2, "null");
}
