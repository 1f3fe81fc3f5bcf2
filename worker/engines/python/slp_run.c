/*
 * slp_run.c - see slp.h: stackless.run(), watchdogs, and interrupts by counted instructions.
 *
 * Watchdogs: whoever is in run() floats, on a stack of its own; when nobody can run, the innermost is revived, and it meets the error
 *            that nobody caught. Those that sleep or wait for an answer can run later, and are waited for. One that wakes makes all inner ones runnable, whose run() returns then.
 * Counting:  only the outermost run() with a timeout counts. CPython 3.11 has no counter. Up to EXACTLY instructions whoever runs is traced, instruction by
 *            instruction, which is slow; the tick of slices sees to it that a tasklet's own sys.settrace() does not end that. What is more is a
 *            time, of the processor's: what so many instructions take at best.
 */
#include <errno.h>
#include <signal.h>

#include "worker/engines/python/freeze_code.h"
#include "worker/engines/python/slp.h"

enum { EXACTLY = 200000, TICK_US = 10000 };

static __thread struct {
    int64_t budget_us, began_us; /* by time; 0: exactly */
    bool due;                    /* as soon as somebody looks */
    py_tasklet *watchdog;        /* NULL: nobody counts */
    PyThreadState *traced;
    long interval, left;
    bool soft, ignore_nesting, total;
    py_tasklet *victim; /* of a hard interrupt that has just happened; borrowed: it is in the ring */
} irq;

static unsigned counting; /* threads */
bool py_counts;

bool py_counts_here(void)
{
    return irq.watchdog != NULL;
}

/* ---- counting ------------------------------------------------------------------------------------------------------------------ */

static bool must_wait(const py_tasklet *t)
{
    if (sched->current->atomic || sched->switch_trap > 0 || slp_in_callback || py_state_busy(t->ts) != NULL || py_state_imports())
        return true;
    return !t->ignore_nesting && !irq.ignore_nesting && py_state_nesting(t->ts) > 0;
}

/* The victim stays in the ring, behind the watchdog, which takes it out. */
static int interrupt(py_tasklet *t, enum py_left left)
{
    py_tasklet *w = irq.watchdog;
    PyObject *result;

    irq.victim = t;
    py_wake(w, 0);
    t->left = (char)left;
    result = py_switch_to(w, true);
    t->left = PY_LEFT_CALL;
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

static int on_instruction(void)
{
    py_tasklet *t = py_current();

    if (irq.watchdog == NULL || irq.traced != t->ts || --irq.left > 0)
        return 0;
    irq.left = irq.interval;
    t->irq_pending = irq.soft || must_wait(t);
    return t->irq_pending ? 0 : interrupt(t, PY_LEFT_BEFORE);
}

static void count_off(void)
{
    if (irq.traced != NULL)
        py_state_count_off(irq.traced);
    irq.traced = NULL;
}

bool py_count_due(void)
{
    if (irq.watchdog == NULL)
        return false;
    if (irq.budget_us > 0)
        return irq.due || py_cpu_us() - irq.began_us >= irq.budget_us;
    return irq.traced != NULL && irq.traced == py_current()->ts && !py_state_counts(irq.traced);
}

int py_count_tick(void)
{
    py_tasklet *t = py_current();

    if (!py_count_due())
        return 0;
    if (irq.budget_us == 0)
        return py_state_count(irq.traced, on_instruction);
    irq.due = false;
    irq.began_us = py_cpu_us();
    t->irq_pending = irq.soft || must_wait(t);
    return t->irq_pending ? 0 : interrupt(t, PY_LEFT_BREAKER);
}

void py_count_again(int n)
{
    if (irq.watchdog != NULL && irq.traced == py_current()->ts)
        irq.left += n;
}

void py_count_slice(py_tasklet *comes)
{
    if (irq.watchdog == NULL)
        return;
    if (irq.budget_us > 0) {
        if (!irq.total && comes != irq.watchdog)
            irq.began_us = py_cpu_us();
        return;
    }
    if (irq.traced == comes->ts)
        return;
    count_off();
    if (comes == irq.watchdog)
        return;
    if (!irq.total)
        irq.left = irq.interval;
    if (py_state_count(comes->ts, on_instruction) == 0)
        irq.traced = comes->ts;
    else
        PyErr_Clear();
}

void py_count_end(py_tasklet *t)
{
    if (irq.traced == t->ts)
        count_off();
}

void py_irq_allowed(void)
{
    const py_tasklet *t = py_current();

    if (irq.watchdog == NULL || irq.soft || !t->irq_pending || must_wait(t))
        return;
    irq.left = 1;
    irq.due = true;
    if (irq.budget_us > 0)
        (void)PyErr_SetInterruptEx(SIGVTALRM);
}

void py_interrupt_softly(void)
{
    py_tasklet *t = py_current();

    if (irq.watchdog == NULL || !irq.soft)
        return;
    t->irq_pending = false;
    if (py_floats(irq.watchdog) && t != irq.watchdog && sched_any())
        ring_wake_first(irq.watchdog->task, 0);
}

void py_pass_interrupt(py_tasklet *to)
{
    py_tasklet *t = py_current();

    if (!t->irq_pending || irq.watchdog == NULL || !irq.soft)
        return;
    t->irq_pending = false;
    to->irq_pending = true;
}

/* ---- run() --------------------------------------------------------------------------------------------------------------------- */

bool py_wake_watchdog(void)
{
    py_tasklet *w = py_watchdog();

    if (!py_floats(w) || w->task->why != py_watching)
        return false;
    if (sched->wheel.count > 0 || sched->watching > 0) /* somebody sleeps, or the broker is to answer */
        return false;
    if (w->waits_for_threads && (sched->polled > 0 || py_threads_run()))
        return false;
    py_wake(w, 0);
    return true;
}

static void push_watchdog(py_tasklet *t)
{
    t->watched = py_thread->innermost;
    t->watches = true;
    py_thread->innermost = t;
}

/* Takes t and all that are further in off the stack, and lets them run; unless one further out has done so for t. */
static void pop_watchdogs(const py_tasklet *t)
{
    while (t->watches) {
        py_tasklet *w = py_thread->innermost;

        py_thread->innermost = w->watched;
        w->watches = false;
        if (w == irq.watchdog) {
            count_off();
            irq.watchdog = NULL;
            py_counts = --counting > 0;
            if (irq.budget_us > 0)
                py_tick_every(0);
        }
        if (w != t && py_floats(w))
            py_wake(w, 0);
    }
}

/* The one whose slice ran out is not in the ring any more, and is what run() returns. */
static PyObject *take_victim(void)
{
    py_tasklet *victim = irq.victim;

    irq.victim = NULL;
    if (victim == NULL)
        Py_RETURN_NONE;
    Py_INCREF(victim);
    if (py_begun(victim) && victim->task->state == TASK_READY) {
        ring_remove(victim->task, py_paused);
        py_unhold(victim);
    }
    return (PyObject *)victim;
}

/* The caller is the outermost that counts. */
static void count_from_now(py_tasklet *me, long timeout)
{
    irq.budget_us = timeout > EXACTLY && py_preempts() ? py_time_of(timeout) : 0;
    irq.began_us = irq.budget_us > 0 ? py_cpu_us() : 0;
    irq.due = false;
    irq.interval = irq.left = timeout;
    irq.victim = NULL;
    irq.watchdog = me;
    py_counts = true;
    counting++;
    if (irq.budget_us > 0)
        py_tick_every(irq.budget_us < TICK_US ? irq.budget_us : TICK_US);
}

/* run(timeout=0, threadblock=False, soft=False, ignore_nesting=False, totaltimeout=False) */
static PyObject *run(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = { "timeout", "threadblock", "soft", "ignore_nesting", "totaltimeout", NULL };
    long timeout = 0;
    int threadblock = 0, soft = 0, ignore_nesting = 0, total = 0, rc;
    py_tasklet *me;
    PyObject *result;

    (void)self;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|lpppp:run", names, &timeout, &threadblock, &soft, &ignore_nesting, &total))
        return NULL;
    if (py_may_switch() != 0)
        return NULL;
    if (sched->switch_trap > 0)
        return sched_any() ? py_failed(-EPERM) : Py_NewRef(Py_None);
    me = py_current();
    me->waits_for_threads = threadblock;
    push_watchdog(me);
    if (timeout > 0 && irq.watchdog == NULL) {
        irq.soft = soft;
        irq.ignore_nesting = ignore_nesting;
        irq.total = total;
        count_from_now(me, timeout);
    }
    py_set_tempval(me, NULL);
    py_soft_interrupt();
    rc = py_float(py_watching);
    pop_watchdogs(me);
    result = py_came_back(me, rc);
    if (result == NULL)
        return NULL;
    Py_DECREF(result);
    return take_victim();
}

/* ---- what keeps interrupts away ------------------------------------------------------------------------------------------------ */

static int checked_flag(PyObject *flag, const char *why)
{
    if (PyLong_Check(flag))
        return PyObject_IsTrue(flag);
    PyErr_SetString(PyExc_TypeError, why);
    return -1;
}

static void allow(const py_tasklet *t)
{
    if (py_thread != NULL && t == py_current())
        py_irq_allowed();
}

/* set_atomic(flag) -> the old one */
static PyObject *set_atomic(PyObject *self, PyObject *flag)
{
    py_tasklet *t = (py_tasklet *)self;
    int on = checked_flag(flag, "set_atomic needs exactly one bool or integer");
    bool old = t->atomic;

    if (on < 0)
        return NULL;
    t->atomic = on;
    if (py_begun(t)) {
        old = t->task->atomic;
        t->task->atomic = on;
    }
    if (!on)
        allow(t);
    return PyBool_FromLong(old);
}

/* set_ignore_nesting(flag) -> the old one */
static PyObject *set_ignore_nesting(PyObject *self, PyObject *flag)
{
    py_tasklet *t = (py_tasklet *)self;
    int on = checked_flag(flag, "set_ignore_nesting needs exactly one bool or integer");
    bool old = t->ignore_nesting;

    if (on < 0)
        return NULL;
    t->ignore_nesting = on;
    if (on)
        allow(t);
    return PyBool_FromLong(old);
}

PyMethodDef slp_run_methods[] = {
    {"set_atomic",          set_atomic,         METH_O, "set_atomic(flag): its turn is not taken from it; the old flag."           },
    { "set_ignore_nesting", set_ignore_nesting, METH_O, "set_ignore_nesting(flag): a watchdog may interrupt it in C; the old flag."},
    { NULL,                 NULL,               0,      NULL                                                                       }
};

struct atomic {
    PyObject_HEAD bool old;
};

static PyObject *enter(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    if (py_here() != 0)
        return NULL;
    ((struct atomic *)self)->old = coop_atomic(true);
    Py_RETURN_NONE;
}

static PyObject *leave(PyObject *self, PyObject *args)
{
    (void)args;
    coop_atomic(((struct atomic *)self)->old);
    if (!((struct atomic *)self)->old)
        py_irq_allowed();
    Py_RETURN_NONE;
}

static PyObject *atomic_reduce(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    return Py_BuildValue("(O()O)", Py_TYPE(self), ((struct atomic *)self)->old ? Py_True : Py_False);
}

static PyObject *atomic_set(PyObject *self, PyObject *old)
{
    int yes = PyObject_IsTrue(old);

    if (yes < 0)
        return NULL;
    ((struct atomic *)self)->old = yes;
    Py_RETURN_NONE;
}

static PyMethodDef atomic_methods[] = {
    {"__enter__",     enter,         METH_NOARGS,  NULL},
    { "__exit__",     leave,         METH_VARARGS, NULL},
    { "__reduce__",   atomic_reduce, METH_NOARGS,  NULL},
    { "__setstate__", atomic_set,    METH_O,       NULL},
    { NULL,           NULL,          0,            NULL}
};

PyTypeObject slp_atomic_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "stackless.atomic",
    .tp_basicsize = sizeof(struct atomic),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "with atomic(): the turn of whoever runs is not taken from it.",
    .tp_new = PyType_GenericNew,
    .tp_methods = atomic_methods,
};

PyMethodDef slp_run_functions[] = {
    {"run", (PyCFunction)(void (*)(void))run, METH_VARARGS | METH_KEYWORDS,
     "run(timeout=0, threadblock=False, soft=False, ignore_nesting=False, totaltimeout=False): until nobody can run, now or later by the clock, or one has run for timeout instructions: that one, out of the run queue."},
    { NULL, NULL,                             0,                            NULL                                                                                                                                         }
};
