/*
 * tiers.h - the tiers, by what holds a worker, as one table: T0 namespaces and a uid of its own, T1 namespaces, T2 Landlock and the system
 * call filter, T3 the filter alone.
 *
 * Side: both. Nothing is allocated; names are constant.
 */
#ifndef PROTO_TIERS_H
#define PROTO_TIERS_H

#include <stdbool.h>

enum tier { TIER_T0, TIER_T1, TIER_T2, TIER_T3, TIERS };

/* Index: enum tier, the strongest first; NULL-terminated. */
extern const char *const tier_names[TIERS + 1];

/* The tier of this exact name, or -1. NULL is none. */
int tier_find(const char *name);

/* Whether workers of the tier of this name have namespaces of their own: a network, a view, a work directory with bounds. */
bool tier_has_namespaces(const char *name);

#endif
