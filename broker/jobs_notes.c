/*
 * jobs_notes.c - see jobs.h: what the store is told of a job between its submit and its receipt, and what becomes of one that another broker on
 * the same store has claimed: its run is ended here, and leaves no trace.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/arrays.h"
#include "broker/jobs_own.h"
#include "log.h"

#define ST(name) PB__STATE__STATE_##name

/* ---- to the store ---------------------------------------------------------------------------------------------------------------------- */

void jobs_fence(const struct job *job, struct store_fence *ret)
{
    const struct waiting *w = job->entry;

    *ret = (struct store_fence){ w != NULL ? w->epoch : job->epoch, w != NULL ? w->stored_epoch : job->stored_epoch };
}

/* Without memory for it only the account of attempts is less exact after a crash. */
static bool note_claim(struct jobs *j, const struct store_claim *c)
{
    struct store_op *op = j->claims != NULL ? j->claims : store_op_new(STORE_CLAIM, "");
    struct store_claim *mine = op != NULL ? store_claim_add(op, c->job) : NULL;

    if (mine != NULL)
        *mine = *c;
    else if (op != j->claims)
        store_op_free(op);
    if (mine != NULL)
        j->claims = op;
    return mine != NULL;
}

void jobs_flush_claims(struct jobs *j)
{
    struct store_op *op = j->claims;

    j->claims = NULL;
    if (op != NULL)
        store_push(j->broker->store, op);
}

void jobs_note_claim(struct job *job, uint64_t epoch_was)
{
    const struct waiting *w = job->entry;
    struct store_claim c = { .attempt = job->attempt, .infra = job->infra, .not_before_us = w->not_before_us, .epoch = job->epoch };

    memcpy(c.job, job->id, sizeof(c.job));
    c.fence = (struct store_fence){ epoch_was, w->stored_epoch };
    job->moves += note_claim(&job->broker->jobs, &c);
}

void jobs_note_move(struct jobs *j, struct waiting *w, const struct store_attempt *ended)
{
    jobs_note_step(j, w, w->epoch, ended);
}

void jobs_note_step(struct jobs *j, struct waiting *w, uint64_t epoch_was, const struct store_attempt *ended)
{
    char id[ULID_LEN + 1];
    struct store_op *op;

    jobs_flush_claims(j);
    waiting_id(w, id);
    op = store_op_new(STORE_MOVE, id);
    if (op == NULL)
        return;
    op->move = (struct store_move){
        .state = (Pb__State)w->state,
        .attempt = w->attempt,
        .infra = w->infra,
        .hold = w->holds,
        .not_before_us = w->state == ST(RETRY_WAIT) ? w->pause_until_us : w->not_before_us,
        .epoch = w->epoch,
        .fence = {epoch_was, w->stored_epoch}
    };
    if (ended != NULL && (op->move.ended = malloc(sizeof(*ended))) != NULL)
        *op->move.ended = *ended;
    op->done = j->told.done;
    op->owner = j->told.owner;
    op->urgent = op->done != NULL;
    j->told.done = NULL;
    store_push(j->broker->store, op);
    if (w->job != NULL && op->done == NULL)
        w->job->moves++;
}

/* Of one without an entry: an interpreter, or the init of a template. */
void jobs_note_living(struct job *job, Pb__State state, uint64_t epoch_was)
{
    struct store_op *op = store_op_new(STORE_MOVE, job->id);

    if (op == NULL)
        return;
    op->move = (struct store_move){
        .state = state, .attempt = job->attempt, .infra = job->infra, .epoch = job->epoch, .fence = {epoch_was, job->stored_epoch}
    };
    store_push(job->broker->store, op);
    job->moves++;
}

/* ---- and back -------------------------------------------------------------------------------------------------------------------------- */

/* What a step said, and what the store says to it. */
struct answer {
    const char *job;
    Pb__State state;
    uint64_t epoch;
    struct store_fence fence;
    int status;
    bool told; /* somebody waited for it, and was told */
};

static uint64_t *stored_epoch(struct jobs *j, const char *id)
{
    struct waiting *w = waiting_find(&j->table, id);
    struct job *job = w != NULL ? NULL : jobs_find(j, id);

    return w != NULL ? &w->stored_epoch : job != NULL ? &job->stored_epoch : NULL;
}

/*
 * Ops come back in their order: what is known to be stored is now exact. A step that went by another word of it was built upon one that the disk
 * has lost; by the right word it may go through.
 */
bool jobs_is_behind(struct jobs *j, const char *id, const struct store_fence *fence)
{
    const uint64_t *stored = stored_epoch(j, id);

    return stored != NULL && *stored != fence->stored && *stored != fence->was;
}

void jobs_fenced(struct jobs *j, const char *id, int status)
{
    struct waiting *w = waiting_find(&j->table, id);

    if (w == NULL || w->refused || (w->job != NULL && w->job->refused))
        return; /* an interpreter, which no other broker has; or it is being let go already */
    log_event(LOG_LEVEL_ERROR, "fenced", "job=%s state=%s error=\"%s\"", id, job_state_name((Pb__State)w->state),
              status == -ESTALE   ? "another broker has claimed it"
              : status == -EEXIST ? "it has a receipt"
                                  : "it is not in the store any more");
    deps_leave(j->broker, id);
    arrays_leave_task(w);
    webhooks_refused(&j->broker->webhooks, id);
    jobs_let_go_refused(j, w, "another broker has it");
}

/* Whether this step is to be said once more. */
static bool hear(struct jobs *j, const struct answer *a)
{
    struct job *job = jobs_find(j, a->job);
    uint64_t *stored = stored_epoch(j, a->job);

    if (!a->told && job != NULL && job->moves > 0 && --job->moves == 0)
        jobs_tidy_soon(j);
    if (a->status == 0 && stored != NULL)
        *stored = a->epoch;
    if (a->status == 0)
        return false;
    if (a->status == -ESTALE && jobs_is_behind(j, a->job, &a->fence))
        return !a->told;
    if (a->status == -ESTALE || a->status == -EEXIST || a->status == -ENOENT)
        jobs_fenced(j, a->job, a->status);
    else
        log_event(LOG_LEVEL_WARN, "step_not_stored", "job=%s state=%s error=\"%s\"", a->job, job_state_name(a->state),
                  strerror(-a->status));
    return false;
}

static void said_again(struct jobs *j, const char *id)
{
    struct job *job = jobs_find(j, id);

    if (job != NULL)
        job->moves++;
}

void jobs_claims_back(struct jobs *j, struct store_op *op)
{
    for (size_t i = 0; i < op->claims.n; i++) {
        struct store_claim *c = &op->claims.at[i];
        const struct answer a = { c->job, ST(CLAIMED), c->epoch, c->fence, op->status != 0 ? op->status : c->status, false };

        if (!hear(j, &a))
            continue;
        c->fence.stored = *stored_epoch(j, c->job);
        if (note_claim(j, c))
            said_again(j, c->job);
    }
    jobs_flush_claims(j);
}

void jobs_move_back(struct jobs *j, struct store_op *op)
{
    const struct answer a = { op->job, op->move.state, op->move.epoch, op->move.fence, op->status, op->done != NULL };
    bool is_behind = hear(j, &a);
    struct waiting *w = waiting_find(&j->table, op->job);
    struct store_op *again;

    if (a.told && w != NULL && w->editing)
        jobs_undo_edit(j, w); /* the deed is done, or was undone by who heard of it */
    if (!is_behind || (again = store_op_new(STORE_MOVE, op->job)) == NULL)
        return;
    again->move = op->move;
    again->move.fence.stored = *stored_epoch(j, op->job);
    op->move.ended = NULL;
    store_push(j->broker->store, again);
    said_again(j, op->job);
}

/* ---- labels ---------------------------------------------------------------------------------------------------------------------------- */

int jobs_labels(const Pb__JobSpec *spec, struct store_label **ret, size_t *ret_n)
{
    struct store_label *all = spec->n_labels > 0 ? calloc(spec->n_labels, sizeof(*all)) : NULL;
    int rc = spec->n_labels > 0 && all == NULL ? -ENOMEM : 0;

    *ret = all;
    *ret_n = rc == 0 ? spec->n_labels : 0;
    for (size_t i = 0; rc == 0 && i < spec->n_labels; i++) {
        all[i].key = strdup(spec->labels[i]->key);
        all[i].value = strdup(spec->labels[i]->value);
        if (all[i].key == NULL || all[i].value == NULL)
            rc = -ENOMEM;
    }
    return rc;
}
