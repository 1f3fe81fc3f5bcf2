/*
 * python.h - what the engine python runs that is no file: -c CODE, -m MODULE.
 *
 * Side:    host (CLI).
 * Owned:   what is made belongs to the spec.
 * Returns: 0 or -errno with why filled in.
 */
#ifndef CLI_PYTHON_H
#define CLI_PYTHON_H

#include "cli/args.h"
#include "cli/submit_spec.h"

/* Whether the command says -c or -m. */
bool python_is_meant(const struct command *c);

/* Engine, source and names of the job, or of a template's init, which loads each module. */
int python_add(const struct command *c, struct spec *s, struct coop_error *why);

#endif
