/* engines.c - see engines.h. */
#include "worker/engines.h"

#include "worker/engines/exec/engine.h"
#include "worker/engines/lua/engine.h"
#include "worker/engines/native/engine.h"
#include "worker/engines/python/engine.h"

const struct engine *const engines_built_in[] = {
    &lua_engine, &native_engine, &exec_engine, &python_program, &python_packages_program, NULL
};
