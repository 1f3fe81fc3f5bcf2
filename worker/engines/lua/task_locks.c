/* task_locks.c - see task.h: mutex, rwlock, semaphore, event, condition, barrier, waitgroup, once. */
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

/* -EPERM of an unlock, which no trap can be the reason of. */
static int unlocked(lua_State *L, int rc)
{
    return rc == -EPERM ? luaL_error(L, "this tasklet does not hold the lock") : done(L, rc);
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
#define UNLOCK(type)                                                                                                                       \
    static int type##_unlock(lua_State *L)                                                                                                 \
    {                                                                                                                                      \
        return unlocked(L, coop_##type##_unlock(IT(type)));                                                                                \
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
UNLOCK(mutex)
COLLECT(mutex)

MAKE_PLAIN(rwlock)
TIMED(rwlock, read)
TIMED(rwlock, write)
UNLOCK(rwlock)
COLLECT(rwlock)

MAKE_COUNTED(sem, 0)
TIMED(sem, wait)
PLAIN(sem, post)
COLLECT(sem)

static int sem_value(lua_State *L)
{
    lua_pushinteger(L, coop_sem_value(IT(sem)));
    return 1;
}

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
    bool trapped = sched->switch_trap > 0 || sched->current->block_trap > 0;
    int rc = coop_cond_wait(IT(cond), m->it, lua_task_deadline(L, 3));

    return trapped ? done(L, rc) : unlocked(L, rc);
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
COLLECT(waitgroup)

static int counted(lua_State *L, int rc)
{
    return rc == -EINVAL ? luaL_error(L, "the waitgroup would go below 0") : done(L, rc);
}

static int waitgroup_add(lua_State *L)
{
    lua_Integer n = luaL_optinteger(L, 2, 1);

    luaL_argcheck(L, n >= -INT32_MAX && n <= INT32_MAX, 2, "number out of range");
    return counted(L, coop_waitgroup_add(IT(waitgroup), (int)n));
}

static int waitgroup_done(lua_State *L)
{
    return counted(L, coop_waitgroup_done(IT(waitgroup)));
}

/* ---- once ---------------------------------------------------------------------------------------------------------------------- */

#define ONCE "coop.once"

/* once() */
static int once(lua_State *L)
{
    coop_once *o = lua_newuserdatauv(L, sizeof(*o), 1);

    memset(o, 0, sizeof(*o));
    luaL_setmetatable(L, ONCE);
    return 1;
}

/* With the function and its arguments on top of L, above the object: an error is kept for all. */
static int run_once(void *arg)
{
    lua_State *L = arg;

    if (lua_pcall(L, lua_gettop(L) - 2, 0, 0) == LUA_OK)
        return 0;
    lua_createtable(L, 1, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_setiuservalue(L, 1, 1);
    return -EIO;
}

/* run(f, ...): calls it when nobody has; else waits for the end of that. true, or the error it ended with. */
static int once_run(lua_State *L)
{
    coop_once *o = luaL_checkudata(L, 1, ONCE);
    int rc;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_task_may_switch(L);
    rc = coop_once_run(o, run_once, L, COOP_NEVER);
    if (rc != -EIO)
        return done(L, rc);
    lua_getiuservalue(L, 1, 1);
    lua_rawgeti(L, -1, 1);
    return lua_error(L);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *type;
    luaL_Reg methods[6];
} types[] = {
    {TYPE(mutex),      { { "lock", mutex_lock }, { "unlock", mutex_unlock }, { "__gc", mutex_gc } }                                  },
    { ONCE,            { { "run", once_run } }                                                                                       },
    { TYPE(rwlock),    { { "read", rwlock_read }, { "write", rwlock_write }, { "unlock", rwlock_unlock }, { "__gc", rwlock_gc } }    },
    { TYPE(sem),       { { "wait", sem_wait }, { "post", sem_post }, { "value", sem_value }, { "__gc", sem_gc } }                    },
    { TYPE(event),
     { { "wait", event_wait }, { "set", event_set }, { "clear", event_clear }, { "is_set", event_is_set }, { "__gc", event_gc } }    },
    { TYPE(cond),      { { "wait", cond_wait }, { "signal", cond_signal }, { "broadcast", cond_broadcast }, { "__gc", cond_gc } }    },
    { TYPE(barrier),   { { "wait", barrier_wait }, { "__gc", barrier_gc } }                                                          },
    { TYPE(waitgroup), { { "wait", waitgroup_wait }, { "add", waitgroup_add }, { "done", waitgroup_done }, { "__gc", waitgroup_gc } }},
};

void lua_task_open_locks(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"once",       once         },
        { "mutex",     mutex_new    },
        { "rwlock",    rwlock_new   },
        { "semaphore", sem_new      },
        { "event",     event_new    },
        { "condition", cond_new     },
        { "barrier",   barrier_new  },
        { "waitgroup", waitgroup_new},
        { NULL,        NULL         }
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        lua_task_type(L, types[i].type, types[i].methods);
    luaL_setfuncs(L, functions, 0);
}
