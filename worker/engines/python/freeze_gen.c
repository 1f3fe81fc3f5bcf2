/* freeze_gen.c - see freeze_frame.h: generators, coroutines and async generators of CPython 3.11. */
#define Py_BUILD_CORE 1
#include "worker/engines/python/freeze_frame.h"

#include <frameobject.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>

#include "worker/engines/python/freeze.h"

#if PY_VERSION_HEX < 0x030b0000 || PY_VERSION_HEX >= 0x030c0000
#error "freeze_gen.c is for CPython 3.11"
#endif

static PyTypeObject *const kinds[] = { &PyGen_Type, &PyCoro_Type, &PyAsyncGen_Type };

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), CODE_FLAGS = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR };

static const int flag_of[] = { CO_GENERATOR, CO_COROUTINE, CO_ASYNC_GENERATOR };

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

static PyObject *or_none(PyObject *o)
{
    return o != NULL ? o : Py_None;
}

/* Of an async generator: (finalizer, whether it has asked for hooks, whether it was closed). */
static PyObject *own_of(PyGenObject *g)
{
    if (!PyAsyncGen_CheckExact((PyObject *)g))
        return Py_NewRef(Py_None);
    return Py_BuildValue("(Oii)", or_none(g->gi_origin_or_finalizer), g->gi_hooks_inited, g->gi_closed);
}

static PyObject *state_of(PyGenObject *g, int at)
{
    PyObject *mask, *own, *values = py_values_of(frame_of(g), frame_of(g)->stacktop, &mask);

    if (values == NULL)
        return NULL;
    own = own_of(g);
    return Py_BuildValue("(iONiiNN)", g->gi_frame_state == FRAME_SUSPENDED, or_none(g->gi_exc_state.exc_value), own, at,
                         frame_of(g)->stacktop, mask, values);
}

/* (has begun, error it handles, own_of(), instruction, n, mask, values); None: it has ended. */
PyObject *py_gen_state(PyObject *gen)
{
    PyGenObject *g = (PyGenObject *)gen;
    _PyInterpreterFrame *f = frame_of(g);
    struct py_place p;
    int at, rc;

    if (g->gi_frame_state >= FRAME_COMPLETED)
        Py_RETURN_NONE;
    if (g->gi_frame_state == FRAME_EXECUTING || (PyAsyncGen_CheckExact(gen) && g->gi_running_async))
        return py_freeze_error("PicklingError", "%R, of file %U, line %d: it runs", gen, g->gi_code->co_filename,
                               g->gi_code->co_firstlineno);
    at = (int)(f->prev_instr - _PyCode_CODE(f->f_code));
    rc = py_place_of(f->f_code, at, PY_LEFT_YIELD, &p);
    if (rc == 0 && f->stacktop == f->f_code->co_nlocalsplus + p.depth)
        return state_of(g, at);
    return rc == -2 ? NULL : py_freeze_error("PicklingError", "%R stands where no generator waits", gen);
}

/* ---- and together ------------------------------------------------------------------------------------------------------------------ */

static int make_frame(PyGenObject *g, PyCodeObject *code, PyObject *globals)
{
    PyFunctionObject *func = (PyFunctionObject *)PyFunction_New((PyObject *)code, globals);
    _PyInterpreterFrame *f = frame_of(g);

    if (func == NULL)
        return -1;
    _PyFrame_InitializeSpecials(f, func, NULL, 0);
    f->previous = NULL;
    f->owner = FRAME_OWNED_BY_GENERATOR;
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

static int set_own(PyGenObject *g, PyObject *own)
{
    PyObject *finalizer;
    int inited, closed;

    if (!PyAsyncGen_CheckExact((PyObject *)g))
        return 0;
    if (!PyArg_ParseTuple(own, "Oii;an async generator's own", &finalizer, &inited, &closed))
        return -1;
    g->gi_origin_or_finalizer = finalizer != Py_None ? Py_NewRef(finalizer) : NULL;
    g->gi_hooks_inited = inited != 0;
    g->gi_closed = closed != 0;
    return 0;
}

int py_gen_set(PyObject *gen, PyObject *state)
{
    PyGenObject *g = (PyGenObject *)gen;
    PyObject *handled, *own, *mask, *values;
    int begun, at, n, rc;
    struct py_place p;
    _PyInterpreterFrame *f = frame_of(g);

    if (g->gi_frame_state != FRAME_COMPLETED || f->stacktop != 0) {
        (void)py_freeze_error("UnpicklingError", "a generator gets its state once");
        return -1;
    }
    if (!PyArg_ParseTuple(state, "iOOiiOO;a generator's state", &begun, &handled, &own, &at, &n, &mask, &values))
        return -1;
    rc = py_place_of(g->gi_code, at, PY_LEFT_YIELD, &p);
    if (rc != 0 || n != g->gi_code->co_nlocalsplus + p.depth) {
        if (rc != -2)
            (void)py_freeze_error("UnpicklingError", "no generator of %U waits at its instruction %d with %d values", g->gi_qualname, at,
                                  n);
        return -1;
    }
    if (py_values_set(f, n, mask, values) != 0 || set_own(g, own) != 0)
        return -1;
    f->prev_instr = _PyCode_CODE(g->gi_code) + at;
    g->gi_exc_state.exc_value = handled != Py_None ? Py_NewRef(handled) : NULL;
    g->gi_frame_state = begun != 0 ? FRAME_SUSPENDED : FRAME_CREATED;
    return 0;
}
