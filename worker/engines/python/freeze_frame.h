/*
 * freeze_frame.h - frames of CPython 3.11, taken apart and put together again.
 *
 * Side:    worker, sealed. With the GIL.
 * Version: freeze_frame.c knows how 3.11's frames lie in memory, freeze_gen.c its generators.
 * Frozen:  the frames that a tasklet stood in, without a C stack: each goes on, the innermost first, in a loop of the interpreter's of its own; what
 *          it returns is what the next one's call returns.
 */
#ifndef PYTHON_FREEZE_FRAME_H
#define PYTHON_FREEZE_FRAME_H

#include "worker/engines/python/freeze_code.h"
#include "worker/engines/python/task.h"

struct py_frozen {
    int n, at;         /* frames; which one runs: before its first turn -1 */
    bool returns_none; /* the call that it stood in: whatever it came back with */
    PyObject *handled; /* the error that is being handled; NULL: none */
    PyObject *channel; /* that it waits for: nothing on a C stack holds that for it; NULL: none */
    PyObject *traced;  /* (trace function, profile function, (each frame's)); NULL: none */
    struct py_frozen_frame {
        PyFrameObject *frame;
        PyObject *generator; /* whose it is; NULL: nobody's */
        int at;              /* its last instruction */
        int depth;           /* py_frames_of()'s: of its stack, so much goes with it */
        enum py_left left;
    } frames[]; /* innermost first */
};

/* n frames, none of them set. NULL with an error. */
struct py_frozen *py_frozen_new(int n);
void py_frozen_free(struct py_frozen *z); /* NULL: nothing */
int py_frozen_visit(const struct py_frozen *z, visitproc visit, void *arg);
/* The frame's place is one of its code, and its stack is as deep as that needs. 0, or -1 with an error. */
int py_frozen_check(const struct py_frozen *z);

/* In a tasklet's first turn: value is what it comes back with, NULL: an error is set. Returns what the outermost returns. */
PyObject *py_frozen_run(struct py_frozen *z, PyObject *value);

/* ---- taking apart ---- */

/* What stands on t's stack, which has begun and does not run. Every frame has its place; NULL with pickle.PicklingError, that names the frame which
 * prevents it. The caller frees it; its frames are t's own. */
struct py_frozen *py_frames_of(py_tasklet *t);

enum { PY_FRAME_STATE = 5 };

/* A frame's variables, and its stack below depth: (instruction, how many, mask of those that are there, those that are, f_locals or None). */
PyObject *py_frame_state(PyFrameObject *f, int at, int depth);
/* Of one that does not go on. */
PyObject *py_frame_dead_state(PyFrameObject *f);

/* ---- putting together ---- */

/* One that has no variables yet. */
PyObject *py_frame_make(PyObject *code, PyObject *globals);
/* state: py_frame_state()'s. 0, or -1 with an error. */
int py_frame_set(PyFrameObject *f, PyObject *state);

/* ---- generators, coroutines, async generators: freeze_gen.c ---- */

bool py_is_generator(PyObject *o);
/* Its state, a tuple; NULL with an error: it runs. */
PyObject *py_gen_state(PyObject *gen);
/* An async generator of which somebody awaits a value that it waits for something to give. */
bool py_gen_waits_in_step(PyObject *gen);
PyCodeObject *py_gen_code(PyObject *gen); /* borrowed */
PyObject *py_gen_globals(PyObject *gen);  /* borrowed; NULL: it has ended */
/* kind: of which of the three types; one that has ended, until py_gen_set(). globals: None: it has ended. */
PyObject *py_gen_make(int kind, PyObject *code, PyObject *globals, PyObject *name, PyObject *qualname);
int py_gen_kind(PyObject *gen);
int py_gen_set(PyObject *gen, PyObject *state);
/* Of one that runs, in a tasklet that is taken apart: its last instruction, and how much of its stack goes with it. */
PyObject *py_gen_running_state(PyObject *gen, int at, int depth);
/* The generator whose frame it is, borrowed; NULL: it is none's. */
PyObject *py_frame_generator(PyFrameObject *f);
/* Its frame, a new reference; None: it has ended. NULL with an error. */
PyObject *py_gen_frame(PyObject *gen);

/* One that runs, in a tasklet that was put together: whoever else wants a value of it is told so, until it has its turn; or it never has. */
bool py_gen_runs(PyObject *gen);
void py_gen_never_runs(PyObject *gen);
/* What it handles is what those that it called handle. */
void py_gen_enters(PyObject *gen, PyThreadState *ts);
/* Its turn, in f, its frame; the error that is set is thrown. */
PySendResult py_gen_goes_on(PyObject *gen, PyThreadState *ts, PyFrameObject *f, PyObject **ret_value);

/* ---- for both: values in a frame ---- */

struct _PyInterpreterFrame;
PyObject *py_values_of(struct _PyInterpreterFrame *f, int n, PyObject **ret_mask);
int py_values_set(struct _PyInterpreterFrame *f, int n, PyObject *mask, PyObject *values);

/* Borrowed; None stands for NULL in a pickle. */
static inline PyObject *py_or_none(PyObject *o)
{
    return o != NULL ? o : Py_None;
}

/* pickle.PicklingError or pickle.UnpicklingError, as PyErr_Format(). Returns NULL. */
PyObject *py_freeze_error(const char *class_name, const char *format, ...);
/* PicklingError that names the frame. Returns NULL. */
PyObject *py_frame_prevents(PyFrameObject *f, const char *why, PyObject *o);

#endif
