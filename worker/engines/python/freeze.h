/*
 * freeze.h - execution state by pickle: tasklets and channels with what they stand in, generators, functions, code.
 *
 * Side:  worker, sealed; with the GIL. What is loaded was dumped by a worker of the same tenant, or it is refused: lib/freeze.py asks the broker.
 * Dump:  one pickle.dumps() that meets such an object is pickled by a Dump, and the whole result is sealed: a blob.
 * Open:  whatever makes frames and code out of a pickle's values works only while a blob is being loaded that was checked; called otherwise it
 *        raises pickle.UnpicklingError. load() checks the blob itself.
 */
#ifndef PYTHON_FREEZE_H
#define PYTHON_FREEZE_H

#include "worker/engines/python/freeze_frame.h"
#include "worker/engines/python/slp.h"

/* import _coop_freeze */
PyObject *py_freeze_module(void);

/* ---- dumps: freeze.c ---- */

struct py_dump {
    PyObject_HEAD vectorcallfunc call;
    bool used;         /* execution state is in it */
    bool by_value;     /* functions of __main__ go with it */
    bool by_name;      /* one of them did not */
    PyObject *globals; /* {address of a dict: the object that stands for it} */
    PyObject *live;    /* {frame: its state}, {generator: (its state, globals)} of those that go on, as they were when met */
    PyObject *steps;   /* {async generator that waits in a step: whether that is in it} */
    PyObject *root;    /* the tasklet or channel that it is for, whose class may have a __reduce_ex__ that asked for it; NULL: any */
};

/* __reduce__ of a tasklet or a channel, that another pickler than ours calls: a blob of its own. And __reduce_ex__: that, or the class's own __reduce__. */
PyObject *py_reduce_alone(PyObject *self, PyObject *none);
PyObject *py_reduce_ex(PyObject *self, PyObject *protocol);
/* __setstate__ of both: attributes of a class that reduces itself, as pickle sets them where there is none. What it stands in comes out of blobs. */
PyObject *py_set_attributes(PyObject *self, PyObject *state);

PyObject *py_not_ours(void); /* NotImplemented: pickle does what it always does */
typedef PyObject *py_reducer(struct py_dump *d, PyObject *o);
py_reducer py_reduce_globals, py_reduce_function, py_reduce_code, py_reduce_cell;
py_reducer py_reduce_module, py_reduce_type, py_reduce_view; /* these need no seal, and take NULL for d */
py_reducer py_reduce_step, py_reduce_await;
extern PyMethodDef py_freeze_step_functions[];
extern PyTypeObject py_globals_type; /* stands for a dict of globals in a dump */
/* Python's own pickle would find this function by its name; NULL, None: it has none. */
bool py_is_found(PyObject *f, PyObject *modname, PyObject *qualname);

/* (function of the module _coop_freeze, arguments, state, None, None, function that sets it): what a reducer returns. arguments and state are taken
 * over; state may be NULL. */
PyObject *py_reduced(const char *make, PyObject *arguments, const char *set, PyObject *state);
/* A dict of globals, as an object that stands for it in this dump: a new reference. */
PyObject *py_dump_globals(struct py_dump *d, PyObject *globals);
/* Of globals that go with the dump, those that code uses: a dict; None: they do not go with it. */
PyObject *py_dump_used_globals(struct py_dump *d, PyObject *globals, PyCodeObject *code);
/* An async generator waits in a step, which has to be in the dump. */
int py_dump_waits_in_step(struct py_dump *d, PyObject *gen);
/* A frame, or the generator whose it is, goes on: what it is pickled with is taken now. 0, or -1 with an error. */
int py_dump_goes_on(struct py_dump *d, const struct py_frozen_frame *r);

/* ---- tasklets and channels: freeze_task.c apart, freeze_thaw.c together ---- */

/* Of a tasklet; in blobs. */
enum { TASKLET_ATOMIC = 1, TASKLET_BLOCK_TRAP = 2, TASKLET_IGNORE_NESTING = 4, TASKLET_RETURNS_NONE = 8, TASKLET_WAITS = 16 };

/* What can be answered for: called is a call of ours that gives up the turn (iterates: a channel that is iterated over), and what it
 * came back with is the tasklet's tempval, or nothing. */
bool slp_answers(PyObject *called, bool iterates, bool *ret_returns_none);
PyObject *py_reduce_tasklet(struct py_dump *d, py_tasklet *t);
PyObject *py_reduce_channel(struct py_dump *d, struct slp_chan *c);
extern PyMethodDef py_freeze_task_functions[], py_freeze_functions[];
/* At the end of a load. 0, or -1 with an error. */
int py_tasklet_settles(py_tasklet *t);
int py_tasklet_waits(py_tasklet *t, struct slp_chan *c);

/* Whether it could be pickled as it stands. */
bool py_is_restorable(py_tasklet *t);

/* ---- loads ---- */

/* Before the first load: what checks blobs is lib's, a dict. From then on the loads of _pickle's own are closed. 0, or -1. */
int py_load_ready(PyObject *lib);
/* load(blob): whoever calls it, and a pickle can, says neither who checks nor who loads. */
PyObject *py_load(PyObject *self, PyObject *const *args, Py_ssize_t n);
/* closed(f, argument): bytes that f loads make no execution state unless they are sealed themselves. */
PyObject *py_load_closed(PyObject *self, PyObject *const *args, Py_ssize_t n);
/* A blob that was checked is being loaded, by this tasklet, and within it no bytes that were not; else UnpicklingError that says so, and false. */
bool py_load_is_open(const char *what);
/* At its end o, a channel, gets those who wait for it. */
int py_load_settles(PyObject *channel, PyObject *waiting);
/* At its end the frames that t, a tasklet, stands in are checked. */
int py_load_checks(PyObject *tasklet);
/* With a cell that is empty for each of its code's free variables: it may be called before it has its own. */
PyObject *py_function_new(PyObject *code, PyObject *globals);
/* Of this process's __main__, which its own blobs find again: a new reference. */
PyObject *py_freeze_home(void);
/* The object of that name in a module that is there; NULL without an error: none. */
PyObject *py_find_function(PyObject *modname, PyObject *qualname);

#endif
