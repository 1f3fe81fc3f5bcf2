/* waiting.c - see waiting.h: a hash of chains that doubles, and a heap for each clock. */
#include "broker/waiting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 256, FIRST_HEAP = 64, PRIORITY_BITS = 3 };

/* ---- the hash -------------------------------------------------------------------------------------------------------------------------- */

/* Ids that are made within a millisecond differ in their last byte first: each bit of it has to reach the bits that are taken. */
static size_t bucket_of(const struct waiting_table *t, const uint8_t id[ULID_BYTES])
{
    uint64_t tail = 0;

    for (int i = ULID_BYTES - 8; i < ULID_BYTES; i++)
        tail = tail << 8 | id[i];
    tail *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(tail >> 32) & t->mask;
}

int waiting_init(struct waiting_table *t)
{
    *t = (struct waiting_table){ .mask = FIRST_BUCKETS - 1 };
    t->buckets = calloc(FIRST_BUCKETS, sizeof(*t->buckets));
    return t->buckets != NULL ? 0 : -ENOMEM;
}

static void entry_free(struct waiting *w)
{
    free(w->spec);
    free(w);
}

void waiting_finish(struct waiting_table *t)
{
    for (size_t i = 0; t->buckets != NULL && i <= t->mask; i++)
        while (t->buckets[i] != NULL) {
            struct waiting *w = t->buckets[i];

            t->buckets[i] = w->chain;
            entry_free(w);
        }
    free(t->buckets);
    for (int c = 0; c < WAITING_CLOCKS; c++)
        free(t->due[c].at);
    *t = (struct waiting_table){ 0 };
}

/* Without memory the chains grow longer, and nothing else happens. */
static void grow(struct waiting_table *t)
{
    size_t mask = t->mask * 2 + 1;
    struct waiting **buckets = calloc(mask + 1, sizeof(*buckets)), **old = t->buckets;
    size_t old_mask = t->mask;

    if (buckets == NULL)
        return;
    t->buckets = buckets;
    t->mask = mask;
    for (size_t i = 0; i <= old_mask; i++)
        while (old[i] != NULL) {
            struct waiting *w = old[i], **at = &buckets[bucket_of(t, w->id)];

            old[i] = w->chain;
            w->chain = *at;
            *at = w;
        }
    free(old);
}

static struct waiting *find_bytes(const struct waiting_table *t, const uint8_t id[ULID_BYTES])
{
    struct waiting *w = t->buckets != NULL ? t->buckets[bucket_of(t, id)] : NULL;

    while (w != NULL && memcmp(w->id, id, ULID_BYTES) != 0)
        w = w->chain;
    return w;
}

struct waiting *waiting_find(const struct waiting_table *t, const char *id)
{
    uint8_t bytes[ULID_BYTES];

    return ulid_to_bytes(id, bytes) == 0 ? find_bytes(t, bytes) : NULL;
}

struct waiting *waiting_add(struct waiting_table *t, const char *id)
{
    uint8_t bytes[ULID_BYTES];
    struct waiting *w, **at;

    if (t->buckets == NULL || ulid_to_bytes(id, bytes) != 0 || find_bytes(t, bytes) != NULL || (w = calloc(1, sizeof(*w))) == NULL)
        return NULL;
    if (t->count > t->mask)
        grow(t);
    memcpy(w->id, bytes, ULID_BYTES);
    at = &t->buckets[bucket_of(t, bytes)];
    w->chain = *at;
    *at = w;
    w->state = PB__STATE__STATE_READY;
    t->in_state[w->state]++;
    t->count++;
    return w;
}

void waiting_drop(struct waiting_table *t, struct waiting *w)
{
    struct waiting **at = &t->buckets[bucket_of(t, w->id)];

    while (*at != w)
        at = &(*at)->chain;
    *at = w->chain;
    waiting_disarm(t, w);
    t->in_state[w->state]--;
    t->count--;
    entry_free(w);
}

int waiting_each(struct waiting_table *t, int (*fn)(void *ctx, struct waiting *w), void *ctx)
{
    for (size_t i = 0; t->buckets != NULL && i <= t->mask; i++)
        for (struct waiting *w = t->buckets[i], *next; w != NULL; w = next) {
            int rc;

            next = w->chain;
            rc = fn(ctx, w);
            if (rc != 0)
                return rc;
        }
    return 0;
}

/* ---- what is said of one ---------------------------------------------------------------------------------------------------------------- */

void waiting_id(const struct waiting *w, char ret_id[ULID_LEN + 1])
{
    ulid_from_bytes(w->id, ret_id);
}

void waiting_set_state(struct waiting_table *t, struct waiting *w, Pb__State state)
{
    t->in_state[w->state]--;
    w->state = (uint8_t)state;
    t->in_state[w->state]++;
}

size_t waiting_count(const struct waiting_table *t)
{
    size_t n = 0;

    for (unsigned s = 0; s < JOB_STATES; s++)
        if (job_waits((Pb__State)s))
            n += t->in_state[s];
    return n;
}

void waiting_set_band(struct waiting *w, Pb__JobClass job_class, unsigned priority)
{
    w->band = (uint8_t)((unsigned)job_class << PRIORITY_BITS | priority);
}

Pb__JobClass waiting_class(const struct waiting *w)
{
    return (Pb__JobClass)(w->band >> PRIORITY_BITS);
}

unsigned waiting_priority(const struct waiting *w)
{
    return w->band & ((1u << PRIORITY_BITS) - 1);
}

/* ---- who is due ------------------------------------------------------------------------------------------------------------------------- */

static void put_at(struct waiting_heap *h, size_t i, struct waiting *w)
{
    h->at[i] = w;
    w->due_place = (uint32_t)i + 1;
}

static void sift_up(struct waiting_heap *h, size_t i)
{
    struct waiting *w = h->at[i];

    for (; i > 0 && w->due_us < h->at[(i - 1) / 2]->due_us; i = (i - 1) / 2)
        put_at(h, i, h->at[(i - 1) / 2]);
    put_at(h, i, w);
}

static void sift_down(struct waiting_heap *h, size_t i)
{
    struct waiting *w = h->at[i];

    for (size_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->at[child + 1]->due_us < h->at[child]->due_us)
            child++;
        if (w->due_us <= h->at[child]->due_us)
            break;
        put_at(h, i, h->at[child]);
    }
    put_at(h, i, w);
}

void waiting_disarm(struct waiting_table *t, struct waiting *w)
{
    struct waiting_heap *h = &t->due[w->due_clock];
    size_t i = w->due_place;
    struct waiting *last;

    if (i-- == 0)
        return;
    w->due_place = 0;
    last = h->at[--h->count];
    if (last == w)
        return;
    put_at(h, i, last);
    sift_up(h, i);
    sift_down(h, last->due_place - 1);
}

int waiting_arm(struct waiting_table *t, struct waiting *w, enum waiting_clock clock, uint64_t due_us)
{
    struct waiting_heap *h = &t->due[clock];

    waiting_disarm(t, w);
    if (h->count == h->cap) {
        size_t cap = h->cap == 0 ? FIRST_HEAP : 2 * h->cap;
        struct waiting **at = realloc(h->at, cap * sizeof(struct waiting *));

        if (at == NULL)
            return -ENOMEM;
        h->at = at;
        h->cap = cap;
    }
    w->due_us = due_us;
    w->due_clock = (uint8_t)clock;
    put_at(h, h->count++, w);
    sift_up(h, h->count - 1);
    return 0;
}

struct waiting *waiting_due(struct waiting_table *t, enum waiting_clock clock, uint64_t now_us)
{
    struct waiting_heap *h = &t->due[clock];
    struct waiting *w = h->count > 0 ? h->at[0] : NULL;

    if (w == NULL || w->due_us > now_us)
        return NULL;
    waiting_disarm(t, w);
    return w;
}

uint64_t waiting_next_due(const struct waiting_table *t, enum waiting_clock clock)
{
    return t->due[clock].count > 0 ? t->due[clock].at[0]->due_us : UINT64_MAX;
}
