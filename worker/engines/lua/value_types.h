/*
 * value_types.h - the types that Lua has not: null inside a table, bytes that may be UTF-8, and integers outside of 64 bits.
 *
 * Side: worker. Strings belong to the object.
 */
#ifndef LUA_VALUE_TYPES_H
#define LUA_VALUE_TYPES_H

#include "worker/engines/lua/job.h"

enum lua_value_type { LUA_VALUE_OTHER, LUA_VALUE_NULL, LUA_VALUE_BYTES, LUA_VALUE_BIG };

/* Of the userdata at index. */
enum lua_value_type lua_value_type(lua_State *L, int index);
/* Of BYTES and BIG. */
const char *lua_value_content(lua_State *L, int index, size_t *ret_len);

/* Once; before one is pushed. */
void lua_value_open_types(lua_State *L);
void lua_value_push_null(lua_State *L);
void lua_value_push_big(lua_State *L, const char *digits, size_t len);

#endif
