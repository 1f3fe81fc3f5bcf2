/* alias_calls.c - see aliases.h: calls of aliases, from whoever makes one to the parent that answers it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/aliases_own.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/interps.h"
#include "call_errors.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
enum { ERROR_TEXT_MAX = 64 << 10 };

/* ---- the end of a call --------------------------------------------------------------------------------------------------------------- */

static void audit(const struct alias_call *c, Pb__CallError error, size_t out)
{
    const struct alias *al = c->alias;
    struct broker *b = al->thing.broker;
    struct store_op *op = b->store != NULL ? store_op_new(STORE_ALIAS, "") : NULL;
    struct store_alias row = { .ended_us = loop_wall_us(), .wall_us = loop_clock_us() - c->begun_at, .bytes_out = out, .error = error };
    const struct worker *caller = c->ask->by->worker;
    char name[4 * LIMITS_NAME];

    row.bytes_in = c->ask->n_parcels > 0 ? parcel_bytes(&c->ask->parcels[0]) : 0;
    snprintf(row.caller, sizeof(row.caller), "%s", caller != NULL && caller->job != NULL ? caller->job->id : al->interp);
    snprintf(row.server, sizeof(row.server), "%s", al->desk->id);
    snprintf(row.name, sizeof(row.name), "%s", al->thing.name);
    log_escape(name, sizeof(name), row.name, strlen(row.name));
    log_event(LOG_LEVEL_INFO, "alias", "name=\"%s\" caller=%s server=%s error=%s wall_us=%llu in=%llu out=%llu", name, row.caller,
              row.server[0] != '\0' ? row.server : "host", call_error(error)->name, (unsigned long long)row.wall_us,
              (unsigned long long)row.bytes_in, (unsigned long long)row.bytes_out);
    if (op == NULL)
        return;
    row.tenant = al->thing.tenant;
    op->alias = row;
    store_push(b->store, op);
}

static void unlink_call(struct alias_call *c)
{
    struct alias_desk *d = c->alias->desk;

    d->open--;
    if (c->number != 0) {
        HASH_DEL(d->pulled, c);
        return;
    }
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        d->first = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        d->last = c->prev;
}

/* The call is over: its caller's ask is still open, and the caller of this ends it. */
static struct ask *end_call(struct alias_call *c, Pb__CallError error, size_t out)
{
    struct ask *a = c->ask;
    struct alias *al = c->alias;

    audit(c, error, out);
    unlink_call(c);
    free(c);
    thing_unref(&al->thing);
    return a;
}

/* clang-format off */
static const Pb__CallError end_errors[] = {
    [ASK_TIMED_OUT] = CE(TIMED_OUT),
    [ASK_CANCELLED] = CE(INTERRUPTED),
    [ASK_REVOKED]   = CE(REVOKED),
    [ASK_GONE]      = CE(DEAD),
};
/* clang-format on */

static void on_call_end(struct ask *a, enum ask_end end)
{
    end_call(a->thing, end_errors[end], 0);
}

static void fail_call(struct alias_call *c, Pb__CallError error, const char *text)
{
    ask_fail(end_call(c, error, 0), error, "%s", text);
}

/* ---- from the caller to the parent --------------------------------------------------------------------------------------------------- */

/* The number of the interpreter's handle in the parent's table; 0: it has none. */
static uint32_t number_for(struct alias_desk *d, const char *interp)
{
    struct alias_offers *o = d->offers;
    struct handle *h;

    while (o != NULL && strcmp(o->interp, interp) != 0)
        o = o->next;
    if (o == NULL)
        return 0;
    h = o->number != 0 ? handle_find(d->server, o->number) : NULL;
    if (h == NULL || h->thing == NULL)
        for (h = d->server->handles; h != NULL; h = h->hh.next)
            if (h->kind == PB__KIND__KIND_INTERP && h->thing != NULL && strcmp(h->thing->id, interp) == 0)
                break;
    o->number = h != NULL ? h->number : 0;
    return o->number;
}

static void unlink_next(struct alias_desk *d, struct ask *a)
{
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        d->nexts = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    else
        d->last_next = a->prev;
    a->next = a->prev = NULL;
}

/* Gives a call to an AliasNext, which this answers. -1: its arguments do not fit the parent's table; the call has been answered so. */
static int hand_over(struct alias_call *c, struct ask *next)
{
    struct alias_desk *d = c->alias->desk;
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__AliasInvocation inv = PB__ALIAS_INVOCATION__INIT;
    struct parcel_told told;
    struct call_why why;
    const struct worker *caller = c->ask->by->worker;

    if (parcel_give(&c->ask->parcels[0], d->server, &told, &why) != 0) {
        fail_call(c, why.error, why.message);
        return -1;
    }
    unlink_call(c);
    d->open++;
    c->number = ++d->last_number;
    c->next = c->prev = NULL;
    HASH_ADD(hh, d->pulled, number, sizeof(c->number), c);
    inv.number = c->number;
    inv.name = c->alias->thing.name;
    inv.args = &told.value;
    inv.caller = (char *)(caller != NULL && caller->job != NULL ? caller->job->id : c->alias->interp);
    inv.interp = number_for(d, c->alias->interp);
    m.body_case = PB__ANSWER__BODY_INVOCATION;
    m.invocation = &inv;
    ask_reply(next, &m);
    parcel_told_finish(&told);
    return 0;
}

/* word of an AliasNext that names an interpreter: its offers. */
static bool wants(const struct ask *next, const struct alias_call *c)
{
    const struct alias_offers *o = (const struct alias_offers *)(uintptr_t)next->word;

    return o == NULL || strcmp(o->interp, c->alias->interp) == 0;
}

/* A new call goes to the AliasNext that has waited longest; else it waits. */
static void offer_call(struct alias_call *c)
{
    struct alias_desk *d = c->alias->desk;

    for (struct ask *next = d->nexts; next != NULL; next = next->next)
        if (wants(next, c)) {
            unlink_next(d, next);
            if (hand_over(c, next) != 0) { /* nothing came of it: it waits on, as the first */
                next->next = d->nexts;
                if (d->nexts != NULL)
                    d->nexts->prev = next;
                else
                    d->last_next = next;
                d->nexts = next;
            }
            return;
        }
}

static int find_alias(struct ask *a, struct alias **ret, struct handle **ret_handle, struct call_why *why)
{
    const Pb__AliasCall *m = a->message->alias_call;
    char grant[LIMITS_NAME + 8], shown[64];
    struct thing *t;

    log_escape(shown, sizeof(shown), m->name, strlen(m->name));
    if (m->alias != NULL && m->name[0] != '\0')
        return call_refuse(why, CE(BAD_REQUEST), "an alias is named by its handle or by its name, not by both");
    if (m->alias != NULL) {
        if (ref_find(a->by, m->alias, PB__KIND__KIND_ALIAS, PB__RIGHT__RIGHT_CALL, &t, ret_handle, why) != 0)
            return -1;
        *ret = (struct alias *)t;
        return 0;
    }
    if (strlen(m->name) > LIMITS_NAME)
        return call_refuse(why, CE(NO_FUNCTION), "no function %s is offered", shown);
    snprintf(grant, sizeof(grant), "alias=%s", m->name);
    *ret_handle = handle_granted(a->by, grant);
    if (*ret_handle == NULL || (*ret_handle)->kind != PB__KIND__KIND_ALIAS)
        return call_refuse(why, CE(NO_FUNCTION), "no function %s is offered", shown);
    if ((*ret_handle)->thing == NULL)
        return call_refuse(why, CE(REVOKED), "the function %s has been taken back", shown);
    *ret = (struct alias *)(*ret_handle)->thing;
    return 0;
}

static int check_call(struct ask *a, struct alias **ret, struct handle **ret_handle, struct call_why *why)
{
    if (find_alias(a, ret, ret_handle, why) != 0)
        return -1;
    if ((*ret)->desk->server == NULL)
        return call_refuse(why, CE(DEAD), "who offers %s has ended", (*ret)->thing.name);
    if ((*ret)->desk->open >= ALIAS_CALLS_OPEN)
        return call_refuse(why, CE(LIMIT), "%d calls wait for who offers %s", ALIAS_CALLS_OPEN, (*ret)->thing.name);
    return 0;
}

void call_alias_call(struct ask *a)
{
    const Pb__AliasCall *m = a->message->alias_call;
    uint64_t timeout = m->timeout_us != 0 ? m->timeout_us : ASK_NEVER;
    struct alias_call *c;
    struct alias_desk *d;
    struct alias *al = NULL;
    struct handle *h = NULL;
    struct call_why why;

    if (check_call(a, &al, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    c = calloc(1, sizeof(*c));
    a->parcels = calloc(1, sizeof(*a->parcels));
    if (c == NULL || a->parcels == NULL) {
        free(c);
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    a->n_parcels = 1;
    if (parcel_take(&a->parcels[0], a->by, al->thing.estate, m->args, "args", &why) != 0) {
        free(c);
        ask_fail_why(a, &why);
        return;
    }
    c->alias = al;
    thing_ref(&al->thing);
    c->ask = a;
    c->begun_at = loop_clock_us();
    d = al->desk;
    c->prev = d->last;
    if (d->last != NULL)
        d->last->next = c;
    else
        d->first = c;
    d->last = c;
    d->open++;
    ask_park(a, timeout, on_call_end, c);
    ask_through(a, h);
    offer_call(c);
}

/* ---- the parent ---------------------------------------------------------------------------------------------------------------------- */

static void on_next_end(struct ask *a, enum ask_end end)
{
    (void)end;
    unlink_next(a->thing, a);
}

static bool names_one(const Pb__Ref *r)
{
    return r != NULL && (r->handle != 0 || r->id[0] != '\0');
}

static int check_next(struct ask *a, struct alias_offers **ret, struct alias_desk **ret_desk, struct call_why *why)
{
    const Pb__AliasNext *m = a->message->alias_next;

    *ret = NULL;
    *ret_desk = alias_desk_of(a->by);
    if (*ret_desk == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    if (!names_one(m->interp) || alias_find_offers(a, m->interp, ret, why) == 0)
        return 0;
    if (why->error == CE(NOT_FOUND) && interp_has_ended(a->by, m->interp)) /* it took its offers with it */
        return call_refuse(why, CE(DEAD), "the interpreter has ended");
    return -1;
}

void call_alias_next(struct ask *a)
{
    struct alias_call *c, *following;
    struct alias_offers *o;
    struct alias_desk *d;
    struct call_why why;

    if (check_next(a, &o, &d, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    a->word = (uintptr_t)o;
    for (c = d->first; c != NULL; c = following) {
        following = c->next;
        if (wants(a, c) && hand_over(c, a) == 0)
            return;
    }
    a->next = NULL;
    a->prev = d->last_next;
    if (d->last_next != NULL)
        d->last_next->next = a;
    else
        d->nexts = a;
    d->last_next = a;
    ask_park(a, ASK_NEVER, on_next_end, d);
}

static void answer_value(struct alias_call *c, struct parcel *p)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__CallResult r = PB__CALL_RESULT__INIT;
    struct parcel_told told;
    struct call_why why;
    size_t bytes = parcel_bytes(p);

    if (parcel_give(p, c->ask->by, &told, &why) != 0) {
        fail_call(c, why.error, why.message);
        return;
    }
    r.value = &told.value;
    r.wall_us = loop_clock_us() - c->begun_at;
    m.body_case = PB__ANSWER__BODY_RESULT;
    m.result = &r;
    ask_reply(end_call(c, CE(NONE), bytes), &m);
    parcel_told_finish(&told);
}

static void answer_error(struct alias_call *c, Pb__JobError *e)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    f.error = CE(EXECUTION_FAILED);
    f.message = e->message;
    f.remote = e;
    ask_fail_with(end_call(c, CE(EXECUTION_FAILED), 0), &f);
}

static int check_done(struct ask *a, struct alias_call **ret, struct parcel *value, struct call_why *why)
{
    const Pb__AliasDone *m = a->message->alias_done;
    struct alias_desk *d = a->by->aliases;
    const Pb__JobError *e = m->error;

    *ret = NULL;
    if (d == NULL || m->number == 0 || m->number > d->last_number)
        return call_refuse(why, CE(BAD_REQUEST), "there was no such call");
    if (e != NULL && m->value != NULL)
        return call_refuse(why, CE(BAD_REQUEST), "a call ends with a value or with an error, not with both");
    if (e != NULL && (strlen(e->type) > 255 || strlen(e->message) > ERROR_TEXT_MAX || strlen(e->traceback) > ERROR_TEXT_MAX))
        return call_refuse(why, CE(TOO_BIG), "an error has a type of 255 bytes, a message and a traceback of %d", ERROR_TEXT_MAX);
    HASH_FIND(hh, d->pulled, &m->number, sizeof(m->number), *ret);
    if (*ret == NULL)
        return call_refuse(why, CE(NOT_FOUND), "who called has not waited for it");
    return parcel_take(value, a->by, (*ret)->alias->thing.estate, m->value, "value", why);
}

/* A value that cannot be sent leaves the call open: the parent is told, and may answer with something else. */
void call_alias_done(struct ask *a)
{
    struct parcel value = { 0 };
    struct alias_call *c;
    struct call_why why;

    if (check_done(a, &c, &value, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    if (a->message->alias_done->error != NULL)
        answer_error(c, a->message->alias_done->error);
    else
        answer_value(c, &value);
    parcel_finish(&value);
    ask_done(a);
}

/* ---- ends ---- */

void alias_end_nexts(struct alias_desk *d, const struct alias_offers *o)
{
    struct ask *a, *following;

    for (a = d->nexts; a != NULL; a = following) {
        following = a->next;
        if (a->word != (uintptr_t)o)
            continue;
        unlink_next(d, a);
        ask_fail(a, CE(DEAD), "the interpreter has ended");
    }
}

/* Calls that wait, then those that it has begun; each end may bring others to theirs. */
void alias_fail_calls(struct alias_desk *d)
{
    while (d->first != NULL)
        fail_call(d->first, CE(DEAD), "who offers it has ended");
    while (d->pulled != NULL)
        fail_call(d->pulled, CE(DEAD), "who offers it has ended");
}
