/*
 * val_json_read.h - parts of the reader of coop/value_json.h.
 *
 * Side: host.
 */
#ifndef CLIENT_VAL_JSON_READ_H
#define CLIENT_VAL_JSON_READ_H

#include <jansson.h>

#include <coop/value.h>

/* Whole groups of four, padding at the end, no bits left over: one text for the same bytes. to has room for len / 4 * 3. How many, or -1: it
 * is something else. */
long val_json_base64(const char *text, size_t len, unsigned char *to);

/* {"$handle": ...}. NULL, or what is wrong with it. */
const char *val_json_handle(const json_t *object, struct coop_handle *ret);

#endif
