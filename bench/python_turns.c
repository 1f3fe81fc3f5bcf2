/* python_turns.c - bench_python: what tasklets do in a sealed job, beside Debian's greenlet, and asyncio in the same job. */
#include <stdio.h>

#include "bench/bench_python.h"

enum { ROUNDS = 9 };

/* A row: the operation as bench/python/turns.py names it; the same by asyncio in the job, and by Debian's greenlet in a python3. */
static const struct operation {
    const char *name, *what;
    double ask;
    const char *asyncio, *greenlet;
} operations[] = {
    {"yield",            "yield: schedule(), two tasklets",          115, "asyncio-yield",   "greenlet-switch"},
    { "message",         "channel message, from one to another",     200, "asyncio-message", NULL             },
    { "spawn",           "spawn: made, run, gone; stacks pooled",    300, "asyncio-spawn",   "greenlet-spawn" },
    { "greenlet-switch", "greenlet.switch() by the module of a job", 0,   NULL,              "greenlet-switch"},
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static struct columns {
    struct py_samples ours, asyncio, greenlet;
} columns[OPERATIONS];

static void one_round(struct py_answerer *job, struct py_answerer *debians)
{
    for (int i = 0; i < OPERATIONS; i++) {
        const struct operation *o = &operations[i];

        py_add(&columns[i].ours, py_ask(job, o->name));
        if (o->asyncio != NULL)
            py_add(&columns[i].asyncio, py_ask(job, o->asyncio));
        if (o->greenlet != NULL && debians != NULL)
            py_add(&columns[i].greenlet, py_ask(debians, o->greenlet));
    }
}

static void show(const struct operation *o, const struct columns *c)
{
    double ours = py_median(&c->ours);

    py_row(o->what, ours, "ns", o->ask > 0 ? PY_AT_MOST : PY_NO_ASK, o->ask);
    if (c->greenlet.n > 0)
        py_peer(o->greenlet, py_median(&c->greenlet), "ns", ours);
    else if (o->greenlet != NULL)
        py_none(o->greenlet, PY_NO_GREENLET);
    if (o->asyncio != NULL)
        py_peer(o->asyncio, py_median(&c->asyncio), "ns", ours);
}

void py_turns_rows(void)
{
    static const char *const modules[] = { "serve.py", "tasklets.py", NULL };
    struct py_answerer job, debians;
    bool there = py_has_greenlet();

    py_begin("2");
    if (!py_answerer_sealed(&job, "turns.py", modules) || (there && !py_answerer_plain(&debians, "turns.py", "greenlet")))
        host_die("turns.py", -5);
    for (int i = 0; i < ROUNDS; i++)
        one_round(&job, there ? &debians : NULL);
    py_answerer_end(&job);
    if (there)
        py_answerer_end(&debians);
    host_broker_stop();
    for (int i = 0; i < OPERATIONS; i++)
        show(&operations[i], &columns[i]);
    py_none("Stackless Python", "not available: no package of Debian's, and none for 3.11");
}
