/*
 * sl.h - require "stackless": the tasklets and channels of Stackless Python, with its names, its order and its texts, on the same
 * scheduler as require "coop".
 *
 * Side:   worker, sealed; tenant code calls everything registered here.
 * Ring:   worker/task/ring.h. A tasklet that is in no queue and on no channel is paused: blocked, as the scheduler sees it, on nothing.
 * Values: a tasklet that waits in a call of this module has a slot on its Lua stack, its tempval; whoever gives it something writes it
 *         there. What is thrown at it goes by lua_task_bomb() instead, wherever it waits.
 * Owned:  a tasklet's userdata is in the registry from its first run to its end. One that was never run is ordinary garbage.
 */
#ifndef LUA_SL_H
#define LUA_SL_H

#include "worker/engines/lua/task.h"
#include "worker/task/ring.h"

#define SL_TASKLET "stackless.tasklet"
#define SL_CHANNEL "stackless.channel"

struct sl_tasklet {
    struct lua_task *t;  /* its own, or that of a tasklet which stackless has not made */
    struct lua_task own; /* alive while own.thread is set and own.ended is not */
};

/* User values of a tasklet's userdata. */
enum { SL_THREAD = 1, SL_TEMPVAL, SL_OWNER, SL_VALUES = SL_OWNER };

struct sl_chan {
    struct wait_queue waiting;
    int direction; /* of those who wait: 1 send, -1 receive */
    int preference;
    bool closing, schedule_all;
};

/* ---- errors: sl_error.c ---- */

enum sl_class { SL_EXCEPTION, SL_RUNTIME_ERROR, SL_VALUE_ERROR, SL_TYPE_ERROR, SL_STOP_ITERATION, SL_TASKLET_EXIT, SL_CLASSES };

/* Raises an error object of this class. */
int sl_raise(lua_State *L, enum sl_class c, const char *text);
bool sl_is_a(lua_State *L, int index, enum sl_class c);
/* Pushes what raise(exc, val, tb) would raise; the three are at first, first + 1, first + 2. */
void sl_push_error(lua_State *L, int first);
/* The same for class(...), the class at 2 and the arguments above it; or the error at 2. who: the method, for its errors. */
void sl_push_made(lua_State *L, const char *who);
bool sl_is_class(lua_State *L, int index);
/* A TaskletExit. */
void sl_push_exit(lua_State *L);
/* Raises what the bomb at index holds, when it is one. */
void sl_explode(lua_State *L, int index);
/* Turns the error on top into a bomb. */
void sl_wrap(lua_State *L);
/* Calls the error handler with the error on top, which it replaces when it fails itself. true: that was all. */
bool sl_handle(lua_State *L);
/* For rc < 0 of a blocking call: raises. */
int sl_failed(lua_State *L, int rc);

/* Main was blocked, and the last other tasklet has ended. */
extern bool sl_end_broke;

/* ---- tasklets: sl_tasklet.c, sl_ring.c, sl_throw.c, sl_attr.c ---- */

struct sl_tasklet *sl_check(lua_State *L, int index);
/* The tasklet as the script sees it, pushed; nil for NULL. */
void sl_push(lua_State *L, struct lua_task *t);
/* The list of running tasklets of our own that their ref is an index of. */
void sl_push_refs(lua_State *L);
bool sl_alive(const struct sl_tasklet *s);
bool sl_begun(const struct sl_tasklet *s);
/* Paused, or in run(): in no queue, and waiting for nothing. */
bool sl_floating(const struct lua_task *t);
extern const char sl_paused[], sl_watching[];
/* The running tasklet becomes that, until somebody wakes it. */
int sl_float(const char *why);
/* Puts a bound tasklet, which has not begun, at the end of the run queue. index: its userdata. */
void sl_begin(lua_State *L, int index);
/* Runs to now, which is in the run queue; the value on top is the caller's tempval. Returns 1: what it was given meanwhile. */
int sl_switch_to(lua_State *L, coop_task *to, bool stays);
/* The running tasklet waits in a call: slot is its tempval's place. And: waits no more; pushes that value, or raises. */
static inline struct lua_task *sl_park(lua_State *L, int slot)
{
    struct lua_task *t = sched->current->engine;

    t->parked = L;
    t->slot = slot;
    return t;
}
int sl_resumed(lua_State *L, struct lua_task *t, int rc);
/* Whether the running tasklet, about to block, is the last that could run, so that nobody could ever wake it. */
bool sl_is_last(void);

/* ---- running: sl_run.c ---- */

/* Who is revived when nobody can run, and meets what nobody catches: the innermost caller of stackless.run(), else main. */
struct lua_task *sl_watchdog(void);

extern bool sl_counts;      /* a run() with a timeout counts instructions */
extern bool sl_in_callback; /* of a channel: no other channel may move */
void sl_count_slice(struct lua_task *comes);
void sl_count_coroutine(lua_State *from, lua_State *co);
/* Before the running tasklet leaves: a soft interrupt that is due puts its watchdog first. */
void sl_interrupt_softly(void);
static inline void sl_soft_interrupt(void)
{
    const struct lua_task *t = sched->current->engine;

    if (__builtin_expect(t->irq_pending, 0))
        sl_interrupt_softly();
}
/* The running tasklet leaves for to at a time that is none for it: the interrupt goes with it. */
void sl_pass_interrupt(struct lua_task *to);
int sl_nesting_level(lua_State *L, const struct lua_task *t);

/* ---- callbacks: task_hook.c ---- */

extern bool sl_channel_told; /* there is a channel callback */
/* Calls the channel callback; channel and caller's value are at 1 and slot. */
void sl_tell_channel(lua_State *L, bool sending, bool will_block);

/* ---- the module: sl.c ---- */

struct sl_attr {
    const char *name;
    int (*get)(lua_State *L); /* NULL in absent ones */
    int (*set)(lua_State *L); /* NULL: read-only */
    const char *absent;       /* why it is not there in Lua */
};

/* A type whose objects have methods, and attributes that look like fields. */
void sl_type(lua_State *L, const char *name, const luaL_Reg *methods, const struct sl_attr *attrs);

void sl_open_errors(lua_State *L);
void sl_open_tasklets(lua_State *L);
void sl_open_ring(lua_State *L);
void sl_open_channels(lua_State *L);
void sl_open_runs(lua_State *L);
void sl_open_hooks(lua_State *L);
extern const luaL_Reg sl_ring_methods[], sl_throw_methods[], sl_run_methods[];
extern const struct sl_attr sl_tasklet_attrs[];

int lib_stackless(lua_State *L);

#endif
