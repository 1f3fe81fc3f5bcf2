/*
 * json.h - what the command prints as JSON: messages (json_message.h), errors, pieces of output.
 *
 * Side:  host (CLI). Strings may be a job's words; the text printed is ASCII, everything else is \u-escaped.
 * Owned: functions that return json_t give a new reference, or NULL when out of memory.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <coop/client.h>

#include "json_message.h"

/* {"schema": "coop.Error/1", "code", "message", "hint", "exit_code"} */
json_t *json_error(const struct coop_error *e);

/* {"schema": "coop.LogChunk/1", "stream", "offset", "data", "encoding": "utf8"|"base64"} */
json_t *json_log_chunk(const char *stream, uint64_t offset, const void *data, size_t len);

/* Text of any kind as a JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text, size_t len);

/* Prints one line on standard output and drops the reference. 0 or -errno. */
int json_print(json_t *doc);

#endif
