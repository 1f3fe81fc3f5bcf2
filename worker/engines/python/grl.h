/*
 * grl.h - import greenlet: switches by name, on the same tasklets as stackless.
 *
 * Side:    worker, sealed; tenant code calls everything registered here. With the GIL.
 * Carrier: what a greenlet runs in is a tasklet of its own, which is in the run queue only while the greenlet has the turn. The root greenlet of a
 *          tasklet, main among them, has that tasklet itself. So a tasklet's greenlets take their turns among the others' as one.
 * Owned:   a greenlet that runs has a reference to itself; one that is suspended lives as long as somebody knows it, and is thrown out
 *          (GreenletExit) when nobody does.
 */
#ifndef PYTHON_GRL_H
#define PYTHON_GRL_H

#include "worker/engines/python/task.h"

typedef struct greenlet {
    PyObject_HEAD PyObject *dict, *weak;
    PyObject *run;           /* before its start */
    struct greenlet *parent; /* NULL: a root */
    py_tasklet *t;           /* from its start to its end */
    PyObject *context;       /* before its start */
    struct py_thread *thread;
    bool started, dead, running; /* running: has the reference to itself */
} greenlet;

extern PyTypeObject grl_type;
extern PyObject *grl_error, *grl_exit, *grl_tracer;

/* The greenlet that runs: borrowed. NULL with an error. */
greenlet *grl_current(void);
/* Hands value, which is taken over and may be a bomb, to g, or to the nearest of its parents that is not dead. What comes back. */
PyObject *grl_switch(greenlet *g, PyObject *value, bool throws);
PyObject *grl_throw(greenlet *g, PyObject *type, PyObject *value, PyObject *traceback);
/* What switch(*args, **kwargs) hands over. */
PyObject *grl_value_of(greenlet *g, PyObject *args, PyObject *kwargs);

PyObject *grl_module(void);

#endif
