/*
 * handle.h - things of the broker's as objects of Python: each holds a number of this worker's table of handles, and gives it back.
 *
 * Side:  worker, sealed. The number is all the power there is; the broker checks it, whatever is in here.
 * Types: _coop.Handle, and for each kind the class that is derived from it and was registered (lib/coop/); nobody else can make one.
 * Owned: the handle is dropped with its object.
 * Memory: a buffer's object has the buffer protocol; the mapping is asked for the first time and stays until nobody looks at it any more.
 */
#ifndef PYTHON_HANDLE_H
#define PYTHON_HANDLE_H

#include "worker/engines/python/job.h"

#include "calls.pb-c.h"

struct ask;

enum { PYTHON_HANDLE_ID = 32 };

struct python_handle {
    PyObject_HEAD unsigned forks; /* of the process that it belongs to */
    uint32_t number;              /* 0: dropped */
    Pb__Kind kind;
    uint32_t rights;
    bool kept;      /* by this worker's table as well: an object that goes leaves it there */
    uint64_t bytes; /* of a buffer */
    char id[PYTHON_HANDLE_ID];
    PyObject *name;
    void *at;            /* of a buffer: its mapping, bytes long; NULL: none */
    bool writable;       /* that is: only who has made it has it so, and until it is sealed */
    Py_ssize_t exported; /* who looks at it */
};

/* A new object for it, which owns it from now on. Borrowed: h. */
PyObject *python_handle_new(const Pb__Handle *h);

/* Gives one back that has no object. */
void python_handle_give_back(uint32_t number);

/* The handle that an object is; NULL: none. No exception. */
struct python_handle *python_handle_of(PyObject *o);

/* Maps the buffer by the descriptor that came with an answer. -1 with an exception. */
int python_handle_map(struct python_handle *h, struct ask *a, bool writable);

/* In a child of a template: what the template has is not in the child's table. Objects from before are as dropped ones. */
void python_handles_forked(void);

/* Adds the type Handle, and register(kind, class), to the module. */
int python_handle_add(PyObject *module);

#endif
