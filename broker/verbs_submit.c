/* verbs_submit.c - a job comes in; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* Somebody waits for the commit of a submit. */
struct submit_call {
    struct broker *broker;
    struct rep_way way;
    uint64_t tasks; /* of an array */
};

void verb_refuse_submit(struct broker *b, struct rep_way way, int rc, const struct jobs_refusal *no)
{
    Pb__ErrorCode code = rc == -EBUSY ? ER(TEMPORARY) : control_error_code(rc); /* it drains: another time, or another broker */

    control_refuse_hint(b, way, code, no->hint, "%s", no->why);
}

void verb_on_submitted(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct submit_call *call = ctx;
    struct broker *b = call->broker;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    if (status != 0) {
        control_refuse(b, call->way, ER(TEMPORARY), "the job was not accepted, it could not be stored in %s: %s", b->config.state_dir,
                       strerror(-status));
    } else {
        s.id = (char *)id;
        s.limits_effective = (Pb__Limits *)limits;
        s.existing = existing;
        s.tasks = call->tasks;
        r.body_case = PB__REPLY__BODY_SUBMIT;
        r.submit = &s;
        control_reply(b, call->way, &r);
    }
    free(call);
}

static uint64_t tasks_of(const Pb__JobSpec *spec)
{
    return spec->schedule != NULL && spec->schedule->array != NULL ? spec_array_tasks(spec->schedule->array) : 0;
}

/* ---- where it would stand ---------------------------------------------------------------------------------------------------------------- */

struct dry {
    char reason[JOBS_REASON];
    Pb__Why why;
};

/* The first that it would wait for; what cannot be waited for was refused before. */
static bool waits_for_others(struct control_call *c, const Pb__Schedule *s, char reason[JOBS_REASON])
{
    struct deps_list deps = { 0 };
    char why[DEPS_WHY];
    bool waits = false;

    if (s == NULL || deps_resolve(c->broker, c->actor.tenant, c->actor.queue, NULL, s->after, s->n_after, &deps, why) != 0)
        return false;
    for (size_t i = 0; i < deps.n && !waits; i++) {
        waits = !deps.deps[i].met;
        snprintf(reason, JOBS_REASON, "DEP:%s", deps.deps[i].on);
    }
    deps_list_finish(&deps);
    return waits;
}

static bool waits_for_limiter(const struct broker *b, const struct tenant *t, const Pb__Schedule *s, char reason[JOBS_REASON])
{
    for (size_t i = 0; s != NULL && i < s->n_limiters; i++) {
        const struct limiter *l = limiters_find(b, t->id, s->limiters[i]->key);

        if (l == NULL || l->sched.used + s->limiters[i]->n <= l->sched.max)
            continue;
        snprintf(reason, JOBS_REASON, "LIMITER:%.48s", s->limiters[i]->key);
        return true;
    }
    return false;
}

/* By how things are now, and in the order in which a job would meet them. "": it would begin. */
static void find_reason(struct control_call *c, const Pb__JobSpec *spec, char reason[JOBS_REASON])
{
    const struct broker *b = c->broker;
    const struct sched_tenant *t = &c->actor.tenant->sched;
    const char *word = "";

    if (spec->hold)
        word = "HELD_USER";
    else if (waits_for_others(c, spec->schedule, reason))
        return;
    else if (spec->schedule != NULL && spec->schedule->not_before_us > loop_wall_us())
        word = "NOT_BEFORE";
    else if (waits_for_limiter(b, c->actor.tenant, spec->schedule, reason))
        return;
    else if (t->max_running != 0 && t->running >= t->max_running)
        word = "QUOTA_RUNNING";
    else if (b->pool.busy >= b->config.workers)
        word = "NO_SLOT";
    snprintf(reason, JOBS_REASON, "%s", word);
}

static Pb__Why *fill_dry(struct control_call *c, const Pb__JobSpec *spec, struct dry *d)
{
    const struct broker *b = c->broker;
    const struct sched_tenant *t = &c->actor.tenant->sched;

    find_reason(c, spec, d->reason);
    pb__why__init(&d->why);
    d->why.reason = d->reason;
    d->why.text = (char *)jobs_reason_text(d->reason);
    d->why.share = sched_share(b->tenants.sched, t, b->loop.now_us);
    d->why.entitled = sched_entitled(b->tenants.sched, t);
    d->why.running = t->running;
    d->why.max_running = t->max_running;
    return &d->why;
}

static void reply_dry(struct control_call *c, Pb__JobSpec *spec, char *id)
{
    struct dry dry;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    spec_strip(spec);
    s.id = id; /* of the one that is there by its key already, else "" */
    s.existing = id[0] != '\0';
    s.limits_effective = spec->limits;
    s.effective = spec;
    s.tasks = tasks_of(spec);
    s.why = !s.existing && (spec->schedule == NULL || spec->schedule->cron[0] == '\0') ? fill_dry(c, spec, &dry) : NULL;
    r.body_case = PB__REPLY__BODY_SUBMIT;
    r.submit = &s;
    control_reply(c->broker, c->way, &r);
}

void *verb_submit_call(const struct control_call *c, uint64_t tasks)
{
    struct submit_call *call = malloc(sizeof(*call));

    if (call != NULL)
        *call = (struct submit_call){ c->broker, c->way, tasks };
    return call;
}

/* The answer waits for the commit. */
void verb_submit(struct control_call *c)
{
    Pb__JobSpec *spec = c->request->submit->spec;
    struct jobs_order order = {
        .tenant = c->actor.tenant, .user = c->actor.name, .queue = c->actor.queue, .spec = spec, .dry_run = c->request->submit->dry_run
    };
    Pb__Limits defaults = PB__LIMITS__INIT;
    struct submit_call *call = NULL;
    struct jobs_refusal no;
    char id[ULID_LEN + 1];
    const char *queue;
    uint64_t tasks;
    int rc;

    if (spec == NULL) {
        control_refuse(c->broker, c->way, ER(USAGE), "a submit without a job spec");
        return;
    }
    if (actor_settle_queue(&c->actor, spec->queue, &queue) != 0) {
        control_refuse(c->broker, c->way, ER(PERMISSION), "the token is for the queue '%s' alone", c->actor.queue);
        return;
    }
    spec->queue = (char *)queue;
    if (spec->limits == NULL)
        spec->limits = &defaults;
    if (!order.dry_run) {
        call = verb_submit_call(c, tasks_of(spec));
        if (call == NULL) {
            control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
            return;
        }
    }
    order.done = verb_on_submitted;
    order.ctx = call;
    rc = plans_submit(c->broker, &order, id, &tasks, &no);
    if (rc != 0) {
        verb_refuse_submit(c->broker, c->way, rc, &no);
        free(call);
    } else if (order.dry_run) {
        reply_dry(c, spec, id);
    }
    if (spec->limits == &defaults)
        spec->limits = NULL;
}
