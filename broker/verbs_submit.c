/* verbs_submit.c - a job comes in; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
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

static void reply_dry(struct control_call *c, Pb__JobSpec *spec, char *id)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    spec_strip(spec);
    s.id = id; /* of the one that is there by its key already, else "" */
    s.existing = id[0] != '\0';
    s.limits_effective = spec->limits;
    s.effective = spec;
    s.tasks = tasks_of(spec);
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
