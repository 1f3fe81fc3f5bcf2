/* stacks.c - see stacks.h. */
#include "worker/task/stacks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/task/berths.h"
#include "worker/task/valgrind.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE  103
#endif

enum {
    PAGE = STACKS_GUARD,   /* of both machines; a larger one makes the guards larger than they need be */
    CHUNK_FIRST = 16,      /* stacks */
    CHUNK_SMALL = 4 << 20, /* bytes; a class's first CHUNKS_SMALL chunks are no larger, so that little is taken in advance */
    CHUNKS_SMALL = 64,
    MPROTECT_FEW = 4000, /* stacks, under Valgrind */
    KEEP_HOT = 256,      /* free stacks that keep their pages; up to twice as many, and then the older half gives them back */
};

static const size_t class_size[STACKS_CLASSES] = { 8 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20 };
static const uint64_t canary = 0x5ca1ab1e0ddba11ull;

int stacks_init(struct stacks *s)
{
    memset(s, 0, sizeof(*s));
    for (int i = 0; i < STACKS_CLASSES; i++)
        s->classes[i].size = class_size[i];
    s->valgrind = valgrind_is_running();
    if (s->valgrind) { /* what madvise() makes of a page is unknown to it, and it counts to 30,000 mappings only */
        s->no_madvise = true;
        s->mprotected = STACKS_MPROTECT - MPROTECT_FEW;
    }
    return 0;
}

/* ---- chunks -------------------------------------------------------------------------------------------------------------------- */

static void free_chunk(struct stack_chunk *k)
{
    for (size_t i = 0; k->valgrind != NULL && i < k->len / k->slot; i++)
        valgrind_stack_is_gone(k->valgrind[i]);
    munmap(k->base, k->len);
    free(k->berths);
    free(k->valgrind);
    free(k);
}

void stacks_finish(struct stacks *s)
{
    for (size_t i = 0; i < s->n_chunks; i++)
        free_chunk(s->chunks[i]);
    free(s->chunks);
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

        while (p < base + len && mmap(p, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == p)
            p += slot;
        if (p == base + len) {
            s->mprotected += n;
            return STACK_GUARD_MPROTECT;
        }
        mprotect(base, len, PROT_READ | PROT_WRITE);
    }
    return STACK_GUARD_CANARY;
}

/* The first chunk that ends above the address: where it is, or would have to be put. */
static size_t place_of(const struct stacks *s, const char *address)
{
    size_t low = 0, high = s->n_chunks;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (address < s->chunks[mid]->base + s->chunks[mid]->len)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct stack_chunk *stacks_find(const struct stacks *s, const void *address, size_t *ret_slot)
{
    size_t i = place_of(s, address);

    if (i == s->n_chunks || (const char *)address < s->chunks[i]->base)
        return NULL;
    *ret_slot = (size_t)((const char *)address - s->chunks[i]->base) / s->chunks[i]->slot;
    return s->chunks[i];
}

/* With the address above it: that is where the stack pointer of a new tasklet is, and it must not be nobody's. */
static void tell_valgrind(struct stack_chunk *k)
{
    size_t n = k->len / k->slot;

    k->valgrind = malloc(n * sizeof(*k->valgrind));
    for (size_t i = 0; k->valgrind != NULL && i < n; i++)
        k->valgrind[i] = valgrind_stack_is_new(k->base + i * k->slot + PAGE, k->base + (i + 1) * k->slot);
}

/* Places for n more stacks and one more chunk. */
static int make_room(struct stacks *s, struct stack_class *c, size_t n)
{
    char **more = realloc(c->free, (c->cap_free + n) * sizeof(*more));
    struct stack_chunk **chunks;

    if (more == NULL)
        return -ENOMEM;
    c->free = more;
    if (s->n_chunks < s->cap_chunks)
        return 0;
    chunks = realloc(s->chunks, (s->cap_chunks * 2 + 16) * sizeof(struct stack_chunk *));
    if (chunks == NULL)
        return -ENOMEM;
    s->chunks = chunks;
    s->cap_chunks = s->cap_chunks * 2 + 16;
    return 0;
}

/* How many stacks the class's next chunk has. */
static size_t stacks_in_next(struct stack_class *c)
{
    size_t n = (size_t)CHUNK_FIRST << (c->n_chunks < 6 ? c->n_chunks : 6);

    if (c->n_chunks < CHUNKS_SMALL && n * c->size > CHUNK_SMALL)
        n = CHUNK_SMALL / c->size;
    c->n_chunks++;
    return n;
}

/* Near a limit fewer may still be had. */
static struct stack_chunk *map_chunk(size_t n, const struct stack_class *c)
{
    struct stack_chunk *k = calloc(1, sizeof(*k) + n * sizeof(k->away[0]));
    size_t slot = c->size;

    if (k != NULL && c->berths)
        k->berths = calloc(n, sizeof(*k->berths));
    if (k == NULL || (c->berths && k->berths == NULL)) {
        free(k);
        return NULL;
    }
    k->slot = slot;
    for (k->base = MAP_FAILED; k->base == MAP_FAILED && n > 0; n /= 2) {
        k->len = n * slot;
        k->base = mmap(NULL, k->len, c->closed ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    }
    if (k->base != MAP_FAILED)
        return k;
    free(k->berths);
    free(k);
    return NULL;
}

static int add_chunk(struct stacks *s, struct stack_class *c)
{
    size_t n = stacks_in_next(c), at;
    struct stack_chunk *k;

    if (make_room(s, c, n) != 0)
        return -ENOMEM;
    k = map_chunk(n, c);
    if (k == NULL)
        return -ENOMEM;
    (void)madvise(k->base, k->len, MADV_NOHUGEPAGE); /* a kernel without huge pages refuses: good */
    c->cap_free += k->len / c->size;
    k->guard = c->closed ? STACK_GUARD_CLOSED : guard_chunk(s, k->base, k->len, c->size);
    c->fresh_canary = k->guard == STACK_GUARD_CANARY;
    s->any_canary |= c->fresh_canary;
    if (s->valgrind)
        tell_valgrind(k);
    at = place_of(s, k->base);
    memmove(&s->chunks[at + 1], &s->chunks[at], (s->n_chunks - at) * sizeof(struct stack_chunk *));
    s->chunks[at] = k;
    s->n_chunks++;
    c->fresh = k->base;
    c->fresh_end = k->base + k->len;
    return 0;
}

/* ---- stacks -------------------------------------------------------------------------------------------------------------------- */

/* Shell's: qsort(3) may want memory and more stack than a small tasklet has left. */
void stacks_sort(char **addresses, size_t n)
{
    for (size_t gap = n / 2; gap > 0; gap /= 2)
        for (size_t i = gap; i < n; i++) {
            char *moved = addresses[i];
            size_t to = i;

            for (; to >= gap && addresses[to - gap] > moved; to -= gap)
                addresses[to] = addresses[to - gap];
            addresses[to] = moved;
        }
}

/* The older half of those that are hot: not the last one, on which its user may still be. One system call for each run of neighbours. */
static void cool(struct stack_class *c)
{
    char **old = &c->free[c->n_cold], *low;
    size_t first = 0;

    stacks_sort(old, KEEP_HOT);
    for (size_t i = 1; i <= KEEP_HOT; i++)
        if (i == KEEP_HOT || old[i] != old[i - 1] + c->size) {
            low = old[first] + PAGE;
            (void)madvise(low, (size_t)(old[i - 1] + c->size - low), MADV_DONTNEED);
            first = i;
        }
    c->n_cold += KEEP_HOT;
}

/* It went with the page it was on. */
static void renew_canary(const struct stacks *s, void *stack)
{
    size_t slot;

    if (s->any_canary && stacks_find(s, stack, &slot)->guard == STACK_GUARD_CANARY)
        *(uint64_t *)stack = canary;
}

void *stacks_get(struct stacks *s, int class, size_t *ret_size)
{
    struct stack_class *c = &s->classes[class];
    char *slot;

    if (c->n_free > 0) {
        slot = c->free[--c->n_free];
        if (c->n_cold > c->n_free) {
            c->n_cold = c->n_free;
            renew_canary(s, slot + PAGE);
        }
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

    if (s->any_canary && stacks_is_spoilt(s, stack))
        rc = -EFAULT;
    s->in_use -= c->size;
    c->free[c->n_free++] = slot;
    if (c->n_free - c->n_cold >= (size_t)2 * KEEP_HOT)
        cool(c);
    return rc;
}

bool stacks_is_guard(const struct stacks *s, const void *address)
{
    size_t slot;
    const struct stack_chunk *k = stacks_find(s, address, &slot);

    return k != NULL && (size_t)((const char *)address - k->base) % k->slot < PAGE;
}

bool stacks_is_spoilt(const struct stacks *s, const void *stack)
{
    size_t slot;
    const struct stack_chunk *k = stacks_find(s, stack, &slot);

    return k->guard == STACK_GUARD_CANARY && *(const uint64_t *)stack != canary;
}

/* ---- pages --------------------------------------------------------------------------------------------------------------------- */

/* A guard zaps the page it is put on, and needs no more than the entry in the page table that the page had. */
int stacks_empty(enum stack_guard guard, char *low, size_t len)
{
    return madvise(low, len, guard == STACK_GUARD_MADVISE ? MADV_GUARD_INSTALL : MADV_DONTNEED) == 0 ? 0 : -errno;
}

int stacks_fill(enum stack_guard guard, void *stack, size_t size)
{
    if (guard == STACK_GUARD_MADVISE && madvise(stack, size, MADV_GUARD_REMOVE) != 0)
        return -errno;
    if (guard == STACK_GUARD_CANARY)
        *(uint64_t *)stack = canary;
    return 0;
}
