/*
 * spec.h - what is in a struct coop_spec, for the calls that send it.
 *
 * Side: host (libcoop).
 */
#ifndef CLIENT_SPEC_H
#define CLIENT_SPEC_H

#include <coop/client.h>

#include "job.pb-c.h"

/* The spec's own, to be read only. -errno with why: it has a mistake, or is NULL. */
int spec_of(const struct coop_spec *spec, Pb__JobSpec **ret, struct coop_error *why);

#endif
