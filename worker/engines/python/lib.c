/* lib.c - the part of the engine that is written in Python: built in as source, compiled in the zygote. */
#include "worker/engines/python/lib.h"
#include "worker/engines/python/job.h"

#include <stdio.h>
#include <string.h>

LIB_FILE(finder);
LIB_FILE(refused);
LIB_FILE(run);
LIB_FILE(built_in);
LIB_FILE(interp);
LIB_FILE(ahead);

static const struct lib_file {
    const char *name; /* of the module */
    const char *source;
    const char *file; /* NULL: <coop NAME> */
} lib_files[] = {
    {"_coop_finder",    lib_finder,   "<frozen importlib._bootstrap_external>"},
    { "_coop_refused",  lib_refused,  NULL                                    },
    { "_coop_run",      lib_run,      NULL                                    },
    { "_coop_built_in", lib_built_in, NULL                                    },
    { "_coop_interp",   lib_interp,   NULL                                    },
    { "_coop_ahead",    lib_ahead,    NULL                                    },
};

/*
 * Its globals are the module's; tracebacks name it as frozen modules are named. The finder has the name of Python's own, whose frames an ImportError
 * does not show.
 */
static PyObject *execute(const struct lib_file *f)
{
    PyObject *module = PyImport_AddModule(f->name), *code, *done;
    char file[64];

    if (module == NULL)
        return NULL;
    snprintf(file, sizeof(file), f->file != NULL ? "%s" : "<coop %s>", f->file != NULL ? f->file : f->name);
    code = Py_CompileString(f->source, file, Py_file_input);
    if (code == NULL)
        return NULL;
    done = PyDict_SetItemString(PyModule_GetDict(module), "__builtins__", PyEval_GetBuiltins()) == 0
               ? PyEval_EvalCode(code, PyModule_GetDict(module), PyModule_GetDict(module))
               : NULL;
    Py_DECREF(code);
    if (done == NULL)
        return NULL;
    Py_DECREF(done);
    return Py_NewRef(module);
}

PyObject *python_lib_load(const char *name)
{
    for (size_t i = 0; i < sizeof(lib_files) / sizeof(lib_files[0]); i++)
        if (strcmp(lib_files[i].name, name) == 0)
            return execute(&lib_files[i]);
    return PyErr_Format(PyExc_ImportError, "%s is not built in", name);
}
