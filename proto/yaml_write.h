/*
 * yaml_write.h - protobuf messages as YAML that yaml_message.h reads back as the same, with the same rows.
 *
 * Side:    both.
 * Shape:   fields that have their default (0, "", false, nothing) are left out, also the first value of an enum. Sizes and times have units where
 *          that is exact, points in time are ISO 8601 in UTC.
 * Returns: 0 or -errno: -ENOMEM, -EIO (the stream).
 */
#ifndef PROTO_YAML_WRITE_H
#define PROTO_YAML_WRITE_H

#include <stdio.h>

#include "yaml_message.h"

/* keys as the reader has them; rows that are read by hand are written under their own field, when they have one. */
int yaml_write(FILE *out, const struct yaml_key *keys, const ProtobufCMessage *m);

#endif
