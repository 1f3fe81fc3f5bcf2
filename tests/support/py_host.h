/*
 * py_host.h - Debian's own python3.11 with what a job finds there (coop_python.so), outside the seal: a file that runs as a script in it.
 *
 * Side:    tests.
 * Owned:   the process is ended with the test's others (run.h).
 */
#ifndef TESTS_SUPPORT_PY_HOST_H
#define TESTS_SUPPORT_PY_HOST_H

#include <stdbool.h>

#include "tests/support/run.h"

#define PY_ROWS "tests/python/" /* from the top folder, as make check is */

/* words: the script and its arguments, NULL at the end, 32 at most. Scripts find each other in PY_ROWS. */
struct proc *py_host(const char *const *words);
/* Whether the engine is built here; else it says so. */
bool py_host_is_here(void);

#endif
