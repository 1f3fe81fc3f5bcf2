/*
 * audit_admin.h - `coop audit admin`: what has been done to tenants, tokens, quotas and the broker, and by whom.
 *
 * Side:    host (CLI).
 */
#ifndef CLI_AUDIT_ADMIN_H
#define CLI_AUDIT_ADMIN_H

#include "cli/args.h"

struct coop_client;

/* before: the number of an act; 0: from the last. Returns the exit code, after what went wrong has been said. */
int audit_admin(const struct command *c, struct coop_client *client, uint64_t before);

#endif
