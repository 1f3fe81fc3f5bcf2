/* task.c - see task.h: a tasklet's life, from its first turn to its end; threads and the process. */
#include "worker/engines/python/task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/task/task.h"

enum { STACK = 252 << 10, KILL_ROUNDS = 10 };

const char py_paused[] = "paused", py_watching[] = "run";
__thread struct py_thread *py_thread;

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

/* What it has left in its state dies while that is current still. */
static void leave(py_tasklet *t)
{
    PyThreadState *ts = t->ts;

    Py_CLEAR(t->tempval);
    py_count_end(t);
    t->task->engine = NULL;
    t->task = NULL;
    t->ts = NULL;
    py_unhold(t);
    py_state_put(ts);
}

static PyObject *call(py_tasklet *t)
{
    PyObject *func = t->func, *args = t->args, *kwargs = t->kwargs, *result, *bomb = t->tempval;

    t->func = t->args = t->kwargs = NULL;
    if (bomb != NULL && Py_IS_TYPE(bomb, &slp_bomb_type)) { /* thrown at before its first turn */
        t->tempval = NULL;
        result = py_explode(bomb);
    } else {
        result = PyObject_Call(func, args, kwargs);
    }
    Py_DECREF(func);
    Py_DECREF(args);
    Py_XDECREF(kwargs);
    return result;
}

static void drop_post(void)
{
    py_tasklet *post = py_thread->post;

    py_thread->post = NULL;
    Py_XDECREF(post);
}

static int body(void *arg)
{
    py_tasklet *t = arg;
    PyObject *result;

    py_state_enter(t->ts);
    if (py_thread->post != NULL)
        drop_post();
    if (t->context != NULL) {
        (void)py_state_begin_context(t->ts, t->context);
        Py_CLEAR(t->context);
    }
    result = call(t);
    if (result == NULL && !t->forced)
        py_carry_error(t);
    PyErr_Clear();
    Py_XDECREF(result);
    slp_tell_end(t);
    leave(t);
    return 0;
}

static int refuse(int rc)
{
    if (rc == -EAGAIN)
        PyErr_Format(PyExc_RuntimeError, "tasklets limit (%zu) reached; raise it with --limit tasklets=N", sched->max_tasklets);
    else
        PyErr_NoMemory();
    return -1;
}

int py_begin(py_tasklet *t)
{
    static const struct coop_attr attr = { .stack_size = STACK };
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
    t->thread = py_thread;
    py_hold(t);
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
    py_tasklet *t = PyObject_GC_New(py_tasklet, &slp_tasklet_type);

    if (t == NULL)
        return -1;
    memset((char *)t + sizeof(PyObject), 0, sizeof(*t) - sizeof(PyObject));
    t->task = &p->sched->main;
    t->task->engine = t;
    t->ts = p->ts;
    t->thread = p;
    t->held = true;
    p->main = t;
    PyObject_GC_Track((PyObject *)t);
    return 0;
}

/* Its scheduler may be there: a worker has made the first thread's. */
int py_thread_open(void)
{
    static const struct coop_options options = { .stack_size = STACK, .hibernate_above = SIZE_MAX };
    struct py_thread *p;
    int rc;

    if (py_thread != NULL)
        return 0;
    rc = sched == NULL ? coop_init(&options) : 0;
    p = rc == 0 ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    p->sched = sched;
    p->ts = py_state_current();
    p->ident = p->ts->thread_id;
    if (make_main(p) != 0) {
        free(p);
        return -1;
    }
    py_thread = p;
    py_thread_add(p);
    sched_on_switch(on_switch);
    sched->on_idle = py_on_idle;
    sched->on_interrupt = py_on_interrupt;
    sched->on_deadlock = py_on_deadlock;
    py_preempt_begin();
    return py_thread_at_end();
}

int py_task_open(void)
{
    py_state_open();
    return py_thread_open();
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------- */

/* Main lets all others run until none of them can. */
static void let_run(void)
{
    sched->main.cancelled = false;
    sched->main.shield = sched->main.block_trap = 0;
    sched->switch_trap = 0;
    while (sched_any())
        (void)coop_yield();
}

static void throw_out(coop_task *task)
{
    py_tasklet *t = task->engine;
    PyObject *done;

    if (t == NULL || !py_begun(t) || t == py_current())
        return;
    t->forced = true;
    Py_INCREF(t);
    done = py_kill(t, false);
    if (done == NULL)
        PyErr_Clear();
    Py_XDECREF(done);
    Py_DECREF(t);
}

/* One that catches what throws it out is thrown out again; a few times. */
void py_task_finish(void)
{
    if (py_thread == NULL || sched->current != &sched->main)
        return;
    for (int i = 0; i < KILL_ROUNDS && sched->all != NULL; i++) {
        uint64_t last = sched->last_id;

        for (coop_task *task = sched->all, *next; task != NULL; task = next) {
            next = task->all_next;
            if (task->id > last)
                continue;
            throw_out(task);
            next = sched->all; /* others may have ended meanwhile */
            while (next != NULL && (next->engine == NULL || ((py_tasklet *)next->engine)->forced))
                next = next->all_next;
        }
        let_run();
        for (coop_task *task = sched->all; task != NULL; task = task->all_next)
            if (task->engine != NULL)
                ((py_tasklet *)task->engine)->forced = false;
    }
}
