/*
 * packed.h - a typed value (proto/value.h) as it leaves or comes to a worker: its encoding, and the handles beside it.
 *
 * Side:    worker.
 * Owned:   a struct packed owns what its message points to, until packed_finish(). Zeroed it is an empty one: null.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_PACKED_H
#define WORKER_PACKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls.pb-c.h"
#include "value.h"

struct packed {
    uint8_t *cbor; /* malloc'ed */
    size_t len;
    uint32_t *handles; /* of this worker's table; malloc'ed */
    unsigned n_handles;
    uint32_t *rights; /* of each of them, those to pass on; malloc'ed; NULL: all */
    uint32_t whole;   /* a sealed buffer of this worker's that the encoding lies in, dropped by packed_finish(); 0: it is cbor */
    Pb__Value message;
    Pb__Handle *list, **pointers; /* its handles, in one block */
    Pb__Handle whole_message;
};

/* The place of a handle in it. -E2BIG: VALUE_HANDLES are; -ENOMEM. */
int packed_add_handle(struct packed *p, uint32_t handle);

/* Takes the writer's bytes, or its error. */
int packed_take(struct packed *p, struct value_writer *w);

/* The message, until packed_finish(). NULL: no memory. */
Pb__Value *packed_message(struct packed *p);

void packed_finish(struct packed *p);

/* Why one cannot be sent. */
struct packed_error {
    Pb__CallError error; /* NOT_SHAREABLE, TOO_DEEP, TOO_BIG */
    char path[VALUE_PATH];
    char message[160];
};

/* Before it is sent: one that is too large for a message is moved into a buffer, for which the caller waits as in ask_wait(). root: the word that its path
 * begins with. 0; -EBADMSG: refused, with *e; else what ask_wait() returns. */
int packed_fit(struct packed *p, const char *root, struct packed_error *e);

#endif
