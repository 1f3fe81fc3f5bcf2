/*
 * task_gen.c - see task.h: generators.
 *
 * The handle is what the script holds, the body is what runs: it is anchored from its start to its end, so that a generator whose handle
 * was collected ends in its own turn.
 */
#include "worker/engines/lua/task.h"

#include <errno.h>
#include <string.h>

#define GENERATOR      "coop.generator"
#define GENERATOR_BODY "coop.generator.body"

/* What runs: anchored from its start to its end, whether or not anybody still has the generator. */
struct lua_gen {
    coop_gen *gen;
    coop_task *runs;      /* NULL: not yet, or no more */
    struct lua_task task; /* a tasklet's, so that cancels and switches find it */
};

/* What the script holds; its user value is the generator's body. */
struct lua_handle {
    struct lua_gen *g;
};

/* User values of a body. A value that is given, and the error at the end, share a slot. */
enum { THREAD_SLOT = 1, GIVEN_SLOT, SENT_SLOT, TRACE_SLOT };

enum { THROWN = -ENODATA }; /* the error is in SENT_SLOT */

void *lua_task_generator(struct lua_task *t)
{
    return (char *)t - offsetof(struct lua_gen, task);
}

/* Of the generator's thread: the body, its function, its arguments. */
static int base(lua_State *T)
{
    struct lua_gen *g = lua_touserdata(T, 1);

    g->task.status = lua_task_protected(T, 0);
    if (g->task.status != LUA_OK) {
        lua_setiuservalue(T, 1, GIVEN_SLOT);
        lua_task_push_trace(T, &g->task);
        lua_setiuservalue(T, 1, TRACE_SLOT);
    }
    lua_task_pass_bombs(T);
    return 0;
}

static int gen_body(coop_gen *gen, void *arg)
{
    struct lua_gen *g = arg;
    lua_State *T = g->task.thread;

    (void)gen;
    g->runs = g->task.task = sched->current;
    sched->current->engine = &g->task;
    lua_task_took_stack(sched->current, &g->task);
    if (lua_task_resume(T, base, lua_gettop(T)) != LUA_OK)
        g->task.status = LUA_ERRMEM;
    g->task.ended = true;
    g->runs = g->task.task = NULL;
    lua_settop(T, 0);
    lua_task_leave(&g->task);
    lua_task_let_go(T, g);
    return g->task.status == LUA_OK ? 0 : -EIO;
}

/* generator(f, ...): f(...) runs at the first next(), and gives values by coop.give(v). */
static int generator(lua_State *L)
{
    struct lua_handle *h;
    struct lua_gen *g;
    int n = lua_gettop(L), rc;

    luaL_checktype(L, 1, LUA_TFUNCTION);
    h = lua_newuserdatauv(L, sizeof(*h), 1);
    g = lua_newuserdatauv(L, sizeof(*g), TRACE_SLOT);
    memset(g, 0, sizeof(*g));
    luaL_setmetatable(L, GENERATOR_BODY);
    g->task.generates = true;
    g->task.thread = g->task.current = lua_newthread(L);
    lua_setiuservalue(L, -2, THREAD_SLOT);
    if (!lua_checkstack(g->task.thread, n + LUA_MINSTACK))
        return luaL_error(L, "too many arguments");
    lua_pushvalue(L, -1);
    lua_xmove(L, g->task.thread, 1);
    lua_setiuservalue(L, -2, 1);
    h->g = g;
    luaL_setmetatable(L, GENERATOR);
    lua_insert(L, 1);
    lua_xmove(L, g->task.thread, n);
    rc = coop_gen_new(gen_body, g, &g->gen);
    return rc == 0 ? 1 : lua_task_failed(L, rc);
}

static struct lua_gen *check_gen(lua_State *L)
{
    return ((struct lua_handle *)luaL_checkudata(L, 1, GENERATOR))->g;
}

/* Pushes what lies in a slot of the body, which is at index, and empties it. */
static void take(lua_State *L, int index, int slot)
{
    index = lua_absindex(L, index);
    lua_getiuservalue(L, index, slot);
    lua_pushnil(L);
    lua_setiuservalue(L, index, slot);
}

static int gen_result(lua_State *L, const struct lua_gen *g, int rc)
{
    if (rc == -EPIPE)
        return 0;
    if (rc == -EBUSY)
        return luaL_error(L, "generator already executing");
    if (rc == -EINVAL)
        return luaL_error(L, "can't send a value to a just-started generator");
    if (rc != 0 && rc != -EIO)
        return lua_task_failed(L, rc);
    lua_getiuservalue(L, 1, 1);
    take(L, -1, GIVEN_SLOT);
    if (rc == 0)
        return 1;
    if (g->task.status == LUA_ERRMEM)
        return lua_task_failed(L, -ENOMEM);
    take(L, -2, TRACE_SLOT);
    return lua_task_raise_met(L);
}

/* Before it runs: it has a stack, and stays; and afterwards, when it did not start. The body is on top. */
static void prepare(lua_State *L, struct lua_gen *g)
{
    if (g->task.ended || g->runs != NULL)
        return;
    lua_task_need_stack(L);
    lua_task_inherit(L, &g->task);
    lua_task_anchor(L, g, -1);
}

static void settle(lua_State *L, struct lua_gen *g)
{
    if (!g->task.ended && g->runs == NULL)
        lua_task_let_go(L, g);
}

/* next([value]) -> the value it gives next; nothing when it has ended. value is what its give() returns. */
static int gen_next(lua_State *L)
{
    struct lua_gen *g = check_gen(L);
    bool sends = !lua_isnoneornil(L, 2);
    intptr_t word = 0;
    int rc;

    lua_task_may_switch(L);
    lua_getiuservalue(L, 1, 1);
    prepare(L, g);
    if (sends && g->runs != NULL && g->runs->state != TASK_RUNNING) {
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, -2, SENT_SLOT);
    }
    rc = coop_gen_send(g->gen, sends, &word);
    settle(L, g);
    return gen_result(L, g, rc);
}

/* throw(error): raised by the give() it is at. */
static int gen_throw(lua_State *L)
{
    struct lua_gen *g = check_gen(L);
    intptr_t word = 0;
    int rc;

    luaL_checkany(L, 2);
    lua_task_may_switch(L);
    lua_settop(L, 2);
    if (!g->task.ended && g->runs == NULL) { /* nothing in it could catch it */
        (void)coop_gen_close(g->gen);
        g->task.ended = true;
        return lua_error(L);
    }
    lua_getiuservalue(L, 1, 1);
    if (g->runs != NULL && g->runs->state != TASK_RUNNING) {
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, -2, SENT_SLOT);
    }
    rc = coop_gen_throw(g->gen, THROWN, &word);
    settle(L, g);
    return gen_result(L, g, rc);
}

static int gen_call(lua_State *L)
{
    lua_settop(L, 1); /* as a for loop's iterator it is called with state and control */
    return gen_next(L);
}

static int gen_close(lua_State *L)
{
    const struct lua_gen *g = check_gen(L);
    int rc;

    lua_task_may_switch(L);
    rc = coop_gen_close(g->gen);
    if (rc == -EINVAL)
        return luaL_error(L, "generator ignored its end");
    if (rc == -EBUSY)
        return luaL_error(L, "generator already executing");
    return rc == 0 || rc == -EIO ? 0 : lua_task_failed(L, rc);
}

/* Nobody will ask for more: it ends when its turn comes, not in here. */
static int gen_gc(lua_State *L)
{
    const struct lua_gen *g = check_gen(L);

    if (sched != NULL && g != NULL && g->runs != NULL)
        coop_cancel(g->runs);
    return 0;
}

/* It has ended, or never began, or the job is over: nothing runs in here. */
static int gen_body_gc(lua_State *L)
{
    struct lua_gen *g = luaL_checkudata(L, 1, GENERATOR_BODY);

    if (sched != NULL && g->runs == NULL)
        (void)coop_gen_free(g->gen);
    g->gen = NULL; /* a finalizer of something older may have kept the handle */
    return 0;
}

/*
 * Gives the value at index to whoever runs the generator that this is the inside of. 0: what was sent is pushed, or nil; THROWN: the error;
 * else why it must stop.
 */
static int give_at(lua_State *L, int index)
{
    struct lua_task *t = sched->current->engine;
    struct lua_gen *g;
    intptr_t sent = 0;
    int rc;

    if (!t->generates)
        return luaL_error(L, "give() is for the inside of a generator");
    index = lua_absindex(L, index);
    lua_task_may_switch(L);
    g = lua_task_generator(t);
    lua_task_push_anchored(L, g);
    lua_pushvalue(L, index);
    lua_setiuservalue(L, -2, GIVEN_SLOT);
    rc = coop_gen_yield(g->gen, 0, &sent);
    if (rc == THROWN || (rc == 0 && sent != 0))
        take(L, -1, SENT_SLOT);
    else
        lua_pushnil(L);
    lua_remove(L, -2);
    return rc;
}

/* give(value): inside a generator; returns what next() sends. */
static int give(lua_State *L)
{
    int rc;

    luaL_checkany(L, 1);
    rc = give_at(L, 1);
    if (rc == THROWN)
        return lua_error(L);
    return rc == 0 ? 1 : lua_task_failed(L, rc);
}

/* One step of inner, at 1: what f, a method, gives with the value on top. The rest of the stack is gone: inner, what it gave. */
static int step(lua_State *L, lua_CFunction f, int n_args)
{
    int top = lua_gettop(L) - n_args;

    lua_pushcfunction(L, f);
    lua_pushvalue(L, 1);
    if (n_args > 0)
        lua_pushvalue(L, top + 1);
    lua_call(L, 1 + n_args, LUA_MULTRET);
    return lua_gettop(L) - top - n_args;
}

/* give_from(generator): everything of it; what is sent or thrown here, it gets. */
static int give_from(lua_State *L)
{
    int n;

    check_gen(L);
    lua_settop(L, 1);
    n = step(L, gen_next, 0);
    while (n > 0) {
        int rc;

        lua_settop(L, 2); /* the generator, and its value */
        rc = give_at(L, 2);
        lua_remove(L, 2);
        if (rc != 0 && rc != THROWN) {
            step(L, gen_close, 0);
            return lua_task_failed(L, rc);
        }
        n = step(L, rc == 0 ? gen_next : gen_throw, 1);
        lua_remove(L, 2);
    }
    return 0;
}

void lua_task_open_generators(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"next",    gen_next },
        { "throw",  gen_throw},
        { "close",  gen_close},
        { "__call", gen_call },
        { "__gc",   gen_gc   },
        { NULL,     NULL     }
    };
    static const luaL_Reg body_methods[] = {
        {"__gc", gen_body_gc},
        { NULL,  NULL       }
    };
    static const luaL_Reg functions[] = {
        {"generator",  generator},
        { "give",      give     },
        { "give_from", give_from},
        { NULL,        NULL     }
    };

    lua_task_type(L, GENERATOR, methods);
    lua_task_type(L, GENERATOR_BODY, body_methods);
    luaL_setfuncs(L, functions, 0);
}
