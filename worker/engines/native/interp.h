/*
 * interp.h - a shared object as an interpreter: its table coop_functions (coop/interp.h), and its globals as the state.
 *
 * Side: worker.
 */
#ifndef NATIVE_INTERP_H
#define NATIVE_INTERP_H

#include "worker/engine.h"

extern const struct interp_engine native_interp;

#endif
