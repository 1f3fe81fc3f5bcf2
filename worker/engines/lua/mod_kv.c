/* mod_kv.c - see mod.h: require "coop.kv": keys and values that the broker keeps. Both are strings; keys are UTF-8. */
#include "worker/engines/lua/mod.h"

#include <string.h>

#include "frame.h"
#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"

static void self(lua_State *L, Pb__Ref *ret_ref)
{
    lua_handle_ref(lua_handle_check(L, 1, PB__KIND__KIND_KV), ret_ref);
}

static char *text_at(lua_State *L, int index, const char *otherwise)
{
    size_t len;
    const char *s = otherwise != NULL ? luaL_optlstring(L, index, otherwise, &len) : luaL_checklstring(L, index, &len);

    luaL_argcheck(L, frame_is_utf8(s, len) && memchr(s, '\0', len) == NULL, index, "it must be UTF-8, without NUL");
    return (char *)s;
}

static bool is_not_found(lua_State *L)
{
    bool is = lua_type(L, -1) == LUA_TTABLE && lua_getfield(L, -1, "type") == LUA_TSTRING && strcmp(lua_tostring(L, -1), "NotFound") == 0;

    lua_settop(L, 1);
    return is;
}

/* kv, key -> value, or the error NotFound */
static int find(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvGet m = PB__KV_GET__INIT;
    Pb__Ref ref;
    struct lua_asking *s;
    const Pb__Answer *answer;

    self(L, &ref);
    m.kv = &ref;
    m.key = text_at(L, 2, NULL);
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_KV_GET;
    a.kv_get = &m;
    answer = lua_asking_do(L, s, &a);
    if (answer->body_case != PB__ANSWER__BODY_KV_VALUE)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    lua_pushlstring(L, (const char *)answer->kv_value->value.data, answer->kv_value->value.len);
    lua_asking_end(L, s);
    return 1;
}

/* get(key) -> the value, or nil */
static int kv_get(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushcfunction(L, find);
    lua_insert(L, 1);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        return 1;
    lua_pushvalue(L, -1);
    if (!is_not_found(L))
        return lua_error(L);
    lua_pushnil(L);
    return 1;
}

/* put(key, value [, only_new]): NameTaken when it is there and must not be */
static int kv_put(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvPut m = PB__KV_PUT__INIT;
    Pb__Ref ref;

    self(L, &ref);
    m.kv = &ref;
    m.key = text_at(L, 2, NULL);
    m.value.data = (uint8_t *)luaL_checklstring(L, 3, &m.value.len);
    m.only_new = lua_toboolean(L, 4);
    a.body_case = PB__ASK__BODY_KV_PUT;
    a.kv_put = &m;
    lua_ask_done(L, &a);
    return 0;
}

static int kv_delete(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvDelete m = PB__KV_DELETE__INIT;
    Pb__Ref ref;

    self(L, &ref);
    m.kv = &ref;
    m.key = text_at(L, 2, NULL);
    a.body_case = PB__ASK__BODY_KV_DELETE;
    a.kv_delete = &m;
    lua_ask_done(L, &a);
    return 0;
}

/* list([prefix [, after [, limit]]]) -> a list of keys, and whether there are more */
static int kv_list(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvList m = PB__KV_LIST__INIT;
    Pb__Ref ref;
    struct lua_asking *s;
    const Pb__Answer *answer;

    self(L, &ref);
    m.kv = &ref;
    m.prefix = text_at(L, 2, "");
    m.after = text_at(L, 3, "");
    m.limit = (uint32_t)luaL_optinteger(L, 4, 0);
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_KV_LIST;
    a.kv_list = &m;
    answer = lua_asking_do(L, s, &a);
    if (answer->body_case != PB__ANSWER__BODY_KV_KEYS)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    lua_createtable(L, (int)answer->kv_keys->n_keys, 0);
    for (size_t i = 0; i < answer->kv_keys->n_keys; i++) {
        lua_pushstring(L, answer->kv_keys->keys[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushboolean(L, answer->kv_keys->more);
    lua_asking_end(L, s);
    return 2;
}

/* clang-format off */
const luaL_Reg lua_kv_methods[] = {
    { "get", kv_get }, { "put", kv_put }, { "delete", kv_delete }, { "list", kv_list }, { NULL, NULL },
};
/* clang-format on */

/* open([prefix [, rights]]) -> those keys that begin so, as the job's capabilities say */
static int open_kv(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__KvOpen m = PB__KV_OPEN__INIT;
    struct lua_asking *s;
    const Pb__Answer *answer;

    m.prefix = text_at(L, 1, "");
    m.rights = lua_rights_check(L, 2);
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_KV_OPEN;
    a.kv_open = &m;
    answer = lua_asking_do(L, s, &a);
    if (answer->body_case != PB__ANSWER__BODY_HANDLE)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    (void)lua_handle_push(L, answer->handle);
    lua_asking_end(L, s);
    return 1;
}

int lib_kv(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"open", open_kv},
        { NULL,  NULL   }
    };

    lua_task_start(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
