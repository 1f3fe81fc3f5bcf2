/*
 * message.h - messages of proto/calls.proto from and to dicts of Python, by their descriptors: a field's name is its key.
 *
 * Side:   worker, sealed. The broker checks what comes of it; here only what does not fit a field is refused.
 * There:  numbers, bools, text, bytes, lists and dicts; a Ref or a Handle is an object of coop's; a Value any value; an enum its number. None: not set.
 * Back:   each field of the message; an enum is its word ("oom" of CAUSE_OOM), of 0 None; a Value the value, and without one no key;
 *         a Handle the dict of it; a message that is not there None.
 */
#ifndef PYTHON_MESSAGE_H
#define PYTHON_MESSAGE_H

#include "worker/engines/python/job.h"

#include <protobuf-c/protobuf-c.h>

/* What a message needs while it lives. */
struct python_arena {
    struct python_block *blocks;
};

/* A new message from the dict, in the arena. NULL with an exception. May wait: a value may need a buffer. */
ProtobufCMessage *python_message_make(struct python_arena *a, const ProtobufCMessageDescriptor *d, PyObject *dict);
/* Frees all of it, whatever was returned. */
void python_arena_finish(struct python_arena *a);

/* A dict. */
PyObject *python_message_read(const ProtobufCMessage *m);

#endif
