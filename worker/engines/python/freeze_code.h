/*
 * freeze_code.h - what CPython 3.11's bytecode says of a place where a frame stands: how much is on its stack there, and how it goes on.
 *
 * Side:    worker, sealed. With the GIL.
 * Version: of 3.11 (version.h): freeze_code.c knows its instructions, freeze_frame.c how its frames lie in memory.
 * Why:     the innermost frame's stack pointer is in a register of the interpreter's loop. But in every code that CPython's compiler makes, each
 *          instruction has one depth; so it can be computed, and a frame that was saved can be checked.
 */
#ifndef PYTHON_FREEZE_CODE_H
#define PYTHON_FREEZE_CODE_H

#include "worker/engines/python/version.h"

#include <stdbool.h>

/* How a frame was left. The numbers are in blobs. */
enum py_left {
    PY_LEFT_CALL,    /* in an instruction that calls something, which has not returned */
    PY_LEFT_BEFORE,  /* by a tracer, before the instruction */
    PY_LEFT_BREAKER, /* between two instructions: its slice was over */
    PY_LEFT_YIELD,   /* a generator's, that is suspended, or has not begun */
};

/* What becomes of the value that it goes on with. */
enum py_goes_on {
    PY_PUSHES,   /* is on its stack then */
    PY_ITERATES, /* so too; none without an error: the loop has ended */
    PY_SENDS,    /* so too; none: the delegate has returned */
    PY_PLAINLY,  /* there is none */
};

struct py_place {
    int next;     /* the instruction that it goes on with */
    int depth;    /* on its stack by then, without the value */
    int again;    /* PY_LEFT_BEFORE: instructions that its tracer has seen already */
    int past_end; /* PY_ITERATES, PY_SENDS: the instruction after the end */
    int called;   /* PY_LEFT_CALL: where on the stack it is; -1: nowhere. The slot below is NULL or the method of it. */
    bool ex;      /* with a tuple of arguments, which is not on the stack */
    bool enters;  /* a with block: it calls an __enter__, and the __exit__ is the topmost on its stack */
    /* PY_LEFT_BREAKER: the slot that tells whether C code had a part in the instruction, which may not have ended then. */
    enum { PY_TOLD_BY_NOTHING, PY_TOLD_BY_BOOL, PY_TOLD_BY_RESULT } told; /* the one behind the stack, where a bool was; the topmost */
    enum py_goes_on goes_on;
};

/* The place of a frame whose last instruction is (or whose last instruction's caches have) the code unit at. 0; -1: no frame stands there; no error
 * is set. -2: with an error. */
int py_place_of(PyCodeObject *code, int at, enum py_left left, struct py_place *ret);
/* The start of the instruction that the code unit at is a part of; -1: of none; -2 with an error. */
int py_instruction_of(PyCodeObject *code, int at);

/* Names of globals that it, and the code within it, use: a set, or NULL with an error. */
PyObject *py_code_globals(PyCodeObject *code);

#endif
