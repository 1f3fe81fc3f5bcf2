/*
 * engine.h - the Lua 5.4 engine: tenant scripts with an API that can compute, read its stdin, and print.
 *
 * Side: worker.
 */
#ifndef LUA_ENGINE_H
#define LUA_ENGINE_H

#include "worker/engine.h"

extern const struct engine lua_engine;

#endif
