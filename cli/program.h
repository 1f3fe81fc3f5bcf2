/*
 * program.h - what the word after `coop run` names, and which engine it is for.
 *
 * Side:    host (CLI).
 * Rule:    a file of the user's is read and sent; a program of the sandbox's own view (a bare name, or an absolute path below its
 *          directories) is only named. docs/man/coop.1 says which is which.
 */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "cli/submit_spec.h"

/* Fills in engine, source or program, source_name and name. 0 or -errno with why: 127 not there, 126 nothing that can be run. */
int program_add(const struct command *c, struct spec *s, struct coop_error *why);

/* What runs this file: by how it begins, its name's ending, or its #! line. NULL: cannot tell. */
const char *program_guess_engine(const char *path, const void *source, size_t len);

/* Source text that an engine may read: no bytecode, no NUL bytes. */
int program_check_text(const char *what, const char *path, const ProtobufCBinaryData *b, struct coop_error *why);

/* After a job ended because its program, named only, was not found: what may have been meant. */
void program_hint(struct coop_error *why, const Pb__JobSpec *spec);

#endif
