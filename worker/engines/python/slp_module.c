/* slp_module.c - see slp.h: the module. What is an attribute there and has a value of the moment is one of its class. */
#include "worker/engines/python/slp.h"

PyObject *slp_tasklet_exit;

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "stackless",
    .m_doc = "Tasklets and channels of Stackless Python: each tasklet has a stack of its own, and takes turns with the others.",
    .m_size = -1,
};

/* ---- attributes of the moment -------------------------------------------------------------------------------------------------- */

static PyObject *call(PyObject *self, void *name)
{
    PyObject *f = PyObject_GetAttrString(self, name), *result;

    if (f == NULL)
        return NULL;
    result = PyObject_CallNoArgs(f);
    Py_DECREF(f);
    return result;
}

static PyObject *get_false(PyObject *self, void *closure)
{
    (void)self;
    (void)closure;
    Py_RETURN_FALSE;
}

/* Tasklets that no kill has ended, and that nobody knows. */
static PyObject *get_uncollectables(PyObject *self, void *closure)
{
    PyObject *gc = PyImport_ImportModule("gc"), *garbage = gc != NULL ? PyObject_GetAttrString(gc, "garbage") : NULL;
    PyObject *list = garbage != NULL ? PyList_New(0) : NULL;

    (void)self;
    (void)closure;
    for (Py_ssize_t i = 0; list != NULL && PyList_Check(garbage) && i < PyList_GET_SIZE(garbage); i++) /* it is the script's, too */
        if (PyObject_TypeCheck(PyList_GET_ITEM(garbage, i), &slp_tasklet_type))
            (void)PyList_Append(list, PyList_GET_ITEM(garbage, i));
    Py_XDECREF(garbage);
    Py_XDECREF(gc);
    return list;
}

/* ---- what becomes of state that others may not want in a pickle: each thread's own ---------------------------------------------- */

static long pickle_flags_default;

long slp_pickle_flags_default(void)
{
    return pickle_flags_default;
}

long slp_pickle_flags(void)
{
    return py_thread != NULL ? py_thread->pickle_flags : pickle_flags_default;
}

/* f(new=-1, mask=-1): gives those bits of mask that are in new; the old ones. -1: none, and all. A thread gets its own before the default changes. */
static PyObject *change_flags(PyObject *args, PyObject *kwargs, bool of_thread)
{
    static char *names_of_thread[] = { "new_flags", "mask", NULL }, *names_of_default[] = { "new_default", "mask", NULL };
    long given = -1, mask = -1, old, *flags;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|ll", of_thread ? names_of_thread : names_of_default, &given, &mask) || py_here() != 0)
        return NULL;
    if (given < -1 || (given != -1 && (given & mask & ~SLP_PICKLE_FLAGS) != 0)) {
        PyErr_SetString(PyExc_ValueError, "you must not set an undefined pickle-flag");
        return NULL;
    }
    flags = of_thread ? &py_thread->pickle_flags : &pickle_flags_default;
    old = *flags;
    if (given != -1)
        *flags = (old & ~mask) | (given & mask);
    return PyLong_FromLong(old);
}

static PyObject *pickle_flags(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)self;
    return change_flags(args, kwargs, true);
}

static PyObject *change_default(PyObject *self, PyObject *args, PyObject *kwargs)
{
    (void)self;
    return change_flags(args, kwargs, false);
}

static PyObject *get_with_tracing(PyObject *self, void *closure)
{
    (void)self;
    (void)closure;
    return PyBool_FromLong(slp_pickle_flags() & SLP_PICKLES_TRACING);
}

/* Of this thread's and of those to come. */
static int set_with_tracing(PyObject *self, PyObject *value, void *closure)
{
    int yes = value != NULL ? PyObject_IsTrue(value) : 0;

    (void)self;
    (void)closure;
    if (yes < 0 || py_here() != 0)
        return -1;
    py_thread->pickle_flags = (py_thread->pickle_flags & ~SLP_PICKLES_TRACING) | (yes ? SLP_PICKLES_TRACING : 0);
    pickle_flags_default = (pickle_flags_default & ~SLP_PICKLES_TRACING) | (yes ? SLP_PICKLES_TRACING : 0);
    return 0;
}

/* clang-format off */
static PyGetSetDef attrs[] = {
    { "current",                   call,               NULL,             "The tasklet that runs.",                                   "getcurrent"  },
    { "main",                      call,               NULL,             "The first tasklet of this thread.",                        "getmain"     },
    { "runcount",                  call,               NULL,             "How many can run.",                                        "getruncount" },
    { "threads",                   call,               NULL,             "Threads that have tasklets.",                              "_threads"    },
    { "debug",                     get_false,          NULL,             "False.",                                                   NULL          },
    { "uncollectables",            get_uncollectables, NULL,             "Tasklets that would not be killed.",                       NULL          },
    { "pickle_with_tracing_state", get_with_tracing,   set_with_tracing, "PICKLEFLAGS_PRESERVE_TRACING_STATE, and of threads to come.", NULL       },
    { NULL,                        NULL,               NULL,             NULL,                                                       NULL          },
};
/* clang-format on */

static PyTypeObject module_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stackless.module",
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_getset = attrs,
};

/* ---- soft switching: there is none --------------------------------------------------------------------------------------------- */

static PyObject *enable_softswitch(PyObject *self, PyObject *flag)
{
    static bool enabled;
    bool old = enabled;
    int on = PyObject_IsTrue(flag);

    (void)self;
    if (on < 0)
        return NULL;
    enabled = on;
    return PyBool_FromLong(old);
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

/* clang-format off */
static PyMethodDef own_functions[] = {
    { "enable_softswitch",    enable_softswitch,      METH_O,
      "enable_softswitch(flag): every switch is from one C stack to another; the flag is kept for those who ask." },
    { "pickle_flags",         METHOD(pickle_flags),   METH_VARARGS | METH_KEYWORDS,
      "pickle_flags(new_flags=-1, mask=-1): PICKLEFLAGS_* of this thread; the old ones." },
    { "pickle_flags_default", METHOD(change_default), METH_VARARGS | METH_KEYWORDS,
      "pickle_flags_default(new_default=-1, mask=-1): the same, of threads to come." },
    { NULL,                   NULL,                   0,                            NULL },
};
/* clang-format on */

static const struct {
    const char *name;
    long value;
} numbers[] = {
    {"PICKLEFLAGS_PRESERVE_TRACING_STATE", SLP_PICKLES_TRACING   },
    { "PICKLEFLAGS_PRESERVE_AG_FINALIZER", SLP_PICKLES_FINALIZERS},
    { "PICKLEFLAGS_RESET_AG_FINALIZER",    SLP_RESETS_FINALIZERS },
    { "PICKLEFLAGS_PICKLE_CONTEXT",        SLP_PICKLES_CONTEXTS  },
};

static PyMethodDef method_table[32];

/* The type's methods are in several files; one that is named twice is a mistake of ours. */
static void collect_methods(void)
{
    PyMethodDef *const parts[] = { slp_tasklet_methods, slp_ring_methods, slp_throw_methods, slp_run_methods, slp_context_methods };
    size_t n = 0;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        for (const PyMethodDef *m = parts[i]; m->ml_name != NULL && n + 1 < sizeof(method_table) / sizeof(method_table[0]); m++)
            method_table[n++] = *m;
    slp_tasklet_type.tp_methods = method_table;
}

static int add_types(PyObject *m)
{
    module_type.tp_base = &PyModule_Type;
    collect_methods();
    if (PyType_Ready(&module_type) < 0 || PyModule_AddType(m, &slp_tasklet_type) < 0 || PyModule_AddType(m, &slp_channel_type) < 0 ||
        PyModule_AddType(m, &slp_bomb_type) < 0 || PyModule_AddType(m, &slp_atomic_type) < 0)
        return -1;
    if (slp_tasklet_exit == NULL)
        slp_tasklet_exit = PyErr_NewExceptionWithDoc("stackless.TaskletExit", "Ends a tasklet, silently.", PyExc_SystemExit, NULL);
    if (slp_tasklet_exit == NULL)
        return -1;
    if (PyDict_SetItemString(PyEval_GetBuiltins(), "TaskletExit", slp_tasklet_exit) != 0) /* as in Stackless */
        return -1;
    return PyModule_AddObjectRef(m, "TaskletExit", slp_tasklet_exit);
}

static int fill(PyObject *m)
{
    PyMethodDef *const tables[] = { slp_ring_functions, slp_run_functions, slp_hook_functions, slp_slice_functions, own_functions };

    if (add_types(m) < 0)
        return -1;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        if (PyModule_AddFunctions(m, tables[i]) < 0)
            return -1;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (PyModule_AddIntConstant(m, numbers[i].name, numbers[i].value) < 0)
            return -1;
    Py_SET_TYPE(m, &module_type);
    return 0;
}

PyObject *slp_module(void)
{
    PyObject *m = PyModule_Create(&definition), *freeze = NULL;

    if (m == NULL || fill(m) < 0 || py_task_open() < 0 || (freeze = PyImport_ImportModule("_coop_freeze")) == NULL) {
        Py_XDECREF(m);
        return NULL;
    }
    Py_DECREF(freeze);
    return m;
}
