/*
 * help.h - everything that is said about the verbs and flags, made from their tables: help and manual page.
 *
 * Side: host (CLI). Each writes to out and cannot fail but by out's own error.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/verbs.h"

void help_overview(FILE *out);
void help_verb(FILE *out, const struct verb *v);
void help_man(FILE *out); /* docs/man/coop.1 */

#endif
