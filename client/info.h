/*
 * info.h - parts that several results have: limits, what a job is and does, receipts.
 *
 * Side: host (libcoop).
 */
#ifndef CLIENT_INFO_H
#define CLIENT_INFO_H

#include <coop/client.h>

#include "job.pb-c.h"

void limits_of_pb(struct coop_limits *into, const Pb__Limits *l); /* NULL: all zeros */
void job_of_pb(struct coop_job_info *into, const Pb__JobStatus *s);
/* *ret is one block: coop_receipt_free(). -ENOMEM. */
int receipt_of_pb(const Pb__Receipt *r, struct coop_receipt **ret);

#endif
