/* jobs_notes.c - see jobs.h: what the store is told of a job between its submit and its receipt. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"

/* Without memory for it only the account of attempts is less exact after a crash. */
void jobs_note_claim(struct job *job, uint64_t epoch_was)
{
    struct store_op *op = store_op_new(job->entry != NULL ? STORE_CLAIM : STORE_MOVE, job->id);

    if (op == NULL)
        return;
    op->move = (struct store_move){
        .state = PB__STATE__STATE_CLAIMED, .attempt = job->attempt, .infra = job->infra, .epoch = job->epoch, .epoch_was = epoch_was
    };
    if (job->entry != NULL)
        op->move.not_before_us = job->entry->not_before_us;
    store_push(job->broker->store, op);
    job->moves++;
}

void jobs_note_move(struct jobs *j, struct waiting *w, const struct store_attempt *ended)
{
    char id[ULID_LEN + 1];
    struct store_op *op;

    waiting_id(w, id);
    op = store_op_new(STORE_MOVE, id);
    if (op == NULL)
        return;
    op->move = (struct store_move){ .state = (Pb__State)w->state,
                                    .attempt = w->attempt,
                                    .infra = w->infra,
                                    .hold = w->holds,
                                    .not_before_us = w->not_before_us,
                                    .epoch = w->epoch };
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

void jobs_note_living(struct job *job)
{
    struct store_op *op = store_op_new(STORE_MOVE, job->id);

    if (op == NULL)
        return;
    op->move = (struct store_move){ .state = PB__STATE__STATE_READY, .attempt = job->attempt, .epoch = job->epoch };
    store_push(job->broker->store, op);
    job->moves++;
}

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
