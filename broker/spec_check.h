/*
 * spec_check.h - is this job spec one that the broker takes?
 *
 * Side:    broker. The spec comes from a client.
 * Returns: 0, or -errno with one sentence for the user in why: -EINVAL (makes no sense), -EDQUOT (above a limit, named).
 */
#ifndef BROKER_SPEC_CHECK_H
#define BROKER_SPEC_CHECK_H

#include <stdint.h>

#include "control.pb-c.h"
#include "job.pb-c.h"

#define SPEC_WHY 320

/* Also settles spec->limits (which must be there): defaults filled in, maxima checked. */
int spec_check(Pb__JobSpec *spec, char why[SPEC_WHY]);
/* The same for an interpreter: of an engine of text it may be without a source, which is run before its first call. -EOPNOTSUPP: this engine
 * takes no calls. */
int spec_check_interp(Pb__JobSpec *spec, char why[SPEC_WHY]);

/*
 * What a job is beside what it runs: labels, class, queue, schedule, retries, webhooks, retention (spec_check() calls it with the clock of
 * the wall). now_us: that clock. It allocates nothing and looks nothing up: whether the jobs of schedule.after are there is deps.h's.
 */
int spec_check_plan(const Pb__JobSpec *spec, uint64_t now_us, char why[SPEC_WHY]);

/* What an edit says, by the same rules, of what is not before and has to end by what is given here as long as the edit says nothing else: name,
 * class, priority, labels, times, what it waits for besides. Limits are not looked at. */
int spec_check_edit(const Pb__Edit *edit, uint64_t not_before_us, uint64_t deadline_us, uint64_t now_us, char why[SPEC_WHY]);

/* Before spec_check(), of a schedule that may be NULL: spans from now on become points in time. -EINVAL. */
int spec_settle_times(Pb__Schedule *s, uint64_t now_us, char why[SPEC_WHY]);

/* Tasks of an array; 0: the range makes no sense. UINT64_MAX: or more. */
uint64_t spec_array_tasks(const Pb__ArrayRange *range);

/* Empties what only the broker sets (tenant, user, array_id, array_index): a client's word for it is nobody's. Before anything is put there. */
void spec_clear_own(Pb__JobSpec *spec);

/* Takes the bytes out of source, modules, files and stdin; their names stay. */
void spec_strip(Pb__JobSpec *spec);

/* As it was submitted, but for what was of that time. Limits that were not asked for are found anew. */
void spec_make_anew(Pb__JobSpec *spec);

/* Where the messages lie that spec_fill() adds. */
struct spec_room {
    Pb__Retry retry;
    Pb__Backoff backoff;
};

/* After spec_check(): what was not given gets its default (priority, queue, retry, step of an array, limiters' places), so that the spec says
 * in full what will be done. room must live as long as the spec; strings that are added are constant. */
void spec_fill(Pb__JobSpec *spec, struct spec_room *room);

#endif
