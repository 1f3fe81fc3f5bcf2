/*
 * value.h - values of Lua as the typed values that travel (proto/value.h), and back; and what Lua has no value of its own for.
 *
 * Side:    worker, sealed.
 * There:   nil and coop.null are null; a string is text when it is UTF-8, else bytes, and coop.bytes(s) is bytes whatever it holds; a table whose
 *          keys are 1 to n is a list, an empty one too, any other one a map; an integer outside of 64 bits is a coop.big(digits). Metatables are not
 *          asked. Objects of coop.interpreters, coop.queues, coop.buffers, coop.kv and coop.caps are handles.
 * Back:    null is nil, but coop.null inside a table; text and bytes are strings. A map with a text and bytes of the same content as keys is
 *          refused: they would be one.
 * Errors:  of Lua are raised for want of memory only, unless said otherwise.
 */
#ifndef LUA_VALUE_H
#define LUA_VALUE_H

#include "worker/engines/lua/job.h"
#include "worker/packed.h"

/* The value at index. root: the word that paths begin with. 0, or -1 with *e; for want of memory a status of Lua's (above 0), the error on top.
 * ret is the caller's to finish, whatever is returned: it is kept when an error is raised. */
int lua_value_pack(lua_State *L, int index, const char *root, struct packed *ret, struct packed_error *e);
/* The n values from first on, as a list. */
int lua_value_pack_list(lua_State *L, int first, int n, const char *root, struct packed *ret, struct packed_error *e);

/* Pushes the value; raises an error when it is none. NULL: nil. One that lies in a buffer is waited for. */
void lua_value_push(lua_State *L, const Pb__Value *v);
/* Pushes each value of a list, and returns how many; raises an error when it is none. NULL or without bytes: none. */
int lua_value_push_each(lua_State *L, const Pb__Value *v);

/* null, bytes, big: into the table on top. */
void lua_value_open(lua_State *L);

#endif
