/*
 * events.h - what has happened to jobs and to the broker, one after another: a bounded ring, and the long-polls that wait for the next.
 *
 * Side:    broker, main thread.
 * Bounded: EVENTS_KEPT events in memory; older ones are gone, and whoever comes late is told how many it missed. EVENTS_WAITS long-polls, EVENTS_TENANT of a tenant.
 *          Nothing is written to disk. Numbers begin with the wall clock's microseconds, so above those of every broker before: who comes back with
 *          an older one is told so. After a clock that was set back they may begin below; who then comes with a higher one hears all that is kept.
 * Owned:   texts are copied.
 */
#ifndef BROKER_EVENTS_H
#define BROKER_EVENTS_H

#include <stdint.h>

#include "broker/rep_socket.h"
#include "broker/timers.h"
#include "control.pb-c.h"
#include "ulid.h"

struct broker;
struct control_call;
struct event;
struct events_waiter;
struct tenant;

#define EVENTS_KEPT   65536
#define EVENTS_REPLY  1000 /* in one answer */
#define EVENTS_REASON 47   /* bytes */
#define EVENTS_WAITS  1024 /* of all connections */
#define EVENTS_OTHERS 896  /* of all that are not operators */
#define EVENTS_TENANT 64   /* of one tenant of those */

enum event_kind { EVENT_STATE, EVENT_SUBMIT, EVENT_WORKER, EVENT_QUARANTINE, EVENT_ADMIN, EVENT_BROKER, EVENT_KINDS };

/* One that is about to be told. What is 0 or NULL is not said. */
struct event_note {
    enum event_kind kind;
    const char *job;             /* a whole id */
    const struct tenant *tenant; /* NULL: the broker's own: for operators */
    Pb__State from, to;
    const char *reason;
    Pb__Cause cause;
    uint32_t attempt;
    const char *name, *array_id;
};

struct events {
    struct broker *broker;
    struct event *ring; /* grows up to EVENTS_KEPT */
    size_t cap, count, first;
    uint64_t last_seq, first_seq;  /* what the first event of this broker got, or will */
    struct events_waiter *waiters; /* list */
    unsigned n_waiters;
    struct timer flush; /* the long-polls are answered once a round, not once an event */
};

void events_init(struct events *e, struct broker *b);
void events_finish(struct events *e);
/* Without memory for it the event is lost, and counts as missed. */
void events_tell(struct events *e, const struct event_note *n);
/* The request: answered, or kept until there is something to say. */
void verb_events(struct control_call *c);
void events_drop_peer(struct events *e, uint32_t peer);

#endif
