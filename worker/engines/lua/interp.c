/*
 * interp.c - see job.h and worker/engine.h: the Lua engine as one of interpreters. Calls run on the main tasklet, one after another, in one
 * state.
 *
 * Tasklets: those that a call leaves behind go on, while nobody calls and during later calls. What one of them dies of is no later call's
 *           error: it is printed.
 * Interrupt: is the job's cancel, for a while: it ends what main does and the tasklets that this call has made, and no others.
 * Memory:   at the limit a call fails with "not enough memory"; then the garbage goes, and the state lives on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call_errors.h"
#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/sl.h"
#include "worker/engines/lua/value.h"
#include "worker/interp.h"

/* ---- interrupts ---------------------------------------------------------------------------------------------------------------- */

static bool is_of_this_call(const struct lua_task *t)
{
    return t != NULL && t->call == lua_task_main.call;
}

/* Main is in no tasklet's userdata, and without tasklets it is all there is. */
static bool runs_this_call(void)
{
    return sched == NULL || sched->current == &sched->main || is_of_this_call(sched->current->engine);
}

static void raise_interrupt(lua_State *L)
{
    if (sched == NULL || sched->current == &sched->main)
        luaL_error(L, "interrupted");
    (void)coop_cancel(sched->current);
    lua_task_raise_cancelled(L);
}

/* Of one that goes on: those that are to end get their turn. Its hook comes back with each of its turns until they have. */
static void make_way(lua_State *L)
{
    if (sched->current->atomic || sched->switch_trap > 0 || lua_task_in_finalizer(L))
        return;
    lua_sethook(L, NULL, 0, 0);
    (void)coop_yield();
}

void lua_interp_on_hook(lua_State *L)
{
    if (!lua_job.cancelled)
        lua_sethook(L, NULL, 0, 0); /* left from a call that is over */
    else if (runs_this_call())
        raise_interrupt(L);
    else
        make_way(L);
}

void lua_interp_on_interrupt(void)
{
    if (!lua_job.cancelled)
        return;
    for (coop_task *t = sched->all; t != NULL; t = t->all_next)
        if (t->state != TASK_ENDED && is_of_this_call(t->engine)) {
            t->shield = 0;
            (void)coop_cancel(t);
        }
    sched->main.shield = 0;
    (void)coop_cancel(&sched->main);
}

/* ---- a call's begin and end ------------------------------------------------------------------------------------------------------ */

static void print_late_errors(lua_State *L)
{
    lua_pushcfunction(L, lua_task_print_late_errors);
    if (lua_pcall(L, 0, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* too little memory for it */
}

static void enter_call(void)
{
    lua_task_main.call = ++lua_job.calls;
}

/* Nothing interrupts it any more; what an interrupt has left is taken back. */
static void leave_call(lua_State *L)
{
    (void)interp_call_is_over();
    lua_job.cancelled = 0;
    lua_job.current = L;
    lua_sethook(L, NULL, 0, 0);
    if (sched != NULL) {
        sched->main.cancelled = false;
        sched->interrupted = 0;
    }
    print_late_errors(L);
    lua_task_main.call = 0;
    lua_settop(L, 0);
}

/* ---- what is called -------------------------------------------------------------------------------------------------------------- */

/* "a.b.c": a field of a field of a global, by raw or by __index. Pushes it. name -> value */
static int find_function(lua_State *L)
{
    const char *name = lua_tostring(L, 1), *dot;

    lua_pushglobaltable(L);
    for (; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
        lua_pushlstring(L, name, (size_t)(dot - name));
        lua_gettable(L, -2);
        if (!lua_istable(L, -1) && luaL_getmetafield(L, -1, "__index") == LUA_TNIL) {
            lua_pushnil(L);
            return 1;
        }
        if (!lua_istable(L, -1))
            lua_pop(L, 1);
    }
    lua_getfield(L, -1, name);
    return 1;
}

static bool is_callable(lua_State *L, int index)
{
    if (lua_isfunction(L, index))
        return true;
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

/* Call -> its function and its arguments */
static int find_call(lua_State *L)
{
    const Pb__Call *c = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_pushcfunction(L, find_function);
    lua_pushstring(L, c->function);
    lua_call(L, 1, 1);
    if (!is_callable(L, 1)) {
        lua_pushfstring(L, "there is no function '%s' in this interpreter", c->function);
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_NO_FUNCTION, lua_tostring(L, -1));
    }
    return 1 + lua_value_push_each(L, c->args);
}

/* Call: each name of a map is a global from now on. */
static int prepare(lua_State *L)
{
    const Pb__Call *c = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_value_push(L, c->args);
    if (!lua_istable(L, 1))
        return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "what is prepared is a map of names to values");
    lua_pushglobaltable(L);
    for (lua_pushnil(L); lua_next(L, 1) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            return lua_call_raise(L, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "a name is text");
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 2);
    }
    return 0;
}

/* ---- what comes of it ------------------------------------------------------------------------------------------------------------ */

static void copy_field(lua_State *L, const char *field, char *into, size_t size)
{
    size_t len;
    const char *text;

    lua_pushstring(L, field);
    lua_rawget(L, -2);
    text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &len) : NULL;
    if (text != NULL)
        outcome_text(into, size, text, len);
    lua_pop(L, 1);
}

/* One of ours, before the tenant's code had its turn, fails the call as what it is. The error is on top. */
static void report_early(lua_State *L, int status, struct call_outcome *o)
{
    if (status == LUA_ERRRUN && lua_type(L, -1) == LUA_TTABLE) {
        copy_field(L, "type", o->type, sizeof(o->type));
        copy_field(L, "message", o->message, sizeof(o->message));
        o->failure = call_error_find(o->type);
    }
    if (o->failure != PB__CALL_ERROR__CALL_ERROR_NONE)
        return;
    snprintf(lua_job.error_type, sizeof(lua_job.error_type), "error");
    lua_job.message_len = SIZE_MAX;
    lua_job_report_call(L, status, o);
}

/* The results are from 2 on, behind the handler: none: null; one: itself; several: a list of them. */
static void keep_results(lua_State *L, struct call_outcome *o)
{
    struct packed_error e;
    int n = lua_gettop(L) - 1, rc = 0;

    if (n == 1)
        rc = lua_value_pack(L, 2, "result", &o->value, &e);
    else if (n > 1)
        rc = lua_value_pack_list(L, 2, n, "result", &o->value, &e);
    if (rc > 0) {
        report_early(L, rc, o);
        return;
    }
    if (rc == 0)
        rc = packed_fit(&o->value, "result", &e);
    if (rc == 0)
        return;
    if (rc != -1 && rc != -EBADMSG) { /* cancelled, as an interrupt does it, or no memory */
        e.error = PB__CALL_ERROR__CALL_ERROR_TEMPORARY;
        snprintf(e.message, sizeof(e.message), "%s", strerror(-rc));
        e.path[0] = '\0';
    }
    o->failure = e.error;
    memcpy(o->path, e.path, sizeof(o->path));
    outcome_text(o->message, sizeof(o->message), e.message, strlen(e.message));
}

/* With the function and its n arguments on the stack, from 1 on. */
static void run(lua_State *L, int n, struct call_outcome *o)
{
    int status;

    lua_pushcfunction(L, lua_job_on_error);
    lua_insert(L, 1);
    status = lua_pcall(L, n, LUA_MULTRET, 1);
    if (status == LUA_OK)
        keep_results(L, o);
    else
        lua_job_report_call(L, status, o);
}

static void begin_call(lua_State *L, const Pb__Call *c, struct call_outcome *o)
{
    const char *name = c->source_name[0] != '\0' ? c->source_name : "exec";
    int status = LUA_OK;

    switch (c->kind) {
    case PB__CALL_KIND__CALL_KIND_EXEC: status = lua_job_load(L, name, &c->source); break;
    case PB__CALL_KIND__CALL_KIND_CALL:
    case PB__CALL_KIND__CALL_KIND_PREPARE:
        lua_pushcfunction(L, c->kind == PB__CALL_KIND__CALL_KIND_CALL ? find_call : prepare);
        lua_pushlightuserdata(L, (void *)c);
        status = lua_pcall(L, 1, LUA_MULTRET, 0);
        break;
    default: o->failure = PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED; return;
    }
    if (status != LUA_OK)
        report_early(L, status, o);
    else if (c->kind != PB__CALL_KIND__CALL_KIND_PREPARE)
        run(L, lua_gettop(L) - 1, o);
}

static void interp_call(const Pb__Call *c, struct call_outcome *o)
{
    lua_State *L = lua_job.main;
    bool starved;

    enter_call();
    begin_call(L, c, o);
    starved = o->failure == PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED && strcmp(o->type, "memory") == 0;
    leave_call(L);
    if (starved)
        lua_gc(L, LUA_GCCOLLECT);
}

/* ---- the interpreter's own begin and end ----------------------------------------------------------------------------------------- */

static bool interp_begin(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    lua_State *L = lua_job.main;
    int status;

    lua_job.interpreter = true;
    if (sched != NULL) /* in its template already */
        sched->on_interrupt = lua_interp_on_interrupt;
    status = lua_job_begin(L, spec);
    enter_call();
    if (status == LUA_OK && spec->source.len > 0)
        status = lua_job_run_source(L, spec);
    if (status != LUA_OK)
        lua_job_report(L, status, ret_o);
    leave_call(L);
    return status == LUA_OK;
}

static void interp_woken(void)
{
    print_late_errors(lua_job.main);
}

/* An error of a finalizer is nobody's: Lua warns of it, and warnings are off. */
static void interp_close(struct outcome *ret_o)
{
    (void)ret_o;
    lua_task_finish();
    print_late_errors(lua_job.main);
    lua_job_close(lua_job.main);
}

/* clang-format off */
const struct interp_engine lua_interp = {
    .begin = interp_begin,
    .call = interp_call,
    .interrupt = lua_job_cancel,
    .woken = interp_woken,
    .close = interp_close,
};
/* clang-format on */
