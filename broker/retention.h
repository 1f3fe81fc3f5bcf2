/*
 * retention.h - what has ended goes after a while: its logs, then all of it; its record in the chain of receipts stays, so that coop audit
 * still fits.
 *
 * Side:    broker, main thread.
 * Times:   the store has the time with each ended job (finish.log_until_us, keep_until_us, by retention_until()). The wall clock is followed.
 * Bounded: RETENTION_SLICE jobs at a time; the next ones when the store has done with these.
 */
#ifndef BROKER_RETENTION_H
#define BROKER_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/wall_clock.h"
#include "job.pb-c.h"

struct broker;
struct tenant;

#define RETENTION_SLICE 64

struct retention {
    struct wall_clock clock;
    bool started;
    unsigned removing; /* ops on their way */
    bool stuck;        /* the store failed: the next look is a while away */
};

/* Of a job that ends now: when its logs go and when all of it goes; 0: never. asked: its spec's, may be NULL. */
void retention_until(const struct tenant *t, const Pb__Retention *asked, uint64_t ended_us, uint64_t *ret_log_until_us,
                     uint64_t *ret_keep_until_us);
/* A receipt with these was committed. */
void retention_note(struct broker *b, uint64_t log_until_us, uint64_t keep_until_us);

/* Something else has come to its end that may be due: an array, whose tasks go together. */
void retention_look_soon(struct broker *b);

void retention_start(struct broker *b);
void retention_finish(struct broker *b);

#endif
