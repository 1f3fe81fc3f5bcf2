/* admin_log.c - see admin_log.h. */
#include "broker/admin_log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "frame.h"
#include "log.h"

/* ---- the record ---- */

__attribute__((format(printf, 6, 0))) static void fill(struct store_admin_act *r, const struct actor *by, const char *verb,
                                                       const char *object, uint64_t tenant, const char *detail, va_list ap)
{
    *r = (struct store_admin_act){ .at_us = loop_wall_us(), .tenant = tenant };
    snprintf(r->actor, sizeof(r->actor), "%s", by->name);
    snprintf(r->verb, sizeof(r->verb), "%s", verb);
    snprintf(r->object, sizeof(r->object), "%s", object);
    vsnprintf(r->detail, sizeof(r->detail), detail, ap);
    frame_make_utf8(r->object); /* cut inside a letter */
    frame_make_utf8(r->detail);
}

static void tell(const struct store_admin_act *r)
{
    log_event(LOG_LEVEL_INFO, "admin", "actor=%s verb=%s object=\"%s\"", r->actor, r->verb, r->object);
}

void admin_log(struct broker *b, const struct actor *by, const char *verb, const char *object, uint64_t tenant, const char *detail, ...)
{
    struct store_op *op = store_op_new(STORE_ADMIN_ACT, "");
    struct store_admin_act r;
    va_list ap;

    va_start(ap, detail);
    fill(&r, by, verb, object, tenant, detail, ap);
    va_end(ap);
    tell(&r);
    if (op == NULL) {
        log_event(LOG_LEVEL_ERROR, "admin_unrecorded", "verb=%s error=\"%s\"", verb, strerror(ENOMEM));
        return;
    }
    op->admin_act = r;
    store_push(b->store, op);
}

/* ---- an act ---- */

struct admin_act *admin_act_new(const struct control_call *c, const char *verb, const char *object, uint64_t tenant, const char *detail,
                                ...)
{
    struct admin_act *a = calloc(1, sizeof(*a));
    va_list ap;

    if (a == NULL) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_TEMPORARY, "out of memory");
        return NULL;
    }
    a->broker = c->broker;
    a->way = c->way;
    va_start(ap, detail);
    fill(&a->record, &c->actor, verb, object, tenant, detail, ap);
    va_end(ap);
    return a;
}

void admin_act_free(struct admin_act *a)
{
    if (a != NULL)
        explicit_bzero(a->secret, sizeof(a->secret));
    free(a);
}

static void finish(struct admin_act *a, int status)
{
    a->answer(a, status);
    admin_act_free(a);
}

static void on_recorded(struct store_op *op)
{
    if (op->status != 0)
        log_event(LOG_LEVEL_ERROR, "admin_unrecorded", "verb=%s error=\"%s\"", op->admin_act.verb, strerror(-op->status));
    finish(op->owner, op->status);
}

static void record(struct admin_act *a)
{
    struct store_op *op = store_op_new(STORE_ADMIN_ACT, "");

    if (op == NULL) {
        finish(a, -ENOMEM);
        return;
    }
    tell(&a->record);
    op->admin_act = a->record;
    op->owner = a;
    op->done = on_recorded;
    store_push(a->broker->store, op);
}

static void on_changed(struct store_op *op)
{
    struct admin_act *a = op->owner;

    if (op->status == 0)
        record(a);
    else
        finish(a, op->status);
}

void admin_act_push(struct admin_act *a, struct store_op *op)
{
    if (op == NULL) {
        record(a);
        return;
    }
    op->owner = a;
    op->done = on_changed;
    store_push(a->broker->store, op);
}

/* ---- looking ---- */

enum { LIST_DEFAULT = 50, LIST_MAX = 1000, LIST_SLICE = 256, LIST_LOOK = 20000 };

static bool may_see(const struct control_call *c, const struct store_admin_act *r)
{
    return actor_sees(c->broker, &c->actor, r->tenant, c->actor.queue);
}

static void fill_pb(const struct broker *b, const struct store_admin_act *r, Pb__AdminAct *ret)
{
    const struct tenant *t = tenants_find(&b->tenants, r->tenant);

    pb__admin_act__init(ret);
    ret->seq = r->seq;
    ret->at_us = r->at_us;
    ret->actor = (char *)r->actor;
    ret->tenant = (char *)(t != NULL ? t->name : "");
    ret->verb = (char *)r->verb;
    ret->object = (char *)r->object;
    ret->detail = (char *)r->detail;
}

/* Those that this actor sees, up to max. Bounded: of a long log of others it looks at the end only, and says that there is more. */
static int collect(struct control_call *c, uint64_t before, struct store_admin_act *rows, int max, bool *ret_more)
{
    struct store_admin_act *slice = malloc(LIST_SLICE * sizeof(*slice));
    int n = 0, got = LIST_SLICE, looked = 0;

    if (slice == NULL)
        return -ENOMEM;
    *ret_more = false;
    while (got == LIST_SLICE && looked < LIST_LOOK && !*ret_more) {
        got = store_admin_list(c->broker->store, before, slice, LIST_SLICE);
        looked += LIST_SLICE;
        for (int i = 0; i < got; i++) {
            before = slice[i].seq;
            if (!may_see(c, &slice[i]))
                continue;
            if (n == max) {
                *ret_more = true;
                break;
            }
            rows[n++] = slice[i];
        }
    }
    *ret_more = *ret_more || (got == LIST_SLICE && looked >= LIST_LOOK);
    free(slice);
    return got < 0 ? got : n;
}

void verb_admin_log(struct control_call *c)
{
    const Pb__AdminLog *q = c->request->admin_log;
    int max = q->limit == 0 ? LIST_DEFAULT : q->limit > LIST_MAX ? LIST_MAX : (int)q->limit, n;
    struct store_admin_act *rows = calloc((size_t)max, sizeof(*rows));
    Pb__AdminAct *acts = calloc((size_t)max, sizeof(*acts)), **pointers = calloc((size_t)max, sizeof(Pb__AdminAct *));
    Pb__AdminLogReply log = PB__ADMIN_LOG_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    bool more = false;

    n = rows != NULL && acts != NULL && pointers != NULL ? collect(c, q->before, rows, max, &more) : -ENOMEM;
    if (n < 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_INTERNAL, "the log of acts cannot be read: %s", strerror(-n));
    } else {
        for (int i = 0; i < n; i++) {
            fill_pb(c->broker, &rows[i], &acts[i]);
            pointers[i] = &acts[i];
        }
        log.n_acts = (size_t)n;
        log.acts = pointers;
        log.more = more;
        r.body_case = PB__REPLY__BODY_ADMIN_LOG;
        r.admin_log = &log;
        control_reply(c->broker, c->way, &r);
    }
    free(rows);
    free(acts);
    free(pointers);
}
