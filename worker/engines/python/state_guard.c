/* state_guard.c - see state.h: when no tasklet may give up its turn. CPython 3.11. */
#include "worker/engines/python/state.h"

#define Py_BUILD_CORE 1
#include <internal/pycore_gc.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_pystate.h>

static PyInterpreterState *interp;

/* ---- the collector ------------------------------------------------------------------------------------------------------------- */

/*
 * CPython calls the functions of a list when it begins to collect and when it has ended, and shows that list to the script as gc.callbacks. It gets
 * another one here, of one function of ours that calls those of the script's: so ours hears of the beginning first and of the end last, and stays whatever
 * becomes of the script's list. Another thread's collection, in which that gave up the interpreter's lock, is no concern of ours.
 */
static struct {
    PyObject *list, *ours, *scripts;
    const PyThreadState *at_work;
} collector;

static void tell_the_script(PyObject *const *args, size_t n)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(collector.scripts); i++) {
        PyObject *f = Py_NewRef(PyList_GET_ITEM(collector.scripts, i)), *done = PyObject_Vectorcall(f, args, n, NULL);

        if (done == NULL)
            PyErr_WriteUnraisable(f);
        Py_XDECREF(done);
        Py_DECREF(f);
    }
}

static PyObject *on_collection(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    bool begins = n > 0 && PyUnicode_Check(args[0]) && PyUnicode_CompareWithASCIIString(args[0], "start") == 0;

    (void)self;
    if (begins)
        collector.at_work = py_state_current();
    tell_the_script(args, (size_t)n);
    if (!begins)
        collector.at_work = NULL;
    Py_RETURN_NONE;
}

/* No list of all objects has them. */
static void hide(PyObject *o)
{
    if (o != NULL && PyObject_GC_IsTracked(o))
        PyObject_GC_UnTrack(o);
}

static int watch_collections(void)
{
    static PyMethodDef method = { "on_collection", (PyCFunction)(void (*)(void))on_collection, METH_FASTCALL, NULL };
    PyObject *gc = PyImport_ImportModule("gc"); /* one that is imported later would have our list */

    Py_XDECREF(gc);
    collector.ours = PyCFunction_New(&method, NULL);
    collector.list = PyList_New(0);
    hide(collector.ours);
    hide(collector.list);
    if (gc == NULL || collector.ours == NULL || collector.list == NULL || PyList_Append(collector.list, collector.ours) != 0)
        return -1;
    collector.scripts = interp->gc.callbacks;
    interp->gc.callbacks = collector.list;
    return 0;
}

/* A module gc that the script has had made anew shows it our list. Who collects is not known any more when that was changed. */
static bool knows_who(void)
{
    return PyList_GET_SIZE(collector.list) == 1 && PyList_GET_ITEM(collector.list, 0) == collector.ours;
}

/* ---- imports ------------------------------------------------------------------------------------------------------------------- */

static PyCFunction lock_held; /* _imp.lock_held() */

static int find_lock(void)
{
    PyObject *imp = PyImport_ImportModule("_imp"), *f = imp != NULL ? PyObject_GetAttrString(imp, "lock_held") : NULL;

    if (f != NULL && PyCFunction_Check(f))
        lock_held = PyCFunction_GET_FUNCTION(f);
    Py_XDECREF(f);
    Py_XDECREF(imp);
    return f != NULL ? 0 : -1;
}

bool py_state_imports(void)
{
    PyObject *held = lock_held != NULL ? lock_held(NULL, NULL) : Py_NewRef(Py_False);
    bool yes = held == Py_True;

    Py_XDECREF(held);
    return yes;
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------------- */

int py_state_guards_open(void)
{
    interp = PyInterpreterState_Get();
    return find_lock() == 0 ? watch_collections() : -1;
}

const char *py_state_busy(const PyThreadState *ts)
{
    if (__builtin_expect(interp->gc.collecting && (collector.at_work == ts || !knows_who()), 0))
        return "the garbage collector is at work";
    if (__builtin_expect(ts->trash_delete_nesting > 0, 0))
        return "an object is being deallocated";
    if (__builtin_expect(_PyRuntimeState_GetThreadState(&_PyRuntime) != ts,
                         0)) /* an audit hook, or what the script has put for sys.settrace() */
        return "another tasklet's state is looked at";
    return NULL;
}

int py_state_taken_apart(const PyThreadState *ts)
{
    return ts->trash_delete_nesting;
}
