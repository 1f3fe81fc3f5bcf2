/*
 * freeze_globals.c - see freeze.h: globals of functions and frames, in a dump.
 *
 * Those of a module that can be imported are its, wherever they are loaded. Those of __main__ go with the dump, as far as its code names them: elsewhere
 * there is another __main__. Loaded in the process that dumped them they are that process's, as they are by then.
 */
#include "worker/engines/python/freeze.h"

#include <sys/random.h>

/* Stands for a dict of globals. */
struct globals {
    PyObject_HEAD PyObject *dict;
    bool by_value;
};

/* NULL without an error: no module that another interpreter could import has them. */
static PyObject *module_name(PyObject *dict)
{
    PyObject *name = PyDict_GetItemString(dict, "__name__"), *m;

    if (name == NULL || !PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, "__main__") == 0)
        return NULL;
    m = PyDict_GetItemWithError(PyImport_GetModuleDict(), name);
    return m != NULL && PyModule_Check(m) && PyModule_GetDict(m) == dict ? name : NULL;
}

PyObject *py_dump_globals(struct py_dump *d, PyObject *dict)
{
    PyObject *key = PyLong_FromVoidPtr(dict), *g = key != NULL ? PyDict_GetItemWithError(d->globals, key) : NULL;

    if (g != NULL || key == NULL) {
        Py_XDECREF(key);
        return Py_XNewRef(g);
    }
    g = (PyObject *)PyObject_New(struct globals, &py_globals_type);
    if (g != NULL) {
        ((struct globals *)g)->dict = Py_NewRef(dict);
        ((struct globals *)g)->by_value = module_name(dict) == NULL;
        if (PyErr_Occurred() || PyDict_SetItem(d->globals, key, g) != 0)
            Py_CLEAR(g);
    }
    Py_DECREF(key);
    return g;
}

PyObject *py_dump_used_globals(struct py_dump *d, PyObject *dict, PyCodeObject *code)
{
    PyObject *g = py_dump_globals(d, dict), *names, *name, *used, *it;
    bool by_value = g != NULL && ((struct globals *)g)->by_value;

    Py_XDECREF(g);
    if (g == NULL)
        return NULL;
    if (!by_value)
        Py_RETURN_NONE;
    names = py_code_globals(code);
    used = names != NULL ? PyDict_New() : NULL;
    it = used != NULL ? PyObject_GetIter(names) : NULL;
    while (it != NULL && (name = PyIter_Next(it)) != NULL) {
        PyObject *value = PyDict_GetItemWithError(dict, name);

        if (value != NULL && PyUnicode_CompareWithASCIIString(name, "__builtins__") != 0)
            (void)PyDict_SetItem(used, name, value);
        Py_DECREF(name);
    }
    Py_XDECREF(it);
    Py_XDECREF(names);
    if (PyErr_Occurred())
        Py_CLEAR(used);
    return used;
}

/* Of this process's __main__: what is loaded here again finds it as it is now. */
PyObject *py_freeze_home(void)
{
    static unsigned char bytes[16];
    static bool made;

    if (!made)
        made = getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes);
    return PyBytes_FromStringAndSize((char *)bytes, made ? sizeof(bytes) : 0);
}

static PyObject *main_dict(void)
{
    PyObject *m = PyImport_AddModule("__main__");

    return m != NULL ? PyModule_GetDict(m) : NULL;
}

PyObject *py_reduce_globals(struct py_dump *d, PyObject *o)
{
    struct globals *g = (struct globals *)o;
    PyObject *name = module_name(g->dict);

    (void)d;
    if (!g->by_value)
        return py_reduced("globals_of", PyTuple_Pack(1, name), NULL, NULL);
    name = PyDict_GetItemString(g->dict, "__name__");
    return py_reduced(
        "globals", Py_BuildValue("(NO)", g->dict == main_dict() ? py_freeze_home() : PyBytes_FromString(""), name != NULL ? name : Py_None),
        NULL, NULL);
}

static void globals_dealloc(PyObject *o)
{
    Py_XDECREF(((struct globals *)o)->dict);
    PyObject_Free(o);
}

PyTypeObject py_globals_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_coop_freeze.Globals",
    .tp_basicsize = sizeof(struct globals),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_dealloc = globals_dealloc,
};
