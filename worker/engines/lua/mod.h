/*
 * mod.h - the modules by which a script asks the broker: require "coop.interpreters" and its like. Each is a file mod_*.c.
 *
 * Side: worker, sealed. What may be done is the broker's to say (docs/calls.md); nothing here is a check.
 */
#ifndef LUA_MOD_H
#define LUA_MOD_H

#include "worker/engines/lua/asking.h"
#include "worker/engines/lua/handle.h"

/* What package.preload would hold. */
int lib_interpreters(lua_State *L);
int lib_queues(lua_State *L);
int lib_buffers(lua_State *L);
int lib_kv(lua_State *L);
int lib_caps(lua_State *L);

/* What each kind of handle has beside the methods of all. */
extern const luaL_Reg lua_interp_methods[], lua_queue_methods[], lua_buffer_methods[], lua_kv_methods[];

/* mod_create.c - interpreters.create(options) -> the interpreter. */
int lua_interp_create(lua_State *L);

/* mod_status.c - pushes what is known of an interpreter, as a table. */
void lua_interp_push_status(lua_State *L, const Pb__InterpStatus *s);

/* mod_future.c - the asking on top, which was sent and is answered by a CallResult, becomes a future. */
void lua_future_new(lua_State *L);
/* Waits for it and pushes its value; ends it. */
int lua_result_of(lua_State *L, struct lua_asking *s);

/* mod_alias.c - alias(name, ...) of require "coop"; and the tasklet that serves those of a child: the functions by their names in the table at index. */
int lua_alias_call(lua_State *L);
void lua_alias_serve(lua_State *L, int functions, const struct lua_handle *child);

/* mod_unbound.c - what becomes of an item without its sender: none or nil is NONE; pushes its constant; once, before; all of them, into the table on top. */
Pb__Unbound lua_unbound_at(lua_State *L, int index);
void lua_unbound_push(lua_State *L, Pb__Unbound u);
void lua_unbound_open(lua_State *L);
void lua_unbound_constants(lua_State *L);

/* A field of the table at index as this type, or its default; an error names the field. Strings belong to the table. */
const char *lua_field_text(lua_State *L, int index, const char *field, const char *otherwise);
uint64_t lua_field_count(lua_State *L, int index, const char *field, uint64_t otherwise);
bool lua_field_flag(lua_State *L, int index, const char *field);
/*
 * Puts a copy in the place of the table at index, and copies in the place of the tables in it: without metatables, and nobody's but ours. What is read
 * from it stays as it is while the script's own code runs, as a finalizer may at any allocation; strings live as long as it stands there.
 */
void lua_fields_own(lua_State *L, int index);
/* An error when there is a field of another name; names ends with NULL. */
void lua_fields_check(lua_State *L, int index, const char *const *names);

#endif
