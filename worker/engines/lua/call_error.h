/*
 * call_error.h - the errors of calls (proto/call_errors.h) as error objects of Lua: a table whose type is the error's name.
 *
 * Side:    worker, sealed.
 * Fields:  type, message; where there is one: path, traceback (of the other side), remote_type, cause, cause_detail, receipt, cycle (a list).
 */
#ifndef LUA_CALL_ERROR_H
#define LUA_CALL_ERROR_H

#include "worker/engines/lua/job.h"

/* Pushes the error object. */
void lua_call_push_failure(lua_State *L, const Pb__CallFailure *f);
void lua_call_push_error(lua_State *L, Pb__CallError error, const char *message, const char *path);

/* Raises one; message NULL: that of the table. Never returns. */
int lua_call_raise(lua_State *L, Pb__CallError error, const char *message);

/* For rc < 0 of asks.h: raises what it means; of a tasklet, as lua_task_failed() does. */
int lua_call_failed(lua_State *L, int rc);

#endif
