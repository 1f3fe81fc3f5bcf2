/* interp_flow.c - bench_interp: items through a queue between two interpreters, and a buffer that is handed over. */
#include "bench/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 5, ITEMS = 20480, BATCH = 64, BUFFERS = 30 };
static const size_t buffer_bytes = 64 << 20;

/* ---- queues --------------------------------------------------------------------------------------------------------------------------- */

static const char producer[] = "function produce(q, n, batch)\n"
                               "    if batch == 1 then for i = 1, n do q:put(i) end return n end\n"
                               "    for from = 1, n, batch do\n"
                               "        local items = {}\n"
                               "        for i = 1, batch do items[i] = from + i - 1 end\n"
                               "        q:put_many(items)\n"
                               "    end\n"
                               "    return n\n"
                               "end\n";
static const char consumer[] = "function consume(q, n, batch)\n"
                               "    local sum, got = 0, 0\n"
                               "    while got < n do\n"
                               "        if batch == 1 then sum = sum + q:get() got = got + 1\n"
                               "        else for _, item in ipairs(q:get_many(batch)) do sum = sum + item got = got + 1 end end\n"
                               "    end\n"
                               "    assert(sum == n * (n + 1) // 2)\n"
                               "    return sum\n"
                               "end\n";

static struct coop_op *start(const struct coop_handle *interp, const char *function, const struct coop_handle *queue, int batch)
{
    coop_val *args = interp_args(coop_val_handle(queue), coop_val_int(ITEMS), coop_val_int(batch));
    struct coop_op *op;
    struct coop_error why;

    interp_must(coop_interp_call_begin(interp_client, interp->id, function, args, INTERP_TIMEOUT_US, &op, &why), &why, function);
    coop_val_free(args);
    return op;
}

static void finish(struct coop_op *op, const char *what)
{
    struct coop_result result;
    struct coop_error why;

    (void)coop_op_wait(op, INTERP_TIMEOUT_US);
    interp_must(coop_op_take(op, &result, &why), &why, what);
    coop_result_free(&result);
    coop_op_free(op);
}

static double rate(int batch)
{
    struct coop_queue_options options = { .size = sizeof(options), .max_items = 1024 };
    struct coop_handle from = interp_new(NULL, producer), to = interp_new(NULL, consumer), queue;
    struct coop_error why;
    struct coop_op *out, *in;
    double begun, us;

    interp_must(coop_queue_create(interp_client, &options, INTERP_TIMEOUT_US, &queue, &why), &why, "queue");
    begun = host_now_us();
    in = start(&to, "consume", &queue, batch);
    out = start(&from, "produce", &queue, batch);
    finish(in, "consume");
    us = host_now_us() - begun;
    finish(out, "produce");
    interp_close(&from);
    interp_close(&to);
    return ITEMS / (us / 1e6);
}

static double median_rate(int batch)
{
    double v[RUNS];

    for (int i = 0; i < RUNS; i++)
        v[i] = rate(batch);
    return host_percentile(v, RUNS, 0.5);
}

void interp_queues(void)
{
    interp_row("queue", "items through a queue between two, one by one", median_rate(1), "/s", "15000");
    interp_row("queue-batch", "items through a queue between two, 64 at a time", median_rate(BATCH), "/s", "250000");
}

/* ---- buffers -------------------------------------------------------------------------------------------------------------------------- */

/* Looks at both ends of it: it is there, and nothing was copied. */
static const char receiver[] = "function take(b)\n"
                               "    assert(b:read(1, 1) == '\\1' and b:read(b:len(), 1) == '\\2')\n"
                               "    local n = b:len()\n"
                               "    b:drop()\n"
                               "    return n\n"
                               "end\n";

static void hand_over(const struct coop_handle *to, double *ret_seal, double *ret_call)
{
    struct coop_buffer b;
    struct coop_error why;
    double sealed, begun;

    interp_must(coop_buffer_new(interp_client, buffer_bytes, INTERP_TIMEOUT_US, &b, &why), &why, "buffer");
    memset(b.at, 1, buffer_bytes);
    ((char *)b.at)[buffer_bytes - 1] = 2;
    begun = host_now_us();
    interp_must(coop_buffer_seal(interp_client, &b, INTERP_TIMEOUT_US, &why), &why, "seal");
    sealed = host_now_us();
    interp_call(to, "take", interp_args(coop_val_handle(&b.handle), NULL, NULL));
    *ret_call = host_now_us() - sealed;
    *ret_seal = sealed - begun;
    interp_must(coop_handle_drop(interp_client, &b.handle, INTERP_TIMEOUT_US, &why), &why, "drop");
}

void interp_buffers(void)
{
    struct coop_handle to = interp_new_with("memory=512M", NULL, receiver);
    double seal[BUFFERS], call[BUFFERS];

    for (int i = 0; i < BUFFERS; i++)
        hand_over(&to, &seal[i], &call[i]);
    interp_close(&to);
    interp_row("buffer", "64 MiB handed over: called with it, mapped, looked at", host_percentile(call, BUFFERS, 0.5), "us",
               "at most 1000");
    interp_row("", "unmapped and sealed before that", host_percentile(seal, BUFFERS, 0.5), "us", "");
}
