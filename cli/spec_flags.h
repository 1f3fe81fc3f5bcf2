/*
 * spec_flags.h - the flags of flag_plan.h, put into a spec, over what a job file has said there.
 *
 * Side:    host (CLI).
 * Owned:   the messages belong to the spec (spec_own); strings are argv's, or copies that belong to it too.
 * Returns: 0 or -errno with why.
 */
#ifndef CLI_SPEC_FLAGS_H
#define CLI_SPEC_FLAGS_H

#include "cli/submit_spec.h"

/* One value: the flag's, when it was given. Lists (--after, --limiter, --webhook): the flags' in place of the file's. Labels: added, key by key. */
int spec_add_flags(const struct command *c, struct spec *s, struct coop_error *why);

#endif
