/*
 * value.h - values of Python as the typed values that travel (proto/value.h), and back.
 *
 * Side:    worker, sealed. With the GIL held.
 * There:   None, bool, int (outside of 64 bits by its digits), float, str, bytes and whatever has a buffer (its bytes, copied), list and tuple, dict; also
 *          objects of classes derived from these, as what they are derived from. Objects of coop.interpreters, coop.queues, coop.buffers and coop.kv are
 *          handles. Nothing of the tenant's runs meanwhile: no method is asked.
 * Back:    a list is a list, bytes are bytes. A map whose keys are one in Python (1 and True) is refused.
 */
#ifndef PYTHON_VALUE_H
#define PYTHON_VALUE_H

#include "worker/engines/python/job.h"
#include "worker/packed.h"

/* root: the word that paths begin with. 0, or -1 with *e; no exception is set. ret is the caller's to finish, whatever is returned. */
int python_value_pack(PyObject *o, const char *root, struct packed *ret, struct packed_error *e);

/* The value; NULL: None. One that lies in a buffer is waited for. Returns: a new reference, or NULL with an exception. */
PyObject *python_value_make(const Pb__Value *v);

#endif
