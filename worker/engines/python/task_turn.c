/* task_turn.c - see task.h: who has the turn, who gives it up, and what it comes back with. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "worker/engines/python/task.h"

static __thread bool end_broke; /* main was blocked, and the last other tasklet has ended */

/* ---- values -------------------------------------------------------------------------------------------------------------------- */

void py_set_tempval(py_tasklet *t, PyObject *stolen)
{
    PyObject *old = t->tempval;

    t->tempval = stolen;
    Py_XDECREF(old);
}

PyObject *py_failed(int rc)
{
    if (PyErr_Occurred())
        return NULL;
    switch (rc) {
    case -EPERM: PyErr_SetString(PyExc_RuntimeError, "switch_trap"); break;
    case -EDEADLK: PyErr_SetString(PyExc_RuntimeError, "Deadlock: the last runnable tasklet cannot be blocked."); break;
    case -ECANCELED: PyErr_SetNone(PyExc_KeyboardInterrupt); break;
    case -ETIMEDOUT: PyErr_SetNone(PyExc_TimeoutError); break;
    case -ENOMEM: PyErr_NoMemory(); break;
    default: PyErr_Format(PyExc_RuntimeError, "cannot wait: %s", strerror(-rc)); break;
    }
    return NULL;
}

/* Their last references may be these: what dies runs code, and may switch. */
void py_drop_post_now(void)
{
    py_tasklet *post = py_thread->post;
    PyObject *greenlet = py_thread->post_greenlet;

    py_thread->post = NULL;
    py_thread->post_greenlet = NULL;
    Py_XDECREF(post);
    Py_XDECREF(greenlet);
}

PyObject *py_came_back(py_tasklet *me, int rc)
{
    PyObject *value = me->tempval;
    const struct slp_chan *chan = me->chan; /* whoever waited there knows it still; afterwards it may go */

    me->tempval = NULL;
    me->chan = NULL;
    if (__builtin_expect(me->posted, 0))
        py_unpost(me);
    py_drop_post();
    if (value != NULL && __builtin_expect(Py_IS_TYPE(value, &slp_bomb_type), 0))
        return py_explode(value);
    if (__builtin_expect(rc != 0, 0)) {
        Py_XDECREF(value);
        if (rc == -EDEADLK && end_broke && chan != NULL)
            PyErr_SetString(PyExc_RuntimeError, slp_deadlock_text(chan));
        return py_failed(rc);
    }
    return value != NULL ? value : Py_NewRef(Py_None);
}

int py_deadline_of(PyObject *seconds, int64_t *ret)
{
    double s;

    *ret = COOP_NEVER;
    if (seconds == NULL || seconds == Py_None)
        return 0;
    s = PyFloat_AsDouble(seconds);
    if (s == -1.0 && PyErr_Occurred() != NULL)
        return -1;
    if (!(s > 0))
        *ret = 0;
    else if (s < 1e9)
        *ret = coop_after((int64_t)ceil(s * 1e6));
    return 0;
}

/* ---- may it ? ------------------------------------------------------------------------------------------------------------------ */

int py_may_switch(void)
{
    const char *busy;

    if (py_here() != 0)
        return -1;
    busy = py_state_busy(py_current()->ts);
    if (__builtin_expect(busy == NULL && sched->current->state == TASK_RUNNING, 1))
        return 0;
    if (py_current()->unloved)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "a tasklet cannot be switched here: %s", busy != NULL ? busy : "nobody runs");
    return -1;
}

py_tasklet *py_watchdog(void)
{
    return py_thread->innermost != NULL ? py_thread->innermost : py_thread->main;
}

static PyObject *limbo; /* of threading's: those that are started and have not begun */

void py_starting_are_in(PyObject *threading)
{
    PyObject *found = PyDict_GetItemString(PyModule_GetDict(threading), "_limbo");

    if (found != NULL && PyDict_Check(found))
        Py_XSETREF(limbo, Py_NewRef(found));
}

/* Nothing of the script's runs here: another one's state may be current. */
static bool one_starts(void)
{
    return limbo != NULL && PyDict_GET_SIZE(limbo) > 0;
}

/* Another thread of the system may wake somebody. */
static bool others_run(void)
{
    return py_threads_run() || one_starts();
}

bool py_is_last(void)
{
    if (sched_any())
        return false;
    (void)sched_poll(false);
    return !sched_any() && sched->wheel.count == 0 && sched->polled == 0 && !py_floats(py_watchdog()) && !others_run();
}

/* ---- the ring ------------------------------------------------------------------------------------------------------------------ */

void py_wake(py_tasklet *t, int rc)
{
    if (t->task->state != TASK_BLOCKED)
        return;
    if (t->thread != py_thread) { /* its scheduler is that thread's to touch */
        py_wake_abroad(t);
    } else {
        py_hold(t);
        task_interrupt(t->task, rc);
    }
}

int py_insert(py_tasklet *t)
{
    if (py_blocked(t)) {
        PyErr_SetString(PyExc_RuntimeError, "You cannot run a blocked tasklet");
        return -1;
    }
    if (!py_alive(t)) {
        PyErr_SetString(PyExc_RuntimeError, "You cannot run an unbound(dead) tasklet");
        return -1;
    }
    if (py_is_elsewhere(t) && py_is_stranded(t)) {
        PyErr_SetString(PyExc_RuntimeError, "the tasklet's thread has ended");
        return -1;
    }
    if (!py_begun(t) && py_is_elsewhere(t))
        py_begin_abroad(t);
    else if (!py_begun(t))
        return py_begin(t);
    else
        py_wake(t, 0);
    return 0;
}

/* A block trap is not for those that wait for nothing. What nobody else knows dies when somebody else has the turn. */
int py_float(const char *why)
{
    coop_task *task = sched->current;
    py_tasklet *me = task->engine;
    uint32_t trap = task->block_trap;
    int rc;

    if (why == py_paused && me->held && task != &sched->main) {
        me->held = false;
        if (py_thread->post != NULL)
            Py_DECREF(py_thread->post);
        py_thread->post = me;
    }
    task->block_trap = 0;
    rc = task_block(NULL, COOP_NEVER, why, NULL);
    task->block_trap = trap;
    if (py_thread->post == me) { /* it was not left */
        py_thread->post = NULL;
        me->held = true;
    }
    return rc;
}

PyObject *py_switch_to(py_tasklet *to, bool stays)
{
    py_tasklet *me = py_current();
    int rc;

    if (stays)
        ring_stay_and_turn_to(to->task);
    else
        ring_turn_to(to->task);
    py_soft_interrupt();
    rc = stays ? ring_leave() : py_float(py_paused);
    return py_came_back(me, rc);
}

/* ---- nobody runs --------------------------------------------------------------------------------------------------------------- */

void py_on_deadlock(void)
{
    end_broke = sched->current->state == TASK_ENDED;
}

/* With somebody else's state current, who does not run: the error is main's. */
void py_on_interrupt(void)
{
    py_tasklet *main = py_thread->main;

    py_take_in();
    if (sched->current->state == TASK_RUNNING) /* its next instruction looks */
        return;
    if (py_state_current() == NULL || PyErr_CheckSignals() == 0)
        return;
    py_set_tempval(main, py_bomb_of_error());
    if (main->task->state == TASK_BLOCKED)
        task_interrupt(main->task, -EINTR);
}

/* In Stackless who sleeps keeps the thread: here the thread sleeps when nobody else can run. */
void py_on_idle(void)
{
    while (!sched_any()) {
        (void)sched_poll(false);
        if (!sched_any())
            py_on_interrupt();
        if (sched_any() || py_wake_watchdog())
            return;
        if (sched->wheel.count == 0 && sched->polled == 0 && !others_run())
            return;
        py_threads_tell_ends(one_starts());
        py_thread->asleep = sched->wheel.count == 0 && sched->polled == 0;
        PyThreadState *ts = PyEval_SaveThread();
        sched_sleep();
        PyEval_RestoreThread(ts);
        py_thread->asleep = false;
    }
}
