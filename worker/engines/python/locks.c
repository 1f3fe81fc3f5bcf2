/*
 * locks.c - see locks.h.
 *
 * A lock is CPython's own of the system, which any thread may take; a tasklet that does not get it joins a queue, and whoever releases the lock
 * wakes the first of those, who tries again. So threads and tasklets may wait for one lock.
 */
#include "worker/engines/python/locks.h"

#include <errno.h>
#include <math.h>
#include <pythread.h>
#include <structmember.h>

struct lock {
    PyObject_HEAD PyObject *weak;
    PyThread_type_lock lock;
    struct wait_queue waiting; /* tasklets */
    bool locked;
    unsigned long owner; /* of an RLock, while count is above 0 */
    unsigned long count;
};

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

/* 1: a turn to try again; 0: the deadline; -1 with an error. */
static int wait_as_tasklet(struct lock *l, int64_t deadline)
{
    py_tasklet *me = py_current();
    PyObject *value;
    int rc;

    py_set_tempval(me, NULL);
    Py_INCREF(l);
    rc = task_block(&l->waiting, deadline, "lock", l);
    Py_DECREF(l);
    value = py_came_back(me, rc == -ETIMEDOUT ? 0 : rc); /* a kill may have come after that */
    Py_XDECREF(value);
    return value == NULL ? -1 : rc == -ETIMEDOUT ? 0 : 1;
}

/* The same with the whole thread, as CPython does it. us < 0: for ever. 2: it has the lock. */
static int wait_as_thread(const struct lock *l, int64_t us)
{
    PyLockStatus got;

    Py_BEGIN_ALLOW_THREADS got = PyThread_acquire_lock_timed(l->lock, us, 1);
    Py_END_ALLOW_THREADS if (got == PY_LOCK_ACQUIRED) return 2;
    return got == PY_LOCK_INTR ? (PyErr_CheckSignals() == 0 ? 1 : -1) : 0;
}

/* The first of those that wait tries again. */
static void wake_next(struct lock *l)
{
    py_tasklet *t;

    if (wait_empty(&l->waiting))
        return;
    t = l->waiting.first->task->engine;
    if (t->thread == py_thread)
        task_wake(t->task, 0);
    else
        py_wake_abroad(t);
}

/* 1: it has it; 0: it has not; -1 with an error. */
static int take(struct lock *l, int64_t us)
{
    int64_t deadline = us < 0 ? COOP_NEVER : coop_after(us);
    int rc = 1;

    while (rc == 1) {
        if (PyThread_acquire_lock(l->lock, NOWAIT_LOCK) == PY_LOCK_ACQUIRED)
            rc = 2;
        else if (us == 0)
            rc = 0;
        else if (py_has_others())
            rc = wait_as_tasklet(l, deadline);
        else
            rc = wait_as_thread(l, us < 0 ? -1 : deadline - coop_now() > 0 ? deadline - coop_now() : 0);
    }
    if (rc == 2)
        l->locked = true;
    else if (us != 0 && !l->locked) /* it may have been woken for it: then somebody else is */
        wake_next(l);
    return rc == 2 ? 1 : rc;
}

static void give(struct lock *l)
{
    l->locked = false;
    PyThread_release_lock(l->lock);
    wake_next(l);
}

/* acquire(blocking=True, timeout=-1); as CPython refuses them. *ret_us < 0: for ever. */
static int parse(PyObject *args, PyObject *kwargs, int64_t *ret_us)
{
    static char *names[] = { "blocking", "timeout", NULL };
    int blocking = 1;
    double timeout = -1;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pd:acquire", names, &blocking, &timeout))
        return -1;
    if (!blocking && timeout != -1) {
        PyErr_SetString(PyExc_ValueError, "can't specify a timeout for a non-blocking call");
        return -1;
    }
    if (timeout != -1 && !(timeout >= 0)) {
        PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
        return -1;
    }
    if (timeout > (double)(PY_TIMEOUT_MAX / 1000000)) {
        PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
        return -1;
    }
    *ret_us = !blocking ? 0 : timeout < 0 ? -1 : (int64_t)ceil(timeout * 1e6);
    return 0;
}

static PyObject *acquire(PyObject *self, PyObject *args, PyObject *kwargs)
{
    int64_t us;
    int rc;

    if (parse(args, kwargs, &us) != 0)
        return NULL;
    rc = take((struct lock *)self, us);
    return rc < 0 ? NULL : PyBool_FromLong(rc);
}

static PyObject *enter(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return take((struct lock *)self, -1) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *release(PyObject *self, PyObject *nothing)
{
    struct lock *l = (struct lock *)self;

    (void)nothing;
    if (!l->locked) {
        PyErr_SetString(PyExc_RuntimeError, "release unlocked lock");
        return NULL;
    }
    give(l);
    Py_RETURN_NONE;
}

static PyObject *leave(PyObject *self, PyObject *args)
{
    (void)args;
    return release(self, NULL);
}

static PyObject *locked(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return PyBool_FromLong(((struct lock *)self)->locked);
}

/* After a fork nobody of the others is there to release it. */
static PyObject *at_fork_reinit(PyObject *self, PyObject *nothing)
{
    struct lock *l = (struct lock *)self;

    (void)nothing;
    if (_PyThread_at_fork_reinit(&l->lock) < 0)
        return PyErr_NoMemory();
    l->locked = false;
    l->owner = l->count = 0;
    Py_RETURN_NONE;
}

PyObject *py_lock_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    struct lock *l = (struct lock *)type->tp_alloc(type, 0);

    (void)args;
    (void)kwargs;
    if (l == NULL)
        return NULL;
    l->lock = PyThread_allocate_lock();
    if (l->lock != NULL)
        return (PyObject *)l;
    Py_DECREF(l);
    PyErr_SetString(PyExc_RuntimeError, "can't allocate lock");
    return NULL;
}

static void lock_dealloc(PyObject *self)
{
    struct lock *l = (struct lock *)self;

    if (l->weak != NULL)
        PyObject_ClearWeakRefs(self);
    if (l->lock != NULL) {
        if (l->locked)
            PyThread_release_lock(l->lock);
        PyThread_free_lock(l->lock);
    }
    Py_TYPE(self)->tp_free(self);
}

static PyObject *lock_repr(PyObject *self)
{
    const struct lock *l = (struct lock *)self;

    if (Py_IS_TYPE(self, &py_lock_type))
        return PyUnicode_FromFormat("<%s %s object at %p>", l->locked ? "locked" : "unlocked", Py_TYPE(self)->tp_name, self);
    return PyUnicode_FromFormat("<%s %s object owner=%ld count=%lu at %p>", l->count > 0 ? "locked" : "unlocked", Py_TYPE(self)->tp_name,
                                (long)l->owner, l->count, self);
}

#define METHOD(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef lock_methods[] = {
    {"acquire",          METHOD(acquire), METH_VARARGS | METH_KEYWORDS, "acquire(blocking=True, timeout=-1) -> bool"},
    { "acquire_lock",    METHOD(acquire), METH_VARARGS | METH_KEYWORDS, NULL                                        },
    { "release",         release,         METH_NOARGS,                  "release()"                                 },
    { "release_lock",    release,         METH_NOARGS,                  NULL                                        },
    { "locked",          locked,          METH_NOARGS,                  "locked() -> bool"                          },
    { "locked_lock",     locked,          METH_NOARGS,                  NULL                                        },
    { "__enter__",       enter,           METH_NOARGS,                  NULL                                        },
    { "__exit__",        leave,           METH_VARARGS,                 NULL                                        },
    { "_at_fork_reinit", at_fork_reinit,  METH_NOARGS,                  NULL                                        },
    { NULL,              NULL,            0,                            NULL                                        }
};

PyTypeObject py_lock_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_thread.lock", .tp_basicsize = sizeof(struct lock), .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "A lock: of threads, and of tasklets.",        .tp_dealloc = lock_dealloc,          .tp_repr = lock_repr,
    .tp_weaklistoffset = offsetof(struct lock, weak),        .tp_methods = lock_methods,
};

/* ---- RLock --------------------------------------------------------------------------------------------------------------------- */

static int take_again(struct lock *l, int64_t us)
{
    unsigned long me = py_ident();
    int rc;

    if (l->count > 0 && l->owner == me) {
        if (l->count == ULONG_MAX) {
            PyErr_SetString(PyExc_OverflowError, "Internal lock count overflowed");
            return -1;
        }
        l->count++;
        return 1;
    }
    rc = take(l, us);
    if (rc == 1) {
        l->owner = me;
        l->count = 1;
    }
    return rc;
}

static PyObject *racquire(PyObject *self, PyObject *args, PyObject *kwargs)
{
    int64_t us;
    int rc;

    if (parse(args, kwargs, &us) != 0)
        return NULL;
    rc = take_again((struct lock *)self, us);
    return rc < 0 ? NULL : PyBool_FromLong(rc);
}

static PyObject *renter(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return take_again((struct lock *)self, -1) < 0 ? NULL : Py_NewRef(Py_True);
}

static PyObject *rrelease(PyObject *self, PyObject *nothing)
{
    struct lock *l = (struct lock *)self;

    (void)nothing;
    if (l->count == 0 || l->owner != py_ident()) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    if (--l->count == 0) {
        l->owner = 0;
        give(l);
    }
    Py_RETURN_NONE;
}

static PyObject *rleave(PyObject *self, PyObject *args)
{
    (void)args;
    return rrelease(self, NULL);
}

static PyObject *is_owned(PyObject *self, PyObject *nothing)
{
    const struct lock *l = (struct lock *)self;

    (void)nothing;
    return PyBool_FromLong(l->count > 0 && l->owner == py_ident());
}

/* Condition.wait(): all levels at once, and back. */
static PyObject *release_save(PyObject *self, PyObject *nothing)
{
    struct lock *l = (struct lock *)self;
    PyObject *state;

    (void)nothing;
    if (l->count == 0) {
        PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
        return NULL;
    }
    state = Py_BuildValue("kk", l->count, l->owner);
    if (state == NULL)
        return NULL;
    l->count = l->owner = 0;
    give(l);
    return state;
}

static PyObject *acquire_restore(PyObject *self, PyObject *args)
{
    struct lock *l = (struct lock *)self;
    unsigned long count, owner;

    if (!PyArg_ParseTuple(args, "(kk):_acquire_restore", &count, &owner) || take(l, -1) < 0)
        return NULL;
    l->count = count;
    l->owner = owner;
    Py_RETURN_NONE;
}

static PyObject *recursion_count(PyObject *self, PyObject *nothing)
{
    const struct lock *l = (struct lock *)self;

    (void)nothing;
    return PyLong_FromUnsignedLong(l->owner == py_ident() ? l->count : 0);
}

static PyMethodDef rlock_methods[] = {
    {"acquire",           METHOD(racquire), METH_VARARGS | METH_KEYWORDS, "acquire(blocking=True, timeout=-1) -> bool"},
    { "release",          rrelease,         METH_NOARGS,                  "release()"                                 },
    { "__enter__",        renter,           METH_NOARGS,                  NULL                                        },
    { "__exit__",         rleave,           METH_VARARGS,                 NULL                                        },
    { "_is_owned",        is_owned,         METH_NOARGS,                  NULL                                        },
    { "_recursion_count", recursion_count,  METH_NOARGS,                  NULL                                        },
    { "_release_save",    release_save,     METH_NOARGS,                  NULL                                        },
    { "_acquire_restore", acquire_restore,  METH_VARARGS,                 NULL                                        },
    { "_at_fork_reinit",  at_fork_reinit,   METH_NOARGS,                  NULL                                        },
    { NULL,               NULL,             0,                            NULL                                        }
};

PyTypeObject py_rlock_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_thread.RLock",
    .tp_basicsize = sizeof(struct lock),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .tp_doc = "A lock that its owner, a thread or a tasklet, may take again.",
    .tp_new = py_lock_new,
    .tp_dealloc = lock_dealloc,
    .tp_repr = lock_repr,
    .tp_weaklistoffset = offsetof(struct lock, weak),
    .tp_methods = rlock_methods,
};
