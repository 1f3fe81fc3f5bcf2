/* fault.c - see fault.h. */
#include "worker/task/fault.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "worker/task/overflow.h"

enum {
    SIGNAL_STACK = 64 << 10, /* bytes: the handler that was there before may be one that writes reports */
    NEAR = 64 << 10,         /* a function's locals, as a rule */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static unsigned users;
static bool elsewhere;

/* The frame of our handler while it calls the one before: that one may itself call ours, when it was put over ours and ours over it. */
static __thread const char *passing;

/* ---- what it means --------------------------------------------------------------------------------------------------------------- */

static uintptr_t stack_pointer(const void *ucontext)
{
    const mcontext_t *m = &((const ucontext_t *)ucontext)->uc_mcontext;

#if defined(__x86_64__)
    return (uintptr_t)m->gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)m->sp;
#endif
}

/* Main's stack is the thread's: nobody told us where it ends. But nothing else near a stack pointer is unmapped. */
static bool is_mains_overflow(const siginfo_t *si, const void *ucontext)
{
    uintptr_t sp = stack_pointer(ucontext), address = (uintptr_t)si->si_addr;

    return si->si_code == SEGV_MAPERR && (address < sp ? sp - address : address - sp) < NEAR;
}

enum fault fault_look(const siginfo_t *si, const void *ucontext)
{
    const coop_task *t;
    const char *address = si->si_addr;

    if (sched == NULL || si->si_code <= 0) /* somebody sent it */
        return FAULT_FOREIGN;
    if (hibernate_touched(address))
        return FAULT_WOKEN;
    t = sched->current;
    if (t == &sched->main)
        return is_mains_overflow(si, ucontext) ? FAULT_OVERFLOW : FAULT_FOREIGN;
    if (address >= (const char *)t->stack || address < (const char *)t->stack - STACKS_GUARD)
        return FAULT_FOREIGN;
    return FAULT_OVERFLOW;
}

struct fault_place fault_place(const void *ucontext)
{
    const mcontext_t *m = &((const ucontext_t *)ucontext)->uc_mcontext;

#if defined(__x86_64__)
    return (struct fault_place){ (void *)m->gregs[REG_RIP], (void *)m->gregs[REG_RBP] };
#elif defined(__aarch64__)
    return (struct fault_place){ (void *)m->pc, (void *)m->regs[29] };
#else
#error "which registers are the program counter and the frame pointer?"
#endif
}

void fault_repeat(void *ucontext)
{
    sigaddset(&((ucontext_t *)ucontext)->uc_sigmask, SIGSEGV);
}

/* ---- the handler of a program ---------------------------------------------------------------------------------------------------- */

/* Dies as if there were no handler. A signal that was sent does not come again by itself. */
static void take_default(const siginfo_t *si, void *context)
{
    fault_repeat(context);
    if (si->si_code > 0)
        return;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    sigdelset(&((ucontext_t *)context)->uc_sigmask, SIGSEGV);
}

static void pass_on(int signo, siginfo_t *si, void *context)
{
    const char *frame = __builtin_frame_address(0);

    if (passing != NULL && frame < passing) { /* a handler that jumped out leaves passing set, but the next begins where it did */
        take_default(si, context);
        return;
    }
    passing = frame;
    if ((before.sa_flags & SA_SIGINFO) != 0)
        before.sa_sigaction(signo, si, context);
    else if (before.sa_handler == SIG_DFL || (before.sa_handler == SIG_IGN && si->si_code > 0))
        take_default(si, context);
    else if (before.sa_handler != SIG_IGN)
        before.sa_handler(signo);
    passing = NULL;
}

int (*fault_mend)(void *address);

static void on_fault(int signo, siginfo_t *si, void *context)
{
    struct fault_place at;
    enum fault what;

    if (fault_mend != NULL && si->si_code > 0 && fault_mend(si->si_addr) == 1)
        return;
    what = fault_look(si, context);

    if (what == FAULT_WOKEN)
        return;
    at = fault_place(context);
    if (what == FAULT_OVERFLOW) /* in code of the program, as a rule: libc's formatting may be used */
        overflow_say(sched->current, at.ip, at.bp);
    pass_on(signo, si, context);
}

void fault_handler_is_elsewhere(void)
{
    elsewhere = true;
}

/* ---- putting it there, and back -------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct sigaction *sa)
{
    return (sa->sa_flags & SA_SIGINFO) != 0 && sa->sa_sigaction == on_fault;
}

static int install(void)
{
    struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK }, now;
    int rc;

    sa.sa_sigaction = on_fault;
    pthread_mutex_lock(&lock);
    rc = sigaction(SIGSEGV, NULL, &now);
    if (rc == 0 && !is_ours(&now)) {
        before = now;
        rc = sigaction(SIGSEGV, &sa, NULL);
    }
    rc = rc == 0 ? 0 : -errno;
    users += rc == 0;
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Not when somebody has put another handler over ours. */
static void uninstall(void)
{
    struct sigaction now;

    pthread_mutex_lock(&lock);
    if (--users == 0 && sigaction(SIGSEGV, NULL, &now) == 0 && is_ours(&now))
        (void)sigaction(SIGSEGV, &before, NULL);
    pthread_mutex_unlock(&lock);
}

/* A stack that has overflown is none for a handler to stand on. */
static int give_signal_stack(struct sched *s)
{
    stack_t stack;

    if (sigaltstack(NULL, &stack) != 0)
        return -errno;
    if ((stack.ss_flags & SS_DISABLE) == 0)
        return 0;
    stack = (stack_t){ .ss_size = SIGNAL_STACK };
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack.ss_sp == MAP_FAILED)
        return -ENOMEM;
    if (sigaltstack(&stack, NULL) != 0) {
        int rc = -errno;

        munmap(stack.ss_sp, stack.ss_size);
        return rc;
    }
    s->signal_stack = stack.ss_sp;
    return 0;
}

static void take_signal_stack(struct sched *s)
{
    stack_t stack, none = { .ss_flags = SS_DISABLE };

    if (s->signal_stack == NULL)
        return;
    if (sigaltstack(NULL, &stack) == 0 && stack.ss_sp == s->signal_stack)
        (void)sigaltstack(&none, NULL);
    munmap(s->signal_stack, SIGNAL_STACK);
}

/* Without one an overflow there is a plain SIGSEGV; nothing else changes. */
void fault_begin_thread(struct sched *s)
{
    (void)give_signal_stack(s);
}

void fault_end_thread(struct sched *s)
{
    take_signal_stack(s);
}

int fault_open(struct sched *s)
{
    int rc = give_signal_stack(s);

    if (rc == 0 && !elsewhere && (rc = install()) != 0)
        take_signal_stack(s);
    return rc;
}

void fault_close(struct sched *s)
{
    if (!elsewhere)
        uninstall();
    take_signal_stack(s);
}
