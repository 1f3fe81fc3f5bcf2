/* hibernate.c - see hibernate.h. */
#include "worker/task/hibernate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/task/sanitize.h"
#include "worker/task/task.h"

enum {
    ABOVE = 65536,         /* when nobody says: 256 MiB of pages */
    STACK_SIZE = 16 << 10, /* of the stack on which the others wake */
    PROMISED = 1 << 10,    /* bytes of a block that is there before it is needed, when none was before, … */
    KEPT = 4 << 10,        /* … of one that stays for the next time, … */
    SPARED = 64,           /* … and so much of it may be left over */
};

struct frozen {
    void *ip, *bp;       /* of the registers; sp is top - len + below */
    uint32_t len, below; /* bytes, and how many of them lie below sp */
    uint32_t size;       /* there is room for so many */
    uint64_t bytes[];
};

/* Of those with berths that have not begun, and have no bytes: it is the thread state's. */
static bool is_empty(const struct frozen *f)
{
    return f == sched->hibernate.unbegun;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------------------- */

/* Uninstrumented: what lies on a stack is poisoned where its owner must not go, and its owner has not gone there. */
#if defined(COOP_ASAN) || defined(COOP_TSAN)
#if defined(__clang__)
__attribute__((no_sanitize("address", "thread")))
#else
__attribute__((no_sanitize_address, no_sanitize_thread))
#endif
__attribute__((noinline)) static void
copy(uint64_t *to, const uint64_t *from, size_t len)
{
    for (size_t i = 0; i < len / sizeof(*to); i++) {
        to[i] = from[i];
        __asm__ volatile("" ::: "memory"); /* or it would become a call of memcpy(), which looks at what is poisoned */
    }
}
#else
static void copy(uint64_t *to, const uint64_t *from, size_t len)
{
    memcpy(to, from, len);
}
#endif

void hibernate_free_spent(struct hibernate *h)
{
    while (h->spent != NULL) {
        struct frozen *next = h->spent->ip;

        free(h->spent);
        h->spent = next;
    }
}

/* ---- blocks -------------------------------------------------------------------------------------------------------------------- */

static struct frozen *block_new(struct frozen *old, size_t size)
{
    struct frozen *f = realloc(old, sizeof(*f) + size);

    if (f != NULL)
        f->size = (uint32_t)size;
    return f;
}

/* For len bytes of t's, its own when that is of about this size. NULL: no memory. */
static struct frozen *block_take(coop_task *t, size_t len)
{
    struct frozen *kept = t->kept, *f = kept;

    if (kept == NULL || kept->size < len || kept->size - len > SPARED)
        f = block_new(kept, len);
    if (f == NULL && kept != NULL && kept->size >= len)
        f = kept;
    if (f != NULL)
        t->kept = NULL;
    return f;
}

/* What t has come back from. */
static void block_put(coop_task *t, struct frozen *f)
{
    if (is_empty(f))
        return;
    if (t->berth != NULL && t->berth->owners > 1 && t->kept == NULL && f->size <= KEPT)
        t->kept = f;
    else
        free(f);
}

int hibernate_promise(coop_task *t)
{
    if (t->kept == NULL && (t->frozen == NULL || is_empty(t->frozen)))
        t->kept = block_new(NULL, sched->hibernate.usual > 0 ? sched->hibernate.usual : PROMISED);
    return t->kept != NULL || t->frozen != NULL ? 0 : -ENOMEM;
}

void hibernate_forget(coop_task *t)
{
    free(t->kept);
    t->kept = NULL;
}

/* ---- waking -------------------------------------------------------------------------------------------------------------------- */

/* Nothing here allocates, frees, or may fail: it runs in a signal handler too. Returns the block, which is spent. */
static struct frozen *restore(coop_task *t)
{
    struct hibernate *h = &sched->hibernate;
    struct frozen *f = t->frozen;
    size_t slot;
    struct stack_chunk *k = stacks_find(&sched->stacks, t->stack, &slot);

    if (t->berth != NULL) {
        berth_enter(t, f->len);
        sanitize_moved(t);
    } else if (stacks_fill(k->guard, t->stack, t->stack_size) != 0) {
        static const char why[] = "coop: the kernel does not give a hibernated stack's pages back\n";

        (void)!write(STDERR_FILENO, why, sizeof(why) - 1);
        abort(); /* what is on it is safe, but it can never run again, and nobody could be told */
    }
    copy((uint64_t *)(task_stack_top(t) - f->len), f->bytes, f->len);
    t->regs.sp = task_stack_top(t) - f->len + f->below;
    t->regs.ip = f->ip;
    t->regs.bp = f->bp;
    t->frozen = NULL;
    k->away[slot] = NULL;
    h->count--;
    h->bytes -= is_empty(f) ? 0 : sizeof(*f) + f->len;
    h->trigger -= h->trigger < SIZE_MAX;
    sched->stats.wakes++;
    all_remove(t);
    all_push(t);
    if (t->berth != NULL)
        sched->berths.engine->comes(t);
    return f;
}

void hibernate_wake(coop_task *t)
{
    int saved = errno;

    block_put(t, restore(t));
    hibernate_free_spent(&sched->hibernate);
    errno = saved;
}

bool hibernate_has_bytes(const coop_task *t)
{
    return !is_empty(t->frozen);
}

bool hibernate_touched(const void *address)
{
    int saved = errno;
    size_t slot;
    struct stack_chunk *k = sched != NULL ? stacks_find(&sched->stacks, address, &slot) : NULL;
    struct frozen *f;

    if (k == NULL || k->away[slot] == NULL || (const char *)address < (const char *)((coop_task *)k->away[slot])->stack)
        return false;
    f = restore(k->away[slot]);
    f->ip = sched->hibernate.spent;
    sched->hibernate.spent = f;
    errno = saved;
    return true;
}

/* Where a switch to a hibernated tasklet arrives, on the stack of the thread state. Nobody ever comes back to here. */
static void wake_current(void)
{
    coop_task *t = sched->current;
    struct switch_regs here;

#ifdef SANITIZE_SWITCH
    sanitize_arrive(&sched->waker);
    hibernate_wake(t);
    sanitize_leave(&sched->waker, t);
#else
    hibernate_wake(t);
#endif
    (void)switch_stacks(&here, &t->regs);
    abort();
}

const char *hibernate_look(const coop_task *t, struct switch_regs *ret_regs)
{
    const struct frozen *f = t->frozen;

    *ret_regs = t->regs;
    if (f == NULL)
        return t->regs.sp;
    ret_regs->sp = task_stack_top(t) - f->len + f->below;
    ret_regs->ip = f->ip;
    ret_regs->bp = f->bp;
    return (const char *)f->bytes + f->below;
}

/* ---- packing one up ------------------------------------------------------------------------------------------------------------ */

/* So much below sp is the tasklet's too: a leaf function into which the switch was inlined keeps its variables there. */
static size_t below(const struct switch_regs *r)
{
#if defined(__x86_64__) && !defined(COOP_SWITCH_UCONTEXT)
    return r->ip == (void *)switch_resumed || r->ip == (void *)switch_received || r->ip == (void *)switch_begin ? 0 : 128;
#else
    (void)r;
    return 0;
#endif
}

/* It has no bytes any more: whoever switches to it arrives at wake_current(). */
static void send_away(coop_task *t, struct frozen *f)
{
    struct hibernate *h = &sched->hibernate;

    if (t->berth != NULL) {
        sched->berths.engine->goes(t);
        berth_leave(t);
    }
    t->frozen = f;
    t->regs.sp = h->entry.sp;
    t->regs.ip = h->entry.ip;
    t->regs.bp = h->entry.bp;
    h->count++;
    h->trigger += h->trigger < SIZE_MAX;
    sched->stats.hibernations++;
}

/* All that have not begun do so in the same place. */
static struct frozen *empty_block(const coop_task *t)
{
    struct frozen *f = sched->hibernate.unbegun;

    f->ip = t->regs.ip;
    f->bp = t->regs.bp;
    return f;
}

/* Moves the bytes; the pages are still there. */
static int freeze(coop_task *t)
{
    struct hibernate *h = &sched->hibernate;
    size_t red = below(&t->regs), slot, len = (size_t)(task_stack_top(t) - (char *)t->regs.sp) + red;
    struct stack_chunk *k = stacks_find(&sched->stacks, t->stack, &slot);
    struct frozen *f;

    if (len > t->stack_size)
        return -EINVAL; /* it stands in its guard's place: let it be found there */
    if (len == 0 && t->berth != NULL) {
        send_away(t, empty_block(t));
        return 0;
    }
    f = block_take(t, len);
    if (f == NULL)
        return -ENOMEM;
    *f = (struct frozen){ .ip = t->regs.ip, .bp = t->regs.bp, .len = (uint32_t)len, .below = (uint32_t)red, .size = f->size };
    copy(f->bytes, (const uint64_t *)(task_stack_top(t) - len), len);
    if (t->berth == NULL)
        k->away[slot] = t;
    else if (len <= KEPT)
        h->usual = len;
    h->bytes += sizeof(*f) + len;
    send_away(t, f);
    return 0;
}

static int make_stack(struct hibernate *h)
{
    if (h->stack != NULL)
        return 0;
    if (h->batch == NULL)
        h->batch = malloc(HIBERNATE_BATCH * sizeof(*h->batch));
    if (h->unbegun == NULL)
        h->unbegun = calloc(1, sizeof(*h->unbegun));
    if (h->batch == NULL || h->unbegun == NULL)
        return -ENOMEM;
    h->stack = stacks_get(&sched->stacks, stacks_class_of(STACK_SIZE), &h->stack_size);
    if (h->stack == NULL)
        return -ENOMEM;
    switch_prepare(&h->entry, h->stack, h->stack_size, wake_current);
    sched->waker.stack = h->stack;
    sched->waker.stack_size = h->stack_size;
    sanitize_start(&sched->waker);
    return 0;
}

/* Becomes the first of those that are away, wherever it was. */
static void put_away(coop_task *t)
{
    struct hibernate *h = &sched->hibernate;

    all_remove(t);
    all_insert(t, h->edge);
    h->edge = t;
}

/* ---- one whose stack another is to have ---------------------------------------------------------------------------------------- */

int hibernate_prepare(void)
{
    return make_stack(&sched->hibernate);
}

void hibernate_begin(coop_task *t)
{
    send_away(t, empty_block(t));
    put_away(t);
}

int hibernate_guest(coop_task *t)
{
    int rc = freeze(t);

    if (rc == 0)
        put_away(t);
    return rc;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

void hibernate_init(struct hibernate *h, size_t above, bool private_stacks)
{
#ifdef COOP_SWITCH_UCONTEXT
    above = SIZE_MAX;
#endif
    h->above = h->trigger = above == 0 ? ABOVE : above < SIZE_MAX / 2 ? above : SIZE_MAX;
    h->private_stacks = private_stacks;
}

void hibernate_finish(struct hibernate *h)
{
    hibernate_free_spent(h);
    free(h->unbegun);
    free(h->batch);
}
