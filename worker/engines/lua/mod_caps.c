/*
 * mod_caps.c - see mod.h: require "coop.caps": what this job was given, and giving less of it to others.
 *
 * What was granted by a name is the job's own: its object may be collected, and found again by that name.
 */
#include "worker/engines/lua/mod.h"

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"

static struct lua_handle *handle_at(lua_State *L, int index)
{
    struct lua_handle *h = lua_handle_test(L, index);

    luaL_argexpected(L, h != NULL, index, "handle");
    luaL_argcheck(L, h->number != 0, index, "it was dropped");
    return h;
}

static struct lua_handle *push_answer(lua_State *L, Pb__Ask *a)
{
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__Answer *answer = lua_asking_do(L, s, a);
    struct lua_handle *h;

    if (answer->body_case != PB__ANSWER__BODY_HANDLE)
        (void)lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    h = lua_handle_push(L, answer->handle);
    lua_asking_end(L, s);
    return h;
}

/* granted(name) -> what it was given by this name */
static int granted(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleGranted m = PB__HANDLE_GRANTED__INIT;

    m.name = (char *)luaL_checkstring(L, 1);
    a.body_case = PB__ASK__BODY_HANDLE_GRANTED;
    a.handle_granted = &m;
    push_answer(L, &a)->kept = true;
    return 1;
}

/* attenuate(object, rights [, prefix]) -> another of the same thing, with these rights at most; prefix: of kv, more of its keys' beginning */
static int attenuate(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleAttenuate m = PB__HANDLE_ATTENUATE__INIT;
    Pb__Ref ref;
    const struct lua_handle *h = handle_at(L, 1);

    lua_handle_ref(h, &ref);
    m.ref = &ref;
    m.kind = h->kind;
    luaL_checkany(L, 2);
    m.rights = lua_rights_check(L, 2);
    m.prefix = (char *)luaL_optstring(L, 3, "");
    a.body_case = PB__ASK__BODY_HANDLE_ATTENUATE;
    a.handle_attenuate = &m;
    (void)push_answer(L, &a);
    return 1;
}

/* revoke(object): everything that was derived from it, wherever it is, is dead from now on; itself is not. */
static int revoke_all(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleRevoke m = PB__HANDLE_REVOKE__INIT;
    Pb__Ref ref;
    const struct lua_handle *h = handle_at(L, 1);

    lua_handle_ref(h, &ref);
    m.ref = &ref;
    m.kind = h->kind;
    a.body_case = PB__ASK__BODY_HANDLE_REVOKE;
    a.handle_revoke = &m;
    lua_ask_done(L, &a);
    return 0;
}

static int drop(lua_State *L)
{
    struct lua_handle *h = lua_handle_test(L, 1);

    luaL_argexpected(L, h != NULL, 1, "handle");
    lua_handle_drop(h);
    return 0;
}

/* list() -> of each: name (of its grant), kind, id, rights, number */
static int list(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleList m = PB__HANDLE_LIST__INIT;
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__Answer *answer;

    a.body_case = PB__ASK__BODY_HANDLE_LIST;
    a.handle_list = &m;
    answer = lua_asking_do(L, s, &a);
    lua_newtable(L);
    for (size_t i = 0; answer->body_case == PB__ANSWER__BODY_HANDLES && i < answer->handles->n_handles; i++) {
        const Pb__Grant *g = answer->handles->handles[i];

        lua_createtable(L, 0, 5);
        lua_pushstring(L, g->name);
        lua_setfield(L, -2, "name");
        lua_pushstring(L, lua_kind_name(g->handle->kind));
        lua_setfield(L, -2, "kind");
        lua_pushstring(L, g->handle->id);
        lua_setfield(L, -2, "id");
        lua_rights_push(L, g->handle->rights);
        lua_setfield(L, -2, "rights");
        lua_pushinteger(L, (lua_Integer)g->handle->handle);
        lua_setfield(L, -2, "number");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_asking_end(L, s);
    return 1;
}

int lib_caps(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"granted",    granted   },
        { "attenuate", attenuate },
        { "revoke",    revoke_all},
        { "drop",      drop      },
        { "list",      list      },
        { NULL,        NULL      }
    };

    lua_task_start(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    return 1;
}
