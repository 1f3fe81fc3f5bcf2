/* rows_chan.c - messages between tasklets. */
#include <coop/task_inline.h>

#include "bench/rows.h"

static coop_chan *chan, *other;

static int sends(void *arg)
{
    unsigned n = *(unsigned *)arg;

    while (n-- > 0)
        coop_chan_send(chan, 1, COOP_NEVER);
    return 0;
}

static int receives(void *arg)
{
    unsigned n = *(unsigned *)arg;
    intptr_t word;

    while (n-- > 0)
        coop_chan_recv(chan, &word, COOP_NEVER);
    return 0;
}

static int sends_inline(void *arg)
{
    unsigned n = *(unsigned *)arg;

    while (n-- > 0)
        coop_chan_send_inline(chan, 1);
    return 0;
}

static int receives_inline(void *arg)
{
    unsigned n = *(unsigned *)arg;
    intptr_t word;

    while (n-- > 0)
        coop_chan_recv_inline(chan, &word);
    return 0;
}

static void op_message_inline(unsigned n)
{
    bench_must(coop_chan_new(0, &chan));
    bench_must(coop_spawn(NULL, receives_inline, &n, NULL));
    bench_must(coop_spawn(NULL, sends_inline, &n, NULL));
    bench_must(coop_run(COOP_NEVER));
    bench_must(coop_chan_free(chan));
}

static void op_buffered_inline(unsigned n)
{
    intptr_t word;

    bench_must(coop_chan_new(128, &chan));
    for (unsigned i = 0; i < n; i += 64) {
        for (int k = 0; k < 64; k++)
            coop_chan_send_inline(chan, k);
        for (int k = 0; k < 64; k++)
            coop_chan_recv_inline(chan, &word);
    }
    bench_must(coop_chan_free(chan));
}

static void op_message(unsigned n)
{
    bench_must(coop_chan_new(0, &chan));
    bench_must(coop_spawn(NULL, receives, &n, NULL));
    bench_must(coop_spawn(NULL, sends, &n, NULL));
    bench_must(coop_run(COOP_NEVER));
    bench_must(coop_chan_free(chan));
}

/* A message: a send and a receive, of one tasklet, in turns of 64. */
static void op_buffered(unsigned n)
{
    intptr_t word;

    bench_must(coop_chan_new(128, &chan));
    for (unsigned i = 0; i < n; i += 64) {
        for (int k = 0; k < 64; k++)
            coop_chan_send(chan, k, COOP_NEVER);
        for (int k = 0; k < 64; k++)
            coop_chan_recv(chan, &word, COOP_NEVER);
    }
    bench_must(coop_chan_free(chan));
}

static void op_select(unsigned n)
{
    struct coop_clause k[2];

    bench_must(coop_chan_new(1, &chan));
    bench_must(coop_chan_new(1, &other));
    bench_must(coop_chan_send(chan, 1, 0));
    bench_must(coop_chan_send(other, 1, 0));
    for (unsigned i = 0; i < n; i++) {
        k[0] = (struct coop_clause){ .op = COOP_RECV, .chan = chan };
        k[1] = (struct coop_clause){ .op = COOP_RECV, .chan = other };
        bench_must(coop_chan_send(coop_select(k, 2, COOP_FAIR, COOP_NEVER) == 0 ? chan : other, 1, 0));
    }
    bench_must(coop_chan_free(chan));
    bench_must(coop_chan_free(other));
}

static const struct bench_row rows[] = {
    {"channel message, unbuffered, by call",             .op = op_message, .unit = "ns", .ask = 25, .peers = "message" },
    { "channel message, buffered: a send and a receive",                                      .op = op_buffered, .unit = "ns", .ask = 6, .peers = "buffered" },
    { "channel message, unbuffered, inlined",                                .op = op_message_inline, .unit = "ns", .ask = 12 },
    { "channel message, buffered, inlined", .op = op_buffered_inline, .unit = "ns", .ask = 6 },
    { "select of two ready, and a send",                                      .op = op_select, .unit = "ns", .ask = 30, .peers = "select" },
    { NULL                              },
};

const struct bench_group bench_chan = { "channels", rows };
