/*
 * main.c - coop-courier: makes the HTTP requests of webhooks, so that the broker speaks with no stranger.
 *
 * Side:    its own process, started by the broker with the first webhook. It knows what an errand says, and nothing else of any job.
 * Wire:    courier.proto on descriptor 3; it ends when that is closed.
 * Exit:    0 the broker is gone; 1 it cannot go on.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "coop/version.h"
#include "courier.pb-c.h"
#include "address.h"
#include "courier/errands.h"
#include "courier/walls.h"
#include "frame.h"

enum { BROKER_FD = 3, PACKET_MAX = 128 << 10 /* COURIER_PACKET of the broker */ };

static void say(const Pb__FromCourier *m)
{
    static uint8_t bytes[8 << 10];
    size_t len = protobuf_c_message_get_packed_size(&m->base);

    if (len > sizeof(bytes))
        exit(1);
    protobuf_c_message_pack(&m->base, bytes);
    if (send(BROKER_FD, bytes, len, MSG_NOSIGNAL) != (ssize_t)len)
        exit(errno == EPIPE ? 0 : 1);
}

static void on_done(uint64_t id, unsigned status, const char *error)
{
    Pb__FromCourier m = PB__FROM_COURIER__INIT;
    Pb__ErrandDone d = PB__ERRAND_DONE__INIT;
    char text[256];

    snprintf(text, sizeof(text), "%s", error);
    frame_make_utf8(text);
    d.id = id;
    d.status = status;
    d.error = text;
    m.body_case = PB__FROM_COURIER__BODY_DONE;
    m.done = &d;
    say(&m);
}

static void say_ready(void)
{
    Pb__FromCourier m = PB__FROM_COURIER__INIT;
    Pb__CourierReady r = PB__COURIER_READY__INIT;

    r.version = (char *)COOP_VERSION;
    m.body_case = PB__FROM_COURIER__BODY_READY;
    m.ready = &r;
    say(&m);
}

/* false: it is no message. */
static bool begin(const uint8_t *bytes, size_t len)
{
    struct frame f;

    if (frame_decode(&f, &pb__to_courier__descriptor, bytes, len, PACKET_MAX) != 0)
        return false;
    if (((const Pb__ToCourier *)f.msg)->body_case == PB__TO_COURIER__BODY_ERRAND)
        errands_begin(((const Pb__ToCourier *)f.msg)->errand);
    frame_release(&f);
    return true;
}

/* 0; 1: the broker is gone; -errno. */
static int take_one(void)
{
    static uint8_t bytes[PACKET_MAX];
    ssize_t n = recv(BROKER_FD, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_TRUNC);
    uint64_t id;

    if (n == 0)
        return 1;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if ((size_t)n <= sizeof(bytes) && begin(bytes, (size_t)n))
        return 0;
    id = errand_id(bytes, (size_t)n < sizeof(bytes) ? (size_t)n : sizeof(bytes));
    if (id == 0)
        return -EPROTO; /* there is nothing that could be answered */
    on_done(id, 0, (size_t)n > sizeof(bytes) ? "the request is too long" : "the request is no message");
    return 0;
}

int main(int argc, char **argv)
{
    static struct address_nets nets;
    int rc = 0;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "coop-courier");
    for (int i = 1; i + 1 < argc && rc == 0; i += 2)
        rc = strcmp(argv[i], "--allow") == 0 ? address_allow(&nets, argv[i + 1]) : -EINVAL;
    if (rc == 0 && (rc = walls_raise()) == 0)
        rc = errands_open(&nets, on_done);
    if (rc == 0)
        say_ready();
    while (rc == 0) {
        bool readable;

        rc = errands_wait(BROKER_FD, &readable);
        if (rc == 0 && readable)
            rc = take_one();
    }
    if (rc < 0)
        fprintf(stderr, "coop-courier: %s\n", strerror(-rc));
    return rc < 0;
}
