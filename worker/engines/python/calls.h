/*
 * calls.h - what the module _coop has for the modules of lib/ that ask the broker: Ask, Handle, register, limits, why_not_shareable.
 *
 * Side: worker. Tenant code may call all of it; what may be done is the broker's to say (docs/calls.md): nothing here is a check.
 */
#ifndef PYTHON_CALLS_H
#define PYTHON_CALLS_H

#include "worker/engines/python/job.h"

/* -1 with an exception. */
int python_calls_add(PyObject *module);

/* lib_modules.c - built_in_modules(): {name: (source, whether it is a package)}. */
int python_lib_modules_add(PyObject *module);

#endif
