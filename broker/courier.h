/*
 * courier.h - the broker's end of coop-courier, the process that makes HTTP requests for it.
 *
 * Side:    broker. The courier speaks with strangers: what it says is decoded within a budget and looked up, and it may end at any moment.
 * Bounded: COURIER_ERRANDS under way at once.
 * Owned:   an errand is copied into its packet.
 */
#ifndef BROKER_COURIER_H
#define BROKER_COURIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/loop.h"
#include "courier.pb-c.h"

struct broker;

enum { COURIER_ERRANDS = 32, COURIER_PACKET = 128 << 10 /* its recv() takes no more */ };

struct courier_handler {
    /* An errand's end, once. status: of HTTP; 0: there was no answer, error says why. */
    void (*on_done)(void *ctx, uint64_t id, unsigned status, const char *error);
    void (*on_lost)(void *ctx, uint64_t id); /* instead: the courier ended, and nobody knows whether it arrived */
    void (*on_room)(void *ctx);              /* it is ready, or has room again */
    void *ctx;
};

struct courier {
    struct broker *broker;
    struct courier_handler handler;
    struct loop_watch socket; /* fd -1: it is not running */
    struct timer restart;
    int program; /* O_PATH; -1: it is not installed */
    pid_t pid;
    bool ready;
    unsigned failures; /* in a row, before it was ready */
    uint64_t under_way[COURIER_ERRANDS];
    unsigned n;
};

/* Before root is given up: who the broker becomes may not reach its directory. */
void courier_init(struct courier *c, struct broker *b, const struct courier_handler *h);
/* Whether a courier_send() now may be worth its errand; one that is not running has room. */
bool courier_has_room(const struct courier *c);
/* -EAGAIN: not now, on_room() says when; -ENOENT: coop-courier is not installed; -EMSGSIZE: over COURIER_PACKET. */
int courier_send(struct courier *c, const Pb__Errand *e);
void courier_stop(struct courier *c);

#endif
