/* engine.c - see engine.h: one interpreter, made once, forked for each job. */
#include "worker/engines/python/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "worker/engines/python/answer.h"
#include "worker/engines/python/builtin.h"
#include "worker/engines/python/calls.h"
#include "worker/engines/python/files.h"
#include "worker/engines/python/handle.h"
#include "worker/engines/python/heap.h"
#include "worker/engines/python/image.h"
#include "worker/engines/python/interp.h"
#include "worker/engines/python/job.h"
#include "worker/engines/python/loop.h"
#include "worker/engines/python/reserve.h"
#include "worker/engines/python/stack.h"
#include "worker/engines/python/task.h"
#include "worker/engines/python/threads.h"
#include "worker/serve.h"

struct python_job python_job;

PyObject *python_lib_call(const char *function, const char *format, ...)
{
    PyObject *f = PyObject_GetAttrString(python_job.lib, function), *args = NULL, *result = NULL;
    va_list list;

    if (f == NULL)
        return NULL;
    va_start(list, format);
    args = format != NULL ? Py_VaBuildValue(format, list) : PyTuple_New(0);
    va_end(list);
    if (args != NULL && !PyTuple_Check(args)) {
        PyObject *one = args;

        args = PyTuple_Pack(1, one);
        Py_DECREF(one);
    }
    if (args != NULL)
        result = PyObject_CallObject(f, args);
    Py_XDECREF(args);
    Py_DECREF(f);
    return result;
}

/* ---- in the zygote --------------------------------------------------------------------------------------------------------------- */

/* os._exit(): nothing of Python's runs any more, but what was printed is not lost. */
static PyObject *finish(PyObject *self, PyObject *code)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXIT };
    long n = PyLong_AsLong(code);

    (void)self;
    if (n == -1 && PyErr_Occurred() != NULL)
        return NULL;
    o.exit_code = (int)(n & 0xff);
    serve_finish(&o);
}

static PyObject *threads_max(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    return PyLong_FromUnsignedLong(python_threads_max());
}

/* How many tasklets, and greenlets, beside the main one stand on a stack. */
static PyObject *tasklets_begun(PyObject *self, PyObject *none)
{
    long n = 0;

    (void)self;
    (void)none;
    for (const coop_task *t = sched != NULL ? sched->all : NULL; t != NULL; t = t->all_next)
        n += t->id != 0 && t->state != TASK_ENDED;
    return PyLong_FromLong(n);
}

static PyObject *thread_ends(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    python_thread_ends();
    Py_RETURN_NONE;
}

/* What traces the script does not trace, or break, what says how it ended. */
static void trace_no_more(void)
{
    PyObject *type, *value, *traceback;

    PyErr_Fetch(&type, &value, &traceback);
    PyEval_SetTrace(NULL, NULL);
    PyEval_SetProfile(NULL, NULL);
    PyErr_Restore(type, value, traceback);
}

/* exec(code, globals) with no frame above it, so that a script that looks up its stack sees itself alone. */
static PyObject *execute_alone(PyObject *self, PyObject *args)
{
    PyThreadState *ts = PyThreadState_Get();
    PyObject *code, *globals, *result;
    void *above;

    (void)self;
    if (!PyArg_ParseTuple(args, "O!O!", &PyCode_Type, &code, &PyDict_Type, &globals))
        return NULL;
    above = py_state_hide_frames(ts);
    result = PyEval_EvalCode(code, globals, globals);
    trace_no_more();
    py_state_show_frames(ts, above);
    return result;
}

static PyMethodDef internal[] = {
    {"finish",          finish,         METH_O,       NULL},
    { "execute_alone",  execute_alone,  METH_VARARGS, NULL},
    { "threads_max",    threads_max,    METH_NOARGS,  NULL},
    { "thread_ends",    thread_ends,    METH_NOARGS,  NULL},
    { "tasklets_begun", tasklets_begun, METH_NOARGS,  NULL},
    { NULL,             NULL,           0,            NULL}
};

static PyObject *make_internal(void)
{
    static struct PyModuleDef definition = { PyModuleDef_HEAD_INIT, .m_name = "_coop", .m_size = -1, .m_methods = internal };
    PyObject *module = PyModule_Create(&definition);

    if (module == NULL || python_streams_add(module) != 0 || python_image_add(module) != 0 || python_calls_add(module) != 0 ||
        python_interp_add(module) != 0)
        return NULL;
    return PyDict_SetItemString(PyImport_GetModuleDict(), "_coop", module) == 0 ? module : NULL;
}

static int prepare(bool packages)
{
    PyObject *done = NULL, *ready = NULL;
    int rc = python_threads_prepare();

    if (rc == 0)
        rc = python_stack_measure();
    if (rc != 0)
        return rc;
    python_job.main = PyThreadState_Get();
    if (python_builtins_add() == 0 && make_internal() != NULL && python_lib_load("_coop_finder") != NULL &&
        python_lib_load("_coop_refused") != NULL && python_lib_load("_coop_ahead") != NULL)
        python_job.lib = python_lib_load("_coop_run");
    if (python_job.lib != NULL)
        done = python_lib_call("prepare", "(O)", packages ? Py_True : Py_False);
    if (done != NULL && python_interp_prepare() == 0 && py_loop_prepare() == 0 && py_preempt_open() == 0)
        ready = python_lib_call("prepared", NULL);
    if (ready == NULL) {
        PyErr_Print();
        return -EIO;
    }
    Py_DECREF(ready);
    Py_DECREF(done);
    python_heap_sealed_soon();
    return 0;
}

static int python_prepare(void)
{
    return prepare(false);
}

static int python_prepare_packages(void)
{
    return prepare(true);
}

/* ---- before the job ---------------------------------------------------------------------------------------------------------------- */

/*
 * The zygote's fork is none of Python's own. The frames of the few words that loaded us are left behind: nothing returns into them, and a tenant's
 * frames have none above them.
 */
static int python_open(unsigned threads)
{
    PyObject *done;
    int rc;

    PyOS_AfterFork_Child();
    done = python_lib_call("after_fork", NULL);
    if (done == NULL)
        return -EIO;
    Py_DECREF(done);
    (void)py_state_hide_frames(python_job.main);
    py_stack_closes(true);
    rc = py_threads_sleep_on(threads);
    return rc == 0 ? python_threads_open(threads) : rc;
}

/* ---- the job --------------------------------------------------------------------------------------------------------------------- */

PyObject *python_job_args(const Pb__JobSpec *spec)
{
    PyObject *list = PyList_New((Py_ssize_t)spec->n_args);

    for (size_t i = 0; list != NULL && i < spec->n_args; i++) {
        PyObject *text = PyUnicode_DecodeFSDefaultAndSize((const char *)spec->args[i].data, (Py_ssize_t)spec->args[i].len);

        if (text == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, text);
    }
    return list;
}

PyObject *python_job_env(const Pb__JobSpec *spec)
{
    PyObject *dict = PyDict_New();

    for (size_t i = 0; dict != NULL && i < spec->n_env; i++) {
        const Pb__EnvVar *e = spec->env[i];
        PyObject *value = PyUnicode_DecodeFSDefaultAndSize((const char *)e->value.data, (Py_ssize_t)e->value.len);

        if (value == NULL || PyDict_SetItemString(dict, e->name, value) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
    }
    return dict;
}

PyObject *python_job_modules(const Pb__JobSpec *spec)
{
    PyObject *dict = PyDict_New();

    python_files_add(spec);
    for (size_t i = 0; dict != NULL && i < spec->n_modules; i++) {
        const Pb__Module *m = spec->modules[i];
        PyObject *source = PyBytes_FromStringAndSize((const char *)m->source.data, (Py_ssize_t)m->source.len);

        if (source == NULL || PyDict_SetItemString(dict, m->name, source) != 0)
            Py_CLEAR(dict);
        Py_XDECREF(source);
    }
    return dict;
}

static void by_exception(struct outcome *o)
{
    o->kind = python_job.cancelled ? PB__RESULT_KIND__RESULT_KIND_CANCELLED : PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
}

/* lib/run.py says how it ended: (exit code, type, message, traceback), the last three bytes, or None where nothing was raised. */
static int take_ending(PyObject *ending, struct outcome *o)
{
    const char *type, *message, *traceback;
    Py_ssize_t type_len, message_len, traceback_len;

    if (!PyArg_ParseTuple(ending, "iz#z#z#", &o->exit_code, &type, &type_len, &message, &message_len, &traceback, &traceback_len))
        return -1;
    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    if (type == NULL)
        return 0;
    by_exception(o);
    outcome_text(o->type, sizeof(o->type), type, (size_t)type_len);
    outcome_text(o->message, sizeof(o->message), message, (size_t)message_len);
    outcome_text(o->traceback, sizeof(o->traceback), traceback, (size_t)traceback_len);
    return 0;
}

static PyObject *call_with_spec(const char *function, const Pb__JobSpec *spec)
{
    PyObject *args = python_job_args(spec), *env = python_job_env(spec), *modules = python_job_modules(spec), *result = NULL;

    if (args != NULL && env != NULL && modules != NULL)
        result = python_lib_call(function, "(y#sOOO)", spec->source.data != NULL ? (const char *)spec->source.data : "",
                                 (Py_ssize_t)spec->source.len, spec->source_name, args, env, modules);
    Py_XDECREF(args);
    Py_XDECREF(env);
    Py_XDECREF(modules);
    return result;
}

/* The exception that is set has kept lib/run.py from saying how it ended: there is no memory, or the script took what that needs away. */
static void nothing_said(struct outcome *o)
{
    static const char no_memory[] = "no memory was left to say how it ended", broken[] = "what says how it ended was broken by the script";
    bool memory = PyErr_ExceptionMatches(PyExc_MemoryError);
    PyObject *kind = PyErr_Occurred();
    const char *type = kind != NULL && PyType_Check(kind) ? ((PyTypeObject *)kind)->tp_name : "SystemError";

    by_exception(o);
    outcome_text(o->type, sizeof(o->type), type, strlen(type));
    outcome_text(o->message, sizeof(o->message), memory ? no_memory : broken, memory ? sizeof(no_memory) - 1 : sizeof(broken) - 1);
    PyErr_Clear();
}

static void run_or_warm(const char *function, const Pb__JobSpec *spec, struct outcome *ret_o)
{
    PyObject *ending;

    python_job.spec = spec;
    py_limit_tasklets(spec->limits != NULL ? spec->limits->tasklets : 0, spec->limits != NULL ? spec->limits->memory_bytes : 0);
    python_heap_limit(spec->limits != NULL ? spec->limits->memory_bytes : 0);
    python_reserve_main();
    ending = call_with_spec(function, spec);
    if (ending != NULL && take_ending(ending, ret_o) == 0)
        return;
    Py_XDECREF(ending);
    nothing_said(ret_o);
}

static void python_run(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    run_or_warm("run", spec, ret_o);
}

static int python_warm(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    run_or_warm("warm", spec, ret_o);
    if (ret_o->kind != PB__RESULT_KIND__RESULT_KIND_EXIT || ret_o->exit_code != 0)
        return -EINVAL;
    python_job.spec = NULL;
    return 0;
}

/* In a template's child: as after any fork that Python did not make. */
static int python_forked(void)
{
    python_job.cancelled = 0;
    py_state_forked();
    py_preempt_forked();
    python_handles_forked();
    return 0;
}

/* From a signal handler. What Python's table of handlers has for SIGTERM runs: lib/signals.py's, unless the job has one of its own. */
static void python_cancel(void)
{
    python_job.cancelled = 1;
    (void)PyErr_SetInterruptEx(SIGTERM);
    if (sched != NULL) /* it sleeps, or is about to */
        sched_interrupt(sched);
}

/* Of a tasklet's stack, or of a thread's, whose end is the job's. */
static int python_fault(void *address)
{
    int rc = py_stack_fault(address);

    if (rc == 0 && python_reserve_fault(address))
        rc = 1;
    if (rc == 0)
        python_stack_fault(address);
    return rc;
}

/* clang-format off */
#define PYTHON_ENGINE \
    .version = PY_VERSION, .open = python_open, .run = python_run, .cancel = python_cancel, .warm = python_warm, .forked = python_forked, \
    .answer = python_answer, .fault = python_fault, .cancel_ends_waits = true, \
    .interp = &python_interp, .preempt = py_preempt, .slack_bytes = ENGINE_SLACK, \
    .closed_bytes = (uint64_t)16 << 30 /* stacks of 1 MiB, PY_STACKS of each thread's, and further threads' heaps; where it ends more share one */

const struct engine python_engine = { .name = "python", .prepare = python_prepare, PYTHON_ENGINE };
const struct engine python_packages_engine = { .name = "python-packages", .policy = "python", .prepare = python_prepare_packages, PYTHON_ENGINE };
/* clang-format on */
