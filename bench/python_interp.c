/* python_interp.c - bench_python: the life of an interpreter, with a worker ready and without, and a call of one that lives. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/client.h>
#include <coop/value.h>

#include "bench/bench_python.h"

enum { LIVES = 60, WARM = 5, CALLS = 50, TIMEOUT_US = 120 * 1000000 };

static struct coop_client *client;
static struct coop_spec *spec;

static void must(int rc, const struct coop_error *why)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench: %s: %s %s\n%s", why->name, why->message, why->cause, why->traceback);
    host_broker_stop();
    exit(1);
}

static void begin(const char *pool)
{
    py_begin(pool);
    client = host_client_new();
    spec = coop_spec_new("python");
}

static void finish(void)
{
    coop_spec_free(spec);
    coop_client_close(client);
    host_broker_stop();
}

static struct coop_op *create_begin(void)
{
    struct coop_interp_options options = { .size = sizeof(options), .spec = spec, .owner = COOP_OWNER_SESSION };
    struct coop_op *op;
    struct coop_error why;

    must(coop_interp_create_begin(client, &options, TIMEOUT_US, &op, &why), &why);
    return op;
}

static struct coop_handle create_end(struct coop_op *op)
{
    struct coop_result result;
    struct coop_handle interp;
    struct coop_error why;

    (void)coop_op_wait(op, TIMEOUT_US);
    must(coop_op_take(op, &result, &why), &why);
    interp = result.handle;
    coop_result_free(&result);
    coop_op_free(op);
    return interp;
}

static double call(const struct coop_handle *interp, int i)
{
    coop_val *args = coop_val_list();
    struct coop_call_result result;
    struct coop_error why;
    double start;

    (void)coop_val_add(args, coop_val_int(i));
    start = host_now_us();
    must(coop_interp_call(client, interp->id, "same", args, TIMEOUT_US, &result, &why), &why);
    start = host_now_us() - start;
    coop_val_free(result.value);
    coop_val_free(args);
    return start;
}

static void close_it(const struct coop_handle *interp)
{
    struct coop_error why;

    must(coop_interp_close(client, interp->id, TIMEOUT_US, &why), &why);
}

/* The broker tells nobody when it has a worker more; each answer takes it a turn of its loop, in which workers are taken in. */
static void wait_for_pool(unsigned workers)
{
    struct coop_broker_info info;
    struct coop_error why;

    do
        must(coop_broker_info(client, TIMEOUT_US, &info, &why), &why);
    while (info.workers_idle < workers);
}

/* cold: another one has taken the only worker just before, so this one is forked, sealed and greeted while we wait. */
static double life(bool cold)
{
    struct coop_op *before = cold ? create_begin() : NULL;
    double start = host_now_us();
    struct coop_handle interp = create_end(create_begin()), first;

    (void)call(&interp, 1);
    start = host_now_us() - start;
    close_it(&interp);
    if (cold) {
        first = create_end(before);
        close_it(&first);
    }
    return start;
}

struct lives {
    struct py_samples ours, subinterpreter, process;
};

static void lives(unsigned pool, struct lives *l)
{
    struct py_answerer sub, processes;
    char text[16];

    snprintf(text, sizeof(text), "%u", pool);
    begin(text);
    (void)coop_spec_source(spec, "=bench", "def same(x): return x\n", strlen("def same(x): return x\n"));
    if (!py_answerer_plain(&sub, "peers.py", "subinterpreters") || !py_answerer_plain(&processes, "peers.py", "multiprocessing"))
        host_die("peers.py", -5);
    for (int i = -WARM; i < LIVES; i++) {
        double us;

        if (i > -WARM)
            wait_for_pool(pool);
        us = life(pool == 1);
        if (i >= 0) {
            py_add(&l->ours, us);
            py_add(&l->subinterpreter, py_ask(&sub, "life"));
            py_add(&l->process, py_ask(&processes, "life"));
        }
    }
    py_answerer_end(&sub);
    py_answerer_end(&processes);
    finish();
}

static void show_lives(const char *name, const struct lives *l, enum py_ask kind, double ask)
{
    double ours = py_median(&l->ours);

    py_row(name, ours, "us", kind, ask);
    py_row("  the same, p99", py_at(&l->ours, 0.99), "us", PY_NO_ASK, 0);
    py_peer("_xxsubinterpreters: create, run_string, destroy", py_median(&l->subinterpreter), "us", ours);
    py_peer("multiprocessing: fork, a message and back, end", py_median(&l->process), "us", ours);
}

static double median_call(const struct coop_handle *interp)
{
    struct py_samples s = { .n = 0 };

    for (int i = 0; i < CALLS; i++)
        py_add(&s, call(interp, i));
    return py_median(&s);
}

static void calls(void)
{
    static struct py_samples ours, subinterpreter, pipe;
    struct py_answerer sub, processes;
    struct coop_handle interp;

    begin("2");
    (void)coop_spec_source(spec, "=bench", "def same(x): return x\n", strlen("def same(x): return x\n"));
    interp = create_end(create_begin());
    if (!py_answerer_plain(&sub, "peers.py", "subinterpreters") || !py_answerer_plain(&processes, "peers.py", "multiprocessing"))
        host_die("peers.py", -5);
    for (int i = -WARM; i < LIVES; i++) {
        double mine = median_call(&interp), subs = py_ask(&sub, "call"), pipes = py_ask(&processes, "call");

        if (i >= 0) {
            py_add(&ours, mine);
            py_add(&subinterpreter, subs);
            py_add(&pipe, pipes);
        }
    }
    close_it(&interp);
    py_answerer_end(&sub);
    py_answerer_end(&processes);
    finish();
    py_row("call of a function, and its value, through the broker", py_median(&ours), "us", PY_NO_ASK, 0);
    py_peer("multiprocessing: Pipe, an object there and back", py_median(&pipe), "us", py_median(&ours));
    py_peer("_xxsubinterpreters: run_string, no value", py_median(&subinterpreter), "us", py_median(&ours));
}

void py_interp_rows(void)
{
    static struct lives cold, warm;

    lives(1, &cold);
    show_lives("create to first answer, no worker ready", &cold, PY_AT_MOST, 3000);
    lives(8, &warm);
    show_lives("create to first answer, a worker ready", &warm, PY_NO_ASK, 0);
    calls();
}
