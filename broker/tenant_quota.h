/*
 * tenant_quota.h - the quotas of a tenant as one table, and as a message.
 *
 * Side:    broker.
 */
#ifndef BROKER_TENANT_QUOTA_H
#define BROKER_TENANT_QUOTA_H

#include "broker/tenants.h"

#define QUOTA_MAX       (UINT64_C(1) << 53) /* what JSON can say exactly */
#define QUOTA_RATE_UNIT 1000000
#define QUOTA_RATE_MAX  1000000 /* submits a second */

enum quota_kind { QUOTA_COUNT, QUOTA_RATE, QUOTA_SECONDS, QUOTA_BYTES };

struct quota_row {
    const char *name; /* of the field of pb.Quota */
    enum quota_kind kind;
    size_t cell;    /* in Pb__Quota: a uint64_t, a double for a rate */
    size_t counter; /* in struct tenant: a uint64_t; 0: nothing is counted */
    const char *help;
};
extern const struct quota_row quota_table[QUOTAS];

int quota_find(const char *name); /* -1: there is none */
/* nothing: room for what ret->nothing points at. */
void quota_to_pb(const struct tenant *t, Pb__Quota *ret, char *nothing[QUOTAS]);
/* One of them. -EINVAL with why. */
int quota_from_pb(const Pb__Quota *m, enum quota q, uint64_t *ret, char why[TENANT_WHY]);

/* The store's count of refused submits: one more. */
void tenants_push_refused(struct tenant *t);

#endif
