/*
 * struck.c - see task.h: an interrupt of a call, as an interpreter gets it: whom it strikes.
 *
 * Struck:  main, which runs the call, and the tasklets that the call has made, and those have: KeyboardInterrupt is raised in them where they are. A tasklet
 *          meets one; what it does not catch ends it, and is nobody else's. Main meets another at each instruction that looks for signals, whatever it
 *          catches, until the call has ended: as long as that has not, CPython's handler of SIGINT comes here again and again.
 * Others:  those that were made in earlier calls, or have been struck, give up their turn whenever the handler finds them, so that main gets its own.
 */
#include <errno.h>

#include "worker/engines/python/task.h"

static unsigned calls, now, struck; /* numbers of calls; 0: none */

void (*py_late_error)(void);

void py_call_begins(void)
{
    if (++calls == 0)
        calls = 1;
    now = calls;
    if (py_thread != NULL)
        py_thread->main->call = now;
}

void py_call_ends(void)
{
    now = 0;
    if (py_thread != NULL)
        py_thread->main->call = 0;
}

unsigned py_call_now(void)
{
    return now;
}

bool py_is_no_business_of(const py_tasklet *t, const py_tasklet *by)
{
    return py_late_error != NULL && t == py_thread->main && by->call != t->call;
}

bool py_was_struck(const py_tasklet *t)
{
    return t->struck && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
}

/* What it waits for is over: as for main, when its thread sleeps. A greenlet that has not the turn waits for nothing. */
static void strike(py_tasklet *t)
{
    PyObject *bomb;

    if (t->greenlet != NULL && py_floats(t))
        return;
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    bomb = py_bomb_of_error();
    if (bomb == NULL) {
        PyErr_Clear();
        return;
    }
    t->struck = true;
    py_set_tempval(t, bomb);
    py_wake(t, -EINTR);
}

static void strike_tasklets(void)
{
    for (coop_task *task = sched->all; task != NULL; task = task->all_next) {
        py_tasklet *t = task->engine;

        if (t != NULL && t->task == task && t->call == now && task->state != TASK_ENDED && task->state != TASK_RUNNING)
            strike(t);
    }
}

static bool may_make_way(const py_tasklet *me)
{
    return !me->task->atomic && sched->switch_trap == 0 && py_state_busy(me->ts) == NULL && !py_state_imports();
}

static PyObject *make_way(py_tasklet *me)
{
    py_set_tempval(me, NULL);
    return py_came_back(me, coop_yield());
}

/* NULL: it is to be struck. */
static PyObject *spare(py_tasklet *me)
{
    if (me == py_thread->main || (me->call == now && !me->struck))
        return NULL;
    if (may_make_way(me))
        return make_way(me);
    return me->call != now ? Py_NewRef(Py_None) : NULL;
}

/* All others of the call, once; main whenever it waits. */
static void strike_others(void)
{
    if (struck != now)
        strike_tasklets();
    struck = now;
    if (sched->main.state == TASK_BLOCKED)
        strike(py_thread->main);
}

PyObject *py_interrupt_call(void)
{
    py_tasklet *me = NULL;
    PyObject *result = NULL;

    PyErr_SetInterrupt();
    if (py_thread != NULL && now != 0)
        strike_others();
    if (py_thread != NULL && now != 0 && sched->current->state == TASK_RUNNING)
        me = py_current();
    if (me != NULL)
        result = spare(me);
    if (result != NULL || PyErr_Occurred() != NULL)
        return result;
    if (me != NULL)
        me->struck = true;
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    return NULL;
}
