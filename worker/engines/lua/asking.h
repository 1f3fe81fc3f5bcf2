/*
 * asking.h - an Ask of a script's (worker/asks.h) as a userdata, so that whatever ends the call that made it takes it back.
 *
 * Side:   worker, sealed.
 * Use:    lua_asking_new() pushes it; values are packed into it; lua_asking_send(); lua_asking_wait(); what the answer says is pushed;
 *         lua_asking_end(). In between any error may be raised: the collector ends it then, or the broker when that is late.
 * Errors: raised, as call_error.h makes them. A time-out is one, too.
 */
#ifndef LUA_ASKING_H
#define LUA_ASKING_H

#include "worker/asks.h"
#include "worker/engines/lua/job.h"
#include "worker/packed.h"

struct lua_asking {
    struct ask *ask; /* NULL: not sent, or ended */
    struct lua_asking *next_free;
    bool kept; /* for the next that needs one */
    size_t n;
    struct packed packed[]; /* n of them, until it is sent */
};

/* Pushes one with room for n values. Raises an error where nobody may wait. */
struct lua_asking *lua_asking_new(lua_State *L, size_t n);

/* The value at index into a place; the n from first on, as a list. root: the word that paths begin with. Raises NotShareable and the like. */
void lua_asking_pack(lua_State *L, struct packed *into, int index, const char *root);
void lua_asking_pack_list(lua_State *L, struct packed *into, int first, int n, const char *root);

/* Sends it; its values are not needed any more. */
void lua_asking_send(lua_State *L, struct lua_asking *s, Pb__Ask *a);

/* The answer, which is no failure. deadline as in ask_wait(). */
const Pb__Answer *lua_asking_wait(lua_State *L, struct lua_asking *s, int64_t deadline);

/* All of it; pushes the asking. */
const Pb__Answer *lua_asking_do(lua_State *L, struct lua_asking *s, Pb__Ask *a);

/* Once its answer is not needed any more: it is somebody else's from then on. Raises nothing. */
void lua_asking_end(lua_State *L, struct lua_asking *s);

/* Sends it, waits, and has no use for the answer. Leaves nothing on the stack. */
void lua_ask_done(lua_State *L, Pb__Ask *a);

/* Seconds at index as a timeout_us: none or nil: none_is. */
int64_t lua_asking_timeout(lua_State *L, int index, int64_t none_is);

/* The same of what a call may take, as its messages say it: none, nil or for ever: 0. An argument error: 0, negative, not a number. */
int64_t lua_asking_limit(lua_State *L, int index);

#endif
