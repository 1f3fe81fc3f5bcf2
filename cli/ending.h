/*
 * ending.h - what run says and does when its job has ended: one line about the end, its outputs, the rows it would need, the receipt.
 *
 * Side: host (CLI).
 */
#ifndef CLI_ENDING_H
#define CLI_ENDING_H

#include <stdio.h>

#include "cli/say.h"

/* Returns the exit code of run. dir_fd: where outputs go, or -1. */
int ending_tell(const struct command *c, struct coop_client *client, const Pb__JobSpec *spec, const Pb__Receipt *r, int dir_fd);

/* The rows that learning found, as --policy takes them, with how often each was needed. */
void ending_print_learned(FILE *out, const Pb__Receipt *r);

#endif
