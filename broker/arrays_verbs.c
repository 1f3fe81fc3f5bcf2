/* arrays_verbs.c - requests that name an array instead of a job: for all of its tasks, or refused by name. See arrays.h. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"
#include "frame.h"
#include "when.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
#define ST(name) PB__STATE__STATE_##name

/* ---- show -------------------------------------------------------------------------------------------------------------------------------- */

static int read_spec(struct broker *b, const char *id, struct frame *f)
{
    struct store_blob blob = { 0 };
    int rc = store_read_spec(b->store, id, &blob);

    memset(f, 0, sizeof(*f));
    if (rc == 0)
        rc = store_decode_spec(f, blob.bytes, blob.len);
    free(blob.bytes);
    return rc;
}

/* What a show leaves out of a spec. */
static void strip_bytes(Pb__JobSpec *spec)
{
    spec->source.len = 0;
    spec->stdin_data.len = 0;
    for (size_t i = 0; i < spec->n_modules; i++)
        spec->modules[i]->source.len = 0;
}

static void verb_show_array(struct control_call *c)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ShowReply show = PB__SHOW_REPLY__INIT;
    struct array_look own;
    Pb__JobStatus status;
    struct frame spec;
    int rc = read_spec(c->broker, c->id, &spec);

    if (rc == 0)
        rc = arrays_status(c->broker, c->id, &own, &status);
    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(INTERNAL), "array %s cannot be read: %s", c->id, strerror(-rc));
    } else {
        show.status = &status;
        show.spec = (Pb__JobSpec *)spec.msg;
        strip_bytes(show.spec);
        r.body_case = PB__REPLY__BODY_SHOW;
        r.show = &show;
        control_reply(c->broker, c->way, &r);
    }
    frame_release(&spec);
}

/* ---- hold, release, cancel, kill --------------------------------------------------------------------------------------------------------------- */

struct wish_call {
    struct plans_call call;
    enum array_wish wish;
    uint64_t tasks;
};

static void reply_signal(struct broker *b, struct rep_way way, const char *id, uint64_t tasks)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SignalReply s = PB__SIGNAL_REPLY__INIT;
    struct array_look own;
    Pb__JobStatus status;

    if (arrays_status(b, id, &own, &status) != 0) {
        control_refuse(b, way, ER(INTERNAL), "array %s cannot be read", id);
        return;
    }
    s.status = &status;
    s.tasks = tasks;
    r.body_case = PB__REPLY__BODY_SIGNAL;
    r.signal = &s;
    control_reply(b, way, &r);
}

static void on_wished(struct store_op *op)
{
    struct wish_call *w = op->owner;
    struct broker *b = w->call.broker;
    struct array *a = arrays_find(b, op->job);

    if (a != NULL && op->status == 0)
        arrays_begin_wish(a, w->wish);
    else if (a != NULL)
        arrays_set_bound(a, false);
    if (op->status == 0)
        reply_signal(b, w->call.way, op->job, w->tasks);
    else if (op->status == -ESTALE || op->status == -ENOENT)
        control_refuse(b, w->call.way, ER(CONFLICT), "array %s has already ended", op->job);
    else
        plans_refuse_store(&w->call, "the array", op->status);
    free(w);
}

static size_t tasks_in(const struct array *a, enum array_wish wish)
{
    size_t n = a->fresh != NULL ? a->fresh->n - a->fresh->at : 0;

    for (size_t i = 0; i < a->n; i++) {
        const struct waiting *w = a->tasks[i];

        if (w == NULL)
            continue;
        if (wish == ARRAY_WISH_HOLD)
            n += job_waits((Pb__State)w->state) && w->state != ST(HELD);
        else if (wish == ARRAY_WISH_RELEASE)
            n += w->state == ST(HELD);
        else
            n += w->state != ST(FINISHING);
    }
    return n;
}

/* Why not now; NULL: nothing stands against it. */
static const char *refuses(const struct array *a, enum array_wish wish, size_t tasks)
{
    bool ends = a->wish == ARRAY_WISH_CANCEL || a->wish == ARRAY_WISH_KILL;

    if (ends && (wish == ARRAY_WISH_HOLD || wish == ARRAY_WISH_RELEASE))
        return "is being cancelled";
    if (wish == ARRAY_WISH_RELEASE && tasks == 0 && a->wish != ARRAY_WISH_HOLD)
        return "has no task that is held";
    if (wish == ARRAY_WISH_HOLD && tasks == 0)
        return "has no task that waits";
    return NULL;
}

static void wish(struct control_call *c, enum array_wish which)
{
    struct array *a = arrays_find(c->broker, c->id);
    struct wish_call *w;
    const char *no;
    size_t tasks;

    if (a == NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "array %s has already ended", c->id);
        return;
    }
    tasks = tasks_in(a, which);
    no = refuses(a, which, tasks);
    if (no != NULL) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "array %s %s", c->id, no);
        return;
    }
    w = malloc(sizeof(*w));
    if (w != NULL)
        *w = (struct wish_call){
            {c->broker, c->way},
            which, tasks
        };
    if (w == NULL || arrays_wish(a, which, on_wished, w) != 0) {
        free(w);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    if (which != ARRAY_WISH_RELEASE)
        arrays_set_bound(a, true); /* none begins while this is being written down */
}

static void verb_hold_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_HOLD);
}

static void verb_release_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_RELEASE);
}

static void verb_cancel_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_CANCEL);
}

static void verb_kill_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_KILL);
}

/* ---- retry -------------------------------------------------------------------------------------------------------------------------------- */

struct gathered {
    uint64_t *index;
    uint64_t n, cap, unfinished;
    bool all; /* also those that have succeeded, or have not ended */
};

static int gather(void *ctx, const struct store_job *task)
{
    struct gathered *g = ctx;

    g->unfinished += !job_is_terminal(task->state);
    if (!g->all && task->state == ST(SUCCEEDED))
        return 0;
    if (g->n == g->cap) {
        uint64_t cap = g->cap > 0 ? 2 * g->cap : 64, *more = realloc(g->index, cap * sizeof(*more));

        if (more == NULL)
            return -ENOMEM;
        g->index = more;
        g->cap = cap;
    }
    g->index[g->n++] = task->array_index;
    return 0;
}

struct retry_call {
    struct plans_call call;
    uint64_t tasks;
};

static void on_retried(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct retry_call *r = ctx;
    Pb__Reply reply = PB__REPLY__INIT;
    Pb__SubmitReply s = PB__SUBMIT_REPLY__INIT;

    if (status != 0) {
        plans_refuse_store(&r->call, "the new array", status);
    } else {
        s.id = (char *)id;
        s.limits_effective = (Pb__Limits *)limits;
        s.existing = existing;
        s.tasks = r->tasks;
        reply.body_case = PB__REPLY__BODY_SUBMIT;
        reply.submit = &s;
        control_reply(r->call.broker, r->call.way, &reply);
    }
    free(r);
}

/* As it was submitted, but for what was of that time. */
static void make_anew(Pb__JobSpec *s)
{
    s->idem_key = (char *)protobuf_c_empty_string;
    s->hold = false;
    s->schedule->n_after = 0;
    s->schedule->not_before_us = s->schedule->deadline_us = 0;
}

static void submit_again(struct control_call *c, struct tenant *t, Pb__JobSpec *spec, const struct gathered *g)
{
    struct jobs_order o = { .tenant = t, .user = c->actor.name, .spec = spec, .done = on_retried };
    struct arrays_subset only = { g->index, g->n };
    struct retry_call *r = malloc(sizeof(*r));
    char id[ULID_LEN + 1];
    struct jobs_refusal no = { "out of memory", "" };
    uint64_t tasks;
    int rc = -ENOMEM;

    if (r != NULL) {
        *r = (struct retry_call){
            {c->broker, c->way},
            g->n
        };
        o.ctx = r;
        make_anew(spec);
        rc = arrays_submit_only(c->broker, &o, &only, id, &tasks, &no);
    }
    if (rc == 0)
        return;
    free(r);
    verb_refuse_submit(c->broker, c->way, rc, &no);
}

static void verb_retry_array(struct control_call *c)
{
    struct broker *b = c->broker;
    struct gathered g = { .all = c->request->retry->clone };
    struct store_array row;
    struct frame spec = { 0 };
    int rc = store_each_task(b->store, c->id, false, gather, &g);
    struct tenant *t;

    if (rc == 0)
        rc = store_find_array(b->store, c->id, NULL, 0, &row);
    if (rc == 0)
        rc = read_spec(b, c->id, &spec);
    t = rc == 0 ? tenants_of_job(&b->tenants, row.tenant) : NULL;
    if (rc != 0 || t == NULL || ((Pb__JobSpec *)spec.msg)->schedule == NULL)
        control_refuse(b, c->way, ER(INTERNAL), "array %s cannot be read: %s", c->id, rc != 0 ? strerror(-rc) : "it is damaged");
    else if (g.unfinished > 0 && !g.all)
        control_refuse(b, c->way, ER(CONFLICT), "%llu tasks of array %s have not ended; a clone does not wait for them",
                       (unsigned long long)g.unfinished, c->id);
    else if (g.n == 0)
        control_refuse(b, c->way, ER(CONFLICT), "all tasks of array %s have succeeded; a clone is all of them again", c->id);
    else
        submit_again(c, t, (Pb__JobSpec *)spec.msg, &g);
    frame_release(&spec);
    free(g.index);
}

/* ---- edit -------------------------------------------------------------------------------------------------------------------------------- */

struct edit_call {
    struct plans_call call;
    struct control_call again; /* for the answer, which is a show's */
    struct jobs_edit edit;
};

static void on_edited(struct store_op *op)
{
    struct edit_call *e = op->owner;
    struct array *a = arrays_find(e->call.broker, op->job);

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
        verb_show_array(&e->again);
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

static void refuse_edit(struct control_call *c, int rc, const char *why)
{
    Pb__ErrorCode code = ER(USAGE);

    if (rc == -ENOENT)
        code = ER(NOT_FOUND);
    else if (rc == -ENOMEM)
        code = ER(TEMPORARY);
    else if (rc == -ELOOP)
        code = ER(CONFLICT);
    else if (rc == -EDQUOT)
        code = ER(QUOTA);
    control_refuse(c->broker, c->way, code, "%s", why);
}

static void verb_edit_array(struct control_call *c)
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
        refuse_edit(c, rc, why);
        return;
    }
    op = store_op_new(STORE_EDIT, c->id);
    e = calloc(1, sizeof(*e));
    if (op == NULL || e == NULL) {
        store_op_free(op);
        free(e);
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

/* ---- rm ---------------------------------------------------------------------------------------------------------------------------------- */

static void on_removed(struct store_op *op)
{
    struct wish_call *w = op->owner;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__SignalReply s = PB__SIGNAL_REPLY__INIT;

    if (op->status == 0) {
        s.tasks = w->tasks;
        r.body_case = PB__REPLY__BODY_SIGNAL;
        r.signal = &s;
        control_reply(w->call.broker, w->call.way, &r);
    } else if (op->status == -EBUSY) {
        control_refuse(w->call.broker, w->call.way, ER(CONFLICT), "array %s has not ended", op->job);
    } else {
        plans_refuse_store(&w->call, "the array", op->status);
    }
    free(w);
}

static void verb_remove_array(struct control_call *c)
{
    struct store_op *op = store_op_new(STORE_REMOVE, c->id);
    struct wish_call *w = calloc(1, sizeof(*w));
    struct store_array row;

    if (op == NULL || w == NULL || store_find_array(c->broker->store, c->id, NULL, 0, &row) != 0) {
        store_op_free(op);
        free(w);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "the array cannot be read, or memory is short");
        return;
    }
    w->call = (struct plans_call){ c->broker, c->way };
    w->tasks = row.tasks;
    op->owner = w;
    op->done = on_removed;
    store_push(c->broker->store, op);
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------------- */

#define TASK "say which task: coop ls --array lists them"

/* clang-format off */
const struct array_rule array_rules[] = {
    /* request                            acted on             or refused, and what to do instead */
    [PB__REQUEST__BODY_WAIT]        = { array_verb_wait,       NULL },
    [PB__REQUEST__BODY_SHOW]        = { verb_show_array,       NULL },
    [PB__REQUEST__BODY_CANCEL]      = { verb_cancel_array,     NULL },
    [PB__REQUEST__BODY_KILL]        = { verb_kill_array,       NULL },
    [PB__REQUEST__BODY_HOLD]        = { verb_hold_array,       NULL },
    [PB__REQUEST__BODY_RELEASE]     = { verb_release_array,    NULL },
    [PB__REQUEST__BODY_RETRY]       = { verb_retry_array,      NULL },
    [PB__REQUEST__BODY_EDIT]        = { verb_edit_array,       NULL },
    [PB__REQUEST__BODY_REMOVE]      = { verb_remove_array,     NULL },
    [PB__REQUEST__BODY_LOGS]        = { NULL,                  "each task has its own logs; " TASK },
    [PB__REQUEST__BODY_RESULT]      = { NULL,                  "each task has its own receipt; " TASK },
    [PB__REQUEST__BODY_OUTPUT]      = { NULL,                  "each task has its own files; " TASK },
    [PB__REQUEST__BODY_STDIN_WRITE] = { NULL,                  "its tasks read no stream" },
    [PB__REQUEST__BODY_RESIZE_TTY]  = { NULL,                  "each task has a terminal of its own; " TASK },
    [PB__REQUEST__BODY_PAUSE]       = { NULL,                  "tasks are paused one by one, and hold keeps those back that wait; " TASK },
    [PB__REQUEST__BODY_RESUME]      = { NULL,                  "tasks are resumed one by one; " TASK },
};
/* clang-format on */
const size_t array_rules_count = sizeof(array_rules) / sizeof(array_rules[0]);

void arrays_request(struct control_call *c)
{
    const struct array_rule *r = (size_t)c->request->body_case < array_rules_count ? &array_rules[c->request->body_case] : NULL;

    if (r != NULL && r->apply != NULL)
        r->apply(c);
    else
        control_refuse(c->broker, c->way, ER(USAGE), "%s is an array: %s", c->id, r != NULL && r->instead != NULL ? r->instead : TASK);
}
