/*
 * coop/value_json.h - typed values (coop/value.h) as JSON text (RFC 8259), and back: a part of libcoop.
 *
 *     null, bool      null, true, false
 *     int, big        digits without fraction or exponent, of any size: 340282366920938463463374607431768211456
 *     double          with a fraction or an exponent: 1.0, 1e+300; others: {"$double": "nan"}, "inf", "-inf"
 *     text            a string; a NUL in it is \u0000
 *     bytes           {"$bytes": "aGVsbG8="}: base64 (RFC 4648, 4), with its padding
 *     list            an array
 *     map             an object, when all its keys are texts without NUL, none of which is a word of this list
 *     any map         {"$map": [[key, value], ...]}: the same with any keys
 *     handle          {"$handle": "01HZX...", "kind": "queue", "rights": ["send", "grant"]}: id or name; rights may be left out: all that
 *                     there are. Kinds: interp, queue, buffer, alias, kv. Written with "name" and "bytes" as well, which are not read.
 *     big             {"$big": "-123"} is read, too
 *
 * An object with one of these words as a key is of that form exactly, or refused.
 */
#ifndef COOP_VALUE_JSON_H
#define COOP_VALUE_JSON_H

#include <coop/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { COOP_JSON_WHY = 384 }; /* bytes of a sentence, with its NUL */

/*
 * Reads len bytes of text, which are one JSON value and white space. *ret is the caller's, by coop_val_free(). why: COOP_JSON_WHY bytes, what
 * is wrong and where, may be NULL. -EBADMSG: not JSON; a key that comes twice and a number that no double can be are that, too. -EINVAL:
 * JSON, but no value. -ELOOP, -E2BIG: too deep, too many digits. -ENOMEM. Needs up to 512 KiB of stack.
 */
int coop_val_from_json(const char *text, size_t len, coop_val **ret, char *why);

/*
 * *ret is one line of ASCII, ended by a NUL, without a line break; the caller frees it with free(). What comes out of it is equal to v, a
 * handle but for its name and bytes. The first error in v; -EINVAL: NULL, or a handle with neither id nor name; -ENOMEM.
 */
int coop_val_to_json(const coop_val *v, char **ret);

#ifdef __cplusplus
}
#endif

#endif
