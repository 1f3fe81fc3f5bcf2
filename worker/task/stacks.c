/* stacks.c - see stacks.h. */
#include "worker/task/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum {
    PAGE = 4096,           /* of both machines; a larger one makes the guards larger than they need be */
    CHUNK_FIRST = 16,      /* stacks */
    CHUNK_SMALL = 4 << 20, /* bytes; a class's first CHUNKS_SMALL chunks are no larger, so that little is taken in advance */
    CHUNKS_SMALL = 64,
    KEEP_HOT = 256, /* free stacks that keep their pages */
};

static const size_t class_size[STACKS_CLASSES] = { 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20 };
static const uint64_t canary = 0x5ca1ab1e0ddba11ull;

int stacks_init(struct stacks *s)
{
    memset(s, 0, sizeof(*s));
    for (int i = 0; i < STACKS_CLASSES; i++)
        s->classes[i].size = class_size[i];
    return 0;
}

void stacks_finish(struct stacks *s)
{
    while (s->chunks != NULL) {
        struct stack_chunk *next = s->chunks->next;

        munmap(s->chunks->base, s->chunks->len);
        free(s->chunks);
        s->chunks = next;
    }
    for (int i = 0; i < STACKS_CLASSES; i++)
        free(s->classes[i].free);
    memset(s, 0, sizeof(*s));
}

int stacks_class_of(size_t size)
{
    for (int i = 0; i < STACKS_CLASSES; i++)
        if (size <= class_size[i])
            return i;
    return -EINVAL;
}

/* The guards of a whole new chunk, by the first way that works. */
static enum stack_guard guard_chunk(struct stacks *s, char *base, size_t len, size_t slot)
{
    size_t n = len / slot;

    for (char *p = base; p < base + len && !s->no_madvise; p += slot)
        s->no_madvise = madvise(p, PAGE, MADV_GUARD_INSTALL) != 0;
    if (!s->no_madvise)
        return STACK_GUARD_MADVISE;
    if (s->mprotected + n <= STACKS_MPROTECT) {
        char *p = base;

        while (p < base + len && mprotect(p, PAGE, PROT_NONE) == 0)
            p += slot;
        if (p == base + len) {
            s->mprotected += n;
            return STACK_GUARD_MPROTECT;
        }
        mprotect(base, len, PROT_READ | PROT_WRITE);
    }
    return STACK_GUARD_CANARY;
}

static int add_chunk(struct stacks *s, struct stack_class *c)
{
    struct stack_chunk *k = malloc(sizeof(*k));
    size_t n = CHUNK_FIRST;
    char **more;

    n <<= c->n_chunks < 6 ? c->n_chunks : 6;
    if (c->n_chunks < CHUNKS_SMALL && n * c->size > CHUNK_SMALL)
        n = CHUNK_SMALL / c->size;
    c->n_chunks++;
    more = k != NULL ? realloc(c->free, (c->cap_free + n) * sizeof(*more)) : NULL;
    if (more == NULL) {
        free(k);
        return -ENOMEM;
    }
    c->free = more;
    k->slot = c->size;
    for (k->base = MAP_FAILED; k->base == MAP_FAILED && n > 0; n /= 2) { /* near a limit a few may still be had */
        k->len = n * c->size;
        k->base = mmap(NULL, k->len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (k->base == MAP_FAILED) {
        free(k);
        return -ENOMEM;
    }
    (void)madvise(k->base, k->len, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses: good */
    c->cap_free += k->len / c->size;
    k->guard = guard_chunk(s, k->base, k->len, c->size);
    c->fresh_canary = k->guard == STACK_GUARD_CANARY;
    s->any_canary |= c->fresh_canary;
    k->next = s->chunks;
    s->chunks = k;
    c->fresh = k->base;
    c->fresh_end = k->base + k->len;
    return 0;
}

static const struct stack_chunk *chunk_of(const struct stacks *s, const void *address)
{
    const struct stack_chunk *k = s->chunks;

    while (k != NULL && ((const char *)address < k->base || (const char *)address >= k->base + k->len))
        k = k->next;
    return k;
}

void *stacks_get(struct stacks *s, int class, size_t *ret_size)
{
    struct stack_class *c = &s->classes[class];
    char *slot;

    if (c->n_free > 0) {
        slot = c->free[--c->n_free];
    } else {
        if (c->fresh == c->fresh_end && add_chunk(s, c) != 0)
            return NULL;
        slot = c->fresh;
        c->fresh += c->size;
        c->handed_out += c->size;
        if (c->fresh_canary)
            *(uint64_t *)(slot + PAGE) = canary;
    }
    s->in_use += c->size;
    *ret_size = c->size - PAGE;
    return slot + PAGE;
}

int stacks_put(struct stacks *s, int class, void *stack)
{
    struct stack_class *c = &s->classes[class];
    char *slot = (char *)stack - PAGE;
    int rc = 0;

    if (s->any_canary) {
        const struct stack_chunk *k = chunk_of(s, slot);

        if (k->guard == STACK_GUARD_CANARY && *(const uint64_t *)stack != canary)
            rc = -EFAULT;
    }
    s->in_use -= c->size;
    if (c->n_free >= KEEP_HOT && c->size > 2 * PAGE) /* all but the page its last user may stand on */
        (void)madvise(slot + 2 * PAGE, c->size - 3 * PAGE, MADV_DONTNEED);
    c->free[c->n_free++] = slot;
    return rc;
}

bool stacks_is_guard(const struct stacks *s, const void *address)
{
    const struct stack_chunk *k = chunk_of(s, address);

    return k != NULL && (size_t)((const char *)address - k->base) % k->slot < PAGE;
}
