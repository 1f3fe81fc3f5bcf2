/*
 * webhook_log.h - what became of the notices to each address that a job names, for coop show.
 *
 * Side:    broker, main thread.
 * Kept:    in memory, since the broker began, by job; those of an array's tasks are counted together, by the array.
 * Bounded: of a tenant its newest WEBHOOK_LOG_TENANT jobs, of all tenants the newest WEBHOOK_LOG.
 */
#ifndef BROKER_WEBHOOK_LOG_H
#define BROKER_WEBHOOK_LOG_H

#include <stdint.h>

#include "courier.pb-c.h"

struct webhook_record;
struct webhook_log_tenant;

enum { WEBHOOK_LOG = 8192, WEBHOOK_LOG_TENANT = 512, WEBHOOK_LOG_ERROR = 128, WEBHOOK_LOG_PLACES = 8 };

/* Of one address. */
struct webhook_count {
    uint64_t begun, told, tries, given_up;
    char error[WEBHOOK_LOG_ERROR]; /* of the last try that failed; "": none did */
};

struct webhook_log {
    struct webhook_record *by_id, *oldest; /* in the order in which they came */
    struct webhook_log_tenant *tenants;
};

/* Whose record a notice belongs to: the array's, or the job's. */
const char *webhook_log_name(const Pb__Notice *what);
/* Made when it is not there; another may go. Good until the next such call. place: below WEBHOOK_LOG_PLACES. NULL: no memory. */
struct webhook_count *webhook_log_get(struct webhook_log *l, const char *id, uint64_t tenant, unsigned place);
/* NULL: nothing is known (any more). */
struct webhook_count *webhook_log_find(const struct webhook_log *l, const char *id, unsigned place);
void webhook_log_finish(struct webhook_log *l);

#endif
