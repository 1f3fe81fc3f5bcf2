/*
 * task.h - tasklets of Lua: each is a Lua thread that runs on a C stack of its own, so it may switch anywhere, inside pcall, a
 * metamethod or a sort's comparison too.
 *
 * Side:    worker, sealed; tenant code calls everything registered here.
 * Owned:   a tasklet's userdata is anchored in the registry while it runs, and holds its Lua thread and its results.
 * Values:  what travels through a channel is a reference into the registry, a word.
 * Errors:  lua_task_failed() turns what a blocking call returned into Lua: nil and "timeout" or "closed", or an error.
 */
#ifndef LUA_TASK_H
#define LUA_TASK_H

#include "worker/engines/lua/job.h"
#include "worker/task/sched.h"

struct lua_task {
    coop_task *task; /* NULL: joined, or never spawned */
    lua_State *thread;
    char *stack_low;    /* of its C stack, from where it is open; NULL: not known */
    lua_State *current; /* while another runs: thread, or a coroutine that it has resumed */
    int status;         /* of its end: LUA_OK, or the error that lies on its thread */
    int n_results;
    bool ended, was_cancelled;
    bool generates; /* it is a generator's */
    bool forced;    /* its end is, at the end of the job: its error is ours */
    bool quiet;     /* its error waits for whoever joins; otherwise main meets it */
    bool bombed;    /* errors wait for it, that it meets where it blocks */
    bool starved;   /* the last of them is that there was too little memory for one */

    /* What stackless knows of it: sl.h. */
    bool own;                 /* it is made by stackless */
    lua_State *parked;        /* while it waits in a call of stackless: on whose stack its tempval lies */
    int slot;                 /* and where */
    struct sl_chan *chan;     /* that it waits on; NULL: none */
    struct lua_task *watched; /* by the watchdog stack: the next outer one */
    bool watches, waits_for_sleepers;
    bool irq_pending, ignore_nesting, block_trap, atomic;
    int ref; /* of its userdata, which is kept; 0: it is not */

    unsigned call; /* of an interpreter: in which it, or who made it, was made; of main: which runs, 0: none */
};

#define LUA_TASK_TYPE "coop.tasklet"

enum { LUA_STACK = 256 << 10 }; /* bytes of a tasklet's C stack: task_stack.c says what they cost */

extern struct lua_task lua_task_main;
extern struct lua_task lua_task_nobody; /* what one that is over is to the callbacks that hear of it */
extern lua_State *lua_task_ballast;     /* has counted as many nested calls as a tasklet's stack is smaller than the process's own */

/* Spawns the function at index first of L with all above it as arguments; pops them, pushes the tasklet. */
struct lua_task *lua_task_spawn(lua_State *L, int first, bool quiet, coop_scope *scope);

/* The deadline that the seconds at index mean: none or nil: never. */
int64_t lua_task_deadline(lua_State *L, int index);

/* For rc < 0: pushes nil and a word and returns 2, or raises an error. */
int lua_task_failed(lua_State *L, int rc);

/* What the tasklet at index returned, or its error, raised. */
int lua_task_results(lua_State *L, int index);

/* The error on top of T is thrown at t, which meets it where it waits, or will wait next. */
void lua_task_bomb(lua_State *T, struct lua_task *t);
/* An error that nobody caught, with its trace on top, goes to main or, inside stackless.run(), to whoever called that. */
void lua_task_send_bomb(lua_State *T);
/* The same for one that died of too little memory to say so. */
void lua_task_send_starved(void);
/* At the end of the running tasklet: those that it has not met go on, as if they were its own; and what is still known of them goes. */
void lua_task_pass_bombs(lua_State *T);
void lua_task_forget_bombs(lua_State *L, const struct lua_task *t);
/* Has one come to the running tasklet; and raises it. */
static inline bool lua_task_bomb_is_here(void)
{
    const struct lua_task *t = sched->current->engine;

    return t != NULL && __builtin_expect(t->bombed, 0);
}
int lua_task_raise_bomb(lua_State *L);
/* The last act of a tasklet on its C stack: nothing of Lua is touched after it. */
void lua_task_leave(struct lua_task *t);

/* While a finalizer runs there is no garbage collection, so it must not run for long; and Lua says so of no other time. */
static inline bool lua_task_in_finalizer(lua_State *L)
{
    return lua_gc(L, LUA_GCCOUNT, 0) < 0;
}

/* Every call that may wait begins with this: raises an error in a finalizer, and the one that waits for the tasklet. */
void lua_task_may_not_switch(lua_State *L);
static inline void lua_task_may_switch(lua_State *L)
{
    if (__builtin_expect(lua_task_bomb_is_here() || lua_task_in_finalizer(L), 0))
        lua_task_may_not_switch(L);
}

/* Raises Lua's own memory error. */
void lua_task_no_memory(lua_State *L);

/* Raises what coop_spawn() returned. */
void lua_task_not_spawned(lua_State *L, int rc);

/* read(L, first, n) reads standard input as n arguments from first on ask, calling lua_task_await_input() whenever there is nothing left. */
typedef int (*lua_task_reader)(lua_State *L, int first, int n);
int lua_task_read(lua_State *L, lua_task_reader read, int first, int n);
void lua_task_await_input(lua_State *L);

/* Message handler: the error stays as it is; its trace is kept for lua_task_push_trace(), but for the cancel's own. */
int lua_task_with_traceback(lua_State *L);
/* Pushes the trace of the error that ends t, or nil; and forgets it. */
void lua_task_push_trace(lua_State *L, const struct lua_task *t);
void lua_task_forget_trace(lua_State *L, const struct lua_task *t);
/* Pushes the traceback alone of the error that ends the running tasklet, or nil. */
void lua_task_push_traceback(lua_State *L);
/* Raises another tasklet's error, below its trace (or nil) on top: the trace is found by lua_task_push_met() from then on. */
int lua_task_raise_met(lua_State *L);
/* Whether the error at index is another tasklet's that the running one has met: pushes that one's name, and its traceback. */
bool lua_task_push_met(lua_State *L, int index);
/* Prints the error, below its trace on top, on standard error; pops both. Raises nothing but for want of stack. */
void lua_task_print_uncaught(lua_State *L);
/* Whether the value at index is the cancel's own error. */
bool lua_task_is_cancelled_text(lua_State *L, int index);
/* Whether the error on top is that of the current tasklet's cancel. */
bool lua_task_was_cancelled(lua_State *T);
/* Pushes text and, below it, who waits for what; traces: where each one of Lua stands, too. */
void lua_task_push_describe(lua_State *L, const char *text, bool traces);

/* Memory that Lua does not see, in the job's account: charge() raises a memory error, and has taken nothing then. */
void lua_task_charge(lua_State *L, size_t bytes);
void lua_task_discharge(size_t bytes);
bool lua_task_is_room(size_t bytes);

/*
 * task_stack.c - before a spawn: raises a memory error when there is no room for one more stack. After it: t has one. At the end of t, on
 * it: it is closed but for what the end itself needs. From the fault's handler: 1, opened; 0, not the stack of a tasklet's; -ENOMEM.
 */
void lua_task_need_stack(lua_State *L);
void lua_task_took_stack(const coop_task *t, struct lua_task *lt);
void lua_task_leave_stack(struct lua_task *lt);
int lua_task_fault(void *address);

/* Keeps the userdata p, at index, from being collected; no more; and pushes it, or nil. */
void lua_task_anchor(lua_State *L, const void *p, int index);
void lua_task_let_go(lua_State *L, const void *p);
void lua_task_push_anchored(lua_State *L, const void *p);

/* On a C stack of its own: calls base with the n values on T, and has Lua count nested calls by what the stack can hold. */
int lua_task_resume(lua_State *T, lua_CFunction base, int n);
/* For a base: calls the function at 2 with all above it; the message handler is at 2 then, results or the error from 3 on. */
int lua_task_protected(lua_State *T, int n_results);

int lua_task_raise_cancelled(lua_State *L);

/* A reference to the value at index; and its value, pushed, with the reference given up. */
intptr_t lua_task_ref(lua_State *L, int index);
void lua_task_push_ref(lua_State *L, intptr_t word);

/* The script's callbacks hear of the end of t, while it is still there. */
void lua_task_tell_end(struct lua_task *t);
/* The child starts with the running tasklet's context; and t is over: its tables go. */
void lua_task_inherit(lua_State *L, struct lua_task *child);
void lua_task_forget(lua_State *L, const struct lua_task *t);
void lua_task_drop_permit(lua_State *L, coop_task *t);

/* Pushes, on H, the userdata of the channel that is told to its callback. */
void lua_task_push_channel(lua_State *H, const coop_chan *chan);

/* The generator's anchored userdata that this is the tasklet of. */
void *lua_task_generator(struct lua_task *t);

/* Registers methods under a type's name. */
void lua_task_type(lua_State *L, const char *name, const luaL_Reg *methods);

/* The script has ended, its tasklets are ending. */
extern bool lua_task_finishing;

/* At the end of the job: cancels those that are left and lets them end. */
void lua_task_finish(void);

/* Lua functions for after that: raises the first error that nobody has met; prints those that are left. */
int lua_task_late_error(lua_State *L);
/* Tasklets that have not ended; generators that are suspended are such. */
size_t lua_task_alive(void);
/* A job begins, in the state that a template's init has left: its limits hold from now on. */
void lua_task_limits(const Pb__Limits *limits);
/* In a child of a template: a process's timers are not inherited. */
void lua_task_forked(void);
int lua_task_print_late_errors(lua_State *L);

/* From the cancel's signal handler. */
void lua_task_interrupt(void);

/* From the handler of the slice's timer. */
void lua_task_preempt(const void *context);

/* Makes the thread state, once. */
void lua_task_start(lua_State *L);

/* What it puts into the registry. */
void lua_task_open_errors(lua_State *L);
void lua_task_open_traces(lua_State *L);
void lua_task_open_values(lua_State *L);

/* Parts of the module table, which is on top. */
void lua_task_open_tasklets(lua_State *L);
void lua_task_open_turns(lua_State *L);
void lua_task_open_scopes(lua_State *L);
void lua_task_open_channels(lua_State *L);
void lua_task_open_locks(lua_State *L);
void lua_task_open_slices(lua_State *L);
void lua_task_open_hooks(lua_State *L);
void lua_task_open_generators(lua_State *L);
void lua_task_open_locals(lua_State *L);
void lua_task_open_parks(lua_State *L);

/* What package.preload holds. */
int lib_coop(lua_State *L);

#endif
