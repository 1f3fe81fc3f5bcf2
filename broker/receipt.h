/*
 * receipt.h - writes down how a job ended: the immutable record, made once from the job's account.
 *
 * Side:    broker.
 * Returns: 0 or -ENOMEM. The packed bytes are malloc'd; the caller frees.
 */
#ifndef BROKER_RECEIPT_H
#define BROKER_RECEIPT_H

#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"

struct job;

/* What holds the job once it runs in the worker that it has been given: the texts of its receipt, borrowed from the job. */
void receipt_held(const struct job *job, Pb__Enforcement *ret);
int receipt_pack(const struct job *job, uint8_t **ret_bytes, size_t *ret_len);

#endif
