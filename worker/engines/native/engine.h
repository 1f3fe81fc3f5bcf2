/*
 * engine.h - the native engine: a job is a shared object with an int coop_job(int argc, char **argv), see coop/native.h.
 *
 * Side: worker.
 */
#ifndef NATIVE_ENGINE_H
#define NATIVE_ENGINE_H

#include "worker/engine.h"

extern const struct engine native_engine;

#endif
