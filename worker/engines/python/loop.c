/*
 * loop.c - the module _coop_loop: where an event loop waits as a tasklet; and asyncio's policy, lib/loop.py, which asyncio asks for at its first loop.
 *
 * Side: worker, sealed; tenant code calls everything registered here. With the GIL.
 */
#include "worker/engines/python/loop.h"

#include <errno.h>

#include "worker/engines/python/slp.h"

__asm__(".section .rodata\n"
        ".hidden lib_loop\n"
        ".globl lib_loop\n"
        "lib_loop:\n"
        ".incbin \"worker/engines/python/lib/loop.py\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char lib_loop[] __attribute__((visibility("hidden")));

/* One that waits here is woken by wake(), from any tasklet or thread; a wake() before the wait is not lost. */
struct parking {
    PyObject_HEAD struct wait_queue waiting;
    bool woken;
};

static PyObject *came_back(py_tasklet *me, int rc)
{
    return py_came_back(me, rc == -ETIMEDOUT ? 0 : rc);
}

/* wait(seconds or None) */
static PyObject *parking_wait(PyObject *self, PyObject *seconds)
{
    struct parking *p = (struct parking *)self;
    int64_t deadline;
    py_tasklet *me;
    PyObject *result;

    if (py_deadline_of(seconds, &deadline) != 0 || py_may_switch() != 0)
        return NULL;
    me = py_current();
    if (p->woken || deadline == 0) {
        p->woken = false;
        if (sched->switch_trap > 0)
            Py_RETURN_NONE;
        py_set_tempval(me, NULL);
        return py_came_back(me, coop_yield()); /* a loop that always has something to do is not alone all the same */
    }
    py_set_tempval(me, NULL);
    Py_INCREF(self);
    result = came_back(me, task_block(&p->waiting, deadline, "event loop", p));
    p->woken = false;
    Py_DECREF(self);
    return result;
}

static PyObject *parking_wake(PyObject *self, PyObject *none)
{
    struct parking *p = (struct parking *)self;

    (void)none;
    p->woken = true;
    while (!wait_empty(&p->waiting)) {
        py_tasklet *t = p->waiting.first->task->engine;

        if (t->thread == py_thread)
            task_wake(t->task, 0);
        else
            py_wake_abroad(t);
    }
    Py_RETURN_NONE;
}

static PyMethodDef parking_methods[] = {
    {"wait",  parking_wait, METH_O,      "wait(seconds or None): until then, or wake()."},
    { "wake", parking_wake, METH_NOARGS, "wake(): whoever waits, or waits next."        },
    { NULL,   NULL,         0,           NULL                                           }
};

static PyTypeObject parking_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_coop_loop.Parking",
    .tp_basicsize = sizeof(struct parking),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = PyType_GenericNew,
    .tp_methods = parking_methods,
};

/* ---- functions ----------------------------------------------------------------------------------------------------------------- */

/* alone(): nobody else of this thread could run meanwhile. */
static PyObject *alone(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    if (py_here() != 0)
        return NULL;
    return PyBool_FromLong(sched->alive == 0 || sched->switch_trap > 0 || py_state_busy(py_current()->ts) != NULL);
}

/* wait_readable(fd, seconds or None) */
static PyObject *wait_readable(PyObject *self, PyObject *args)
{
    PyObject *seconds;
    int64_t deadline;
    py_tasklet *me;
    int fd, rc;

    (void)self;
    if (!PyArg_ParseTuple(args, "iO:wait_readable", &fd, &seconds) || py_deadline_of(seconds, &deadline) != 0 || py_may_switch() != 0)
        return NULL;
    me = py_current();
    py_set_tempval(me, NULL);
    rc = coop_fd_wait(fd, COOP_READABLE, deadline);
    return came_back(me, rc > 0 ? 0 : rc);
}

/* watch(tasklet, function): that is called, without arguments, when the tasklet has ended, or is bound anew. False: it is not alive. */
static PyObject *watch(PyObject *self, PyObject *args)
{
    PyObject *function;
    py_tasklet *t;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O:watch", &slp_tasklet_type, &t, &function))
        return NULL;
    if (!py_alive(t))
        Py_RETURN_FALSE;
    if (t->watchers == NULL && (t->watchers = PyList_New(0)) == NULL)
        return NULL;
    if (PyList_Append(t->watchers, function) != 0)
        return NULL;
    Py_RETURN_TRUE;
}

/* unwatch(tasklet, function): it is not called any more. */
static PyObject *unwatch(PyObject *self, PyObject *args)
{
    PyObject *function;
    py_tasklet *t;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O:unwatch", &slp_tasklet_type, &t, &function))
        return NULL;
    for (Py_ssize_t i = t->watchers != NULL ? PyList_GET_SIZE(t->watchers) : 0; i-- > 0;)
        if (PyList_GET_ITEM(t->watchers, i) == function && PyList_SetSlice(t->watchers, i, i + 1, NULL) != 0)
            return NULL;
    Py_RETURN_NONE;
}

/* to_front(channel, tasklet): that sends there, and waits: it is the first who does. */
static PyObject *to_front(PyObject *self, PyObject *args)
{
    struct slp_chan *c;
    py_tasklet *t;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O!:to_front", &slp_channel_type, &c, &slp_tasklet_type, &t))
        return NULL;
    if (py_blocked(t) && t->task->blocked_on == &c->waiting) {
        wait_remove(&c->waiting, &t->task->wait);
        wait_push_first(&c->waiting, &t->task->wait);
    }
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"alone",          alone,         METH_NOARGS,  NULL},
    { "wait_readable", wait_readable, METH_VARARGS, NULL},
    { "to_front",      to_front,      METH_VARARGS, NULL},
    { "watch",         watch,         METH_VARARGS, NULL},
    { "unwatch",       unwatch,       METH_VARARGS, NULL},
    { NULL,            NULL,          0,            NULL}
};

static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "_coop_loop", .m_size = -1, .m_methods = functions };

PyObject *py_loop_module(void)
{
    PyObject *m;

    if (py_task_open() != 0 || PyType_Ready(&parking_type) != 0)
        return NULL;
    m = PyModule_Create(&definition);
    if (m == NULL || PyModule_AddObjectRef(m, "Parking", (PyObject *)&parking_type) != 0 ||
        PyModule_AddObjectRef(m, "sealed", PyBool_FromLong(py_stack_is_closed())) != 0)
        Py_CLEAR(m);
    return m;
}

/* import coop_asyncio: lib/loop.py, whose globals are the module's. */
PyObject *py_asyncio_module(void)
{
    static struct PyModuleDef def = { PyModuleDef_HEAD_INIT, .m_name = "coop_asyncio", .m_size = -1 };
    PyObject *m = PyModule_Create(&def), *code = NULL, *done = NULL;

    if (m != NULL && PyDict_SetItemString(PyModule_GetDict(m), "__builtins__", PyEval_GetBuiltins()) == 0)
        code = Py_CompileString(lib_loop, "<coop coop_asyncio>", Py_file_input);
    if (code != NULL)
        done = PyEval_EvalCode(code, PyModule_GetDict(m), PyModule_GetDict(m));
    Py_XDECREF(code);
    if (done == NULL)
        Py_CLEAR(m);
    Py_XDECREF(done);
    return m;
}

PyObject *py_await(PyObject *self)
{
    const char *function = PyObject_TypeCheck(self, &slp_channel_type) ? "receive" : "wait_tasklet";
    PyObject *m = PyImport_ImportModule("coop_asyncio"), *coroutine = NULL, *result = NULL;

    if (m != NULL)
        coroutine = PyObject_CallMethod(m, function, "O", self);
    if (coroutine != NULL)
        result = PyObject_CallMethod(coroutine, "__await__", NULL);
    Py_XDECREF(m);
    Py_XDECREF(coroutine);
    return result;
}

/* What asyncio takes for its default is ours; tasklets begin with the first loop, not here. */
static const char make_default[] = "import asyncio\n"
                                   "from asyncio import unix_events\n"
                                   "class DefaultEventLoopPolicy(unix_events.DefaultEventLoopPolicy):\n"
                                   "    @staticmethod\n"
                                   "    def _loop_factory():\n"
                                   "        import coop_asyncio\n"
                                   "        return coop_asyncio.EventLoop()\n"
                                   "asyncio.DefaultEventLoopPolicy = unix_events.DefaultEventLoopPolicy = DefaultEventLoopPolicy\n";

int py_loop_prepare(void)
{
    PyObject *globals = Py_BuildValue("{sOss}", "__builtins__", PyEval_GetBuiltins(), "__name__", "asyncio.coop"), *done = NULL;

    if (globals != NULL)
        done = PyRun_String(make_default, Py_file_input, globals, globals);
    Py_XDECREF(globals);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}
