/* freeze_gen.c - see freeze_frame.h: generators, coroutines and async generators of CPython 3.11. */
#define Py_BUILD_CORE 1
#include "worker/engines/python/freeze_frame.h"

#include <frameobject.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>

#include "worker/engines/python/freeze.h"

static PyTypeObject *const kinds[] = { &PyGen_Type, &PyCoro_Type, &PyAsyncGen_Type };

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), CODE_FLAGS = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR };

static const int flag_of[] = { CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR };
static const char *const frame_names[] = { "gi_frame", "cr_frame", "ag_frame" };

static _PyInterpreterFrame *frame_of(PyGenObject *g)
{
    return (_PyInterpreterFrame *)g->gi_iframe;
}

int py_gen_kind(PyObject *gen)
{
    for (int i = 0; i < KINDS; i++)
        if (Py_IS_TYPE(gen, kinds[i]))
            return i;
    return -1;
}

bool py_is_generator(PyObject *o)
{
    return py_gen_kind(o) >= 0;
}

PyCodeObject *py_gen_code(PyObject *gen)
{
    return ((PyGenObject *)gen)->gi_code;
}

PyObject *py_gen_globals(PyObject *gen)
{
    PyGenObject *g = (PyGenObject *)gen;

    return g->gi_frame_state < FRAME_CLEARED ? frame_of(g)->f_globals : NULL;
}

PyObject *py_frame_generator(PyFrameObject *f)
{
    return f->f_frame->owner == FRAME_OWNED_BY_GENERATOR ? (PyObject *)_PyFrame_GetGenerator(f->f_frame) : NULL;
}

/* ---- apart ----------------------------------------------------------------------------------------------------------------------- */

enum { NO_HOOKS, HOOKS_OF_LOADER, HOOKS_BY_VALUE }; /* in blobs */

/* Of an async generator: (whose hooks, finalizer, whether it was closed, whether a step of it is under way). */
static PyObject *own_of(PyGenObject *g)
{
    bool by_value = (slp_pickle_flags() & SLP_PICKLES_FINALIZERS) != 0 && g->gi_hooks_inited;
    int hooks = by_value                                                                  ? HOOKS_BY_VALUE
                : g->gi_hooks_inited && (slp_pickle_flags() & SLP_RESETS_FINALIZERS) == 0 ? HOOKS_OF_LOADER
                                                                                          : NO_HOOKS;

    if (!PyAsyncGen_CheckExact((PyObject *)g))
        return Py_NewRef(Py_None);
    return Py_BuildValue("(iOii)", hooks, by_value ? py_or_none(g->gi_origin_or_finalizer) : Py_None, g->gi_closed, g->gi_running_async);
}

enum { NEW, WAITS, RUNS }; /* in blobs */

static PyObject *state_of(PyGenObject *g, int life, int at, int n)
{
    PyObject *mask, *own, *values = py_values_of(frame_of(g), n, &mask);

    if (values == NULL)
        return NULL;
    own = own_of(g);
    return Py_BuildValue("(iONiiNN)", life, py_or_none(g->gi_exc_state.exc_value), own, at, n, mask, values);
}

PyObject *py_gen_running_state(PyObject *gen, int at, int depth)
{
    PyGenObject *g = (PyGenObject *)gen;

    return state_of(g, RUNS, at, g->gi_code->co_nlocalsplus + depth);
}

/* (its life, error it handles, own_of(), instruction, n, mask, values); None: it has ended. */
PyObject *py_gen_state(PyObject *gen)
{
    PyGenObject *g = (PyGenObject *)gen;
    _PyInterpreterFrame *f = frame_of(g);
    struct py_place p;
    int at, rc;

    if (g->gi_frame_state >= FRAME_COMPLETED)
        Py_RETURN_NONE;
    if (g->gi_frame_state == FRAME_EXECUTING)
        return py_freeze_error("PicklingError", "%R, of file %U, line %d: it runs", gen, g->gi_code->co_filename,
                               g->gi_code->co_firstlineno);
    at = (int)(f->prev_instr - _PyCode_CODE(f->f_code));
    rc = py_place_of(f->f_code, at, PY_LEFT_YIELD, &p);
    if (rc == 0 && f->stacktop == f->f_code->co_nlocalsplus + p.depth)
        return state_of(g, g->gi_frame_state == FRAME_SUSPENDED ? WAITS : NEW, at, f->stacktop);
    return rc == -2 ? NULL : py_freeze_error("PicklingError", "%R stands where no generator waits", gen);
}

/* ---- and together ------------------------------------------------------------------------------------------------------------------ */

static int make_frame(PyGenObject *g, PyCodeObject *code, PyObject *globals)
{
    PyFunctionObject *func = (PyFunctionObject *)py_function_new((PyObject *)code, globals);
    _PyInterpreterFrame *f = frame_of(g);

    if (func == NULL)
        return -1;
    _PyFrame_InitializeSpecials(f, func, NULL, 0);
    f->previous = NULL;
    f->owner = FRAME_OWNED_BY_GENERATOR;
    f->prev_instr = _PyCode_CODE(code);  /* has begun: nobody who looks at it fills in what it closes over */
    g->gi_frame_state = FRAME_COMPLETED; /* has a frame, and does not go on */
    return 0;
}

static PyGenObject *alloc(PyTypeObject *type, PyCodeObject *code, PyObject *name, PyObject *qualname)
{
    PyGenObject *g = PyObject_GC_NewVar(PyGenObject, type, code->co_nlocalsplus + code->co_stacksize);

    if (g == NULL)
        return NULL;
    g->gi_code = (PyCodeObject *)Py_NewRef(code);
    g->gi_weakreflist = NULL;
    g->gi_name = Py_NewRef(name);
    g->gi_qualname = Py_NewRef(qualname);
    g->gi_exc_state.exc_value = NULL;
    g->gi_exc_state.previous_item = NULL;
    g->gi_origin_or_finalizer = NULL;
    g->gi_hooks_inited = g->gi_closed = g->gi_running_async = 0;
    g->gi_frame_state = FRAME_CLEARED;
    for (int i = 0; i < code->co_nlocalsplus + code->co_stacksize; i++) /* f_locals of one that has no values yet */
        frame_of(g)->localsplus[i] = NULL;
    return g;
}

PyObject *py_gen_make(int kind, PyObject *code, PyObject *globals, PyObject *name, PyObject *qualname)
{
    PyGenObject *g;

    if (kind < 0 || kind >= KINDS || !PyCode_Check(code) || (((PyCodeObject *)code)->co_flags & CODE_FLAGS) != flag_of[kind] ||
        !PyUnicode_Check(name) || !PyUnicode_Check(qualname) || (globals != Py_None && !PyDict_Check(globals)))
        return py_freeze_error("UnpicklingError", "%R is no code of such a generator", code);
    g = alloc(kinds[kind], (PyCodeObject *)code, name, qualname);
    if (g != NULL && globals != Py_None && make_frame(g, (PyCodeObject *)code, globals) != 0) {
        PyObject_GC_Track(g);
        Py_CLEAR(g);
        return NULL;
    }
    if (g != NULL)
        PyObject_GC_Track(g);
    return (PyObject *)g;
}

/* As if it were iterated over for the first time. Where nobody has hooks it has none until it is. */
static int take_hooks(PyGenObject *g)
{
    const PyThreadState *ts = py_state_current();
    PyObject *done;

    g->gi_hooks_inited = ts->async_gen_firstiter != NULL || ts->async_gen_finalizer != NULL;
    g->gi_origin_or_finalizer = Py_XNewRef(ts->async_gen_finalizer);
    if (ts->async_gen_firstiter == NULL)
        return 0;
    done = PyObject_CallOneArg(ts->async_gen_firstiter, (PyObject *)g);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

static int set_own(PyGenObject *g, PyObject *own)
{
    PyObject *finalizer;
    int hooks, closed, in_step = 0;

    if (!PyAsyncGen_CheckExact((PyObject *)g))
        return 0;
    if (!PyTuple_CheckExact(own) || !PyArg_ParseTuple(own, "iOi|i;an async generator's own", &hooks, &finalizer, &closed, &in_step))
        return PyErr_Occurred() ? -1 : (py_freeze_error("UnpicklingError", "an async generator's own is a tuple"), -1);
    g->gi_closed = closed != 0;
    g->gi_running_async = in_step != 0;
    if (hooks == HOOKS_BY_VALUE && (slp_pickle_flags() & SLP_PICKLES_FINALIZERS) != 0) {
        g->gi_origin_or_finalizer = finalizer != Py_None ? Py_NewRef(finalizer) : NULL;
        g->gi_hooks_inited = 1;
        return 0;
    }
    return hooks == NO_HOOKS || (slp_pickle_flags() & SLP_RESETS_FINALIZERS) != 0 ? 0 : take_hooks(g);
}

/* Of one that runs its tasklet says how it was left: py_frozen_check(). Nobody else runs it. */
static int check_place(const PyGenObject *g, int life, int at, int n)
{
    struct py_place p = { .depth = n - g->gi_code->co_nlocalsplus };
    int rc = life == RUNS ? py_instruction_of(g->gi_code, at) : py_place_of(g->gi_code, at, PY_LEFT_YIELD, &p);

    if (at >= 0 && rc == (life == RUNS ? at : 0) && p.depth >= 0 && n == g->gi_code->co_nlocalsplus + p.depth)
        return 0;
    if (rc != -2)
        (void)py_freeze_error("UnpicklingError", "no generator of %U waits at its instruction %d with %d values", g->gi_qualname, at, n);
    return -1;
}

int py_gen_set(PyObject *gen, PyObject *state)
{
    PyGenObject *g = (PyGenObject *)gen;
    PyObject *handled, *own, *mask, *values;
    int life, at, n;
    _PyInterpreterFrame *f = frame_of(g);

    if (g->gi_frame_state != FRAME_COMPLETED || f->stacktop != 0) {
        (void)py_freeze_error("UnpicklingError", "a generator gets its state once");
        return -1;
    }
    if (!PyTuple_CheckExact(state)) {
        (void)py_freeze_error("UnpicklingError", "a generator's state is a tuple");
        return -1;
    }
    if (!PyArg_ParseTuple(state, "iOOiiOO;a generator's state", &life, &handled, &own, &at, &n, &mask, &values))
        return -1;
    if (check_place(g, life, at, n) != 0)
        return -1;
    if (py_values_set(f, n, mask, values) != 0)
        return -1;
    f->prev_instr = _PyCode_CODE(g->gi_code) + at;
    g->gi_exc_state.exc_value = handled != Py_None ? Py_NewRef(handled) : NULL;
    if (life == RUNS) /* nobody else may end it: no collector calls close() */
        py_state_no_finalizer(gen);
    g->gi_frame_state = life == RUNS ? FRAME_EXECUTING : life == WAITS ? FRAME_SUSPENDED : FRAME_CREATED;
    return set_own(g, own);
}

/* ---- those that run ---------------------------------------------------------------------------------------------------------------- */

bool py_gen_waits_in_step(PyObject *gen)
{
    const PyGenObject *g = (PyGenObject *)gen;

    return PyAsyncGen_CheckExact(gen) && g->gi_running_async && g->gi_frame_state == FRAME_SUSPENDED;
}

PyObject *py_gen_frame(PyObject *gen)
{
    return PyObject_GetAttrString(gen, frame_names[py_gen_kind(gen)]);
}

bool py_gen_runs(PyObject *gen)
{
    return ((PyGenObject *)gen)->gi_frame_state == FRAME_EXECUTING;
}

void py_gen_never_runs(PyObject *gen)
{
    PyGenObject *g = (PyGenObject *)gen;

    if (g->gi_frame_state == FRAME_EXECUTING)
        g->gi_frame_state = FRAME_COMPLETED;
}

void py_gen_enters(PyObject *gen, PyThreadState *ts)
{
    PyGenObject *g = (PyGenObject *)gen;

    g->gi_exc_state.previous_item = ts->exc_info;
    ts->exc_info = &g->gi_exc_state;
}

/* As PEP 479 has it: none of its own leaves a generator. */
static void no_stop_iteration(const PyGenObject *g)
{
    PyObject *type, *cause, *traceback, *error;

    if (!PyErr_ExceptionMatches(PyExc_StopIteration))
        return;
    PyErr_Fetch(&type, &cause, &traceback);
    PyErr_NormalizeException(&type, &cause, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(cause, traceback);
    PyErr_Format(PyExc_RuntimeError, "%s raised StopIteration", PyCoro_CheckExact((PyObject *)g) ? "coroutine" : "generator");
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyException_SetCause(error, Py_NewRef(cause));
    PyException_SetContext(error, cause);
    PyErr_Restore(type, error, traceback);
}

/* What send() does, but that what it is sent lies on its stack already, or nothing has to. One that ends keeps its frame until it dies. */
PySendResult py_gen_goes_on(PyObject *gen, PyThreadState *ts, PyFrameObject *f, PyObject **ret_value)
{
    PyGenObject *g = (PyGenObject *)gen;
    _PyErr_StackItem *outer = g->gi_exc_state.previous_item;

    py_state_refinalize(gen);
    *ret_value = PyEval_EvalFrameEx(f, PyErr_Occurred() != NULL);
    if (g->gi_frame_state == FRAME_EXECUTING)
        g->gi_frame_state = FRAME_COMPLETED;
    ts->exc_info = outer;
    g->gi_exc_state.previous_item = NULL;
    frame_of(g)->previous = NULL;
    if (*ret_value != NULL && g->gi_frame_state == FRAME_SUSPENDED)
        return PYGEN_NEXT;
    Py_CLEAR(g->gi_exc_state.exc_value);
    if (*ret_value != NULL)
        return PYGEN_RETURN;
    no_stop_iteration(g);
    return PYGEN_ERROR;
}
