/*
 * val_json.h - the words of coop/value_json.h, for its reader and its writer.
 *
 * Side: host.
 */
#ifndef CLIENT_VAL_JSON_H
#define CLIENT_VAL_JSON_H

#include <stdint.h>

#include <coop/value_json.h>

#define JSON_WORD_BYTES  "$bytes"
#define JSON_WORD_BIG    "$big"
#define JSON_WORD_DOUBLE "$double"
#define JSON_WORD_MAP    "$map"
#define JSON_WORD_HANDLE "$handle"

/* Whether a key is one of these. */
bool val_json_is_word(const char *key, size_t len);

/* "queue" and the like; NULL: no such kind. COOP_KIND_NONE: no such word. */
const char *val_json_kind_word(enum coop_kind kind);
enum coop_kind val_json_kind(const char *word);
/* The i-th right from 0: its word and its bit; NULL: there are no more. */
const char *val_json_right(unsigned i, unsigned *ret_bit);

#endif
