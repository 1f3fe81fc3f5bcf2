/*
 * slp.h - import stackless: the tasklets and channels of Stackless Python, with its names, its order and its texts.
 *
 * Side:   worker, sealed; tenant code calls everything registered here. With the GIL.
 * Ring:   worker/task/ring.h.
 * Differs: docs/stackless-python.md.
 */
#ifndef PYTHON_SLP_H
#define PYTHON_SLP_H

#include "worker/engines/python/task.h"

#include <structmember.h>

struct slp_chan {
    PyObject_HEAD PyObject *dict, *weak;
    struct wait_queue waiting;
    int direction; /* of those who wait: 1 send, -1 receive */
    int preference;
    bool closing, schedule_all;
};

static inline long slp_balance(const struct slp_chan *c)
{
    return c->waiting.count * c->direction;
}

/* ---- tasklets ---- */

PyObject *slp_of(const coop_task *t); /* a new reference; None: it is not Python's */
extern PyMethodDef slp_ring_methods[], slp_throw_methods[], slp_run_methods[], slp_context_methods[];
PyObject *slp_context_id(PyObject *self, void *closure);
extern PyMethodDef slp_tasklet_methods[];
extern PyGetSetDef slp_tasklet_attrs[];
PyObject *slp_setup(py_tasklet *t, PyObject *args, PyObject *kwargs);
int slp_set_up(py_tasklet *t, PyObject *args, PyObject *kwargs);
/* Unbound: it was alive, and has not begun. */
void slp_unbind(py_tasklet *t);

/* ---- functions of the module, a table each ---- */

extern PyMethodDef slp_ring_functions[], slp_run_functions[], slp_hook_functions[], slp_slice_functions[];
extern PyTypeObject slp_atomic_type;
extern PyObject *slp_error_handler; /* NULL: none */
extern bool slp_channel_told;
int slp_tell_channel(struct slp_chan *c, bool sending, bool will_block);

/* stackless.pickle_flags() of the calling thread. */
enum {
    SLP_PICKLES_TRACING = 1,
    SLP_PICKLES_FINALIZERS = 2,
    SLP_RESETS_FINALIZERS = 4,
    SLP_PICKLES_CONTEXTS = 8,
    SLP_PICKLE_FLAGS = 15, /* all */
};
long slp_pickle_flags(void);

PyObject *slp_module(void);

#endif
