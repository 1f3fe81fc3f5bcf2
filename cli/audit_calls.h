/*
 * audit_calls.h - `coop audit calls [BEFORE]`.
 *
 * Side: host (CLI). Names in what it prints are a tenant's.
 */
#ifndef CLI_AUDIT_CALLS_H
#define CLI_AUDIT_CALLS_H

#include "cli/args.h"

struct coop_client;

/* before: the number of a call; 0: from the last. The exit code. */
int audit_calls(const struct command *c, struct coop_client *client, uint64_t before);

#endif
