/*
 * enum_name.h - enum values as users see and write them: "timed_out" for STATE_TIMED_OUT.
 *
 * Side: both.
 */
#ifndef PROTO_ENUM_NAME_H
#define PROTO_ENUM_NAME_H

#include <protobuf-c/protobuf-c.h>

/* Lower-case name of an enum value without the type's prefix, in buf. A number that the schema lacks is "unknown_N". */
#define JSON_ENUM_BUF 64
char *json_enum_name(const ProtobufCEnumDescriptor *d, int value, char buf[JSON_ENUM_BUF]);

/* The value of that name. 0, or -EINVAL: there is none. */
int enum_value(const ProtobufCEnumDescriptor *d, const char *name, int *ret);

#endif
