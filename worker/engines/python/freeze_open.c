/*
 * freeze_open.c - see freeze.h: which loads are under way, and whether what makes execution state works in them.
 *
 * Whose:  tasklets may switch in the middle of a load, and hibernate there; so each load is a node of its own, and hangs on the tasklet that called it,
 *         the innermost first. Those of a thread's main hang on the thread, which may have no tasklets yet.
 * Closed: inside of one that was checked somebody may load bytes that nobody has sealed, a __setstate__ for one. So each load of pickle's own is a
 *         node too, that is not open, for as long as it takes.
 */
#include "worker/engines/python/freeze.h"

#include <assert.h>

struct py_load {
    PyObject *channels; /* [channel, those who wait, ...]; NULL: it is closed */
    PyObject *tasklets;
    struct py_load *outer; /* in the same tasklet */
};

static __thread struct py_load *of_main;

/* lib/freeze.py's, as it was before there was a tenant. */
static PyObject *unseal;

/* Of whoever runs: the innermost. */
static struct py_load **mine(void)
{
    py_tasklet *t = py_thread != NULL ? py_current() : NULL;

    return t != NULL && t != py_thread->main ? &t->load : &of_main;
}

static bool is_open(void)
{
    const struct py_load *l = *mine();

    return l != NULL && l->channels != NULL;
}

bool py_load_is_open(const char *what)
{
    if (is_open())
        return true;
    (void)py_freeze_error("UnpicklingError", "%s comes only out of a sealed blob, as pickle.dumps() makes it here", what);
    return false;
}

int py_load_settles(PyObject *channel, PyObject *waiting)
{
    struct py_load *l = *mine();

    return PyList_Append(l->channels, channel) == 0 ? PyList_Append(l->channels, waiting) : -1;
}

int py_load_checks(PyObject *tasklet)
{
    return PyList_Append((*mine())->tasklets, tasklet);
}

/* It is whoever runs' innermost: what it has called has ended. */
static void end_load(struct py_load *l)
{
    struct py_load **at = mine();

    assert(*at == l);
    *at = l->outer;
    Py_XDECREF(l->channels);
    Py_XDECREF(l->tasklets);
    PyMem_Free(l);
}

/* NULL with an error. */
static struct py_load *begin_load(bool open)
{
    struct py_load *l = PyMem_Calloc(1, sizeof(*l)), **at = mine();

    if (l == NULL)
        return (struct py_load *)PyErr_NoMemory();
    l->outer = *at;
    *at = l;
    if (!open || ((l->channels = PyList_New(0)) != NULL && (l->tasklets = PyList_New(0)) != NULL))
        return l;
    end_load(l);
    return NULL;
}

/* ---- pickle's own -------------------------------------------------------------------------------------------------------------------- */

static PyObject *pickle_module; /* its self */
static _PyCFunctionFastWithKeywords own_loads, own_load;
static PyCFunction own_unpickler_load;

/* Whether a load that is open is to be closed for this one. */
static bool closes(struct py_load **ret)
{
    *ret = NULL;
    if (!is_open())
        return true;
    *ret = begin_load(false);
    return *ret != NULL;
}

static PyObject *ended(struct py_load *l, PyObject *result)
{
    if (l != NULL)
        end_load(l);
    return result;
}

static PyObject *closed_loads(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct py_load *l;

    return closes(&l) ? ended(l, own_loads(self, args, n, names)) : NULL;
}

static PyObject *closed_load(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    struct py_load *l;

    return closes(&l) ? ended(l, own_load(self, args, n, names)) : NULL;
}

static PyObject *closed_unpickler_load(PyObject *self, PyObject *none)
{
    struct py_load *l;

    return closes(&l) ? ended(l, own_unpickler_load(self, none)) : NULL;
}

/* closed(f, argument): what f returns. For loads that are Python's own code. */
PyObject *py_load_closed(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    struct py_load *l;

    (void)self;
    if (n != 2) {
        PyErr_SetString(PyExc_TypeError, "closed() takes a function and its argument");
        return NULL;
    }
    return closes(&l) ? ended(l, PyObject_CallOneArg(args[0], args[1])) : NULL;
}

/* What o, a function or a method of C, is; NULL with an error: it is called in another way than is known here. */
static PyMethodDef *definition_of(PyObject *o, int flags)
{
    PyMethodDef *def = NULL;

    if (o != NULL && PyCFunction_CheckExact(o))
        def = ((PyCFunctionObject *)o)->m_ml;
    else if (o != NULL && Py_IS_TYPE(o, &PyMethodDescr_Type))
        def = ((PyMethodDescrObject *)o)->d_method;
    if (def != NULL && def->ml_flags == flags)
        return def;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_SystemError, "_pickle is none that is known");
    return NULL;
}

/* In their place, for all who have them already: they stay the objects that they are. */
static int close_plain_loads(PyObject *pickle)
{
    PyObject *type = PyObject_GetAttrString(pickle, "Unpickler"), *loads_ = PyObject_GetAttrString(pickle, "loads"),
             *load_ = PyObject_GetAttrString(pickle, "load"), *method = type != NULL ? PyObject_GetAttrString(type, "load") : NULL;
    PyMethodDef *of_load = definition_of(load_, METH_FASTCALL | METH_KEYWORDS), *of_method = definition_of(method, METH_NOARGS),
                *of_loads = definition_of(loads_, METH_FASTCALL | METH_KEYWORDS);

    if (of_loads != NULL && of_load != NULL && of_method != NULL) {
        own_loads = (_PyCFunctionFastWithKeywords)(void (*)(void))of_loads->ml_meth;
        own_load = (_PyCFunctionFastWithKeywords)(void (*)(void))of_load->ml_meth;
        own_unpickler_load = of_method->ml_meth;
        of_loads->ml_meth = (PyCFunction)(void (*)(void))closed_loads;
        of_load->ml_meth = (PyCFunction)(void (*)(void))closed_load;
        of_method->ml_meth = closed_unpickler_load;
    }
    Py_XDECREF(type);
    Py_XDECREF(loads_);
    Py_XDECREF(load_);
    Py_XDECREF(method);
    return own_loads != NULL ? 0 : -1;
}

int py_load_ready(PyObject *lib)
{
    if (unseal != NULL) /* imported again: by then it may be anybody's */
        return 0;
    unseal = Py_XNewRef(PyDict_GetItemString(lib, "_unseal"));
    pickle_module = PyImport_ImportModule("_pickle");
    return unseal != NULL && pickle_module != NULL ? close_plain_loads(pickle_module) : -1;
}

/* ---- loading ------------------------------------------------------------------------------------------------------------------------- */

static int wait_again(PyObject *channel, PyObject *waiting)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(waiting); i++) {
        PyObject *t = PyList_GET_ITEM(waiting, i);

        if (!PyObject_TypeCheck(t, &slp_tasklet_type)) {
            (void)py_freeze_error("UnpicklingError", "a channel has a state of other types");
            return -1;
        }
        if (py_tasklet_waits((py_tasklet *)t, (struct slp_chan *)channel) != 0)
            return -1;
    }
    return 0;
}

/* All of it or nothing: those that wait already are thrown out. */
static void throw_out(const struct py_load *l)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(l->tasklets); i++) {
        py_tasklet *t = (py_tasklet *)PyList_GET_ITEM(l->tasklets, i);
        PyObject *done = py_begun(t) ? py_kill(t, true) : Py_NewRef(Py_None);

        if (done == NULL)
            PyErr_WriteUnraisable((PyObject *)t);
        Py_XDECREF(done);
    }
    PyErr_Restore(type, value, traceback);
}

static int settle(const struct py_load *l)
{
    int rc = 0;

    for (Py_ssize_t i = 0; rc == 0 && i < PyList_GET_SIZE(l->tasklets); i++)
        rc = py_tasklet_settles((py_tasklet *)PyList_GET_ITEM(l->tasklets, i));
    for (Py_ssize_t i = 0; rc == 0 && i + 1 < PyList_GET_SIZE(l->channels); i += 2)
        rc = wait_again(PyList_GET_ITEM(l->channels, i), PyList_GET_ITEM(l->channels, i + 1));
    if (rc != 0)
        throw_out(l);
    return rc;
}

/* pickle: what unseal() has given. */
static PyObject *load_checked(PyObject *pickle)
{
    struct py_load *l = begin_load(true);
    PyObject *result;

    if (l == NULL)
        return NULL;
    result = own_loads(pickle_module, &pickle, 1, NULL);
    if (result != NULL && settle(l) != 0)
        Py_CLEAR(result);
    end_load(l);
    return result;
}

PyObject *py_load(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *pickle, *result;

    (void)self;
    if (n != 1)
        return py_freeze_error("UnpicklingError", "a load comes only out of a sealed blob, and takes nothing else");
    pickle = PyObject_CallOneArg(unseal, args[0]);
    if (pickle == NULL)
        return NULL;
    result = load_checked(pickle);
    Py_DECREF(pickle);
    return result;
}
