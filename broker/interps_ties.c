/*
 * interps_ties.c - see interps.h: links. Two that are tied end together, unless the one ends well.
 *
 * Ends are worked off from a list, by the outermost interps_on_end(), and never from within one: who is tied to whom, and how long the chain is,
 * tenants choose.
 */
#include <stdlib.h>

#include <utlist.h>

#include "broker/interps_own.h"
#include "broker/jobs.h"

static struct tie_end *far_end(const struct tie_end *e)
{
    struct interp_tie *t = e->tie;

    return &t->of[e == &t->of[0]];
}

/* At most INTERPS_TIES to look at. */
static struct interp_tie *find_tie(const struct job *a, const struct job *b)
{
    for (const struct tie_end *e = a->ties; e != NULL; e = e->next)
        if (far_end(e)->job == b)
            return e->tie;
    return NULL;
}

static void untie(struct interp_tie *t)
{
    if (t->ended != NULL)
        DL_DELETE(t->ended->broker->interps.due, t);
    for (unsigned k = 0; k < 2; k++)
        DL_DELETE(t->of[k].job->ties, &t->of[k]);
    free(t);
}

static bool has_room(const struct job *job)
{
    unsigned n = 0;

    for (const struct tie_end *e = job->ties; e != NULL; e = e->next)
        n++;
    return n < INTERPS_TIES;
}

static void tie(struct ask *a, struct job *one, struct job *other)
{
    struct interp_tie *t;

    if (find_tie(one, other) != NULL) {
        ask_done(a);
        return;
    }
    if (!has_room(one) || !has_room(other)) {
        ask_fail(a, CE(LIMIT), "one of the two has %d links already", INTERPS_TIES);
        return;
    }
    t = calloc(1, sizeof(*t));
    if (t == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    t->of[0] = (struct tie_end){ .tie = t, .job = one };
    t->of[1] = (struct tie_end){ .tie = t, .job = other };
    for (unsigned k = 0; k < 2; k++) {
        struct tie_end *e = &t->of[k];

        DL_APPEND(e->job->ties, e);
    }
    ask_done(a);
}

void call_interp_link(struct ask *a)
{
    const Pb__InterpLink *m = a->message->interp_link;
    struct interp *i = interp_named(a, m->interp, PB__RIGHT__RIGHT_MANAGE, NULL);
    struct interp_tie *t;
    struct job *own;

    if (i == NULL || !interp_takes(i, a))
        return;
    own = a->by->worker->job;
    if (own == i->job) {
        ask_fail(a, CE(BAD_REQUEST), "it is tied to itself already");
        return;
    }
    if (!m->undo) {
        tie(a, own, i->job);
        return;
    }
    t = find_tie(own, i->job);
    if (t != NULL)
        untie(t);
    ask_done(a);
}

/* ---- the end of one ------------------------------------------------------------------------------------------------------------------------- */

void ties_on_end(struct job *job)
{
    struct tie_end *e, *next;

    for (e = job->ties; e != NULL; e = next) {
        struct interp_tie *t = e->tie;

        next = e->next;
        if (job->end.cause == CA(OK) || t->ended != NULL || far_end(e)->job->end.cause != CA(NONE)) {
            untie(t);
            continue;
        }
        t->ended = job;
        DL_APPEND(job->broker->interps.due, t);
    }
}

void ties_work_off(struct interps *all)
{
    struct interp_tie *t;

    while ((t = all->due) != NULL) {
        const struct job *ended = t->ended;
        struct job *other = t->of[t->of[0].job == ended].job;

        untie(t);
        jobs_decide(other, CA(CANCELLED), "linked to %s, which ended: %s%s%s", ended->id, job_cause_name(ended->end.cause),
                    ended->end.detail[0] != '\0' ? ": " : "", ended->end.detail);
    }
}

void ties_forget(struct job *job)
{
    while (job->ties != NULL)
        untie(job->ties->tie);
}
