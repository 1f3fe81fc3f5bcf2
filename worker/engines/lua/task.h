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
    lua_State *current; /* while another runs: thread, or a coroutine that it has resumed */
    int status;         /* of its end: LUA_OK, or the error that lies on its thread */
    int n_results;
    bool ended, was_cancelled;
    bool generates; /* it is a generator's */
    bool forced;    /* its end is, at the end of the job: its error is ours */
    bool quiet;     /* its error waits for whoever joins; otherwise main meets it */
};

#define LUA_TASK_TYPE "coop.tasklet"

/* Spawns the function at index first of L with all above it as arguments; pops them, pushes the tasklet. */
struct lua_task *lua_task_spawn(lua_State *L, int first, bool quiet, coop_scope *scope);

/* The deadline that the seconds at index mean: none or nil: never. */
int64_t lua_task_deadline(lua_State *L, int index);

/* For rc < 0: pushes nil and a word and returns 2, or raises an error. */
int lua_task_failed(lua_State *L, int rc);

/* Raises an error in a finalizer. */
void lua_task_may_switch(lua_State *L);
bool lua_task_in_finalizer(lua_State *L);

/* Memory that Lua does not see, in the job's account: charge() raises a memory error, and has taken nothing then. */
void lua_task_charge(lua_State *L, size_t bytes);
void lua_task_discharge(size_t bytes);
void lua_task_charge_stacks(void);
void lua_task_need_stack(lua_State *L); /* raises a memory error when there is no room for one more */

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

/* Registers methods under a type's name. */
void lua_task_type(lua_State *L, const char *name, const luaL_Reg *methods);

/* The script has ended, its tasklets are ending. */
extern bool lua_task_finishing;

/* At the end of the job: cancels those that are left and lets them end. */
void lua_task_finish(void);

/* A Lua function for after that: raises the error that nobody has met. */
int lua_task_late_error(lua_State *L);

/* From the cancel's signal handler. */
void lua_task_interrupt(void);

/* From the handler of the slice's timer. */
void lua_task_preempt(const void *context);

/* Parts of the module table, which is on top. */
void lua_task_open_channels(lua_State *L);
void lua_task_open_locks(lua_State *L);
void lua_task_open_slices(lua_State *L);

/* What package.preload holds. */
int lib_coop(lua_State *L);

#endif
