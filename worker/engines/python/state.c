/* state.c - see state.h. CPython 3.11. */
#include "worker/engines/python/state.h"

#define Py_BUILD_CORE 1
#include <frameobject.h>
#include <internal/pycore_ceval.h>
#include <internal/pycore_context.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_hamt.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_runtime.h>
#include <pthread.h>

enum { POOL_MAX = 4096 };

static struct {
    PyThreadState *states[POOL_MAX];
    size_t n;
} pool;

static PyInterpreterState *interp;

int py_state_open(void)
{
    if (interp != NULL)
        return 0;
    if (py_state_frames_open() != 0 || py_state_guards_open() != 0)
        return -1;
    interp = PyInterpreterState_Get();
    py_state_chunks_open();
    return 0;
}

/* ---- current ------------------------------------------------------------------------------------------------------------------- */

void py_state_enter(PyThreadState *ts)
{
    _Py_atomic_store_relaxed(&_PyRuntime.gilstate.tstate_current, (uintptr_t)ts);
    (void)pthread_setspecific(_PyRuntime.gilstate.autoTSSkey._key, ts);
}

PyThreadState *py_state_current(void)
{
    return (PyThreadState *)_Py_atomic_load_relaxed(&_PyRuntime.gilstate.tstate_current);
}

/* As PyGILState_GetThisThreadState(), which is not said to be async-signal-safe. */
PyThreadState *py_state_own(void)
{
    return pthread_getspecific(_PyRuntime.gilstate.autoTSSkey._key);
}

bool py_state_signalled(void)
{
    return _Py_atomic_load_relaxed(&_PyRuntime.ceval.signals_pending) != 0;
}

/* ---- away ---------------------------------------------------------------------------------------------------------------------- */

/*
 * Frames lie in chunks of their own. One word of a C stack is asked for by those that look at other states' frames (sys._current_frames(), a tasklet's
 * frame, faulthandler): cframe, which the evaluator has there. The outermost one, which is the state's own and whose frame is NULL, takes its place.
 */
void *py_state_away(PyThreadState *ts)
{
    _PyCFrame *on_stack = ts->cframe;

    if (on_stack == &ts->root_cframe)
        return NULL;
    ts->root_cframe.current_frame = on_stack->current_frame;
    ts->root_cframe.use_tracing = on_stack->use_tracing;
    ts->cframe = &ts->root_cframe;
    return on_stack;
}

/* It may be traced since, or not any more. */
void py_state_back(PyThreadState *ts, void *away)
{
    _PyCFrame *on_stack = away;

    if (on_stack == NULL)
        return;
    on_stack->use_tracing = ts->root_cframe.use_tracing;
    ts->root_cframe.current_frame = NULL;
    ts->cframe = on_stack;
}

/* ---- pool ---------------------------------------------------------------------------------------------------------------------- */

/* Everything a tasklet has left in it. Destructors run code, which may leave something more. */
static void empty(PyThreadState *ts)
{
    ts->c_profilefunc = ts->c_tracefunc = NULL;
    ts->cframe->use_tracing = 0;
    Py_CLEAR(ts->c_profileobj);
    Py_CLEAR(ts->c_traceobj);
    Py_CLEAR(ts->exc_state.exc_value);
    Py_CLEAR(ts->async_exc);
    Py_CLEAR(ts->async_gen_firstiter);
    Py_CLEAR(ts->async_gen_finalizer);
    py_state_set_context(ts, NULL);
    Py_CLEAR(ts->dict);
    Py_CLEAR(ts->curexc_type);
    Py_CLEAR(ts->curexc_value);
    Py_CLEAR(ts->curexc_traceback);
}

static bool is_empty(const PyThreadState *ts)
{
    return ts->dict == NULL && ts->context == NULL && ts->curexc_type == NULL && ts->c_traceobj == NULL && ts->c_profileobj == NULL &&
           ts->async_exc == NULL && ts->exc_state.exc_value == NULL && ts->async_gen_firstiter == NULL && ts->async_gen_finalizer == NULL;
}

static void make_new(PyThreadState *ts)
{
    ts->id = interp->threads.next_unique_id++; /* contexts and asyncio remember a state by it */
    ts->thread_id = (unsigned long)(uintptr_t)ts;
    ts->recursion_limit = ts->recursion_remaining = interp->ceval.recursion_limit;
    ts->recursion_headroom = 0;
    ts->tracing = 0;
    ts->gilstate_counter = 1;
    ts->trash_delete_nesting = 0;
    ts->coroutine_origin_tracking_depth = 0;
}

/* CPython 3.11 does not look whether it has got the memory. Of a size that malloc() gives back to all others. */
static bool has_room(void)
{
    void *probe = PyMem_RawMalloc(8 * sizeof(PyThreadState));

    PyMem_RawFree(probe);
    return probe != NULL;
}

PyThreadState *py_state_get(void)
{
    PyThreadState *ts;

    if (pool.n == 0) {
        ts = has_room() ? PyThreadState_New(interp) : NULL;
        if (ts != NULL && py_state_give_chunk(ts) != 0) {
            PyThreadState_Delete(ts);
            return NULL;
        }
        if (ts != NULL)
            make_new(ts);
        return ts;
    }
    ts = pool.states[--pool.n];
    make_new(ts);
    return ts;
}

void py_state_clear(PyThreadState *ts)
{
    for (int i = 0; i < 10 && !is_empty(ts); i++)
        empty(ts);
}

void py_state_put(PyThreadState *ts)
{
    py_state_clear(ts);
    if (pool.n < POOL_MAX) {
        pool.states[pool.n++] = ts;
        return;
    }
    PyThreadState_Clear(ts);
    PyThreadState_Delete(ts);
}

/* ---- a fork -------------------------------------------------------------------------------------------------------------------- */

static bool is_tasklets(const PyThreadState *ts)
{
    return ts->thread_id == (unsigned long)(uintptr_t)ts;
}

static void unlink_state(PyThreadState *ts)
{
    if (ts->prev != NULL)
        ts->prev->next = ts->next;
    else
        interp->threads.head = ts->next;
    if (ts->next != NULL)
        ts->next->prev = ts->prev;
}

/* CPython deletes all states but the current one: those of threads, which are not there any more. Tasklets are, and the pool is. */
void py_state_forked(void)
{
    PyThreadState *ours = NULL, *next, *me = py_state_current();

    for (PyThreadState *ts = interp != NULL ? interp->threads.head : NULL; ts != NULL; ts = next) {
        next = ts->next;
        if (ts == me || !is_tasklets(ts))
            continue;
        unlink_state(ts);
        ts->next = ours;
        ours = ts;
    }
    PyOS_AfterFork_Child();
    for (; ours != NULL; ours = next) {
        next = ours->next;
        ours->prev = NULL;
        ours->next = interp->threads.head;
        interp->threads.head->prev = ours;
        interp->threads.head = ours;
    }
}

/* ---- contexts ------------------------------------------------------------------------------------------------------------------ */

PyObject *py_state_copy_context(void)
{
    const PyThreadState *ts = py_state_current();
    const PyContext *c = (PyContext *)ts->context;

    if (c == NULL || c->ctx_vars == NULL || c->ctx_vars->h_count == 0)
        return NULL;
    return PyContext_CopyCurrent();
}

/* As greenlet does it, without entering it: it may be somebody else's too. */
void py_state_set_context(PyThreadState *ts, PyObject *context)
{
    PyObject *old = ts->context;

    ts->context = Py_XNewRef(context);
    ts->context_ver++;
    Py_XDECREF(old);
}

PyObject *py_state_context(const PyThreadState *ts)
{
    return ts->context;
}

bool py_state_context_entered(const PyThreadState *ts)
{
    return ts->context != NULL && ((const PyContext *)ts->context)->ctx_entered;
}

/* ---- frames -------------------------------------------------------------------------------------------------------------------- */

int py_state_depth(const PyThreadState *ts)
{
    int n = 0;

    for (const _PyInterpreterFrame *f = ts->cframe->current_frame; f != NULL; f = f->previous)
        n++;
    return n;
}

int py_state_nesting(const PyThreadState *ts)
{
    int n = 0;

    for (const _PyInterpreterFrame *f = ts->cframe->current_frame; f != NULL; f = f->previous)
        n += f->is_entry;
    return n > 0 ? n - 1 : 0;
}

void *py_state_hide_frames(PyThreadState *ts)
{
    void *frames = ts->cframe->current_frame;

    ts->cframe->current_frame = NULL;
    return frames;
}

void py_state_show_frames(PyThreadState *ts, void *frames)
{
    ts->cframe->current_frame = frames;
}

/* ---- recursion ----------------------------------------------------------------------------------------------------------------- */

/* Its depth is the interpreter's limit now, which CPython looks up again only for those below it. */
void py_state_no_deeper(PyThreadState *ts)
{
    if (ts->recursion_remaining <= 0)
        return;
    ts->recursion_limit = ts->interp->ceval.recursion_limit;
    ts->recursion_remaining = 0;
}

void py_state_raise_soon(PyThreadState *ts, PyObject *exception_class)
{
    PyObject *old = ts->async_exc;

    ts->async_exc = Py_XNewRef(exception_class);
    Py_XDECREF(old);
    _PyEval_SignalAsyncExc(interp);
}

void py_state_refinalize(PyObject *o)
{
    _Py_AS_GC(o)->_gc_prev &= ~_PyGC_PREV_MASK_FINALIZED;
}

void py_state_no_finalizer(PyObject *o)
{
    _PyGC_SET_FINALIZED(o);
}

long py_state_threads(void)
{
    return interp->threads.count;
}

/* Tasklets' are known by make_new()'s identity; the first thread is not counted, and ends with the process. No code runs while the list is looked through. */
static PyThreadState *find_without(PyObject *name)
{
    PyThreadState *ts = PyInterpreterState_ThreadHead(interp);

    while (ts != NULL && (ts->thread_id == _PyRuntime.main_thread || ts->thread_id == (unsigned long)(uintptr_t)ts ||
                          (ts->dict != NULL && PyDict_GetItemWithError(ts->dict, name) != NULL)))
        ts = PyThreadState_Next(ts);
    return ts;
}

int py_state_mark_threads(PyObject *name, PyObject *(*make)(void))
{
    PyThreadState *ts;

    while ((ts = find_without(name)) != NULL) {
        PyObject *mark = make();
        int rc = -1;

        if (ts->dict == NULL)
            ts->dict = PyDict_New();
        if (mark != NULL && ts->dict != NULL)
            rc = PyDict_SetItem(ts->dict, name, mark);
        Py_XDECREF(mark);
        if (rc != 0)
            return -1;
    }
    return 0;
}
