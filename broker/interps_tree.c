/* interps_tree.c - see interps.h: who is below whom, and what a child may have of what its maker has. Limits and capabilities only shrink. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "broker/interps_own.h"
#include "broker/jobs.h"
#include "broker/templates.h"
#include "broker/watch.h"
#include "job_caps.h"
#include "log.h"
#include "units.h"

/* ---- limits --------------------------------------------------------------------------------------------------------------------------- */

enum { MEMORY_PARTS = 8 };

/*
 * How much of one limit a job may give to a child now; *ret_share: what it gives when nothing is asked for.
 * memory: what its other children have not been given; asked for nothing, an even part of that, but no less than one of MEMORY_PARTS: else who may have
 * a hundred would have none of use. cpu and wall of a plain job: what is left of its own, for they hold for its whole run. All
 * others, and those of an interpreter, which hold for each call: as much as it has itself.
 */
static uint64_t left_of(const struct job *parent, const struct causes_facts *now, const struct limits_row *row, uint64_t *ret_share)
{
    uint64_t has = limits_get(&parent->limits, row), used = 0;
    unsigned others = 0; /* children: that it has, then that it may still have */

    *ret_share = has;
    if (row->offset == offsetof(Pb__Limits, memory_bytes)) {
        for (const struct interp *c = parent->below; c != NULL; c = c->next, others++)
            used += c->limits.memory_bytes;
        others = parent->caps.interpreters > others ? parent->caps.interpreters - others : 1;
        *ret_share = used < has ? (has - used) / (others < MEMORY_PARTS ? others : MEMORY_PARTS) : 0;
    } else if (parent->interp == NULL && row->offset == offsetof(Pb__Limits, cpu_us)) {
        used = now->cpu_us;
    } else if (parent->interp == NULL && row->offset == offsetof(Pb__Limits, wall_us)) {
        used = now->wall_us;
    }
    has = used < has ? has - used : 0;
    if (*ret_share > has)
        *ret_share = has;
    return has;
}

static int shrink(const struct job *parent, const struct causes_facts *now, const struct limits_row *row, int engine, Pb__Limits *l,
                  struct call_why *why)
{
    uint64_t *cell = (uint64_t *)((char *)l + row->offset), share, left;
    const struct limits_range *range = &row->of[engine];
    char is[UNITS_BUF], max[UNITS_BUF];

    if (range->initial == 0 || limits_get(&parent->limits, row) == 0)
        return 0; /* the one or the other has no such thing: the spec's check knows */
    left = left_of(parent, now, row, &share);
    if (*cell == 0)
        *cell = range->initial < share ? range->initial : share > range->min ? share : range->min;
    if (*cell <= left)
        return 0;
    return call_refuse(why, CE(LIMIT), "limit %s: %s is more than the %s that its maker has left to give", row->name,
                       limits_format(row, *cell, is), limits_format(row, left, max));
}

static int shrink_limits(const struct job *parent, Pb__JobSpec *spec, int engine, struct call_why *why)
{
    struct causes_facts now;

    watch_facts(parent, parent->worker, false, &now);
    for (size_t k = 0; k < limits_count; k++)
        if (shrink(parent, &now, &limits_table[k], engine, spec->limits, why) != 0)
            return -1;
    return 0;
}

/* ---- how many, how deep, with which capabilities --------------------------------------------------------------------------------------- */

static struct job *above(const struct job *job)
{
    return job->interp != NULL ? job->interp->parent : NULL;
}

/* Receipts are kept: who makes interpreters in a loop would fill the disk with them. A child's count for all above it, or it would have a pace of its own. */
static int check_pace(const struct job *parent, struct call_why *why)
{
    bool slow = true;

    for (const struct job *p = parent; p != NULL; p = above(p))
        slow &= p->made_below < INTERPS_MADE + (loop_clock_us() - p->assigned_at) / 1000000 * INTERPS_MADE_S;
    if (slow)
        return 0;
    return call_refuse(why, CE(LIMIT), "its maker makes interpreters too fast: %d, and %d more each second", INTERPS_MADE, INTERPS_MADE_S);
}

static int check_room(const struct job *parent, uint32_t max_children, struct call_why *why)
{
    unsigned depth = parent->interp != NULL ? parent->interp->depth + 1 : 1;

    if (depth > INTERPS_DEPTH)
        return call_refuse(why, CE(LIMIT), "interpreters are at most %d deep below each other", INTERPS_DEPTH);
    if (max_children > parent->caps.interpreters)
        return call_refuse(why, CE(LIMIT), "a child may have at most as many interpreters as its maker: %u", parent->caps.interpreters);
    for (const struct job *p = parent; p != NULL; p = above(p))
        if (p->n_below >= p->caps.interpreters)
            return call_refuse(why, CE(LIMIT), "%u interpreters are alive below %s, the most it may have", p->n_below,
                               p == parent ? "its maker" : "one above its maker");
    return 0;
}

static int check_caps(const struct job *parent, const Pb__JobSpec *spec, struct call_why *why)
{
    struct job_caps caps = { 0 };
    char text[JOB_CAPS_WHY];
    int rc = job_caps_read(spec, &caps, text);

    if (rc != 0)
        return call_refuse(why, CE(BAD_REQUEST), "%s", text);
    rc = job_caps_within(&caps, &parent->caps, text);
    job_caps_finish(&caps);
    return rc == 0 ? 0 : call_refuse(why, CE(NOT_ALLOWED), "%s", text);
}

int tree_admit(struct job *parent, Pb__JobSpec *spec, uint32_t max_children, struct call_why *why)
{
    int engine = engine_find(spec->engine);

    if (engine < 0)
        return 0; /* refused by the spec's check, which has the words */
    if (check_pace(parent, why) != 0 || check_room(parent, max_children, why) != 0 || check_caps(parent, spec, why) != 0)
        return -1;
    return shrink_limits(parent, spec, engine, why);
}

int tree_admit_template(const struct job *parent, Pb__JobSpec *spec, struct call_why *why)
{
    const struct template *own = parent->template;
    char shown[160]; /* a hostile word, for people and logs */

    if (spec->template_[0] == '\0' || job_caps_template(&parent->caps, spec->template_))
        return 0;
    if (own != NULL && strcmp(spec->template_, own->name) == 0) {
        spec->template_ = (char *)own->full;
        return 0;
    }
    log_escape(shown, sizeof(shown), spec->template_, strlen(spec->template_));
    return call_refuse(why, CE(NOT_ALLOWED), "its maker has not the capability template=%s; see --cap template=NAME", shown);
}

/* ---- the tree --------------------------------------------------------------------------------------------------------------------------- */

static struct interp **list_of(struct interp *i)
{
    return i->parent != NULL ? &i->parent->below : &i->session->interps;
}

void tree_join(struct interp *i, struct asker *maker)
{
    if (i->owner == OW(JOB)) {
        i->parent = maker->worker->job;
        snprintf(i->parent_id, sizeof(i->parent_id), "%s", i->parent->id);
        i->depth = i->parent->interp != NULL ? i->parent->interp->depth + 1 : 1;
    } else if (i->owner == OW(SESSION)) {
        i->session = maker;
    } else {
        return;
    }
    DL_APPEND(*list_of(i), i);
    for (struct job *p = i->parent; p != NULL; p = above(p)) {
        p->made_below++;
        p->n_below++;
        watch_sooner(p); /* its CPU time may pass faster from now on */
    }
}

static uint64_t cpu_of(const struct job *job)
{
    return watch_cpu(job) + interps_cpu_below(job);
}

/* No deeper than INTERPS_DEPTH. */
uint64_t interps_cpu_below(const struct job *job)
{
    uint64_t sum = job->cpu_below_us;

    for (const struct interp *c = job->below; c != NULL; c = c->next)
        sum += cpu_of(c->job);
    return sum;
}

void tree_leave(struct interp *i)
{
    if (i->parent == NULL && i->session == NULL)
        return;
    for (struct job *p = i->parent; p != NULL; p = above(p))
        p->n_below--;
    if (i->parent != NULL)
        i->parent->cpu_below_us += cpu_of(i->job);
    DL_DELETE(*list_of(i), i);
    i->parent = NULL;
    i->session = NULL;
}

/* Nobody misses anything of one that was at rest when its maker ended well: it has ended well too. */
static Pb__Cause end_with_maker(const struct interp *i, const struct job *maker)
{
    return maker->end.cause == CA(OK) && i->state == IS(IDLE) && i->running == NULL && i->waiting == NULL ? CA(OK) : CA(CANCELLED);
}

/* Each takes what is below itself along: no deeper than INTERPS_DEPTH. One whose end is decided already is on its way out of the list. */
static struct job *living_below(const struct job *job)
{
    for (const struct interp *c = job->below; c != NULL; c = c->next)
        if (c->job->end.cause == CA(NONE))
            return c->job;
    return NULL;
}

void tree_end_below(struct job *job)
{
    struct job *child;

    while ((child = living_below(job)) != NULL)
        jobs_decide(child, end_with_maker(child->interp, job), "its maker %s ended", job->id);
}

/* Out of its list first: one of them may be on its way out already, when its end is what the session is over for. */
void interps_session_over(struct asker *a)
{
    while (a->interps != NULL) {
        struct job *job = a->interps->job;

        tree_leave(a->interps);
        jobs_decide(job, CA(CANCELLED), "the session that made it is over");
    }
}

/* ---- what it is given when it is made ------------------------------------------------------------------------------------------------------ */

int grants_take(struct interp *i, const struct asker *from, Pb__Grant *const *grants, size_t n, struct call_why *why)
{
    Pb__Handle *handles[VALUE_HANDLES];
    Pb__Value v = PB__VALUE__INIT;
    struct parcel p;

    if (n > VALUE_HANDLES)
        return call_refuse(why, CE(LIMIT), "an interpreter is given at most %d handles", VALUE_HANDLES);
    for (size_t k = 0; k < n; k++) {
        handles[k] = grants[k]->handle;
        if (handles[k] == NULL || grants[k]->name[0] == '\0' || strlen(grants[k]->name) > LIMITS_NAME)
            return call_refuse(why, CE(BAD_REQUEST), "a grant has a handle, and a name of 1 to %d bytes", LIMITS_NAME);
    }
    if (n == 0)
        return 0;
    v.n_handles = n;
    v.handles = handles;
    if (parcel_take(&p, from, i->thing.estate, &v, "grants", why) != 0)
        return -1;
    i->grants = calloc(n, sizeof(*i->grants));
    for (size_t k = 0; i->grants != NULL && k < n; k++) {
        i->grants[k] = (struct interp_grant){ strdup(grants[k]->name), p.handles[k] };
        p.handles[k] = NULL;
        i->n_grants++;
    }
    parcel_finish(&p);
    return i->grants != NULL ? 0 : call_refuse(why, CE(TEMPORARY), "out of memory");
}

/* One that was revoked meanwhile is not there. */
int grants_give(struct interp *i, struct asker *to, struct call_why *why)
{
    for (unsigned k = 0; k < i->n_grants; k++) {
        struct handle *base = i->grants[k].handle, *h;

        if (base->thing == NULL)
            continue;
        h = handle_new(base->thing, base->rights, base);
        if (h == NULL)
            return call_refuse(why, CE(TEMPORARY), "out of memory");
        if (handle_give(h, to, i->grants[k].name, why) != 0) {
            handle_drop(h);
            return -1;
        }
    }
    return 0;
}

void grants_finish(struct interp *i)
{
    struct interp_grant *all = i->grants;
    unsigned n = i->n_grants;

    i->grants = NULL;
    i->n_grants = 0;
    for (unsigned k = 0; k < n; k++) {
        handle_drop(all[k].handle);
        free(all[k].name);
    }
    free(all);
}
