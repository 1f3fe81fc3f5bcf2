/* mod_future.c - see mod.h: a call that is under way. Its value or its error is there for as often as one asks. */
#include "worker/engines/lua/mod.h"

#include <string.h>

#include "worker/engines/lua/call_error.h"
#include "worker/engines/lua/task.h"
#include "worker/engines/lua/value.h"

#define FUTURE_TYPE "coop.future"

/* User values. */
enum { ASKING = 1, VALUE };

struct future {
    bool done, failed;
    bool waited; /* a tasklet waits for the answer; the others wait for it */
    struct wait_queue waiters;
};

int lua_result_of(lua_State *L, struct lua_asking *s)
{
    const Pb__Answer *a = lua_asking_wait(L, s, COOP_NEVER);

    if (a->body_case == PB__ANSWER__BODY_RESULT)
        lua_value_push(L, a->result->value);
    else
        lua_pushnil(L);
    lua_asking_end(L, s);
    return 1;
}

static int take(lua_State *L)
{
    return lua_result_of(L, lua_touserdata(L, 1));
}

static struct future *check(lua_State *L)
{
    return luaL_checkudata(L, 1, FUTURE_TYPE);
}

static struct lua_asking *asking_of(lua_State *L)
{
    struct lua_asking *s;

    lua_getiuservalue(L, 1, ASKING);
    s = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return s;
}

/* Its answer is here: becomes the value or the error. */
static void settle(lua_State *L, struct future *f)
{
    lua_pushcfunction(L, take);
    lua_getiuservalue(L, 1, ASKING);
    f->failed = lua_pcall(L, 1, 1, 0) != LUA_OK;
    lua_setiuservalue(L, 1, VALUE);
    lua_pushnil(L);
    lua_setiuservalue(L, 1, ASKING);
    f->done = true;
}

/* When it is done all go on, else the next of them waits for the answer. */
static void wake_others(const struct future *f)
{
    while (!wait_empty(&f->waiters)) {
        task_wake(f->waiters.first->task, 0);
        if (!f->done)
            return;
    }
}

static int await(lua_State *L, struct future *f, int64_t deadline)
{
    int rc = 0;

    while (!f->done && rc == 0) {
        if (f->waited) {
            rc = task_block(&f->waiters, deadline, "future", f);
            continue;
        }
        f->waited = true;
        rc = ask_wait(asking_of(L)->ask, deadline);
        if (rc == 0)
            settle(L, f); /* which may wait, too */
        f->waited = false;
        wake_others(f);
    }
    return rc;
}

/* wait([seconds]) -> the value, or its error. TimedOut: not yet. */
static int future_wait(lua_State *L)
{
    struct future *f = check(L);
    int64_t deadline = lua_task_deadline(L, 2);
    int rc = await(L, f, deadline);

    if (rc != 0)
        return lua_call_failed(L, rc);
    lua_getiuservalue(L, 1, VALUE);
    return f->failed ? lua_error(L) : 1;
}

static int future_done(lua_State *L)
{
    const struct future *f = check(L);

    lua_pushboolean(L, f->done || ask_is_answered(asking_of(L)->ask));
    return 1;
}

/* cancel(): the call is interrupted, or never begins; wait() says so, unless its value was already on the way. */
static int future_cancel(lua_State *L)
{
    const struct future *f = check(L);

    if (!f->done)
        ask_cancel(asking_of(L)->ask);
    return 0;
}

void lua_future_new(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"wait",    future_wait  },
        { "done",   future_done  },
        { "cancel", future_cancel},
        { NULL,     NULL         }
    };
    struct future *f = lua_newuserdatauv(L, sizeof(*f), VALUE);

    memset(f, 0, sizeof(*f));
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, ASKING);
    if (luaL_getmetatable(L, FUTURE_TYPE) != LUA_TTABLE)
        lua_task_type(L, FUTURE_TYPE, methods);
    lua_pop(L, 1);
    luaL_setmetatable(L, FUTURE_TYPE);
}
