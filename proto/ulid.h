/*
 * ulid.h - job ids: 26 characters, 48 bits of milliseconds and 80 random bits, Crockford base 32, so that ids sort by age.
 *
 * Side: the broker makes them, everybody may check them.      Source: the ULID specification (github.com/ulid/spec).
 */
#ifndef PROTO_ULID_H
#define PROTO_ULID_H

#include <stdbool.h>
#include <stdint.h>

#define ULID_LEN        26
#define ULID_MIN_PREFIX 8 /* an id may be shortened to this many leading characters when they name one job */

/* Writes an id and a NUL. Two calls within one millisecond still rise. unix_ms: the time to put in. Not thread-safe. */
void ulid_make(uint64_t unix_ms, char ret_id[ULID_LEN + 1]);

/* Every id that is made from now on is behind this one, whatever the clock says: it may have been put back since it was made. */
void ulid_after(const char *id);

/* Upper-cases text into ret_id and checks it. 0, or -EINVAL when it is not ULID_MIN_PREFIX..ULID_LEN characters of the alphabet. */
int ulid_normalize(const char *text, char ret_id[ULID_LEN + 1]);
/* "ID.7" is task 7 of the array ID, which is normalized. 0; -EINVAL; -ENOENT: there is no dot in it. */
int ulid_normalize_task(const char *text, char ret_array[ULID_LEN + 1], uint64_t *ret_index);
/* Either of the two. */
bool ulid_names_job(const char *text);

#define ULID_BYTES 16 /* the same as 128 bits, most significant first */

/* A whole id in upper case as its bytes, and back. to_bytes: 0, or -EINVAL for what ulid_make() cannot have made. */
int ulid_to_bytes(const char *id, uint8_t ret[ULID_BYTES]);
void ulid_from_bytes(const uint8_t bytes[ULID_BYTES], char ret_id[ULID_LEN + 1]);

#endif
