/*
 * yaml_json.h - the one thing that JSON has and the YAML library lacks: "\ud83d\ude00", a character beyond U+FFFF as two escapes.
 *
 * Side: both.
 */
#ifndef PROTO_YAML_JSON_H
#define PROTO_YAML_JSON_H

#include <stddef.h>

/*
 * Of a text that begins with { or [: *ret, which the caller frees, has each such pair as the one escape \U0001f600; NULL: there is none, and the
 * text is good as it is. Columns behind such a pair are two less than they were. 0 or -ENOMEM.
 */
int yaml_json_escapes(const char *text, size_t len, char **ret, size_t *ret_len);

#endif
