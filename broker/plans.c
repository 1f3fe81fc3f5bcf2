/* plans.c - see plans.h: the parts in their order, and what they share. */
#include "broker/plans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/plans_own.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

void plans_init(struct broker *b)
{
    b->plans = (struct plans){ 0 };
    b->plans.crons.clock.watch.fd = b->plans.retention.clock.watch.fd = -1;
    b->plans.crons.wall_us = loop_wall_us;
    deps_init(b);
}

int plans_load(struct broker *b)
{
    int rc = limiters_load(b);

    return rc == 0 ? arrays_load(b) : rc;
}

int plans_recover(struct broker *b)
{
    int rc = deps_recover(b);

    if (rc == 0)
        arrays_recover(b);
    return rc;
}

int plans_start(struct broker *b)
{
    int rc;

    arrays_start(b); /* its listener first: the others ask it */
    deps_start(b);
    rc = crons_load(b);
    if (rc == 0)
        crons_start(b);
    if (rc == 0)
        retention_start(b);
    return rc;
}

void plans_finish(struct broker *b)
{
    retention_finish(b);
    crons_finish(b);
    deps_finish(b);
    arrays_finish(b);
}

void plans_free(struct broker *b)
{
    crons_free(b);
    arrays_free(b);
    limiters_finish(b);
}

int plans_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], uint64_t *ret_tasks, struct jobs_refusal *no)
{
    const Pb__Schedule *s = o->spec->schedule;

    *ret_tasks = 0;
    if (s != NULL && s->cron[0] != '\0')
        return crons_submit(b, o, ret_id, no);
    if (s != NULL && s->array != NULL)
        return arrays_submit(b, o, ret_id, ret_tasks, no);
    return jobs_submit(&b->jobs, o, ret_id, no);
}

/* ---- requests -------------------------------------------------------------------------------------------------------------------------------- */

struct plans_call *plans_call_new(const struct control_call *c)
{
    struct plans_call *call = calloc(1, sizeof(*call));

    if (call != NULL)
        *call = (struct plans_call){ .broker = c->broker, .way = c->way };
    return call;
}

void plans_refuse_store(const struct plans_call *call, const char *what, int status)
{
    control_refuse(call->broker, call->way, ER(TEMPORARY), "%s was not changed, it could not be stored in %s: %s", what,
                   call->broker->config.state_dir, strerror(-status));
}

static struct tenant *named(struct control_call *c, const char *name)
{
    struct tenant *t = name[0] == '\0' ? c->actor.tenant : tenants_named(&c->broker->tenants, name);

    if (t != NULL && actor_sees_tenant(&c->actor, t))
        return t;
    control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no tenant %.64s", name);
    return NULL;
}

struct tenant *plans_tenant_to_change(struct control_call *c, const char *name)
{
    struct tenant *t = named(c, name);

    if (t == NULL)
        return NULL;
    if (c->actor.queue[0] != '\0') {
        control_refuse(c->broker, c->way, ER(PERMISSION),
                       "this token is bound to queue %s; what holds for the whole tenant is not its to change", c->actor.queue);
        return NULL;
    }
    if (t != c->actor.tenant && !actor_may(&c->actor, ACTOR_ADMIN)) {
        control_refuse(c->broker, c->way, ER(PERMISSION), "tenant %s is another; admin is needed", t->name);
        return NULL;
    }
    return t;
}

bool plans_scope_of(struct control_call *c, const char *name, struct plans_scope *ret)
{
    *ret = (struct plans_scope){ 0 };
    if (strcmp(name, "*") == 0)
        return true;
    ret->one = named(c, name);
    return ret->one != NULL;
}

bool plans_in_scope(const struct control_call *c, const struct plans_scope *s, uint64_t tenant)
{
    const struct tenant *t = tenants_find(&c->broker->tenants, tenant);

    return t != NULL && (s->one != NULL ? t == s->one : actor_sees_tenant(&c->actor, t));
}
