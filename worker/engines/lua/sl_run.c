/*
 * sl_run.c - see sl.h: stackless.run(), watchdogs, and interrupts by counted instructions.
 *
 * Watchdogs: whoever is in run() floats, on a stack of its own; when nobody can run, the innermost is revived, and it meets the error
 *            that nobody caught. One that wakes makes all inner ones runnable, whose run() returns then.
 * Counting:  a hook on the thread that runs, only while a run() with a timeout is active, and only the outermost of those counts. It
 *            comes when the timeout is over; at every instruction when the timeout is a total one or the tasklet resumes coroutines,
 *            because Lua counts for each thread alone.
 */
#include "worker/engines/lua/sl.h"

#include <errno.h>
#include <limits.h>

static struct lua_task *innermost; /* of the watchdogs; NULL: none */

static struct {
    struct lua_task *watchdog; /* NULL: nobody counts */
    lua_Integer interval, left;
    bool soft, ignore_nesting, total;
    bool each;               /* the hook comes at every instruction */
    struct lua_task *victim; /* of a hard interrupt that has just happened */
} irq;

bool sl_counts;
static lua_CFunction lua_pcall_function, lua_xpcall_function;

struct lua_task *sl_watchdog(void)
{
    return innermost != NULL ? innermost : &lua_task_main;
}

/* ---- counting ------------------------------------------------------------------------------------------------------------------ */

static void on_count(lua_State *L, lua_Debug *ar);

static void count_on(lua_State *L, lua_Integer n)
{
    lua_sethook(L, on_count, LUA_MASKCOUNT, n < INT_MAX ? (int)n : INT_MAX);
}

void sl_count_slice(struct lua_task *comes)
{
    if (comes == irq.watchdog || lua_task_finishing)
        return;
    if (!irq.total) {
        irq.left = irq.interval;
        irq.each = irq.interval > INT_MAX;
    }
    count_on(comes->current, irq.each ? 1 : irq.interval);
}

void sl_count_coroutine(lua_State *from, lua_State *co)
{
    irq.each = true;
    count_on(from, 1);
    count_on(co, 1);
}

/* How many functions of C stand between Lua functions of it, pcall and xpcall not among them: they are Lua's try. */
int sl_nesting_level(lua_State *L, const struct lua_task *t)
{
    lua_Debug ar;
    int n = 0;

    for (int i = 1; lua_getstack(L, i, &ar); i++) {
        lua_CFunction f;
        lua_Debug outer;

        lua_getinfo(L, "Sf", &ar);
        f = lua_tocfunction(L, -1);
        lua_pop(L, 1);
        if (ar.what[0] != 'C' || f == lua_pcall_function || f == lua_xpcall_function)
            continue;
        if (L == t->thread && t != &lua_task_main && !lua_getstack(L, i + 1, &outer))
            continue; /* what every tasklet begins with */
        n++;
    }
    return n;
}

static bool must_wait(lua_State *L, const struct lua_task *t)
{
    if (sched->current->atomic || sched->switch_trap > 0 || sl_in_callback || lua_task_in_finalizer(L))
        return true;
    return !t->ignore_nesting && !irq.ignore_nesting && sl_nesting_level(L, t) > 0;
}

/* The victim stays in the ring, behind the watchdog, which takes it out. */
static void interrupt(lua_State *L, struct lua_task *t)
{
    coop_task *w = irq.watchdog->task;

    irq.victim = t;
    if (w->state == TASK_BLOCKED)
        task_wake(w, 0);
    luaL_checkstack(L, 4, NULL);
    lua_pushnil(L);
    sl_switch_to(L, w, true);
    lua_pop(L, 2);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    struct lua_task *t = sched->current->engine;

    (void)ar;
    if (lua_job.cancelled) {
        lua_job_hook(L);
        return;
    }
    if (irq.watchdog == NULL || lua_task_finishing) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    if (irq.each && --irq.left > 0)
        return;
    irq.left = irq.interval;
    t->irq_pending = irq.soft || must_wait(L, t);
    if (!t->irq_pending)
        interrupt(L, t);
}

/* The running tasklet may be interrupted again: one that waited comes at the next instruction. */
static void sl_irq_allowed(lua_State *L)
{
    const struct lua_task *t = sched->current->engine;

    if (irq.watchdog == NULL || irq.soft || !t->irq_pending || must_wait(L, t))
        return;
    irq.left = 1;
    irq.each = true;
    count_on(L, 1);
}

void sl_interrupt_softly(void)
{
    struct lua_task *t = sched->current->engine;

    if (irq.watchdog == NULL || !irq.soft)
        return;
    t->irq_pending = false;
    if (sl_floating(irq.watchdog) && t != irq.watchdog && sched_any())
        ring_wake_first(irq.watchdog->task, 0);
}

void sl_pass_interrupt(struct lua_task *to)
{
    struct lua_task *t = sched->current->engine;

    if (!t->irq_pending || irq.watchdog == NULL || !irq.soft)
        return;
    t->irq_pending = false;
    to->irq_pending = true;
}

/* ---- run() --------------------------------------------------------------------------------------------------------------------- */

/* Nobody can run. Those that sleep are as another thread would be to Stackless: they are waited for when that was asked for. */
static void on_idle(void)
{
    struct lua_task *w = sl_watchdog();

    (void)sched_poll(false);
    if (sched_any() || !sl_floating(w))
        return;
    if (w->waits_for_sleepers && (sched->wheel.count > 0 || sched->polled > 0))
        return;
    task_wake(w->task, 0);
}

static void push_watchdog(struct lua_task *t)
{
    t->watched = innermost;
    t->watches = true;
    innermost = t;
}

/* Takes t and all that are further in off the stack, and lets them run; unless one further out has done so for t. */
static void pop_watchdogs(const struct lua_task *t)
{
    while (t->watches) {
        struct lua_task *w = innermost;

        innermost = w->watched;
        w->watches = false;
        if (w == irq.watchdog) {
            irq.watchdog = NULL;
            sl_counts = false;
        }
        if (w != t && sl_floating(w))
            task_wake(w->task, 0);
    }
}

static bool flag(lua_State *L, int index, const char *name)
{
    bool set = lua_toboolean(L, index);

    if (lua_istable(L, 1)) {
        lua_getfield(L, 1, name);
        set = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    return set;
}

static lua_Integer timeout_of(lua_State *L)
{
    lua_Integer n;

    if (!lua_istable(L, 1))
        return luaL_optinteger(L, 1, 0);
    lua_getfield(L, 1, "timeout");
    n = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return n;
}

/* The one whose slice ran out is not in the ring any more, and is what run() returns. */
static int push_victim(lua_State *L)
{
    struct lua_task *victim = irq.victim;

    irq.victim = NULL;
    if (victim != NULL && victim->task != NULL && victim->task->state == TASK_READY)
        ring_remove(victim->task, sl_paused);
    sl_push(L, victim);
    return 1;
}

/*
 * run([timeout [, threadblock [, soft [, ignore_nesting [, totaltimeout]]]]]), or one table with these names: until nobody can run. With a
 * timeout, in instructions: until one has run for as long.
 */
static int run(lua_State *L)
{
    struct lua_task *me = sched->current->engine;
    lua_Integer timeout = timeout_of(L);
    int rc;

    lua_task_may_switch(L);
    lua_settop(L, 5);
    if (sched->switch_trap > 0)
        return sched_any() ? sl_failed(L, -EPERM) : 0;
    me->waits_for_sleepers = flag(L, 2, "threadblock");
    push_watchdog(me);
    if (timeout > 0 && irq.watchdog == NULL) {
        irq.watchdog = me;
        irq.soft = flag(L, 3, "soft");
        irq.ignore_nesting = flag(L, 4, "ignore_nesting");
        irq.total = irq.each = flag(L, 5, "totaltimeout");
        irq.interval = irq.left = timeout;
        irq.victim = NULL;
        sl_counts = true;
    }
    lua_settop(L, 0);
    lua_pushnil(L);
    (void)sl_park(L, 1);
    sl_soft_interrupt();
    rc = sl_float(sl_watching);
    pop_watchdogs(me);
    sl_resumed(L, me, rc);
    return push_victim(L);
}

/* ---- what keeps interrupts away ------------------------------------------------------------------------------------------------ */

static bool checked_flag(lua_State *L, const char *why)
{
    if (!lua_isboolean(L, 2) && !lua_isinteger(L, 2))
        sl_raise(L, SL_TYPE_ERROR, why);
    return lua_isinteger(L, 2) ? lua_tointeger(L, 2) != 0 : lua_toboolean(L, 2);
}

/* set_atomic(flag) -> the old one */
static int set_atomic(lua_State *L)
{
    const struct sl_tasklet *s = sl_check(L, 1);
    bool on = checked_flag(L, "set_atomic needs exactly one bool or integer"), old = s->t->atomic;

    if (sl_begun(s)) {
        old = s->t->task->atomic;
        s->t->task->atomic = on;
    }
    s->t->atomic = on;
    if (!on && s->t == sched->current->engine)
        sl_irq_allowed(L);
    lua_pushboolean(L, old);
    return 1;
}

/* set_ignore_nesting(flag) -> the old one */
static int set_ignore_nesting(lua_State *L)
{
    const struct sl_tasklet *s = sl_check(L, 1);
    bool on = checked_flag(L, "set_ignore_nesting needs exactly one bool or integer"), old = s->t->ignore_nesting;

    s->t->ignore_nesting = on;
    if (on && s->t == sched->current->engine)
        sl_irq_allowed(L);
    lua_pushboolean(L, old);
    return 1;
}

/* local _ <close> = atomic(): until the end of the block. */
static int atomic(lua_State *L)
{
    bool *old = lua_newuserdatauv(L, sizeof(*old), 0);

    *old = coop_atomic(true);
    luaL_setmetatable(L, "stackless.atomic");
    return 1;
}

static int atomic_close(lua_State *L)
{
    const bool *old = luaL_checkudata(L, 1, "stackless.atomic");

    coop_atomic(*old);
    if (!*old)
        sl_irq_allowed(L);
    return 0;
}

const luaL_Reg sl_run_methods[] = {
    {"set_atomic",          set_atomic        },
    { "set_ignore_nesting", set_ignore_nesting},
    { NULL,                 NULL              }
};

static lua_CFunction function_called(lua_State *L, const char *name)
{
    lua_CFunction f;

    lua_getglobal(L, name);
    f = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    return f;
}

void sl_open_runs(lua_State *L)
{
    static const luaL_Reg atomic_methods[] = {
        {"__close", atomic_close},
        { NULL,     NULL        }
    };
    static const luaL_Reg functions[] = {
        {"run",     run   },
        { "atomic", atomic},
        { NULL,     NULL  }
    };

    lua_pcall_function = function_called(L, "pcall");
    lua_xpcall_function = function_called(L, "xpcall");
    sched->on_idle = on_idle;
    lua_task_type(L, "stackless.atomic", atomic_methods);
    luaL_setfuncs(L, functions, 0);
}
