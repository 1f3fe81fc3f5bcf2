/*
 * task_thread.c - see task.h: tasklets of several OS threads of one interpreter.
 *
 * A tasklet stays with its thread. Who wakes one of another thread puts it into that thread's inbox and pokes it; the GIL is the lock of all of
 * this. A thread that sleeps does so without the GIL, in a call that its wake_fd ends, or outside of a worker a signal.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/engines/native/engine.h"
#include "worker/engines/python/task.h"

static struct py_thread *threads;

/* ---- what they sleep on -------------------------------------------------------------------------------------------------------- */

/* In a worker no thread can send another a signal, and none can make a descriptor: each of several has one that the filter knows. */
static struct {
    unsigned n;
    bool taken[NATIVE_THREADS];
} wakes;

int py_threads_sleep_on(unsigned n)
{
    if (n < 2)
        return 0; /* there is nobody to wake it */
    for (; wakes.n < n && wakes.n < NATIVE_THREADS; wakes.n++) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), want = NATIVE_EVENTS + (int)wakes.n;
        int rc = fd < 0 || dup3(fd, want, O_CLOEXEC) < 0 ? -errno : 0;

        if (fd >= 0)
            close(fd);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void take_wake(struct py_thread *p)
{
    for (unsigned i = 0; i < wakes.n && p->wakes_by == NULL; i++)
        if (!wakes.taken[i]) {
            p->wakes_by = &wakes.taken[i];
            wakes.taken[i] = true;
            p->sched->wake_fd = NATIVE_EVENTS + (int)i;
        }
}

static void give_wake_back(struct py_thread *p)
{
    if (p->wakes_by == NULL)
        return;
    *p->wakes_by = false;
    p->wakes_by = NULL;
    p->sched->wake_fd = -1;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------- */

void py_thread_add(struct py_thread *p)
{
    p->self = pthread_self();
    take_wake(p);
    p->next = threads;
    threads = p;
}

void py_thread_free(struct py_thread *p)
{
    free(p);
}

static void remove_thread(const struct py_thread *p)
{
    struct py_thread **at = &threads;

    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
}

void py_threads_hook(void)
{
    for (const struct py_thread *p = threads; p != NULL; p = p->next)
        slp_hook_thread(p->sched);
}

struct py_thread *py_thread_of(unsigned long ident)
{
    struct py_thread *p = threads;

    while (p != NULL && p->ident != ident)
        p = p->next;
    return p;
}

PyObject *py_thread_idents(void)
{
    PyObject *list = PyList_New(0);

    for (const struct py_thread *p = threads; list != NULL && p != NULL; p = p->next) {
        PyObject *ident = PyLong_FromUnsignedLong(p->ident);

        if (ident == NULL || PyList_Append(list, ident) != 0)
            Py_CLEAR(list);
        Py_XDECREF(ident);
    }
    return list;
}

/* ---- across -------------------------------------------------------------------------------------------------------------------- */

static void wake_sleeper(struct py_thread *p)
{
    p->asleep = false;
    sched_interrupt(p->sched);
    if (p->wakes_by == NULL)
        (void)pthread_kill(p->self, SIGVTALRM);
}

/* False: it was on its way already. */
static bool post(py_tasklet *t)
{
    struct py_thread *p = t->thread;

    if (t->posted)
        return false;
    t->posted = true;
    Py_INCREF(t); /* whatever becomes of it until its thread looks */
    if (p->inbox != NULL)
        p->inbox_last->post_next = t;
    else
        p->inbox = t;
    p->inbox_last = t;
    return true;
}

/* p's is the one behind before; NULL: the first. */
static void take_out(struct py_thread *p, py_tasklet *before, py_tasklet *t)
{
    if (before != NULL)
        before->post_next = t->post_next;
    else
        p->inbox = t->post_next;
    if (p->inbox_last == t)
        p->inbox_last = before;
    t->post_next = NULL;
    t->posted = false;
}

void py_unpost(py_tasklet *t)
{
    struct py_thread *p = t->thread;
    py_tasklet *before = NULL, *at = p->inbox;

    for (; at != t; at = at->post_next)
        before = at;
    take_out(p, before, t);
    t->lost = false;
    Py_DECREF(t);
}

void py_begin_abroad(py_tasklet *t)
{
    if (post(t))
        wake_sleeper(t->thread);
}

void py_wake_abroad(py_tasklet *t)
{
    if (t->task->blocked_on != NULL) { /* it stays blocked until its thread looks, but nobody meets it again */
        wait_remove(t->task->blocked_on, &t->task->wait);
        t->task->blocked_on = NULL;
    }
    if (post(t))
        wake_sleeper(t->thread);
}

bool py_lose_abroad(py_tasklet *t)
{
    if (t->thread->ended)
        return false;
    t->lost = true;
    if (post(t))
        wake_sleeper(t->thread);
    return true;
}

/* Its turn comes, or its first one. */
static void take_one_in(py_tasklet *t)
{
    if (t->lost) {
        PyObject *bomb = py_bomb_of(slp_tasklet_exit, NULL, NULL);

        t->lost = false;
        if (bomb == NULL) {
            PyErr_WriteUnraisable((PyObject *)t);
            return;
        }
        py_set_tempval(t, bomb);
    }
    if (py_begun(t))
        py_wake(t, 0);
    else if (py_alive(t) && py_begin(t) != 0)
        PyErr_WriteUnraisable((PyObject *)t);
}

void py_take_in(void)
{
    py_tasklet *t;

    while ((t = py_thread->inbox) != NULL) {
        take_out(py_thread, NULL, t);
        take_one_in(t);
        Py_DECREF(t);
    }
}

PyObject *py_throw_abroad(py_tasklet *t, PyObject *bomb)
{
    py_set_tempval(t, bomb);
    if (!py_begun(t))
        py_begin_abroad(t);
    else if (t->task->state == TASK_BLOCKED)
        py_wake_abroad(t);
    Py_RETURN_NONE;
}

void py_abandon(py_tasklet *t)
{
    t->task->engine = NULL;
    t->task = NULL;
    t->ts = NULL;
    t->chan = NULL;
    py_tell_watchers(t);
    py_unhold(t);
}

/* One without tasklets runs, whatever it waits for: that is not known. */
bool py_threads_run(void)
{
    long unknown = py_state_threads() + 1; /* the first is not counted */

    if (unknown == 1 && threads->next == NULL)
        return false;
    for (const struct py_thread *p = threads; p != NULL; p = p->next) {
        if (p != py_thread && !p->asleep)
            return true;
        unknown -= !p->ending;
    }
    return unknown > 0 || py_thread->inbox != NULL;
}

/* ---- who waits for others ------------------------------------------------------------------------------------------------------- */

static long marks; /* threads that are known to tell of their end */

/* A thread ends: whoever sleeps may have waited for nobody else. */
static void on_mark_gone(PyObject *capsule)
{
    (void)capsule;
    marks--;
    for (struct py_thread *p = threads; p != NULL; p = p->next)
        if (p != py_thread)
            wake_sleeper(p);
}

static PyObject *make_mark(void)
{
    PyObject *mark = PyCapsule_New(&marks, "coop.end", on_mark_gone);

    marks += mark != NULL;
    return mark;
}

void py_threads_tell_ends(bool one_starts)
{
    static PyObject *name;

    if (marks == py_state_threads() && !one_starts)
        return;
    if (name == NULL)
        name = PyUnicode_InternFromString("coop.end");
    if (name == NULL || py_state_mark_threads(name, make_mark) != 0)
        PyErr_Clear();
}

/* ---- the end of one ------------------------------------------------------------------------------------------------------------ */

/* Its tasklets that no kill ends have no thread from then on; their stacks stay, and nobody meets them in a queue. */
static void leave_alone(void)
{
    for (coop_task *task = sched->all; task != NULL; task = task->all_next) {
        if (task->engine == py_thread->nobody)
            task->engine = NULL;
        if (task->engine != NULL)
            py_belongs_to(task->engine, NULL);
        if (task->state == TASK_BLOCKED && task->blocked_on != NULL)
            wait_remove(task->blocked_on, &task->wait);
        task->blocked_on = NULL;
    }
}

static void leave_main(py_tasklet *main)
{
    if (main->has_root)
        py_root_stays(main->greenlet);
    main->greenlet = NULL;
    main->has_root = false;
    main->task->engine = NULL;
    main->task = NULL;
    main->ts = NULL;
    py_belongs_to(main, NULL);
}

/* What came while the last of its tasklets ended. */
static void empty(struct py_thread *p)
{
    py_tasklet *t;

    while ((t = p->inbox) != NULL) {
        take_out(p, NULL, t);
        t->lost = false;
        Py_DECREF(t);
    }
}

/* The state that the last of its tasklets has ended in; main is there still, for what dies with it runs code. */
static void give_state_back(py_tasklet *nobody)
{
    for (int i = 0; i < PY_KILL_ROUNDS && nobody->ts != NULL; i++) {
        PyThreadState *ts = nobody->ts;

        nobody->ts = NULL;
        py_state_put(ts);
    }
}

static void on_end(PyObject *capsule)
{
    struct py_thread *p = PyCapsule_GetPointer(capsule, "coop.thread");
    PyObject *type, *value, *traceback;

    if (p != py_thread)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    p->ending = true;
    py_take_in(); /* those are its, too */
    py_task_finish();
    give_state_back(p->nobody);
    leave_alone();
    leave_main(p->main);
    remove_thread(p);
    give_wake_back(p);
    p->ended = true; /* tasklets that have ended know it still */
    empty(p);
    Py_DECREF(p->main);
    Py_DECREF(p->nobody);
    py_thread = NULL;
    sched->on_idle = NULL;
    sched->on_interrupt = NULL;
    if (sched->alive == 0)
        (void)coop_finish();
    py_thread_put(p);
    PyErr_Restore(type, value, traceback);
}

/* The process's first thread ends with the interpreter: py_task_finish(). The others' states are cleared when they end. */
int py_thread_at_end(void)
{
    PyObject *dict = PyThreadState_GetDict(), *capsule;
    int rc;

    if (threads->next == NULL)
        return 0;
    capsule = PyCapsule_New(threads, "coop.thread", on_end);
    rc = capsule != NULL && dict != NULL ? PyDict_SetItemString(dict, "coop.thread", capsule) : -1;
    Py_XDECREF(capsule);
    return rc;
}
