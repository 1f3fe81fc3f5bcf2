/* timers.c - see timers.h.      Source of the heap: Williams 1964, as in any textbook. */
#include "broker/timers.h"

#include <errno.h>
#include <stdlib.h>

static void put(struct timers *t, size_t i, struct timer *timer)
{
    t->heap[i] = timer;
    timer->place = i + 1;
}

static void rise(struct timers *t, size_t i)
{
    struct timer *timer = t->heap[i];

    while (i > 0 && t->heap[(i - 1) / 2]->at_us > timer->at_us) {
        put(t, i, t->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    put(t, i, timer);
}

static void sink(struct timers *t, size_t i)
{
    struct timer *timer = t->heap[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= t->count)
            break;
        if (child + 1 < t->count && t->heap[child + 1]->at_us < t->heap[child]->at_us)
            child++;
        if (t->heap[child]->at_us >= timer->at_us)
            break;
        put(t, i, t->heap[child]);
        i = child;
    }
    put(t, i, timer);
}

void timers_finish(struct timers *t)
{
    free(t->heap);
    *t = (struct timers){ 0 };
}

int timers_arm(struct timers *t, struct timer *timer, uint64_t at_us)
{
    if (timer->place != 0)
        timers_cancel(t, timer);
    if (t->count == t->cap) {
        size_t cap = t->cap > 0 ? t->cap * 2 : 64;
        struct timer **heap = realloc(t->heap, cap * sizeof(*heap));

        if (heap == NULL)
            return -ENOMEM;
        t->heap = heap;
        t->cap = cap;
    }
    timer->at_us = at_us;
    put(t, t->count++, timer);
    rise(t, t->count - 1);
    return 0;
}

void timers_cancel(struct timers *t, struct timer *timer)
{
    size_t i = timer->place;

    if (i-- == 0)
        return;
    timer->place = 0;
    t->count--;
    if (i == t->count)
        return;
    put(t, i, t->heap[t->count]);
    sink(t, i);
    rise(t, t->heap[i]->place - 1);
}

uint64_t timers_next(const struct timers *t)
{
    return t->count > 0 ? t->heap[0]->at_us : UINT64_MAX;
}

void timers_run(struct timers *t, uint64_t now_us)
{
    while (t->count > 0 && t->heap[0]->at_us <= now_us) {
        struct timer *timer = t->heap[0];

        timers_cancel(t, timer);
        timer->fn(timer->ctx);
    }
}
