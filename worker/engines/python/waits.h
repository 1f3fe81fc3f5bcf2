/*
 * waits.h - how Python's code waits for the broker: who goes on meanwhile.
 *
 * Side: worker, sealed. With the GIL.
 */
#ifndef PYTHON_WAITS_H
#define PYTHON_WAITS_H

#include "worker/engines/python/job.h"

/*
 * Around a wait for the broker: where there are tasklets this one parks, and the others go on; else the whole thread waits, without the GIL.
 * begins: 1, 0, or -EBUSY with an exception: then there is no end.
 */
struct python_wait {
    PyThreadState *here;
    bool parks;
};
int python_wait_begins(struct python_wait *w);
void python_wait_ends(struct python_wait *w);

/* The same for an interpreter that rests between calls: threads that those have left may want to ask, and then its tasklets rest, too. */
int python_rest_begins(struct python_wait *w);

/* Whether one that begins now would park. */
bool python_asking_parks(void);

#endif
