/* verbs_show.c - one job: its receipt, and all that is known of it; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/spec_check.h"
#include "broker/stored.h"
#include "broker/webhook_check.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

static void refuse_store(struct control_call *c, int rc)
{
    control_refuse(c->broker, c->way, rc == -ENOENT ? ER(NOT_FOUND) : ER(INTERNAL), "job %s cannot be read: %s", c->id, strerror(-rc));
}

void verb_result(struct control_call *c)
{
    Pb__Reply r = PB__REPLY__INIT;
    struct stored s;
    int rc;

    if (jobs_lives(&c->broker->jobs, c->id)) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "job %s has not ended; wait for it first (coop wait)", c->id);
        return;
    }
    rc = stored_read(c->broker, c->id, &s);
    if (rc != 0 || s.receipt.msg == NULL) {
        refuse_store(c, rc != 0 ? rc : -ENOENT);
        return;
    }
    r.body_case = PB__REPLY__BODY_RESULT;
    r.result = (Pb__Receipt *)s.receipt.msg;
    control_reply(c->broker, c->way, &r);
    frame_release(&s.receipt);
}

/* All that one answer is made of. */
struct show {
    struct stored stored;
    struct frame spec;
    Pb__JobStatus status;
    struct jobs_why why_is;
    Pb__Why why;
    struct webhook_states hooks;
    struct job past; /* its attempts, of one that is only in the store */
};

static int take_attempt(void *ctx, const struct store_attempt *a)
{
    return job_add_attempt(ctx, a);
}

void verb_fill_why(struct broker *b, const struct waiting *w, struct jobs_why *own, Pb__Why *ret)
{
    const struct sched_why *sched = &own->sched;

    jobs_why(&b->jobs, w, own);
    pb__why__init(ret);
    ret->reason = own->reason;
    ret->text = own->text;
    ret->position = sched->position;
    ret->ahead_own = sched->ahead_own;
    ret->estimate_us = sched->estimate_us;
    ret->share = sched_share(b->tenants.sched, &w->tenant->sched, b->loop.now_us);
    ret->entitled = sched_entitled(b->tenants.sched, &w->tenant->sched);
    ret->running = w->tenant->sched.running;
    ret->max_running = w->tenant->sched.max_running;
}

static void fill_why(struct broker *b, const struct waiting *w, struct show *s)
{
    verb_fill_why(b, w, &s->why_is, &s->why);
    s->status.reason = s->why_is.reason;
}

static int read_show(struct control_call *c, struct show *s)
{
    struct broker *b = c->broker;
    const struct waiting *w = waiting_find(&b->jobs.table, c->id);
    const struct job *job = w != NULL ? w->job : jobs_find(&b->jobs, c->id);
    int rc = stored_read(b, c->id, &s->stored);
    bool unstored = rc == -ENOENT && job != NULL && job->spec != NULL;

    if (rc != 0 && !unstored)
        return rc;
    if (unstored) /* its spec is with it: an interpreter begins before it is committed */
        rc = store_decode_spec(&s->spec, job->spec, job->spec_len);
    else
        rc = stored_spec(b, c->id, &s->spec);
    s->status = s->stored.status;
    if (job != NULL)
        jobs_status(job, &s->status);
    else if (w != NULL)
        jobs_status_slim(&b->jobs, w, &s->status);
    if (w != NULL && (job_waits((Pb__State)w->state) || w->state == PB__STATE__STATE_CLAIMED))
        fill_why(b, w, s);
    if (rc == 0 && job == NULL)
        rc = store_each_attempt(b->store, c->id, take_attempt, &s->past);
    if (!unstored) {
        s->status.queue = s->stored.job.queue;
        s->status.array_id = s->stored.job.array_id;
    }
    return rc;
}

void verb_show(struct control_call *c)
{
    const struct job *job = jobs_find(&c->broker->jobs, c->id);
    struct show *s = calloc(1, sizeof(*s));
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ShowReply show = PB__SHOW_REPLY__INIT;
    int rc = s != NULL ? read_show(c, s) : -ENOMEM;

    if (rc != 0) {
        refuse_store(c, rc);
    } else {
        show.status = &s->status;
        show.spec = (Pb__JobSpec *)s->spec.msg;
        spec_strip(show.spec);
        s->status.labels = show.spec->labels;
        s->status.n_labels = show.spec->n_labels;
        show.receipt = (Pb__Receipt *)s->stored.receipt.msg;
        show.why = s->why.base.descriptor != NULL ? &s->why : NULL;
        show.attempts = job != NULL ? job->attempts : s->past.attempts;
        show.n_attempts = job != NULL ? job->n_attempts : s->past.n_attempts;
        webhook_states(&c->broker->webhooks, s->status.array_id[0] != '\0' ? s->status.array_id : c->id, show.spec, &s->hooks, &show);
        r.body_case = PB__REPLY__BODY_SHOW;
        r.show = &show;
        control_reply(c->broker, c->way, &r);
    }
    if (s == NULL)
        return;
    jobs_drop_attempts(&s->past);
    frame_release(&s->spec);
    frame_release(&s->stored.receipt);
    free(s);
}
