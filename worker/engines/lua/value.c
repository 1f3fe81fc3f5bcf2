/* value.c - see value.h: from Lua. */
#include "worker/engines/lua/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "worker/engines/lua/handle.h"
#include "worker/engines/lua/value_types.h"

/* One value on its way out. */
struct packing {
    struct value_writer w;
    struct value_path path;
    const void *tables[VALUE_DEPTH + 1]; /* that the current one lies in */
    int depth;
    struct packed *packed;
    struct packed_error *e;
};

static bool put(lua_State *L, struct packing *p, int index);

/* ---- what cannot be ------------------------------------------------------------------------------------------------------------ */

static bool refuse(struct packing *p, Pb__CallError error, const char *message)
{
    p->e->error = error;
    memcpy(p->e->path, p->path.text, sizeof(p->e->path));
    snprintf(p->e->message, sizeof(p->e->message), "%s", message);
    return false;
}

static bool not_shareable(struct packing *p, const char *what)
{
    char text[160];

    snprintf(text, sizeof(text), "%s cannot be sent", what);
    return refuse(p, PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE, text);
}

/* After each item: what the writer says of it. */
static bool written(struct packing *p)
{
    switch (p->w.error) {
    case 0: return true;
    case -ELOOP: return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_DEEP, "lists and maps nest too deeply");
    case -E2BIG: return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "the value is too big: use a buffer");
    case -ENOMEM: return refuse(p, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "not enough memory");
    default: return not_shareable(p, "this");
    }
}

/* ---- tables -------------------------------------------------------------------------------------------------------------------- */

/* Whether the keys are 1 to n, and nothing else; n in *ret_n, else how many there are. */
static bool is_list(lua_State *L, int index, size_t *ret_n)
{
    size_t n = 0, in_range = 0, len = lua_rawlen(L, index);

    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        lua_Integer k = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;

        n++;
        in_range += k >= 1 && (size_t)k <= len;
    }
    *ret_n = n;
    return in_range == n && n == len;
}

static void key_item(lua_State *L, int index, struct value_item *ret)
{
    memset(ret, 0, sizeof(*ret));
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        ret->type = VALUE_TEXT;
        ret->bytes = lua_tolstring(L, index, &ret->len);
        break;
    case LUA_TBOOLEAN:
        ret->type = VALUE_BOOL;
        ret->boolean = lua_toboolean(L, index);
        break;
    case LUA_TNUMBER:
        ret->type = lua_isinteger(L, index) ? VALUE_INT : VALUE_DOUBLE;
        ret->integer = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
        ret->number = lua_tonumber(L, index);
        break;
    default: ret->type = VALUE_NULL;
    }
}

static bool put_key(lua_State *L, struct packing *p, int index)
{
    int type = lua_type(L, index);
    char text[64];

    if (type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN)
        return put(L, p, index);
    snprintf(text, sizeof(text), "a table with a %s as a key", lua_typename(L, type));
    return not_shareable(p, text);
}

static bool put_list(lua_State *L, struct packing *p, int index, size_t n)
{
    bool fine = true;

    value_list(&p->w, n);
    for (size_t i = 1; i <= n && fine; i++) {
        size_t mark = value_path_index(&p->path, i);

        lua_rawgeti(L, index, (lua_Integer)i);
        fine = put(L, p, lua_gettop(L));
        lua_pop(L, 1);
        value_path_back(&p->path, mark);
    }
    return fine;
}

static bool put_map(lua_State *L, struct packing *p, int index, size_t n)
{
    value_map(&p->w, n);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        struct value_item key;
        size_t mark;

        if (!put_key(L, p, lua_gettop(L) - 1))
            return false;
        key_item(L, lua_gettop(L) - 1, &key);
        mark = value_path_key(&p->path, &key);
        if (!put(L, p, lua_gettop(L)))
            return false;
        value_path_back(&p->path, mark);
        lua_pop(L, 1);
    }
    return true;
}

static bool is_open(const struct packing *p, const void *table)
{
    for (int i = 0; i < p->depth; i++)
        if (p->tables[i] == table)
            return true;
    return false;
}

static bool put_table(lua_State *L, struct packing *p, int index)
{
    const void *table = lua_topointer(L, index);
    size_t n;
    bool list, fine;

    if (is_open(p, table))
        return not_shareable(p, "a table that contains itself");
    if (p->depth == VALUE_DEPTH)
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_DEEP, "lists and maps nest too deeply");
    p->tables[p->depth++] = table;
    list = is_list(L, index, &n);
    fine = list ? put_list(L, p, index, n) : put_map(L, p, index, n);
    p->depth--;
    if (!fine)
        return false;
    value_end(&p->w);
    return written(p);
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------------ */

static bool put_string(lua_State *L, struct packing *p, int index)
{
    size_t len;
    const char *s = lua_tolstring(L, index, &len);

    if (frame_is_utf8(s, len))
        value_text(&p->w, s, len);
    else
        value_data(&p->w, s, len);
    return written(p);
}

static bool put_handle(struct packing *p, const struct lua_handle *h)
{
    int place;

    if (h->number == 0)
        return not_shareable(p, "an object that was closed");
    place = packed_add_handle(p->packed, h->number);
    if (place == -E2BIG)
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "too many handles in one value");
    if (place < 0)
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "not enough memory");
    value_handle(&p->w, (uint32_t)place);
    return written(p);
}

static bool put_object(lua_State *L, struct packing *p, int index)
{
    const struct lua_handle *h = lua_handle_test(L, index);
    size_t len;
    const char *s;

    if (h != NULL)
        return put_handle(p, h);
    switch (lua_value_type(L, index)) {
    case LUA_VALUE_NULL: value_null(&p->w); return written(p);
    case LUA_VALUE_BYTES:
        s = lua_value_content(L, index, &len);
        value_data(&p->w, s, len);
        return written(p);
    case LUA_VALUE_BIG:
        s = lua_value_content(L, index, &len);
        value_big(&p->w, s, len);
        return written(p);
    default: return not_shareable(p, "an object of this type");
    }
}

static bool put(lua_State *L, struct packing *p, int index)
{
    char text[48];
    int type = lua_type(L, index);

    if (!lua_checkstack(L, 8))
        return refuse(p, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "not enough memory");
    switch (type) {
    case LUA_TNONE:
    case LUA_TNIL: value_null(&p->w); return written(p);
    case LUA_TBOOLEAN: value_bool(&p->w, lua_toboolean(L, index)); return written(p);
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            value_int(&p->w, lua_tointeger(L, index));
        else
            value_double(&p->w, lua_tonumber(L, index));
        return written(p);
    case LUA_TSTRING: return put_string(L, p, index);
    case LUA_TTABLE: return put_table(L, p, index);
    case LUA_TUSERDATA: return put_object(L, p, index);
    default: snprintf(text, sizeof(text), "a %s", lua_typename(L, type)); return not_shareable(p, text);
    }
}

static bool put_range(lua_State *L, struct packing *p, int first, int n)
{
    value_list(&p->w, (size_t)n);
    for (int i = 0; i < n; i++) {
        size_t mark = value_path_index(&p->path, (size_t)i + 1);

        if (!written(p) || !put(L, p, first + i))
            return false;
        value_path_back(&p->path, mark);
    }
    value_end(&p->w);
    return written(p);
}

/* struct packing, how many (below 0: one that is no list); then the values. Protected: an error of Lua's must not lose the writer's memory. */
static int pack(lua_State *L)
{
    struct packing *p = lua_touserdata(L, 1);
    int n = (int)lua_tointeger(L, 2);

    lua_pushboolean(L, n < 0 ? put(L, p, 3) : put_range(L, p, 3, n));
    return 1;
}

static int pack_protected(lua_State *L, struct packing *p, int first, int n)
{
    int count = n < 0 ? 1 : n, status, rc = -1;

    if (!lua_checkstack(L, count + 4)) {
        (void)refuse(p, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "not enough memory");
        return -1;
    }
    lua_pushcfunction(L, pack);
    lua_pushlightuserdata(L, p);
    lua_pushinteger(L, n);
    for (int i = 0; i < count; i++)
        lua_pushvalue(L, first + i);
    status = lua_pcall(L, count + 2, 1, 0);
    if (status != LUA_OK)
        return status;
    if (lua_toboolean(L, -1) && (packed_take(p->packed, &p->w) == 0 || written(p)))
        rc = 0;
    lua_pop(L, 1);
    return rc;
}

/* What it takes is not on the stack, of which each tasklet that waits keeps what it has opened. */
static int pack_values(lua_State *L, int first, int n, const char *root, struct packed *ret, struct packed_error *e)
{
    struct packing *p = malloc(sizeof(*p));
    int rc;

    e->error = PB__CALL_ERROR__CALL_ERROR_NONE;
    if (p == NULL) {
        *e = (struct packed_error){ .error = PB__CALL_ERROR__CALL_ERROR_TEMPORARY, .message = "not enough memory" };
        return -1;
    }
    p->packed = ret;
    p->e = e;
    p->depth = 0;
    value_writer_init(&p->w, VALUE_WHOLE_BYTES);
    value_path_init(&p->path, root);
    rc = pack_protected(L, p, first, n);
    value_writer_finish(&p->w);
    free(p);
    return rc;
}

int lua_value_pack(lua_State *L, int index, const char *root, struct packed *ret, struct packed_error *e)
{
    return pack_values(L, lua_absindex(L, index), -1, root, ret, e);
}

int lua_value_pack_list(lua_State *L, int first, int n, const char *root, struct packed *ret, struct packed_error *e)
{
    return pack_values(L, first, n, root, ret, e);
}
