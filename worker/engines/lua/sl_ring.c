/* sl_ring.c - see sl.h: in and out of the ring of those that can run, and around it. */
#include "worker/engines/lua/sl.h"

#include <errno.h>

/* Puts one that is bound, paused or never begun, at the end of the run queue. index: its userdata. */
static void sl_insert(lua_State *L, int index)
{
    const struct sl_tasklet *s = lua_touserdata(L, index);
    coop_task *task = s->t->task;

    if (task != NULL && task->state == TASK_BLOCKED && !sl_floating(s->t))
        sl_raise(L, SL_RUNTIME_ERROR, "You cannot run a blocked tasklet");
    if (!sl_alive(s))
        sl_raise(L, SL_RUNTIME_ERROR, "You cannot run an unbound(dead) tasklet");
    if (task == NULL)
        sl_begin(L, index);
    else if (task->state == TASK_BLOCKED)
        task_wake(task, 0);
}

static int insert(lua_State *L)
{
    sl_check(L, 1);
    lua_settop(L, 1);
    sl_insert(L, 1);
    return 1;
}

static int remove_it(lua_State *L)
{
    const struct sl_tasklet *s = sl_check(L, 1);

    lua_settop(L, 1);
    if (!sl_begun(s))
        return 1;
    if (s->t->task == sched->current)
        return sl_raise(L, SL_RUNTIME_ERROR, "The current tasklet cannot be removed.");
    if (s->t->task->state == TASK_BLOCKED && !sl_floating(s->t))
        return sl_raise(L, SL_RUNTIME_ERROR, "You cannot remove a blocked tasklet.");
    if (s->t->task->state != TASK_READY)
        return 1;
    ring_remove(s->t->task, sl_paused);
    return 1;
}

int sl_resumed(lua_State *L, struct lua_task *t, int rc)
{
    t->parked = NULL;
    t->chan = NULL;
    if (__builtin_expect(t->bombed, 0))
        return lua_task_raise_bomb(L);
    if (rc != 0)
        return sl_failed(L, rc);
    lua_pushvalue(L, t->slot);
    if (lua_type(L, -1) == LUA_TTABLE)
        sl_explode(L, -1);
    return 1;
}

/* A block trap is not for those that wait for nothing. */
int sl_float(const char *why)
{
    coop_task *task = sched->current;
    uint32_t trap = task->block_trap;
    int rc;

    task->block_trap = 0;
    rc = task_block(NULL, COOP_NEVER, why, NULL);
    task->block_trap = trap;
    return rc;
}

int sl_switch_to(lua_State *L, coop_task *to, bool stays)
{
    struct lua_task *me = sl_park(L, lua_gettop(L));
    int rc;

    if (stays)
        ring_stay_and_turn_to(to);
    else
        ring_turn_to(to);
    sl_soft_interrupt();
    rc = stays ? ring_leave() : sl_float(sl_paused);
    return sl_resumed(L, me, rc);
}

static int run_or_switch(lua_State *L, bool stays)
{
    const struct sl_tasklet *s = sl_check(L, 1);

    lua_task_may_switch(L);
    lua_settop(L, 1);
    if (coop_cancelled() != 0)
        return sl_failed(L, -ECANCELED);
    if (sched->switch_trap > 0 && s->t->task != sched->current)
        return sl_failed(L, -EPERM);
    if (s->t->task == sched->current)
        return 0;
    sl_insert(L, 1);
    lua_pushnil(L);
    return sl_switch_to(L, s->t->task, stays);
}

static int run(lua_State *L)
{
    return run_or_switch(L, true);
}

static int switch_over(lua_State *L)
{
    return run_or_switch(L, false);
}

bool sl_is_last(void)
{
    if (sched_any())
        return false;
    (void)sched_poll(false);
    return !sched_any() && sched->wheel.count == 0 && sched->polled == 0 && !sl_floating(sl_watchdog());
}

/* schedule([value]), with the list of references as an upvalue, because it is at hand there: to the end of the run queue; returns its tempval, which is value, or the tasklet itself. */
static int schedule(lua_State *L)
{
    struct lua_task *me = sched->current->engine;
    int n = lua_gettop(L), rc;

    lua_task_may_switch(L);
    if (n == 0 && me->ref != 0)
        lua_rawgeti(L, lua_upvalueindex(1), me->ref);
    else if (n == 0)
        sl_push(L, me);
    else if (n > 1)
        lua_settop(L, 1);
    if (__builtin_expect(sched->switch_trap > 0, 0))
        return sched_any() ? sl_failed(L, -EPERM) : 1;
    (void)sl_park(L, 1);
    sl_soft_interrupt();
    rc = coop_yield();
    if (__builtin_expect(rc != 0 || me->bombed || lua_type(L, 1) == LUA_TTABLE, 0))
        return sl_resumed(L, me, rc);
    me->parked = NULL;
    return 1;
}

/* schedule_remove([value]): the same, and out of the run queue. */
static int schedule_remove(lua_State *L)
{
    struct lua_task *me;
    int rc = 0;

    lua_task_may_switch(L);
    if (lua_gettop(L) == 0)
        sl_push(L, sched->current->engine);
    lua_settop(L, 1);
    if (sl_is_last() && sl_watchdog() != sched->current->engine)
        return sl_failed(L, -EDEADLK);
    if (sched->switch_trap > 0)
        return sched_any() ? sl_failed(L, -EPERM) : 1;
    me = sl_park(L, 1);
    sl_soft_interrupt();
    rc = sl_float(sl_paused);
    return sl_resumed(L, me, rc);
}

const luaL_Reg sl_ring_methods[] = {
    {"insert",  insert     },
    { "remove", remove_it  },
    { "run",    run        },
    { "switch", switch_over},
    { NULL,     NULL       }
};

void sl_open_ring(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"schedule_remove", schedule_remove},
        { NULL,             NULL           }
    };

    luaL_setfuncs(L, functions, 0);
    sl_push_refs(L);
    lua_pushcclosure(L, schedule, 1);
    lua_setfield(L, -2, "schedule");
}
