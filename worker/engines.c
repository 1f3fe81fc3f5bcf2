/* engines.c - see engines.h. */
#include "worker/engines.h"

#include "worker/engines/lua/engine.h"

const struct engine *const engines_built_in[] = { &lua_engine, NULL };
