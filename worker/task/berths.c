/* berths.c - see berths.h. */
#include "worker/task/berths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/task/task.h"

#ifdef COOP_SWITCH_UCONTEXT
static const bool may_move = false; /* its registers lie on its stack */
#else
static const bool may_move = true;
#endif

static struct stack_class *class_of(const struct berths *b)
{
    return &sched->stacks.classes[b->class];
}

static struct berth *berth_of(const char *stack)
{
    size_t slot;
    const struct stack_chunk *k = stacks_find(&sched->stacks, stack, &slot);

    return k != NULL && k->berths != NULL ? &k->berths[slot] : NULL;
}

int berths_open(size_t max, size_t size, bool closed, const struct berth_engine *engine)
{
    struct berths *b = &sched->berths;
    int class = stacks_class_of(size), rc = class >= 0 ? hibernate_prepare() : class;

    if (rc != 0 || !may_move)
        return rc;
    *b = (struct berths){ .class = class, .engine = engine };
    class_of(b)->berths = true;
    class_of(b)->closed = closed;
    berths_limit(max);
    return 0;
}

void berths_limit(size_t max)
{
    struct hibernate *h = &sched->hibernate;

    sched->berths.max = max;
    h->above = max / 2;
    h->trigger = h->count + h->above;
}

void berths_finish(struct berths *b)
{
    free(b->vacant);
}

/* ---- without a guest ----------------------------------------------------------------------------------------------------------- */

/* There is room for every stack of the class: berth_take() has seen to it. */
static void list(char *stack, struct berth *at)
{
    struct berths *b = &sched->berths;

    if (at->listed)
        return;
    at->listed = true;
    b->vacant[b->n_vacant++] = stack;
}

/* A stack on the list may have got a guest since, or have no owner any more. */
static char *take_vacant(void)
{
    struct berths *b = &sched->berths;

    while (b->n_vacant > 0) {
        char *stack = b->vacant[--b->n_vacant];
        struct berth *at = berth_of(stack);

        at->listed = false;
        if (at->guest == NULL && at->owners > 0)
            return stack;
    }
    return NULL;
}

static int make_room(struct berths *b)
{
    size_t n = class_of(b)->cap_free;
    char **more;

    if (b->cap_vacant >= n)
        return 0;
    more = realloc(b->vacant, n * sizeof(*more));
    if (more == NULL)
        return -ENOMEM;
    b->vacant = more;
    b->cap_vacant = n;
    return 0;
}

/* ---- a tasklet's stack --------------------------------------------------------------------------------------------------------- */

/* One that somebody has: each in its turn. */
static char *share(void)
{
    struct berths *b = &sched->berths;
    const struct stacks *s = &sched->stacks;

    for (size_t looked = 0; looked <= s->n_chunks; looked++, b->chunk++, b->slot = 0) {
        const struct stack_chunk *k = s->chunks[b->chunk % s->n_chunks];

        for (; k->berths != NULL && b->slot < k->len / k->slot; b->slot++)
            if (k->berths[b->slot].owners > 0)
                return k->base + b->slot++ * k->slot + STACKS_GUARD;
    }
    return NULL;
}

static int settle(coop_task *t, char *stack)
{
    t->stack = stack;
    t->stack_size = class_of(&sched->berths)->size - STACKS_GUARD;
    t->berth = berth_of(stack);
    return t->berth != NULL ? sched->berths.engine->open(t, 0) : 0;
}

/* Whoever is moved when there is no memory left, has it already; but for those that have gone deep since. */
static int promise(coop_task *t)
{
    int rc = hibernate_promise(t);

    if (rc == 0 && t->berth->guest != NULL)
        rc = hibernate_promise(t->berth->guest);
    if (rc != 0)
        hibernate_forget(t);
    return rc;
}

/* One that nobody has. */
static int take_free(coop_task *t)
{
    struct berths *b = &sched->berths;
    size_t size;
    char *stack = stacks_get(&sched->stacks, b->class, &size);
    int rc = stack == NULL ? -ENOMEM : make_room(b);

    if (rc == 0)
        rc = settle(t, stack);
    if (rc != 0 && stack != NULL)
        (void)stacks_put(&sched->stacks, b->class, stack);
    return rc;
}

int berth_take(coop_task *t)
{
    struct berths *b = &sched->berths;
    const struct stack_class *c = class_of(b);
    char *stack = c->n_free == 0 ? take_vacant() : NULL;
    int rc = -ENOMEM;

    if (stack == NULL && (c->n_free > 0 || c->handed_out / c->size < b->max))
        rc = take_free(t);
    if (rc != 0 && (stack != NULL || (stack = share()) != NULL)) {
        rc = settle(t, stack);
        if (rc == 0)
            rc = promise(t);
    }
    if (rc == 0 && t->berth != NULL)
        t->berth->owners++;
    return rc;
}

void berth_begin(coop_task *t)
{
    if (t->berth->guest == NULL)
        t->berth->guest = t;
    else
        hibernate_begin(t);
}

void berth_end(coop_task *t)
{
    hibernate_forget(t);
    t->berth->guest = NULL;
    sched->berths.dead = t->berth;
}

void berth_put(char *stack)
{
    struct berth *at = sched->berths.dead;

    sched->berths.dead = NULL;
    if (--at->owners == 0) {
        if (stacks_put(&sched->stacks, sched->berths.class, stack) != 0)
            abort(); /* as any other's that has ended: its canary was there when it did */
    } else if (at->guest == NULL) {
        list(stack, at);
    }
}

/* ---- turns --------------------------------------------------------------------------------------------------------------------- */

void berth_leave(coop_task *t)
{
    if (t->berth->guest != t) /* it has not begun */
        return;
    t->berth->guest = NULL;
    list(t->stack, t->berth);
}

void berth_enter(coop_task *t, size_t len)
{
    const struct berth_engine *e = sched->berths.engine;
    coop_task *guest = t->berth->guest;

    if ((guest != NULL && hibernate_guest(guest) != 0) || e->open(t, len) != 0) {
        e->no_memory();
        abort();
    }
    t->berth->guest = t;
}
