/*
 * mod_alias.c - see mod.h: functions that a parent offers its child by name. The broker passes each call on and writes it down.
 *
 * A tasklet of the parent's asks for the next call and has each run in a tasklet of its own, so that one that waits keeps nobody waiting. It is
 * nobody's: coop.run() does not wait for it, no call's interrupt ends it. When the child has ended, or its object was dropped, so does it.
 */
#include "worker/engines/lua/mod.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call_errors.h"
#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"

/* ---- the child's side -------------------------------------------------------------------------------------------------------------- */

/* alias(name, ...) -> what the parent's function returns */
int lua_alias_call(lua_State *L)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__AliasCall c = PB__ALIAS_CALL__INIT;
    int n = lua_gettop(L) - 1;
    struct lua_asking *s;

    c.name = (char *)luaL_checkstring(L, 1);
    s = lua_asking_new(L, 1);
    lua_asking_pack_list(L, &s->packed[0], 2, n, "args");
    c.args = packed_message(&s->packed[0]);
    if (c.args == NULL)
        lua_task_no_memory(L);
    a.body_case = PB__ASK__BODY_ALIAS_CALL;
    a.alias_call = &c;
    lua_asking_send(L, s, &a);
    return lua_result_of(L, s);
}

/* ---- the parent's ------------------------------------------------------------------------------------------------------------------ */

static void say_done(Pb__AliasDone *d)
{
    Pb__Ask a = PB__ASK__INIT;

    a.body_case = PB__ASK__BODY_ALIAS_DONE;
    a.alias_done = d;
    (void)ask_post(&a); /* whether the caller is still there is no matter of ours */
}

/* The function has failed; its error, with a traceback, is on top. */
static void say_failed(lua_State *L, uint64_t number, int status)
{
    static struct call_outcome o; /* nobody switches before it is sent */
    Pb__AliasDone d = PB__ALIAS_DONE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;

    memset(&o, 0, sizeof(o));
    lua_job_report_call(L, status, &o);
    e.type = o.type;
    e.message = o.message;
    e.traceback = o.traceback;
    d.number = number;
    d.error = &e;
    say_done(&d);
}

static void say_unshareable(uint64_t number, const struct packed_error *why)
{
    Pb__AliasDone d = PB__ALIAS_DONE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;
    char text[VALUE_PATH + sizeof(why->message) + 4];

    snprintf(text, sizeof(text), "%s: %s", why->path, why->message);
    e.type = (char *)call_error(why->error)->name;
    e.message = text;
    d.number = number;
    d.error = &e;
    say_done(&d);
}

/* The results, from first on. */
static void say_value(lua_State *L, uint64_t number, int first)
{
    Pb__AliasDone d = PB__ALIAS_DONE__INIT;
    struct packed p = { .cbor = NULL };
    struct packed_error why;
    int n = lua_gettop(L) - first + 1, rc;

    rc = n == 1 ? lua_value_pack(L, first, "result", &p, &why) : n > 1 ? lua_value_pack_list(L, first, n, "result", &p, &why) : 0;
    if (rc == 0 && n > 0)
        rc = packed_fit(&p, "result", &why);
    if (rc > 0) {
        say_failed(L, number, LUA_ERRMEM);
    } else if (rc == -1 || rc == -EBADMSG) {
        say_unshareable(number, &why);
    } else if (rc < 0) { /* the job ends */
        packed_finish(&p);
        return;
    } else {
        d.number = number;
        d.value = packed_message(&p);
        say_done(&d);
    }
    packed_finish(&p);
}

/* A tasklet for one call: its number, the function or nil, its name, the arguments. */
static int run_one(lua_State *L)
{
    uint64_t number = (uint64_t)lua_tointeger(L, 1);
    int status;

    if (lua_isnil(L, 2)) {
        Pb__AliasDone d = PB__ALIAS_DONE__INIT;
        Pb__JobError e = PB__JOB_ERROR__INIT;

        e.type = (char *)"NoFunction";
        e.message = (char *)"there is no function behind this alias";
        d.number = number;
        d.error = &e;
        say_done(&d);
        return 0;
    }
    lua_remove(L, 3);
    lua_pushcfunction(L, lua_job_on_error);
    lua_replace(L, 1);
    status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 1);
    if (status == LUA_OK)
        say_value(L, number, 2);
    else
        say_failed(L, number, status);
    return 0;
}

/* functions, child's handle, where its number is while nobody answers it: the next call; spawns what does. Without a number: there is none any more. */
static int serve_next(lua_State *L)
{
    uint64_t *pulled = lua_touserdata(L, 3);
    Pb__Ask a = PB__ASK__INIT;
    Pb__AliasNext next = PB__ALIAS_NEXT__INIT;
    Pb__Ref ref = PB__REF__INIT;
    struct lua_asking *s = lua_asking_new(L, 0);
    const Pb__AliasInvocation *call;
    const Pb__Answer *answer;
    int first;

    ref.handle = (uint32_t)lua_tointeger(L, 2);
    next.interp = &ref;
    a.body_case = PB__ASK__BODY_ALIAS_NEXT;
    a.alias_next = &next;
    answer = lua_asking_do(L, s, &a);
    if (answer->body_case != PB__ANSWER__BODY_INVOCATION)
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the answer makes no sense");
    call = answer->invocation;
    *pulled = call->number;
    first = lua_gettop(L) + 1;
    lua_pushcfunction(L, run_one);
    lua_pushinteger(L, (lua_Integer)call->number);
    lua_getfield(L, 1, call->name);
    lua_pushstring(L, call->name);
    (void)lua_value_push_each(L, call->args);
    (void)lua_task_spawn(L, first, true, NULL);
    *pulled = 0;
    lua_asking_end(L, s);
    return 0;
}

/* The tasklet: functions, child's handle. A call whose arguments are none, or too many, is answered so; the next may do better. */
static int serve(lua_State *L)
{
    for (;;) {
        uint64_t pulled = 0;
        int status;

        lua_settop(L, 2);
        lua_pushcfunction(L, serve_next);
        lua_pushvalue(L, 1);
        lua_pushvalue(L, 2);
        lua_pushlightuserdata(L, &pulled);
        status = lua_pcall(L, 3, 0, 0);
        if (status != LUA_OK && pulled == 0)
            break;
        if (status != LUA_OK)
            say_failed(L, pulled, status);
    }
    if (!lua_task_finishing)
        sched->daemons--;
    return 0;
}

void lua_alias_serve(lua_State *L, int functions, const struct lua_handle *child)
{
    int first = lua_gettop(L) + 1;
    struct lua_task *t;

    functions = lua_absindex(L, functions);
    lua_pushcfunction(L, serve);
    lua_pushvalue(L, functions);
    lua_pushinteger(L, (lua_Integer)child->number);
    t = lua_task_spawn(L, first, true, NULL);
    t->call = 0;
    sched->daemons++;
    lua_pop(L, 1);
}
