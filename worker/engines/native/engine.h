/*
 * engine.h - the native engine: a job is a shared object with an int coop_job(int argc, char **argv), see coop/native.h.
 *
 * Side: worker.
 */
#ifndef NATIVE_ENGINE_H
#define NATIVE_ENGINE_H

#include "worker/engine.h"

/* Where the descriptors begin on which the threads of a job of several sleep: each thread has one of either. */
enum { NATIVE_THREADS = 64, NATIVE_EPOLLS = 64, NATIVE_EVENTS = NATIVE_EPOLLS + NATIVE_THREADS };

extern const struct engine native_engine;

#endif
