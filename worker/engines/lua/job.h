/*
 * job.h - what the parts of the Lua engine know of the one job of this process, and what each part offers.
 *
 * Side:    worker, sealed; tenant code calls everything registered here.
 * Owned:   the spec belongs to serve.c and lives as long as the process.
 * Returns: the lib_* functions follow Lua's convention: they push, and raise Lua errors (inside a protected call).
 */
#ifndef LUA_JOB_H
#define LUA_JOB_H

#include <signal.h>
#include <stddef.h>

#include <lua5.4/lauxlib.h>
#include <lua5.4/lua.h>
#include <lua5.4/lualib.h>

#include "link.pb-c.h"
#include "worker/engine.h"

struct lua_memory {
    size_t used, cap; /* bytes alive, and how many may be; cap SIZE_MAX until a job brings its own */
    void *first;      /* the state's own block: not from malloc */
    /* The state is being taken down, and the process ends after that: nothing is given back. Freeing would copy each page that a template's child
     * still shares, only for it to go. Lua collects no garbage any more by then, so finalizers take no more for it. */
    bool leaving;
};

struct lua_job {
    lua_State *main;
    lua_State *volatile current;     /* the coroutine that runs now: where a cancel must put its hook */
    volatile sig_atomic_t cancelled; /* the job; of an interpreter the call that runs */
    volatile sig_atomic_t closing;   /* the state is being taken down */
    struct lua_memory memory;
    const Pb__JobSpec *spec;
    bool interpreter;
    unsigned calls;     /* of an interpreter, so far; its begin is one */
    size_t message_len; /* of the last uncaught error: where its traceback begins */
    char error_type[OUTCOME_TYPE + 1];
};

extern struct lua_job lua_job;

/* alloc.c - lua_Alloc with a hard cap; ud is a struct lua_memory. */
void *lua_job_alloc(void *ud, void *block, size_t old_size, size_t new_size);

/* base.c - the globals: the standard library less what reaches outside. */
int lib_open_all(lua_State *L);
/* The call of a stripped name, "os.execute", and why it is not here; NULL when the name was never there. */
const char *lib_absent(const char *last_part, const char **ret_full);

/* io.c, os.c, modules.c, coroutine.c - one library each, as luaL_requiref wants it. */
int lib_io(lua_State *L);
int lib_os(lua_State *L);
int lib_package(lua_State *L);
int lib_coroutine(lua_State *L);

/* Puts the cancel hook on a coroutine. May be called from a signal handler. */
void lua_job_hook(lua_State *L);
/* From a signal handler: what runs is cancelled. */
void lua_job_cancel(void);

/* engine.c - the parts of a job's beginning. Each returns a status of Lua's, an error on top. */
int lua_job_begin(lua_State *L, const Pb__JobSpec *spec);                            /* limits, arg, random numbers */
int lua_job_load(lua_State *L, const char *name, const ProtobufCBinaryData *source); /* pushes the chunk */
int lua_job_run_source(lua_State *L, const Pb__JobSpec *spec);                       /* with its arguments */

/* interp.c - the engine as one of interpreters. */
extern const struct interp_engine lua_interp;
/* Of the cancel's hook, on L, in an interpreter: it ends what belongs to the call that is interrupted, and nothing else. */
void lua_interp_on_hook(lua_State *L);
/* The same for tasklets that wait. */
void lua_interp_on_interrupt(void);

/* Takes the state down, which runs the pending finalizers. */
void lua_job_close(lua_State *L);

/* errors.c - message handler of the script's call: message plus hint plus traceback. */
int lua_job_on_error(lua_State *L);
/* A Lua function: an error's message plus hint. */
int lua_job_error_text(lua_State *L);
/* Fills the outcome for a failed call (its error is on the stack) and prints it on standard error. */
void lua_job_report(lua_State *L, int status, struct outcome *o);
/* The same for an interpreter's call, and prints nothing. */
void lua_job_report_call(lua_State *L, int status, struct call_outcome *o);

#endif
