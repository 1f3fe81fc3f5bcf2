/* events.c - see events.h. */
#include "broker/events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"

enum { RING_FIRST = 256 };

static const char *const event_kind_names[EVENT_KINDS] = { "state", "submit", "worker", "quarantine", "admin", "broker" };

struct event {
    uint64_t seq, at_us;
    uint64_t tenant;
    char *name; /* malloc'd, or NULL */
    uint8_t job[ULID_BYTES], array[ULID_BYTES];
    uint32_t attempt;
    uint8_t kind, from, to, cause;
    bool has_tenant, has_job, has_array;
    char reason[EVENTS_REASON + 1];
};

/* Who waits, and for what. Its tenant is looked up again each time: it may be gone. */
struct events_waiter {
    struct events *events;
    struct rep_way way;
    struct actor actor;
    uint64_t actor_tenant;
    uint64_t seq;
    bool restarted; /* it came with an earlier broker's number, and has not been told yet */
    bool one_job, one_tenant;
    uint8_t job[ULID_BYTES];
    uint64_t tenant;
    struct timer deadline;
    struct events_waiter *next;
};

static void on_flush(void *ctx);

void events_init(struct events *e, struct broker *b)
{
    *e = (struct events){ .broker = b, .last_seq = loop_wall_us() };
    e->first_seq = e->last_seq + 1;
    e->flush = (struct timer){ .fn = on_flush, .ctx = e };
}

static struct event *at(const struct events *e, size_t i)
{
    return &e->ring[(e->first + i) % e->cap];
}

static void waiter_free(struct events_waiter *w)
{
    struct events_waiter **link = &w->events->waiters;

    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    w->events->n_waiters--;
    timers_cancel(&w->events->broker->loop.timers, &w->deadline);
    free(w);
}

void events_finish(struct events *e)
{
    while (e->waiters != NULL)
        waiter_free(e->waiters);
    if (e->broker != NULL)
        timers_cancel(&e->broker->loop.timers, &e->flush);
    for (size_t i = 0; i < e->count; i++)
        free(at(e, i)->name);
    free(e->ring);
    *e = (struct events){ 0 };
}

/* ---- the ring ------------------------------------------------------------------------------------------------------------------------------ */

static bool grow(struct events *e)
{
    size_t cap = e->cap == 0 ? RING_FIRST : 2 * e->cap;
    struct event *ring = calloc(cap, sizeof(*ring));

    if (ring == NULL)
        return false;
    for (size_t i = 0; i < e->count; i++)
        ring[i] = *at(e, i);
    free(e->ring);
    e->ring = ring;
    e->cap = cap;
    e->first = 0;
    return true;
}

/* The next place: a new one, or the oldest event's. NULL: there is no memory for a single one. */
static struct event *next_place(struct events *e)
{
    if (e->count == e->cap && (e->cap == EVENTS_KEPT || !grow(e))) {
        if (e->cap == 0)
            return NULL;
        free(at(e, 0)->name);
        e->first = (e->first + 1) % e->cap;
        e->count--;
    }
    return at(e, e->count++);
}

void events_tell(struct events *e, const struct event_note *n)
{
    struct event *ev;

    if (e->broker == NULL)
        return; /* a part that is tested by itself has none */
    e->last_seq++;
    ev = next_place(e);
    if (ev == NULL)
        return;
    *ev = (struct event){ .seq = e->last_seq,
                          .at_us = loop_wall_us(),
                          .kind = (uint8_t)n->kind,
                          .from = (uint8_t)n->from,
                          .to = (uint8_t)n->to,
                          .cause = (uint8_t)n->cause,
                          .attempt = n->attempt };
    ev->has_tenant = n->tenant != NULL;
    ev->tenant = n->tenant != NULL ? n->tenant->id : 0;
    ev->has_job = n->job != NULL && ulid_to_bytes(n->job, ev->job) == 0;
    ev->has_array = n->array_id != NULL && ulid_to_bytes(n->array_id, ev->array) == 0;
    ev->name = n->name != NULL && n->name[0] != '\0' ? strdup(n->name) : NULL;
    snprintf(ev->reason, sizeof(ev->reason), "%s", n->reason != NULL ? n->reason : "");
    if (e->waiters != NULL && e->flush.place == 0)
        timers_arm(&e->broker->loop.timers, &e->flush, e->broker->loop.now_us);
}

/* ---- an answer ------------------------------------------------------------------------------------------------------------------------------ */

static bool wants(const struct events_waiter *w, const struct event *ev)
{
    if (w->one_job && (!ev->has_job || memcmp(w->job, ev->job, ULID_BYTES) != 0) &&
        (!ev->has_array || memcmp(w->job, ev->array, ULID_BYTES) != 0))
        return false;
    if (w->one_tenant && (!ev->has_tenant || ev->tenant != w->tenant))
        return false;
    return ev->has_tenant ? actor_sees(w->events->broker, &w->actor, ev->tenant, "") : actor_may(&w->actor, ACTOR_OPERATOR);
}

/* Texts of one reply. */
struct texts {
    char job[ULID_LEN + 1], array[ULID_LEN + 1];
};

static void fill(struct broker *b, const struct event *ev, Pb__Event *ret, struct texts *t)
{
    const struct tenant *tenant = ev->has_tenant ? tenants_find(&b->tenants, ev->tenant) : NULL;

    pb__event__init(ret);
    ret->seq = ev->seq;
    ret->at_us = ev->at_us;
    ret->kind = (char *)event_kind_names[ev->kind];
    if (ev->has_job) {
        ulid_from_bytes(ev->job, t->job);
        ret->job = t->job;
    }
    if (ev->has_array) {
        ulid_from_bytes(ev->array, t->array);
        ret->array_id = t->array;
    }
    if (tenant != NULL)
        ret->tenant = (char *)tenant->name;
    ret->from = (Pb__State)ev->from;
    ret->to = (Pb__State)ev->to;
    ret->reason = (char *)ev->reason;
    ret->cause = (Pb__Cause)ev->cause;
    ret->attempt = ev->attempt;
    if (ev->name != NULL)
        ret->name = ev->name;
}

/* Those from w->seq on that it wants; w->seq goes behind the last one that was looked at. */
static size_t collect(struct events_waiter *w, Pb__Event *events, Pb__Event **pointers, struct texts *texts, uint64_t *ret_missed)
{
    struct events *e = w->events;
    uint64_t oldest = e->count > 0 ? at(e, 0)->seq : e->last_seq + 1;
    size_t n = 0, i;

    *ret_missed = w->seq < oldest ? oldest - w->seq : 0;
    if (w->seq < oldest)
        w->seq = oldest;
    for (i = (size_t)(w->seq - oldest); i < e->count && n < EVENTS_REPLY; i++) {
        const struct event *ev = at(e, i);

        if (wants(w, ev)) {
            fill(e->broker, ev, &events[n], &texts[n]);
            pointers[n] = &events[n];
            n++;
        }
    }
    w->seq = i < e->count ? at(e, i)->seq : e->last_seq + 1;
    return n;
}

/* false: there is nothing to say, and it was not asked to be said. */
static bool answer(struct events_waiter *w, bool now)
{
    struct broker *b = w->events->broker;
    Pb__Event *events = calloc(EVENTS_REPLY, sizeof(*events)), **pointers = calloc(EVENTS_REPLY, sizeof(*pointers));
    struct texts *texts = calloc(EVENTS_REPLY, sizeof(*texts));
    Pb__Reply r = PB__REPLY__INIT;
    Pb__EventsReply m = PB__EVENTS_REPLY__INIT;
    bool done = true;

    w->actor.tenant = tenants_find(&b->tenants, w->actor_tenant);
    if (events == NULL || pointers == NULL || texts == NULL || (w->actor.tenant == NULL && !actor_may(&w->actor, ACTOR_OPERATOR))) {
        control_refuse(b, w->way, PB__ERROR_CODE__ERROR_CODE_TEMPORARY, "%s",
                       w->actor.tenant == NULL ? "its tenant is gone" : "out of memory");
    } else {
        m.n_events = collect(w, events, pointers, texts, &m.missed);
        m.events = pointers;
        m.seq = w->seq;
        r.body_case = PB__REPLY__BODY_EVENTS;
        r.events = &m;
        m.restarted = w->restarted;
        done = now || m.n_events > 0 || m.missed > 0 || m.restarted;
        if (done)
            control_reply(b, w->way, &r);
    }
    free(events);
    free(pointers);
    free(texts);
    return done;
}

static void on_flush(void *ctx)
{
    struct events *e = ctx;

    for (struct events_waiter *w = e->waiters, *next; w != NULL; w = next) {
        next = w->next;
        if (answer(w, false))
            waiter_free(w);
    }
}

static void on_deadline(void *ctx)
{
    (void)answer(ctx, true);
    waiter_free(ctx);
}

/* ---- the request ------------------------------------------------------------------------------------------------------------------------------ */

static bool take_filter(struct control_call *c, struct events_waiter *w)
{
    const Pb__GetEvents *q = c->request->events;
    const struct tenant *t;
    char id[ULID_LEN + 1];

    if (q->job[0] != '\0') {
        w->one_job = true;
        if (ulid_normalize(q->job, id) != 0 || ulid_to_bytes(id, w->job) != 0) {
            control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE, "'%.40s' is not a whole id of a job or an array", q->job);
            return false;
        }
    }
    if (q->tenant[0] == '\0' || strcmp(q->tenant, "*") == 0)
        return true;
    t = tenants_named(&c->broker->tenants, q->tenant);
    if (t == NULL || !actor_sees_tenant(&c->actor, t)) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, "there is no tenant %.64s", q->tenant);
        return false;
    }
    w->one_tenant = true;
    w->tenant = t->id;
    return true;
}

/* A number that this broker has not given is an earlier one's, whose clock may have been ahead. */
static void take_seq(const struct events *e, uint64_t asked, struct events_waiter *w)
{
    w->seq = asked == 0 ? e->last_seq + 1 : asked;
    w->restarted = asked > e->last_seq + 1 || (asked > 1 && asked < e->first_seq);
    if (w->restarted || w->seq < e->first_seq)
        w->seq = e->first_seq;
}

/* No tenant takes so many that others, or an operator, find none. */
static bool has_place(const struct events *e, const struct events_waiter *of)
{
    unsigned same = 0, others = 0;

    if (e->n_waiters >= EVENTS_WAITS || actor_may(&of->actor, ACTOR_OPERATOR))
        return e->n_waiters < EVENTS_WAITS;
    for (const struct events_waiter *w = e->waiters; w != NULL; w = w->next) {
        bool operates = actor_may(&w->actor, ACTOR_OPERATOR);

        others += !operates;
        same += !operates && w->actor_tenant == of->actor_tenant;
    }
    return same < EVENTS_TENANT && others < EVENTS_OTHERS;
}

void verb_events(struct control_call *c)
{
    const Pb__GetEvents *q = c->request->events;
    struct events *e = &c->broker->events;
    uint32_t ms = q->timeout_ms < CONTROL_WAIT_MS ? q->timeout_ms : CONTROL_WAIT_MS;
    struct events_waiter *w = NULL, probe = { .events = e, .way = c->way, .actor = c->actor };

    if (c->actor.queue[0] != '\0') {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "a token that is bound to a queue hears of no events");
        return;
    }
    probe.actor_tenant = c->actor.tenant != NULL ? c->actor.tenant->id : 0;
    take_seq(e, q->seq, &probe);
    if (!take_filter(c, &probe) || answer(&probe, ms == 0))
        return;
    if (has_place(e, &probe))
        w = malloc(sizeof(*w));
    if (w == NULL) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_QUOTA,
                       "too many requests wait for events already: %d of a tenant, %d in all", EVENTS_TENANT, EVENTS_WAITS);
        return;
    }
    *w = probe;
    w->deadline = (struct timer){ .fn = on_deadline, .ctx = w };
    w->next = e->waiters;
    e->waiters = w;
    e->n_waiters++;
    timers_arm(&c->broker->loop.timers, &w->deadline, c->broker->loop.now_us + (uint64_t)ms * 1000);
}

void events_drop_peer(struct events *e, uint32_t peer)
{
    for (struct events_waiter *w = e->waiters, *next; w != NULL; w = next) {
        next = w->next;
        if (w->way.peer == peer)
            waiter_free(w);
    }
}
