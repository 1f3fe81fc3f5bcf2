/*
 * explain.h - doctor --explain-policy: the rows of a system call policy, with reasons, as the worker program has them compiled in.
 *
 * Side:    host (CLI).
 * Returns: an exit code, and only when it failed: else the worker program has taken this process's place, and printed.
 */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include "cli/say.h"

int explain_policy(const struct command *c, const char *name);

#endif
