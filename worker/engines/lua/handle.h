/*
 * handle.h - things of the broker's as objects of Lua: a userdata holds a number of this worker's table of handles, and gives it back.
 *
 * Side:  worker, sealed. The number is all the power there is; the broker checks it, whatever is in here.
 * Owned: the handle is dropped when its object is collected or closed.
 */
#ifndef LUA_HANDLE_H
#define LUA_HANDLE_H

#include <stdbool.h>

#include "calls.pb-c.h"
#include "worker/engines/lua/job.h"

enum { HANDLE_ID = 32, HANDLE_VALUES = 1 };

/* In a child of a template: what the template has is not in the child's table. Objects from before are as dropped ones. */
void lua_handles_forked(void);

struct lua_handle {
    unsigned forks;  /* of the process that it belongs to */
    uint32_t number; /* 0: dropped */
    Pb__Kind kind;
    uint32_t rights;
    bool kept;      /* by this worker's table as well: a collected object leaves it there */
    uint64_t bytes; /* of a buffer */
    char id[HANDLE_ID];
    void *more;    /* of a buffer: its mapping, bytes long */
    bool writable; /* that is: whatever the rights say, only who has made it has it so, and until it is sealed */
};

/* User value: its name. */
enum { HANDLE_NAME = 1 };

/* Pushes a new object for it, which owns it from now on. */
struct lua_handle *lua_handle_push(lua_State *L, const Pb__Handle *h);

/* The handle that the value at index is; NULL: none. */
struct lua_handle *lua_handle_test(lua_State *L, int index);

/* The same of this kind, or an error; not dropped. */
struct lua_handle *lua_handle_check(lua_State *L, int index, Pb__Kind kind);

/* Fills a Ref with it. */
void lua_handle_ref(const struct lua_handle *h, Pb__Ref *ret);

/* Gives it back, without waiting. */
void lua_handle_drop(struct lua_handle *h);

/* mod_buffers.c: its bytes, for which the first one waits; and no more. */
const char *lua_buffer_bytes(lua_State *L, struct lua_handle *h);
void lua_buffer_unmap(struct lua_handle *h);

/* "queue", and back: KIND_NONE when there is none such. Rights as a table of names, {"send", "recv"}, or one word for all: 0. */
const char *lua_kind_name(Pb__Kind kind);
uint32_t lua_rights_check(lua_State *L, int index);
void lua_rights_push(lua_State *L, uint32_t rights);

#endif
