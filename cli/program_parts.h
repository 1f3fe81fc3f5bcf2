/*
 * program_parts.h - what only jobs of programs have: files for the work directory, outputs, capabilities, rows, a terminal.
 *
 * Side:    host (CLI).
 * Returns: 0 or -errno with why. What the broker would refuse is refused here already, in its words (job_files.h).
 */
#ifndef CLI_PROGRAM_PARTS_H
#define CLI_PROGRAM_PARTS_H

#include "cli/submit_spec.h"

int program_add_parts(const struct command *c, struct spec *s, struct coop_error *why);

/* Of every engine: capabilities, as far as they are this engine's. */
int program_add_caps(const struct command *c, struct spec *s, struct coop_error *why);

/* For the other engines: refuses a flag that only programs have. */
int program_refuse_parts(const struct command *c, const struct spec *s, struct coop_error *why);

#endif
