/* module.c - what /usr/bin/python3.11 loads: its one function is the life of a zygote. */
#include "worker/engines/python/engine.h"
#include "worker/engines/python/builtin.h"
#include "worker/engines/python/heap.h"
#include "worker/engines/python/job.h"
#include "worker/engines/python/task.h"

#include <stdlib.h>
#include <string.h>

#include "worker/zygote.h"

static const struct engine *const engines[] = { &python_engine, &python_packages_engine, NULL };

/* A copy of the words, which lives as long as the process. */
static char **words_of(PyObject *list, int *ret_n)
{
    Py_ssize_t n = PyList_Size(list);
    char **argv = n >= 0 ? calloc((size_t)n + 1, sizeof(*argv)) : NULL;

    for (Py_ssize_t i = 0; argv != NULL && i < n; i++) {
        const char *text = PyUnicode_AsUTF8(PyList_GetItem(list, i));

        argv[i] = text != NULL ? strdup(text) : NULL;
        if (argv[i] == NULL)
            return NULL;
    }
    *ret_n = (int)n;
    return argv;
}

static PyObject *module_main(PyObject *self, PyObject *words)
{
    int argc;
    char **argv = words_of(words, &argc);

    (void)self;
    if (argv == NULL)
        return PyErr_Occurred() != NULL ? NULL : PyErr_NoMemory();
    return PyLong_FromLong(zygote_main(argc, argv, engines));
}

/* In a program that is no worker, as the tests have it: what a job finds, without its walls. */
static PyObject *module_tasklets(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    py_stack_closes(false);
    if (python_builtins_add() != 0 || py_preempt_open() != 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"main",      module_main,     METH_O,      NULL},
    { "tasklets", module_tasklets, METH_NOARGS, NULL},
    { NULL,       NULL,            0,           NULL}
};

static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "coop_python", .m_size = -1, .m_methods = methods };

PyMODINIT_FUNC PyInit_coop_python(void);
PyMODINIT_FUNC PyInit_coop_python(void)
{
    python_heap_watch();
    return PyModule_Create(&definition);
}
