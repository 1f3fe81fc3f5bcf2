/* task_life.c - see task.h: how a tasklet of Lua is made, runs on its C stack, ends, and is joined. */
#include "worker/engines/lua/sl.h"

#include <errno.h>
#include <string.h>

/* User values of a tasklet: its Lua thread; what it returned: the value, a table of several, or the error; and where that came from. */
enum { THREAD_SLOT = 1, RESULT_SLOT, TRACE_SLOT };

int lua_task_protected(lua_State *T, int n_results)
{
    lua_pushcfunction(T, lua_task_with_traceback);
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
    return lua_resume(T, lua_task_ballast, n, &results);
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

/* With its error on top: where that came from is kept too; and when nobody is there to join it, main has to meet both. */
static void keep_trace(lua_State *T, const struct lua_task *t)
{
    lua_task_push_trace(T, t);
    if (!t->quiet && wait_empty(&sched->current->joiners))
        lua_task_send_bomb(T);
    lua_setiuservalue(T, 1, TRACE_SLOT);
}

/* Of a tasklet's thread: the tasklet, its function, its arguments. */
static int base(lua_State *T)
{
    struct lua_task *t = lua_touserdata(T, 1);

    t->status = lua_task_protected(T, LUA_MULTRET);
    luaL_checkstack(T, LUA_MINSTACK, "too many results");
    if (t->status != LUA_OK && (t->forced || lua_task_was_cancelled(T)))
        t->was_cancelled = true;
    else if (t->status != LUA_OK)
        keep_trace(T, t);
    keep_results(T, t);
    lua_task_pass_bombs(T);
    return 0;
}

/* The callback is told while the tasklet is still there; from here on a collection may take it. */
void lua_task_leave(struct lua_task *t)
{
    lua_task_tell_end(t);
    lua_task_forget(t->thread, t);
    lua_task_forget_bombs(t->thread, t);
    lua_task_forget_trace(t->thread, t);
    lua_task_drop_permit(t->thread, sched->current);
    lua_task_leave_stack(t);
    sched->current->engine = &lua_task_nobody;
    lua_job.current = NULL;
}

/* Nothing may be left on its thread, which the script may know: somebody could resume it. */
static int body(void *arg)
{
    struct lua_task *t = arg;
    lua_State *T = t->thread;
    int status = lua_task_resume(T, base, lua_gettop(T));

    if (status != LUA_OK) { /* too little memory for the results, or the error */
        if (!t->quiet && !t->was_cancelled && wait_empty(&sched->current->joiners))
            lua_task_send_starved();
        t->status = status;
        t->n_results = 1;
        lua_resetthread(T);
        lua_task_push_anchored(T, t);
        lua_pushvalue(T, -2);
        lua_setiuservalue(T, -2, RESULT_SLOT);
    }
    t->ended = true;
    lua_settop(T, 0);
    lua_task_leave(t);
    lua_task_let_go(T, t);
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
    t = lua_newuserdatauv(L, sizeof(*t), TRACE_SLOT);
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
        lua_task_not_spawned(L, rc);
    }
    t->task->engine = t;
    lua_task_inherit(L, t);
    lua_task_took_stack(t->task, t);
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
int lua_task_results(lua_State *L, int index)
{
    const struct lua_task *t = lua_touserdata(L, index);
    int n = t->n_results;

    index = lua_absindex(L, index);
    luaL_checkstack(L, n + 2, "too many results");
    lua_getiuservalue(L, index, RESULT_SLOT);
    if (t->status != LUA_OK) {
        lua_getiuservalue(L, index, TRACE_SLOT);
        return lua_task_raise_met(L);
    }
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
    return lua_task_results(L, 1);
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
    const coop_task *c = t == &lua_task_main ? &sched->main : t->task;

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

/* name([text]) -> its name, at most 15 bytes of it */
static int task_name(lua_State *L)
{
    const struct lua_task *t = check(L);

    if (t->task == NULL)
        return luaL_error(L, "it has ended");
    if (!lua_isnoneornil(L, 2))
        strncpy(t->task->name, luaL_checkstring(L, 2), TASK_NAME - 1);
    lua_pushstring(L, coop_name(t->task));
    return 1;
}

/* wait_for(seconds): joins; after the seconds it is cancelled, and its end waited for: nil, "timeout". */
static int task_wait_for(lua_State *L)
{
    struct lua_task *t = check(L);
    int64_t deadline = lua_task_deadline(L, 2);
    int rc;

    if (t->task == NULL)
        return task_join(L);
    rc = coop_wait_for(t->task, NULL, deadline);
    if (rc == -EBUSY || rc == -EDEADLK)
        return task_join(L);
    if (rc == 0 || rc == -ETIMEDOUT)
        t->task = NULL;
    return rc == 0 ? lua_task_results(L, 1) : lua_task_failed(L, rc);
}

/* wait_first({t, ...} [, seconds]) -> the index of one that has ended, joined or not */
static int wait_first(lua_State *L)
{
    int64_t deadline = lua_task_deadline(L, 2);
    lua_Integer n;
    coop_task **tasks;
    int rc;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = luaL_len(L, 1);
    luaL_argcheck(L, n > 0 && n <= 1000000, 1, "a list of tasklets is needed");
    tasks = lua_newuserdatauv(L, (size_t)n * sizeof(*tasks), 1);
    lua_createtable(L, (int)n, 0); /* keeps them, whatever becomes of the list */
    for (int i = 0; i < n; i++) {
        const struct lua_task *t;

        lua_rawgeti(L, 1, i + 1);
        t = luaL_checkudata(L, -1, LUA_TASK_TYPE);
        lua_rawseti(L, -2, i + 1);
        tasks[i] = t->task;
        if (t->ended) {
            lua_pushinteger(L, i + 1);
            return 1;
        }
    }
    rc = coop_wait_first(tasks, (size_t)n, deadline);
    if (rc == -EDEADLK)
        return luaL_error(L, "a tasklet cannot join itself");
    if (rc < 0)
        return lua_task_failed(L, rc);
    lua_pushinteger(L, rc + 1);
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

void lua_task_open_tasklets(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"join",      task_join    },
        { "cancel",   task_cancel  },
        { "status",   task_status  },
        { "run",      task_run     },
        { "id",       task_id      },
        { "name",     task_name    },
        { "wait_for", task_wait_for},
        { "__gc",     task_gc      },
        { NULL,       NULL         }
    };
    static const luaL_Reg functions[] = {
        {"spawn",       spawn     },
        { "async",      async     },
        { "self",       self      },
        { "gather",     gather    },
        { "wait_first", wait_first},
        { NULL,         NULL      }
    };

    lua_task_type(L, LUA_TASK_TYPE, methods);
    luaL_setfuncs(L, functions, 0);
}
