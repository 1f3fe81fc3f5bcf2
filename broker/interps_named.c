/* interps_named.c - see interps.h: named interpreters outlive their maker; what made them is stored, and a new broker makes them anew. */
#include <errno.h>
#include <string.h>

#include "broker/interps_own.h"
#include "broker/jobs.h"
#include "frame.h"

/* Without the spec, which the store has, and without what dies with a broker: handles, and names that a session serves. */
int named_define(const Pb__InterpCreate *m, struct store_blob *ret)
{
    Pb__InterpCreate kept = PB__INTERP_CREATE__INIT;

    kept.template_ = m->template_;
    kept.owner = m->owner;
    kept.max_children = m->max_children;
    return frame_pack(&kept.base, &ret->bytes, &ret->len);
}

int interps_adopt(struct job *job, const Pb__JobSpec *spec, const void *definition, size_t len)
{
    const Pb__InterpCreate *m;
    struct estate *e;
    struct interp *i;
    struct frame f;
    int rc = frame_decode(&f, &pb__interp_create__descriptor, definition, len, FRAME_MAX_CONTROL);

    if (rc != 0)
        return rc;
    m = (const Pb__InterpCreate *)f.msg;
    e = estate_get(job->broker, job_tenant(job));
    i = e != NULL ? interp_new(e, job->id, spec, OW(NAMED)) : NULL;
    estate_unref(e); /* it has its own */
    rc = i == NULL ? -ENOMEM : thing_register(&i->thing, i->label);
    if (rc == 0) {
        i->job = job;
        job->interp = i;
        job->caps.interpreters = job->caps.interpreters < m->max_children ? m->max_children : job->caps.interpreters;
        i->whence = "adopted";
        i->incarnation = (job->attempt > 0 ? job->attempt : 1) + 1; /* the first start may not have been written down */
        i->created_us = job->submitted_us;
        i->stored = true;
        i->state = IS(NONE);
        job->broker->interps.unstarted++;
        job->broker->interps.alive++;
        estate_lives(i->thing.estate, 1);
    } else if (i != NULL) {
        thing_unref(&i->thing);
    }
    frame_release(&f);
    return rc;
}

/* ---- the broker leaves ------------------------------------------------------------------------------------------------------------------- */

/* It waits for a worker, of which a broker that leaves gives none. */
static bool is_queued(const struct interp *i)
{
    return i->state == IS(STARTING) && i->job->queue_next != NULL;
}

void interps_drain(struct broker *b)
{
    struct thing *t = b->things[PB__KIND__KIND_INTERP].by_id;

    while (t != NULL) {
        struct interp *i = interp_of(t);

        if ((i->owner == OW(SESSION) && (i->state == IS(IDLE) || i->state == IS(STARTING))) || (i->owner == OW(JOB) && is_queued(i))) {
            jobs_decide(i->job, CA(CANCELLED), "the broker was told to leave");
            t = b->things[PB__KIND__KIND_INTERP].by_id; /* others may have ended with it, and stand elsewhere */
        } else {
            t = t->by_id.next;
        }
    }
}

unsigned interps_resting(const struct broker *b, unsigned *ret_others)
{
    unsigned resting = 0, queued = 0;

    for (struct thing *t = b->things[PB__KIND__KIND_INTERP].by_id; t != NULL; t = t->by_id.next) {
        const struct interp *i = interp_of(t);

        resting += i->owner == OW(NAMED) && (i->state == IS(IDLE) || i->state == IS(NONE));
        queued += i->owner == OW(NAMED) && is_queued(i); /* among the jobs that wait */
    }
    *ret_others = b->interps.alive - resting - queued;
    return resting;
}
