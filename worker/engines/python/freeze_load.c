/* freeze_load.c - see freeze.h: what makes execution state out of a blob that was checked, and of nothing else. */
#include "worker/engines/python/freeze.h"

#include <marshal.h>

/* ---- making -------------------------------------------------------------------------------------------------------------------------- */

static PyObject *refuse(const char *what)
{
    return PyErr_Occurred() ? NULL : py_freeze_error("UnpicklingError", "%s has a state of other types", what);
}

static PyObject *make_code(PyObject *self, PyObject *bytes)
{
    PyObject *code;

    (void)self;
    if (!py_load_is_open("code") || !PyBytes_Check(bytes))
        return refuse("code");
    code = PyMarshal_ReadObjectFromString(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes));
    if (code != NULL && !PyCode_Check(code)) {
        Py_DECREF(code);
        return refuse("code");
    }
    return code;
}

static PyObject *make_cell(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return py_load_is_open("a cell") ? PyCell_New(NULL) : NULL;
}

static PyObject *set_cell(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    if (!py_load_is_open("a cell") || n != 2 || !PyCell_Check(args[0]))
        return refuse("a cell");
    return PyCell_Set(args[0], args[1]) == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *globals_of(PyObject *self, PyObject *name)
{
    PyObject *m = PyUnicode_Check(name) && py_load_is_open("a module's globals") ? PyImport_Import(name) : NULL, *dict;

    (void)self;
    if (m == NULL)
        return refuse("a module's globals");
    m = (Py_DECREF(m), PyDict_GetItemWithError(PyImport_GetModuleDict(), name)); /* of a.b.c it was a */
    dict = m != NULL && PyModule_Check(m) ? PyModule_GetDict(m) : NULL;
    return dict != NULL ? Py_NewRef(dict) : refuse("a module's globals");
}

/* globals(home, name): this interpreter's __main__, or new ones. */
static PyObject *make_globals(PyObject *self, PyObject *args)
{
    PyObject *home, *name, *here, *dict;
    bool is_here;

    (void)self;
    if (!py_load_is_open("globals") || !PyArg_ParseTuple(args, "SO:globals", &home, &name))
        return NULL;
    here = py_freeze_home();
    is_here = here != NULL && PyBytes_GET_SIZE(home) > 0 && PyObject_RichCompareBool(home, here, Py_EQ) == 1;
    Py_XDECREF(here);
    if (is_here)
        return Py_XNewRef(PyModule_GetDict(PyImport_AddModule("__main__")));
    dict = PyDict_New();
    if (dict != NULL &&
        (PyDict_SetItemString(dict, "__name__", name) != 0 || PyDict_SetItemString(dict, "__builtins__", PyEval_GetBuiltins()) != 0))
        Py_CLEAR(dict);
    return dict;
}

static bool is_main(PyObject *globals)
{
    return globals == PyModule_GetDict(PyImport_AddModule("__main__"));
}

/* Those of this interpreter's __main__ are as they are. */
static int add_globals(PyObject *globals, PyObject *used)
{
    if (used == Py_None || is_main(globals))
        return 0;
    return PyDict_Check(used) ? PyDict_Update(globals, used) : (refuse("globals"), -1);
}

/* function(code, globals, name): of this interpreter's __main__ the one that has the name there, if it is the same still. */
static PyObject *make_function(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *main, *f = NULL;

    (void)self;
    if (!py_load_is_open("a function") || n != 3 || !PyCode_Check(args[0]) || !PyDict_Check(args[1]))
        return refuse("a function");
    if (!is_main(args[1]) || !PyUnicode_Check(args[2]))
        return py_function_new(args[0], args[1]);
    main = PyUnicode_FromString("__main__");
    f = main != NULL ? py_find_function(main, args[2]) : NULL;
    Py_XDECREF(main);
    if (f != NULL && PyFunction_Check(f) && PyObject_RichCompareBool(PyFunction_GET_CODE(f), args[0], Py_EQ) == 1)
        return f;
    Py_XDECREF(f);
    return py_function_new(args[0], args[1]);
}

static bool is_or_none(PyObject *o, PyTypeObject *type)
{
    return o == Py_None || PyObject_TypeCheck(o, type);
}

static bool is_closure(PyObject *closure, const PyCodeObject *code)
{
    if (closure == Py_None)
        return code->co_nfreevars == 0;
    if (!PyTuple_Check(closure) || PyTuple_GET_SIZE(closure) != code->co_nfreevars)
        return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(closure); i++)
        if (!PyCell_Check(PyTuple_GET_ITEM(closure, i)))
            return false;
    return true;
}

static int set_attributes(PyObject *f, PyObject *const *values)
{
    static const char *const names[] = { "__name__", "__qualname__", "__module__" };

    for (int i = 0; i < 3; i++)
        if (PyObject_SetAttrString(f, names[i], values[i]) != 0)
            return -1;
    return 0;
}

/* set_function(f, (name, qualname, module, defaults, kwdefaults, closure, doc, dict, annotations, globals)) */
static PyObject *set_function(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *const *v;
    PyFunctionObject *f;

    (void)self;
    if (!py_load_is_open("a function") || n != 2 || !PyFunction_Check(args[0]) || !PyTuple_CheckExact(args[1]) ||
        PyTuple_GET_SIZE(args[1]) != 10)
        return refuse("a function");
    f = (PyFunctionObject *)args[0];
    v = &PyTuple_GET_ITEM(args[1], 0);
    if (f->func_module != NULL && PyUnicode_Check(f->func_module) && is_main(f->func_globals) &&
        py_is_found(args[0], f->func_module, f->func_qualname)) /* it is no new one */
        Py_RETURN_NONE;
    if (!is_or_none(v[3], &PyTuple_Type) || !is_or_none(v[4], &PyDict_Type) || !is_closure(v[5], (PyCodeObject *)f->func_code) ||
        !is_or_none(v[7], &PyDict_Type) || !is_or_none(v[8], &PyDict_Type))
        return refuse("a function");
    if (set_attributes(args[0], v) != 0 || PyFunction_SetDefaults(args[0], v[3]) != 0 || PyFunction_SetKwDefaults(args[0], v[4]) != 0 ||
        PyFunction_SetClosure(args[0], v[5]) != 0 || PyObject_SetAttrString(args[0], "__doc__", v[6]) != 0 ||
        (v[7] != Py_None && PyObject_SetAttrString(args[0], "__dict__", v[7]) != 0) || PyFunction_SetAnnotations(args[0], v[8]) != 0 ||
        add_globals(f->func_globals, v[9]) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *make_frame(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    if (!py_load_is_open("a frame") || n != 2)
        return refuse("a frame");
    return py_frame_make(args[0], args[1]);
}

static PyObject *set_frame(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *globals;
    int rc;

    (void)self;
    if (!py_load_is_open("a frame") || n != 2 || !PyFrame_Check(args[0]) || !PyTuple_CheckExact(args[1]) || PyTuple_GET_SIZE(args[1]) != 2)
        return refuse("a frame");
    if (py_frame_set((PyFrameObject *)args[0], PyTuple_GET_ITEM(args[1], 0)) != 0)
        return NULL;
    globals = PyFrame_GetGlobals((PyFrameObject *)args[0]);
    rc = add_globals(globals, PyTuple_GET_ITEM(args[1], 1));
    Py_DECREF(globals);
    return rc == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyObject *frame_of(PyObject *self, PyObject *generator)
{
    (void)self;
    if (!py_load_is_open("a frame") || !py_is_generator(generator))
        return refuse("a frame");
    return py_gen_frame(generator);
}

static PyObject *make_generator(PyObject *self, PyObject *args)
{
    PyObject *code, *globals, *name, *qualname;
    int kind;

    (void)self;
    if (!py_load_is_open("a generator") || !PyArg_ParseTuple(args, "iOOOO:generator", &kind, &code, &globals, &name, &qualname))
        return NULL;
    return py_gen_make(kind, code, globals, name, qualname);
}

static PyObject *set_generator(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *globals;

    (void)self;
    if (!py_load_is_open("a generator") || n != 2 || !py_is_generator(args[0]) || !PyTuple_CheckExact(args[1]) ||
        PyTuple_GET_SIZE(args[1]) != 2)
        return refuse("a generator");
    globals = py_gen_globals(args[0]);
    if (globals == NULL)
        return refuse("a generator");
    if (py_gen_set(args[0], PyTuple_GET_ITEM(args[1], 0)) != 0 || add_globals(globals, PyTuple_GET_ITEM(args[1], 1)) != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *make_traceback(PyObject *self, PyObject *args)
{
    PyObject *frame;
    int at, line;

    (void)self;
    if (!py_load_is_open("a traceback") || !PyArg_ParseTuple(args, "O!ii:traceback", &PyFrame_Type, &frame, &at, &line))
        return NULL;
    return PyObject_CallFunction((PyObject *)&PyTraceBack_Type, "OOii", Py_None, frame, at, line);
}

static PyObject *set_traceback(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    (void)self;
    if (!py_load_is_open("a traceback") || n != 2 || !PyTraceBack_Check(args[0]))
        return refuse("a traceback");
    return PyObject_SetAttrString(args[0], "tb_next", args[1]) == 0 ? Py_NewRef(Py_None) : NULL;
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

PyMethodDef py_freeze_functions[] = {
    {"code",           make_code,              METH_O,        NULL},
    { "cell",          make_cell,              METH_NOARGS,   NULL},
    { "set_cell",      METHOD(set_cell),       METH_FASTCALL, NULL},
    { "globals_of",    globals_of,             METH_O,        NULL},
    { "globals",       make_globals,           METH_VARARGS,  NULL},
    { "function",      METHOD(make_function),  METH_FASTCALL, NULL},
    { "set_function",  METHOD(set_function),   METH_FASTCALL, NULL},
    { "frame",         METHOD(make_frame),     METH_FASTCALL, NULL},
    { "set_frame",     METHOD(set_frame),      METH_FASTCALL, NULL},
    { "frame_of",      frame_of,               METH_O,        NULL},
    { "generator",     make_generator,         METH_VARARGS,  NULL},
    { "set_generator", METHOD(set_generator),  METH_FASTCALL, NULL},
    { "traceback",     make_traceback,         METH_VARARGS,  NULL},
    { "set_traceback", METHOD(set_traceback),  METH_FASTCALL, NULL},
    { "load",          METHOD(py_load),        METH_FASTCALL, NULL},
    { "closed",        METHOD(py_load_closed), METH_FASTCALL, NULL},
    { NULL,            NULL,                   0,             NULL}
};
