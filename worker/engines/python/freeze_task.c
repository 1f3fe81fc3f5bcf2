/* freeze_task.c - see freeze.h: tasklets and channels, taken apart. */
#include "worker/engines/python/freeze.h"

/* ---- calls that can be answered -------------------------------------------------------------------------------------------------- */

static const struct answer {
    const char *type; /* NULL: a function of the module */
    const char *name;
    bool none;
} answers[] = {
    {NULL,       "schedule",        false},
    { NULL,      "schedule_remove", false},
    { "channel", "receive",         false},
    { "channel", "send",            true },
    { "channel", "send_exception",  true },
    { "channel", "send_throw",      true },
    { "tasklet", "run",             false},
    { "tasklet", "switch",          false},
    { "tasklet", "throw",           false},
    { "tasklet", "raise_exception", false},
    { "tasklet", "kill",            false},
};

enum { ANSWERS = sizeof(answers) / sizeof(answers[0]) };

static PyCFunction functions[ANSWERS];

static PyCFunction in_table(const PyMethodDef *m, const char *name)
{
    for (; m != NULL && m->ml_name != NULL; m++)
        if (strcmp(m->ml_name, name) == 0)
            return m->ml_meth;
    return NULL;
}

static void find_functions(void)
{
    for (int i = 0; i < ANSWERS; i++) {
        const char *type = answers[i].type;

        functions[i] = in_table(type == NULL                   ? slp_ring_functions
                                : strcmp(type, "channel") == 0 ? slp_channel_type.tp_methods
                                                               : slp_tasklet_type.tp_methods,
                                answers[i].name);
    }
}

static PyCFunction function_of(PyObject *called)
{
    if (PyCFunction_Check(called))
        return PyCFunction_GET_FUNCTION(called);
    if (Py_IS_TYPE(called, &PyMethodDescr_Type))
        return ((PyMethodDescrObject *)called)->d_method->ml_meth;
    return NULL;
}

bool slp_answers(PyObject *called, bool iterates, bool *ret_returns_none)
{
    PyCFunction f = function_of(called);

    *ret_returns_none = false;
    if (iterates)
        return PyObject_TypeCheck(called, &slp_channel_type) && Py_TYPE(called)->tp_iternext == slp_channel_type.tp_iternext;
    if (functions[0] == NULL)
        find_functions();
    for (int i = 0; f != NULL && i < ANSWERS; i++)
        if (functions[i] == f) {
            *ret_returns_none = answers[i].none;
            return true;
        }
    return false;
}

/* ---- tasklets apart -------------------------------------------------------------------------------------------------------------- */

static const char *what_prevents(const py_tasklet *t)
{
    if (t->thread != NULL && t == t->thread->main)
        return "it is its thread's main tasklet";
    if (py_begun(t) && t->task->state == TASK_RUNNING)
        return "it runs, in another thread";
    if (t->greenlet != NULL)
        return "it carries greenlets";
    if (py_begun(t) && t->task->state == TASK_BLOCKED && t->task->why == py_watching)
        return "it is in stackless.run()";
    if (py_blocked(t) && t->chan == NULL)
        return "it waits for what is no channel";
    return NULL;
}

static int may_go(const py_tasklet *t)
{
    const char *why;

    if (py_thread != NULL && t == py_current()) {
        PyErr_SetString(PyExc_RuntimeError, "You cannot __reduce__ the tasklet which is current.");
        return -1;
    }
    why = what_prevents(t);
    if (why == NULL)
        return 0;
    (void)py_freeze_error("PicklingError", "cannot pickle %R: %s", t, why);
    return -1;
}

static int flags_of(const py_tasklet *t, const struct py_frozen *z)
{
    bool atomic = py_begun(t) ? t->task->atomic : t->atomic;

    return (atomic ? TASKLET_ATOMIC : 0) | (t->block_trap ? TASKLET_BLOCK_TRAP : 0) | (t->ignore_nesting ? TASKLET_IGNORE_NESTING : 0) |
           (z != NULL && z->returns_none ? TASKLET_RETURNS_NONE : 0) | (py_blocked(t) ? TASKLET_WAITS : 0);
}

/* (frame, how it was left, ...), innermost first; the dump takes each frame as it is. */
static PyObject *frames_tuple(struct py_dump *d, const struct py_frozen *z)
{
    PyObject *tuple = PyTuple_New(2 * z->n);

    for (int i = 0; tuple != NULL && i < z->n; i++) {
        const struct py_frozen_frame *r = &z->frames[i];

        PyTuple_SET_ITEM(tuple, 2 * i, Py_NewRef(r->generator != NULL ? r->generator : (PyObject *)r->frame));
        PyTuple_SET_ITEM(tuple, 2 * i + 1, PyLong_FromLong(r->left));
        if (py_dump_goes_on(d, r) != 0)
            Py_CLEAR(tuple);
    }
    return tuple;
}

/* (trace function, profile function, (each frame's)) */
static PyObject *traced_of(const py_tasklet *t, const struct py_frozen *z)
{
    PyObject *frames;

    if (t->frozen != NULL && t->frozen->at < 0 && t->frozen->traced != NULL)
        return Py_NewRef(t->frozen->traced);
    if (z == NULL || !py_begun(t) || (slp_pickle_flags() & SLP_PICKLES_TRACING) == 0 ||
        (t->ts->c_traceobj == NULL && t->ts->c_profileobj == NULL))
        Py_RETURN_NONE;
    frames = PyTuple_New(z->n);
    for (int i = 0; frames != NULL && i < z->n; i++) {
        PyObject *f = PyObject_GetAttrString((PyObject *)z->frames[i].frame, "f_trace");

        PyTuple_SET_ITEM(frames, i, f);
        if (f == NULL)
            Py_CLEAR(frames);
    }
    return frames != NULL ? Py_BuildValue("(OON)", py_or_none(t->ts->c_traceobj), py_or_none(t->ts->c_profileobj), frames) : NULL;
}

static PyObject *context_of(const py_tasklet *t)
{
    if ((slp_pickle_flags() & SLP_PICKLES_CONTEXTS) == 0)
        return Py_None;
    return py_or_none(py_begun(t) ? t->ts->context : t->context);
}

static PyObject *state_of(struct py_dump *d, const py_tasklet *t, const struct py_frozen *z)
{
    PyObject *frames = z != NULL ? frames_tuple(d, z) : Py_NewRef(Py_None), *traced = frames != NULL ? traced_of(t, z) : NULL;

    if (traced == NULL) {
        Py_XDECREF(frames);
        return NULL;
    }
    return Py_BuildValue("(iOONOOOOONO)", flags_of(t, z), py_or_none(t->tempval), z != NULL ? py_or_none(z->handled) : Py_None, frames,
                         py_or_none(t->func), py_or_none(t->args), py_or_none(t->kwargs), py_or_none((PyObject *)t->chan),
                         py_or_none(t->dict), traced, context_of(t));
}

PyObject *py_reduce_tasklet(struct py_dump *d, py_tasklet *t)
{
    bool begun = (py_begun(t) && t->args == NULL) || t->frozen != NULL;
    struct py_frozen *z = NULL;
    PyObject *state;

    if (may_go(t) != 0 || (begun && (z = py_frames_of(t)) == NULL))
        return NULL;
    state = state_of(d, t, z);
    py_frozen_free(z);
    return py_reduced("tasklet", PyTuple_Pack(1, (PyObject *)Py_TYPE(t)), "set_tasklet", state);
}

bool py_is_restorable(py_tasklet *t)
{
    struct py_frozen *z;

    if (!py_alive(t) || (py_thread != NULL && t == py_current()) || what_prevents(t) != NULL)
        return false;
    if (t->args != NULL) /* its first turn is still to come */
        return true;
    z = py_frames_of(t);
    if (z == NULL)
        PyErr_Clear();
    py_frozen_free(z);
    return z != NULL;
}

/* ---- channels --------------------------------------------------------------------------------------------------------------------- */

static PyObject *waiting_of(const struct slp_chan *c)
{
    PyObject *list = PyList_New(0);

    for (const struct wait_node *w = c->waiting.first; list != NULL && w != NULL; w = w->next)
        if (w->task->engine == NULL || PyList_Append(list, w->task->engine) != 0)
            Py_CLEAR(list);
    return list;
}

PyObject *py_reduce_channel(struct py_dump *d, struct slp_chan *c)
{
    PyObject *waiting = waiting_of(c), *state;

    (void)d;
    if (waiting == NULL)
        return NULL;
    state = Py_BuildValue("(iiiiNO)", c->preference, c->closing, c->schedule_all, c->direction, waiting, py_or_none(c->dict));
    return py_reduced("channel", PyTuple_Pack(1, (PyObject *)Py_TYPE(c)), "set_channel", state);
}
