/*
 * stacks.h - stacks of a few sizes, each with a guard below it, the one freed last handed out first.
 *
 * Side:    worker. One thread state's.
 * Owned:   stacks_finish() unmaps everything; nobody may be on one of its stacks then.
 * Guards:  MADV_GUARD_INSTALL (Linux 6.13: no mapping of its own); else mprotect(2) for the first STACKS_MPROTECT stacks, because each
 *          costs two of the 65,530 mappings a process may have; else a canary in the lowest words, looked at when the stack is left or
 *          given back. Stacks of a closed class need none: no page of theirs can be touched before its owner has opened it.
 * Emptied: a stack whose bytes are somewhere else gives its pages back; where guards are of the first kind, whoever touches it faults.
 * Returns: NULL or -errno where memory ends.
 */
#ifndef WORKER_TASK_STACKS_H
#define WORKER_TASK_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STACKS_CLASSES = 5, STACKS_MPROTECT = 16000, STACKS_GUARD = 4096 /* bytes below each */ };

#define STACKS_LARGEST ((size_t)1 << 20)

enum stack_guard { STACK_GUARD_MADVISE, STACK_GUARD_MPROTECT, STACK_GUARD_CANARY, STACK_GUARD_CLOSED };

struct stack_class {
    size_t size; /* guard page included */
    char **free; /* LIFO */
    size_t n_free, cap_free;
    size_t n_cold; /* of the free ones, from the first on: their pages are given back */
    unsigned n_chunks;
    size_t handed_out; /* bytes of those that ever were */
    bool fresh_canary;
    bool closed, berths;     /* its stacks, of chunks to come: closed; more tasklets than one may have each (berths.h) */
    char *fresh, *fresh_end; /* never used yet, of the newest chunk */
};

struct berth;

struct stack_chunk {
    char *base;
    size_t len;
    size_t slot; /* bytes of each stack in it */
    enum stack_guard guard;
    struct berth *berths; /* of each stack; NULL: each is one tasklet's */
    unsigned *valgrind;   /* each stack's name there; NULL: not under it */
    void *away[];         /* for each stack: whose bytes are somewhere else; NULL: it is as it should be */
};

struct stacks {
    struct stack_class classes[STACKS_CLASSES];
    struct stack_chunk **chunks; /* by address */
    size_t n_chunks, cap_chunks;
    size_t mprotected;
    bool no_madvise; /* the kernel knows no such guards; a test may say so */
    bool any_canary;
    bool valgrind;
    uint64_t in_use; /* bytes */
};

int stacks_init(struct stacks *s);
void stacks_finish(struct stacks *s);

/* The class that holds size bytes; -EINVAL above STACKS_LARGEST. */
int stacks_class_of(size_t size);

/* The lowest usable byte, above the guard; *ret_size are usable. */
void *stacks_get(struct stacks *s, int class, size_t *ret_size);

/* The caller may still be on it: nothing is touched or unmapped. -EFAULT: the canary is gone, somebody wrote below the stack. */
int stacks_put(struct stacks *s, int class, void *stack);

/* Whether a fault at this address hit the guard of one of the stacks. Async-signal-safe. */
bool stacks_is_guard(const struct stacks *s, const void *address);

/* Whether this stack, which is one of ours, has a canary and it is gone. */
bool stacks_is_spoilt(const struct stacks *s, const void *stack);

/* The chunk that an address lies in, and which of its stacks; NULL: none. Async-signal-safe. */
struct stack_chunk *stacks_find(const struct stacks *s, const void *address, size_t *ret_slot);

/* In ascending order. Uses no memory, and little stack. */
void stacks_sort(char **addresses, size_t n);

/*
 * Gives back the pages of [low, low + len): whole stacks of chunks with this guard, that lie side by side. What was in them is lost, also
 * when it fails. stacks_fill() brings one stack's back, as zeroes; both are async-signal-safe.
 */
int stacks_empty(enum stack_guard guard, char *low, size_t len);
int stacks_fill(enum stack_guard guard, void *stack, size_t size);

#endif
