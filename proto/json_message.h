/*
 * json_message.h - protobuf messages as JSON, made from their descriptors: field names are the protobuf ones, a public interface.
 *
 * Side:  host (the command and libcoop). Strings may be a job's words.
 * Shape: every field is there: zeros too, absent messages null, lists []. Enums: lower case without their type's prefix. bytes: text
 *        when well-formed UTF-8 without NUL, else {"base64": "..."}. 64-bit numbers are JSON integers (beyond 2^63-1: that value).
 *        A quota that is none is null, and 0 is 0: of a message with a list `nothing` of names, a number that is 0 and is not named there is null.
 * Owned: functions that return json_t give a new reference, or NULL when out of memory.
 */
#ifndef PROTO_JSON_MESSAGE_H
#define PROTO_JSON_MESSAGE_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "enum_name.h"

/* One object, without schema. m may be NULL: JSON null. */
json_t *json_of_message(const ProtobufCMessage *m);

/* The same with "schema": "coop.<Message>/1" first. */
json_t *json_document(const ProtobufCMessage *m);

/* {"schema": "coop.<name>/1"}: to be filled in by hand. */
json_t *json_named(const char *name);

/* Text of any kind as a JSON string; bytes that are not UTF-8 become U+FFFD. */
json_t *json_of_text(const char *text, size_t len);
json_t *json_of_base64(const unsigned char *p, size_t len);
json_t *json_of_unsigned(uint64_t v);
/* Whether bytes are shown as text: UTF-8 without NUL. */
int json_is_text(const void *p, size_t len);

#endif
