/*
 * interp.c - see interp.h and worker/engine.h.
 *
 * Interrupt: is a signal of Python's own, SIGINT, whose handler comes at the next instruction that looks for signals, and again at the next after that, until
 *            the call has ended: struck.c.
 * Errors:    what goes wrong in here while an error is told of leaves its type, and no more.
 */
#include "worker/engines/python/interp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call_errors.h"
#include "worker/engines/python/asking.h"
#include "worker/engines/python/calls.h"
#include "worker/engines/python/heap.h"
#include "worker/engines/python/reserve.h"
#include "worker/engines/python/task.h"
#include "worker/engines/python/value.h"
#include "worker/engines/python/waits.h"
#include "worker/interp.h"

static PyObject *lib, *refused; /* lib/interp.py, and its class */

/* A function of lib/interp.py; takes the arguments. */
static PyObject *ask_lib(const char *function, PyObject *args)
{
    PyObject *f = args != NULL ? PyObject_GetAttrString(lib, function) : NULL, *result = f != NULL ? PyObject_CallObject(f, args) : NULL;

    Py_XDECREF(f);
    Py_XDECREF(args);
    return result;
}

/* ---- interrupts ------------------------------------------------------------------------------------------------------------------------ */

/* From a signal handler. */
static void interrupt(void)
{
    PyErr_SetInterrupt();
    if (sched != NULL)
        sched_interrupt(sched);
}

/* The handler of SIGINT. A job's cancel is raised once; what is left of an interrupt when its call is over is nobody's. */
static PyObject *on_interrupt(PyObject *self, PyObject *args)
{
    (void)self;
    (void)args;
    if (python_job.interpreter)
        return interp_interrupted() ? py_interrupt_call() : Py_NewRef(Py_None);
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    return NULL;
}

int python_interp_add(PyObject *module)
{
    static PyMethodDef functions[] = {
        {"on_interrupt", on_interrupt, METH_VARARGS, NULL},
        { NULL,          NULL,         0,            NULL}
    };

    return PyModule_AddFunctions(module, functions);
}

/* ---- what comes of a call ---------------------------------------------------------------------------------------------------------------- */

/* The exception that is set, normalized, with its traceback; it is cleared. NULL: there is none. */
static PyObject *take_exception(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL)
        return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        (void)PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return value;
}

/* Three texts into places of these sizes. */
struct texts {
    char *type, *message, *traceback;
    size_t type_size, message_size, traceback_size;
};

static void copy(char *into, size_t size, PyObject *text)
{
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");

    if (bytes != NULL)
        outcome_text(into, size, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_XDECREF(bytes);
    PyErr_Clear();
}

static void describe(PyObject *error, const struct texts *t)
{
    PyObject *report = ask_lib("report", PyTuple_Pack(1, error)), *type, *message, *traceback;

    if (report != NULL && PyArg_ParseTuple(report, "UUU", &type, &message, &traceback)) {
        copy(t->type, t->type_size, type);
        copy(t->message, t->message_size, message);
        copy(t->traceback, t->traceback_size, traceback);
    } else {
        PyErr_Clear();
        outcome_text(t->type, t->type_size, Py_TYPE(error)->tp_name, strlen(Py_TYPE(error)->tp_name));
    }
    Py_XDECREF(report);
}

static void failed(PyObject *error, struct call_outcome *o)
{
    const struct texts t = { o->type, o->message, o->traceback, sizeof(o->type), sizeof(o->message), sizeof(o->traceback) };

    o->failure = PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED;
    describe(error, &t);
}

/* One of ours, before the tenant's code had its turn: Refused(name, message). */
static void refused_as(PyObject *error, struct call_outcome *o)
{
    PyObject *args = PyObject_GetAttrString(error, "args");
    const char *name, *message;

    o->failure = PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST;
    if (args != NULL && PyArg_ParseTuple(args, "ss", &name, &message)) {
        o->failure = call_error_find(name);
        outcome_text(o->message, sizeof(o->message), message, strlen(message));
    }
    PyErr_Clear();
    Py_XDECREF(args);
}

static void report_exception(struct call_outcome *o)
{
    PyObject *error = take_exception();

    if (error == NULL)
        o->failure = PB__CALL_ERROR__CALL_ERROR_INTERNAL;
    else if (Py_IS_TYPE(error, (PyTypeObject *)refused))
        refused_as(error, o);
    else
        failed(error, o);
    Py_XDECREF(error);
}

static void unshareable(const struct packed_error *e, struct call_outcome *o)
{
    o->failure = e->error;
    memcpy(o->path, e->path, sizeof(o->path));
    outcome_text(o->message, sizeof(o->message), e->message, strlen(e->message));
}

/* any: what is of a type that cannot be sent is None, too. */
static void keep_value(PyObject *value, bool any, struct call_outcome *o)
{
    struct packed_error e;
    int rc = python_value_pack(value, "result", &o->value, &e);

    if (rc == 0)
        rc = python_packed_move(&o->value, "result", &e);
    if (rc == 0)
        return;
    packed_finish(&o->value);
    if (rc != -1 && rc != -EBADMSG) { /* cancelled, as an interrupt does it */
        e = (struct packed_error){ .error = PB__CALL_ERROR__CALL_ERROR_TEMPORARY };
        snprintf(e.message, sizeof(e.message), "%s", strerror(-rc));
    }
    if (!any || e.error != PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE)
        unshareable(&e, o);
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------------------- */

/* (function, arguments, keywords, whether its value may be one that cannot be sent) */
static PyObject *find(const Pb__Call *c)
{
    PyObject *args;

    switch (c->kind) {
    case PB__CALL_KIND__CALL_KIND_EXEC:
        return ask_lib("find_exec", Py_BuildValue("(y#s)", c->source.data != NULL ? (const char *)c->source.data : "",
                                                  (Py_ssize_t)c->source.len, c->source_name));
    case PB__CALL_KIND__CALL_KIND_CALL:
        args = python_value_make(c->args);
        return args != NULL ? ask_lib("find_call", Py_BuildValue("(sN)", c->function, args)) : NULL;
    case PB__CALL_KIND__CALL_KIND_PREPARE:
        args = python_value_make(c->args);
        return args != NULL ? ask_lib("find_prepare", Py_BuildValue("(N)", args)) : NULL;
    default: return PyErr_Format(refused, "%s", "no such call");
    }
}

/* The tenant's code. Its value, or NULL with an exception. */
static PyObject *run(PyObject *found, bool *ret_any)
{
    PyObject *function, *args, *kwargs;
    int any;

    if (!PyArg_ParseTuple(found, "OO!O!p", &function, &PyTuple_Type, &args, &PyDict_Type, &kwargs, &any))
        return NULL;
    *ret_any = any != 0;
    return PyObject_Call(function, args, kwargs);
}

static void flush(void)
{
    PyObject *done = ask_lib("flush", PyTuple_New(0));

    Py_XDECREF(done);
    PyErr_Clear();
}

static void interp_call(const Pb__Call *c, struct call_outcome *o)
{
    bool any = false;
    PyObject *found, *value;

    py_call_begins();
    found = find(c);
    value = found != NULL ? run(found, &any) : NULL;
    if (value != NULL)
        keep_value(value, any, o);
    else
        report_exception(o);
    Py_XDECREF(value);
    Py_XDECREF(found);
    flush();
    (void)interp_call_is_over();
    py_call_ends();
    if (o->failure == PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED && strcmp(o->type, "MemoryError") == 0)
        (void)PyGC_Collect();
    PyErr_Clear();
}

/* ---- the interpreter's own begin and end ---------------------------------------------------------------------------------------------------- */

/* The error with which its source has ended; sys.exit() is an end, too. */
static void ended_by(PyObject *error, struct outcome *o)
{
    const struct texts t = { o->type, o->message, o->traceback, sizeof(o->type), sizeof(o->message), sizeof(o->traceback) };
    PyObject *said;

    if (PyErr_GivenExceptionMatches(error, PyExc_SystemExit)) {
        said = ask_lib("exit_code", PyTuple_Pack(1, error));
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
        o->exit_code = said != NULL ? (int)(PyLong_AsLong(said) & 0xff) : 1;
    } else {
        said = ask_lib("say", PyTuple_Pack(1, error));
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
        describe(error, &t);
    }
    Py_XDECREF(said);
    PyErr_Clear();
}

/* What a tasklet has died of that nobody calls for. */
static void say_error(void)
{
    PyObject *error = take_exception(), *done = error != NULL ? ask_lib("say", PyTuple_Pack(1, error)) : NULL;

    Py_XDECREF(error);
    Py_XDECREF(done);
    PyErr_Clear();
}

static PyObject *begin(const Pb__JobSpec *spec)
{
    const char *source = spec->source.data != NULL ? (const char *)spec->source.data : "";
    PyObject *args = python_job_args(spec), *env = python_job_env(spec), *modules = python_job_modules(spec), *begun = NULL, *found,
             *value = NULL;
    bool any;

    if (args != NULL && env != NULL && modules != NULL)
        begun = ask_lib("begin", Py_BuildValue("(sy#OOO)", spec->source_name, source, (Py_ssize_t)spec->source.len, args, env, modules));
    Py_XDECREF(args);
    Py_XDECREF(env);
    Py_XDECREF(modules);
    if (begun == NULL || spec->source.len == 0)
        return begun;
    Py_DECREF(begun);
    found = ask_lib("find_exec", Py_BuildValue("(y#s)", source, (Py_ssize_t)spec->source.len, spec->source_name));
    if (found != NULL)
        value = run(found, &any);
    Py_XDECREF(found);
    return value;
}

static bool interp_begin(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    PyObject *done, *error;

    python_job.interpreter = true;
    py_late_error = say_error;
    python_job.spec = spec;
    py_limit_tasklets(spec->limits != NULL ? spec->limits->tasklets : 0, spec->limits != NULL ? spec->limits->memory_bytes : 0);
    python_heap_limit(spec->limits != NULL ? spec->limits->memory_bytes : 0);
    python_reserve_main();
    done = begin(spec);
    error = done == NULL ? take_exception() : NULL;
    if (error != NULL)
        ended_by(error, ret_o);
    flush();
    Py_XDECREF(error);
    Py_XDECREF(done);
    return done != NULL;
}

static void interp_close(struct outcome *ret_o)
{
    PyObject *done = ask_lib("finish", PyTuple_New(0));

    (void)ret_o;
    if (done == NULL)
        PyErr_Print();
    Py_XDECREF(done);
    flush();
}

/* Between calls: threads that those have left go on. A tasklet of another thread's that waits keeps the link: then so does it. */
static void interp_rests(bool rests)
{
    static struct python_wait w;
    static int begun;

    if (rests)
        begun = python_rest_begins(&w);
    else if (begun >= 0)
        python_wait_ends(&w);
    if (rests && begun < 0)
        PyErr_Clear();
}

/* What was thrown at main between two calls. */
static void interp_woken(void)
{
    PyObject *value = py_thread != NULL ? py_came_back(py_current(), 0) : NULL;

    Py_XDECREF(value);
    say_error();
}

int python_interp_prepare(void)
{
    PyObject *modules = python_lib_load("_coop_built_in"), *done = NULL;

    lib = modules != NULL ? python_lib_load("_coop_interp") : NULL;
    refused = lib != NULL ? PyObject_GetAttrString(lib, "Refused") : NULL;
    if (refused != NULL)
        done = PyObject_CallMethod(modules, "prepare", NULL);
    Py_XDECREF(modules);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

/* clang-format off */
const struct interp_engine python_interp = {
    .begin = interp_begin,
    .call = interp_call,
    .interrupt = interrupt,
    .woken = interp_woken,
    .rests = interp_rests,
    .close = interp_close,
};
/* clang-format on */
