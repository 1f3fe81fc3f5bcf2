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

struct job;

int receipt_pack(const struct job *job, uint8_t **ret_bytes, size_t *ret_len);

#endif
