/* value_push.c - see value.h: to Lua. */
#include "worker/engines/lua/value.h"

#include <errno.h>
#include <stdio.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/handle.h"
#include "worker/engines/lua/value_types.h"

enum { ROOM = 1024 }; /* elements that a table has room for before they have come */

struct unpacking {
    struct value_reader r;
    const Pb__Value *v;
    int buffer; /* that it lies in: where its object is on the stack; 0: it lies in the message */
};

static void next(lua_State *L, struct unpacking *u, struct value_item *ret)
{
    int rc = value_next(&u->r, ret);

    if (rc != 0)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, "what has come is not a value");
}

static void push_item(lua_State *L, struct unpacking *u, const struct value_item *item);

/* Within a table. */
static void push_next(lua_State *L, struct unpacking *u)
{
    struct value_item item;

    next(L, u, &item);
    if (item.type == VALUE_NULL)
        lua_value_push_null(L);
    else
        push_item(L, u, &item);
}

static void push_list(lua_State *L, struct unpacking *u, size_t n)
{
    lua_createtable(L, n < ROOM ? (int)n : ROOM, 0);
    for (size_t i = 1; i <= n; i++) {
        push_next(L, u);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
}

/* The key is on top, its table below. Of equal strings bytes come before text, which then finds their place taken. */
static void refuse_if_taken(lua_State *L)
{
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) != LUA_TNIL)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, "what has come has a text and bytes as keys that are one in Lua");
    lua_pop(L, 1);
}

static void push_map(lua_State *L, struct unpacking *u, size_t n)
{
    bool has_bytes = false;

    lua_createtable(L, 0, n < ROOM ? (int)n : ROOM);
    for (size_t i = 0; i < n; i++) {
        struct value_item key;

        next(L, u, &key);
        push_item(L, u, &key);
        if (key.type == VALUE_TEXT && has_bytes)
            refuse_if_taken(L);
        has_bytes = has_bytes || key.type == VALUE_DATA;
        push_next(L, u);
        lua_rawset(L, -3);
    }
}

static void push_item(lua_State *L, struct unpacking *u, const struct value_item *item)
{
    luaL_checkstack(L, 6, "a value that nests too deeply");
    switch (item->type) {
    case VALUE_NULL: lua_pushnil(L); break;
    case VALUE_BOOL: lua_pushboolean(L, item->boolean); break;
    case VALUE_INT: lua_pushinteger(L, item->integer); break;
    case VALUE_BIG: lua_value_push_big(L, item->bytes, item->len); break;
    case VALUE_DOUBLE: lua_pushnumber(L, item->number); break;
    case VALUE_TEXT:
    case VALUE_DATA: lua_pushlstring(L, item->bytes, item->len); break;
    case VALUE_LIST: push_list(L, u, item->count); break;
    case VALUE_MAP: push_map(L, u, item->count); break;
    case VALUE_HANDLE: lua_handle_push(L, u->v->handles[item->handle]); break;
    }
}

/* One that lies in a buffer leaves the buffer's object on the stack: whatever is raised, that is given back. */
static void begin(lua_State *L, struct unpacking *u, const Pb__Value *v)
{
    const void *at = v->cbor.data;
    size_t len = v->cbor.len;
    struct lua_handle *h;

    u->v = v;
    u->buffer = 0;
    lua_value_open_types(L);
    if (v->whole != NULL) {
        h = lua_handle_push(L, v->whole);
        u->buffer = lua_gettop(L);
        at = lua_buffer_bytes(L, h);
        len = h->bytes;
    }
    if (value_reader_init(&u->r, at, len, u->buffer != 0 ? VALUE_WHOLE_BYTES : VALUE_BYTES, (uint32_t)v->n_handles) != 0)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "what has come is too big");
}

/* Nothing follows. */
static void end(lua_State *L, struct unpacking *u)
{
    struct value_item item;

    if (value_next(&u->r, &item) != -ENODATA)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, "what has come is not a value, but more");
    if (u->buffer == 0)
        return;
    lua_handle_drop(lua_touserdata(L, u->buffer));
    lua_remove(L, u->buffer);
}

static bool is_empty(const Pb__Value *v)
{
    return v == NULL || (v->cbor.len == 0 && v->whole == NULL);
}

void lua_value_push(lua_State *L, const Pb__Value *v)
{
    struct unpacking u;
    struct value_item item;

    if (is_empty(v)) {
        lua_pushnil(L);
        return;
    }
    begin(L, &u, v);
    next(L, &u, &item);
    push_item(L, &u, &item);
    end(L, &u);
}

int lua_value_push_each(lua_State *L, const Pb__Value *v)
{
    struct unpacking u;
    struct value_item head, item;

    if (is_empty(v))
        return 0;
    begin(L, &u, v);
    next(L, &u, &head);
    if (head.type != VALUE_LIST)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "arguments are a list");
    if (head.count > INT32_MAX / 2 || !lua_checkstack(L, (int)head.count + 6))
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "too many arguments");
    for (size_t i = 0; i < head.count; i++) {
        next(L, &u, &item);
        push_item(L, &u, &item);
    }
    end(L, &u);
    return (int)head.count;
}
