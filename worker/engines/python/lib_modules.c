/* lib_modules.c - the modules of lib/ that a script may import: _coop.built_in_modules() tells lib/built_in.py of them. */
#include "worker/engines/python/calls.h"

#include "worker/engines/python/lib.h"

LIB_FILE(coop);
LIB_FILE(coop_errors);
LIB_FILE(coop_interpreters);
LIB_FILE(coop_functions);
LIB_FILE(coop_queues);
LIB_FILE(coop_buffers);
LIB_FILE(coop_kv);
LIB_FILE(coop_caps);
LIB_FILE(coop_aliases);
LIB_FILE(coop_futures);
LIB_FILE(pep734);
LIB_FILE(low_interpreters);

static const struct lib_module {
    const char *name, *source;
    bool is_package;
} lib_modules[] = {
    {"coop",                     lib_coop,              true },
    { "coop.errors",             lib_coop_errors,       false},
    { "coop.interpreters",       lib_coop_interpreters, false},
    { "coop.functions",          lib_coop_functions,    false},
    { "coop.queues",             lib_coop_queues,       false},
    { "coop.buffers",            lib_coop_buffers,      false},
    { "coop.kv",                 lib_coop_kv,           false},
    { "coop.caps",               lib_coop_caps,         false},
    { "coop.aliases",            lib_coop_aliases,      false},
    { "coop.futures",            lib_coop_futures,      false},
    { "concurrent.interpreters", lib_pep734,            false},
    { "_interpreters",           lib_low_interpreters,  false},
};

static PyObject *built_in_modules(PyObject *self, PyObject *none)
{
    PyObject *dict = PyDict_New();

    (void)self;
    (void)none;
    for (size_t i = 0; dict != NULL && i < sizeof(lib_modules) / sizeof(lib_modules[0]); i++) {
        const struct lib_module *m = &lib_modules[i];
        PyObject *row = Py_BuildValue("(sO)", m->source, m->is_package ? Py_True : Py_False);

        if (row == NULL || PyDict_SetItemString(dict, m->name, row) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(row);
    }
    return dict;
}

static PyMethodDef functions[] = {
    {"built_in_modules", built_in_modules, METH_NOARGS, NULL},
    { NULL,              NULL,             0,           NULL}
};

int python_lib_modules_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
