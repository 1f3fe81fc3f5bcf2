/* sl_tasklet.c - see sl.h: tasklets of stackless: bound, run, taken out, and their end. */
#include "worker/engines/lua/sl.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char refs_key;     /* the list that struct lua_task's ref is an index of */
static const char wrappers_key; /* weak: [struct lua_task *] = userdata, of tasklets that stackless has not made */

const char sl_paused[] = "paused", sl_watching[] = "run";

struct sl_tasklet *sl_check(lua_State *L, int index)
{
    return luaL_checkudata(L, index, SL_TASKLET);
}

/* ---- what it is in ------------------------------------------------------------------------------------------------------------- */

bool sl_alive(const struct sl_tasklet *s)
{
    return s->t->thread != NULL && !s->t->ended;
}

bool sl_begun(const struct sl_tasklet *s)
{
    return s->t->task != NULL;
}

bool sl_floating(const struct lua_task *t)
{
    return t->task != NULL && t->task->state == TASK_BLOCKED && (t->task->why == sl_paused || t->task->why == sl_watching);
}

/* ---- as the script sees it ----------------------------------------------------------------------------------------------------- */

static struct sl_tasklet *new_userdata(lua_State *L)
{
    struct sl_tasklet *s = lua_newuserdatauv(L, sizeof(*s), SL_VALUES);

    memset(s, 0, sizeof(*s));
    s->own.own = true;
    s->t = &s->own;
    luaL_setmetatable(L, SL_TASKLET);
    return s;
}

/* Of a tasklet of coop's, a generator's, or main: its own userdata, if it has one, must outlive this. */
static void push_owner(lua_State *L, struct lua_task *t)
{
    if (t == &lua_task_main)
        lua_pushnil(L);
    else
        lua_task_push_anchored(L, t->generates ? lua_task_generator(t) : (void *)t);
}

void sl_push_refs(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &refs_key);
}

void sl_push(lua_State *L, struct lua_task *t)
{
    if (t == NULL || t == &lua_task_nobody) {
        lua_pushnil(L);
        return;
    }
    luaL_checkstack(L, 6, NULL);
    if (t->ref != 0) {
        sl_push_refs(L);
        lua_rawgeti(L, -1, t->ref);
        lua_remove(L, -2);
        return;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &wrappers_key);
    if (lua_rawgetp(L, -1, t) == LUA_TNIL) {
        struct sl_tasklet *s;

        lua_pop(L, 1);
        s = new_userdata(L);
        s->t = t;
        push_owner(L, t);
        lua_setiuservalue(L, -2, SL_OWNER);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, -3, t);
    }
    lua_remove(L, -2);
}

/* ---- binding ------------------------------------------------------------------------------------------------------------------- */

static bool is_callable(lua_State *L, int index)
{
    if (lua_isfunction(L, index))
        return true;
    if (luaL_getmetafield(L, index, "__call") == LUA_TNIL)
        return false;
    lua_pop(L, 1);
    return true;
}

/* The userdata at 1 gets a thread with its function and the n arguments on top, which are popped: it is alive. */
static void set_up(lua_State *L, struct sl_tasklet *s, int n)
{
    int first = lua_gettop(L) - n + 1;
    lua_State *T;

    if (lua_getiuservalue(L, 1, SL_TEMPVAL) == LUA_TNIL)
        sl_raise(L, SL_RUNTIME_ERROR, "the tasklet was not bound to a function");
    T = lua_newthread(L);
    lua_setiuservalue(L, 1, SL_THREAD);
    lua_insert(L, first);
    if (!lua_checkstack(T, n + LUA_MINSTACK))
        luaL_error(L, "too many arguments");
    lua_pushvalue(L, 1);
    lua_xmove(L, T, 1);
    lua_xmove(L, T, n + 1);
    s->own = (struct lua_task){ .own = true,
                                .thread = T,
                                .current = T,
                                .block_trap = s->own.block_trap,
                                .atomic = s->own.atomic,
                                .ignore_nesting = s->own.ignore_nesting };
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SL_TEMPVAL);
}

/* The list of arguments at index, a table or nil, spread on the stack. Returns how many. */
static int spread(lua_State *L, int index)
{
    lua_Integer n = 0;

    if (lua_isnil(L, index))
        return 0;
    if (lua_getfield(L, index, "n") == LUA_TNUMBER)
        n = lua_tointeger(L, -1);
    else
        n = luaL_len(L, index);
    lua_pop(L, 1);
    if (n < 0 || n > 1000000 || !lua_checkstack(L, (int)n + LUA_MINSTACK))
        luaL_error(L, "too many arguments");
    for (int i = 1; i <= n; i++)
        lua_geti(L, index, i);
    return (int)n;
}

static void may_bind(lua_State *L, const struct sl_tasklet *s)
{
    if (!lua_isnil(L, 2) && !is_callable(L, 2))
        sl_raise(L, SL_TYPE_ERROR, "tasklet function must be a callable or None");
    if (!lua_isnil(L, 3) && !lua_istable(L, 3))
        sl_raise(L, SL_TYPE_ERROR, "tasklet args must be a tuple or None");
    if (!lua_isnil(L, 4))
        sl_raise(L, SL_TYPE_ERROR, "tasklet kwargs: Lua has no keyword arguments");
    if (s->t == sched->current->engine)
        sl_raise(L, SL_RUNTIME_ERROR, "can't (re)bind the current tasklet");
    if (s->t == &lua_task_main)
        sl_raise(L, SL_RUNTIME_ERROR, "can't unbind the main tasklet");
    if (sl_begun(s) && !sl_floating(s->t))
        sl_raise(L, SL_RUNTIME_ERROR, "tasklet is scheduled");
    if (sl_begun(s) || s->t != &s->own)
        sl_raise(L, SL_RUNTIME_ERROR, "tasklet has C state on its stack");
}

/* bind([func [, args]]): with args it is alive, but paused; with neither it is unbound. */
static int bind(lua_State *L)
{
    struct sl_tasklet *s = sl_check(L, 1);

    lua_settop(L, 4);
    may_bind(L, s);
    if (!lua_isnil(L, 2) || lua_isnil(L, 3)) {
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, 1, SL_TEMPVAL);
    }
    s->own.thread = NULL;
    lua_pushnil(L);
    lua_setiuservalue(L, 1, SL_THREAD);
    if (!lua_isnil(L, 3))
        set_up(L, s, spread(L, 3));
    lua_settop(L, 1);
    return 1;
}

/* bind_thread([id]): there is one, 1, and every tasklet is bound to it. */
static int bind_thread(lua_State *L)
{
    const struct sl_tasklet *s = sl_check(L, 1);

    if (lua_isnoneornil(L, 2))
        return 0;
    if (sl_begun(s) && (s->t->task->state == TASK_READY || s->t->task->state == TASK_RUNNING))
        return sl_raise(L, SL_RUNTIME_ERROR, "can't (re)bind a runnable tasklet");
    if (sl_begun(s))
        return sl_raise(L, SL_RUNTIME_ERROR, "tasklet has C state on its stack");
    return luaL_checkinteger(L, 2) == 1 ? 0 : sl_raise(L, SL_VALUE_ERROR, "bad thread");
}

/* tasklet([func [, args]]) */
static int tasklet(lua_State *L)
{
    new_userdata(L);
    lua_insert(L, 1);
    return bind(L);
}

/* setup(...), or t(...): the arguments; it is at the end of the run queue then. */
static int setup(lua_State *L)
{
    struct sl_tasklet *s = sl_check(L, 1);

    if (sl_alive(s))
        return sl_raise(L, SL_RUNTIME_ERROR, "tasklet is alive");
    if (s->t != &s->own)
        return sl_raise(L, SL_RUNTIME_ERROR, "the tasklet was not bound to a function");
    set_up(L, s, lua_gettop(L) - 1);
    sl_begin(L, 1);
    return 1;
}

/* ---- its life ------------------------------------------------------------------------------------------------------------------ */

/* As coop's, and an error object of ours gets it as a field. */
static int with_traceback(lua_State *L)
{
    if (sl_is_a(L, 1, SL_TASKLET_EXIT))
        return 1;
    lua_task_with_traceback(L);
    if (!sl_is_a(L, 1, SL_EXCEPTION))
        return 1;
    lua_pushliteral(L, "traceback");
    if (lua_rawget(L, 1) == LUA_TNIL) {
        lua_pushliteral(L, "traceback");
        luaL_traceback(L, L, NULL, 1);
        lua_rawset(L, 1);
    }
    lua_settop(L, 1);
    return 1;
}

/* With an error on top that nobody caught: the innermost watchdog meets it, and runs next. */
static void carry_bomb(lua_State *T)
{
    struct lua_task *t = sl_watchdog();

    lua_task_push_trace(T, sched->current->engine);
    lua_task_send_bomb(T);
    lua_pop(T, 1);
    if (t->task->state == TASK_READY)
        ring_turn_to(t->task);
}

static bool has_failed(lua_State *T, int status, const struct lua_task *t)
{
    return status != LUA_OK && !t->forced && !sl_is_a(T, -1, SL_TASKLET_EXIT) && !lua_task_was_cancelled(T);
}

/* Of its thread: its userdata, its function, its arguments. */
static int base(lua_State *T)
{
    struct sl_tasklet *s = lua_touserdata(T, 1);
    int status;

    if (lua_task_finishing) /* its first turn comes too late */
        return 0;
    if (s->own.bombed) { /* thrown at before its first turn */
        lua_pushcfunction(T, lua_task_raise_bomb);
        status = lua_pcall(T, 0, 0, 0);
    } else {
        lua_pushcfunction(T, with_traceback);
        lua_insert(T, 2);
        status = lua_pcall(T, lua_gettop(T) - 3, 0, 2);
    }
    if (has_failed(T, status, &s->own) && !sl_handle(T))
        carry_bomb(T);
    lua_task_pass_bombs(T);
    return 0;
}

static int body(void *arg)
{
    struct sl_tasklet *s = arg;
    lua_State *T = s->own.thread;
    coop_task *task = s->own.task;
    int ref = s->own.ref;

    if (lua_task_resume(T, base, lua_gettop(T)) != LUA_OK)
        lua_task_send_starved();
    s->own.ended = true;
    s->own.task = NULL;
    lua_settop(T, 0);
    lua_task_leave(&s->own);
    coop_detach(task);
    s->own.ref = 0;
    sl_push_refs(T);
    luaL_unref(T, -1, ref);
    lua_pop(T, 1);
    return 0;
}

void sl_begin(lua_State *L, int index)
{
    static const struct coop_attr attr = { .stack_size = LUA_STACK };
    struct sl_tasklet *s = lua_touserdata(L, index);
    int rc;

    if (lua_task_finishing) {
        sl_push_exit(L);
        lua_error(L);
    }
    lua_task_need_stack(L);
    sl_push_refs(L);
    lua_pushvalue(L, index);
    s->own.ref = luaL_ref(L, -2);
    rc = coop_spawn(&s->own.task, body, s, &attr);
    if (rc != 0) {
        luaL_unref(L, -1, s->own.ref);
        s->own.ref = 0;
        lua_task_not_spawned(L, rc);
    }
    s->own.task->engine = &s->own;
    lua_pop(L, 1);
    lua_task_inherit(L, &s->own);
    s->own.task->atomic = s->own.atomic;
    s->own.task->block_trap = s->own.block_trap;
    lua_task_took_stack(s->own.task, &s->own);
}

void sl_open_tasklets(lua_State *L)
{
    static const luaL_Reg own_methods[] = {
        {"bind_thread", bind_thread},
        { "bind",       bind       },
        { "setup",      setup      },
        { "__call",     setup      },
        { NULL,         NULL       }
    };
    static const luaL_Reg functions[] = {
        {"tasklet", tasklet},
        { NULL,     NULL   }
    };
    const luaL_Reg *const parts[] = { own_methods, sl_ring_methods, sl_throw_methods, sl_run_methods };
    luaL_Reg methods[16];
    size_t n = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (const luaL_Reg *r = parts[i]; r->name != NULL; r++) {
            assert(n + 1 < sizeof(methods) / sizeof(methods[0]));
            methods[n++] = *r;
        }
    methods[n] = (luaL_Reg){ NULL, NULL };
    sl_type(L, SL_TASKLET, methods, sl_tasklet_attrs);
    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &refs_key);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &wrappers_key);
}
