/*
 * spec_check_parts.h - between the files of spec_check.h: the bounds of a job's plan, and its parts.
 *
 * Side:    broker.
 * Returns: as spec_check.h.
 */
#ifndef BROKER_SPEC_CHECK_PARTS_H
#define BROKER_SPEC_CHECK_PARTS_H

#include "broker/limiters.h"
#include "broker/spec_check.h"

enum {
    SPEC_KEY = 63, /* bytes of a label's key, a queue, a limiter */
    SPEC_LABEL_VALUE = 255,
    SPEC_LABELS = 64,
    SPEC_IDEM = 255,
    SPEC_LIMITERS = LIMITERS_OF_JOB,
    SPEC_LIMITER_N = 1000000,
    SPEC_ATTEMPTS = 1000,
    SPEC_INFRA = 100,
    SPEC_EXIT_CODES = 64,
    SPEC_WEBHOOKS = 8,
    SPEC_URL = 2048,
    SPEC_HOOK_KEY = 255,
    SPEC_SHOWN = 100,
};
#define SPEC_PAUSE_MAX  (30 * 86400 * 1000000ull) /* us: between two attempts */
#define SPEC_FACTOR_MAX 1000.0
#define SPEC_KEEP_MAX   (100ull * 366 * 86400 * 1000000) /* us */

int spec_check_retry(const Pb__Retry *r, char why[SPEC_WHY]);     /* NULL: none */
int spec_check_notify(const Pb__JobSpec *s, char why[SPEC_WHY]);  /* webhooks, retention */
int spec_check_no_plan(const Pb__JobSpec *s, char why[SPEC_WHY]); /* of an interpreter */

/* -EDQUOT with "the limit 'X' allows N, this job has M". */
int spec_too_much(char why[SPEC_WHY], const char *limit, uint64_t is, uint64_t max);
/* What was given, fit for a message and a terminal. */
char *spec_show(char buf[SPEC_SHOWN], const char *text);

#endif
