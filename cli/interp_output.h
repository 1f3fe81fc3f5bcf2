/*
 * interp_output.h - what the verbs of interpreters share: making one, calling one, and what it has printed meanwhile.
 *
 * Side:    host (CLI).
 * Returns: 0, or the exit code after having said why.
 */
#ifndef CLI_INTERP_OUTPUT_H
#define CLI_INTERP_OUTPUT_H

#include "cli/words.h"

/* As the flags say, with the script of --run run in it. The caller releases the reply, whose answer is the interpreter's handle. */
int interp_make(const struct command *c, struct coop_client *client, Pb__Owner owner, struct frame *ret_reply);
/* args[0] is the function. Prints its output and its value. */
int interp_call(const struct command *c, struct coop_client *client, const char *id, char **args, int n);
/* What it wrote during this call, onto our standard output and error. Nothing with --json: coop logs has it. */
int interp_output(const struct command *c, struct coop_client *client, const Pb__CallResult *r);
/* The same for all that it has written by now. */
int interp_output_all(const struct command *c, struct coop_client *client, const char *id);

#endif
