/* freeze_frame.c - see freeze_frame.h. CPython 3.11. */
#include "worker/engines/python/freeze_frame.h"

#define Py_BUILD_CORE 1
#include <frameobject.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>
#include <stdarg.h>

#include "worker/engines/python/freeze.h"

static _PyInterpreterFrame *of(PyFrameObject *f)
{
    return f->f_frame;
}

static int last_of(const _PyInterpreterFrame *f)
{
    return (int)(f->prev_instr - _PyCode_CODE(f->f_code));
}

/* ---- what prevents it ---------------------------------------------------------------------------------------------------------- */

static void raise_in_pickle(const char *class_name, PyObject *text)
{
    PyObject *pickle = PyImport_ImportModule("pickle"), *type = pickle != NULL ? PyObject_GetAttrString(pickle, class_name) : NULL;

    if (type != NULL && text != NULL)
        PyErr_SetObject(type, text);
    Py_XDECREF(type);
    Py_XDECREF(pickle);
    Py_XDECREF(text);
}

PyObject *py_freeze_error(const char *class_name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    raise_in_pickle(class_name, PyUnicode_FromFormatV(format, args));
    va_end(args);
    return NULL;
}

PyObject *py_frame_prevents(PyFrameObject *f, const char *why, PyObject *o)
{
    PyCodeObject *code = of(f)->f_code;
    int line = PyFrame_GetLineNumber(f);

    if (o != NULL)
        return py_freeze_error("PicklingError", "frame %U, file %U, line %d: %s %R", code->co_qualname, code->co_filename, line, why, o);
    return py_freeze_error("PicklingError", "frame %U, file %U, line %d: %s", code->co_qualname, code->co_filename, line, why);
}

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

/* The first n of its variables and stack that are there; the mask has a bit for each. */
PyObject *py_values_of(_PyInterpreterFrame *f, int n, PyObject **ret_mask)
{
    PyObject *mask = PyBytes_FromStringAndSize(NULL, (n + 7) / 8), *values;
    int there = 0;

    if (mask == NULL)
        return NULL;
    memset(PyBytes_AS_STRING(mask), 0, (size_t)(n + 7) / 8);
    for (int i = 0; i < n; i++)
        if (f->localsplus[i] != NULL) {
            PyBytes_AS_STRING(mask)[i / 8] |= (char)(1 << i % 8);
            there++;
        }
    values = PyTuple_New(there);
    for (int i = 0, k = 0; values != NULL && i < n; i++)
        if (f->localsplus[i] != NULL)
            PyTuple_SET_ITEM(values, k++, Py_NewRef(f->localsplus[i]));
    if (values == NULL)
        Py_CLEAR(mask);
    *ret_mask = mask;
    return values;
}

/* There are none yet, and room for n. */
int py_values_set(_PyInterpreterFrame *f, int n, PyObject *mask, PyObject *values)
{
    Py_ssize_t k = 0, there;

    if (n < 0 || n > f->f_code->co_nlocalsplus + f->f_code->co_stacksize || !PyBytes_CheckExact(mask) || !PyTuple_CheckExact(values) ||
        PyBytes_GET_SIZE(mask) != (n + 7) / 8) {
        py_freeze_error("UnpicklingError", "a frame of %U has values that its code has no room for", f->f_code->co_qualname);
        return -1;
    }
    there = PyTuple_GET_SIZE(values);
    for (int i = 0; i < n; i++) {
        bool is_there = (PyBytes_AS_STRING(mask)[i / 8] >> i % 8 & 1) != 0 && k < there;

        f->localsplus[i] = is_there ? Py_NewRef(PyTuple_GET_ITEM(values, k)) : NULL;
        k += is_there;
    }
    f->stacktop = n;
    return 0;
}

static PyObject *state_of(_PyInterpreterFrame *f, int at, int n)
{
    PyObject *mask, *values = py_values_of(f, n, &mask), *locals;

    if (values == NULL)
        return NULL;
    locals = (f->f_code->co_flags & CO_OPTIMIZED) == 0 && f->f_locals != NULL ? f->f_locals : Py_None;
    return Py_BuildValue("(iiNNO)", at, n, mask, values, locals);
}

PyObject *py_frame_state(PyFrameObject *f, int at, int depth)
{
    return state_of(of(f), at, of(f)->f_code->co_nlocalsplus + depth);
}

PyObject *py_frame_dead_state(PyFrameObject *f)
{
    int at = py_instruction_of(of(f)->f_code, last_of(of(f)));

    return at == -2 ? NULL : state_of(of(f), at < 0 ? 0 : at, of(f)->f_code->co_nlocalsplus);
}

PyObject *py_frame_make(PyObject *code, PyObject *globals)
{
    PyFrameObject *f;
    PyObject *func;

    if (!PyCode_Check(code) || !PyDict_Check(globals))
        return py_freeze_error("UnpicklingError", "a frame is made of code and globals");
    func = py_function_new(code, globals);
    f = func != NULL ? PyFrame_New(py_state_current(), (PyCodeObject *)code, globals, NULL) : NULL;
    if (f != NULL) {
        Py_SETREF(of(f)->f_func, (PyFunctionObject *)Py_NewRef(func)); /* with cells */
        of(f)->prev_instr = _PyCode_CODE((PyCodeObject *)code);        /* has begun: nobody who looks at it fills in what it closes over */
        of(f)->stacktop = 0;
    }
    Py_XDECREF(func);
    return (PyObject *)f;
}

int py_frame_set(PyFrameObject *f, PyObject *state)
{
    _PyInterpreterFrame *fr = of(f);
    PyObject *mask, *values, *locals;
    int at, n, start;

    if (fr->owner != FRAME_OWNED_BY_FRAME_OBJECT || fr->stacktop != 0) {
        py_freeze_error("UnpicklingError", "a frame gets its values once");
        return -1;
    }
    if (!PyTuple_CheckExact(state) || !PyArg_ParseTuple(state, "iiOOO;a frame's state", &at, &n, &mask, &values, &locals)) {
        if (!PyErr_Occurred())
            (void)py_freeze_error("UnpicklingError", "a frame's state is a tuple");
        return -1;
    }
    start = py_instruction_of(fr->f_code, at);
    if (start != at || at < 0) {
        if (start != -2)
            py_freeze_error("UnpicklingError", "a frame of %U stands at no instruction of its code: %d", fr->f_code->co_qualname, at);
        return -1;
    }
    if (n < fr->f_code->co_nlocalsplus || py_values_set(fr, n, mask, values) != 0)
        return -1;
    fr->prev_instr = _PyCode_CODE(fr->f_code) + at;
    Py_XSETREF(fr->f_locals, locals != Py_None ? Py_NewRef(locals) : NULL);
    return 0;
}

/* ---- frozen -------------------------------------------------------------------------------------------------------------------- */

struct py_frozen *py_frozen_new(int n)
{
    struct py_frozen *z = PyMem_Calloc(1, sizeof(*z) + (size_t)n * sizeof(z->frames[0]));

    if (z == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    z->n = n;
    z->at = -1;
    return z;
}

void py_frozen_free(struct py_frozen *z)
{
    if (z == NULL)
        return;
    for (int i = 0; i < z->n; i++) {
        Py_XDECREF(z->frames[i].frame);
        Py_XDECREF(z->frames[i].generator);
    }
    Py_XDECREF(z->handled);
    Py_XDECREF(z->channel);
    Py_XDECREF(z->traced);
    PyMem_Free(z);
}

int py_frozen_visit(const struct py_frozen *z, visitproc visit, void *arg)
{
    for (int i = 0; i < z->n; i++) {
        Py_VISIT(z->frames[i].frame);
        Py_VISIT(z->frames[i].generator);
    }
    Py_VISIT(z->handled);
    Py_VISIT(z->channel);
    Py_VISIT(z->traced);
    return 0;
}

static int place_of(const struct py_frozen_frame *r, struct py_place *p)
{
    PyCodeObject *code = of(r->frame)->f_code;
    int rc = py_place_of(code, r->at, r->left, p);

    if (rc == 0 && of(r->frame)->stacktop == code->co_nlocalsplus + p->depth)
        return 0;
    if (rc != -2)
        py_freeze_error("UnpicklingError", "a frame of %U cannot go on at its instruction %d with %d values", code->co_qualname, r->at,
                        of(r->frame)->stacktop);
    return -1;
}

int py_frozen_check(const struct py_frozen *z)
{
    for (int i = 0; i < z->n; i++) {
        const struct py_frozen_frame *r = &z->frames[i];
        struct py_place p;

        if (r->generator != NULL ? !py_gen_runs(r->generator) || i + 1 == z->n : of(r->frame)->owner != FRAME_OWNED_BY_FRAME_OBJECT) {
            (void)py_freeze_error("UnpicklingError", "a frame of %U is not its tasklet's", of(r->frame)->f_code->co_qualname);
            return -1;
        }
        if (place_of(r, &p) != 0)
            return -1;
    }
    return 0;
}

/* Nobody clears a frame that stands in a tasklet's; and those who ask for its object get this one. */
static void occupy(struct py_frozen_frame *r, _PyInterpreterFrame *previous, PyThreadState *ts)
{
    PyFrameObject *f = r->frame;

    of(f)->previous = previous;
    f->f_trace_opcodes |= py_counts; /* as those have it that are entered while instructions are counted */
    if (r->generator != NULL) {
        py_gen_enters(r->generator, ts);
        return;
    }
    of(f)->owner = FRAME_OWNED_BY_THREAD;
    of(f)->frame_obj = (PyFrameObject *)Py_NewRef(f);
}

static void give_up(struct py_frozen *z, int i)
{
    struct py_frozen_frame *r = &z->frames[i];
    PyFrameObject *f = r->frame;

    r->frame = NULL;
    if (r->generator != NULL) {
        Py_CLEAR(r->generator);
        Py_DECREF(f);
        return;
    }
    of(f)->owner = FRAME_OWNED_BY_FRAME_OBJECT;
    Py_CLEAR(of(f)->frame_obj);
    of(f)->previous = NULL;
    if (Py_REFCNT(f) > 1 && i + 1 < z->n && f->f_back == NULL) /* a traceback has it */
        f->f_back = (PyFrameObject *)Py_NewRef(z->frames[i + 1].frame);
    Py_DECREF(f);
}

/* What one frame has for the next: a value, the end of a generator with its value, or the error that is set. */
struct outcome {
    PySendResult how;
    PyObject *value;
};

static struct outcome failed(struct outcome got)
{
    Py_XDECREF(got.value);
    return (struct outcome){ PYGEN_ERROR, NULL };
}

/* What the instruction would do that the frame stands in: what comes of it is on the stack then, and the next one is set. */
static void arrive(_PyInterpreterFrame *fr, const struct py_frozen_frame *r, const struct py_place *p, struct outcome got)
{
    _Py_CODEUNIT *first = _PyCode_CODE(fr->f_code);
    bool pushes = got.how == PYGEN_NEXT && p->goes_on != PY_PLAINLY;

    if (got.how == PYGEN_RETURN && p->goes_on == PY_PUSHES) { /* of next(), send() */
        (void)_PyGen_SetStopIterationValue(got.value);
        got = failed(got);
    }
    fr->prev_instr = first + (got.how == PYGEN_ERROR ? r->at : p->next - 1);
    if (got.how == PYGEN_RETURN && p->goes_on != PY_PLAINLY) { /* a loop's end, or what a delegate returns in its place */
        Py_DECREF(fr->localsplus[--fr->stacktop]);
        fr->prev_instr = first + p->past_end - 1;
        pushes = p->goes_on == PY_SENDS;
    }
    if (pushes)
        fr->localsplus[fr->stacktop++] = got.value;
    else
        Py_XDECREF(got.value);
}

static struct outcome run_frame(const struct py_frozen_frame *r, PyThreadState *ts)
{
    struct outcome got;

    if (r->generator != NULL) {
        got.how = py_gen_goes_on(r->generator, ts, r->frame, &got.value);
        return got;
    }
    got.value = PyEval_EvalFrameEx(r->frame, PyErr_Occurred() != NULL);
    got.how = got.value != NULL ? PYGEN_NEXT : PYGEN_ERROR;
    return got;
}

static struct outcome go_on(struct py_frozen *z, PyThreadState *ts, struct outcome got)
{
    const struct py_frozen_frame *r = &z->frames[z->at];
    struct py_place p;

    if (place_of(r, &p) != 0) {
        got = failed(got);
    } else {
        arrive(of(r->frame), r, &p, got);
        if (p.again > 0)
            py_count_again(p.again);
        ts->cframe->current_frame = of(r->frame)->previous;
        got = run_frame(r, ts);
    }
    give_up(z, z->at);
    return got;
}

PyObject *py_frozen_run(struct py_frozen *z, PyObject *value)
{
    PyThreadState *ts = py_state_current();
    _PyInterpreterFrame *below = ts->cframe->current_frame;
    struct outcome got = { value != NULL ? PYGEN_NEXT : PYGEN_ERROR, value };

    if (py_frozen_check(z) != 0) { /* somebody has cleared a frame since */
        Py_XDECREF(value);
        return NULL;
    }
    if (value == NULL && !PyErr_Occurred()) /* a channel that was iterated over has ended */
        got = (struct outcome){ PYGEN_RETURN, Py_NewRef(Py_None) };
    ts->exc_info->exc_value = z->handled;
    z->handled = NULL;
    for (int i = z->n - 1; i >= 0; i--)
        occupy(&z->frames[i], i + 1 < z->n ? of(z->frames[i + 1].frame) : below, ts);
    for (z->at = 0; z->at < z->n; z->at++)
        got = go_on(z, ts, got);
    ts->cframe->current_frame = below;
    return got.value;
}
