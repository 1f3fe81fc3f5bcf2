/* hibernate_choose.c - see hibernate.h: who hibernates, and when; the pages of many at once. */
#include <errno.h>

#include "worker/task/hibernate.h"
#include "worker/task/sanitize.h"
#include "worker/task/task.h"

enum {
    LOOK = 2,       /* so many times the batch are looked at, … */
    LOOK_MORE = 64, /* … and some */
#ifdef SANITIZE_SWITCH
    NEEDS_STACK = 16 << 10, /* bytes, of whoever does it for all: a sanitizer's malloc() */
#else
    NEEDS_STACK = 2 << 10, /* bytes, of whoever does it for all: mostly malloc() */
#endif
};

static bool is_safe(const coop_task *t)
{
    size_t slot;

    return t->berth != NULL || stacks_find(&sched->stacks, t->stack, &slot)->guard == STACK_GUARD_MADVISE ||
           sched->hibernate.private_stacks;
}

/* ---- many of them -------------------------------------------------------------------------------------------------------------- */

static coop_task *who_was_on(char *stack, struct stack_chunk **ret_chunk)
{
    size_t slot;

    *ret_chunk = stacks_find(&sched->stacks, stack, &slot);
    return (*ret_chunk)->away[slot];
}

/* Gives back the pages of the stacks first..last, which lie side by side. Refused: they come back as they were. */
static void empty(char **first, char **last)
{
    struct stack_chunk *k;
    coop_task *t = who_was_on(*last, &k);

    if (stacks_empty(k->guard, *first, (size_t)(task_stack_top(t) - *first)) == 0)
        return;
    for (; first <= last; first++)
        hibernate_wake(who_was_on(*first, &k));
}

static bool are_neighbours(char *low, char *high)
{
    struct stack_chunk *k, *other;

    return high - task_stack_top(who_was_on(low, &k)) == STACKS_GUARD && who_was_on(high, &other) != NULL && other->guard == k->guard;
}

/* One system call for each run of neighbours: their guards lie between them, and are guards already. */
static void empty_all(char **stacks, size_t n)
{
    size_t first = 0;

    stacks_sort(stacks, n);
    for (size_t i = 1; i <= n; i++)
        if (i == n || !are_neighbours(stacks[i - 1], stacks[i])) {
            empty(&stacks[first], &stacks[i - 1]);
            first = i;
        }
}

/* The one that blocks just now is still on its stack. */
static bool may_go(const coop_task *t, uint32_t min_age)
{
    return t->state == TASK_BLOCKED && t->frozen == NULL && t != sched->current && t->pins == 0 &&
           (uint32_t)sched->switches - t->blocked_at >= min_age && is_safe(t);
}

/* From the oldest on. One that is not to go, or was busy not long ago, goes to the front and is asked again when all others were. */
static size_t choose(size_t want, uint32_t min_age)
{
    struct hibernate *h = &sched->hibernate;
    size_t n = 0, gone = 0;

    for (size_t looked = 0; gone < want && looked < LOOK * want + LOOK_MORE; looked++) {
        coop_task *t = h->edge != NULL ? h->edge->all_prev : sched->all_last;

        if (t == NULL)
            break;
        if (may_go(t, min_age) && hibernate_guest(t) == 0) {
            if (t->berth == NULL) /* else the next that is made comes there */
                h->batch[n++] = t->stack;
            gone++;
        } else {
            all_remove(t);
            all_push(t);
        }
    }
    return n;
}

/* It is done on the stack of the one that spawns or blocks, which may be small. Another will come. */
static bool has_room(void)
{
    const coop_task *t = sched->current;
    const char *here = __builtin_frame_address(0);

    return t == &sched->main || here - (const char *)t->stack > NEEDS_STACK;
}

/*
 * Below the watermark by a part of a batch, so that the next spawns cost nothing. When too few are old enough, nobody looks again before
 * many more have come, or have run.
 */
size_t hibernate_some(bool idle)
{
    struct hibernate *h = &sched->hibernate;
    size_t resident = sched->alive - h->count, spare = h->above / 8 < HIBERNATE_BATCH / 2 ? h->above / 8 : HIBERNATE_BATCH / 2,
           before = h->count, want, n;

    if (resident <= h->above || (sched->stacks.no_madvise && !h->private_stacks) || !has_room() || hibernate_prepare() != 0)
        return 0;
    hibernate_free_spent(h);
    want = resident - h->above + spare < HIBERNATE_BATCH ? resident - h->above + spare : HIBERNATE_BATCH;
    n = choose(want, idle ? 0 : (uint32_t)(resident / 2));
    empty_all(h->batch, n);
    n = h->count > before ? h->count - before : 0; /* the kernel may have refused */
    if (n < want) {
        h->trigger = sched->alive + resident / 8 + HIBERNATE_BATCH;
        h->not_before = sched->switches + resident / 4 + HIBERNATE_BATCH;
    } else {
        h->trigger = h->count + h->above;
        h->not_before = 0;
    }
    return n;
}

/* ---- one by name --------------------------------------------------------------------------------------------------------------- */

int coop_hibernate(coop_task *t)
{
    char *stack;
    int rc;

    if (sched == NULL || t == NULL || t->id == 0 || t->stack == NULL || (t->state != TASK_READY && t->state != TASK_BLOCKED))
        return -EINVAL;
    if (t->frozen != NULL)
        return 0;
    if (t->pins > 0)
        return -EBUSY;
#ifdef COOP_SWITCH_UCONTEXT
    return -ENOTSUP; /* its registers lie on its stack */
#endif
    if (sched->member != NULL)
        return -ENOTSUP; /* another thread's access would not be repeated */
    if (!is_safe(t))
        return -ENOTSUP;
    rc = hibernate_prepare();
    if (rc == 0)
        rc = hibernate_guest(t);
    if (rc != 0)
        return rc;
    stack = t->stack;
    if (t->berth == NULL)
        empty_all(&stack, 1);
    else if (hibernate_has_bytes(t) && t->berth->guest == NULL)
        (void)stacks_empty(STACK_GUARD_CLOSED, stack, t->stack_size);
    return t->frozen != NULL ? 0 : -ENOMEM;
}

bool coop_hibernated(const coop_task *t)
{
    return t != NULL && t->frozen != NULL;
}

void coop_pin_stack(bool on)
{
    coop_task *t = sched->current;

    if (on && t->pins < UINT8_MAX)
        t->pins++;
    else if (!on && t->pins > 0)
        t->pins--;
}
