/*
 * mod_interpreters.c - see mod.h: require "coop.interpreters".
 *
 * A method's first argument is the interpreter; every one that waits parks its tasklet alone.
 */
#include "worker/engines/lua/mod.h"

#include <string.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"

static const struct lua_handle *self(lua_State *L, Pb__Ref *ret_ref)
{
    const struct lua_handle *h = lua_handle_check(L, 1, PB__KIND__KIND_INTERP);

    lua_handle_ref(h, ret_ref);
    return h;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------------- */

/* The function's name is at index, its arguments are above it. Pushes the asking, sent. */
static struct lua_asking *send_call(lua_State *L, int index, int64_t timeout)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpCall c = PB__INTERP_CALL__INIT;
    Pb__Ref ref;
    int n = lua_gettop(L) - index;
    struct lua_asking *s;

    (void)self(L, &ref);
    c.interp = &ref;
    c.function = (char *)luaL_checkstring(L, index);
    c.timeout_us = (uint64_t)timeout;
    s = lua_asking_new(L, 1);
    lua_asking_pack_list(L, &s->packed[0], index + 1, n, "args");
    c.args = packed_message(&s->packed[0]);
    if (c.args == NULL)
        lua_task_no_memory(L);
    a.body_case = PB__ASK__BODY_INTERP_CALL;
    a.interp_call = &c;
    lua_asking_send(L, s, &a);
    return s;
}

/* call(name, ...) -> its value */
static int interp_call(lua_State *L)
{
    return lua_result_of(L, send_call(L, 2, 0));
}

/* call_for(seconds, name, ...): no longer than that; then it is interrupted, and TimedOut is raised. */
static int interp_call_for(lua_State *L)
{
    luaL_checknumber(L, 2);
    return lua_result_of(L, send_call(L, 3, lua_asking_limit(L, 2)));
}

/* call_async(name, ...) -> a future */
static int interp_call_async(lua_State *L)
{
    (void)send_call(L, 2, 0);
    lua_future_new(L);
    return 1;
}

/* exec(source [, seconds [, name]]); name: for messages. Pushes the asking, sent. */
static struct lua_asking *send_exec(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpExec e = PB__INTERP_EXEC__INIT;
    Pb__Ref ref;
    struct lua_asking *s;

    (void)self(L, &ref);
    e.interp = &ref;
    e.source.data = (uint8_t *)luaL_checklstring(L, 2, &e.source.len);
    e.timeout_us = (uint64_t)lua_asking_limit(L, 3);
    e.source_name = (char *)luaL_optstring(L, 4, "exec");
    s = lua_asking_new(L, 0);
    a.body_case = PB__ASK__BODY_INTERP_EXEC;
    a.interp_exec = &e;
    lua_asking_send(L, s, &a);
    return s;
}

static int interp_exec(lua_State *L)
{
    return lua_result_of(L, send_exec(L));
}

static int interp_exec_async(lua_State *L)
{
    (void)send_exec(L);
    lua_future_new(L);
    return 1;
}

/* prepare_main(names [, seconds]): each field of the table is a global there. */
static int interp_prepare(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpPrepare p = PB__INTERP_PREPARE__INIT;
    Pb__Ref ref;
    struct lua_asking *s;

    (void)self(L, &ref);
    luaL_checktype(L, 2, LUA_TTABLE);
    p.interp = &ref;
    p.timeout_us = (uint64_t)lua_asking_limit(L, 3);
    s = lua_asking_new(L, 1);
    lua_asking_pack(L, &s->packed[0], 2, "names");
    p.names = packed_message(&s->packed[0]);
    if (p.names == NULL)
        lua_task_no_memory(L);
    a.body_case = PB__ASK__BODY_INTERP_PREPARE;
    a.interp_prepare = &p;
    (void)lua_asking_do(L, s, &a);
    lua_asking_end(L, s);
    return 0;
}

/* ---- its life ---------------------------------------------------------------------------------------------------------------------- */

/* Which message, that message and its own Ref: the interpreter that is the first argument is meant. All bodies of an Ask are pointers in one place. */
static int done_about(lua_State *L, Pb__Ask__BodyCase which, void *message, Pb__Ref **ref_of_message)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__Ref ref;

    (void)self(L, &ref);
    *ref_of_message = &ref;
    a.body_case = which;
    a.interp_info = message;
    lua_ask_done(L, &a);
    return 0;
}

static int interp_interrupt(lua_State *L)
{
    Pb__InterpInterrupt m = PB__INTERP_INTERRUPT__INIT;

    return done_about(L, PB__ASK__BODY_INTERP_INTERRUPT, &m, &m.interp);
}

static int interp_close(lua_State *L)
{
    Pb__InterpClose m = PB__INTERP_CLOSE__INIT;

    return done_about(L, PB__ASK__BODY_INTERP_CLOSE, &m, &m.interp);
}

static int interp_kill(lua_State *L)
{
    Pb__InterpKill m = PB__INTERP_KILL__INIT;

    return done_about(L, PB__ASK__BODY_INTERP_KILL, &m, &m.interp);
}

static int interp_reset(lua_State *L)
{
    Pb__InterpReset m = PB__INTERP_RESET__INIT;

    return done_about(L, PB__ASK__BODY_INTERP_RESET, &m, &m.interp);
}

static int link_or_not(lua_State *L, bool undo)
{
    Pb__InterpLink m = PB__INTERP_LINK__INIT;

    m.undo = undo;
    return done_about(L, PB__ASK__BODY_INTERP_LINK, &m, &m.interp);
}

/* link(): when one of the two ends otherwise than well, so does the other. */
static int interp_link(lua_State *L)
{
    return link_or_not(L, false);
}

static int interp_unlink(lua_State *L)
{
    return link_or_not(L, true);
}

/* Pushes the status that an ask is answered with. */
static int status_of(lua_State *L, Pb__Ask *a)
{
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__Answer *answer = lua_asking_do(L, s, a);

    if (answer->body_case != PB__ANSWER__BODY_INTERP)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    lua_interp_push_status(L, answer->interp);
    lua_asking_end(L, s);
    return 1;
}

static int ask_info(lua_State *L, Pb__Ref *ref)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpInfo m = PB__INTERP_INFO__INIT;

    m.interp = ref;
    a.body_case = PB__ASK__BODY_INTERP_INFO;
    a.interp_info = &m;
    return status_of(L, &a);
}

static int interp_info(lua_State *L)
{
    Pb__Ref ref;

    (void)self(L, &ref);
    return ask_info(L, &ref);
}

/* wait([seconds]) -> how it ended, once it has: a monitor. */
static int interp_wait(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpWait m = PB__INTERP_WAIT__INIT;
    Pb__Ref ref;

    (void)self(L, &ref);
    m.interp = &ref;
    m.timeout_us = (uint64_t)lua_asking_timeout(L, 2, 0);
    if (m.timeout_us == 0 && !lua_isnoneornil(L, 2))
        m.timeout_us = 1;
    a.body_case = PB__ASK__BODY_INTERP_WAIT;
    a.interp_wait = &m;
    return status_of(L, &a);
}

static int interp_is_running(lua_State *L)
{
    (void)interp_info(L);
    lua_getfield(L, -1, "state");
    lua_pushboolean(L, lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "running") == 0);
    return 1;
}

static int interp_whence(lua_State *L)
{
    (void)interp_info(L);
    lua_getfield(L, -1, "whence");
    return 1;
}

/* clang-format off */
const luaL_Reg lua_interp_methods[] = {
    { "call", interp_call }, { "call_for", interp_call_for }, { "call_async", interp_call_async },
    { "exec", interp_exec }, { "exec_async", interp_exec_async }, { "prepare_main", interp_prepare },
    { "is_running", interp_is_running }, { "interrupt", interp_interrupt }, { "close", interp_close }, { "kill", interp_kill },
    { "reset", interp_reset }, { "info", interp_info }, { "wait", interp_wait }, { "link", interp_link }, { "unlink", interp_unlink },
    { "whence", interp_whence }, { NULL, NULL },
};
/* clang-format on */

/* ---- the module -------------------------------------------------------------------------------------------------------------------- */

/* list() -> what is known of each below this one */
static int list(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__InterpList m = PB__INTERP_LIST__INIT;
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__Answer *answer;

    a.body_case = PB__ASK__BODY_INTERP_LIST;
    a.interp_list = &m;
    answer = lua_asking_do(L, s, &a);
    lua_newtable(L);
    for (size_t i = 0; answer->body_case == PB__ANSWER__BODY_INTERPS && i < answer->interps->n_interps; i++) {
        lua_interp_push_status(L, answer->interps->interps[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_asking_end(L, s);
    return 1;
}

/* current() -> what is known of this one */
static int current(lua_State *L)
{
    Pb__Ref own = PB__REF__INIT;

    lua_settop(L, 0);
    return ask_info(L, &own);
}

/* is_shareable(v) -> whether it can be sent; else false and why, and where */
static int is_shareable(lua_State *L)
{
    struct packed p = { .cbor = NULL };
    struct packed_error e;
    int rc;

    luaL_checkany(L, 1);
    rc = lua_value_pack(L, 1, "value", &p, &e);
    packed_finish(&p);
    if (rc > 0)
        return lua_error(L);
    lua_pushboolean(L, rc == 0);
    if (rc == 0)
        return 1;
    lua_pushstring(L, e.message);
    lua_pushstring(L, e.path);
    return 3;
}

int lib_interpreters(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"create",        lua_interp_create},
        { "list",         list             },
        { "current",      current          },
        { "is_shareable", is_shareable     },
        { NULL,           NULL             }
    };

    lua_task_start(L);
    lua_newtable(L);
    luaL_setfuncs(L, functions, 0);
    lua_value_open(L);
    return 1;
}
