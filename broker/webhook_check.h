/*
 * webhook_check.h - of a job's webhooks, what its spec alone does not tell: whether the key is there, and whether the address may be reached;
 * and what show says of them.
 *
 * Side:    broker, main thread. After spec_check().
 */
#ifndef BROKER_WEBHOOK_CHECK_H
#define BROKER_WEBHOOK_CHECK_H

#include "broker/jobs.h"
#include "broker/webhooks.h"
#include "control.pb-c.h"

/*
 * A submit of this tenant's. 0; -ENOENT: its kv has no such key, or an empty one; -EPERM: the host is an address as it stands, in a network that
 * webhooks may not reach (a name is looked at when it was resolved: address.h); -EIO ...: the store cannot be read. *no says it.
 */
int webhook_check(struct broker *b, const struct tenant *t, const Pb__JobSpec *spec, struct jobs_refusal *no);

struct webhook_states {
    Pb__WebhookState row[WEBHOOK_LOG_PLACES], *list[WEBHOOK_LOG_PLACES];
};
/* Each address of the spec. id: of the job, or of its array. What is said points into spec, the log and ret. */
void webhook_states(const struct webhooks *w, const char *id, const Pb__JobSpec *spec, struct webhook_states *ret, Pb__ShowReply *show);

#endif
