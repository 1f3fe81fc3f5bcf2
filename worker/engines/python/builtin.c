/* builtin.c - the modules of ours that scripts import by name: they are found where CPython finds its own built-in ones. */
#include "worker/engines/python/builtin.h"

#include <stdlib.h>
#include <string.h>

#include "worker/engines/python/freeze.h"
#include "worker/engines/python/grl.h"
#include "worker/engines/python/locks.h"
#include "worker/engines/python/loop.h"
#include "worker/engines/python/slp.h"

static const struct _inittab ours[] = {
    {"stackless",     slp_module       },
    { "greenlet",     grl_module       },
    { "_coop_loop",   py_loop_module   },
    { "coop_asyncio", py_asyncio_module},
    { "_coop_freeze", py_freeze_module },
};

enum { OURS = sizeof(ours) / sizeof(ours[0]) };

/* The importer asks sys which there are. */
static int name_them(void)
{
    PyObject *names = PySys_GetObject("builtin_module_names"), *more = PyTuple_New(OURS), *all = NULL;
    int rc;

    for (Py_ssize_t i = 0; more != NULL && i < OURS; i++)
        PyTuple_SET_ITEM(more, i, PyUnicode_InternFromString(ours[i].name));
    if (names != NULL && more != NULL)
        all = PySequence_Concat(names, more);
    rc = all != NULL ? PySys_SetObject("builtin_module_names", all) : -1;
    Py_XDECREF(all);
    Py_XDECREF(more);
    return rc;
}

int python_builtins_add(void)
{
    struct _inittab *all;
    size_t n = 0;

    while (PyImport_Inittab[n].name != NULL)
        n++;
    all = calloc(n + OURS + 1, sizeof(*all)); /* the interpreter's from now on */
    if (all == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(all, PyImport_Inittab, n * sizeof(*all));
    memcpy(all + n, ours, sizeof(ours));
    PyImport_Inittab = all;
    return name_them() == 0 ? py_locks_install() : -1;
}
