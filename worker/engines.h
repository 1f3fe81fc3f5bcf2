/*
 * engines.h - the engines this coop-worker was built with, NULL-terminated.
 *
 * Side: worker.
 */
#ifndef WORKER_ENGINES_H
#define WORKER_ENGINES_H

#include "worker/engine.h"

extern const struct engine *const engines_built_in[];

#endif
