/*
 * submit_spec.h - a JobSpec from the command line: reads the script, the modules and the input, and finds the engine.
 *
 * Side:    host (CLI).
 * Owned:   spec_finish() frees what spec_make() read; strings of argv are borrowed.
 * Returns: 0 or -errno with why filled in (exit code 2, or 79 when something is larger than its named bound).
 */
#ifndef CLI_SUBMIT_SPEC_H
#define CLI_SUBMIT_SPEC_H

#include "cli/args.h"
#include "job_limits.h"

struct spec {
    Pb__JobSpec pb;
    char source_name[LIMITS_NAME + 1];
    void **owned; /* blocks to free */
    size_t n_owned;
    bool script_from_stdin;
};

/* stdin_inline: read --stdin into the spec (submit); else the caller streams it, and sets pb.stdin_mode. */
int spec_make(const struct command *c, bool stdin_inline, struct spec *ret, struct coop_error *why);
void spec_finish(struct spec *s);

/* What runs this script: by its name's ending, or its #! line. NULL: cannot tell. */
const char *spec_guess_engine(const char *path, const void *source, size_t len);

#endif
