/*
 * coop/task_inline.h - yield, send and receive without a call: for loops in which the call itself would be what costs.
 *
 * Each function here does what the one without _inline in coop/task.h does, without a deadline; whenever more is to be looked at than the
 * next tasklet (hooks, traps, cancellation, the clock) it calls that one. Nothing else about it differs: both may be mixed at will.
 *
 * Cost:      the compiler keeps no register across a switch that stands in its own code, so what lives in registers there is stored and
 *            loaded again: that is less than a call keeps, where little lives.
 * Rounding:  reading the control words of the floating-point unit is a third of a switch. A program in which nobody ever changes rounding
 *            or traps may define COOP_FIXED_FLOAT before it includes this.
 * Layout:    the structs are the first parts of the library's own, checked when that is built. They may change with each version: a
 *            program that includes this header is built with the library that it is linked with.
 * Not in:    a function with __attribute__((target("avx512..."))) in a file that is not built for it: the compiler does not let the switch name
 *            the registers that only such a function has, and they would be lost.
 * Elsewhere: under ASan, TSan, SWITCH=ucontext (define COOP_SWITCH_UCONTEXT) and on other machines these are the plain functions.
 * Source:    "clobber-all context switch" in inline assembly, as libfringe and Photon have it; nothing is pushed, so the red zone stays.
 */
#ifndef COOP_TASK_INLINE_H
#define COOP_TASK_INLINE_H

#include <coop/task.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && defined(__GNUC__) && !defined(COOP_SWITCH_UCONTEXT) &&                                \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(COOP_ASAN) && !defined(COOP_TSAN)
#define COOP_TASK_INLINE 1
#else
#define COOP_TASK_INLINE 0
#endif
#if defined(__has_feature) /* clang says it so */
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef COOP_TASK_INLINE
#define COOP_TASK_INLINE 0
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if COOP_TASK_INLINE

/* The compiler thinks them too large; out of line they would return through the wrong prediction each time. */
#define COOP_ALWAYS_INLINE __attribute__((always_inline)) static inline

struct coop_hot_task;

struct coop_hot_node {
    struct coop_hot_node *next, *prev;
    struct coop_hot_task *task;
    intptr_t word;
    int err, index;
};

struct coop_hot_queue {
    struct coop_hot_node *first, *last;
    long count;
};

struct coop_hot_task {
    void *sp, *ip, *bp;
    uint32_t float_control;
    uint16_t x87_control;
    int32_t result, kept_errno;
    intptr_t word, *into;
    struct coop_hot_task *next, *prev;
    int state; /* 0: ready, 1: running, 2: blocked */
    bool cancelled;
    uint32_t block_trap, shield;
    bool unused_0[9];
    intptr_t unused_1;
    struct coop_hot_queue *blocked_on;
    void (*on_wake)(struct coop_hot_task *t);
    struct coop_hot_node wait;
    void *timer[3]; /* the first is NULL: none */
    const char *why;
    void *waits_for;
};

struct coop_hot_thread {
    struct coop_hot_task *current;
    size_t runnable;
    struct coop_hot_task *ring;
    unsigned until_poll;
    int switch_trap;
    int *errno_at;
    bool hooked;
    uint64_t switches;
};

struct coop_hot_chan {
    struct coop_hot_queue waiting[2]; /* by enum coop_select_op */
    struct coop_value *ring;
    size_t mask, head, len, cap;
    enum coop_preference preference;
    bool closing;
};

extern __thread struct coop_hot_thread *coop_thread_state __attribute__((tls_model("initial-exec")));

/* Leaves from, whose state is set, for to. Returns from: whoever comes back here has it in the second register. */
COOP_ALWAYS_INLINE struct coop_hot_task *coop_hot_switch(struct coop_hot_thread *s, struct coop_hot_task *from, struct coop_hot_task *to)
{
    int *here = s->errno_at;

    from->kept_errno = *here;
    *here = to->kept_errno;
    s->current = s->ring = to;
    to->state = 1;
    s->switches++;
#if defined(__x86_64__)
    __asm__ volatile("lea     9f(%%rip), %%rax\n\t"
                     "mov     %%rsp, (%0)\n\t"
                     "mov     %%rax, 8(%0)\n\t"
                     "mov     %%rbp, 16(%0)\n\t"
#if !defined(COOP_FIXED_FLOAT)
                     "stmxcsr 24(%0)\n\t"
                     "fnstcw  28(%0)\n\t"
                     "mov     24(%0), %%eax\n\t"
                     "xor     24(%1), %%eax\n\t"
                     "test    $0xffc0, %%eax\n\t"
                     "jne     7f\n"
                     "5:\n\t"
                     "movzwl  28(%0), %%eax\n\t"
                     "cmp     28(%1), %%ax\n\t"
                     "jne     8f\n"
                     "6:\n\t"
#endif
                     "mov     16(%1), %%rbp\n\t"
                     "mov     (%1), %%rsp\n\t"
                     "jmp     *8(%1)\n"
#if !defined(COOP_FIXED_FLOAT)
                     "7:\n\t"
                     "ldmxcsr 24(%1)\n\t"
                     "jmp     5b\n"
                     "8:\n\t"
                     "fldcw   28(%1)\n\t"
                     "jmp     6b\n"
#endif
                     "9:\n\t"
                     "endbr64"
                     : "+D"(from), "+S"(to)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"
#if defined(__AVX512F__)
                       ,
                       "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
                       "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7"
#endif
    );
    return to;
#else
    register struct coop_hot_task *x0 __asm__("x0") = from;
    register struct coop_hot_task *x1 __asm__("x1") = to;

    __asm__ volatile("adr  x9, 9f\n\t"
                     "mov  x10, sp\n\t"
                     "stp  x10, x9, [%0]\n\t"
                     "str  x29, [%0, #16]\n\t"
                     "mrs  x11, fpcr\n\t"
                     "str  w11, [%0, #24]\n\t"
                     "ldr  w12, [%1, #24]\n\t"
                     "cmp  w11, w12\n\t"
                     "b.ne 7f\n"
                     "6:\n\t"
                     "ldp  x10, x9, [%1]\n\t"
                     "ldr  x29, [%1, #16]\n\t"
                     "mov  sp, x10\n\t"
                     "br   x9\n"
                     "7:\n\t"
                     "msr  fpcr, x12\n\t"
                     "b    6b\n"
                     "9:\n\t"
                     "hint #36"
                     : "+r"(x0), "+r"(x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19",
                       "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc", "v0", "v1", "v2", "v3", "v4",
                       "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
                       "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
    return x1;
#endif
}

/* Whether the next of the run queue may be switched to with nothing else looked at. */
COOP_ALWAYS_INLINE bool coop_hot_may_switch(const struct coop_hot_thread *s)
{
    return !s->current->cancelled && !s->hooked && s->switch_trap <= 0;
}

/* See coop_yield(). */
COOP_ALWAYS_INLINE int coop_yield_inline(void)
{
    struct coop_hot_thread *s = coop_thread_state;
    struct coop_hot_task *from = s->current, *to = from->next;

    if (__builtin_expect(!coop_hot_may_switch(s) || to == from || s->until_poll <= 1, 0))
        return coop_yield();
    s->until_poll--;
    from->result = 0;
    from->state = 0;
    return coop_hot_switch(s, from, to)->result;
}

/* A receiver waits for nothing but c, and is to run at once. */
COOP_ALWAYS_INLINE int coop_hot_hand_over(struct coop_hot_thread *s, struct coop_hot_chan *c, intptr_t word)
{
    struct coop_hot_node *n = c->waiting[COOP_RECV].first;
    struct coop_hot_task *from = s->current, *to = n->task;

    c->waiting[COOP_RECV].first = n->next;
    if (n->next != NULL)
        n->next->prev = NULL;
    else
        c->waiting[COOP_RECV].last = NULL;
    n->next = NULL;
    c->waiting[COOP_RECV].count--;
    to->blocked_on = NULL;
    to->why = NULL;
    to->word = word;
    to->result = 0;
    from->result = 0;
    from->state = 0;
    to->prev = from;
    to->next = from->next;
    from->next->prev = to;
    from->next = to;
    s->runnable++;
    return coop_hot_switch(s, from, to)->result;
}

/* See coop_chan_send(). */
COOP_ALWAYS_INLINE int coop_chan_send_inline(coop_chan *chan, intptr_t word)
{
    struct coop_hot_chan *c = (struct coop_hot_chan *)(void *)chan;
    struct coop_hot_thread *s = coop_thread_state;
    struct coop_hot_node *n;

    if (__builtin_expect(c == NULL || !coop_hot_may_switch(s) || c->closing, 0))
        return coop_chan_send(chan, word, COOP_NEVER);
    n = c->waiting[COOP_RECV].first;
    if (n != NULL && n->task->on_wake == NULL && n->task->timer[0] == NULL && c->preference == COOP_PREFER_RECEIVER)
        return coop_hot_hand_over(s, c, word);
    if (n != NULL || c->len == c->cap)
        return coop_chan_send(chan, word, COOP_NEVER);
    c->ring[(c->head + c->len++) & c->mask].word = word;
    c->ring[(c->head + c->len - 1) & c->mask].err = 0;
    return 0;
}

/* Waits at the end of c's receivers, of which there may be none. */
COOP_ALWAYS_INLINE int coop_hot_wait(struct coop_hot_thread *s, struct coop_hot_chan *c, intptr_t *into)
{
    static const char why[] = "chan recv";
    struct coop_hot_queue *q = &c->waiting[COOP_RECV];
    struct coop_hot_task *from = s->current, *to = from->next, *self;

    s->until_poll--;
    from->state = 2;
    from->why = why;
    from->waits_for = c;
    from->blocked_on = q;
    from->wait.task = from;
    from->wait.next = NULL;
    from->wait.prev = q->last;
    if (q->last != NULL)
        q->last->next = &from->wait;
    else
        q->first = &from->wait;
    q->last = &from->wait;
    q->count++;
    from->prev->next = to;
    to->prev = from->prev;
    s->runnable--;
    self = coop_hot_switch(s, from, to);
    if (self->result == 0)
        *into = self->word;
    return self->result;
}

/* See coop_chan_recv(). */
COOP_ALWAYS_INLINE int coop_chan_recv_inline(coop_chan *chan, intptr_t *ret_word)
{
    struct coop_hot_chan *c = (struct coop_hot_chan *)(void *)chan;
    struct coop_hot_thread *s = coop_thread_state;

    if (__builtin_expect(c == NULL || !coop_hot_may_switch(s) || c->closing || c->waiting[COOP_SEND].first != NULL, 0))
        return coop_chan_recv(chan, ret_word, COOP_NEVER);
    if (c->len > 0 && c->ring[c->head & c->mask].err == 0) {
        *ret_word = c->ring[c->head++ & c->mask].word;
        c->len--;
        return 0;
    }
    if (c->len > 0 || s->current->next == s->current || s->until_poll <= 1 || s->current->block_trap > 0)
        return coop_chan_recv(chan, ret_word, COOP_NEVER);
    return coop_hot_wait(s, c, ret_word);
}

#else

static inline int coop_yield_inline(void)
{
    return coop_yield();
}

static inline int coop_chan_send_inline(coop_chan *chan, intptr_t word)
{
    return coop_chan_send(chan, word, COOP_NEVER);
}

static inline int coop_chan_recv_inline(coop_chan *chan, intptr_t *ret_word)
{
    return coop_chan_recv(chan, ret_word, COOP_NEVER);
}

#endif

#ifdef __cplusplus
}
#endif

#endif
