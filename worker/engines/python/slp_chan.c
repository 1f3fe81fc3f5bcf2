/* slp_chan.c - see slp.h: channels: no buffer, who runs when two meet is the channel's preference. */
#include <errno.h>

#include "worker/engines/python/freeze.h"

enum { SEND = 1, RECEIVE = -1 };

/* ---- meeting ------------------------------------------------------------------------------------------------------------------- */

const char *slp_deadlock_text(const struct slp_chan *c)
{
    return c->direction == SEND ? "the main tasklet is sending without a receiver available."
                                : "the main tasklet is receiving without a sender available.";
}

/* Somebody waits for us: the values are swapped. */
static PyObject *meet(struct slp_chan *c, int direction, PyObject *value)
{
    coop_task *partner = c->waiting.first->task;
    py_tasklet *other = partner->engine, *me = py_current();
    bool now = !c->schedule_all && c->preference == -direction, abroad = other->thread != py_thread;
    PyObject *theirs;

    if (((now && !abroad) || c->schedule_all) && sched->switch_trap > 0)
        return py_failed(-EPERM);
    theirs = other->tempval;
    other->tempval = Py_NewRef(value);
    py_set_tempval(me, theirs);
    if (abroad) {
        py_wake_abroad(other);
    } else if (now) {
        py_pass_interrupt(other);
        (void)task_wake_now(partner, 0);
        return py_came_back(me, 0);
    } else {
        task_wake(partner, 0);
    }
    if (!c->schedule_all)
        return py_came_back(me, 0);
    py_soft_interrupt();
    return py_came_back(me, coop_yield());
}

static PyObject *wait_for_partner(struct slp_chan *c, int direction, PyObject *value)
{
    py_tasklet *me = py_current();

    if (me->block_trap) {
        PyErr_SetString(PyExc_RuntimeError, "this tasklet does not like to be blocked.");
        return NULL;
    }
    if (c->closing) {
        PyErr_SetString(PyExc_ValueError, "Send/receive operation on a closed channel");
        return NULL;
    }
    if (py_is_last())
        return py_failed(-EDEADLK);
    if (sched->switch_trap > 0)
        return py_failed(-EPERM);
    c->direction = direction;
    py_set_tempval(me, Py_NewRef(value));
    me->chan = c;
    py_soft_interrupt();
    return py_came_back(me, task_block(&c->waiting, COOP_NEVER, direction == SEND ? "channel send" : "channel receive", c));
}

/* The value is sent, or what is received comes back. */
static PyObject *act(struct slp_chan *c, int direction, PyObject *value)
{
    if (__builtin_expect(py_may_switch() != 0, 0))
        return NULL;
    if (__builtin_expect(coop_cancelled() != 0, 0))
        return py_failed(-ECANCELED);
    if (__builtin_expect(slp_in_callback, 0)) {
        PyErr_SetString(PyExc_RuntimeError, "Recursive channel call due to callbacks!");
        return NULL;
    }
    if (__builtin_expect(slp_channel_told, 0) && slp_tell_channel(c, direction == SEND, slp_balance(c) * direction >= 0) != 0)
        return NULL;
    return slp_balance(c) * direction < 0 ? meet(c, direction, value) : wait_for_partner(c, direction, value);
}

/* ---- methods ------------------------------------------------------------------------------------------------------------------- */

static PyObject *done(PyObject *result)
{
    if (result == NULL)
        return NULL;
    Py_DECREF(result);
    Py_RETURN_NONE;
}

static PyObject *send(PyObject *self, PyObject *value)
{
    return done(act((struct slp_chan *)self, SEND, value));
}

static PyObject *receive(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return act((struct slp_chan *)self, RECEIVE, Py_None);
}

static PyObject *send_bomb(PyObject *self, PyObject *bomb)
{
    PyObject *result;

    if (bomb == NULL)
        return NULL;
    result = done(act((struct slp_chan *)self, SEND, bomb));
    Py_DECREF(bomb);
    return result;
}

/* send_exception(cls, *args) */
static PyObject *send_exception(PyObject *self, PyObject *args)
{
    PyObject *rest, *result, *type;

    if (PyTuple_GET_SIZE(args) < 1) {
        PyErr_SetString(PyExc_TypeError, "send_exception() takes at least 1 argument");
        return NULL;
    }
    type = PyTuple_GET_ITEM(args, 0);
    if (PyExceptionInstance_Check(type) && PyTuple_GET_SIZE(args) == 1)
        return send_bomb(self, py_bomb_of(type, NULL, NULL));
    if (!PyExceptionClass_Check(type)) {
        PyErr_SetString(PyExc_TypeError, "send_exception() argument 1 must be an exception class");
        return NULL;
    }
    rest = PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args));
    if (rest == NULL)
        return NULL;
    result = send_bomb(self, py_bomb_of(type, rest, NULL));
    Py_DECREF(rest);
    return result;
}

/* send_throw(exc, val=None, tb=None) */
static PyObject *send_throw(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "exc", "val", "tb", NULL };
    PyObject *type, *value = NULL, *traceback = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:send_throw", names, &type, &value, &traceback))
        return NULL;
    return send_bomb(self, py_bomb_of(type, value, traceback));
}

/* send_sequence(seq): each of it; how many. */
static PyObject *send_sequence(PyObject *self, PyObject *seq)
{
    PyObject *it = PyObject_GetIter(seq), *item;
    Py_ssize_t n = 0;

    if (it == NULL)
        return NULL;
    for (; (item = PyIter_Next(it)) != NULL; n++) {
        PyObject *sent = act((struct slp_chan *)self, SEND, item);

        Py_DECREF(item);
        if (sent == NULL)
            break;
        Py_DECREF(sent);
    }
    Py_DECREF(it);
    return PyErr_Occurred() ? NULL : PyLong_FromSsize_t(n);
}

static PyObject *close_it(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    ((struct slp_chan *)self)->closing = true;
    Py_RETURN_NONE;
}

static PyObject *open_it(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    ((struct slp_chan *)self)->closing = false;
    Py_RETURN_NONE;
}

/* for v in channel: until it is closed and nobody sends any more, or a StopIteration was sent. */
static PyObject *next_value(PyObject *self)
{
    struct slp_chan *c = (struct slp_chan *)self;

    if (c->closing && slp_balance(c) <= 0)
        return NULL;
    return act(c, RECEIVE, Py_None);
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"send",            send,               METH_O,                       "send(value): to a tasklet that receives; waits for one."          },
    { "receive",        receive,            METH_NOARGS,                  "receive(): from a tasklet that sends; waits for one."             },
    { "send_exception", send_exception,     METH_VARARGS,                 "send_exception(cls, *args): cls(*args) is raised in the receiver."},
    { "send_throw",     METHOD(send_throw), METH_VARARGS | METH_KEYWORDS, "send_throw(exc, val=None, tb=None): is raised in the receiver."   },
    { "send_sequence",  send_sequence,      METH_O,                       "send_sequence(seq): sends each; returns how many."                },
    { "close",          close_it,           METH_NOARGS,                  "close(): serves those that wait, and refuses the rest."           },
    { "open",           open_it,            METH_NOARGS,                  "open(): takes the close back."                                    },
    { "__reduce_ex__",  py_reduce_ex,       METH_O,                       NULL                                                               },
    { "__reduce__",     py_reduce_alone,    METH_NOARGS,                  NULL                                                               },
    { "__setstate__",   py_set_attributes,  METH_O,                       NULL                                                               },
    { NULL,             NULL,               0,                            NULL                                                               }
};

/* ---- attributes ---------------------------------------------------------------------------------------------------------------- */

static PyObject *get_balance(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(slp_balance((struct slp_chan *)self));
}

static PyObject *get_queue(PyObject *self, void *closure)
{
    const struct slp_chan *c = (struct slp_chan *)self;

    (void)closure;
    if (wait_empty(&c->waiting))
        Py_RETURN_NONE;
    return slp_of(c->waiting.first->task);
}

static PyObject *get_closing(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((struct slp_chan *)self)->closing);
}

static PyObject *get_closed(PyObject *self, void *closure)
{
    const struct slp_chan *c = (struct slp_chan *)self;

    (void)closure;
    return PyBool_FromLong(c->closing && wait_empty(&c->waiting));
}

static PyObject *get_preference(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct slp_chan *)self)->preference);
}

static int set_preference(PyObject *self, PyObject *value, void *closure)
{
    long p;

    (void)closure;
    if (value == NULL || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "preference must be set to an integer");
        return -1;
    }
    p = PyLong_AsLong(value);
    if (p == -1 && PyErr_Occurred())
        return -1;
    ((struct slp_chan *)self)->preference = p > 0 ? 1 : p < 0 ? -1 : 0;
    return 0;
}

static PyObject *get_schedule_all(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((struct slp_chan *)self)->schedule_all);
}

static int set_schedule_all(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    if (value == NULL || !PyLong_Check(value)) {
        PyErr_SetString(PyExc_TypeError, "preference must be set to a bool or integer");
        return -1;
    }
    ((struct slp_chan *)self)->schedule_all = PyObject_IsTrue(value) == 1;
    return 0;
}

/* clang-format off */
static PyGetSetDef attrs[] = {
    { "balance",      get_balance,             NULL,                    "How many wait: above 0 senders, below 0 receivers.",                   NULL },
    { "queue",        get_queue,               NULL,                    "The first tasklet that waits, or None; its next is the second.",       NULL },
    { "closing",      get_closing,             NULL,                    "close() was called.",                                                  NULL },
    { "closed",       get_closed,              NULL,                    "The same, and nobody waits.",                                          NULL },
    { "preference",   get_preference,          set_preference,          "-1: the receiver runs when two meet; 1: the sender; 0: whoever came.", NULL },
    { "schedule_all", get_schedule_all,        set_schedule_all,        "1: whoever acts gives up its turn, whatever the preference.",          NULL },
    { "__dict__",     PyObject_GenericGetDict, PyObject_GenericSetDict, NULL,                                                                   NULL },
    { NULL,           NULL,                    NULL,                    NULL,                                                                   NULL },
};
/* clang-format on */

static PyObject *channel_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *o = type->tp_alloc(type, 0);

    (void)args;
    (void)kwargs;
    if (o != NULL)
        ((struct slp_chan *)o)->preference = RECEIVE;
    return o;
}

/* Those that wait have references to the channel on their stacks: nobody waits for one that dies. */
static void dealloc(PyObject *self)
{
    struct slp_chan *c = (struct slp_chan *)self;

    PyObject_GC_UnTrack(self);
    if (c->weak != NULL)
        PyObject_ClearWeakRefs(self);
    Py_CLEAR(c->dict);
    Py_TYPE(self)->tp_free(self);
}

static int traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct slp_chan *)self)->dict);
    return 0;
}

static int clear(PyObject *self)
{
    Py_CLEAR(((struct slp_chan *)self)->dict);
    return 0;
}

static PyAsyncMethods async_methods = { .am_await = py_await };

PyTypeObject slp_channel_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stackless.channel",
    .tp_basicsize = sizeof(struct slp_chan),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "channel(): where tasklets hand over values; each waits for the other.",
    .tp_new = channel_new,
    .tp_dealloc = dealloc,
    .tp_free = PyObject_GC_Del,
    .tp_traverse = traverse,
    .tp_clear = clear,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = next_value,
    .tp_as_async = &async_methods,
    .tp_dictoffset = offsetof(struct slp_chan, dict),
    .tp_weaklistoffset = offsetof(struct slp_chan, weak),
    .tp_methods = methods,
    .tp_getset = attrs,
};
