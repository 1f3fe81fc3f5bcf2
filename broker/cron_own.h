/*
 * cron_own.h - what the files cron*.c share; nobody else includes it.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_CRON_OWN_H
#define BROKER_CRON_OWN_H

#include "broker/cron.h"

struct cron *cron_new(struct broker *b, const struct store_cron *row, struct tenant *t, char why[CRON_WHY]); /* NULL: no memory, or why */
void cron_drop(struct cron *e); /* takes it out, and frees it when nothing names it any more */
void cron_unuse(struct cron *e);
/* Writes the row as it is. done NULL: nobody waits. */
int cron_note(struct cron *e, void (*done)(struct store_op *op), void *owner);
bool cron_is_busy(struct cron *e);      /* the job or array of its last firing has not ended */
void crons_look(struct broker *b);      /* who is due; when the next one is */
void crons_look_soon(struct broker *b); /* once in the next turn of the loop, whatever comes of it until then */

/* Submits its spec now. key: "" none. done as of a jobs_order. */
int cron_submit_now(struct cron *e, const char *key,
                    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status), void *ctx,
                    struct jobs_refusal *no);

#endif
