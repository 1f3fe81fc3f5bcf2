/*
 * logins.h - what is done about failed logins: a secret of 32 random bytes is not guessed, but asking is not to keep the broker busy.
 *
 * Side:    broker, main thread.
 * Does:    the first LOGINS_FREE of an origin are answered at once; later answers come after a pause that doubles, by a timer, while the
 *          connection is not heard; then the connection is dropped. Each origin forgives one in LOGINS_FORGIVE_US. Who fails while all
 *          together fail more than LOGINS_TOTAL times in a second waits the longest.
 * Never:   a good token is never kept waiting for what others, or the same address, did.
 * Bounded: LOGINS_ORIGINS origins are remembered, LOGINS_PAUSED answers wait; beyond that a connection is dropped at once.
 */
#ifndef BROKER_LOGINS_H
#define BROKER_LOGINS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/rep_socket.h"
#include "broker/timers.h"

struct broker;

#define LOGINS_FREE       5
#define LOGINS_DROP       10 /* from then on the connection goes with its answer */
#define LOGINS_FORGIVE_US 10000000
#define LOGINS_PAUSE_US   100000
#define LOGINS_PAUSE_MAX  5000000
#define LOGINS_TOTAL      100
#define LOGINS_ORIGINS    4096
#define LOGINS_PAUSED     1024

struct login_origin;
struct login_pause;

struct logins {
    struct broker *broker;
    struct login_origin *origins; /* the one that failed longest ago is first */
    struct login_pause *paused;
    unsigned n_paused;
    uint64_t second_us; /* total: of the second that began then */
    unsigned total;
    uint64_t failed; /* since the broker began */
};

void logins_init(struct logins *l, struct broker *b);
void logins_finish(struct logins *l);
/* A request that names nobody we know: answers it, now or later, or drops its connection. code is a Pb__ErrorCode. */
void logins_refuse(struct logins *l, struct rep_way way, int code, const char *why);
/* An answer is being held back from this peer: what else it says is not heard. */
bool logins_is_paused(const struct logins *l, uint32_t peer);
void logins_forget_peer(struct logins *l, uint32_t peer); /* it has gone */
/* For tests: how long the next failure of this origin would be held back. */
uint64_t logins_pause_us(const struct logins *l, const struct rep_origin *from, uint64_t now_us);

#endif
