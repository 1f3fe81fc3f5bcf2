/*
 * json_read.h - JSON that a verb printed, read by path; a field that is missing or of another type fails the test.
 *
 * Side:  tests.
 * Owned: documents live until support_release().
 */
#ifndef TESTS_SUPPORT_JSON_READ_H
#define TESTS_SUPPORT_JSON_READ_H

#include <jansson.h>

#include "tests/support/run.h"

/* The one document that a stream is, or the n-th line of it; how many lines there are. */
json_t *json_of(const struct heard *h);
json_t *json_line(const struct heard *h, size_t n);
size_t json_lines(const struct heard *h);

/* path: names and list indices with dots between, "receipt.usage.cpu_user_us" or "jobs.0.id". */
json_t *json_at(json_t *doc, const char *path);
const char *json_str(json_t *doc, const char *path);
json_int_t json_num(json_t *doc, const char *path);

/* The document as text, for messages. */
char *json_shown(json_t *doc);

/* Fails unless the object has these fields in this order and schema, when one is given, is its first. */
void json_expect_shape(json_t *object, const char *schema, const char *names);

#endif
