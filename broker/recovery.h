/*
 * recovery.h - a broker that starts takes up what an earlier one left in the store.
 *
 * Side:    broker, main thread. The store is open, and nothing has been asked of the parts yet.
 * Rows:    one that no broker has written is left out, and told in the log with the way out; where leaving it out would let somebody do what
 *          they may not (a tenant's row holds who is suspended, and its quotas) the start is refused.
 * Returns: 0 or -errno; -EUCLEAN: the store has to be repaired, and why says so.
 */
#ifndef BROKER_RECOVERY_H
#define BROKER_RECOVERY_H

#include "broker/store.h"

struct broker;

/* Who may do what; before anybody asks. */
int recovery_tenants(struct broker *b, char why[STORE_WHY]);
/* All that waits, and what it waits for. */
int recovery_rest(struct broker *b, char why[STORE_WHY]);

#endif
