/* wheel.c - see wheel.h. */
#include "worker/task/wheel.h"

static void list_init(struct wheel_node *head)
{
    head->next = head->prev = head;
}

static void list_push(struct wheel_node *head, struct wheel_node *n)
{
    n->next = head;
    n->prev = head->prev;
    head->prev->next = n;
    head->prev = n;
}

static void list_remove(struct wheel_node *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    n->next = n->prev = NULL;
}

void wheel_init(struct wheel *w, int64_t now_us)
{
    *w = (struct wheel){ .now = (uint64_t)now_us / WHEEL_TICK_US };
    for (int l = 0; l < WHEEL_LEVELS; l++)
        for (int s = 0; s < WHEEL_SLOTS; s++)
            list_init(&w->slots[l][s]);
}

/* The level is the highest six bits in which the tick differs from now: a slot is reached exactly when those bits turn. */
static void put(struct wheel *w, struct wheel_node *n)
{
    uint64_t differ = n->tick ^ w->now;
    unsigned level = differ == 0 ? 0 : (63u - (unsigned)__builtin_clzll(differ)) / WHEEL_BITS, slot;

    if (level >= WHEEL_LEVELS) { /* beyond the last wheel: looked at again when that has gone round */
        level = WHEEL_LEVELS - 1;
        slot = 0;
    } else {
        slot = (unsigned)(n->tick >> (WHEEL_BITS * level)) % WHEEL_SLOTS;
    }
    list_push(&w->slots[level][slot], n);
    w->used[level] |= 1ull << slot;
}

void wheel_arm(struct wheel *w, struct wheel_node *n, int64_t deadline_us)
{
    uint64_t tick = deadline_us <= 0 ? 0 : ((uint64_t)deadline_us + WHEEL_TICK_US - 1) / WHEEL_TICK_US;

    n->tick = tick > w->now ? tick : w->now + 1;
    w->count++;
    put(w, n);
}

void wheel_cancel(struct wheel *w, struct wheel_node *n)
{
    if (n->next == NULL)
        return;
    list_remove(n);
    w->count--;
}

/* now has just turned into a new block of 64 on this level: what waits in its slot moves down. */
static void cascade(struct wheel *w, int level)
{
    unsigned slot = (unsigned)(w->now >> (WHEEL_BITS * level)) % WHEEL_SLOTS;
    struct wheel_node *head = &w->slots[level][slot], all = *head;

    w->used[level] &= ~(1ull << slot);
    if (head->next == head)
        return;
    all.next->prev = all.prev->next = &all;
    list_init(head);
    while (all.next != &all) {
        struct wheel_node *n = all.next;

        list_remove(n);
        put(w, n);
    }
}

static void turn(struct wheel *w)
{
    w->now++;
    for (int level = WHEEL_LEVELS - 1; level >= 1; level--)
        if (w->now % (1ull << (WHEEL_BITS * level)) == 0)
            cascade(w, level);
}

/* To the end of the block in which nothing can be due. */
static void skip(struct wheel *w, uint64_t until)
{
    uint64_t end = w->now;

    for (int level = 0; level < WHEEL_LEVELS && w->used[level] == 0; level++)
        end = w->now | ((1ull << (WHEEL_BITS * (level + 1))) - 1);
    if (end < until)
        w->now = end;
}

struct wheel_node *wheel_expire(struct wheel *w, int64_t now_us)
{
    uint64_t until = (uint64_t)now_us / WHEEL_TICK_US;

    for (;;) {
        struct wheel_node *head = &w->slots[0][w->now % WHEEL_SLOTS];

        if (head->next != head) {
            struct wheel_node *n = head->next;

            list_remove(n);
            w->count--;
            return n;
        }
        w->used[0] &= ~(1ull << (w->now % WHEEL_SLOTS));
        if (w->now >= until)
            return NULL;
        if (w->count == 0) {
            w->now = until;
            return NULL;
        }
        skip(w, until);
        turn(w);
    }
}

/* The first tick after now at which a level's next used slot is reached; UINT64_MAX: none used. */
static uint64_t next_on(const struct wheel *w, int level)
{
    unsigned shift = (unsigned)WHEEL_BITS * (unsigned)level, at = (unsigned)(w->now >> shift) % WHEEL_SLOTS, ahead;
    uint64_t used = w->used[level], turned;

    if (used == 0)
        return UINT64_MAX;
    turned = (used >> ((at + 1) % WHEEL_SLOTS)) | (used << ((WHEEL_SLOTS - (at + 1) % WHEEL_SLOTS) % WHEEL_SLOTS));
    ahead = (unsigned)__builtin_ctzll(turned) + 1;
    return ((w->now >> shift) + ahead) << shift;
}

int64_t wheel_wait_us(const struct wheel *w, int64_t now_us)
{
    uint64_t first = UINT64_MAX;

    if (w->count == 0)
        return -1;
    if (w->slots[0][w->now % WHEEL_SLOTS].next != &w->slots[0][w->now % WHEEL_SLOTS])
        return 0;
    for (int level = 0; level < WHEEL_LEVELS; level++) {
        uint64_t t = next_on(w, level);

        first = t < first ? t : first;
    }
    if (first == UINT64_MAX || first * WHEEL_TICK_US <= (uint64_t)now_us)
        return 0;
    return (int64_t)(first * WHEEL_TICK_US - (uint64_t)now_us);
}
