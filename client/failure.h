/*
 * failure.h - what the broker says went wrong, as struct coop_error.
 *
 * Side:    host (libcoop). The words in a CallFailure may be a tenant's.
 * Returns: -errno, as coop_error_set().
 */
#ifndef CLIENT_FAILURE_H
#define CLIENT_FAILURE_H

#include <coop/client.h>

#include "control.pb-c.h"

/* Of a Reply that is an Error, or an Answer that is a failure; 0: it is neither. */
int failure_of_reply(const Pb__Reply *r, struct coop_error *why);

#endif
