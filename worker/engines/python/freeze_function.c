/* freeze_function.c - see freeze.h: functions, code and cells, in a dump. */
#include "worker/engines/python/freeze.h"

#include <marshal.h>

PyObject *py_find_function(PyObject *modname, PyObject *qualname)
{
    PyObject *m = PyDict_GetItemWithError(PyImport_GetModuleDict(), modname), *at = Py_XNewRef(m), *names;

    names = m != NULL ? PyObject_CallMethod(qualname, "split", "s", ".") : NULL;
    for (Py_ssize_t i = 0; names != NULL && at != NULL && i < PyList_GET_SIZE(names); i++)
        Py_SETREF(at, PyObject_GetAttr(at, PyList_GET_ITEM(names, i)));
    if (names == NULL)
        Py_CLEAR(at);
    Py_XDECREF(names);
    PyErr_Clear();
    return at;
}

/* What pickle itself would find under its name, elsewhere too. */
bool py_is_found(PyObject *f, PyObject *modname, PyObject *qualname)
{
    PyObject *found = py_find_function(modname, qualname);

    Py_XDECREF(found);
    return found == f;
}

static PyObject *function_state(struct py_dump *d, PyFunctionObject *f)
{
    PyObject *used = py_dump_used_globals(d, f->func_globals, (PyCodeObject *)f->func_code), *notes;

    if (used == NULL)
        return NULL;
    notes = f->func_annotations != NULL ? PyFunction_GetAnnotations((PyObject *)f) : NULL;
    return Py_BuildValue("(OOOOOOOOON)", f->func_name, f->func_qualname, py_or_none(f->func_module), py_or_none(f->func_defaults),
                         py_or_none(f->func_kwdefaults), py_or_none(f->func_closure), py_or_none(f->func_doc), py_or_none(f->func_dict),
                         py_or_none(notes), used);
}

PyObject *py_reduce_function(struct py_dump *d, PyObject *o)
{
    PyFunctionObject *f = (PyFunctionObject *)o;
    bool in_main =
        f->func_module != NULL && PyUnicode_Check(f->func_module) && PyUnicode_CompareWithASCIIString(f->func_module, "__main__") == 0;
    PyObject *state;

    if (f->func_module != NULL && PyUnicode_Check(f->func_module) && !(in_main && (d->by_value || d->used)) &&
        py_is_found(o, f->func_module, f->func_qualname)) {
        d->by_name |= in_main;
        return py_not_ours();
    }
    d->used = true;
    state = function_state(d, f);
    if (state == NULL)
        return NULL;
    return py_reduced("function",
                      Py_BuildValue("(ONO)", f->func_code, py_dump_globals(d, f->func_globals),
                                    in_main && py_is_found(o, f->func_module, f->func_qualname) ? f->func_qualname : Py_None),
                      "set_function", state);
}

PyObject *py_reduce_code(struct py_dump *d, PyObject *o)
{
    const PyCodeObject *code = (PyCodeObject *)o;
    PyObject *bytes = PyMarshal_WriteObjectToString(o, Py_MARSHAL_VERSION);

    d->used = true;
    if (bytes == NULL && PyErr_ExceptionMatches(PyExc_ValueError))
        return py_freeze_error("PicklingError", "code of %U, file %U, line %d: it has constants that are no compiler's", code->co_qualname,
                               code->co_filename, code->co_firstlineno);
    return bytes != NULL ? py_reduced("code", Py_BuildValue("(N)", bytes), NULL, NULL) : NULL;
}

PyObject *py_reduce_cell(struct py_dump *d, PyObject *o)
{
    PyObject *value = PyCell_GET(o);

    d->used = true;
    if (value == NULL)
        return py_reduced("cell", PyTuple_New(0), NULL, NULL);
    return py_reduced("cell", PyTuple_New(0), "set_cell", Py_NewRef(value));
}

static PyObject *empty_cells(Py_ssize_t n)
{
    PyObject *cells = PyTuple_New(n);

    for (Py_ssize_t i = 0; cells != NULL && i < n; i++) {
        PyObject *cell = PyCell_New(NULL);

        if (cell == NULL)
            Py_CLEAR(cells);
        else
            PyTuple_SET_ITEM(cells, i, cell);
    }
    return cells;
}

PyObject *py_function_new(PyObject *code, PyObject *globals)
{
    PyObject *f = PyFunction_New(code, globals), *cells;
    Py_ssize_t n = ((PyCodeObject *)code)->co_nfreevars;

    if (f == NULL || n == 0)
        return f;
    cells = empty_cells(n);
    if (cells == NULL || PyFunction_SetClosure(f, cells) != 0)
        Py_CLEAR(f);
    Py_XDECREF(cells);
    return f;
}
