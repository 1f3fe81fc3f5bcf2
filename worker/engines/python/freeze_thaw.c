/* freeze_thaw.c - see freeze.h: tasklets and channels, put together again; and the first turn of such a tasklet. */
#include "worker/engines/python/freeze.h"

#include "worker/task/task.h"

/* ---- and together ---------------------------------------------------------------------------------------------------------------- */

static PyObject *make(PyObject *type, PyTypeObject *base, const char *what)
{
    if (!py_load_is_open(what))
        return NULL;
    if (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, base))
        return py_freeze_error("UnpicklingError", "%R is no type of %s", type, what);
    return base->tp_new((PyTypeObject *)type, NULL, NULL);
}

static PyObject *make_tasklet(PyObject *self, PyObject *type)
{
    (void)self;
    return py_here() == 0 ? make(type, &slp_tasklet_type, "a tasklet") : NULL;
}

static PyObject *make_channel(PyObject *self, PyObject *type)
{
    (void)self;
    return py_here() == 0 ? make(type, &slp_channel_type, "a channel") : NULL;
}

/* whose: a frame, or the generator that has it. What it has is not there yet, so it is looked at when the load ends. */
static int set_frame(struct py_frozen_frame *r, PyObject *whose, PyObject *left)
{
    long how = PyLong_AsLong(left);
    bool generator = py_is_generator(whose);

    if (PyErr_Occurred() || (!generator && !PyFrame_Check(whose)) || how < PY_LEFT_CALL || how > PY_LEFT_BREAKER) {
        if (!PyErr_Occurred())
            (void)py_freeze_error("UnpicklingError", "a tasklet stands in frames, not in %R", whose);
        return -1;
    }
    r->left = (enum py_left)how;
    r->generator = generator ? Py_NewRef(whose) : NULL;
    r->frame = generator ? NULL : (PyFrameObject *)Py_NewRef(whose);
    return 0;
}

static bool is_traced(PyObject *traced, int n)
{
    return traced == Py_None || (PyTuple_CheckExact(traced) && PyTuple_GET_SIZE(traced) == 3 &&
                                 PyTuple_CheckExact(PyTuple_GET_ITEM(traced, 2)) && PyTuple_GET_SIZE(PyTuple_GET_ITEM(traced, 2)) == n);
}

static struct py_frozen *frozen_of(PyObject *frames, PyObject *handled, PyObject *traced, int flags)
{
    int n = (int)PyTuple_GET_SIZE(frames) / 2;
    struct py_frozen *z = py_frozen_new(n);

    for (int i = 0; z != NULL && i < n; i++)
        if (set_frame(&z->frames[i], PyTuple_GET_ITEM(frames, 2 * i), PyTuple_GET_ITEM(frames, 2 * i + 1)) != 0) {
            py_frozen_free(z);
            return NULL;
        }
    if (z != NULL) {
        z->returns_none = (flags & TASKLET_RETURNS_NONE) != 0;
        z->handled = handled != Py_None ? Py_NewRef(handled) : NULL;
        z->traced = is_traced(traced, n) && traced != Py_None ? Py_NewRef(traced) : NULL;
    }
    return z;
}

static PyObject *not_none(PyObject *o)
{
    return o != Py_None ? Py_NewRef(o) : NULL;
}

static int set_flags(py_tasklet *t, int flags, PyObject *context)
{
    t->atomic = (flags & TASKLET_ATOMIC) != 0;
    t->block_trap = (flags & TASKLET_BLOCK_TRAP) != 0;
    t->ignore_nesting = (flags & TASKLET_IGNORE_NESTING) != 0;
    t->waited = (flags & TASKLET_WAITS) != 0;
    py_belongs_to(t, py_thread);
    t->context = PyContext_CheckExact(context) ? Py_NewRef(context) : py_state_copy_context();
    return 0;
}

static int check_types(PyObject *frames, PyObject *args, PyObject *kwargs, PyObject *chan, PyObject *dict)
{
    bool good = (frames == Py_None || (PyTuple_CheckExact(frames) && PyTuple_GET_SIZE(frames) > 0 && PyTuple_GET_SIZE(frames) % 2 == 0)) &&
                (args == Py_None || PyTuple_CheckExact(args)) && (kwargs == Py_None || PyDict_CheckExact(kwargs)) &&
                (chan == Py_None || PyObject_TypeCheck(chan, &slp_channel_type)) && (dict == Py_None || PyDict_CheckExact(dict));

    if (!good)
        (void)py_freeze_error("UnpicklingError", "a tasklet's state is of other types");
    return good ? 0 : -1;
}

/* set_tasklet(t, state) */
static PyObject *set_tasklet(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    PyObject *tempval, *handled, *frames, *func, *with, *kwargs, *chan, *dict, *traced, *context;
    struct py_frozen *z = NULL;
    py_tasklet *t;
    int flags;

    (void)self;
    if (!py_load_is_open("a tasklet"))
        return NULL;
    if (n != 2 || !PyObject_TypeCheck(args[0], &slp_tasklet_type) || !PyTuple_Check(args[1]) || py_alive((py_tasklet *)args[0]))
        return py_freeze_error("UnpicklingError", "a tasklet gets its state once");
    t = (py_tasklet *)args[0];
    if (!PyArg_ParseTuple(args[1], "iOOOOOOOOOO;a tasklet's state", &flags, &tempval, &handled, &frames, &func, &with, &kwargs, &chan,
                          &dict, &traced, &context))
        return NULL;
    if (check_types(frames, with, kwargs, chan, dict) != 0 ||
        (frames != Py_None && (z = frozen_of(frames, handled, traced, flags)) == NULL))
        return NULL;
    if (set_flags(t, flags, context) != 0)
        return NULL;
    t->frozen = z;
    py_set_tempval(t, not_none(tempval));
    Py_XSETREF(t->func, not_none(func));
    Py_XSETREF(t->args, not_none(with));
    Py_XSETREF(t->kwargs, not_none(kwargs));
    if (dict != Py_None)
        Py_XSETREF(t->dict, Py_NewRef(dict));
    return py_load_checks((PyObject *)t) == 0 ? Py_NewRef(Py_None) : NULL;
}

/* ---- channels ---------------------------------------------------------------------------------------------------------------------- */

/* set_channel(c, state) */
static PyObject *set_channel(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    int preference, closing, schedule_all, direction;
    PyObject *waiting, *dict;
    struct slp_chan *c;

    (void)self;
    if (!py_load_is_open("a channel"))
        return NULL;
    if (n != 2 || !PyObject_TypeCheck(args[0], &slp_channel_type) || !PyTuple_Check(args[1]) ||
        slp_balance((struct slp_chan *)args[0]) != 0)
        return py_freeze_error("UnpicklingError", "a channel gets its state once");
    c = (struct slp_chan *)args[0];
    if (!PyArg_ParseTuple(args[1], "iiiiO!O;a channel's state", &preference, &closing, &schedule_all, &direction, &PyList_Type, &waiting,
                          &dict))
        return NULL;
    c->preference = preference > 0 ? 1 : preference < 0 ? -1 : 0;
    c->closing = closing != 0;
    c->schedule_all = schedule_all != 0;
    c->direction = direction > 0 ? 1 : -1;
    if (PyDict_CheckExact(dict))
        Py_XSETREF(c->dict, Py_NewRef(dict));
    if (PyList_GET_SIZE(waiting) > 0 && py_load_settles((PyObject *)c, waiting) != 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef py_freeze_task_functions[] = {
    {"tasklet",      make_tasklet,                             METH_O,        NULL},
    { "set_tasklet", (PyCFunction)(void (*)(void))set_tasklet, METH_FASTCALL, NULL},
    { "channel",     make_channel,                             METH_O,        NULL},
    { "set_channel", (PyCFunction)(void (*)(void))set_channel, METH_FASTCALL, NULL},
    { NULL,          NULL,                                     0,             NULL}
};

/* ---- life ---------------------------------------------------------------------------------------------------------------------------- */

/* Of r's generator, which goes on. 0, or -1 with an error. */
static int find_frame(struct py_frozen_frame *r)
{
    PyObject *f = py_gen_frame(r->generator);

    if (f == Py_None) {
        Py_DECREF(f);
        f = py_freeze_error("UnpicklingError", "%R has ended", r->generator);
    }
    r->frame = (PyFrameObject *)f;
    return f != NULL ? 0 : -1;
}

/* The frames are checked when they have their values: at the load's end. */
int py_tasklet_settles(py_tasklet *t)
{
    struct py_frozen *z = t->frozen;

    for (int i = 0; z != NULL && i < z->n; i++) {
        struct py_frozen_frame *r = &z->frames[i];

        if (r->frame == NULL && find_frame(r) != 0)
            return -1;
        r->at = PyFrame_GetLasti(r->frame) / (int)sizeof(_Py_CODEUNIT);
    }
    return z != NULL ? py_frozen_check(z) : 0;
}

/* t waits in c as it did. */
int py_tasklet_waits(py_tasklet *t, struct slp_chan *c)
{
    if (t->frozen == NULL || !t->waited || py_begun(t)) {
        (void)py_freeze_error("UnpicklingError", "%R does not wait for a channel", t);
        return -1;
    }
    if (py_begin(t) != 0)
        return -1;
    ring_remove(t->task, c->direction > 0 ? "channel send" : "channel receive");
    t->task->waits_for = c;
    t->task->blocked_on = &c->waiting;
    t->task->blocked_at = (uint32_t)sched->switches;
    t->task->wait.task = t->task;
    wait_push(&c->waiting, &t->task->wait);
    t->chan = c;
    t->frozen->channel = Py_NewRef((PyObject *)c);
    return 0;
}

void py_forget_frozen(py_tasklet *t)
{
    struct py_frozen *z = t->frozen;

    t->frozen = NULL;
    for (int i = 0; z != NULL && i < z->n; i++)
        if (z->frames[i].generator != NULL)
            py_gen_never_runs(z->frames[i].generator);
    py_frozen_free(z);
}

/* As sys.settrace() and sys.setprofile() of its own would. */
static void trace_again(const struct py_frozen *z)
{
    static const char *const setters[] = { "settrace", "setprofile" };

    for (int i = 0; i < z->n; i++)
        if (PyObject_SetAttrString((PyObject *)z->frames[i].frame, "f_trace", PyTuple_GET_ITEM(PyTuple_GET_ITEM(z->traced, 2), i)) != 0)
            PyErr_Clear();
    for (int i = 0; i < 2; i++) {
        PyObject *set = PySys_GetObject(setters[i]), *f = PyTuple_GET_ITEM(z->traced, i);
        PyObject *done = set != NULL && f != Py_None ? PyObject_CallOneArg(set, f) : Py_NewRef(Py_None);

        if (done == NULL)
            PyErr_Clear();
        Py_XDECREF(done);
    }
}

PyObject *py_thaw(py_tasklet *t)
{
    struct py_frozen *z = t->frozen;
    PyObject *value, *result;
    int rc = t->waited ? t->task->regs.result : 0;

    t->waited = false;
    if (z->traced != NULL)
        trace_again(z);
    value = py_came_back(t, rc);
    if (value != NULL && z->returns_none)
        Py_SETREF(value, Py_NewRef(Py_None));
    result = py_frozen_run(z, value);
    py_forget_frozen(t);
    return result;
}
