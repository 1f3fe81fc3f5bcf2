/*
 * template_trust.c - how far a template is trusted to serve those who wait for it; see templates.h.
 *
 * A claimed job has a slot. So of a template that is not known to give children one job at a time is claimed, and tries; the others stay with the
 * scheduler, and keep nobody out. One that fails again and again is in quarantine: its jobs end at once, and say so.
 */
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"
#include "broker/templates.h"
#include "log.h"
#include "units.h"

enum {
    FAILURES_MAX = 3,         /* in a row; after a quarantine one is enough */
    TRUST_CHILDREN = 16,      /* so many make its failures forgotten: one good child before each bad one is no row's end */
    LONGER_MAX = 6,           /* doublings */
    QUARANTINE_US = 60000000, /* the first */
};
#define QUARANTINE_MAX_US 3600000000ull

static bool is_trusted(const struct template *t)
{
    return template_is_warm(t) && (t->failures == 0 ? t->children > 0 : t->children >= TRUST_CHILDREN);
}

struct sched_limiter *template_gate(struct template *t)
{
    if (t->gate.reason == NULL)
        sched_limiter_init(&t->gate, "TEMPLATE", is_trusted(t) ? SCHED_UNLIMITED : 1, false);
    return &t->gate;
}

/* What of it runs keeps its place, beside the one that tries. */
static uint32_t places(const struct template *t)
{
    uint32_t claimed = t->crew.plain.waiting;

    if (is_trusted(t))
        return SCHED_UNLIMITED;
    return t->gate.used > claimed ? t->gate.used - claimed + 1 : 1;
}

void template_check_gate(struct template *t)
{
    uint32_t max = places(t);

    if (t->gate.reason == NULL || t->broker->tenants.sched == NULL)
        return;
    if (t->gate.max != max)
        sched_limiter_set(t->broker->tenants.sched, &t->gate, max);
    while (max != SCHED_UNLIMITED && t->crew.plain.waiting > 1 && t->crew.plain.first->queue_prev->entry != NULL)
        jobs_unclaim(&t->broker->jobs, t->crew.plain.first->queue_prev->entry);
}

void template_proved(struct template *t)
{
    if (++t->children >= TRUST_CHILDREN)
        t->failures = t->quarantines = 0;
    template_check_gate(t);
}

static uint64_t next_quarantine_us(const struct template *t)
{
    uint64_t us = (uint64_t)QUARANTINE_US << (t->quarantines < LONGER_MAX ? t->quarantines : LONGER_MAX);

    return us < QUARANTINE_MAX_US ? us : QUARANTINE_MAX_US;
}

void template_failed(struct template *t)
{
    t->failures++;
    if (t->failures < FAILURES_MAX)
        return;
    t->quarantine_until_us = t->broker->loop.now_us + next_quarantine_us(t);
    t->quarantines++;
    t->failures = FAILURES_MAX - 1;
    log_event(LOG_LEVEL_WARN, "template_quarantine", "template=%s quarantines=%u why=\"%s\"", t->full, t->quarantines, t->why);
}

uint64_t template_quarantine_us(const struct template *t)
{
    uint64_t now = t->broker->loop.now_us;

    return t->quarantine_until_us > now ? t->quarantine_until_us - now : 0;
}

void template_refuse_quarantined(struct template *t)
{
    char why[TEMPLATE_WHY + 128], left[UNITS_BUF];
    uint64_t s = (template_quarantine_us(t) + 999999) / 1000000;

    snprintf(why, sizeof(why), "it is in quarantine for %s more, because it failed again and again: %s",
             units_format_duration(s * 1000000, left), t->why[0] != '\0' ? t->why : "its process ended");
    template_fail_waiting(t, false, why);
    timers_arm(&t->broker->loop.timers, &t->broker->jobs.claim, t->broker->loop.now_us); /* their slots are free, and nobody else says so */
}

void template_on_claim(struct template *t)
{
    template_check_gate(t);
    if (t->state == TEMPLATE_COLD && template_quarantine_us(t) > 0)
        template_refuse_quarantined(t);
}
