/*
 * bare_interp.h - the job of a bare broker as an interpreter: idle, or with a call that runs.
 *
 * Side:    tests.
 * Includes what broker/interps_own.h is for the parts of interps.h alone; a test may look inside.
 */
#ifndef TESTS_UNIT_BARE_INTERP_H
#define TESTS_UNIT_BARE_INTERP_H

#include "bare_broker.h"
#include "broker/interps_own.h"

enum { BARE_CALL = 1 }; /* the number of its first call */

/* Makes fx->job one, of a session that is not there. */
static inline struct interp *bare_interp(struct bare_broker *fx)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    struct interp *i;

    spec.engine = (char *)engine_names[fx->engine];
    spec.limits = &fx->job->limits;
    i = interp_new(fx->own, fx->job->id, &spec, OW(NAMED));
    if (i == NULL || thing_register(&i->thing, "") != 0)
        abort();
    i->stored = true;
    i->job = fx->job;
    fx->job->interp = i;
    i->state = fx->job->state == PB__STATE__STATE_RUNNING ? IS(IDLE) : IS(STARTING);
    fx->b.interps.alive++;
    estate_lives(i->thing.estate, 1);
    return i;
}

/* A call that nobody waits for any more. */
static inline struct interp_call *bare_interp_call(struct interp *i)
{
    struct interp_call *c = calloc(1, sizeof(*c));

    c->on = i;
    c->kind = PB__CALL_KIND__CALL_KIND_CALL;
    c->text = strdup("f");
    c->number = i->number = BARE_CALL;
    i->running = c;
    i->state = IS(RUNNING);
    return c;
}

#endif
