/*
 * field_size.h - how much room a value of a message's field takes.
 *
 * Side:    both.
 */
#ifndef PROTO_FIELD_SIZE_H
#define PROTO_FIELD_SIZE_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/* Bytes that one value of a repeated field takes. */
size_t field_size_in_list(ProtobufCType t);

#endif
