/*
 * yaml_value.h - one value of a message from one text: the part of yaml_message.h that knows types and units.
 *
 * Side: both.
 */
#ifndef PROTO_YAML_VALUE_H
#define PROTO_YAML_VALUE_H

#include "yaml_message.h"

/* Of any type but a message, into *at. name: the key as it stands in the text. */
int yaml_read_value(struct yaml_reader *r, const char *name, enum yaml_unit unit, const struct yaml_node *n,
                    const ProtobufCFieldDescriptor *f, void *at);

/* What a field of no row has by its name and type. */
enum yaml_unit yaml_unit_of(const ProtobufCFieldDescriptor *f, enum yaml_unit row);

#endif
