/*
 * version.h - the minor version of CPython that this engine is for, which is checked here and nowhere else: 3.11.
 *
 * Who includes it, by state.h or freeze_code.h, may look into CPython's own structures, or at its bytecode. Those that do are named in state.h; tools/layers.sh
 * (make tidy) holds them to that.
 */
#ifndef PYTHON_VERSION_H
#define PYTHON_VERSION_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#if PY_VERSION_HEX < 0x030b0000 || PY_VERSION_HEX >= 0x030c0000
#error "this engine is for CPython 3.11"
#endif

#endif
