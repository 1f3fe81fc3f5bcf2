/* arrays_edit.c - an array is edited while it waits, and with it each of its tasks that does. See arrays.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"
#include "when.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

struct edit_call {
    struct plans_call call;
    struct control_call again; /* for the answer, which is a show's */
    struct jobs_edit edit;
};

static void on_edited(struct store_op *op)
{
    struct edit_call *e = op->owner;
    struct array *a = arrays_find(e->call.broker, op->job);

    deps_edited(e->call.broker, op->job, op->status, &(struct deps_list){ op->edit.add, op->edit.n_add },
                &(struct deps_list){ op->edit.drop, op->edit.n_drop });
    if (op->status == 0 && a != NULL) {
        if (op->edit.what & STORE_EDIT_NAME)
            memcpy(a->row.name, op->edit.row.name, sizeof(a->row.name));
        if (op->edit.what & STORE_EDIT_PRIO)
            a->row.prio = op->edit.row.prio;
        if (op->edit.what & STORE_EDIT_CLASS)
            a->row.class = op->edit.row.class;
        if (op->edit.what & STORE_EDIT_NOT_BEFORE)
            a->row.not_before_us = op->edit.row.not_before_us;
        if (op->edit.what & STORE_EDIT_DEADLINE)
            a->row.deadline_us = op->edit.row.deadline_us;
        arrays_begin_edit(a, &e->edit);
    }
    if (op->status == 0)
        array_verb_show(&e->again);
    else if (op->status == -ESTALE)
        control_refuse(e->call.broker, e->call.way, ER(CONFLICT), "array %s has already ended", op->job);
    else
        plans_refuse_store(&e->call, "the array", op->status);
    free(e);
}

/* What of an edit an array has no answer to, and what no job may have either. */
static int check_edit(const struct array *a, const Pb__Edit *q, char why[SPEC_WHY])
{
    const char *no = NULL;

    if (q->limits != NULL)
        no = "limits of an array are those that it was submitted with; edit a task, or submit another";
    else if (q->n_labels > 0)
        no = "labels of an array are those that it was submitted with";
    if (no == NULL)
        return spec_check_edit(q, a->row.not_before_us, a->row.deadline_us, when_now_us(), why);
    snprintf(why, SPEC_WHY, "%s", no);
    return -EINVAL;
}

static void fill_edit(const Pb__Edit *q, struct store_edit *e, struct jobs_edit *j)
{
    e->what = (q->name[0] != '\0' ? STORE_EDIT_NAME : 0) | (q->priority != 0 ? STORE_EDIT_PRIO : 0) |
              (q->set_class ? STORE_EDIT_CLASS : 0) | (q->not_before_us != 0 ? STORE_EDIT_NOT_BEFORE : 0) |
              (q->deadline_us != 0 ? STORE_EDIT_DEADLINE : 0);
    snprintf(e->row.name, sizeof(e->row.name), "%s", q->name);
    j->priority = e->row.prio = q->priority;
    j->set_class = q->set_class;
    j->class = e->row.class = q->class_;
    j->not_before_us = e->row.not_before_us = q->not_before_us;
    j->deadline_us = e->row.deadline_us = q->deadline_us;
}

void array_verb_edit(struct control_call *c)
{
    const Pb__Edit *q = c->request->edit;
    struct array *a = arrays_find(c->broker, c->id);
    struct deps_list add = { 0 }, drop = { 0 };
    struct store_op *op = NULL;
    struct edit_call *e;
    char why[DEPS_WHY > SPEC_WHY ? DEPS_WHY : SPEC_WHY];
    int rc;

    if (a == NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "array %s has already ended", c->id);
        return;
    }
    rc = check_edit(a, q, why);
    if (rc == 0)
        rc = deps_edit(c->broker, a->tenant, c->actor.queue, c->id, NULL, q->add_after, q->n_add_after, q->drop_after, q->n_drop_after,
                       &add, &drop, why);
    if (rc != 0) {
        control_refuse(c->broker, c->way, control_error_code(rc), "%s", why);
        return;
    }
    op = store_op_new(STORE_EDIT, c->id);
    e = calloc(1, sizeof(*e));
    if (op == NULL || e == NULL) {
        store_op_free(op);
        free(e);
        deps_edited(c->broker, c->id, -ENOMEM, &add, &drop);
        deps_list_finish(&add);
        deps_list_finish(&drop);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    e->call = (struct plans_call){ c->broker, c->way };
    e->again = (struct control_call){ .broker = c->broker, .way = c->way };
    memcpy(e->again.id, c->id, sizeof(c->id));
    fill_edit(q, &op->edit, &e->edit);
    op->edit.add = add.deps;
    op->edit.n_add = add.n;
    op->edit.drop = drop.deps;
    op->edit.n_drop = drop.n;
    op->owner = e;
    op->done = on_edited;
    store_push(c->broker->store, op);
}
