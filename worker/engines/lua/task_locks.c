/* task_locks.c - see task.h: mutex, rwlock, semaphore, event, condition, barrier, waitgroup, and generators. */
#include "worker/engines/lua/task.h"

#include <errno.h>
#include <string.h>

enum { LOCK_BYTES = 128 };

struct lua_lock {
    void *it;
};

/* true, or what lua_task_failed() makes of it; the barrier's 1 is true for the last one, 0 false for the others. */
static int done(lua_State *L, int rc)
{
    if (rc < 0)
        return lua_task_failed(L, rc);
    lua_pushboolean(L, 1);
    return 1;
}

static struct lua_lock *new_lock(lua_State *L, const char *type)
{
    struct lua_lock *k = lua_newuserdatauv(L, sizeof(*k), 0);

    k->it = NULL;
    luaL_setmetatable(L, type);
    lua_task_charge(L, LOCK_BYTES);
    return k;
}

#define TYPE(type) "coop." #type
#define IT(type)   (((struct lua_lock *)luaL_checkudata(L, 1, TYPE(type)))->it)

/* A call that may block takes its seconds as the last argument. */
#define TIMED(type, name)                                                                                                                  \
    static int type##_##name(lua_State *L)                                                                                                 \
    {                                                                                                                                      \
        return done(L, coop_##type##_##name(IT(type), lua_task_deadline(L, 2)));                                                           \
    }
#define PLAIN(type, name)                                                                                                                  \
    static int type##_##name(lua_State *L)                                                                                                 \
    {                                                                                                                                      \
        return done(L, coop_##type##_##name(IT(type)));                                                                                    \
    }
/* Nobody can wait on what nobody refers to, so it is never -EBUSY; at the end of the job the scheduler is gone, and with it the need. */
#define COLLECT(type)                                                                                                                      \
    static int type##_gc(lua_State *L)                                                                                                     \
    {                                                                                                                                      \
        struct lua_lock *k = luaL_checkudata(L, 1, TYPE(type));                                                                            \
        if (k->it != NULL)                                                                                                                 \
            lua_task_discharge(LOCK_BYTES);                                                                                                \
        if (sched != NULL && coop_##type##_free(k->it) == 0)                                                                               \
            k->it = NULL;                                                                                                                  \
        return 0;                                                                                                                          \
    }
#define MAKE(type, ...)                                                                                                                    \
    static int type##_new(lua_State *L)                                                                                                    \
    {                                                                                                                                      \
        struct lua_lock *k;                                                                                                                \
        int rc = 0;                                                                                                                        \
        __VA_ARGS__                                                                                                                        \
        return rc == 0 ? 1 : lua_task_failed(L, rc);                                                                                       \
    }
#define MAKE_PLAIN(type)                                                                                                                   \
    MAKE(type, {                                                                                                                           \
        coop_##type *it = NULL;                                                                                                            \
        k = new_lock(L, TYPE(type));                                                                                                       \
        rc = coop_##type##_new(&it);                                                                                                       \
        k->it = it;                                                                                                                        \
    })
#define MAKE_COUNTED(type, least)                                                                                                          \
    MAKE(type, {                                                                                                                           \
        lua_Integer n = luaL_optinteger(L, 1, least);                                                                                      \
        coop_##type *it = NULL;                                                                                                            \
        luaL_argcheck(L, n >= (least) && n <= INT32_MAX, 1, "number out of range");                                                        \
        k = new_lock(L, TYPE(type));                                                                                                       \
        rc = coop_##type##_new((unsigned)n, &it);                                                                                          \
        k->it = it;                                                                                                                        \
    })

MAKE_PLAIN(mutex)
TIMED(mutex, lock)
PLAIN(mutex, unlock)
COLLECT(mutex)

MAKE_PLAIN(rwlock)
TIMED(rwlock, read)
TIMED(rwlock, write)
PLAIN(rwlock, unlock)
COLLECT(rwlock)

MAKE_COUNTED(sem, 0)
TIMED(sem, wait)
PLAIN(sem, post)
COLLECT(sem)

MAKE_PLAIN(event)
TIMED(event, wait)
PLAIN(event, set)
PLAIN(event, clear)
COLLECT(event)

static int event_is_set(lua_State *L)
{
    lua_pushboolean(L, coop_event_is_set(IT(event)));
    return 1;
}

MAKE_PLAIN(cond)
PLAIN(cond, signal)
PLAIN(cond, broadcast)
COLLECT(cond)

/* wait(mutex [, seconds]) */
static int cond_wait(lua_State *L)
{
    const struct lua_lock *m = luaL_checkudata(L, 2, TYPE(mutex));

    return done(L, coop_cond_wait(IT(cond), m->it, lua_task_deadline(L, 3)));
}

MAKE_COUNTED(barrier, 1)
COLLECT(barrier)

static int barrier_wait(lua_State *L)
{
    int rc = coop_barrier_wait(IT(barrier), lua_task_deadline(L, 2));

    if (rc < 0)
        return lua_task_failed(L, rc);
    lua_pushboolean(L, rc); /* true: came last */
    return 1;
}

MAKE_PLAIN(waitgroup)
TIMED(waitgroup, wait)
PLAIN(waitgroup, done)
COLLECT(waitgroup)

static int waitgroup_add(lua_State *L)
{
    lua_Integer n = luaL_optinteger(L, 2, 1);

    luaL_argcheck(L, n >= -INT32_MAX && n <= INT32_MAX, 2, "number out of range");
    return done(L, coop_waitgroup_add(IT(waitgroup), (int)n));
}

/* ---- generators ---------------------------------------------------------------------------------------------------------------- */

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
enum { THREAD_SLOT = 1, GIVEN_SLOT, SENT_SLOT };

void *lua_task_generator(struct lua_task *t)
{
    return (char *)t - offsetof(struct lua_gen, task);
}

/* Of the generator's thread: the body, its function, its arguments. */
static int base(lua_State *T)
{
    struct lua_gen *g = lua_touserdata(T, 1);

    g->task.status = lua_task_protected(T, 0);
    if (g->task.status != LUA_OK)
        lua_setiuservalue(T, 1, GIVEN_SLOT);
    return 0;
}

static int gen_body(coop_gen *gen, void *arg)
{
    struct lua_gen *g = arg;
    lua_State *T = g->task.thread;

    (void)gen;
    g->runs = g->task.task = sched->current;
    sched->current->engine = &g->task;
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
    g = lua_newuserdatauv(L, sizeof(*g), SENT_SLOT);
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
    return g->task.status == LUA_ERRMEM ? lua_task_failed(L, -ENOMEM) : lua_error(L);
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
    if (!g->task.ended && g->runs == NULL) {
        lua_task_need_stack(L);
        lua_task_anchor(L, g, -1);
    }
    if (sends && g->runs != NULL && g->runs->state != TASK_RUNNING) {
        lua_pushvalue(L, 2);
        lua_setiuservalue(L, -2, SENT_SLOT);
    }
    rc = coop_gen_send(g->gen, sends, &word);
    if (!g->task.ended && g->runs == NULL)
        lua_task_let_go(L, g);
    lua_task_charge_stacks();
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

/* give(value): inside a generator; returns what next() sends. */
static int give(lua_State *L)
{
    struct lua_task *t = sched->current->engine;
    struct lua_gen *g;
    intptr_t sent = 0;
    int rc;

    luaL_checkany(L, 1);
    if (t == NULL || !t->generates)
        return luaL_error(L, "give() is for the inside of a generator");
    lua_task_may_switch(L);
    g = lua_task_generator(t);
    lua_task_push_anchored(L, g);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, GIVEN_SLOT);
    rc = coop_gen_yield(g->gen, 0, &sent);
    if (rc != 0)
        return lua_task_failed(L, rc);
    if (sent == 0)
        return 0;
    take(L, -1, SENT_SLOT);
    return 1;
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    luaL_Reg methods[6];
} types[] = {
    {TYPE(mutex),      { { "lock", mutex_lock }, { "unlock", mutex_unlock }, { "__gc", mutex_gc } }                                  },
    { TYPE(rwlock),    { { "read", rwlock_read }, { "write", rwlock_write }, { "unlock", rwlock_unlock }, { "__gc", rwlock_gc } }    },
    { TYPE(sem),       { { "wait", sem_wait }, { "post", sem_post }, { "__gc", sem_gc } }                                            },
    { TYPE(event),
     { { "wait", event_wait }, { "set", event_set }, { "clear", event_clear }, { "is_set", event_is_set }, { "__gc", event_gc } }    },
    { TYPE(cond),      { { "wait", cond_wait }, { "signal", cond_signal }, { "broadcast", cond_broadcast }, { "__gc", cond_gc } }    },
    { TYPE(barrier),   { { "wait", barrier_wait }, { "__gc", barrier_gc } }                                                          },
    { TYPE(waitgroup), { { "wait", waitgroup_wait }, { "add", waitgroup_add }, { "done", waitgroup_done }, { "__gc", waitgroup_gc } }},
    { GENERATOR,       { { "next", gen_next }, { "close", gen_close }, { "__call", gen_call }, { "__gc", gen_gc } }                  },
    { GENERATOR_BODY,  { { "__gc", gen_body_gc } }                                                                                   },
};

void lua_task_open_locks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"mutex",      mutex_new    },
        { "rwlock",    rwlock_new   },
        { "semaphore", sem_new      },
        { "event",     event_new    },
        { "condition", cond_new     },
        { "barrier",   barrier_new  },
        { "waitgroup", waitgroup_new},
        { "generator", generator    },
        { "give",      give         },
        { NULL,        NULL         }
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        lua_task_type(L, types[i].type, types[i].methods);
    luaL_setfuncs(L, functions, 0);
}
