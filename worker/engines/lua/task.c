/* task.c - see task.h: tasklets, turns, joins, scopes, deadlock. */
#include "worker/engines/lua/task.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/*
 * A nested call through C takes up to 2.1 KiB (string.gsub), and Lua stops them at 200, or 220 while it handles an error: 460 KiB. So a
 * tasklet's count begins at BALLAST: 108 calls take 230 KiB, a pattern or a syntax error at their end 15 KiB more.
 */
enum { LUA_STACK = 256 << 10, BALLAST = 112, FINISH_STEPS = 1000000, TRACES_MAX = 100 };

/* User values of a tasklet: its Lua thread, and what it returned: the value, a table of several, or the error. */
enum { THREAD_SLOT = 1, RESULT_SLOT };

static struct lua_task main_task;
static const char bomb_key, anchors_key, ballast_key;
static lua_State *ballast;    /* counts BALLAST nested calls, for those that it resumes */
static size_t charged_stacks; /* bytes of them in lua_job.memory */
bool lua_task_finishing;

#define SCOPE_TYPE "coop.scope"

static const char cancelled_text[] = "cancelled";

/* ---- errors -------------------------------------------------------------------------------------------------------------------- */

static void add_line(void *ctx, const char *text)
{
    luaL_Buffer *b = ctx;

    luaL_addchar(b, '\n');
    luaL_addstring(b, text);
}

static int error_text(lua_State *L)
{
    lua_getfield(L, 1, "message");
    return 1;
}

/* An error object whose type the receipt shows. */
static int raise_typed(lua_State *L, const char *type)
{
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "message");
    lua_createtable(L, 0, 2);
    lua_pushstring(L, type);
    lua_setfield(L, -2, "__name");
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

static int raise_deadlock(lua_State *L)
{
    luaL_Buffer b;
    int left = TRACES_MAX;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, "Deadlock: the last runnable tasklet cannot be blocked.");
    sched_describe(add_line, &b, 0);
    for (const coop_task *t = sched->all; t != NULL && left > 0; t = t->all_next) {
        const struct lua_task *lt = t->engine;

        if (lt == NULL || t->state != TASK_BLOCKED)
            continue;
        lua_pushfstring(L, "\ntasklet %d %s", (int)t->id, t->name);
        luaL_traceback(L, lt->current, lua_tostring(L, -1), 0);
        lua_remove(L, -2);
        luaL_addvalue(&b);
        left--;
    }
    luaL_pushresult(&b);
    return raise_typed(L, "Deadlock");
}

/* An uncaught error of a tasklet that nobody joins, which main meets. */
static int raise_bomb(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &bomb_key) != LUA_TTABLE)
        return luaL_error(L, "interrupted");
    lua_rawgeti(L, -1, 1);
    lua_pushboolean(L, 0);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bomb_key);
    return lua_error(L);
}

/* Raises Lua's own memory error, which no script can mistake for another: nothing can be as large as this. */
static void no_memory(lua_State *L)
{
    lua_newuserdatauv(L, lua_job.memory.cap, 0);
}

/* The text alone, without a place: by that it is known again, as no failure of the tasklet's own. */
int lua_task_raise_cancelled(lua_State *L)
{
    lua_pushstring(L, cancelled_text);
    return lua_error(L);
}

int lua_task_failed(lua_State *L, int rc)
{
    switch (rc) {
    case -ETIMEDOUT:
    case -EAGAIN:
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
    case -EPIPE:
        lua_pushnil(L);
        lua_pushliteral(L, "closed");
        return 2;
    case -ECANCELED: return lua_task_raise_cancelled(L);
    case -EINTR: return raise_bomb(L);
    case -EDEADLK: return raise_deadlock(L);
    case -EPERM: return luaL_error(L, "this tasklet does not like to be blocked.");
    case -ENOMEM: no_memory(L); return 0;
    default: return luaL_error(L, "%s", strerror(-rc));
    }
}

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

/* While a finalizer runs there is no garbage collection, so it must not run for long; and Lua says so of no other time. */
bool lua_task_in_finalizer(lua_State *L)
{
    return lua_gc(L, LUA_GCCOUNT, 0) < 0;
}

void lua_task_may_switch(lua_State *L)
{
    if (lua_task_in_finalizer(L))
        luaL_error(L, "a finalizer cannot wait");
}

int64_t lua_task_deadline(lua_State *L, int index)
{
    lua_Number s;

    lua_task_may_switch(L);
    if (lua_isnoneornil(L, index))
        return COOP_NEVER;
    s = luaL_checknumber(L, index);
    if (!(s > 0))
        return 0;
    return s > 1e12 ? COOP_NEVER : coop_after((int64_t)ceil(s * 1e6));
}

intptr_t lua_task_ref(lua_State *L, int index)
{
    lua_pushvalue(L, index);
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

void lua_task_push_ref(lua_State *L, intptr_t word)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, word);
    luaL_unref(L, LUA_REGISTRYINDEX, (int)word);
}

/* Methods are in a table of their own: a script that could call __gc would. */
void lua_task_type(lua_State *L, const char *name, const luaL_Reg *methods)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    for (; methods->name != NULL; methods++) {
        lua_pushcfunction(L, methods->func);
        lua_setfield(L, methods->name[0] == '_' ? -3 : -2, methods->name);
    }
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

/* ---- memory -------------------------------------------------------------------------------------------------------------------- */

static bool is_room(size_t bytes)
{
    const struct lua_memory *m = &lua_job.memory;

    return m->used < m->cap && bytes <= m->cap - m->used;
}

void lua_task_charge(lua_State *L, size_t bytes)
{
    if (!is_room(bytes))
        lua_gc(L, LUA_GCCOLLECT);
    if (!is_room(bytes))
        no_memory(L);
    lua_job.memory.used += bytes;
}

void lua_task_discharge(size_t bytes)
{
    lua_job.memory.used -= bytes;
}

static bool is_stack_left(void)
{
    const struct stack_class *c = &sched->stacks.classes[stacks_class_of(LUA_STACK)];

    return c->n_free > 0 || c->fresh != c->fresh_end || is_room(LUA_STACK);
}

void lua_task_need_stack(lua_State *L)
{
    if (!is_stack_left())
        lua_gc(L, LUA_GCCOLLECT);
    if (!is_stack_left())
        no_memory(L);
}

/* Those that were ever handed out: they may hold pages for good, while the rest of what is mapped has none. */
void lua_task_charge_stacks(void)
{
    size_t bytes = sched->stacks.classes[stacks_class_of(LUA_STACK)].handed_out;

    lua_job.memory.used += bytes - charged_stacks;
    charged_stacks = bytes;
}

/* ---- the scheduler's side ------------------------------------------------------------------------------------------------------ */

static void on_switch(coop_task *from, coop_task *to)
{
    struct lua_task *leaves = from->engine, *comes = to->engine;

    if (leaves != NULL)
        leaves->current = lua_job.current;
    if (comes != NULL)
        lua_job.current = comes->current;
    if (lua_job.cancelled && lua_job.current != NULL)
        lua_job_hook(lua_job.current);
}

/* Anchored in a table of the registry: registry[anchors][userdata pointer] = userdata. */
void lua_task_anchor(lua_State *L, const void *p, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, p);
    lua_pop(L, 1);
}

void lua_task_let_go(lua_State *L, const void *p)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_pushnil(L);
    lua_rawsetp(L, -2, p);
    lua_pop(L, 1);
}

void lua_task_push_anchored(lua_State *L, const void *p)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchors_key);
    lua_rawgetp(L, -1, p);
    lua_remove(L, -2);
}

static bool is_bomb(lua_State *L)
{
    bool is = lua_rawgetp(L, LUA_REGISTRYINDEX, &bomb_key) == LUA_TTABLE;

    lua_pop(L, 1);
    return is;
}

/* The error on top goes to main, unless one is on its way already. */
static void send_bomb(lua_State *T)
{
    if (is_bomb(T))
        return;
    lua_createtable(T, 1, 0); /* so that the error may be nil */
    lua_pushvalue(T, -2);
    lua_rawseti(T, -2, 1);
    lua_rawsetp(T, LUA_REGISTRYINDEX, &bomb_key);
    if (sched->main.state == TASK_BLOCKED)
        task_wake(&sched->main, -EINTR);
}

/* As the job's own handler, but a string stays a string: the traceback belongs to it from here on. */
static int with_traceback(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, 1), cancelled_text) != 0)
        luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static bool was_cancelled(lua_State *T)
{
    return sched->current->cancelled && lua_type(T, -1) == LUA_TSTRING && strcmp(lua_tostring(T, -1), cancelled_text) == 0;
}

int lua_task_protected(lua_State *T, int n_results)
{
    lua_pushcfunction(T, with_traceback);
    lua_insert(T, 2);
    return lua_pcall(T, lua_gettop(T) - 3, n_results, 2);
}

int lua_task_resume(lua_State *T, lua_CFunction base, int n)
{
    int results;

    lua_pushcfunction(T, base);
    lua_insert(T, 1);
    lua_job.current = T;
    if (lua_job.cancelled)
        lua_job_hook(T);
    return lua_resume(T, ballast, n, &results);
}

/* Keeps the results above the handler, 3 and up, for those who join. */
static void keep_results(lua_State *T, struct lua_task *t)
{
    t->n_results = t->status == LUA_OK ? lua_gettop(T) - 2 : 1;
    if (t->n_results > 1) {
        lua_createtable(T, t->n_results, 0);
        lua_insert(T, 3);
        for (int i = t->n_results; i > 0; i--)
            lua_rawseti(T, 3, i);
    }
    if (t->n_results > 0)
        lua_setiuservalue(T, 1, RESULT_SLOT);
}

/* Of a tasklet's thread: the tasklet, its function, its arguments. */
static int base(lua_State *T)
{
    struct lua_task *t = lua_touserdata(T, 1);

    t->status = lua_task_protected(T, LUA_MULTRET);
    luaL_checkstack(T, LUA_MINSTACK, "too many results");
    if (t->status != LUA_OK && (t->forced || was_cancelled(T)))
        t->was_cancelled = true;
    else if (t->status != LUA_OK && !t->quiet && wait_empty(&sched->current->joiners))
        send_bomb(T);
    keep_results(T, t);
    return 0;
}

/* Nothing may be left on its thread, which the script may know: somebody could resume it. */
static int body(void *arg)
{
    struct lua_task *t = arg;
    lua_State *T = t->thread;
    int status = lua_task_resume(T, base, lua_gettop(T));

    if (status != LUA_OK) { /* too little memory for the results */
        t->status = status;
        t->n_results = 1;
        lua_resetthread(T);
        lua_task_push_anchored(T, t);
        lua_pushvalue(T, -2);
        lua_setiuservalue(T, -2, RESULT_SLOT);
    }
    t->ended = true;
    lua_task_let_go(T, t);
    lua_settop(T, 0);
    return t->status == LUA_OK ? 0 : t->was_cancelled ? -ECANCELED : -EINVAL;
}

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

struct lua_task *lua_task_spawn(lua_State *L, int first, bool quiet, coop_scope *scope)
{
    struct coop_attr attr = { .stack_size = LUA_STACK, .scope = scope };
    struct lua_task *t;
    int n, rc;

    luaL_checktype(L, first, LUA_TFUNCTION);
    if (lua_task_finishing)
        lua_task_raise_cancelled(L);
    lua_task_need_stack(L);
    n = lua_gettop(L) - first + 1;
    t = lua_newuserdatauv(L, sizeof(*t), RESULT_SLOT);
    *t = (struct lua_task){ .quiet = quiet };
    luaL_setmetatable(L, LUA_TASK_TYPE);
    t->thread = t->current = lua_newthread(L);
    lua_setiuservalue(L, -2, THREAD_SLOT);
    lua_insert(L, first); /* the tasklet, function, arguments */
    if (!lua_checkstack(t->thread, n + LUA_MINSTACK) || !lua_checkstack(L, 4))
        luaL_error(L, "too many arguments");
    lua_pushvalue(L, first);
    lua_xmove(L, t->thread, 1);
    lua_xmove(L, t->thread, n);
    lua_task_anchor(L, t, first);
    rc = coop_spawn(&t->task, body, t, &attr);
    if (rc != 0) {
        lua_task_let_go(L, t);
        if (rc == -ENOMEM)
            no_memory(L);
        luaL_error(L, rc == -EAGAIN ? "too many tasklets" : "%s", strerror(-rc));
    }
    t->task->engine = t;
    lua_task_charge_stacks();
    return t;
}

static struct lua_task *check(lua_State *L)
{
    return luaL_checkudata(L, 1, LUA_TASK_TYPE);
}

static int spawn(lua_State *L)
{
    lua_task_spawn(L, 1, false, NULL);
    return 1;
}

static int async(lua_State *L)
{
    lua_task_spawn(L, 1, true, NULL);
    return 1;
}

/* What the tasklet at index returned, or its error. */
static int results(lua_State *L, int index)
{
    const struct lua_task *t = lua_touserdata(L, index);
    int n = t->n_results;

    index = lua_absindex(L, index);
    luaL_checkstack(L, n + 2, "too many results");
    lua_getiuservalue(L, index, RESULT_SLOT);
    if (t->status != LUA_OK)
        return lua_error(L);
    for (int i = 1; n > 1 && i <= n; i++)
        lua_rawgeti(L, -i, i);
    return n;
}

static int task_join(lua_State *L)
{
    struct lua_task *t = check(L);
    int rc;

    if (t->task == NULL && !t->ended)
        return luaL_error(L, "the main tasklet cannot be joined");
    if (t->task == sched->current)
        return luaL_error(L, "a tasklet cannot join itself");
    if (t->task != NULL) {
        rc = coop_join(t->task, NULL, lua_task_deadline(L, 2));
        if (rc == -EBUSY)
            return luaL_error(L, "another tasklet joins it already");
        if (rc != 0)
            return lua_task_failed(L, rc);
        t->task = NULL;
    }
    return results(L, 1);
}

static int task_cancel(lua_State *L)
{
    const struct lua_task *t = check(L);

    if (t->task != NULL)
        coop_cancel(t->task);
    return 0;
}

static int task_status(lua_State *L)
{
    const struct lua_task *t = check(L);
    const coop_task *c = t == &main_task ? &sched->main : t->task;

    if (t->ended)
        lua_pushstring(L, t->status == LUA_OK ? "done" : "failed");
    else if (c == sched->current)
        lua_pushliteral(L, "running");
    else
        lua_pushstring(L, coop_blocked(c) ? "blocked" : "runnable");
    return 1;
}

static int task_run(lua_State *L)
{
    const struct lua_task *t = check(L);
    int rc;

    lua_task_may_switch(L);
    rc = t->task != NULL ? coop_yield_to(t->task) : -EINVAL;
    if (rc == -EINVAL)
        return luaL_error(L, "only a runnable tasklet can be run");
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int task_id(lua_State *L)
{
    const struct lua_task *t = check(L);

    lua_pushinteger(L, t->task != NULL ? (lua_Integer)coop_id(t->task) : 0);
    return 1;
}

static int task_gc(lua_State *L)
{
    struct lua_task *t = check(L);

    if (t->task != NULL && sched != NULL && t->ended)
        coop_detach(t->task);
    t->task = NULL;
    return 0;
}

static int self(lua_State *L)
{
    if (sched->current == &sched->main)
        return 0; /* nil: main is no value that could be joined */
    lua_task_push_anchored(L, sched->current->engine);
    return lua_isuserdata(L, -1) && luaL_testudata(L, -1, LUA_TASK_TYPE) != NULL;
}

/* ---- turns --------------------------------------------------------------------------------------------------------------------- */

static int bomb_is_here(lua_State *L)
{
    return sched->current == &sched->main && is_bomb(L);
}

static int yield(lua_State *L)
{
    int rc;

    lua_task_may_switch(L);
    rc = coop_yield();
    if (rc == 0 && bomb_is_here(L))
        rc = -EINTR;
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int sleep_for(lua_State *L)
{
    int rc;

    luaL_checknumber(L, 1);
    rc = coop_sleep_until(lua_task_deadline(L, 1));
    return rc == 0 ? 0 : lua_task_failed(L, rc);
}

static int run(lua_State *L)
{
    int rc;

    if (sched->current != &sched->main)
        return luaL_error(L, "only the main tasklet can run the others");
    rc = bomb_is_here(L) ? -EINTR : coop_run(lua_task_deadline(L, 1));
    if (rc == 0 && bomb_is_here(L))
        rc = -EINTR;
    if (rc != 0)
        return lua_task_failed(L, rc);
    lua_pushboolean(L, 1);
    return 1;
}

static int now(lua_State *L)
{
    lua_pushnumber(L, (lua_Number)coop_now() / 1e6);
    return 1;
}

static int cancelled(lua_State *L)
{
    lua_pushboolean(L, coop_cancelled() != 0);
    return 1;
}

/* shield(f, ...): a cancellation waits until f has returned. */
static int shield(lua_State *L)
{
    int status;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    coop_shield(true);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    coop_shield(false);
    return status == LUA_OK ? lua_gettop(L) : lua_error(L);
}

static int stats(lua_State *L)
{
    struct coop_stats s;

    coop_get_stats(&s);
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, (lua_Integer)s.switches);
    lua_setfield(L, -2, "switches");
    lua_pushinteger(L, (lua_Integer)s.spawned);
    lua_setfield(L, -2, "spawned");
    lua_pushinteger(L, (lua_Integer)s.ended);
    lua_setfield(L, -2, "ended");
    lua_pushinteger(L, (lua_Integer)s.alive);
    lua_setfield(L, -2, "alive");
    lua_pushinteger(L, (lua_Integer)s.peak);
    lua_setfield(L, -2, "peak");
    lua_pushinteger(L, (lua_Integer)s.runnable);
    lua_setfield(L, -2, "runnable");
    return 1;
}

static int backtrace(lua_State *L)
{
    luaL_Buffer b;

    luaL_buffinit(L, &b);
    luaL_addstring(&b, "tasklets:");
    sched_describe(add_line, &b, 0);
    luaL_pushresult(&b);
    return 1;
}

/* gather(t, ...): joins them all, and returns the first result of each. */
static int gather(lua_State *L)
{
    int n = lua_gettop(L);

    for (int i = 1; i <= n; i++)
        luaL_checkudata(L, i, LUA_TASK_TYPE);
    for (int i = 1; i <= n; i++) {
        lua_pushcfunction(L, task_join);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
    }
    return n;
}

/* ---- scopes -------------------------------------------------------------------------------------------------------------------- */

struct lua_scope {
    coop_scope *scope; /* NULL: closed */
    bool cancelled;    /* by the script */
};

static int scope_spawn(lua_State *L)
{
    const struct lua_scope *s = luaL_checkudata(L, 1, SCOPE_TYPE);

    if (s->scope == NULL)
        return luaL_error(L, "the scope is closed");
    lua_task_spawn(L, 2, true, s->scope);
    lua_getiuservalue(L, 1, 1); /* the children: where a failed one's error is found */
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
    lua_pop(L, 1);
    return 1;
}

static int scope_cancel(lua_State *L)
{
    struct lua_scope *s = luaL_checkudata(L, 1, SCOPE_TYPE);

    s->cancelled = true;
    if (s->scope != NULL)
        coop_scope_cancel(s->scope);
    return 0;
}

/* The error of the child whose failure was first; it lies on its thread, which children (a table) holds. */
static int raise_failure(lua_State *L, uint64_t id, int children)
{
    lua_Integer n = luaL_len(L, children);

    for (lua_Integer i = 1; i <= n; i++) {
        struct lua_task *t;

        lua_rawgeti(L, children, i);
        t = luaL_testudata(L, -1, LUA_TASK_TYPE);
        if (t != NULL && t->ended && t->status != LUA_OK && (t->task == NULL || coop_id(t->task) == id))
            return results(L, -1);
        lua_pop(L, 1);
    }
    return luaL_error(L, "a tasklet of the scope failed");
}

/* Children are cancelled without anybody's failure at the scope's deadline only, or by s:cancel(). */
static bool any_cancelled(lua_State *L, int children)
{
    lua_Integer n = luaL_len(L, children);
    bool any = false;

    for (lua_Integer i = 1; i <= n && !any; i++) {
        const struct lua_task *t;

        lua_rawgeti(L, children, i);
        t = lua_touserdata(L, -1);
        any = t->ended && t->status != LUA_OK;
        lua_pop(L, 1);
    }
    return any;
}

/*
 * scope(f [, seconds]): calls f(s); s:spawn(g, ...) makes children. Returns true when f and all children have ended. An error of f or
 * of a child cancels the rest and is raised here. After the seconds all are cancelled: nil, "timeout".
 */
static int scope(lua_State *L)
{
    int64_t deadline = lua_task_deadline(L, 2);
    const struct coop_failure *list;
    struct lua_scope *s;
    uint64_t failed = 0;
    int status, rc;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    s = lua_newuserdatauv(L, sizeof(*s), 1); /* 2 */
    *s = (struct lua_scope){ .scope = NULL };
    luaL_setmetatable(L, SCOPE_TYPE);
    lua_newtable(L); /* 3 */
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, 2, 1);
    rc = coop_scope_new(&s->scope, deadline);
    if (rc != 0)
        return lua_task_failed(L, rc);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    status = lua_pcall(L, 1, 0, 0);
    rc = status == LUA_OK ? coop_scope_join(s->scope, COOP_NEVER) : 0;
    if (coop_scope_failures(s->scope, &list) > 0)
        failed = list[0].task;
    while (coop_scope_close(s->scope) == -EINTR)
        ; /* a bomb woke it: the children have not ended yet */
    s->scope = NULL;
    if (status != LUA_OK)
        return lua_error(L);
    if (failed != 0)
        return raise_failure(L, failed, 3);
    if (rc != 0)
        return lua_task_failed(L, rc);
    if (any_cancelled(L, 3)) {
        lua_pushnil(L);
        lua_pushstring(L, s->cancelled ? "cancelled" : "timeout");
        return 2;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- the module ---------------------------------------------------------------------------------------------------------------- */

void lua_task_interrupt(void)
{
    if (sched != NULL)
        sched_interrupt(sched);
}

/* It has had its time to clean up. */
static void on_late(lua_State *L, lua_Debug *ar)
{
    struct lua_task *t = sched->current->engine;

    (void)ar;
    if (t != NULL)
        t->forced = true;
    lua_job_hook(L);
}

int lua_task_late_error(lua_State *L)
{
    return sched != NULL && bomb_is_here(L) ? raise_bomb(L) : 0;
}

static void end_soon(coop_task *t)
{
    const struct lua_task *lt = t->engine;

    coop_cancel(t);
    if (lt != NULL)
        lua_sethook(lt->current, on_late, LUA_MASKCOUNT, FINISH_STEPS);
}

void lua_task_finish(void)
{
    if (sched == NULL)
        return;
    lua_task_finishing = true;
    for (coop_task *t = sched->all; t != NULL; t = t->all_next)
        if (t->state != TASK_ENDED)
            end_soon(t);
    sched->main.cancelled = false;
    while (coop_run(COOP_NEVER) == -EINTR) /* an error came to main, once: it is there for lua_task_late_error() */
        ;
    coop_switch_trap(1); /* finalizers come next; those that are left must not run among them */
}

/* Lua counts nested calls on from whoever resumes, and a thread keeps its count: two that resume each other in turn get anywhere. */
static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

static void make_ballast(lua_State *L)
{
    lua_State *pair[2];
    int n;

    lua_createtable(L, 2, 0);
    for (int i = 0; i < 2; i++) {
        pair[i] = lua_newthread(L);
        lua_rawseti(L, -2, i + 1);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &ballast_key);
    for (int i = 0; i < BALLAST; i++) {
        lua_pushcfunction(pair[i % 2], nothing);
        lua_resume(pair[i % 2], i > 0 ? pair[(i + 1) % 2] : NULL, 0, &n);
    }
    ballast = pair[(BALLAST - 1) % 2];
}

static void start(lua_State *L)
{
    static const struct coop_options options = { .stack_size = LUA_STACK };

    if (sched != NULL)
        return;
    make_ballast(L);
    lua_pushboolean(L, 0); /* there from now on: setting it takes no memory */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &bomb_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &anchors_key);
    if (coop_init(&options) != 0)
        luaL_error(L, "not enough memory");
    main_task.current = main_task.thread = lua_job.main;
    sched->main.engine = &main_task;
    sched_on_switch(on_switch);
}

int lib_coop(lua_State *L)
{
    static const luaL_Reg task_methods[] = {
        {"join",    task_join  },
        { "cancel", task_cancel},
        { "status", task_status},
        { "run",    task_run   },
        { "id",     task_id    },
        { "__gc",   task_gc    },
        { NULL,     NULL       }
    };
    static const luaL_Reg scope_methods[] = {
        {"spawn",   scope_spawn },
        { "cancel", scope_cancel},
        { NULL,     NULL        }
    };
    static const luaL_Reg functions[] = {
        {"spawn",      spawn    },
        { "async",     async    },
        { "yield",     yield    },
        { "sleep",     sleep_for},
        { "run",       run      },
        { "now",       now      },
        { "self",      self     },
        { "cancelled", cancelled},
        { "shield",    shield   },
        { "gather",    gather   },
        { "scope",     scope    },
        { "stats",     stats    },
        { "backtrace", backtrace},
        { NULL,        NULL     }
    };

    start(L);
    lua_task_type(L, LUA_TASK_TYPE, task_methods);
    lua_task_type(L, SCOPE_TYPE, scope_methods);
    luaL_newlib(L, functions);
    lua_task_open_channels(L);
    lua_task_open_locks(L);
    lua_task_open_slices(L);
    return 1;
}
