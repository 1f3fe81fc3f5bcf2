/* tenant_requests.c - what control.proto asks about tenants and what they have used; see control_verbs.h and tenants.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* What cannot be seen is not there, in these words and no others. */
static void refuse_absent(struct control_call *c, const char *name)
{
    control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no tenant %.64s", name);
}

/* ---- answers ---- */

static void reply_tenants(struct broker *b, struct rep_way way, const struct tenant *const *list, size_t n)
{
    struct tenant_pb *pb = calloc(n + 1, sizeof(*pb));
    Pb__Tenant **pointers = calloc(n + 1, sizeof(Pb__Tenant *));
    Pb__TenantReply m = PB__TENANT_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    if (pb == NULL || pointers == NULL) {
        control_refuse(b, way, ER(TEMPORARY), "out of memory");
    } else {
        for (size_t i = 0; i < n; i++) {
            tenant_to_pb(list[i], &pb[i]);
            pointers[i] = &pb[i].message;
        }
        m.n_tenants = n;
        m.tenants = pointers;
        r.body_case = PB__REPLY__BODY_TENANTS;
        r.tenants = &m;
        control_reply(b, way, &r);
    }
    free(pb);
    free(pointers);
}

static void answer_set(struct admin_act *a, int status)
{
    const struct tenant *t = tenants_find(&a->broker->tenants, a->id);

    if (status != 0)
        control_refuse(a->broker, a->way, ER(TEMPORARY),
                       "tenant %s: it holds for now, but could not be stored (%s), and goes with the broker; say it again later",
                       a->record.object, strerror(-status));
    else if (t != NULL)
        reply_tenants(a->broker, a->way, &t, 1);
    else
        control_refuse(a->broker, a->way, ER(NOT_FOUND), "there is no tenant %.64s", a->record.object);
}

/* ---- requests ---- */

static void put_mask(const Pb__TenantSet *q, char *ret, size_t size)
{
    size_t at = 0;

    ret[0] = '\0';
    for (size_t i = 0; i < q->n_mask && at < size; i++) {
        int n = snprintf(ret + at, size - at, "%s%s", i > 0 ? " " : "", q->mask[i]);

        at += n > 0 ? (size_t)n : 0;
    }
}

void verb_tenant_set(struct control_call *c)
{
    const Pb__TenantSet *q = c->request->tenant_set;
    char why[TENANT_WHY], mask[256];
    struct tenant *t = NULL;
    struct store_op *op;
    struct admin_act *a;
    int rc;

    if (q->tenant != NULL && q->tenant->name[0] == '\0' && !q->create)
        q->tenant->name = c->actor.tenant->name;
    rc = tenants_set(&c->broker->tenants, &c->actor, q, &t, why);
    if (rc != 0) {
        control_refuse(c->broker, c->way, control_error_code(rc), "%s", rc == -ENOMEM ? "out of memory" : why);
        return;
    }
    jobs_dispatch(&c->broker->jobs); /* a gate may be open now, or wider */
    put_mask(q, mask, sizeof(mask));
    a = admin_act_new(c, q->create ? "tenant.create" : "tenant.set", t->name, t->id, "%s", mask);
    if (a == NULL)
        return;
    op = tenant_put_op(t);
    a->id = t->id;
    a->answer = answer_set;
    if (op != NULL) {
        admin_act_push(a, op);
    } else {
        answer_set(a, -ENOMEM);
        admin_act_free(a);
    }
}

void verb_tenant_get(struct control_call *c)
{
    const char *name = c->request->tenant_get->name;
    const struct tenant *t = name[0] == '\0' ? c->actor.tenant : tenants_named(&c->broker->tenants, name);

    if (t == NULL || !actor_sees_tenant(&c->actor, t))
        refuse_absent(c, name);
    else
        reply_tenants(c->broker, c->way, &t, 1);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct tenant *const *)a)->name, (*(const struct tenant *const *)b)->name);
}

void verb_tenant_ls(struct control_call *c)
{
    const struct tenants *all = &c->broker->tenants;
    const struct tenant **list = calloc(HASH_COUNT(all->by_id) + 1, sizeof(*list));
    size_t n = 0;

    if (list == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    for (const struct tenant *t = all->by_id; t != NULL; t = t->hh.next)
        if (actor_sees_tenant(&c->actor, t))
            list[n++] = t;
    qsort(list, n, sizeof(*list), by_name);
    reply_tenants(c->broker, c->way, list, n);
    free(list);
}

static void answer_remove(struct admin_act *a, int status)
{
    struct broker *b = a->broker;
    struct tenant *t = tenants_find(&b->tenants, a->id);

    if (t != NULL) {
        t->state = (enum tenant_state)(uintptr_t)a->thing;
        t->removing = false;
    }
    if (status == 0 && t != NULL) {
        tokens_drop_of(&b->tokens, t);
        status = tenants_drop(&b->tenants, t);
    }
    if (status == 0)
        reply_tenants(b, a->way, NULL, 0);
    else
        control_refuse(b, a->way, status == -EBUSY ? ER(CONFLICT) : ER(TEMPORARY), "tenant %s was not removed: %s", a->record.object,
                       status == -EBUSY ? "it has jobs (ended ones too: coop rm), cron entries or tenants below it" : strerror(-status));
}

/* Why it may not go; NULL: it may, as far as is known here. */
static const char *what_stays(const struct control_call *c, const struct tenant *t)
{
    if (t->id < TENANT_FIRST_NAMED)
        return "it is a local user's, and would be there again with the next request";
    if (t == c->actor.tenant)
        return "it is your own";
    if (t->children > 0)
        return "there are tenants below it";
    if (t->own_jobs > 0 || t->interpreters > 0)
        return "it has jobs";
    if (t->crons > 0)
        return "it has cron entries";
    if (t->tokens_making > 0)
        return "a token of it is being made";
    if (t->removing)
        return "it is being removed already";
    return tokens_good_of(&c->broker->tokens, t, loop_wall_us()) > 0 ? "it has tokens; revoke them first" : NULL;
}

void verb_tenant_remove(struct control_call *c)
{
    const char *name = c->request->tenant_remove->name, *why;
    struct tenant *t = tenants_named(&c->broker->tenants, name);
    struct store_op *op;
    struct admin_act *a;

    if (t == NULL || !actor_sees_tenant(&c->actor, t)) {
        refuse_absent(c, name);
        return;
    }
    why = what_stays(c, t);
    if (why != NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "tenant %s is not removed: %s", t->name, why);
        return;
    }
    a = admin_act_new(c, "tenant.remove", t->name, t->id, "%s", "");
    if (a == NULL)
        return;
    op = store_op_new(STORE_TENANT_REMOVE, "");
    a->answer = answer_remove;
    a->id = t->id;
    a->thing = (void *)(uintptr_t)t->state;
    if (op == NULL) {
        answer_remove(a, -ENOMEM);
        admin_act_free(a);
        return;
    }
    op->tenant.id = t->id;
    t->removing = true;
    t->state = TENANT_SUSPENDED; /* until the commit nothing new comes of it */
    admin_act_push(a, op);
}

/* ---- what was used ---- */

enum { USAGE_DAYS = 30, USAGE_ROWS = 20000 };

struct usage_list {
    struct control_call *c;
    Pb__UsageDay *days;
    size_t n, cap;
};

static int take_day(void *ctx, const struct store_usage *u)
{
    struct usage_list *l = ctx;
    const struct tenant *t = tenants_find(&l->c->broker->tenants, u->tenant);
    Pb__UsageDay *d;

    if (t == NULL || !actor_sees_tenant(&l->c->actor, t))
        return 0;
    if (l->n == USAGE_ROWS)
        return -E2BIG;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        Pb__UsageDay *more = realloc(l->days, cap * sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        l->days = more;
        l->cap = cap;
    }
    d = &l->days[l->n++];
    pb__usage_day__init(d);
    d->tenant = (char *)t->name;
    d->day_us = u->day * TENANT_DAY_US;
    d->jobs = u->jobs;
    d->failed = u->failed;
    d->refused = u->refused;
    d->cpu_us = u->cpu_us;
    d->mib_s = u->mib_us / 1000000;
    d->wall_us = u->wall_us;
    return 0;
}

static void reply_usage(struct control_call *c, const struct usage_list *l)
{
    Pb__UsageDay **pointers = calloc(l->n + 1, sizeof(Pb__UsageDay *));
    Pb__UsageReply m = PB__USAGE_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    if (pointers == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    for (size_t i = 0; i < l->n; i++)
        pointers[i] = &l->days[i];
    m.n_days = l->n;
    m.days = pointers;
    r.body_case = PB__REPLY__BODY_USAGE;
    r.usage = &m;
    control_reply(c->broker, c->way, &r);
    free(pointers);
}

void verb_usage(struct control_call *c)
{
    const Pb__GetUsage *q = c->request->usage;
    bool all = strcmp(q->tenant, "*") == 0;
    const struct tenant *t = q->tenant[0] == '\0' ? c->actor.tenant : all ? NULL : tenants_named(&c->broker->tenants, q->tenant);
    uint64_t to = q->to_us != 0 ? (q->to_us + TENANT_DAY_US - 1) / TENANT_DAY_US : loop_wall_us() / TENANT_DAY_US + 1;
    uint64_t from = q->from_us != 0 ? q->from_us / TENANT_DAY_US : to > USAGE_DAYS ? to - USAGE_DAYS : 0;
    struct usage_list l = { .c = c };
    int rc;

    if (!all && (t == NULL || !actor_sees_tenant(&c->actor, t))) {
        refuse_absent(c, q->tenant);
        return;
    }
    if (to > INT64_MAX / TENANT_DAY_US || from >= to) {
        control_refuse(c->broker, c->way, ER(USAGE), "usage: from has to come before to");
        return;
    }
    rc = store_each_usage(c->broker->store, t != NULL ? &t->id : NULL, t != NULL, from, to, take_day, &l);
    if (rc == 0)
        reply_usage(c, &l);
    else
        control_refuse(c->broker, c->way, rc == -E2BIG ? ER(USAGE) : ER(INTERNAL), "usage: %s",
                       rc == -E2BIG ? "more days and tenants than one answer holds; ask for fewer" : strerror(-rc));
    free(l.days);
}
