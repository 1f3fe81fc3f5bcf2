/* arrays_verbs.c - requests that name an array instead of a job: for all of its tasks, or refused by name. See arrays.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays_own.h"
#include "broker/arrays_verbs.h"
#include "broker/broker.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"
#include "broker/stored.h"
#include "broker/webhook_check.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
#define ST(name) PB__STATE__STATE_##name

/* ---- show -------------------------------------------------------------------------------------------------------------------------------- */

enum { WHY_GROUPS = 16, WHY_LOOKED = 10000 };

/* What its tasks wait for: as many of each reason, of those that were looked at. */
struct array_why {
    struct jobs_why own;
    Pb__Why why;
    char reasons[WHY_GROUPS][JOBS_REASON];
    Pb__WaitGroup groups[WHY_GROUPS], *list[WHY_GROUPS];
};

static void group(struct array_why *y, const char *reason, uint64_t index)
{
    size_t n = y->why.n_waits;

    for (size_t i = 0; i < n; i++)
        if (strcmp(y->reasons[i], reason) == 0) {
            y->groups[i].tasks++;
            return;
        }
    if (n == WHY_GROUPS)
        return;
    pb__wait_group__init(&y->groups[n]);
    snprintf(y->reasons[n], JOBS_REASON, "%s", reason);
    y->groups[n].reason = y->reasons[n];
    y->groups[n].tasks = 1;
    y->groups[n].first = index;
    y->list[n] = &y->groups[n];
    y->why.waits = y->list;
    y->why.n_waits++;
}

/* false: none of its tasks waits. */
static bool fill_why(const struct array *a, struct array_why *y)
{
    const struct waiting *furthest = array_first_waiting(a);
    struct jobs *j = &a->broker->jobs;
    char reason[JOBS_REASON];
    unsigned looked = 0;

    if (furthest == NULL)
        return false;
    verb_fill_why(a->broker, furthest, &y->own, &y->why);
    for (size_t i = 0; i < a->n && looked < WHY_LOOKED; i++) {
        const struct waiting *w = a->tasks[i];

        if (w == NULL || !job_waits((Pb__State)w->state))
            continue;
        looked++;
        group(y, jobs_reason(j, w, reason), w->array_index);
    }
    return true;
}

void array_verb_show(struct control_call *c)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ShowReply show = PB__SHOW_REPLY__INIT;
    const struct array *a = arrays_find(c->broker, c->id);
    struct array_why y = { 0 };
    struct webhook_states hooks;
    struct array_look own;
    Pb__JobStatus status;
    struct frame spec;
    int rc = stored_spec(c->broker, c->id, &spec);

    if (rc == 0)
        rc = arrays_status(c->broker, c->id, &own, &status);
    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(INTERNAL), "array %s cannot be read: %s", c->id, strerror(-rc));
    } else {
        show.status = &status;
        show.spec = (Pb__JobSpec *)spec.msg;
        show.why = a != NULL && fill_why(a, &y) ? &y.why : NULL;
        spec_strip(show.spec);
        status.labels = show.spec->labels;
        status.n_labels = show.spec->n_labels;
        webhook_states(&c->broker->webhooks, c->id, show.spec, &hooks, &show);
        r.body_case = PB__REPLY__BODY_SHOW;
        r.show = &show;
        control_reply(c->broker, c->way, &r);
    }
    frame_release(&spec);
}

/* ---- hold, release, pause, resume, cancel, kill --------------------------------------------------------------------------------------------------------------- */

enum { NOTES = 16, NOTE = JOBS_WHY + ULID_LEN + 32 };

/* Those for whom it could not be done. */
struct notes {
    char text[NOTES][NOTE];
    char *list[NOTES];
    size_t n;
};

struct wish_call {
    struct plans_call call;
    enum array_wish wish;
    uint64_t tasks;
    struct notes notes;
};

static void reply_signal(struct broker *b, struct rep_way way, const char *id, uint64_t tasks, struct notes *notes)
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
    s.notes = notes->list;
    s.n_notes = notes->n;
    r.body_case = PB__REPLY__BODY_SIGNAL;
    r.signal = &s;
    control_reply(b, way, &r);
}

static void add_note(struct notes *n, const struct array *a, uint64_t index, const char *why)
{
    if (n->n == NOTES)
        return;
    snprintf(n->text[n->n], NOTE, "%s.%" PRIu64 " cannot be paused: %s", a->row.id, index, why);
    n->list[n->n] = n->text[n->n];
    n->n++;
}

/* Those that run, at once: whoever asks is told of each that cannot be. */
static void pause_running(struct array *a, struct notes *notes)
{
    size_t left = a->in_state[ST(RUNNING)];
    char why[JOBS_WHY];

    for (size_t i = 0; i < a->n && left > 0; i++) {
        struct waiting *w = a->tasks[i];

        if (w == NULL || w->state != ST(RUNNING))
            continue;
        left--;
        if (w->job != NULL && jobs_pause(w->job, why) != 0)
            add_note(notes, a, w->array_index, why);
    }
}

static void on_wished(struct store_op *op)
{
    struct wish_call *w = op->owner;
    struct broker *b = w->call.broker;
    struct array *a = arrays_find(b, op->job);

    if (a != NULL)
        a->wishing--;
    if (a != NULL && op->status == 0) {
        arrays_begin_wish(a, w->wish);
        if (w->wish == ARRAY_WISH_PAUSE)
            pause_running(a, &w->notes);
    } else if (a != NULL) {
        arrays_set_bound(a, false);
    }
    if (op->status == 0)
        reply_signal(b, w->call.way, op->job, w->tasks, &w->notes);
    else if (op->status == -ESTALE || op->status == -ENOENT)
        control_refuse(b, w->call.way, ER(CONFLICT), "array %s has already ended", op->job);
    else
        plans_refuse_store(&w->call, "the array", op->status);
    free(w);
}

static bool is_meant(const struct waiting *w, enum array_wish wish)
{
    bool waits = job_waits((Pb__State)w->state);

    switch (wish) {
    case ARRAY_WISH_HOLD: return waits && w->state != ST(HELD);
    case ARRAY_WISH_RELEASE: return w->state == ST(HELD);
    case ARRAY_WISH_PAUSE: return (waits && w->state != ST(HELD)) || w->state == ST(RUNNING) || w->state == ST(STARTING);
    case ARRAY_WISH_RESUME: return w->state == ST(PAUSED) || (waits && (w->holds & WAITING_HELD_ARRAY) != 0);
    default: return w->state != ST(FINISHING);
    }
}

static size_t tasks_in(const struct array *a, enum array_wish wish)
{
    size_t n = a->fresh != NULL ? a->fresh->n - a->fresh->at : 0;

    for (size_t i = 0; i < a->n; i++)
        n += a->tasks[i] != NULL && is_meant(a->tasks[i], wish);
    return n;
}

/* Why not now; NULL: nothing stands against it. */
static const char *refuses(const struct array *a, enum array_wish wish, size_t tasks)
{
    static const char *const none[ARRAY_WISHES] = {
        [ARRAY_WISH_HOLD] = "has no task that waits",
        [ARRAY_WISH_RELEASE] = "has no task that is held",
        [ARRAY_WISH_PAUSE] = "has no task that runs, or could",
        [ARRAY_WISH_RESUME] = "has no task that is paused",
    };
    bool ends = a->wish == ARRAY_WISH_CANCEL || a->wish == ARRAY_WISH_KILL;

    if (ends && wish != ARRAY_WISH_CANCEL && wish != ARRAY_WISH_KILL)
        return "is being cancelled";
    if (tasks > 0 || a->wish == ARRAY_WISH_HOLD || a->wish == ARRAY_WISH_PAUSE)
        return NULL; /* what is being done to all may be undone before it is done */
    if (wish == ARRAY_WISH_HOLD && a->in_state[ST(HELD)] > 0)
        return NULL; /* as of a job: it is held */
    return none[wish];
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
    w = calloc(1, sizeof(*w));
    if (w != NULL) {
        w->call = (struct plans_call){ c->broker, c->way };
        w->wish = which;
        w->tasks = tasks;
    }
    if (w == NULL || arrays_wish(a, which, on_wished, w) != 0) {
        free(w);
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    a->wishing++;
    if (which != ARRAY_WISH_RELEASE && which != ARRAY_WISH_RESUME)
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

static void verb_pause_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_PAUSE);
}

static void verb_resume_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_RESUME);
}

static void verb_cancel_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_CANCEL);
}

static void verb_kill_array(struct control_call *c)
{
    wish(c, ARRAY_WISH_KILL);
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
    [PB__REQUEST__BODY_SHOW]        = { array_verb_show,       NULL },
    [PB__REQUEST__BODY_CANCEL]      = { verb_cancel_array,     NULL },
    [PB__REQUEST__BODY_KILL]        = { verb_kill_array,       NULL },
    [PB__REQUEST__BODY_HOLD]        = { verb_hold_array,       NULL },
    [PB__REQUEST__BODY_RELEASE]     = { verb_release_array,    NULL },
    [PB__REQUEST__BODY_RETRY]       = { array_verb_retry,      NULL },
    [PB__REQUEST__BODY_EDIT]        = { array_verb_edit,       NULL },
    [PB__REQUEST__BODY_REMOVE]      = { verb_remove_array,     NULL },
    [PB__REQUEST__BODY_LOGS]        = { NULL,                  "each task has its own logs; " TASK },
    [PB__REQUEST__BODY_RESULT]      = { NULL,                  "each task has its own receipt; " TASK },
    [PB__REQUEST__BODY_OUTPUT]      = { NULL,                  "each task has its own files; " TASK },
    [PB__REQUEST__BODY_STDIN_WRITE] = { NULL,                  "its tasks read no stream" },
    [PB__REQUEST__BODY_RESIZE_TTY]  = { NULL,                  "each task has a terminal of its own; " TASK },
    [PB__REQUEST__BODY_PAUSE]       = { verb_pause_array,      NULL },
    [PB__REQUEST__BODY_RESUME]      = { verb_resume_array,     NULL },
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
