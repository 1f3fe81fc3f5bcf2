/*
 * engine.h - the engine exec: runs any program of the view below us, and is its init.
 *
 * Side: worker. This process stays ours: the tenant's bytes run in children of it, under a policy of their own, and of what they say
 *       nothing is parsed. It never blocks on them and opens no path of theirs but as collect.h says.
 */
#ifndef WORKER_ENGINES_EXEC_ENGINE_H
#define WORKER_ENGINES_EXEC_ENGINE_H

#include "worker/engine.h"

extern const struct engine exec_engine;

#endif
