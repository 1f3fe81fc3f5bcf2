/*
 * yaml_message.h - protobuf messages from YAML or JSON, by their descriptors: the mirror of json_message.h.
 *
 * Side:    both.
 * Shape:   keys are the fields' names, enums lower case without their type's prefix, bytes text or {base64: "..."}. A table of rows says what is
 *          written otherwise: other names, units, maps in place of lists of pairs, one text in place of a map, names that are known and refused.
 *          By convention a uint64 whose name ends in _bytes is a size ("256MiB"), one that ends in _us a time ("30s"); a bare number under a
 *          name that ends in _us is microseconds, under any other seconds. Null, ~ and nothing are as if the key were not there.
 * Owned:   what is read hangs from the document.
 * Returns: 0 or -errno with r->why filled in: where, what is wrong, what would be right.
 */
#ifndef PROTO_YAML_MESSAGE_H
#define PROTO_YAML_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "yaml_tree.h"

enum yaml_unit { YAML_AS_TYPED, YAML_SIZE, YAML_TIME, YAML_WHEN }; /* WHEN: wall clock, microseconds since 1970: when.h */

struct yaml_reader {
    struct yaml_doc *doc;
    const struct yaml_key *keys; /* ended by a row without of; NULL: none */
    uint64_t now_us;             /* wall clock, for times that are said from now on */
    void *own;                   /* the caller's, for its hooks */
    struct yaml_error *why;
};

struct yaml_key {
    const ProtobufCMessageDescriptor *of;
    const char
        *key; /* as it stands in the text; "notify.webhook": webhook in the map notify. The first row of a field is the one written */
    const char *field;   /* the message's; NULL: none, so it is read by hand or refused */
    const char *refused; /* why it is not taken, "an interpreter has no such thing"; an empty value (0, "", null, [], {}) is passed over */
    enum yaml_unit unit;
    const char *pair_key, *pair_value; /* of a repeated message: also written as a map from the one field to the other */
    /* By hand, in place of all that. */
    int (*read)(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
    /* Of a message: one text in place of a map. to_text: -ENOTSUP when this one has no such form. */
    int (*from_text)(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *item);
    int (*to_text)(const ProtobufCMessage *item, char *buf, size_t size);
};

/* Reads a map into a message, which is as protobuf_c_message_init() left it. */
int yaml_read_message(struct yaml_reader *r, const struct yaml_node *n, ProtobufCMessage *m);

/* For hooks: one field of a message from a value, as if the key had been this field's. name: as it stands in the text. */
int yaml_read_field(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *m, const char *field);

/* "a list", "a map", "a text", "nothing": what a value is, for "wants ..., this is ...". */
const char *yaml_what(const struct yaml_node *n);

/* A text without NUL, or refused. */
int yaml_read_text(struct yaml_reader *r, const char *name, const struct yaml_node *n, const char **ret);

/* The row of a field that names it first, or NULL. */
const struct yaml_key *yaml_key_of(const struct yaml_key *keys, const ProtobufCMessageDescriptor *d, const char *field);

#endif
