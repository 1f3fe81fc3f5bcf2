/*
 * values.h - typed values on their way: out in a message, in from an answer. What is too large to travel inline lies in a buffer of its
 * own.
 *
 * Side:    host (libcoop). A received value is a tenant's.
 */
#ifndef CLIENT_VALUES_H
#define CLIENT_VALUES_H

#include <coop/value.h>

#include "client/start.h"

struct sent_value {
    Pb__Value pb; /* to be put into a message, until value_sent() */
    struct coop_encoding encoding;
    Pb__Handle *handles, **list, whole;
    struct coop_handle buffer;
};

/* root: the word that a path begins with. v NULL: an empty list. 0, or -errno with why; then there is nothing to finish. */
int value_send(struct start *s, const coop_val *v, const char *root, struct sent_value *ret);
/* The message with it has been begun, or has not. */
void value_sent(struct start *s, struct sent_value *v);

/* v NULL: a null. *ret: coop_val_free(). */
int value_receive(struct coop_client *c, const Pb__Value *v, coop_val **ret, struct coop_error *why);

#endif
