/*
 * cron.h - entries of cron: a spec that is submitted again each time an expression names the minute.
 *
 * Side:    broker, main thread.
 * Times:   cron_expr.h. The wall clock is followed by a timerfd that also tells when it was set. A firing belongs to the minute that was planned
 *          (next_us), and is submitted under an idempotency key made of entry and that minute: however often a broker dies between the submit
 *          and the note that it was made, the minute is fired once. What a stop or a jump of the clock has skipped is fired once, not often. After
 *          a jump back nothing is fired before the clock is where it was, but when that is more than CRON_BACK_US away: then the clock
 *          is believed, and minutes that were fired are known by their keys.
 * Overlap: while the job or array of the last firing has not ended, a firing is passed over.
 * Bounded: QUOTA_CRON entries of a tenant, CRON_MAX where nobody says.
 */
#ifndef BROKER_CRON_H
#define BROKER_CRON_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/cron_expr.h"
#include "broker/jobs.h"
#include "broker/wall_clock.h"
#include "broker/store.h"
#include "broker/timers.h"
#include "control.pb-c.h"

struct broker;
struct control_call;
struct tenant;

#define CRON_MAX     1000
#define CRON_BACK_US 86400000000ull
#define CRON_SLICE   64 /* firings a turn of the loop */

struct cron {
    struct store_cron row; /* next_us: the minute that is planned; last_us: up to where minutes have been fired or passed over */
    struct cron_expr expr;
    enum cron_zone zone;
    struct tenant *tenant;
    struct broker *broker;
    bool committed, removed;
    bool removing; /* being written down: its row is written no more */
    unsigned uses; /* submits and commits on their way, which name it */
    bool firing;
    uint64_t covers_us;         /* while it is firing: the last of the minutes that this firing stands for */
    uint64_t not_before;        /* monotonic: a firing could not be stored, and is tried again then */
    struct cron_submit *submit; /* who waits to hear that it is stored */
    UT_hash_handle hh;
};

struct crons {
    struct cron *by_id;
    struct wall_clock clock;
    struct timer again; /* the rest of a slice */
    bool started, looking;
    uint64_t looks;            /* entries looked at, ever */
    uint64_t (*wall_us)(void); /* loop_wall_us; a test's */
};

int crons_load(struct broker *b); /* after jobs_recover() */
void crons_start(struct broker *b);
void crons_finish(struct broker *b); /* fires nothing any more */
void crons_free(struct broker *b);

/* As jobs_submit(), of a spec with schedule->cron: ret_id is the entry's; nothing is run before its time. */
int crons_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], struct jobs_refusal *no);

/* Whether this id, or the beginning of one, is that of an entry which the actor sees. */
bool crons_sees(const struct control_call *c, const char *text);

void verb_cron_ls(struct control_call *c);
void verb_cron_set(struct control_call *c);

#endif
