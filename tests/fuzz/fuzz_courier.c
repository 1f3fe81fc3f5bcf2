/*
 * fuzz_courier.c - both ends of the courier's socket: what a courier may say to the broker, and what the courier does with any packet.
 *
 * Input: one byte that chooses the end, then one packet. Held: the broker either refuses the courier, and each errand that it had is lost once, or
 * one of them is done, with an error that can be printed; neither end reads a byte behind the packet.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/bare_broker.h"
#include "courier.pb-c.h"
#include "courier/errands.h"
#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GIVEN = 7 };

static struct bare_broker bare;
static unsigned done, lost;

static void on_done(void *ctx, uint64_t id, unsigned status, const char *error)
{
    (void)ctx;
    (void)status;
    assert(id >= 1 && id <= GIVEN);
    for (const char *p = error; *p != '\0'; p++)
        assert(*p >= 0x20 && *p <= 0x7e);
    done++;
}

static void on_lost(void *ctx, uint64_t id)
{
    (void)ctx;
    assert(id >= 1 && id <= GIVEN);
    lost++;
}

static void on_room(void *ctx)
{
    (void)ctx;
}

/* A courier that has GIVEN errands says this. */
static void to_broker(const uint8_t *packet, size_t len, bool ready)
{
    const struct courier_handler h = { on_done, on_lost, on_room, NULL };
    struct courier c;
    int pair[2];

    snprintf(bare.b.config.worker, sizeof(bare.b.config.worker), "/nonexistent/coop-worker");
    courier_init(&c, &bare.b, &h);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        abort();
    c.socket.fd = pair[0];
    c.ready = ready;
    if (loop_add(&bare.b.loop, &c.socket) != 0)
        abort();
    for (c.n = 0; c.n < GIVEN; c.n++)
        c.under_way[c.n] = c.n + 1;
    done = lost = 0;
    if (send(pair[1], packet, len, 0) == (ssize_t)len)
        c.socket.fn(c.socket.ctx);
    assert(done + lost + c.n == GIVEN && done <= 1);
    assert(lost == 0 || c.socket.fd == -1);
    close(pair[1]);
    courier_stop(&c);
}

static void to_courier(const uint8_t *packet, size_t len)
{
    struct frame f;

    (void)errand_id(packet, len);
    if (frame_decode(&f, &pb__to_courier__descriptor, packet, len, COURIER_PACKET) != 0)
        return;
    frame_release(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *exact;

    if (size < 1)
        return 0;
    if (bare.dir == NULL && bare_start(&bare) != 0)
        abort();
    exact = malloc(size); /* its end is the packet's */
    memcpy(exact, data + 1, size - 1);
    exact = realloc(exact, size - 1 > 0 ? size - 1 : 1);
    if (data[0] % 3 == 0)
        to_courier(exact, size - 1);
    else
        to_broker(exact, size - 1, data[0] % 3 == 1);
    free(exact);
    return 0;
}

__attribute__((destructor)) static void finish(void)
{
    if (bare.dir != NULL)
        bare_stop(&bare);
}
