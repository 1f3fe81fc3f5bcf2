/*
 * state_frame.c - see state.h: frames of those who have not the turn, looked at while nothing runs them on. CPython 3.11.
 *
 * A frame lies in its tasklet's memory until that leaves it. Where CPython makes an object on the way it may collect, and what it puts aside may die: code
 * of the script's runs, the tasklet is run or killed, and CPython goes on reading what was its frame.
 */
#include "worker/engines/python/state.h"

#define Py_BUILD_CORE 1
#include <frameobject.h>
#include <internal/pycore_code.h>
#include <internal/pycore_frame.h>

static void collect_again(int collects)
{
    if (collects)
        (void)PyGC_Enable();
}

/* All frames have their objects before the script asks for f_back. */
PyObject *py_state_frame(PyThreadState *ts)
{
    int collects = PyGC_Disable();
    PyFrameObject *f = PyThreadState_GetFrame(ts), *outer = (PyFrameObject *)Py_XNewRef(f);

    while (outer != NULL)
        Py_SETREF(outer, PyFrame_GetBack(outer));
    collect_again(collects);
    return f != NULL ? (PyObject *)f : Py_NewRef(Py_None);
}

/* ---- f_back, f_locals ---------------------------------------------------------------------------------------------------------- */

static PyObject *get_back(PyObject *self, void *closure)
{
    int collects = PyGC_Disable();
    PyFrameObject *back = PyFrame_GetBack((PyFrameObject *)self);

    (void)closure;
    collect_again(collects);
    return back != NULL ? (PyObject *)back : Py_NewRef(Py_None);
}

/* CPython's own look at the variables. aside: into a dict of their own, for nothing that the frame's holds is to die now. */
static PyObject *read_variables(PyFrameObject *f, bool aside)
{
    _PyInterpreterFrame *frame = f->f_frame;
    PyObject *kept = frame->f_locals, *now;
    int collects = PyGC_Disable();

    if (aside)
        frame->f_locals = NULL;
    now = PyFrame_GetLocals(f);
    if (aside)
        Py_XSETREF(frame->f_locals, kept);
    collect_again(collects);
    return now;
}

/* As CPython does it, which leaves out what a class body only uses. From here on the frame may be gone. */
static int update(PyObject *locals, PyCodeObject *code, PyObject *now)
{
    for (int i = 0; i < code->co_nlocalsplus; i++) {
        PyObject *name = PyTuple_GET_ITEM(code->co_localsplusnames, i), *value = PyDict_GetItemWithError(now, name);
        bool used_only = (_PyLocals_GetKind(code->co_localspluskinds, i) & CO_FAST_FREE) != 0 && (code->co_flags & CO_OPTIMIZED) == 0;

        if (used_only)
            continue;
        if ((value != NULL ? PyObject_SetItem(locals, name, value) : PyObject_DelItem(locals, name)) == 0)
            continue;
        if (value != NULL || !PyErr_ExceptionMatches(PyExc_KeyError))
            return -1;
        PyErr_Clear();
    }
    return 0;
}

static PyObject *get_locals(PyObject *self, void *closure)
{
    PyFrameObject *f = (PyFrameObject *)self;
    PyObject *locals = f->f_frame->f_locals, *now;
    PyCodeObject *code = f->f_frame->f_code;
    int rc;

    (void)closure;
    if (locals == NULL || code->co_nlocalsplus == 0)
        return read_variables(f, false);
    now = read_variables(f, true);
    if (now == NULL)
        return NULL;
    Py_INCREF(locals);
    Py_INCREF(code);
    rc = update(locals, code, now);
    Py_DECREF(code);
    Py_DECREF(now);
    if (rc != 0)
        Py_CLEAR(locals);
    return locals;
}

static PyGetSetDef getters[] = {
    {"f_back",    get_back,   NULL, NULL, NULL},
    { "f_locals", get_locals, NULL, NULL, NULL},
    { NULL,       NULL,       NULL, NULL, NULL}
};

/* ---- of sys -------------------------------------------------------------------------------------------------------------------- */

/* They hold the lock of the list of states, too, which whoever begins a tasklet wants. */
static PyObject *call_uncollected(PyObject *real, PyObject *none)
{
    int collects = PyGC_Disable();
    PyObject *result = PyObject_CallNoArgs(real);

    (void)none;
    collect_again(collects);
    return result;
}

static PyMethodDef functions[] = {
    {"_current_frames",      call_uncollected, METH_NOARGS,
     "_current_frames(): the innermost frame of each thread and tasklet, by its identity."},
    { "_current_exceptions", call_uncollected, METH_NOARGS,
     "_current_exceptions(): what each thread and tasklet handles, by its identity."      },
    { NULL,                  NULL,             0,           NULL                          }
};

static int replace_function(PyMethodDef *by)
{
    PyObject *real = PySys_GetObject(by->ml_name), *module = PyUnicode_FromString("sys"), *f = NULL;
    int rc = -1;

    if (real != NULL && module != NULL)
        f = PyCFunction_NewEx(by, real, module);
    if (f != NULL)
        rc = PySys_SetObject(by->ml_name, f);
    Py_XDECREF(f);
    Py_XDECREF(module);
    return rc;
}

int py_state_frames_open(void)
{
    for (PyGetSetDef *g = getters; g->name != NULL; g++) {
        PyObject *descriptor = PyDict_GetItemString(PyFrame_Type.tp_dict, g->name);

        if (descriptor == NULL || !Py_IS_TYPE(descriptor, &PyGetSetDescr_Type)) {
            PyErr_Format(PyExc_SystemError, "a frame has no %s", g->name);
            return -1;
        }
        g->doc = ((PyGetSetDescrObject *)descriptor)->d_getset->doc;
        ((PyGetSetDescrObject *)descriptor)->d_getset = g;
    }
    for (PyMethodDef *f = functions; f->ml_name != NULL; f++)
        if (replace_function(f) != 0)
            return -1;
    return 0;
}
