/*
 * human.h - statuses and receipts as aligned text for people.
 *
 * Side: host (CLI). Words of jobs and peers are escaped here.
 */
#ifndef CLI_HUMAN_H
#define CLI_HUMAN_H

#include <stdio.h>

#include "control.pb-c.h"

#define HUMAN_BUF  512
#define HUMAN_AGE  32
#define HUMAN_TIME 32

/* "state (cause)", or "state" when the cause adds nothing. */
char *human_outcome(Pb__State state, Pb__Cause cause, char buf[HUMAN_BUF]);

/* What there is to say about the end beyond its cause, "used 2.1s of 2s"; "" when nothing. */
char *human_end_detail(const Pb__Receipt *r, char buf[HUMAN_BUF]);

/* How long ago that was: "12s", "5m", "3h", "2d". unix_us: microseconds since 1970. */
char *human_age(uint64_t unix_us, char buf[HUMAN_AGE]);

/* "2026-01-31 12:00:00" here; none: what is said of 0, which is no time. */
const char *human_time(uint64_t unix_us, const char *none, char buf[HUMAN_TIME]);

void human_status(FILE *out, const Pb__JobStatus *s);
/* Whose it is, what it waits for; the attempts that were not the last. Nothing where there is nothing to say. */
void human_plan(FILE *out, const Pb__JobStatus *s);
void human_attempts(FILE *out, Pb__Attempt *const *attempts, size_t n);
/* Of a spec what is beside that which it runs: times, retries, limiters, notices. */
void human_asked(FILE *out, const Pb__JobSpec *s);
/* What became of what its addresses were to be told. */
void human_webhooks(FILE *out, Pb__WebhookState *const *states, size_t n);
void human_spec(FILE *out, const Pb__JobSpec *s);
void human_receipt(FILE *out, const Pb__Receipt *r);
void human_receipt_short(FILE *out, const Pb__Receipt *r);

#endif
