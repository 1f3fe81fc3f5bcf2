/* limiter_verbs.c - what host programs ask of limiters; see limiters.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/limiters.h"
#include "broker/plans_own.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
enum { LS_MAX = 10000 };

static void fill(const struct broker *b, const struct limiter *l, Pb__Limiter *ret)
{
    const struct tenant *t = tenants_find(&b->tenants, l->name.tenant);

    pb__limiter__init(ret);
    ret->key = (char *)l->name.key;
    ret->max = l->sched.max;
    ret->used = l->sched.used;
    ret->waiting = sched_limiter_waiting(&l->sched);
    ret->tenant = t != NULL ? (char *)t->name : (char *)"";
}

static void answer(struct broker *b, struct rep_way way, Pb__Limiter **list, size_t n)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__LimiterReply l = PB__LIMITER_REPLY__INIT;

    l.limiters = list;
    l.n_limiters = n;
    r.body_case = PB__REPLY__BODY_LIMITERS;
    r.limiters = &l;
    control_reply(b, way, &r);
}

static void answer_one(struct broker *b, struct rep_way way, const struct limiter *l)
{
    Pb__Limiter one, *list = &one;

    if (l != NULL)
        fill(b, l, &one);
    answer(b, way, &list, l != NULL);
}

/* ---- set ------------------------------------------------------------------------------------------------------------------------------------ */

static void on_put(struct store_op *op)
{
    struct plans_call *call = op->owner;
    struct limiter *l = op->status == 0 ? limiters_put(call->broker, op->limiter.tenant, op->limiter.key, op->limiter.max) : NULL;

    if (op->status != 0 || l == NULL) /* without memory it is there again after a restart, and its like is refused until then */
        plans_refuse_store(call, "the limiter", op->status != 0 ? op->status : -ENOMEM);
    else
        answer_one(call->broker, call->way, l);
    if (l != NULL)
        jobs_dispatch(&call->broker->jobs); /* it may have been raised */
    free(call);
}

static void on_removed(struct store_op *op)
{
    struct plans_call *call = op->owner;
    struct limiter *l = limiters_find(call->broker, op->limiter.tenant, op->limiter.key);
    bool gone = op->status == 0 || op->status == -ENOENT;

    if (l != NULL)
        l->removing = false;
    if (gone && l != NULL)
        limiters_drop(call->broker, l);
    if (gone)
        answer_one(call->broker, call->way, NULL);
    else
        plans_refuse_store(call, "the limiter", op->status);
    free(call);
}

static unsigned count_of(const struct broker *b, uint64_t tenant)
{
    struct limiter *l, *next;
    unsigned n = 0;

    HASH_ITER (hh, b->plans.limiters.all, l, next)
        n += l->name.tenant == tenant;
    return n;
}

static void push(struct control_call *c, enum store_kind kind, const struct tenant *t, const Pb__LimiterSet *set,
                 void (*done)(struct store_op *op))
{
    struct store_op *op = store_op_new(kind, "");
    struct plans_call *call = plans_call_new(c);

    if (op == NULL || call == NULL) {
        store_op_free(op);
        free(call);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    op->limiter.tenant = t->id;
    op->limiter.max = set->max;
    memcpy(op->limiter.key, set->key, strlen(set->key) + 1); /* checked */
    op->owner = call;
    op->done = done;
    if (kind == STORE_LIMITER_PUT) /* before it: whoever has the answer finds the record */
        admin_log(c->broker, &c->actor, "limiter.set", set->key, t->id, "max=%u", set->max);
    else
        admin_log(c->broker, &c->actor, "limiter.rm", set->key, t->id, "%s", "");
    store_push(c->broker->store, op);
}

static void remove_one(struct control_call *c, const struct tenant *t, struct limiter *l)
{
    const Pb__LimiterSet *set = c->request->limiter_set;

    if (l == NULL || l->removing) {
        control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no limiter %s", set->key);
        return;
    }
    if (sched_limiter_known(&l->sched)) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "jobs that wait or run name limiter %s; with max 0 no more of them begin",
                       set->key);
        return;
    }
    l->removing = true;
    push(c, STORE_LIMITER_REMOVE, t, set, on_removed);
}

void verb_limiter_set(struct control_call *c)
{
    const Pb__LimiterSet *set = c->request->limiter_set;
    struct broker *b = c->broker;
    struct tenant *t = plans_tenant_to_change(c, set->tenant);
    char why[LIMITERS_WHY];
    struct limiter *l;

    if (t == NULL)
        return;
    if (!limiters_key_ok(set->key, why)) {
        control_refuse(b, c->way, ER(USAGE), "%s", why);
        return;
    }
    l = limiters_find(b, t->id, set->key);
    if (set->remove) {
        remove_one(c, t, l);
        return;
    }
    if (l != NULL && l->removing) {
        control_refuse(b, c->way, ER(CONFLICT), "limiter %s is being removed", set->key);
        return;
    }
    if (l == NULL && count_of(b, t->id) >= LIMITERS_MAX) {
        control_refuse(b, c->way, ER(QUOTA), "tenant %s has %d limiters, and no more can be had", t->name, LIMITERS_MAX);
        return;
    }
    push(c, STORE_LIMITER_PUT, t, set, on_put);
}

/* ---- ls ----------------------------------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const Pb__Limiter *x = *(Pb__Limiter *const *)a, *y = *(Pb__Limiter *const *)b;
    int by_tenant = strcmp(x->tenant, y->tenant);

    return by_tenant != 0 ? by_tenant : strcmp(x->key, y->key);
}

void verb_limiter_ls(struct control_call *c)
{
    struct broker *b = c->broker;
    struct plans_scope scope;
    size_t n = 0, max = HASH_COUNT(b->plans.limiters.all);
    struct limiter *l, *next;
    Pb__Limiter *list, **pointers;

    if (!plans_scope_of(c, c->request->limiter_ls->tenant, &scope))
        return;
    max = max < LS_MAX ? max : LS_MAX;
    list = calloc(max + 1, sizeof(*list));
    pointers = calloc(max + 1, sizeof(Pb__Limiter *));
    if (list == NULL || pointers == NULL) {
        control_refuse(b, c->way, ER(TEMPORARY), "out of memory");
    } else {
        HASH_ITER (hh, b->plans.limiters.all, l, next) {
            if (n == max || l->removing || !plans_in_scope(c, &scope, l->name.tenant))
                continue;
            fill(b, l, &list[n]);
            pointers[n] = &list[n];
            n++;
        }
        qsort(pointers, n, sizeof(Pb__Limiter *), by_name);
        answer(b, c->way, pointers, n);
    }
    free(list);
    free(pointers);
}
