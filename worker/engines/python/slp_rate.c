/*
 * slp_rate.c - see task.h: how long so many instructions take, for counts that are too large to be counted one by one.
 *
 * The measure is an empty loop, which CPython is fastest at, timed once. So a count is never less time than that many instructions need at best.
 */
#include <time.h>

#include "worker/engines/python/task.h"

enum { ROUNDS = 30000, EACH = 3, LEAST = 20, MOST = 2000 }; /* instructions of a round; instructions in a microsecond that are believed */

int64_t py_cpu_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * (int64_t)1000000 + now.tv_nsec / 1000;
}

static PyObject *make_loop(void)
{
    static const char source[] = "def loop(n):\n    for _ in range(n): pass\n";
    PyObject *globals = PyDict_New(), *done = NULL, *loop = NULL;

    if (globals != NULL && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0)
        done = PyRun_String(source, Py_file_input, globals, globals);
    if (done != NULL)
        loop = Py_XNewRef(PyDict_GetItemString(globals, "loop"));
    Py_XDECREF(done);
    Py_XDECREF(globals);
    return loop;
}

/* Instructions in a microsecond. Nobody else has a turn meanwhile. */
static long measure(void)
{
    PyObject *loop = make_loop(), *done = NULL;
    bool before = coop_atomic(true);
    int64_t us = -py_cpu_us();

    if (loop != NULL)
        done = PyObject_CallFunction(loop, "i", ROUNDS);
    us += py_cpu_us();
    coop_atomic(before);
    PyErr_Clear();
    Py_XDECREF(done);
    Py_XDECREF(loop);
    us = ROUNDS * EACH / (us > 0 ? us : 1);
    return us < LEAST ? LEAST : us > MOST ? MOST : (long)us;
}

int64_t py_time_of(long instructions)
{
    static long rate;

    if (rate == 0)
        rate = measure();
    return instructions / rate + 1;
}
