/* signals.c - see signals.h. */
#include "worker/signals.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "worker/link.h"
#include "worker/output.h"
#include "worker/place.h"
#include "worker/serve.h"
#include "worker/task/fault.h"
#include "worker/task/overflow.h"

enum { VIOLATION_WHO = 63 }; /* bytes */

static volatile int *volatile nowhere;  /* NULL, but the compiler must not know */
static uint8_t handler_stack[32 << 10]; /* a job may have used up its own stack when the signal comes */

/* Whence and by whom. */
static void fill_place(Pb__Violation *v, uintptr_t ip)
{
    static char who[VIOLATION_WHO + 1];
    uintptr_t offset = 0;
    const char *file = serve_place(ip, &offset);

    v->ip = ip;
    v->module = file != NULL ? (char *)file : v->module;
    v->offset = offset;
    v->pid = (uint32_t)getpid();
    v->tid = (uint32_t)gettid();
    v->who = (char *)place_who(who, sizeof(who));
}

/*
 * The filter refused a call by SIGSYS. Unless the engine answers it: says which one, then waits for the kill. When even that cannot be
 * said (a frame is half written), the same call again, with SIGSYS now blocked, makes the kernel kill us: the receipt says policy either
 * way.
 */
static void on_violation(int signo, siginfo_t *si, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    uint64_t args[6] = { (uint64_t)r[REG_RDI], (uint64_t)r[REG_RSI], (uint64_t)r[REG_RDX],
                         (uint64_t)r[REG_R10], (uint64_t)r[REG_R8],  (uint64_t)r[REG_R9] };
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Violation v = PB__VIOLATION__INIT;
    int keep_errno = errno;
    long result;

    (void)signo;
    if (si->si_code <= 0)
        return; /* a process beside us sent it, and says nothing by it */
    if (si->si_arch == AUDIT_ARCH_X86_64 && serve_answer(si->si_syscall, args, &result)) {
        r[REG_RAX] = result;
        errno = keep_errno;
        return;
    }
    if (!link_is_mine()) {
        link_enter(); /* for good: nobody says anything after it */
        output_flush();
        v.nr = (uint32_t)si->si_syscall;
        v.arch = si->si_arch;
        v.args = args;
        v.n_args = 6;
        fill_place(&v, (uintptr_t)si->si_call_addr);
        m.body_case = PB__FROM_WORKER__BODY_VIOLATION;
        m.violation = &v;
        link_send(&m);
        link_rest();
    }
    for (;;)
        syscall(SYS_kill, 0, 0);
}

static void on_alarm(int signo, siginfo_t *si, void *context)
{
    (void)si;
    (void)context;
    output_tick(signo);
}

static void on_cancel(int signo, siginfo_t *si, void *context)
{
    (void)signo;
    (void)context;
    serve_cancel(si);
}

static void on_slice(int signo, siginfo_t *si, void *context)
{
    (void)signo;
    (void)si;
    serve_slice_over(context);
}

/* Into the traceback, a line each; those that find no room are left out. */
static void add_line(void *ctx, const char *text)
{
    struct outcome *o = ctx;
    size_t len = strlen(o->traceback);

    if (o->message[0] == '\0') /* the first says who */
        outcome_text(o->message, sizeof(o->message), text, strlen(text));
    else
        snprintf(o->traceback + len, sizeof(o->traceback) - len, "%s%s", len > 0 ? "\n" : "", text);
    output_write(PB__STREAM__STREAM_STDERR, text, strlen(text));
    output_write(PB__STREAM__STREAM_STDERR, "\n", 1);
}

/* The job ends; nothing else does. */
static void on_overflow(const coop_task *t, const void *ip, const void *bp)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION, .type = "StackOverflow" };

    overflow_describe(t, ip, bp, add_line, &o);
    serve_finish(&o);
}

static void out_of_memory(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_OOM, .type = "memory", .message = "not enough memory" };

    output_write(PB__STREAM__STREAM_STDERR, "not enough memory\n", 18);
    serve_finish(&o);
}

/* What is held back leaves before the process does: the last that a crash has printed says where it was. On an alternate stack, as all handlers here. */
static void save_output(void)
{
    if (!link_is_mine()) /* else a frame may be half made */
        output_flush();
}

/*
 * Ends the process by the same signal, as it is blocked while this runs: so dies, too, who was sent one, or met a fault that does not come
 * again by itself (uretprobe(2) where none is).
 */
static void on_crash(int signo, siginfo_t *si, void *context)
{
    static volatile int zero;

    save_output();
    if (signo == SIGILL)
        __builtin_trap();
    if (signo == SIGFPE)
        zero = 1 / zero;
    if (si->si_code <= 0)
        *nowhere = 0;
    sigaddset(&((ucontext_t *)context)->uc_sigmask, signo);
}

/*
 * A stack that is away comes back, and the access is repeated; so it is when the engine mends it: a tasklet's stack grows. A tasklet that ran
 * into the guard below its stack is told apart. Any other fault comes again when this returns, and kills. A signal that somebody sent does
 * not come again, so a fault is made of it: while this runs SIGSEGV is blocked, so that one kills too.
 */
static void on_fault(int signo, siginfo_t *si, void *context)
{
    enum fault what = fault_look(si, context);
    struct fault_place at;
    int rc;

    (void)signo;
    if (what == FAULT_WOKEN)
        return;
    if (si->si_code <= 0)
        *nowhere = 0;
    rc = serve_fault(si->si_addr);
    if (rc > 0)
        return;
    if (rc < 0 && !link_is_mine())
        out_of_memory();
    at = fault_place(context);
    if (what == FAULT_OVERFLOW && !link_is_mine())
        on_overflow(sched->current, at.ip, at.bp); /* in a script's own deep calls, not in libc's stdio: its formatting may be used */
    save_output();
    fault_repeat(context);
}

struct signal_row {
    int signo;
    int flags;
    void (*handler)(int, siginfo_t *, void *);
    const char *why;
};

/* clang-format off */
static const struct signal_row signal_rows[] = {
    { SIGSYS,    0,            on_violation, "a call the policy refuses: report it" },
    { SIGALRM,   0,            on_alarm,     "held-back output is due" },
    { SIGVTALRM, 0,            on_slice,     "a tasklet has computed for long enough" },
    { SIGSEGV,   0,            on_fault,     "a tasklet's stack is away, grows, or is too small: say so" },
    { SIGBUS,    0,            on_crash,     "it dies of this: what it has printed leaves first" },
    { SIGFPE,    0,            on_crash,     "the same" },
    { SIGILL,    0,            on_crash,     "the same" },
    { SIGTERM,   0,            on_cancel,    "the broker wants the job to end" },
    { SIGPIPE,   0,            NULL,         "the broker has gone: the write's error says so too" },
};
/* clang-format on */

int signals_default(void)
{
    static bool are; /* of whoever forked us, too */
    struct sigaction dfl = { .sa_handler = SIG_DFL };

    if (are)
        return 0;
    for (int s = 1; s <= SIGRTMAX; s++)
        if (s != SIGKILL && s != SIGSTOP && sigaction(s, &dfl, NULL) != 0 && errno != EINVAL) /* libc keeps two for itself */
            return -errno;
    are = true;
    return 0;
}

static int install(const struct signal_row *row)
{
    struct sigaction sa = { .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | row->flags };

    if (row->handler == NULL) {
        sa.sa_flags = 0;
        sa.sa_handler = SIG_IGN;
    } else {
        sa.sa_sigaction = row->handler;
    }
    return sigaction(row->signo, &sa, NULL) == 0 ? 0 : -errno;
}

int signals_cancel_ends_waits(void)
{
    struct sigaction sa;

    if (sigaction(SIGTERM, NULL, &sa) != 0)
        return -errno;
    sa.sa_flags &= ~SA_RESTART;
    return sigaction(SIGTERM, &sa, NULL) == 0 ? 0 : -errno;
}

int signals_drop(void)
{
    struct sigaction dfl = { .sa_handler = SIG_DFL };

    for (size_t i = 0; i < sizeof(signal_rows) / sizeof(signal_rows[0]); i++)
        if (sigaction(signal_rows[i].signo, &dfl, NULL) != 0)
            return -errno;
    return 0;
}

int signals_install(void)
{
    stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
    sigset_t none;
    int rc = signals_default();

    place_learn();
    if (rc == 0 && sigaltstack(&stack, NULL) != 0)
        rc = -errno;
    for (size_t i = 0; i < sizeof(signal_rows) / sizeof(signal_rows[0]) && rc == 0; i++)
        rc = install(&signal_rows[i]);
    sigemptyset(&none);
    fault_handler_is_elsewhere();
    overflow_end = on_overflow;
    if (rc == 0 && sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        rc = -errno;
    return rc;
}
