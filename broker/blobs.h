/*
 * blobs.h - stamps on bytes that the broker never sees: what a worker has sealed, it or another one of its tenant knows again on any later day.
 *
 * Side:    broker. Who asks is hostile: what it says is a SHA-256 and a stamp, of exactly their lengths, and what it gets says nothing about the
 *          key. A stamp says which tenant's code has asked for it, and never that the bytes are harmless.
 * Stamp:   HMAC-SHA-256(key, "coop blob v1" | tenant, 8 bytes, the highest first | digest): all of fixed length.
 * Key:     the store's (store_secret.c), of its first moment and for as long as it is; in its backups too, so that a store that is put back
 *          knows its blobs. Another store's stamps are nothing here.
 */
#ifndef BROKER_BLOBS_H
#define BROKER_BLOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/store.h"

struct broker;

enum { BLOB_DIGEST = 32, BLOB_MAC = 32 };

struct blobs {
    uint8_t key[STORE_SECRET];
};

/* When the store is open. -EUCLEAN: the key is missing, or is none; why says it, with the way out. Else -errno. */
int blobs_open(struct broker *b, char why[STORE_WHY]);
void blobs_finish(struct blobs *b); /* wipes the key */

/* 0; -EIO: the library cannot. */
int blob_stamp(const struct blobs *b, uint64_t tenant, const uint8_t digest[BLOB_DIGEST], uint8_t ret[BLOB_MAC]);

#endif
