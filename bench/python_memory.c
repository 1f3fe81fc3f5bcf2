/* python_memory.c - bench_python: what tasklets take of memory in a sealed job, beside asyncio in one, and Debian's greenlet. */
#include <stdio.h>

#include "bench/bench_python.h"

enum { ROUNDS = 3, ALIVE = 100000 };

/* An operation of bench/python/memory.py, in a process of its own. */
static const struct operation {
    const char *line, *what;
    enum py_ask kind;
    double ask;
} operations[] = {
    {"idle 4000",         "idle: one of 4,000 that wait, at most",          PY_AT_MOST, 9  },
    { "hibernated 50000", "hibernated: one of 50,000, at most",             PY_AT_MOST, 2.5},
    { "many 100000",      "one of 100,000 that wait, as they are, at most", PY_NO_ASK,  0  },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static double sealed(const char *line)
{
    static const char *const modules[] = { "serve.py", NULL };
    struct py_answerer job;
    double value;

    if (!py_answerer_limited(&job, "cpu=10m,wall=20m,memory=2G,tasklets=200000", "memory.py", modules))
        host_die("memory.py", -5);
    value = py_ask(&job, line);
    py_answerer_end(&job);
    return value;
}

static double plain(const char *line)
{
    struct py_answerer python;
    double value;

    if (!py_answerer_plain(&python, "memory.py", NULL))
        host_die("memory.py", -5);
    value = py_ask(&python, line);
    py_answerer_end(&python);
    return value;
}

static void show_peers(double ours)
{
    struct py_samples asyncio = { .n = 0 }, greenlet = { .n = 0 };
    bool there = py_has_greenlet();

    for (int i = 0; i < ROUNDS; i++) {
        py_add(&asyncio, plain("asyncio 4000"));
        if (there)
            py_add(&greenlet, plain("greenlet 4000"));
    }
    py_peer("a task of asyncio's that waits for a future, python3", py_median(&asyncio), "KiB", ours);
    if (there)
        py_peer("a greenlet that has switched away, python3", py_median(&greenlet), "KiB", ours);
    else
        py_none("greenlet", PY_NO_GREENLET);
}

void py_memory_rows(void)
{
    struct py_samples values[OPERATIONS] = { 0 };

    py_begin("2");
    for (int i = 0; i < ROUNDS; i++)
        for (int o = 0; o < OPERATIONS; o++)
            py_add(&values[o], sealed(operations[o].line));
    for (int o = 0; o < OPERATIONS; o++) {
        const struct operation *op = &operations[o];

        py_row(op->what, py_median(&values[o]), "KiB", op->kind, op->ask);
        if (o == 0)
            show_peers(py_median(&values[o]));
    }
    py_row("alive at once in one job, each with its turns", sealed("alive 100000"), "", PY_AT_LEAST, ALIVE);
    host_broker_stop();
}
