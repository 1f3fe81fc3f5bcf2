/* verbs_again.c - a job that has ended is submitted once more, or goes; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/spec_check.h"
#include "broker/spool.h"
#include "broker/stored.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* ---- retry -------------------------------------------------------------------------------------------------------------------------------------- */

static void submit_again(struct control_call *c, struct tenant *t, Pb__JobSpec *spec)
{
    struct jobs_order o = { .tenant = t, .user = c->actor.name, .spec = spec };
    struct jobs_refusal no = { "out of memory", "" };
    char id[ULID_LEN + 1];
    int rc = -ENOMEM;

    o.done = verb_on_submitted;
    o.ctx = verb_submit_call(c, 0);
    if (o.ctx != NULL) {
        spec_make_anew(spec);
        rc = jobs_submit(&c->broker->jobs, &o, id, &no);
    }
    if (rc == 0)
        return;
    free(o.ctx);
    verb_refuse_submit(c->broker, c->way, rc, &no);
}

void verb_retry(struct control_call *c)
{
    struct broker *b = c->broker;
    struct frame spec = { 0 };
    struct store_job row;
    struct tenant *t = NULL;
    int rc = store_find(b->store, c->id, &row);

    if (rc == 0 && (row.lives != STORE_LIVES_NOT || row.builds)) {
        control_refuse(b, c->way, ER(CONFLICT), "job %s is an interpreter, or the init of a template: make another", c->id);
        return;
    }
    if (rc == 0 && !c->request->retry->clone && jobs_lives(&b->jobs, c->id)) {
        verb_refuse_state(c, "it has not ended; a clone does not wait for that");
        return;
    }
    if (rc == 0 && row.array_id[0] != '\0') {
        array_retry_task(c, &row);
        return;
    }
    if (rc == 0)
        rc = stored_spec(b, c->id, &spec);
    if (rc == 0)
        t = tenants_of_job(&b->tenants, row.tenant);
    if (t != NULL)
        submit_again(c, t, (Pb__JobSpec *)spec.msg);
    else
        control_refuse(b, c->way, ER(INTERNAL), "job %s cannot be read: %s", c->id, strerror(rc != 0 ? -rc : ENOENT));
    frame_release(&spec);
}

/* ---- rm ------------------------------------------------------------------------------------------------------------------------------------------ */

struct removal {
    struct broker *broker;
    struct rep_way way;
};

static void on_removed(struct store_op *op)
{
    struct removal *m = op->owner;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SignalReply s = PB__SIGNAL_REPLY__INIT;

    if (op->status == 0) {
        for (int i = 0; i < SPOOL_STREAMS; i++)
            spool_remove_file(m->broker->output_dir, op->job, i);
        r.body_case = PB__REPLY__BODY_SIGNAL;
        r.signal = &s;
        control_reply(m->broker, m->way, &r);
    } else if (op->status == -EBUSY) {
        control_refuse(m->broker, m->way, ER(CONFLICT), "job %s has not ended", op->job);
    } else {
        control_refuse(m->broker, m->way, op->status == -ENOENT ? ER(NOT_FOUND) : ER(TEMPORARY), "job %s was not removed: %s", op->job,
                       strerror(-op->status));
    }
    free(m);
}

void verb_remove(struct control_call *c)
{
    struct store_op *op = NULL;
    struct removal *m;

    if (jobs_lives(&c->broker->jobs, c->id)) {
        verb_refuse_state(c, "only one that has ended can be removed");
        return;
    }
    m = malloc(sizeof(*m));
    if (m != NULL)
        op = store_op_new(STORE_REMOVE, c->id);
    if (op == NULL) {
        free(m);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    *m = (struct removal){ c->broker, c->way };
    op->owner = m;
    op->done = on_removed;
    store_push(c->broker->store, op);
}
