/* handle.c - see handle.h. */
#include "worker/engines/lua/handle.h"

#include <stdio.h>
#include <string.h>

#include "worker/asks.h"
#include "worker/engines/lua/mod.h"
#include "worker/engines/lua/task.h"

static unsigned forks;

static const char marker; /* in the metatables of handles */

static const struct kind_row {
    Pb__Kind kind;
    const char *name, *type;
    const luaL_Reg *methods; /* NULL: none of its own */
} kinds[] = {
    {PB__KIND__KIND_INTERP,  "interpreter", "coop.interpreter", lua_interp_methods},
    { PB__KIND__KIND_QUEUE,  "queue",       "coop.queue",       lua_queue_methods },
    { PB__KIND__KIND_BUFFER, "buffer",      "coop.buffer",      lua_buffer_methods},
    { PB__KIND__KIND_ALIAS,  "alias",       "coop.alias",       NULL              },
    { PB__KIND__KIND_KV,     "kv",          "coop.kv",          lua_kv_methods    },
};

enum { N_KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const struct right_row {
    Pb__Right right;
    const char *name;
} rights_rows[] = {
    {PB__RIGHT__RIGHT_CALL,    "call"  },
    { PB__RIGHT__RIGHT_MANAGE, "manage"},
    { PB__RIGHT__RIGHT_SEND,   "send"  },
    { PB__RIGHT__RIGHT_RECV,   "recv"  },
    { PB__RIGHT__RIGHT_READ,   "read"  },
    { PB__RIGHT__RIGHT_WRITE,  "write" },
    { PB__RIGHT__RIGHT_GRANT,  "grant" },
};

enum { N_RIGHTS = sizeof(rights_rows) / sizeof(rights_rows[0]) };

static const struct {
    uint32_t rights;
    const char *word;
} cap_words[] = {
  /* of --cap, for several */
    {PB__RIGHT__RIGHT_SEND | PB__RIGHT__RIGHT_RECV,   "both"},
    { PB__RIGHT__RIGHT_READ,                          "ro"  },
    { PB__RIGHT__RIGHT_READ | PB__RIGHT__RIGHT_WRITE, "rw"  },
};

static const struct kind_row *row_of(Pb__Kind kind)
{
    for (int i = 0; i < N_KINDS; i++)
        if (kinds[i].kind == kind)
            return &kinds[i];
    return &kinds[0]; /* a kind that we do not know cannot have been sent to us */
}

const char *lua_kind_name(Pb__Kind kind)
{
    return row_of(kind)->name;
}

/* ---- rights -------------------------------------------------------------------------------------------------------------------- */

static uint32_t right_named(lua_State *L, int index)
{
    const char *name = luaL_checkstring(L, index);

    for (int i = 0; i < N_RIGHTS; i++)
        if (strcmp(rights_rows[i].name, name) == 0)
            return rights_rows[i].right;
    for (size_t i = 0; i < sizeof(cap_words) / sizeof(cap_words[0]); i++)
        if (strcmp(cap_words[i].word, name) == 0)
            return cap_words[i].rights;
    return (uint32_t)luaL_error(L, "there is no right '%s': call, manage, send, recv, read, write, grant, both, ro, rw", name);
}

uint32_t lua_rights_check(lua_State *L, int index)
{
    uint32_t rights = 0;
    lua_Integer n;

    if (lua_isnoneornil(L, index))
        return 0;
    if (lua_type(L, index) == LUA_TSTRING)
        return right_named(L, index);
    luaL_checktype(L, index, LUA_TTABLE);
    n = luaL_len(L, index);
    for (lua_Integer i = 1; i <= n && i <= N_RIGHTS; i++) {
        lua_rawgeti(L, index, i);
        rights |= right_named(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    return rights;
}

void lua_rights_push(lua_State *L, uint32_t rights)
{
    lua_Integer n = 0;

    lua_newtable(L);
    for (int i = 0; i < N_RIGHTS; i++)
        if ((rights & (uint32_t)rights_rows[i].right) != 0) {
            lua_pushstring(L, rights_rows[i].name);
            lua_rawseti(L, -2, ++n);
        }
}

/* ---- giving it up -------------------------------------------------------------------------------------------------------------- */

void lua_handle_drop(struct lua_handle *h)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleDrop d = PB__HANDLE_DROP__INIT;

    lua_buffer_unmap(h);
    if (h->number == 0)
        return;
    d.handle = h->number;
    h->number = 0;
    a.body_case = PB__ASK__BODY_HANDLE_DROP;
    a.handle_drop = &d;
    if (!lua_job.closing) /* then all of them go with us */
        (void)ask_post(&a);
}

static struct lua_handle *any(lua_State *L)
{
    struct lua_handle *h = lua_handle_test(L, 1);

    luaL_argexpected(L, h != NULL, 1, "handle");
    return h;
}

static int handle_drop(lua_State *L)
{
    lua_handle_drop(any(L));
    return 0;
}

static int handle_gc(lua_State *L)
{
    struct lua_handle *h = any(L);

    if (h->kept)
        lua_buffer_unmap(h);
    else
        lua_handle_drop(h);
    return 0;
}

/* ---- what all have --------------------------------------------------------------------------------------------------------------- */

static int handle_id(lua_State *L)
{
    lua_pushstring(L, any(L)->id);
    return 1;
}

static int handle_kind(lua_State *L)
{
    lua_pushstring(L, lua_kind_name(any(L)->kind));
    return 1;
}

static int handle_rights(lua_State *L)
{
    lua_rights_push(L, any(L)->rights);
    return 1;
}

static int handle_name(lua_State *L)
{
    (void)any(L);
    lua_getiuservalue(L, 1, HANDLE_NAME);
    return 1;
}

/* Of the same thing, by whichever handles. */
static int handle_equal(lua_State *L)
{
    const struct lua_handle *a = lua_handle_test(L, 1), *b = lua_handle_test(L, 2);

    lua_pushboolean(L, a != NULL && b != NULL && a->kind == b->kind && a->id[0] != '\0' && strcmp(a->id, b->id) == 0);
    return 1;
}

static int handle_text(lua_State *L)
{
    const struct lua_handle *h = any(L);

    lua_pushfstring(L, "%s %s%s", lua_kind_name(h->kind), h->id, h->number == 0 ? " (dropped)" : "");
    return 1;
}

/* ---- objects ------------------------------------------------------------------------------------------------------------------- */

static void push_type(lua_State *L, const struct kind_row *row)
{
    static const luaL_Reg common[] = {
        {"id",          handle_id    },
        { "kind",       handle_kind  },
        { "rights",     handle_rights},
        { "name",       handle_name  },
        { "drop",       handle_drop  },
        { "__eq",       handle_equal },
        { "__tostring", handle_text  },
        { "__gc",       handle_gc    },
        { NULL,         NULL         }
    };

    if (luaL_getmetatable(L, row->type) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_task_type(L, row->type, common);
    luaL_getmetatable(L, row->type);
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &marker);
    if (row->methods == NULL)
        return;
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, row->methods, 0);
    lua_pop(L, 1);
}

struct lua_handle *lua_handle_push(lua_State *L, const Pb__Handle *h)
{
    struct lua_handle *made;

    luaL_checkstack(L, 6, NULL);
    lua_task_start(L);
    made = lua_newuserdatauv(L, sizeof(*made), HANDLE_VALUES);
    memset(made, 0, sizeof(*made));
    made->forks = forks;
    made->kind = h->kind;
    made->rights = h->rights;
    made->bytes = h->bytes;
    snprintf(made->id, sizeof(made->id), "%s", h->id);
    lua_pushstring(L, h->name);
    lua_setiuservalue(L, -2, HANDLE_NAME);
    push_type(L, row_of(h->kind));
    made->number = h->handle;
    lua_setmetatable(L, -2);
    return made;
}

void lua_handles_forked(void)
{
    forks++;
}

/* Whatever it was, its number is the template's. */
static struct lua_handle *of_this_process(struct lua_handle *h)
{
    if (h->forks == forks)
        return h;
    h->forks = forks;
    h->number = 0;
    return h;
}

struct lua_handle *lua_handle_test(lua_State *L, int index)
{
    bool is;

    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    is = lua_rawgetp(L, -1, &marker) != LUA_TNIL;
    lua_pop(L, 2);
    return is ? of_this_process(lua_touserdata(L, index)) : NULL;
}

struct lua_handle *lua_handle_check(lua_State *L, int index, Pb__Kind kind)
{
    struct lua_handle *h = lua_handle_test(L, index);

    luaL_argexpected(L, h != NULL && h->kind == kind, index, lua_kind_name(kind));
    luaL_argcheck(L, h->number != 0, index, "it was dropped");
    return h;
}

void lua_handle_ref(const struct lua_handle *h, Pb__Ref *ret)
{
    pb__ref__init(ret);
    ret->handle = h->number;
}
