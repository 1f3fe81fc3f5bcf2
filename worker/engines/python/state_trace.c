/* state_trace.c - see state.h: tracers of thread states, and one of ours that counts instructions. CPython 3.11. */
#include "worker/engines/python/state.h"

#define Py_BUILD_CORE 1
#include <internal/pycore_frame.h>

static __thread struct {
    py_count_fn fn;
    Py_tracefunc own; /* of the state that is traced */
} count;

static int on_event(PyObject *object, PyFrameObject *frame, int what, PyObject *arg)
{
    if (what == PyTrace_CALL)
        frame->f_trace_opcodes = 1;
    if (what == PyTrace_OPCODE)
        return count.fn != NULL ? count.fn() : 0;
    return count.own != NULL ? count.own(object, frame, what, arg) : 0;
}

static void set_tracer(PyThreadState *ts, Py_tracefunc f)
{
    ts->c_tracefunc = f;
    if (ts->tracing == 0)
        ts->cframe->use_tracing = f != NULL || ts->c_profilefunc != NULL ? 255 : 0;
}

PyObject *py_state_tracers(const PyThreadState *ts)
{
    return PyTuple_Pack(2, ts->c_traceobj != NULL ? ts->c_traceobj : Py_None, ts->c_profileobj != NULL ? ts->c_profileobj : Py_None);
}

/* The state's own tracer and its object stay what they are for those who ask. In the middle of a switch: nothing is collected, for that runs code. */
int py_state_count(PyThreadState *ts, py_count_fn fn)
{
    int collects = PyGC_Disable();
    PyFrameObject *f = PyThreadState_GetFrame(ts);

    while (f != NULL) {
        PyFrameObject *back = PyFrame_GetBack(f);

        f->f_trace_opcodes = 1;
        Py_DECREF(f);
        f = back;
    }
    if (collects)
        (void)PyGC_Enable();
    count.fn = fn;
    count.own = ts->c_tracefunc == on_event ? NULL : ts->c_tracefunc;
    set_tracer(ts, on_event);
    return 0;
}

bool py_state_counts(const PyThreadState *ts)
{
    return ts->c_tracefunc == on_event;
}

void py_state_count_off(PyThreadState *ts)
{
    if (ts->c_tracefunc == on_event)
        set_tracer(ts, count.own);
    count.own = NULL;
    count.fn = NULL;
}

/* As sys.settrace() has left it, whoever counts. */
static Py_tracefunc own_tracer(const PyThreadState *ts)
{
    return ts->c_tracefunc == on_event ? count.own : ts->c_tracefunc;
}

void py_state_share_tracing(PyThreadState *from, PyThreadState *to)
{
    Py_tracefunc tracer = own_tracer(from);

    if (to == NULL || (tracer == to->c_tracefunc && from->c_traceobj == to->c_traceobj && from->c_profilefunc == to->c_profilefunc &&
                       from->c_profileobj == to->c_profileobj))
        return;
    to->c_tracefunc = tracer;
    to->c_profilefunc = from->c_profilefunc;
    Py_XSETREF(to->c_traceobj, Py_XNewRef(from->c_traceobj));
    Py_XSETREF(to->c_profileobj, Py_XNewRef(from->c_profileobj));
    if (to->tracing == 0)
        to->cframe->use_tracing = to->c_tracefunc != NULL || to->c_profilefunc != NULL ? 255 : 0;
}
