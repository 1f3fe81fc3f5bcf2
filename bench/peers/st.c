/*
 * st.c - libst, State Threads. It has no channel and no yield: a switch is a signal to one condition variable and a wait for another, a
 * message a slot with two of them.
 */
#include <st.h>

#include "bench/measure.h"

enum { COLD = 10000, STACK = 64 << 10 };

static st_cond_t ping, pong, ended, never;
static unsigned left;
static int slot, full;

static void start(void *(*body)(void *), void *arg)
{
    if (st_thread_create(body, arg, 0, STACK) != NULL)
        return;
    perror("st_thread_create");
    exit(1);
}

/* ---- switch ---- */

static void *turns(void *arg)
{
    (void)arg;
    for (;;) {
        st_cond_wait(ping);
        st_cond_signal(pong);
    }
    return NULL;
}

static void op_switch(unsigned n)
{
    for (unsigned i = 0; i < n; i += 2) {
        st_cond_signal(ping);
        st_cond_wait(pong);
    }
}

/* ---- message ---- */

static void *sends(void *arg)
{
    unsigned n = *(unsigned *)arg;

    while (n-- > 0) {
        while (full)
            st_cond_wait(pong);
        slot = 1;
        full = 1;
        st_cond_signal(ping);
    }
    return NULL;
}

static void *receives(void *arg)
{
    unsigned n = *(unsigned *)arg, sum = 0;

    while (n-- > 0) {
        while (!full)
            st_cond_wait(ping);
        sum += (unsigned)slot;
        full = 0;
        st_cond_signal(pong);
    }
    left = sum;
    st_cond_signal(ended);
    return NULL;
}

static void op_message(unsigned n)
{
    start(receives, &n);
    start(sends, &n);
    st_cond_wait(ended);
    if (left != n) {
        fprintf(stderr, "st: %u messages of %u came\n", left, n);
        exit(1);
    }
}

/* ---- life ---- */

static void *ends(void *arg)
{
    (void)arg;
    if (--left == 0)
        st_cond_signal(ended);
    return NULL;
}

static void op_spawn(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        left = 1;
        start(ends, NULL);
        st_cond_wait(ended);
    }
}

static void *waits(void *arg)
{
    (void)arg;
    if (--left == 0)
        st_cond_signal(ended);
    st_cond_wait(never);
    return NULL;
}

static void idle(double *ret_spawn_ns, double *ret_bytes)
{
    double before = measure_resident(), start_ns = measure_now_ns();

    left = COLD;
    for (int i = 0; i < COLD; i++)
        start(waits, NULL);
    st_cond_wait(ended);
    *ret_spawn_ns = (measure_now_ns() - start_ns) / COLD;
    *ret_bytes = (measure_resident() - before) / COLD;
}

int main(void)
{
    double spawn_ns, bytes;

    if (st_init() != 0) {
        perror("st_init");
        return 1;
    }
    ping = st_cond_new();
    pong = st_cond_new();
    ended = st_cond_new();
    never = st_cond_new();
    measure_say("message", measure(op_message), "libst, a slot and two condition variables");
    measure_say("spawn", measure(op_spawn), "libst, warm, and a wait for its end");
    start(turns, NULL);
    st_usleep(0); /* it runs up to its first wait: a signal that nobody waits for is lost */
    measure_say("yield", measure(op_switch), "libst, signal one condition and wait for another");
    idle(&spawn_ns, &bytes);
    measure_say("spawn-cold", spawn_ns, "libst, 64 KiB stacks");
    measure_say("idle", bytes, "libst, 64 KiB stacks");
    return 0;
}
