/* loop.h - asyncio in tasklets: the modules _coop_loop and coop_asyncio. Side: worker, sealed. */
#ifndef PYTHON_LOOP_H
#define PYTHON_LOOP_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

PyObject *py_loop_module(void);
PyObject *py_asyncio_module(void);

/* In the zygote, when modules can be imported: asyncio's default policy makes our loops. 0, or -1 with an exception set. */
int py_loop_prepare(void);

#endif
