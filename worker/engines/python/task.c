/* task.c - see task.h: a tasklet's life, from its first turn to its end; threads and the process. */
#include "worker/engines/python/locks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/task/task.h"

enum { FINISH_TURNS = 1000 };

const char py_paused[] = "paused", py_watching[] = "run";
__thread struct py_thread *py_thread;
static size_t tasklets_max;

/* ---- references ---------------------------------------------------------------------------------------------------------------- */

void py_hold(py_tasklet *t)
{
    if (t->held)
        return;
    t->held = true;
    Py_INCREF(t);
}

void py_unhold(py_tasklet *t)
{
    if (!t->held)
        return;
    t->held = false;
    Py_DECREF(t);
}

/* ---- a life -------------------------------------------------------------------------------------------------------------------- */

/*
 * What it has left in its state dies while that is current still. Callbacks run in it until another tasklet has the turn, and the thread may sleep in it:
 * so it is nobody's until the next one ends, and nobody else gets it before.
 */
static void leave(py_tasklet *t)
{
    PyThreadState *ts = t->ts, *before = py_thread->nobody->ts;

    Py_CLEAR(t->tempval);
    py_count_end(t);
    if (t->named)
        py_locks_forget(ts->thread_id);
    t->named = false;
    if (t->has_root)
        py_root_ends(t->greenlet);
    t->greenlet = NULL;
    t->has_root = false;
    py_stack_leave(t);
    py_thread->nobody->ts = ts;
    t->task->engine = py_thread->nobody;
    t->task = NULL;
    t->ts = NULL;
    py_unhold(t);
    py_state_clear(ts);
    if (before != NULL)
        py_state_put(before);
}

static PyObject *call(py_tasklet *t)
{
    PyObject *func = t->func, *args = t->args, *kwargs = t->kwargs, *result, *bomb = t->tempval;

    t->func = t->args = t->kwargs = NULL;
    if (bomb != NULL && Py_IS_TYPE(bomb, &slp_bomb_type) &&
        t->greenlet == NULL) { /* thrown at before its first turn; a greenlet looks itself */
        t->tempval = NULL;
        result = py_explode(bomb);
    } else {
        t->called = func;
        result = PyObject_Call(func, args, kwargs);
        t->called = NULL;
    }
    Py_DECREF(func);
    Py_DECREF(args);
    Py_XDECREF(kwargs);
    return result;
}

static int body(void *arg)
{
    py_tasklet *t = arg;
    PyObject *result;

    py_state_enter(t->ts);
    py_drop_post();
    if (t->context != NULL) {
        py_state_set_context(t->ts, t->context);
        Py_CLEAR(t->context);
    }
    result = t->frozen != NULL ? py_thaw(t) : call(t);
    if (result == NULL && !t->forced && !py_was_struck(t))
        py_carry_error(t);
    PyErr_Clear();
    Py_XDECREF(result);
    slp_tell_end(t);
    py_tell_watchers(t);
    leave(t);
    return 0;
}

static int refuse(int rc)
{
    if (rc == -EAGAIN)
        PyErr_Format(PyExc_RuntimeError, "tasklets limit (%zu) reached; raise it with --limit tasklets=N", sched->max_tasklets);
    else
        PyErr_SetString(PyExc_MemoryError, "no memory for one more tasklet; raise it with --limit memory=SIZE");
    return -1;
}

int py_begin(py_tasklet *t)
{
    static const struct coop_attr attr = { .stack_size = PY_STACK };
    int rc;

    t->ts = py_state_get();
    if (t->ts == NULL)
        return refuse(-ENOMEM);
    rc = coop_spawn(&t->task, body, t, &attr);
    if (rc != 0) {
        py_state_put(t->ts);
        t->ts = NULL;
        return refuse(rc);
    }
    t->task->detached = true;
    t->task->engine = t;
    t->task->atomic = t->atomic;
    t->task->block_trap = t->block_trap;
    py_belongs_to(t, py_thread);
    t->sent = t->own_context = false;
    t->call = py_current()->call;
    t->struck = false;
    py_hold(t);
    if (__builtin_expect(t->posted, 0))
        py_unpost(t);
    return 0;
}

/* ---- threads ------------------------------------------------------------------------------------------------------------------- */

static void on_switch(coop_task *from, coop_task *to)
{
    py_tasklet *t = to->engine;

    (void)from;
    if (t == NULL)
        return;
    py_state_enter(t->ts);
    if (__builtin_expect(py_counts, 0))
        py_count_slice(t);
}

static int make_main(struct py_thread *p)
{
    py_tasklet *t = (py_tasklet *)PyType_GenericAlloc(&slp_tasklet_type, 0);

    p->nobody = (py_tasklet *)PyType_GenericAlloc(&slp_tasklet_type, 0);
    if (t == NULL || p->nobody == NULL) {
        Py_XDECREF(t);
        Py_XDECREF(p->nobody);
        return -1;
    }
    t->task = &p->sched->main;
    t->task->engine = t;
    t->ts = p->ts;
    py_belongs_to(t, p);
    t->held = true;
    t->call = py_call_now();
    p->main = t;
    return 0;
}

void py_limit_tasklets(size_t max, uint64_t memory_bytes)
{
    py_stacks_limit(memory_bytes);
    tasklets_max = max;
    if (max > 0 && sched != NULL)
        sched->max_tasklets = max;
}

/* Its scheduler may be there: a worker has made the first thread's. */
int py_thread_open(void)
{
    static const struct coop_options options = { .stack_size = PY_STACK, .private_stacks = true };
    struct py_thread *p;
    int rc;

    if (py_thread != NULL)
        return 0;
    rc = sched == NULL ? coop_init(&options) : 0;
    if (rc == 0)
        rc = py_stacks_open();
    p = rc == 0 ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    p->sched = sched;
    p->users = 1;
    if (tasklets_max > 0)
        sched->max_tasklets = tasklets_max;
    p->ts = py_state_current();
    p->ident = p->ts->thread_id;
    p->pickle_flags = slp_pickle_flags_default();
    if (make_main(p) != 0) {
        free(p);
        return -1;
    }
    py_thread = p;
    py_thread_add(p);
    sched_on_switch(on_switch);
    slp_hook_thread(sched);
    sched->on_idle = py_on_idle;
    sched->on_interrupt = py_on_interrupt;
    sched->on_deadlock = py_on_deadlock;
    py_preempt_begin();
    return py_thread_at_end();
}

static PyObject *finish(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    py_task_finish();
    Py_RETURN_NONE;
}

/* What main leaves behind is thrown out while there still is an interpreter. */
static int at_exit(void)
{
    static PyMethodDef method = { "finish", finish, METH_NOARGS, NULL };
    PyObject *atexit = PyImport_ImportModule("atexit"), *f = PyCFunction_New(&method, NULL), *done = NULL;

    if (atexit != NULL && f != NULL)
        done = PyObject_CallMethod(atexit, "register", "O", f);
    Py_XDECREF(done);
    Py_XDECREF(f);
    Py_XDECREF(atexit);
    return done != NULL ? 0 : -1;
}

int py_task_open(void)
{
    bool first = py_thread == NULL;

    PyObject *threading = PyImport_ImportModule("threading"); /* who imports it first is its main thread */

    if (threading == NULL)
        return -1;
    py_starting_are_in(threading);
    Py_DECREF(threading);
    if (py_state_open() != 0 || py_thread_open() != 0)
        return -1;
    return first ? at_exit() : 0;
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------- */

/* Main lets all others run until none of them can, or they have had turns enough. */
static void let_run(void)
{
    sched->main.cancelled = false;
    sched->main.shield = sched->main.block_trap = 0;
    sched->switch_trap = 0;
    for (int i = 0; i < FINISH_TURNS && sched_any(); i++)
        (void)coop_yield();
}

/* Those that are alive now; NULL: no memory for a list of them. */
static PyObject *list_all(void)
{
    PyObject *list = PyList_New(0);

    for (coop_task *task = sched->all; list != NULL && task != NULL; task = task->all_next) {
        py_tasklet *t = task->engine;

        if (t != NULL && t->task == task && PyList_Append(list, (PyObject *)t) != 0)
            Py_CLEAR(list);
    }
    return list;
}

static void throw_out(py_tasklet *t)
{
    PyObject *done;

    if (!py_begun(t))
        return;
    t->forced = true;
    done = py_kill(t, false);
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    t->forced = false;
}

/* One that catches what throws it out is thrown out again; a few times. */
void py_task_finish(void)
{
    if (py_thread == NULL || sched->current != &sched->main)
        return;
    py_preempt_end();
    py_thread->main->unloved = true; /* the guards are for what tenants do */
    for (int i = 0; i < PY_KILL_ROUNDS; i++) {
        PyObject *all = list_all();
        Py_ssize_t n = all != NULL ? PyList_GET_SIZE(all) : 0;

        for (Py_ssize_t k = 0; k < n; k++)
            throw_out((py_tasklet *)PyList_GET_ITEM(all, k));
        Py_XDECREF(all);
        if (n == 0)
            break;
        let_run();
    }
    py_thread->main->unloved = false;
    PyErr_Clear();
}
