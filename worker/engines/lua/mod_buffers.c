/*
 * mod_buffers.c - see mod.h: require "coop.buffers": memory that travels as a descriptor, and is never copied on its way.
 *
 * One is written by who has made it, then sealed: from then on nobody can, and it may be handed over. The broker asks the kernel for that; it is
 * refused while anybody has it mapped for writing, so our own mapping goes first. Places count from 1.
 */
#include "worker/engines/lua/mod.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"

#define SLICE_TYPE "coop.slice"

/* ---- the mapping, which the handle's object owns ----------------------------------------------------------------------------------- */

void lua_buffer_unmap(struct lua_handle *h)
{
    if (h->more != NULL)
        (void)munmap(h->more, h->bytes);
    h->more = NULL;
    h->writable = false;
}

static void map(lua_State *L, struct lua_handle *h, struct ask *a, int prot)
{
    int fd = ask_descriptor(a);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        at = mmap(NULL, h->bytes, prot, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    if (at == MAP_FAILED)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, fd < 0 ? "the buffer has not come along" : "no room for the buffer");
    h->more = at;
    h->writable = (prot & PROT_WRITE) != 0;
}

static struct lua_handle *self(lua_State *L)
{
    return lua_handle_check(L, 1, PB__KIND__KIND_BUFFER);
}

/* Its bytes; asks for them the first time. */
const char *lua_buffer_bytes(lua_State *L, struct lua_handle *h)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferMap m = PB__BUFFER_MAP__INIT;
    Pb__Ref ref;
    struct lua_asking *s;

    if (h->more != NULL)
        return h->more;
    lua_handle_ref(h, &ref);
    m.buffer = &ref;
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_BUFFER_MAP;
    a.buffer_map = &m;
    (void)lua_asking_do(L, s, &a);
    if (h->more == NULL) /* another tasklet may have been faster */
        map(L, h, s->ask, PROT_READ);
    lua_asking_end(L, s);
    lua_pop(L, 1);
    return h->more;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------------- */

/* from and how many, at index and behind it: none: from 1, and all that follows. Cut to what there is. */
static void range_at(lua_State *L, int index, uint64_t size, uint64_t *ret_at, uint64_t *ret_len)
{
    lua_Integer from = luaL_optinteger(L, index, 1), n;

    luaL_argcheck(L, from >= 1, index, "places count from 1");
    *ret_at = (uint64_t)from - 1 < size ? (uint64_t)from - 1 : size;
    n = luaL_optinteger(L, index + 1, (lua_Integer)(size - *ret_at));
    luaL_argcheck(L, n >= 0, index + 1, "a number from 0 on is needed");
    *ret_len = (uint64_t)n < size - *ret_at ? (uint64_t)n : size - *ret_at;
}

/* read([from [, n]]) -> a string */
static int buffer_read(lua_State *L)
{
    struct lua_handle *h = self(L);
    uint64_t at, len;

    range_at(L, 2, h->bytes, &at, &len);
    lua_pushlstring(L, lua_buffer_bytes(L, h) + at, len);
    return 1;
}

static int buffer_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)self(L)->bytes);
    return 1;
}

/* A part of a buffer, which it keeps: nothing is copied. */
struct slice {
    uint64_t at, len;
};

static int make_slice(lua_State *L, int buffer, uint64_t at, uint64_t len)
{
    struct slice *s;

    buffer = lua_absindex(L, buffer);
    s = lua_newuserdatauv(L, sizeof(*s), 1);
    s->at = at;
    s->len = len;
    lua_pushvalue(L, buffer);
    lua_setiuservalue(L, -2, 1);
    luaL_setmetatable(L, SLICE_TYPE);
    return 1;
}

static int slice_read(lua_State *L)
{
    const struct slice *s = luaL_checkudata(L, 1, SLICE_TYPE);
    struct lua_handle *h;
    uint64_t at, len;

    range_at(L, 2, s->len, &at, &len);
    lua_settop(L, 1);
    lua_getiuservalue(L, 1, 1);
    h = lua_handle_check(L, 2, PB__KIND__KIND_BUFFER);
    lua_pushlstring(L, lua_buffer_bytes(L, h) + s->at + at, len);
    return 1;
}

static int slice_len(lua_State *L)
{
    const struct slice *s = luaL_checkudata(L, 1, SLICE_TYPE);

    lua_pushinteger(L, (lua_Integer)s->len);
    return 1;
}

static int slice_slice(lua_State *L)
{
    const struct slice *s = luaL_checkudata(L, 1, SLICE_TYPE);
    uint64_t at, len;

    range_at(L, 2, s->len, &at, &len);
    lua_getiuservalue(L, 1, 1);
    return make_slice(L, -1, s->at + at, len);
}

/* slice([from [, n]]) -> a part of it, with read, slice, len and # of its own */
static int buffer_slice(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"read",   slice_read },
        { "slice", slice_slice},
        { "len",   slice_len  },
        { "__len", slice_len  },
        { NULL,    NULL       }
    };
    const struct lua_handle *h = self(L);
    uint64_t at, len;

    range_at(L, 2, h->bytes, &at, &len);
    if (luaL_getmetatable(L, SLICE_TYPE) != LUA_TTABLE)
        lua_task_type(L, SLICE_TYPE, methods);
    lua_pop(L, 1);
    return make_slice(L, 1, at, len);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------------------- */

/* write(from, string): before it is sealed */
static int buffer_write(lua_State *L)
{
    const struct lua_handle *h = self(L);
    lua_Integer from = luaL_checkinteger(L, 2);
    size_t len;
    const char *s = luaL_checklstring(L, 3, &len);

    if (!h->writable)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED, "the buffer is sealed");
    luaL_argcheck(L, from >= 1 && (uint64_t)from - 1 <= h->bytes, 2, "it is outside of the buffer");
    luaL_argcheck(L, len <= h->bytes - ((uint64_t)from - 1), 3, "it does not fit the buffer");
    memcpy((char *)h->more + from - 1, s, len);
    return 0;
}

/* seal() -> itself: from now on nobody can write it, and it may be handed over. */
static int buffer_seal(lua_State *L)
{
    struct lua_handle *h = self(L);
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferSeal m = PB__BUFFER_SEAL__INIT;
    Pb__Ref ref;

    lua_handle_ref(h, &ref);
    m.buffer = &ref;
    lua_buffer_unmap(h);
    a.body_case = PB__ASK__BODY_BUFFER_SEAL;
    a.buffer_seal = &m;
    lua_ask_done(L, &a);
    lua_settop(L, 1);
    return 1;
}

/* clang-format off */
const luaL_Reg lua_buffer_methods[] = {
    { "read", buffer_read }, { "slice", buffer_slice }, { "len", buffer_len }, { "write", buffer_write }, { "seal", buffer_seal },
    { NULL, NULL },
};
/* clang-format on */

/* ---- the module -------------------------------------------------------------------------------------------------------------------- */

/* new(bytes) -> a buffer of so many zeros, to be written; new(string) -> one that holds it, sealed */
static int new_buffer(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;
    bool filled = lua_type(L, 1) == LUA_TSTRING;
    size_t len = filled ? lua_rawlen(L, 1) : 0;
    lua_Integer n = filled ? (lua_Integer)len : luaL_checkinteger(L, 1);
    struct lua_asking *s;
    const Pb__Answer *answer;
    struct lua_handle *h;

    luaL_argcheck(L, n >= 1, 1, "a buffer has 1 byte or more");
    lua_settop(L, 1);
    m.bytes = (uint64_t)n;
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_BUFFER_NEW;
    a.buffer_new = &m;
    answer = lua_asking_do(L, s, &a);
    if (answer->body_case != PB__ANSWER__BODY_HANDLE)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    h = lua_handle_push(L, answer->handle);
    h->bytes = (uint64_t)n;
    map(L, h, s->ask, PROT_READ | PROT_WRITE);
    lua_asking_end(L, s);
    if (!filled)
        return 1;
    memcpy(h->more, lua_tostring(L, 1), len);
    lua_pushcfunction(L, buffer_seal);
    lua_insert(L, -2);
    lua_call(L, 1, 1);
    return 1;
}

int lib_buffers(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"new", new_buffer},
        { NULL, NULL      }
    };

    lua_task_start(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
