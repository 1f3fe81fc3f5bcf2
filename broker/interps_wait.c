/* interps_wait.c - see interps.h: who waits for whom through calls. */
#include "broker/interps_own.h"

enum { SEARCH_DEPTH = 1024 };

/* How far a search has come: the interpreter, and the next of its open calls to follow. */
struct step {
    const struct interp *at;
    const struct interp_call *next;
};

static const struct interp_call *calls_of(const struct interp *i)
{
    return i->job != NULL ? i->job->calls : NULL;
}

/* From to along open calls until goal; the way is in steps. No recursion: a hostile chain is as long as there are interpreters. */
static unsigned search(struct interp *to, const struct interp *goal, unsigned mark, struct step steps[SEARCH_DEPTH])
{
    unsigned n = 1;

    to->mark = mark;
    steps[0] = (struct step){ to, calls_of(to) };
    while (n > 0) {
        struct step *s = &steps[n - 1];
        struct interp *on = s->next != NULL ? s->next->on : NULL;

        if (s->at == goal)
            return n;
        if (on == NULL) {
            n--;
            continue;
        }
        s->next = s->next->from_next;
        if (on->mark == mark || on->state == IS(ENDED) || n == SEARCH_DEPTH)
            continue;
        on->mark = mark;
        steps[n++] = (struct step){ on, calls_of(on) };
    }
    return 0;
}

/*
 * It could begin at once when nothing runs there. Else it begins when what runs, and what waits before it, is over; which is never, when that waits
 * for a call of the asker's: an asker that runs a call takes no other.
 */
unsigned wait_cycle(struct job *from, struct interp *to, const struct interp *ret[CYCLE_MAX])
{
    const struct interp *own = from->interp;
    struct step steps[SEARCH_DEPTH];
    unsigned n;

    if (own == NULL || own->running == NULL || (to->running == NULL && to->waiting == NULL))
        return 0;
    n = search(to, own, ++to->thing.broker->interps.mark, steps);
    for (unsigned k = 0; k < n && k < CYCLE_MAX; k++)
        ret[k] = k == 0 ? own : steps[k - 1].at; /* the asker first, then whom it calls, up to who calls it */
    return n;
}
