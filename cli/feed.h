/*
 * feed.h - the broker's events, as they come: one long-poll after another, across a broker that goes and comes back.
 *
 * Side:    host (CLI). Strings in an event may be a tenant's.
 * Owned:   command, client and strings are borrowed; feed_finish() gives back the request that is open.
 * Blocks:  feed_turn(), until the first of: an answer, a signal, the deadline. One poll(2); no thread.
 */
#ifndef CLI_FEED_H
#define CLI_FEED_H

#include "cli/say.h"

struct feed {
    const struct command *c;
    struct coop_client *client;
    const char *job, *tenant; /* only of these; NULL: not said */
    uint64_t seq;             /* the next one */
    uint64_t deadline_us;     /* of the monotonic clock (follow_now_us()); 0: none */
    uint64_t missed;          /* of the last answer: so many are not kept any more */
    bool restarted;           /* of the last answer: it is another broker's; events of the one before are not kept */
    int signal_fd;            /* from signals_hold(), or -1 */
    bool no_wait;             /* what there is by now */
    int code;                 /* with FEED_FAILED: the exit code, after it was said why */
    struct coop_op *op;
    uint64_t lost_until_us; /* 0: connected */
};

enum feed_end {
    FEED_NEWS,     /* an answer, of so many events as the callback has seen: perhaps none */
    FEED_STOPPED,  /* the callback wanted no more */
    FEED_SIGNAL,   /* signal_fd reads as one */
    FEED_DEADLINE, /* deadline_us */
    FEED_LOST,     /* the broker was away and is there again, perhaps another one: the next answer says so */
    FEED_FAILED,
};

/* Of an event; not 0: no more. */
typedef int feed_fn(void *ctx, const Pb__Event *e);

/* From the event seq on: 1 is the first that is kept; 0: from now on, which is asked for at once. 0, or the exit code after having said why. */
int feed_start(struct feed *f, const struct command *c, struct coop_client *client, uint64_t seq);
enum feed_end feed_turn(struct feed *f, feed_fn *fn, void *ctx);
void feed_finish(struct feed *f);

#endif
