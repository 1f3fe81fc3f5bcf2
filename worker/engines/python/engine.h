/*
 * engine.h - the engine for CPython 3.11: scripts, modules and interpreters, in a process that is Debian's own /usr/bin/python3.11.
 *
 * Side:  worker. coop-worker has python_program, which is nothing but the way into that program; all else is in coop_python.so, which that program
 *        loads, and whose zygote has python_engine (docs/decisions/0018-python-in-debians-own-program.md).
 */
#ifndef PYTHON_ENGINE_H
#define PYTHON_ENGINE_H

#include "worker/engine.h"

/* start.c, in coop-worker. */
extern const struct engine python_program, python_packages_program;

/* engine.c, in coop_python.so. */
extern const struct engine python_engine, python_packages_engine;

#endif
