/*
 * job.h - what the parts of the Python engine know of the one job of this process, and what each part offers.
 *
 * Side:    worker; until python_prepare() is over in the zygote, then sealed: tenant code calls everything that a module here has.
 * Owned:   the spec belongs to serve.c and lives as long as the process. References are the caller's unless it says borrowed.
 * Returns: as CPython's own functions: NULL or -1 with an exception set, the interpreter lock held.
 */
#ifndef PYTHON_JOB_H
#define PYTHON_JOB_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <signal.h>

#include "link.pb-c.h"
#include "worker/engine.h"

struct python_job {
    PyThreadState *main;             /* the thread state that the process began with */
    PyObject *lib;                   /* lib/run.py: what of the engine is written in Python */
    const Pb__JobSpec *spec;         /* NULL until there is one */
    volatile sig_atomic_t cancelled; /* the job; of an interpreter the call that runs */
    bool interpreter;
};

extern struct python_job python_job;

/* lib.c - a file of lib/, built in: executed as a module of that name, which is in sys.modules from then on. */
PyObject *python_lib_load(const char *name);

/* streams.c - adds the types Output and Input, the bytes of the three standard streams, to a module. */
int python_streams_add(PyObject *module);

/* engine.c - calls a function of lib/run.py; format as Py_BuildValue's, of a tuple or of one argument. */
PyObject *python_lib_call(const char *function, const char *format, ...);

/* engine.c - what a job is given: a list of texts, a dict of texts, a dict of sources. */
PyObject *python_job_args(const Pb__JobSpec *spec);
PyObject *python_job_env(const Pb__JobSpec *spec);
PyObject *python_job_modules(const Pb__JobSpec *spec);

#endif
