/*
 * audit_calls.h - `coop audit calls [BEFORE]`.
 *
 * Side: host (CLI). Names in what it prints are a tenant's.
 */
#ifndef CLI_AUDIT_CALLS_H
#define CLI_AUDIT_CALLS_H

#include "cli/args.h"

struct coop_client;

/* The exit code. */
int audit_calls(const struct command *c, struct coop_client *client);

#endif
