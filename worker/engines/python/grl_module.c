/* grl_module.c - see grl.h: the module greenlet, which is its own greenlet._greenlet, and the capsule that C extensions ask for. */
#include "worker/engines/python/grl.h"

/* ---- what greenlet.h's macros call ------------------------------------------------------------------------------------------------ */

static greenlet *api_new(PyObject *run, greenlet *parent)
{
    PyObject *args = Py_BuildValue("(OO)", run != NULL ? run : Py_None, parent != NULL ? (PyObject *)parent : Py_None);
    PyObject *g = args != NULL ? PyObject_Call((PyObject *)&grl_type, args, NULL) : NULL;

    Py_XDECREF(args);
    return (greenlet *)g;
}

static greenlet *api_current(void)
{
    return (greenlet *)Py_XNewRef((PyObject *)grl_current());
}

static PyObject *api_throw(greenlet *g, PyObject *type, PyObject *value, PyObject *traceback)
{
    return grl_throw(g, type, value, traceback);
}

static PyObject *api_switch(greenlet *g, PyObject *args, PyObject *kwargs)
{
    PyObject *tuple = args != NULL ? Py_NewRef(args) : PyTuple_New(0), *value = tuple != NULL ? grl_value_of(g, tuple, kwargs) : NULL;

    Py_XDECREF(tuple);
    return value != NULL ? grl_switch(g, value, false) : NULL;
}

static int api_set_parent(greenlet *g, greenlet *parent)
{
    return PyObject_SetAttrString((PyObject *)g, "parent", (PyObject *)parent);
}

static int api_main(const greenlet *g)
{
    return g->parent == NULL;
}

static int api_started(const greenlet *g)
{
    return g->started;
}

static int api_active(const greenlet *g)
{
    return g->started && !g->dead;
}

static greenlet *api_parent(const greenlet *g)
{
    return (greenlet *)Py_XNewRef((PyObject *)g->parent);
}

/* ---- functions ----------------------------------------------------------------------------------------------------------------- */

static PyObject *getcurrent(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return Py_XNewRef((PyObject *)grl_current());
}

static PyObject *gettrace(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return Py_NewRef(grl_tracer != NULL ? grl_tracer : Py_None);
}

static PyObject *settrace(PyObject *self, PyObject *tracer)
{
    PyObject *old = grl_tracer;

    (void)self;
    grl_tracer = tracer == Py_None ? NULL : Py_NewRef(tracer);
    return old != NULL ? old : Py_NewRef(Py_None);
}

/* Nothing waits for another thread to clean it up here. */
static PyObject *get_pending_cleanup_count(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return PyLong_FromLong(0);
}

static PyObject *get_total_main_greenlets(PyObject *self, PyObject *none)
{
    PyObject *idents = py_thread_idents();
    Py_ssize_t n = idents != NULL ? PyList_GET_SIZE(idents) : 0;

    (void)self;
    (void)none;
    Py_XDECREF(idents);
    return idents != NULL ? PyLong_FromSsize_t(n) : NULL;
}

static PyObject *enable_optional_cleanup(PyObject *self, PyObject *flag)
{
    (void)self;
    (void)flag;
    Py_RETURN_NONE;
}

static PyObject *get_tstate_trash_delete_nesting(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return PyLong_FromLong(py_state_taken_apart(py_state_current()));
}

static PyMethodDef functions[] = {
    {"getcurrent",                              getcurrent,                      METH_NOARGS, "getcurrent(): the greenlet that runs."                              },
    { "gettrace",                               gettrace,                        METH_NOARGS, "gettrace(): the tracer, or None."                                   },
    { "settrace",                               settrace,                        METH_O,      "settrace(f): f(event, (origin, target)) after each switch; the old."},
    { "get_pending_cleanup_count",              get_pending_cleanup_count,       METH_NOARGS, "0"                                                                  },
    { "get_total_main_greenlets",               get_total_main_greenlets,        METH_NOARGS, "Threads that have greenlets."                                       },
    { "get_clocks_used_doing_optional_cleanup", get_pending_cleanup_count,       METH_NOARGS, "0: there is none."                                                  },
    { "enable_optional_cleanup",                enable_optional_cleanup,         METH_O,      "There is none."                                                     },
    { "get_tstate_trash_delete_nesting",        get_tstate_trash_delete_nesting, METH_NOARGS, "Of the greenlet that runs."                                         },
    { NULL,                                     NULL,                            0,           NULL                                                                 }
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "greenlet",   .m_doc = "Greenlets: switches by name, on stacks that are not copied.",
    .m_size = -1,          .m_methods = functions,
};

static int add_capsule(PyObject *m)
{
    static void *api[12];
    PyObject *capsule;

    api[0] = &grl_type;
    api[1] = grl_error;
    api[2] = grl_exit;
    api[3] = (void *)api_new;
    api[4] = (void *)api_current;
    api[5] = (void *)api_throw;
    api[6] = (void *)api_switch;
    api[7] = (void *)api_set_parent;
    api[8] = (void *)api_main;
    api[9] = (void *)api_started;
    api[10] = (void *)api_active;
    api[11] = (void *)api_parent;
    capsule = PyCapsule_New(api, "greenlet._C_API", NULL);
    if (capsule == NULL)
        return -1;
    return PyModule_AddObject(m, "_C_API", capsule);
}

static int fill(PyObject *m)
{
    grl_error = PyErr_NewException("greenlet.error", NULL, NULL);
    grl_exit = PyErr_NewException("greenlet.GreenletExit", PyExc_BaseException, NULL);
    if (grl_error == NULL || grl_exit == NULL || PyModule_AddType(m, &grl_type) < 0 || PyModule_AddObjectRef(m, "error", grl_error) < 0 ||
        PyModule_AddObjectRef(m, "GreenletExit", grl_exit) < 0 || PyModule_AddStringConstant(m, "__version__", "2.0.2") < 0 ||
        PyModule_AddIntConstant(m, "GREENLET_USE_GC", 1) < 0 || PyModule_AddIntConstant(m, "GREENLET_USE_TRACING", 1) < 0 ||
        PyModule_AddIntConstant(m, "GREENLET_USE_CONTEXT_VARS", 1) < 0 ||
        PyModule_AddIntConstant(m, "GREENLET_USE_STANDARD_THREADING", 1) < 0)
        return -1;
    if (PyDict_SetItemString(grl_type.tp_dict, "error", grl_error) < 0 ||
        PyDict_SetItemString(grl_type.tp_dict, "GreenletExit", grl_exit) < 0)
        return -1;
    for (const char *const *name = (const char *const[]){ "getcurrent", "gettrace", "settrace", NULL }; *name != NULL; name++) {
        PyObject *f = PyObject_GetAttrString(m, *name), *method = f != NULL ? PyStaticMethod_New(f) : NULL;
        int rc = method != NULL ? PyDict_SetItemString(grl_type.tp_dict, *name, method) : -1;

        Py_XDECREF(method);
        Py_XDECREF(f);
        if (rc < 0)
            return -1;
    }
    PyType_Modified(&grl_type);
    return add_capsule(m);
}

/* stackless is there first: greenlets run in its tasklets. */
PyObject *grl_module(void)
{
    PyObject *stackless = PyImport_ImportModule("stackless"), *m = stackless != NULL ? PyModule_Create(&definition) : NULL;

    Py_XDECREF(stackless);
    if (m == NULL || fill(m) < 0 || PyModule_AddObjectRef(m, "_greenlet", m) < 0 ||
        PyDict_SetItemString(PyImport_GetModuleDict(), "greenlet._greenlet", m) < 0) {
        Py_XDECREF(m);
        return NULL;
    }
    return m;
}
