/*
 * admin_log.h - each administrative act is a durable record: who, what, on what. No secret is ever in one.
 *
 * Side:    broker. The record goes to the store in the order of the acts, behind the act's own change; its answer is given after both.
 */
#ifndef BROKER_ADMIN_LOG_H
#define BROKER_ADMIN_LOG_H

#include <stdint.h>

struct actor;
struct broker;

#define ADMIN_DETAIL 512

/* verb: "tenant.set", "token.create", "drain"; object: what it was done to, "" when the verb says it all. */
__attribute__((format(printf, 5, 6))) void admin_log(struct broker *b, const struct actor *by, const char *verb, const char *object,
                                                     const char *detail, ...);

#endif
