/*
 * stored.h - a job as the store knows it, as a status and a receipt.
 *
 * Side:    broker.
 * Returns: 0 or -errno; -ENOENT: no such job.
 */
#ifndef BROKER_STORED_H
#define BROKER_STORED_H

#include "broker/store.h"
#include "control.pb-c.h"
#include "frame.h"

struct broker;

/* A stored job as a status; its receipt, when it has one, stays decoded in receipt (release it, also after a failure). */
struct stored {
    struct store_job job;
    struct frame receipt;
    Pb__Chain chain;
    char hashes[2][2 * STORE_HASH + 1];
    Pb__JobStatus status; /* its texts are those of job and receipt */
};

int stored_read(struct broker *b, const char *id, struct stored *ret);
/* The same of a FINISH that is back with status 0, by what the writer has handed back: nothing is read. */
int stored_finished(struct broker *b, const struct store_finish *f, struct stored *ret);
/* The spec of a job, an array or an entry of cron. After an error *ret holds nothing, and can be released. */
int stored_spec(struct broker *b, const char *id, struct frame *ret);
/* What its row says, and no more. */
void stored_status(struct broker *b, const struct store_job *row, Pb__JobStatus *ret);
/* What a receipt says in numbers. */
void stored_numbers(Pb__JobStatus *s, const Pb__Receipt *r);

#endif
