/* python_pickle.c - bench_python: a tasklet to bytes and back in a sealed job, the broker's seal included. */
#include <stdio.h>

#include "bench/bench_python.h"

enum { ROUNDS = 9, US = 50 };

/* An operation of bench/python/pickles.py: by the clock on the wall, as the broker works on it, too; and CPU time of the job's own. */
static const struct operation {
    const char *wall, *cpu, *what;
    double ask;
} operations[] = {
    {"dump-wall",         "dump-cpu",        "dump a tasklet of three frames, sealed", US},
    { "load-wall",        "load-cpu",        "load it again, its seal checked",        US},
    { "ask-wall",         "ask-cpu",         "an ask of the broker for nothing",       0 },
    { "dump-record-wall", "dump-record-cpu", "dump a dict of 300 numbers, unsealed",   0 },
    { "load-record-wall", "load-record-cpu", "load that",                              0 },
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

void py_pickle_rows(void)
{
    static const char *const modules[] = { "serve.py", "tasklets.py", NULL };
    struct py_samples wall[OPERATIONS] = { 0 }, cpu[OPERATIONS] = { 0 };
    struct py_answerer job;
    double bytes;

    py_begin("2");
    if (!py_answerer_sealed(&job, "pickles.py", modules))
        host_die("pickles.py", -5);
    bytes = py_ask(&job, "bytes");
    for (int i = 0; i < ROUNDS; i++)
        for (int o = 0; o < OPERATIONS; o++) {
            py_add(&wall[o], py_ask(&job, operations[o].wall));
            py_add(&cpu[o], py_ask(&job, operations[o].cpu));
        }
    py_answerer_end(&job);
    host_broker_stop();
    for (int o = 0; o < OPERATIONS; o++) {
        py_row(operations[o].what, py_median(&wall[o]), "us", operations[o].ask > 0 ? PY_AT_MOST : PY_NO_ASK, operations[o].ask);
        py_row("  CPU time of the job in that", py_median(&cpu[o]), "us", PY_NO_ASK, 0);
    }
    py_row("its bytes", bytes, "", PY_NO_ASK, 0);
}
