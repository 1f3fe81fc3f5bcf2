/*
 * spec_check.h - is this job spec one that the broker takes?
 *
 * Side:    broker. The spec comes from a client.
 * Returns: 0, or -errno with one sentence for the user in why: -EINVAL (makes no sense), -EDQUOT (above a limit, named).
 */
#ifndef BROKER_SPEC_CHECK_H
#define BROKER_SPEC_CHECK_H

#include "job.pb-c.h"

#define SPEC_WHY 320

/* Also settles spec->limits (which must be there): defaults filled in, maxima checked. */
int spec_check(Pb__JobSpec *spec, char why[SPEC_WHY]);
/* The same for an interpreter: of an engine of text it may be without a source, which is run before its first call. -EOPNOTSUPP: this engine
 * takes no calls. */
int spec_check_interp(Pb__JobSpec *spec, char why[SPEC_WHY]);

#endif
