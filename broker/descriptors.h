/*
 * descriptors.h - how many files the broker may have open: as many as the kernel allows it, and no more work than those are enough for.
 *
 * Side:    broker. Whoever starts it may have few for reasons of their own: each worker takes some, and a job's programs get theirs from it.
 */
#ifndef BROKER_DESCRIPTORS_H
#define BROKER_DESCRIPTORS_H

#include <stdint.h>

#include "broker/config.h"

/* So many are open at once when all that the configuration allows is going on, within some. */
uint64_t descriptors_needed(const struct config *c);

/* What it may have: the hard limit of the calling process. */
uint64_t descriptors_allowed(void);

/* Raises the soft limit to the hard one. Where that is too little, fewer jobs run at once than *c says, which is changed and logged. */
void descriptors_raise(struct config *c);

#endif
