/* verbs_edit.c - a job that waits is changed: its spec, its row and its entry together; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/spec_check.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* On its way through the steps below. */
struct edit {
    struct control_call *call;
    struct waiting *entry;
    struct frame spec;
    Pb__Schedule schedule; /* of a spec that has none */
    struct jobs_edit jobs;
    struct store_op *op;
    struct deps_list add, drop;
    char why[DEPS_WHY > SPEC_WHY ? DEPS_WHY : SPEC_WHY];
};

/* Who is to hear of it when it is stored. */
struct edited {
    struct broker *broker;
    struct rep_way way;
    struct actor actor;
    struct jobs_edit jobs;
    struct frame spec; /* as it will be */
};

static Pb__JobSpec *spec_of(struct edit *e)
{
    return (Pb__JobSpec *)e->spec.msg;
}

static void edit_times(struct edit *e, const Pb__Edit *q)
{
    Pb__JobSpec *s = spec_of(e);

    if (q->not_before_us == 0 && q->deadline_us == 0)
        return;
    if (s->schedule == NULL) {
        pb__schedule__init(&e->schedule);
        s->schedule = &e->schedule;
    }
    if (q->not_before_us != 0)
        s->schedule->not_before_us = q->not_before_us;
    if (q->deadline_us != 0)
        s->schedule->deadline_us = q->deadline_us;
}

/* Those that are given, 0 is not; each counts as asked for. */
static uint32_t edit_limits(Pb__JobSpec *s, const Pb__Limits *given)
{
    uint32_t asked = s->limits_asked;

    for (size_t i = 0; given != NULL && i < limits_count; i++) {
        uint64_t value = limits_get(given, &limits_table[i]);

        if (value == 0)
            continue;
        memcpy((char *)s->limits + limits_table[i].offset, &value, sizeof(value));
        asked |= 1u << i;
    }
    return asked;
}

/* What it waits for besides is the store's: the spec keeps what it was submitted with. */
static int edit_spec(struct edit *e, const Pb__Edit *q)
{
    Pb__JobSpec *s = spec_of(e);
    uint32_t asked = edit_limits(s, q->limits);
    int rc;

    if (q->name[0] != '\0')
        s->name = q->name;
    if (q->priority != 0)
        s->priority = q->priority;
    if (q->set_class)
        s->class_ = q->class_;
    if (q->n_labels > 0) {
        s->labels = q->labels;
        s->n_labels = q->n_labels;
    }
    edit_times(e, q);
    rc = spec_check(s, e->why);
    s->limits_asked = asked;
    if (rc == 0)
        rc = tenant_settle_limits(e->entry->tenant, s->limits, asked, engine_find(s->engine), e->why);
    return rc;
}

static int fill_op(struct edit *e, const Pb__Edit *q)
{
    struct store_edit *m = &e->op->edit;
    Pb__JobSpec *s = spec_of(e);
    int rc = frame_pack(&s->base, &m->spec.bytes, &m->spec.len);

    if (rc == 0 && q->n_labels > 0)
        rc = jobs_labels(s, &m->labels, &m->n_labels);
    if (rc != 0)
        return rc;
    m->what = STORE_EDIT_SPEC | (q->name[0] != '\0' ? STORE_EDIT_NAME : 0) | (q->priority != 0 ? STORE_EDIT_PRIO : 0) |
              (q->set_class ? STORE_EDIT_CLASS : 0) | (q->not_before_us != 0 ? STORE_EDIT_NOT_BEFORE : 0) |
              (q->deadline_us != 0 ? STORE_EDIT_DEADLINE : 0) | (q->limits != NULL ? STORE_EDIT_LIMITS : 0) |
              (q->n_labels > 0 ? STORE_EDIT_LABELS : 0);
    jobs_row(s, e->entry->tenant, &m->row);
    m->row.epoch = e->entry->epoch;
    e->jobs = (struct jobs_edit){ .priority = q->priority, .set_class = q->set_class, .class = q->class_ };
    e->jobs.not_before_us = q->not_before_us;
    e->jobs.deadline_us = q->deadline_us;
    return 0;
}

static void free_edited(struct edited *d)
{
    frame_release(&d->spec);
    free(d);
}

static void take_edit(struct edited *d, const struct store_op *op)
{
    struct jobs *j = &d->broker->jobs;
    struct waiting *w = waiting_find(&j->table, op->job);

    deps_edited(d->broker, op->job, op->status, &(struct deps_list){ op->edit.add, op->edit.n_add },
                &(struct deps_list){ op->edit.drop, op->edit.n_drop });
    if (w == NULL)
        return;
    d->jobs.packed = &op->edit.spec;
    d->jobs.spec = (const Pb__JobSpec *)d->spec.msg;
    d->jobs.limits = op->edit.what & STORE_EDIT_LIMITS ? &op->edit.row : NULL;
    if (op->status == 0)
        jobs_edited(j, w, &d->jobs);
    else
        jobs_undo_edit(j, w);
}

static void on_edited(struct store_op *op)
{
    struct edited *d = op->owner;
    struct control_call again = { .broker = d->broker, .way = d->way, .actor = d->actor };

    memcpy(again.id, op->job, sizeof(again.id));
    take_edit(d, op);
    if (op->status == 0)
        verb_show(&again);
    else if (op->status == -ESTALE || op->status == -ENOENT)
        control_refuse(d->broker, d->way, ER(CONFLICT), "job %s does not wait any more", op->job);
    else
        control_refuse(d->broker, d->way, ER(TEMPORARY), "the change of job %s could not be stored: %s", op->job, strerror(-op->status));
    free_edited(d);
}

static int edit_deps(struct edit *e)
{
    struct control_call *c = e->call;
    const Pb__Edit *q = c->request->edit;

    if (q->n_add_after == 0 && q->n_drop_after == 0)
        return 0;
    return deps_edit(c->broker, e->entry->tenant, c->actor.queue, c->id, e->entry, q->add_after, q->n_add_after, q->drop_after,
                     q->n_drop_after, &e->add, &e->drop, e->why);
}

/* From here on nothing fails but the store. */
static int push(struct edit *e)
{
    struct control_call *c = e->call;
    struct edited *d = malloc(sizeof(*d));
    int rc = -ENOMEM;

    if (d == NULL)
        return rc;
    *d = (struct edited){ .broker = c->broker, .way = c->way, .actor = c->actor, .jobs = e->jobs };
    rc = store_decode_spec(&d->spec, e->op->edit.spec.bytes, e->op->edit.spec.len);
    if (rc == 0)
        rc = edit_deps(e);
    if (rc != 0) {
        free_edited(d);
        return rc;
    }
    e->op->edit.add = e->add.deps;
    e->op->edit.n_add = e->add.n;
    e->op->edit.drop = e->drop.deps;
    e->op->edit.n_drop = e->drop.n;
    e->op->owner = d;
    e->op->done = on_edited;
    store_push(c->broker->store, e->op);
    e->op = NULL;
    return 0;
}

static int edit(struct edit *e)
{
    struct control_call *c = e->call;
    struct jobs *j = &c->broker->jobs;
    int rc = jobs_read_spec(j, e->entry, &e->spec);

    if (rc == 0)
        rc = edit_spec(e, c->request->edit);
    if (rc == 0)
        rc = (e->op = store_op_new(STORE_EDIT, c->id)) != NULL ? fill_op(e, c->request->edit) : -ENOMEM;
    if (rc == 0)
        rc = jobs_begin_edit(j, e->entry);
    if (rc == -EALREADY)
        snprintf(e->why, sizeof(e->why), "job %s is being changed by another request; ask again", c->id);
    if (rc != 0)
        return rc;
    rc = push(e);
    if (rc != 0)
        jobs_undo_edit(j, e->entry);
    return rc;
}

void verb_edit(struct control_call *c)
{
    struct waiting *w = waiting_find(&c->broker->jobs.table, c->id);
    struct edit e = { .call = c, .entry = w };
    int rc;

    if (w == NULL || w->entering || !(job_waits((Pb__State)w->state) || w->state == PB__STATE__STATE_CLAIMED)) {
        verb_refuse_state(c, "only one that waits can be changed");
        return;
    }
    rc = edit(&e);
    if (rc != 0)
        control_refuse(c->broker, c->way, control_error_code(rc), "%s", e.why[0] != '\0' ? e.why : strerror(-rc));
    if (e.op != NULL) { /* the lists are ours still */
        e.op->edit.add = e.op->edit.drop = NULL;
        e.op->edit.n_add = e.op->edit.n_drop = 0;
        store_op_free(e.op);
        deps_list_finish(&e.add);
        deps_list_finish(&e.drop);
    }
    if (e.spec.msg != NULL && spec_of(&e)->schedule == &e.schedule)
        spec_of(&e)->schedule = NULL;
    frame_release(&e.spec);
}
