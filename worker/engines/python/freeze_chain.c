/*
 * freeze_chain.c - see freeze_frame.h: the frames that a tasklet stands in, and whether each could go on somewhere else. CPython 3.11.
 *
 * A call from Python to Python takes no C stack: the outer frame has its stack pointer saved, and stands behind the call. So all there is of the
 * tasklet is its frames, as long as C code has called nothing that called back, and it stands in a call of ours that we can answer.
 */
#define Py_BUILD_CORE 1
#include "worker/engines/python/freeze_frame.h"

#include <frameobject.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>

#include "worker/engines/python/freeze.h"

static _PyInterpreterFrame *of(PyFrameObject *f)
{
    return f->f_frame;
}

/* A generator's send() or __next__(), by the slot or the method that it is. */
static bool sends(PyObject *called)
{
    static const char *const names[] = { "send", "__next__" };
    PyObject *name = PyObject_GetAttrString(called, "__name__");
    bool yes = false;

    for (int i = 0; name != NULL && PyUnicode_Check(name) && i < 2; i++)
        yes |= PyUnicode_CompareWithASCIIString(name, names[i]) == 0;
    PyErr_Clear();
    Py_XDECREF(name);
    return yes && !PyFunction_Check(called);
}

static int last_of(const _PyInterpreterFrame *f)
{
    return (int)(f->prev_instr - _PyCode_CODE(f->f_code));
}

/* What the instruction calls; borrowed. */
static PyObject *called_at(const _PyInterpreterFrame *f, const struct py_place *p)
{
    PyObject *const *stack = f->localsplus + f->f_code->co_nlocalsplus;

    if (p->called < 0)
        return NULL;
    if (p->goes_on == PY_PUSHES && stack[p->called - 1] != NULL)
        return stack[p->called - 1];
    return stack[p->called];
}

/* 0, or -1 with an error that names the frame. */
static int find_place(struct py_frozen_frame *r, struct py_place *p, const char *why)
{
    int rc = py_place_of(of(r->frame)->f_code, r->at, r->left, p);

    if (rc == -1)
        (void)py_frame_prevents(r->frame, why, NULL);
    if (rc != 0)
        return -1;
    r->at = py_instruction_of(of(r->frame)->f_code, r->at);
    r->depth = p->depth;
    return 0;
}

/* Signals are looked for between instructions, and by C code too: in the instruction that it is called by. What that popped lies there still, until its
 * result does: under a call's result were NULL or a method. */
static bool has_ended(const _PyInterpreterFrame *f, const struct py_place *p)
{
    PyObject *const *top = f->localsplus + f->f_code->co_nlocalsplus + p->depth, *o;

    if (p->told == PY_TOLD_BY_NOTHING)
        return true;
    if (p->told == PY_TOLD_BY_BOOL)
        return top[0] == Py_True || top[0] == Py_False;
    o = p->depth > 0 ? top[-1] : NULL;
    return o != NULL && !PyCallable_Check(o);
}

/* It stands in a call that gives up the turn, and that is ours. */
static int innermost(struct py_frozen *z, const py_tasklet *t)
{
    struct py_frozen_frame *r = &z->frames[0];
    _PyInterpreterFrame *f = of(r->frame);
    struct py_place p;
    PyObject *called;

    r->at = last_of(f);
    r->left = (enum py_left)t->left;
    if (find_place(r, &p, r->left == PY_LEFT_BREAKER ? "its slice was over in C code" : "it waits in C code") != 0)
        return -1;
    if (r->left == PY_LEFT_BREAKER && !has_ended(f, &p)) {
        (void)py_frame_prevents(r->frame, "its slice was over where a call may have been under way", NULL);
        return -1;
    }
    if (r->left == PY_LEFT_BEFORE && f->stacktop != f->f_code->co_nlocalsplus + p.depth) {
        (void)py_frame_prevents(r->frame, "its stack is not what its code says", NULL);
        return -1;
    }
    if (r->left != PY_LEFT_CALL)
        return 0;
    called = called_at(f, &p);
    if (called != NULL && slp_answers(called, p.goes_on == PY_ITERATES, &z->returns_none))
        return 0;
    (void)py_frame_prevents(r->frame, "it waits in", called != NULL ? called : Py_None);
    return -1;
}

/* called was called by C code that does nothing with what f, its frame, returns but return it. */
static bool is_called_plainly(PyObject *called, PyFrameObject *f)
{
    PyObject *func = (PyObject *)of(f)->f_func;

    while (called != NULL && strcmp(Py_TYPE(called)->tp_name, "functools.partial") == 0) {
        called = PyObject_GetAttrString(called, "func");
        Py_XDECREF(called); /* it is the partial's */
    }
    if (called == NULL)
        return false;
    if (PyMethod_Check(called))
        called = PyMethod_GET_FUNCTION(called);
    if (!PyFunction_Check(called)) { /* an object that has a __call__ of Python's */
        PyObject *call = PyType_HasFeature(Py_TYPE(called), Py_TPFLAGS_HEAPTYPE)
                             ? PyObject_GetAttrString((PyObject *)Py_TYPE(called), "__call__")
                             : NULL;

        PyErr_Clear();
        Py_XDECREF(call); /* it is the type's */
        return !PyType_Check(called) && call == func;
    }
    return called == func;
}

/* next(g), g.send(v): what they are called with. */
static bool steps(PyObject *called, PyObject *first, const PyObject *generator)
{
    static PyCFunction next;

    if (next == NULL)
        next = PyCFunction_GET_FUNCTION(PyDict_GetItemString(PyEval_GetBuiltins(), "next"));
    if (PyCFunction_Check(called)) /* g.send, by itself */
        return PyCFunction_GET_FUNCTION(called) == next ? first == generator : PyCFunction_GET_SELF(called) == generator && sends(called);
    return first == generator && sends(called);
}

static PyObject *first_argument(const _PyInterpreterFrame *f)
{
    PyObject *o = f->f_code->co_argcount > 0 ? f->localsplus[0] : NULL;

    return o != NULL && PyCell_Check(o) ? PyCell_GET(o) : o;
}

/* A with block calls __enter__ and __exit__ of Python's as bound methods. The call of such a method has its object where the method was. */
static bool is_of_with(const _PyInterpreterFrame *f, const struct py_place *p, const _PyInterpreterFrame *inner)
{
    PyObject *const *stack = f->localsplus + f->f_code->co_nlocalsplus, *self = first_argument(inner), *exit, *enter;

    if (self == NULL)
        return false;
    if (!p->enters)
        return p->called > 0 && !p->ex && stack[p->called - 1] == self;
    exit = p->depth > 0 ? stack[p->depth - 1] : NULL;
    if (exit == NULL || !PyMethod_Check(exit) || PyMethod_GET_SELF(exit) != self)
        return false;
    enter = PyObject_GetAttrString((PyObject *)Py_TYPE(self), "__enter__");
    PyErr_Clear();
    Py_XDECREF(enter); /* it is the type's */
    return enter == (PyObject *)inner->f_func;
}

/* C code does stand between the two, but none that would do anything with what comes of the call. */
static bool is_let_through(const _PyInterpreterFrame *f, const struct py_place *p, const struct py_frozen_frame *inner)
{
    PyObject *called = called_at(f, p), *const *stack = f->localsplus + f->f_code->co_nlocalsplus;

    if (inner->generator == NULL && p->goes_on == PY_PUSHES && is_of_with(f, p, of(inner->frame)))
        return true;
    if (called == NULL)
        return false;
    if (inner->generator == NULL)
        return p->goes_on == PY_PUSHES && is_called_plainly(called, inner->frame);
    if (p->goes_on != PY_PUSHES)
        return called == inner->generator;
    return p->ex ? false : steps(called, stack[p->called - 1] != NULL ? stack[p->called] : stack[p->called + 1], inner->generator);
}

/* Its call went to the frame below it. */
static int outer(struct py_frozen *z, int i, bool entered_by_c)
{
    struct py_frozen_frame *r = &z->frames[i];
    _PyInterpreterFrame *f = of(r->frame);
    struct py_place p;

    r->at = last_of(f);
    r->left = PY_LEFT_CALL;
    if (entered_by_c) {
        int rc = py_place_of(f->f_code, r->at, r->left, &p);
        PyObject *called = rc == 0 ? called_at(f, &p) : NULL;

        if (rc == -2)
            return -1;
        if (rc == 0 && is_let_through(f, &p, &z->frames[i - 1]))
            return find_place(r, &p, "");
        if (called != NULL)
            (void)py_frame_prevents(r->frame, "C code stands between it and what it called:", called);
        else
            (void)py_frame_prevents(r->frame, "C code stands between it and what it called", NULL);
        return -1;
    }
    if (find_place(r, &p, "it stands in no call") != 0)
        return -1;
    if (f->stacktop == f->f_code->co_nlocalsplus + p.depth)
        return 0;
    (void)py_frame_prevents(r->frame, "its stack is not what its code says", NULL);
    return -1;
}

/* The frames' objects, innermost first; NULL with an error. */
static struct py_frozen *collect(const py_tasklet *t)
{
    PyFrameObject *f = (PyFrameObject *)py_state_frame(t->ts),
                  *back; /* all have objects then: nothing is collected below, and no frame goes */
    struct py_frozen *z;
    int n = 0;

    if ((PyObject *)f == Py_None)
        Py_CLEAR(f);
    for (const _PyInterpreterFrame *k = f != NULL ? of(f) : NULL; k != NULL; k = k->previous)
        n++;
    z = py_frozen_new(n);
    if (z == NULL) {
        Py_XDECREF(f);
        return NULL;
    }
    for (z->n = 0; f != NULL; f = back) {
        back = PyFrame_GetBack(f);
        z->frames[z->n].generator = Py_XNewRef(py_frame_generator(f));
        z->frames[z->n++].frame = f;
    }
    return z;
}

/* Of those that came out of a pickle themselves, the ones that have not gone on yet. */
static const struct py_frozen_frame *pending(const py_tasklet *t, const PyFrameObject *f)
{
    for (int i = 0; t->frozen != NULL && i < t->frozen->n; i++)
        if (t->frozen->frames[i].frame == f)
            return i > t->frozen->at ? &t->frozen->frames[i] : NULL;
    return NULL;
}

static int check(struct py_frozen *z, const py_tasklet *t)
{
    if (z->n == 0) {
        (void)py_freeze_error("PicklingError", "%R stands in no frame of Python's", t);
        return -1;
    }
    if (innermost(z, t) != 0)
        return -1;
    for (int i = 1; i < z->n; i++) {
        const struct py_frozen_frame *was = pending(t, z->frames[i].frame);

        if (was != NULL) {
            struct py_place p;

            z->frames[i].at = was->at;
            z->frames[i].left = was->left;
            if (find_place(&z->frames[i], &p, "it cannot go on") != 0)
                return -1;
        } else if (outer(z, i, of(z->frames[i - 1].frame)->is_entry) != 0) {
            return -1;
        }
    }
    if (t->frozen != NULL || (z->frames[z->n - 1].generator == NULL && is_called_plainly(t->called, z->frames[z->n - 1].frame)))
        return 0;
    (void)py_frame_prevents(z->frames[z->n - 1].frame, "it was called by C code:", t->called != NULL ? t->called : Py_None);
    return -1;
}

/* One that has not had a turn since it came out of a pickle. */
static struct py_frozen *copy(const struct py_frozen *from)
{
    struct py_frozen *z = py_frozen_new(from->n);

    for (int i = 0; z != NULL && i < from->n; i++) {
        z->frames[i] = from->frames[i];
        z->frames[i].depth = of(from->frames[i].frame)->stacktop - of(from->frames[i].frame)->f_code->co_nlocalsplus;
        Py_INCREF(z->frames[i].frame);
        Py_XINCREF(z->frames[i].generator);
    }
    if (z != NULL) {
        z->returns_none = from->returns_none;
        z->handled = Py_XNewRef(from->handled);
    }
    return z;
}

struct py_frozen *py_frames_of(py_tasklet *t)
{
    struct py_frozen *z;

    if (t->frozen != NULL && t->frozen->at < 0)
        return copy(t->frozen);
    z = collect(t);
    if (z == NULL)
        return NULL;
    if (check(z, t) != 0) {
        py_frozen_free(z);
        return NULL;
    }
    z->handled = Py_XNewRef(t->ts->exc_state.exc_value);
    return z;
}
