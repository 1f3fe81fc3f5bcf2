/* freeze_plain.c - see freeze.h: modules, types and views in a dump: nothing that needs a seal. */
#include "worker/engines/python/freeze.h"

PyObject *py_reduce_module(struct py_dump *d, PyObject *o)
{
    PyObject *name = PyModule_GetNameObject(o), *import, *result = NULL;

    (void)d;
    if (name == NULL)
        return NULL;
    if (PyDict_GetItemWithError(PyImport_GetModuleDict(), name) != o) {
        (void)py_freeze_error("PicklingError", "cannot pickle %R: it is not in sys.modules under its name", o);
    } else {
        PyObject *importlib = PyImport_ImportModule("importlib");

        import = importlib != NULL ? PyObject_GetAttrString(importlib, "import_module") : NULL;
        result = import != NULL ? Py_BuildValue("(O(O))", import, name) : NULL;
        Py_XDECREF(import);
        Py_XDECREF(importlib);
    }
    Py_DECREF(name);
    return result;
}

/* Those that are called something of builtins, and are not there: types has most of them. Their methods lie on stacks. */
PyObject *py_reduce_type(struct py_dump *d, PyObject *o)
{
    const PyTypeObject *type = (PyTypeObject *)o;
    PyObject *types, *name, *value, *found = NULL;
    Py_ssize_t at = 0;

    (void)d;
    if (o == (PyObject *)Py_TYPE(Py_None) || o == (PyObject *)Py_TYPE(Py_Ellipsis) || o == (PyObject *)Py_TYPE(Py_NotImplemented) ||
        PyType_HasFeature((PyTypeObject *)o, Py_TPFLAGS_HEAPTYPE) || strchr(type->tp_name, '.') != NULL ||
        PyDict_GetItemString(PyEval_GetBuiltins(), type->tp_name) == o)
        return py_not_ours();
    types = PyImport_ImportModule("types");
    while (types != NULL && found == NULL && PyDict_Next(PyModule_GetDict(types), &at, &name, &value))
        if (value == o)
            found = Py_BuildValue("(O(OO))", PyDict_GetItemString(PyEval_GetBuiltins(), "getattr"), types, name);
    Py_XDECREF(types);
    return found != NULL || PyErr_Occurred() ? found : py_not_ours();
}

PyObject *py_reduce_view(struct py_dump *d, PyObject *o)
{
    /* clang-format off */
    static const struct {
        const PyTypeObject *type;
        PyTypeObject *of;
        const char *name;
    } views[] = {
        { &PyDictKeys_Type,    &PyDict_Type,  "keys"   },
        { &PyDictValues_Type,  &PyDict_Type,  "values" },
        { &PyDictItems_Type,   &PyDict_Type,  "items"  },
        { &PyODictKeys_Type,   &PyODict_Type, "keys"   },
        { &PyODictValues_Type, &PyODict_Type, "values" },
        { &PyODictItems_Type,  &PyODict_Type, "items"  },
    };
    /* clang-format on */

    (void)d;
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++)
        if (Py_IS_TYPE(o, (PyTypeObject *)views[i].type))
            return Py_BuildValue("(N(O))", PyObject_GetAttrString((PyObject *)views[i].of, views[i].name),
                                 ((_PyDictViewObject *)o)->dv_dict);
    return py_not_ours();
}
