/*
 * json.h - protobuf messages as JSON, made from their descriptors: field names are the protobuf ones, a public interface.
 *
 * Side:  host (CLI). Strings may be a job's words; the text printed is ASCII, everything else is \u-escaped.
 * Shape: every field is there: zeros too, absent messages null, lists []. Enums: lower case without their type's prefix. bytes: text
 *        when well-formed UTF-8 without NUL, else {"base64": "..."}. 64-bit numbers are JSON integers (beyond 2^63-1: that value).
 * Owned: functions that return json_t give a new reference, or NULL when out of memory.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include <coop/client.h>

/* One object, without schema. m may be NULL: JSON null. */
json_t *json_of_message(const ProtobufCMessage *m);

/* The same with "schema": "coop.<Message>/1" first. */
json_t *json_document(const ProtobufCMessage *m);

/* {"schema": "coop.<name>/1"}: to be filled in by hand. */
json_t *json_named(const char *name);

/* {"schema": "coop.Error/1", "code", "message", "hint", "exit_code"} */
json_t *json_error(const struct coop_error *e);

/* {"schema": "coop.LogChunk/1", "stream", "offset", "data", "encoding": "utf8"|"base64"} */
json_t *json_log_chunk(const char *stream, uint64_t offset, const void *data, size_t len);

/* Text of any kind as a JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *json_text(const char *text, size_t len);

/* Lower-case name of an enum value without the type's prefix, in buf. A number that the schema lacks is "unknown_N". */
#define JSON_ENUM_BUF 64
char *json_enum_name(const ProtobufCEnumDescriptor *d, int value, char buf[JSON_ENUM_BUF]);

/* Prints one line on standard output and drops the reference. 0 or -errno. */
int json_print(json_t *doc);

#endif
