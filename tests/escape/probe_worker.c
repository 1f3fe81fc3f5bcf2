/*
 * probe_worker.c - the real zygote, seal, policy and link around an engine whose "script" names things a tenant must not manage.
 *
 * A script is lines, taken in order:
 *
 *   case NAME             tries a row of the table below. An attempt that returns prints "NAME RET ERRNO" on standard output.
 *   call NR [ARG...]      any system call; an argument is a number, or @ for the address of a page that is there for it. Prints as case.
 *   noise SEED LEN        prints support_noise(LEN, SEED): what an honest neighbour does
 *   ask NAME [WORD]       asks of the broker what it must not have: probe_asks.h
 *   wait                  prints "waiting" and reads a line of standard input
 *
 * The job's first argument is the path of a file that no attempt may change. The engine is registered as "lua", so that the broker
 * and the policy cannot tell it from the real one.
 *
 * The table is also printed by `probe-worker --cases` as "NAME NUMBER CODE CALL": the number in the list of escape attempts that
 * the sandbox is judged by (sandbox.md, section 5), the outcome that the policy promises, and the call that a receipt has to name
 * ("-": none). `--rules PROFILE` prints each row of a policy that allows by its arguments, as "NAME NR INDEX MASK VALUE...",
 * `--absent PROFILE` each call that has no row, as "NAME NR 0", and `--answered PROFILE` each that is answered whatever else it is called with,
 * as "NAME NR ERRNO": 0 where the worker answers.
 *
 *   K  killed, cause policy; the receipt names the call, except Ks where the kernel kills at once and no report is possible
 *   N  RET -1, ERRNO ENOSYS, and the job goes on (ends with 0)
 *   P  RET -1 and EACCES, EPERM or ENOTTY, and the job goes on
 *   O  the call works and is harmless; the job goes on
 *   C  contained: ends by a limit, a signal or a plain error, as the case's comment says, and nobody else notices
 *   B  the broker drops the worker for what it sent: cause bad_result
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <seccomp.h>

#include "sp.h"
#include "tests/escape/probe_asks.h"
#include "worker/input.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/policy.h"
#include "worker/task/sched.h"
#include "worker/zygote.h"

#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

static pid_t parent_pid, own_pid;
static char page[4096] __attribute__((aligned(4096)));
static char canary[4096]; /* the job's first argument */
static struct rlimit cap_raised = { RLIM_INFINITY, RLIM_INFINITY };

#define P_(x) ((uintptr_t)(x))
#define BUF   P_(page)
#define RW    (PROT_READ | PROT_WRITE)
#define ANON  (MAP_PRIVATE | MAP_ANONYMOUS)
#define CWD   P_(-100)

/* To be called straight after the attempt: takes errno from it. */
static void say(const char *name, long ret)
{
    int error = ret == -1 ? errno : 0;
    char line[256];
    int n = snprintf(line, sizeof(line), "%s %ld %d\n", name, ret, error);

    output_write(PB__STREAM__STREAM_STDOUT, line, (size_t)n);
    output_flush();
}

/* ---- attempts that are more than one call ------------------------------------------------------------------------------------- */

static void try_int80(const char *name, long nr)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    say(name, ret);
}

static void try_int80_getpid(const char *name)
{
    try_int80(name, 20);
}

static void try_int80_execve(const char *name)
{
    try_int80(name, 11);
}

static void try_vsyscall(const char *name)
{
    long (*vtime)(long *) = (long (*)(long *))0xffffffffff600400ul;

    say(name, vtime(NULL));
}

static void try_sigsys_blocked(const char *name)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    say(name, prctl(PR_SET_DUMPABLE, 1));
}

static void try_sigaltstack_gone(const char *name)
{
    stack_t none = { .ss_flags = SS_DISABLE };

    sigaltstack(&none, NULL);
    say(name, prctl(PR_SET_DUMPABLE, 1));
}

static void try_ppid(const char *name, long nr, long a, long b, long c)
{
    say(name, syscall(nr, a, b, c));
}

static void try_kill_parent(const char *name)
{
    try_ppid(name, SYS_kill, parent_pid, SIGKILL, 0);
}

static void try_tgkill_parent(const char *name)
{
    try_ppid(name, SYS_tgkill, parent_pid, parent_pid, SIGKILL);
}

static void try_ptrace_parent(const char *name)
{
    try_ppid(name, SYS_ptrace, 16, parent_pid, 0);
}

static void try_prlimit_parent(const char *name)
{
    try_ppid(name, SYS_prlimit64, parent_pid, RLIMIT_NOFILE, P_(page));
}

static void try_tkill_parent(const char *name)
{
    try_ppid(name, SYS_tkill, parent_pid, SIGKILL, 0);
}

static void try_sigqueue_parent(const char *name)
{
    try_ppid(name, SYS_rt_sigqueueinfo, parent_pid, SIGKILL, P_(page));
}

/* The CPU time clock of another process: ~pid << 3 | 2. */
static void try_clock_of_parent(const char *name)
{
    try_ppid(name, SYS_clock_gettime, (long)(~(unsigned)parent_pid << 3 | 2), P_(page), 0);
}

static void try_stop_self(const char *name)
{
    try_ppid(name, SYS_kill, own_pid, SIGSTOP, 0);
}

static void try_read_parent(const char *name)
{
    say(name, syscall(SYS_process_vm_readv, parent_pid, page, 1, page, 1, 0));
}

static void try_memory(const char *name)
{
    long mib = 0;
    char *p;

    while ((p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
        memset(p, 1, 1 << 20);
        mib++;
    }
    say(name, mib);
}

static void try_many_maps(const char *name)
{
    long n = 0;

    while (mmap(NULL, 4096, n % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        n++;
    say(name, n);
}

static __attribute__((noinline)) long deeper(long n)
{
    volatile char eat[4096];

    eat[0] = (char)n;
    return n < 0 ? n : deeper(n + 1) + eat[0];
}

static void try_stack(const char *name)
{
    say(name, deeper(0));
}

static int tasklet_deeper(void *arg)
{
    (void)arg;
    return (int)deeper(0);
}

/* Runs into the guard below the stack of a tasklet: nothing but its own outcome. */
static void try_tasklet_stack(const char *name)
{
    const struct coop_attr attr = { .name = "digger" };

    if (coop_init(NULL) != 0 || coop_spawn(NULL, tasklet_deeper, NULL, &attr) != 0)
        errno = ENOMEM;
    say(name, coop_run(COOP_NEVER));
}

static int tasklet_below(void *arg)
{
    (void)arg;
    memset(coop_self()->stack, 'x', 64);
    return coop_yield();
}

/* The same where no guard stops it. */
static void try_tasklet_canary(const char *name)
{
    const struct coop_attr attr = { .name = "digger" };

    if (coop_init(NULL) != 0)
        errno = ENOMEM;
    sched->stacks.no_madvise = true;
    sched->stacks.mprotected = STACKS_MPROTECT;
    if (coop_spawn(NULL, tasklet_below, NULL, &attr) != 0)
        errno = ENOMEM;
    say(name, coop_run(COOP_NEVER));
}

static volatile int *on_a_parked_stack;

static int tasklet_parks(void *arg)
{
    volatile int word = 1;

    (void)arg;
    on_a_parked_stack = &word;
    return coop_park(NULL, COOP_NEVER) == 0 ? word : -1;
}

/* A write into a hibernated stack, sealed: 0, or 95 where the kernel has no guards. Prints 42 when the write was not lost. */
static void try_tasklet_hibernates(const char *name)
{
    coop_task *t;
    int rc, word = 0;

    if (coop_init(NULL) != 0 || coop_spawn(&t, tasklet_parks, NULL, NULL) != 0 || coop_yield() != 0)
        errno = ENOMEM;
    rc = coop_hibernate(t);
    *on_a_parked_stack = 42;
    if (rc == 0 && !coop_hibernated(t) && coop_hibernate(t) == 0 && coop_unpark(t, 0) == 0)
        (void)coop_join(t, &word, COOP_NEVER);
    say(name, rc == 0 ? word : rc);
}

static void try_null(const char *name)
{
    long value;

    __asm__ volatile("mov (%1), %0" : "=r"(value) : "r"(0L));
    say(name, value);
}

static void try_fpe(const char *name)
{
    int quotient = 1;

    __asm__ volatile("cltd; idivl %1" : "+a"(quotient) : "r"(0) : "edx", "cc"); /* C's own division is the compiler's to leave out */
    say(name, quotient);
}

static void try_ill(const char *name)
{
    (void)name;
    __builtin_trap();
}

static void try_trap(const char *name)
{
    __asm__ volatile("int3");
    say(name, 0);
}

static void try_jump(const char *name)
{
    void (*data)(void) = (void (*)(void))(uintptr_t)page;

    page[0] = (char)0xc3; /* ret */
    data();
    say(name, 0);
}

static void try_abort(const char *name)
{
    (void)name;
    abort();
}

static void try_spin(const char *name)
{
    sigset_t all;

    (void)name;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (volatile long i = 0;; i++)
        ;
}

static void storm(const char *name, long period_us)
{
    const struct itimerval on = { { 0, period_us }, { 0, period_us } }, off = { { 0, 0 }, { 0, 0 } };

    setitimer(ITIMER_REAL, &on, NULL);
    for (int i = 0; i < 2000; i++)
        output_write(PB__STREAM__STREAM_STDOUT, "0123456789", 10);
    setitimer(ITIMER_REAL, &off, NULL);
    output_write(PB__STREAM__STREAM_STDOUT, "\n", 1);
    say(name, 1);
}

static void try_alarm_storm(const char *name)
{
    storm(name, 100);
}

static void try_alarm_livelock(const char *name)
{
    storm(name, 1);
}

/* Walls may only become lower. This one ends it by SIGKILL, which is what a lost worker looks like too. */
static void try_prlimit_cpu_end(const char *name)
{
    const struct rlimit low = { 1, 1 };

    syscall(SYS_prlimit64, 0, RLIMIT_CPU, &low, NULL);
    try_spin(name);
}

static void try_sleep(const char *name)
{
    static int word;

    for (;;)
        say(name, syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

/* Only 0, 1, 2 (/dev/null) and the link may be open: prints "NAME COUNT 0" and "NAME.FD FD 0" for each. */
static void try_descriptors(const char *name)
{
    const struct timespec now = { 0, 0 };
    long n = 0;

    for (int fd = 0; fd < 65536; fd++) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char sub[64];

        ppoll(&p, 1, &now, NULL);
        if ((p.revents & POLLNVAL) != 0)
            continue;
        snprintf(sub, sizeof(sub), "%s.fd", name);
        say(sub, fd);
        n++;
    }
    say(name, n);
}

static void try_raw_exit(const char *name)
{
    (void)name;
    _exit(7);
}

static void try_raw_exit_0(const char *name)
{
    (void)name;
    _exit(0);
}

static void try_thread_exit(const char *name)
{
    (void)name;
    syscall(SYS_exit, 7);
}

static void try_alternating_flood(const char *name)
{
    (void)name;
    for (;;) {
        output_write(PB__STREAM__STREAM_STDOUT, "o", 1);
        output_write(PB__STREAM__STREAM_STDERR, "e", 1);
    }
}

static void flood(Pb__Stream stream)
{
    memset(page, 'x', sizeof(page));
    for (;;)
        output_write(stream, page, sizeof(page));
}

static void try_flood_stdout(const char *name)
{
    (void)name;
    flood(PB__STREAM__STREAM_STDOUT);
}

static void try_flood_stderr(const char *name)
{
    (void)name;
    flood(PB__STREAM__STREAM_STDERR);
}

/* ---- forged frames: after each the worker waits for what the broker does about it ---------------------------------------------- */

static void raw(const void *bytes, size_t len)
{
    if (write(LINK_FD, bytes, len) < 0)
        _exit(0);
}

/* SP header with any length, then any bytes. */
static void raw_frame(uint64_t claimed, const void *body, size_t len)
{
    uint8_t head[SP_HEADER_LEN] = { 1 };

    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)(claimed >> (56 - 8 * i));
    raw(head, sizeof(head));
    if (len > 0)
        raw(body, len);
}

static void wait_for_verdict(const char *name)
{
    (void)name;
    link_rest();
}

static void forge(const char *name, const void *body, size_t len)
{
    raw_frame(len, body, len);
    wait_for_verdict(name);
}

static void try_frame_2_63(const char *name)
{
    raw_frame(1ull << 63, NULL, 0);
    wait_for_verdict(name);
}

static void try_frame_2_31(const char *name)
{
    raw_frame(1ull << 31, NULL, 0);
    wait_for_verdict(name);
}

static void try_frame_empty(const char *name)
{
    forge(name, "", 0);
}

static void send_want(const char *name, uint32_t max);

static void try_frame_silence(const char *name)
{
    raw_frame(100, "half", 4);
    wait_for_verdict(name);
}

static void rest_ms(int ms)
{
    const struct timespec t = { .tv_nsec = ms * 1000000L };

    (void)ppoll(NULL, 0, &t, NULL);
}

/* A frame of a mebibyte, a byte at a time: before its end there is the broker's patience. */
static void try_frame_loris(const char *name)
{
    (void)name;
    raw_frame(4096, "", 0);
    for (;;) {
        raw("x", 1);
        rest_ms(100);
    }
}

/* Asks for more input than any buffer takes, and reads none of it. */
static void try_never_reads(const char *name)
{
    (void)name;
    for (;;) {
        send_want(NULL, 1 << 20);
        rest_ms(20);
    }
}

static void try_frame_bad_type(const char *name)
{
    raw("\x07\0\0\0\0\0\0\0\1x", 10);
    wait_for_verdict(name);
}

static void try_frame_oversize(const char *name)
{
    static uint8_t big[FRAME_MAX_LINK + 1];

    raw_frame(sizeof(big), NULL, 0);
    for (size_t at = 0; at < sizeof(big); at += 4096)
        raw(big + at, sizeof(big) - at < 4096 ? sizeof(big) - at : 4096);
    wait_for_verdict(name);
}

/* Started by link_send(), a byte at a time instead. */
static void try_frame_drip(const char *name)
{
    static const char line[] = "\x01\0\0\0\0\0\0\0\x0a\x22\x08\x08\x01\x12\x04"
                               "drip";

    output_flush();
    for (size_t i = 0; i < sizeof(line) - 1; i++)
        raw(line + i, 1);
    say(name, 0);
}

static void try_frame_truncated(const char *name)
{
    forge(name, "\x22\x10\x08\x01", 4); /* Output of 16 bytes, 2 present */
}

static void try_frame_unknown(const char *name)
{
    forge(name, "\x9a\x06\x01x", 4); /* field 99 */
}

static void try_frame_field_max(const char *name)
{
    forge(name, "\xf8\xff\xff\xff\x0f\x01", 6); /* field 2^29-1 */
}

static void try_frame_varint_11(const char *name)
{
    forge(name, "\x22\x0c\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14);
}

static void try_frame_bad_stream(const char *name)
{
    forge(name, "\x22\x05\x08\x63\x12\x01x", 7); /* Output on stream 99 */
}

static void try_frame_bad_utf8(const char *name)
{
    forge(name, "\x42\x04\x0a\x02\xff\xfe", 6); /* WorkerLog with text that is none */
}

static void try_frame_many_fields(const char *name)
{
    static uint8_t body[200000];

    /* Violation with args = 99,990 zeros, one field each: 2 bytes here, far more once decoded. */
    memcpy(body, "\x3a\xac\x9a\x0c", 4);
    for (size_t i = 4; i + 1 < sizeof(body); i += 2)
        body[i] = 0x18;
    forge(name, body, 4 + 199980);
}

/* Two members of one oneof: an Output of a byte, then a Log. */
static void try_frame_two_bodies(const char *name)
{
    raw_frame(14, "\x22\x05\x08\x01\x12\x01x\x42\x05\x0a\x03log", 14);
    say(name, 0);
}

static void send_empty(Pb__FromWorker__BodyCase which)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Hello hello = PB__HELLO__INIT;
    Pb__Started started = PB__STARTED__INIT;
    Pb__StdinWant want = PB__STDIN_WANT__INIT;
    Pb__Result result = PB__RESULT__INIT;

    m.body_case = which;
    if (which == PB__FROM_WORKER__BODY_HELLO)
        m.hello = &hello;
    else if (which == PB__FROM_WORKER__BODY_STARTED)
        m.started = &started;
    else if (which == PB__FROM_WORKER__BODY_STDIN_WANT)
        m.stdin_want = &want, want.max = 1;
    else
        m.result = &result, result.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    link_send(&m);
}

static void try_second_hello(const char *name)
{
    send_empty(PB__FROM_WORKER__BODY_HELLO);
    wait_for_verdict(name);
}

static void try_second_started(const char *name)
{
    send_empty(PB__FROM_WORKER__BODY_STARTED);
    wait_for_verdict(name);
}

static void try_two_wants(const char *name)
{
    for (int i = 0; i < 10; i++)
        send_empty(PB__FROM_WORKER__BODY_STDIN_WANT);
    wait_for_verdict(name);
}

/* The first result stands; what follows it harms nobody. */
static void try_result_twice(const char *name)
{
    send_empty(PB__FROM_WORKER__BODY_RESULT);
    send_empty(PB__FROM_WORKER__BODY_RESULT);
    wait_for_verdict(name);
}

static void send_result(Pb__Result *r)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;

    m.body_case = PB__FROM_WORKER__BODY_RESULT;
    m.result = r;
    link_send(&m);
}

static void try_result_bad_kind(const char *name)
{
    Pb__Result r = PB__RESULT__INIT;

    r.kind = (Pb__ResultKind)77;
    send_result(&r);
    wait_for_verdict(name);
}

static void try_result_bad_code(const char *name)
{
    Pb__Result r = PB__RESULT__INIT;

    r.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    r.exit_code = -5;
    send_result(&r);
    wait_for_verdict(name);
}

static void try_result_huge(const char *name)
{
    static char message[100000];
    Pb__Result r = PB__RESULT__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;

    memset(message, 'm', sizeof(message) - 1);
    e.message = message;
    r.kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
    r.error = &e;
    send_result(&r);
    wait_for_verdict(name);
}

/* Straight to the link, past output.c, which would stop at the cap. */
static void try_past_credit(const char *name)
{
    static uint8_t data[64 << 10];
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Output o = PB__OUTPUT__INIT;

    o.stream = PB__STREAM__STREAM_STDOUT;
    o.data.data = data;
    o.data.len = sizeof(data);
    m.body_case = PB__FROM_WORKER__BODY_OUTPUT;
    m.output = &o;
    for (int i = 0; i < 4096; i++) /* 256 MiB, above every cap */
        link_send(&m);
    wait_for_verdict(name);
}

static void send_log(const char *text)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__WorkerLog l = PB__WORKER_LOG__INIT;

    l.text = (char *)text;
    m.body_case = PB__FROM_WORKER__BODY_LOG;
    m.log = &l;
    link_send(&m);
}

static void send_want(const char *name, uint32_t max)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__StdinWant w = PB__STDIN_WANT__INIT;

    w.max = max;
    m.body_case = PB__FROM_WORKER__BODY_STDIN_WANT;
    m.stdin_want = &w;
    link_send(&m);
    if (name != NULL)
        wait_for_verdict(name);
}

static void try_want_nothing(const char *name)
{
    send_want(name, 0);
}

static void try_want_too_much(const char *name)
{
    send_want(name, UINT32_MAX);
}

static void try_result_while_asked(const char *name)
{
    send_want(NULL, 1);
    send_empty(PB__FROM_WORKER__BODY_RESULT);
    wait_for_verdict(name);
}

static void try_late_seal_failed(const char *name)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__SealFailed f = PB__SEAL_FAILED__INIT;

    f.step = "seccomp";
    f.error = 1;
    m.body_case = PB__FROM_WORKER__BODY_SEAL_FAILED;
    m.seal_failed = &f;
    link_send(&m);
    wait_for_verdict(name);
}

static void send_violation(const char *name, size_t n_args)
{
    uint64_t args[6] = { UINT64_MAX, 0, 0, 0, 0, 0 };
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Violation v = PB__VIOLATION__INIT;

    v.nr = UINT32_MAX;
    v.arch = 0x12345678;
    v.args = args;
    v.n_args = n_args;
    m.body_case = PB__FROM_WORKER__BODY_VIOLATION;
    m.violation = &v;
    link_send(&m);
    wait_for_verdict(name);
}

static void try_violation_no_args(const char *name)
{
    send_violation(name, 0);
}

static void try_violation_forged(const char *name)
{
    send_violation(name, 6);
}

static void try_result_cancelled(const char *name)
{
    Pb__Result r = PB__RESULT__INIT;

    r.kind = PB__RESULT_KIND__RESULT_KIND_CANCELLED;
    send_result(&r);
    wait_for_verdict(name);
}

static void send_exception(const char *name, const char *message)
{
    Pb__Result r = PB__RESULT__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;

    e.type = e.message = e.traceback = (char *)message;
    r.kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
    r.error = &e;
    send_result(&r);
    wait_for_verdict(name);
}

static void try_result_bad_utf8(const char *name)
{
    send_exception(name, "\xff\xfe");
}

static void try_error_escapes(const char *name)
{
    send_exception(name, "\x1b[2J\n%s%n\r cause=ok job=1");
}

static void try_result_dropped_max(const char *name)
{
    Pb__Result r = PB__RESULT__INIT;

    r.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    r.stdout_dropped = r.stderr_dropped = UINT64_MAX;
    send_result(&r);
    wait_for_verdict(name);
}

static void try_log_too_long(const char *name)
{
    static char text[2000];

    memset(text, 'x', sizeof(text) - 1);
    send_log(text);
    wait_for_verdict(name);
}

static void try_log_escapes(const char *name)
{
    send_log("\x1b[2J\n%s%n event=forged job=1");
    say(name, 0);
}

static void try_log_flood(const char *name)
{
    for (int i = 0; i < 1000000; i++)
        send_log("x");
    say(name, 0);
}

static void try_empty_output_flood(const char *name)
{
    for (int i = 0; i < 1000000; i++)
        raw_frame(4, "\x22\x02\x08\x01", 4); /* Output without a byte */
    say(name, 0);
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------- */

struct probe {
    const char *name;
    int number;
    const char *code;
    void (*try)(const char *name); /* NULL: the one call below */
    long nr;
    const char *call; /* what a receipt has to name; "-": nothing */
    uintptr_t args[5];
};

/* clang-format off */
#define CALL(x)     NULL, SYS_##x, #x
#define NUMBER(n)   NULL, n, "-"
#define DO(f)       f, 0, "-", { 0 }
#define DO_BY(f, x) f, 0, #x, { 0 } /* ends by this call */
/* clang-format on */

#if defined(COOP_ASAN) || defined(COOP_TSAN)
#define SAN_P "P" /* policy.c has a row more for the sanitizer */
#else
#define SAN_P "K"
#endif

/* clang-format off */
static const struct probe probes[] = {
    /* ABI and filter tricks */
    { "x32_getpid",         1,  "Ks", NUMBER(0x40000000 | SYS_getpid), { 0 } },
    { "int80_getpid",       2,  "Ks", DO(try_int80_getpid) },
    { "int80_execve",       2,  "Ks", DO(try_int80_execve) },
    { "execve",             3,  "K",  CALL(execve), { P_("/bin/true"), 0, 0 } },
    { "uretprobe_335",      4,  "C",  NUMBER(335), { 0 } }, /* N; since Linux 6.11 SIGILL: uretprobe, which passes by every filter */
    { "uprobe_336",         4,  "C",  NUMBER(336), { 0 } }, /* N; since Linux 6.18 ENXIO: uprobe, as uretprobe */
    { "unknown_400",        4,  "N",  NUMBER(400), { 0 } },
    { "unknown_512",        4,  "N",  NUMBER(512), { 0 } },
    { "unknown_547",        4,  "N",  NUMBER(547), { 0 } },
    { "unknown_1000",       4,  "N",  NUMBER(1000), { 0 } },
    { "unknown_minus_1",    4,  "N",  NUMBER(-1), { 0 } },
    { "unknown_0x12345",    4,  "N",  NUMBER(0x12345), { 0 } },
    { "newer_cachestat",    4,  "N",  NUMBER(451), { 0 } },
    { "newer_shadow_stack", 4,  "N",  NUMBER(453), { 0, 4096, 0 } },
    { "newer_futex_wake",   4,  "N",  NUMBER(454), { 0 } },
    { "newer_mseal",        4,  "N",  NUMBER(462), { 0 } },
    { "vsyscall",           7,  "C",  DO(try_vsyscall) }, /* K, or a value, or SIGSEGV: as the kernel maps it */
    { "seccomp_allow_all",  8,  "K",  CALL(seccomp), { 1, 0, 0 } },
    { "seccomp_listener",   9,  "K",  CALL(seccomp), { 1, 8, 0 } },
    { "prctl_strict",       10, "K",  CALL(prctl), { PR_SET_SECCOMP, 1 } },
    { "prctl_nnp_off",      10, "K",  CALL(prctl), { PR_SET_NO_NEW_PRIVS, 0 } },
    { "prctl_securebits",   10, "K",  CALL(prctl), { PR_SET_SECUREBITS, 0 } },
    { "prctl_ambient",      10, "K",  CALL(prctl), { PR_CAP_AMBIENT, 2, 21 } },
    { "sigaction_sigsys",   12, SAN_P, CALL(rt_sigaction), { SIGSYS, 0, BUF, 8 } },
    { "sigsys_blocked",     12, "Ks", DO(try_sigsys_blocked) },
    { "sigaltstack_gone",   12, "K",  DO_BY(try_sigaltstack_gone, prctl) },
    { "modify_ldt",         15, "K",  CALL(modify_ldt), { 0, BUF, 16 } },
    { "arch_prctl_gs",      15, "K",  CALL(arch_prctl), { 0x1001, 0 } },
    { "arch_prctl_vdso32",  15, "K",  CALL(arch_prctl), { 0x2002, 0 } },
    { "arch_prctl_xcomp",   15, "K",  CALL(arch_prctl), { 0x1023, 18 } },
    { "personality",        16, "K",  CALL(personality), { 0x0440000 } },
    /* memory */
    { "mmap_wx",            17, "K",  CALL(mmap), { 0, 4096, RW | PROT_EXEC, ANON, P_(-1) } },
    { "mmap_x",             17, "K",  CALL(mmap), { 0, 4096, PROT_EXEC, ANON, P_(-1) } },
    { "mmap_x_high_bits",   17, "K",  CALL(mmap), { 0, 4096, PROT_EXEC | 1ull << 32, ANON, P_(-1) } },
    { "mmap_shared",        17, "K",  CALL(mmap), { 0, 4096, RW, MAP_SHARED | MAP_ANONYMOUS, P_(-1) } },
    { "mmap_file",          17, "K",  CALL(mmap), { 0, 4096, PROT_READ, MAP_PRIVATE, 0 } },
    { "mprotect_x",         17, "K",  CALL(mprotect), { BUF, 4096, PROT_READ | PROT_EXEC } },
    { "mprotect_x_high_bits", 17, "K", CALL(mprotect), { BUF, 4096, PROT_EXEC | 1ull << 32 } },
    { "mprotect_growsdown", 17, "K",  CALL(mprotect), { BUF, 4096, PROT_READ | PROT_GROWSDOWN } },
    { "mmap_hugetlb",       17, "K",  CALL(mmap), { 0, 2 << 20, RW, ANON | MAP_HUGETLB, P_(-1) } },
    { "mmap_locked",        17, "K",  CALL(mmap), { 0, 4096, RW, ANON | MAP_LOCKED, P_(-1) } },
    { "mmap_growsdown",     17, "K",  CALL(mmap), { 0, 4096, RW, ANON | MAP_GROWSDOWN, P_(-1) } },
    { "mremap_fixed",       17, "K",  CALL(mremap), { BUF, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, BUF } },
    { "mremap_dontunmap",   17, "K",  CALL(mremap), { BUF, 4096, 4096, MREMAP_MAYMOVE | 4, 0 } },
    { "remap_file_pages",   17, "K",  CALL(remap_file_pages), { BUF, 4096, 0, 0, 0 } },
    { "mlockall",           17, "K",  CALL(mlockall), { 3 } },
    { "mincore",            17, "K",  CALL(mincore), { BUF, 4096, BUF } },
    { "pkey_mprotect_x",    17, "K",  CALL(pkey_mprotect), { BUF, 4096, PROT_READ | PROT_EXEC, P_(-1) } },
    { "shmat_exec",         17, "K",  CALL(shmat), { 0, 0, 0100000 } },
    { "memfd_create",       19, "K",  CALL(memfd_create), { P_("x"), 0 } },
    { "execveat",           19, "K",  CALL(execveat), { 0, P_(""), 0, 0, 0x1000 } },
    { "proc_self_mem",      20, "P",  CALL(openat), { CWD, P_("/proc/self/mem"), O_RDWR } },
    { "userfaultfd",        21, "K",  CALL(userfaultfd), { 0 } },
    { "process_madvise",    21, "K",  CALL(process_madvise), { 0, BUF, 0, MADV_DONTNEED } },
    { "process_mrelease",   21, "K",  CALL(process_mrelease), { 0, 0 } },
    { "memory",             23, "C",  DO(try_memory) }, /* prints the MiB it got before mmap said no */
    { "mmap_1tb",           24, "C",  CALL(mmap), { 0, 1ull << 40, RW, ANON | MAP_NORESERVE, P_(-1) } },
    { "stack",              25, "C",  DO(try_stack) },  /* SIGSEGV */
    { "many_maps",          26, "C",  DO(try_many_maps) },
    /* processes, scheduling */
    { "fork",               30, "K",  CALL(fork), { 0 } },
    { "vfork",              30, "K",  CALL(vfork), { 0 } },
    { "clone",              30, "K",  CALL(clone), { SIGCHLD, 0 } },
    { "clone3",             30, "N",  CALL(clone3), { BUF, 88 } },
    { "clone_thread",       31, "K",  CALL(clone), { CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, BUF } },
    { "clone_untraced",     31, "K",  CALL(clone), { CLONE_UNTRACED, 0 } },
    { "clone_parent",       31, "K",  CALL(clone), { CLONE_PARENT, 0 } },
    { "clone_newuser",      32, "K",  CALL(clone), { CLONE_NEWUSER, 0 } },
    { "unshare_ns",         32, "K",  CALL(unshare), { CLONE_NEWNS } },
    { "unshare_uts",        32, "K",  CALL(unshare), { CLONE_NEWUTS } },
    { "unshare_ipc",        32, "K",  CALL(unshare), { CLONE_NEWIPC } },
    { "unshare_user",       32, "K",  CALL(unshare), { CLONE_NEWUSER } },
    { "unshare_pid",        32, "K",  CALL(unshare), { CLONE_NEWPID } },
    { "unshare_net",        32, "K",  CALL(unshare), { CLONE_NEWNET } },
    { "unshare_cgroup",     32, "K",  CALL(unshare), { CLONE_NEWCGROUP } },
    { "unshare_time",       32, "K",  CALL(unshare), { 0x80 } },
    { "setns",              32, "K",  CALL(setns), { 0, 0 } },
    { "setsid",             34, "K",  CALL(setsid), { 0 } },
    { "alarm_storm",        35, "C",  DO(try_alarm_storm) },    /* a signal each 100 us: its output is whole */
    { "alarm_livelock",     35, "C",  DO(try_alarm_livelock) }, /* each us: as alarm_storm, or a limit when it gets nowhere */
    { "spin_all_blocked",   35, "C",  DO(try_spin) },   /* cpu or wall limit */
    { "stop_self",          36, "K",  DO_BY(try_stop_self, kill) },
    { "sleep_forever",      37, "C",  DO(try_sleep) },  /* wall limit */
    { "sched_setscheduler", 40, "K",  CALL(sched_setscheduler), { 0, 1, BUF } },
    { "sched_setparam",     40, "K",  CALL(sched_setparam), { 0, BUF } },
    { "sched_setattr",      40, "K",  CALL(sched_setattr), { 0, BUF, 0 } },
    { "timer_create",       40, "K",  CALL(timer_create), { 1, 0, BUF } },
    { "setitimer_prof",     40, "K",  CALL(setitimer), { 2, BUF, 0 } },
    { "setpriority",        40, "K",  CALL(setpriority), { 0, 0, P_(-20) } },
    { "sched_setaffinity",  40, "K",  CALL(sched_setaffinity), { 0, 8, BUF } },
    { "ioprio_set",         40, "K",  CALL(ioprio_set), { 1, 0, 0 } },
    { "prctl_sched_core",   40, "K",  CALL(prctl), { 62, 1, 0, 0 } },
    { "prlimit_raise_files", 41, "P", CALL(prlimit64), { 0, RLIMIT_NOFILE, P_(&cap_raised), 0 } },
    { "prlimit_raise_procs", 41, "P", CALL(prlimit64), { 0, RLIMIT_NPROC, P_(&cap_raised), 0 } },
    { "prlimit_raise_size", 41, "P",  CALL(prlimit64), { 0, RLIMIT_FSIZE, P_(&cap_raised), 0 } },
    { "prlimit_raise_core", 41, "P",  CALL(prlimit64), { 0, RLIMIT_CORE, P_(&cap_raised), 0 } },
    { "prlimit_raise_cpu",  41, "P",  CALL(prlimit64), { 0, RLIMIT_CPU, P_(&cap_raised), 0 } },
    { "prlimit_high_bits",  41, "P",  CALL(prlimit64), { 1ull << 32, RLIMIT_NOFILE, P_(&cap_raised), 0 } }, /* pid 0: itself */
    { "prlimit_init",       41, "K",  CALL(prlimit64), { 1, RLIMIT_CPU, 0, BUF } },
    { "prlimit_parent",     41, "K",  DO_BY(try_prlimit_parent, prlimit64) },
    { "prlimit_cpu_end",    41, "C",  DO(try_prlimit_cpu_end) }, /* its own SIGKILL by RLIMIT_CPU: one attempt, cpu_limit */
    { "setrlimit",          41, "K",  CALL(setrlimit), { RLIMIT_NOFILE, BUF } },
    { "kill_all",           42, "K",  CALL(kill), { P_(-1), SIGKILL } },
    { "kill_init",          42, "K",  CALL(kill), { 1, SIGKILL } },
    { "kill_parent",        42, "K",  DO_BY(try_kill_parent, kill) },
    { "tgkill_parent",      42, "K",  DO_BY(try_tgkill_parent, tgkill) },
    { "tkill_parent",       42, "K",  DO_BY(try_tkill_parent, tkill) },
    { "sigqueue_parent",    42, "K",  DO_BY(try_sigqueue_parent, rt_sigqueueinfo) },
    { "pidfd_open",         42, "N",  CALL(pidfd_open), { 1, 0 } },
    { "pidfd_send_signal",  42, "K",  CALL(pidfd_send_signal), { 0, SIGKILL, 0, 0 } },
    { "pidfd_getfd",        42, "K",  CALL(pidfd_getfd), { 0, 0, 0 } },
    { "clock_of_parent",    42, "K",  DO_BY(try_clock_of_parent, clock_gettime) },
    { "ptrace_traceme",     44, "K",  CALL(ptrace), { 0, 0, 0, 0 } },
    { "ptrace_attach",      44, "K",  DO_BY(try_ptrace_parent, ptrace) },
    { "process_vm_readv",   44, "K",  DO_BY(try_read_parent, process_vm_readv) },
    { "process_vm_writev",  44, "K",  CALL(process_vm_writev), { 1, BUF, 1, BUF, 1 } },
    { "kcmp",               44, "K",  CALL(kcmp), { 1, 1, 0, 0, 0 } },
    { "perf_event_open",    44, "K",  CALL(perf_event_open), { BUF, 0, P_(-1), P_(-1), 0 } },
    { "prctl_ptracer",      45, "K",  CALL(prctl), { 0x59616d61, P_(-1) } },
    { "prctl_dumpable",     45, "K",  CALL(prctl), { PR_SET_DUMPABLE, 1 } },
    { "prctl_subreaper",    45, "K",  CALL(prctl), { PR_SET_CHILD_SUBREAPER, 1 } },
    { "prctl_pdeathsig",    45, "K",  CALL(prctl), { PR_SET_PDEATHSIG, 0 } },
    { "abort",              47, "K",  DO_BY(try_abort, tgkill) },  /* abort raises by tgkill, which has no row */
    { "segv",               47, "C",  DO(try_null) },   /* SIGSEGV, no core */
    { "fpe",                47, "C",  DO(try_fpe) },    /* SIGFPE */
    { "ill",                47, "C",  DO(try_ill) },    /* SIGILL */
    { "trap",               47, "C",  DO(try_trap) },   /* SIGTRAP */
    { "tasklet_stack",      47, "C",  DO(try_tasklet_stack) },      /* exception, by name */
    { "tasklet_canary",     47, "C",  DO(try_tasklet_canary) },     /* as tasklet_stack */
    { "tasklet_hibernates", 47, "C",  DO(try_tasklet_hibernates) }, /* prints 42: the access was repeated */
    { "jump_into_data",     47, "C",  DO(try_jump) },   /* SIGSEGV: data is not executable */
    /* descriptors and the link */
    { "descriptors",        49, "O",  DO(try_descriptors) }, /* prints 4: 0 1 2 3 */
    { "openat_parent",      51, "P",  CALL(openat), { 0, P_("../../.."), 0 } },
    { "openat_high_bits",   51, "P",  CALL(openat), { CWD | 1ull << 40, P_("/etc/passwd"), 0 } },
    { "openat2",            51, "N",  CALL(openat2), { CWD, P_("/"), BUF, 24 } },
    { "fchdir",             51, "K",  CALL(fchdir), { 0 } },
    { "open_by_handle_at",  51, "K",  CALL(open_by_handle_at), { 0, BUF, 0 } },
    { "dup2_link",          52, "K",  CALL(dup2), { 0, LINK_FD } },
    { "close_link",         52, SAN_P, CALL(close), { LINK_FD } },
    { "shutdown_link",      52, "K",  CALL(shutdown), { LINK_FD, 2 } },
    { "nonblock_link",      52, "K",  CALL(fcntl), { LINK_FD, F_SETFL, O_NONBLOCK } },
    { "fionbio_link",       52, "P",  CALL(ioctl), { LINK_FD, 0x5421, BUF } },
    { "write_elsewhere",    52, "O",  CALL(write), { 1, BUF, 1 } }, /* /dev/null */
    { "send_link",          54, "K",  CALL(sendmsg), { LINK_FD, BUF, 0 } },
    { "frame_empty",        55, "B",  DO(try_frame_empty) },
    { "frame_2_31",         55, "B",  DO(try_frame_2_31) },
    { "frame_2_63",         55, "B",  DO(try_frame_2_63) },
    { "frame_oversize",     55, "B",  DO(try_frame_oversize) },
    { "frame_drip",         55, "C",  DO(try_frame_drip) }, /* a good message byte by byte is a good message */
    { "frame_silence",      55, "C",  DO(try_frame_silence) }, /* wall limit: a half frame is no frame */
    { "frame_loris",        55, "C",  DO(try_frame_loris) }, /* a frame that does not end: B when the broker's patience does */
    { "never_reads",        58, "C",  DO(try_never_reads) },
    { "frame_bad_type",     55, "B",  DO(try_frame_bad_type) },
    { "frame_truncated",    56, "B",  DO(try_frame_truncated) },
    { "frame_unknown",      56, "B",  DO(try_frame_unknown) },
    { "frame_field_max",    56, "B",  DO(try_frame_field_max) },
    { "frame_varint_11",    56, "B",  DO(try_frame_varint_11) },
    { "frame_bad_stream",   56, "B",  DO(try_frame_bad_stream) },
    { "frame_bad_utf8",     56, "B",  DO(try_frame_bad_utf8) },
    { "frame_many_fields",  56, "B",  DO(try_frame_many_fields) },
    { "frame_two_bodies",   56, "C",  DO(try_frame_two_bodies) }, /* B, or the last one counts */
    { "want_nothing",       56, "B",  DO(try_want_nothing) },
    { "want_too_much",      56, "B",  DO(try_want_too_much) },
    { "late_seal_failed",   56, "B",  DO(try_late_seal_failed) },
    { "violation_no_args",  56, "B",  DO(try_violation_no_args) },
    { "violation_forged",   56, "C",  DO(try_violation_forged) }, /* policy: it accuses itself, and its words stay words */
    { "result_cancelled",   56, "B",  DO(try_result_cancelled) },
    { "result_bad_utf8",    56, "B",  DO(try_result_bad_utf8) },
    { "result_dropped_max", 56, "C",  DO(try_result_dropped_max) }, /* any; the receipt stays well-formed, its numbers not negative */
    { "result_while_asked", 56, "C",  DO(try_result_while_asked) }, /* ok: input that it never reads hangs nobody */
    { "second_hello",       56, "B",  DO(try_second_hello) },
    { "second_started",     56, "B",  DO(try_second_started) },
    { "many_wants",         56, "B",  DO(try_two_wants) },
    { "past_credit",        58, "B",  DO(try_past_credit) },
    { "log_flood",          58, "C",  DO(try_log_flood) },          /* B, or all swallowed: the broker's memory stays flat */
    { "empty_output_flood", 58, "C",  DO(try_empty_output_flood) }, /* as log_flood */
    { "result_twice",       60, "C",  DO(try_result_twice) },       /* the first one stands: ok */
    { "result_bad_kind",    60, "B",  DO(try_result_bad_kind) },
    { "result_bad_code",    60, "B",  DO(try_result_bad_code) },
    { "result_huge",        60, "C",  DO(try_result_huge) },        /* B, or kept shortened */
    { "log_too_long",       60, "B",  DO(try_log_too_long) },
    { "error_escapes",      60, "C",  DO(try_error_escapes) },      /* exception; cause_detail has no control characters */
    { "log_escapes",        60, "O",  DO(try_log_escapes) },        /* the broker's log shows \x1b and one line */
    /* files */
    { "mount",              67, "K",  CALL(mount), { P_("none"), P_("/"), P_("tmpfs"), 0, 0 } },
    { "umount2",            67, "K",  CALL(umount2), { P_("/"), 2 } },
    { "pivot_root",         67, "K",  CALL(pivot_root), { P_("/"), P_("/") } },
    { "chroot",             67, "K",  CALL(chroot), { P_("/") } },
    { "fsopen",             67, "K",  CALL(fsopen), { P_("tmpfs"), 0 } },
    { "open_tree",          67, "K",  CALL(open_tree), { CWD, P_("/"), 0 } },
    { "move_mount",         67, "K",  CALL(move_mount), { 0, P_(""), 0, P_(""), 0 } },
    { "proc_1_root",        68, "P",  CALL(openat), { CWD, P_("/proc/1/root"), 0 } },
    { "proc_self_exe",      68, "P",  CALL(openat), { CWD, P_("/proc/self/exe"), O_RDWR } },
    { "core_pattern",       68, "P",  CALL(open), { P_("/proc/sys/kernel/core_pattern"), O_WRONLY } },
    { "etc_passwd",         69, "P",  CALL(openat), { CWD, P_("/etc/passwd"), 0 } },
    { "etc_shadow",         69, "P",  CALL(open), { P_("/etc/shadow"), 0 } },
    { "open_create",        63, "P",  CALL(open), { P_(canary), O_WRONLY | O_CREAT | O_TRUNC, 0600 } },
    { "openat_tmpfile",     63, "P",  CALL(openat), { CWD, P_("/tmp"), O_RDWR | 020200000, 0600 } },
    { "truncate",           63, "K",  CALL(truncate), { P_(canary), 0 } },
    { "rename",             63, "K",  CALL(rename), { P_(canary), P_("/tmp/coop-escaped") } },
    { "renameat2",          63, "K",  CALL(renameat2), { CWD, P_(canary), CWD, P_("/tmp/coop-escaped"), 0 } },
    { "link",               63, "K",  CALL(link), { P_(canary), P_("/tmp/coop-escaped") } },
    { "symlink",            63, "K",  CALL(symlink), { P_(canary), P_("/tmp/coop-escaped") } },
    { "mkdir",              63, "K",  CALL(mkdir), { P_("/tmp/coop-escaped"), 0700 } },
    { "rmdir",              63, "K",  CALL(rmdir), { P_("/tmp/coop-escaped") } },
    { "mknod",              63, "K",  CALL(mknod), { P_("/tmp/coop-escaped"), 010600, 0 } },
    { "chmod",              63, "K",  CALL(chmod), { P_(canary), 04777 } },
    { "chown",              63, "K",  CALL(chown), { P_(canary), 1, 1 } },
    { "utimensat",          63, "K",  CALL(utimensat), { CWD, P_(canary), 0, 0 } },
    { "setxattr",           63, "K",  CALL(setxattr), { P_(canary), P_("user.x"), BUF, 1, 0 } },
    { "unlinkat",           63, "K",  CALL(unlinkat), { CWD, P_(canary), 0 } },
    { "chdir",              63, "K",  CALL(chdir), { P_("/tmp") } },
    { "getdents",           63, "K",  CALL(getdents64), { 0, BUF, 4096 } },
    { "getcwd",             63, "K",  CALL(getcwd), { BUF, 4096 } },
    { "inotify_init",       63, "K",  CALL(inotify_init1), { 0 } },
    { "name_to_handle_at",  63, "K",  CALL(name_to_handle_at), { CWD, P_("/"), BUF, BUF, 0 } },
    { "stat",               69, "P",  CALL(stat), { P_("/etc/shadow"), BUF } },
    { "readlink_exe",       69, "P",  CALL(readlink), { P_("/proc/self/exe"), BUF, 100 } },
    { "creat",              69, "K",  CALL(creat), { P_(canary), 0600 } },
    { "unlink",             69, "K",  CALL(unlink), { P_(canary) } },
    /* channels to others */
    { "socket_unix",        70, "K",  CALL(socket), { 1, 1, 0 } },
    { "socketpair",         70, "K",  CALL(socketpair), { 1, 1, 0, BUF } },
    { "connect_link",       70, "K",  CALL(connect), { LINK_FD, BUF, 16 } },
    { "shmget",             71, "K",  CALL(shmget), { 0, 4096, 0600 } },
    { "semget",             71, "K",  CALL(semget), { 0, 1, 0600 } },
    { "msgget",             71, "K",  CALL(msgget), { 0, 0600 } },
    { "mq_open",            71, "K",  CALL(mq_open), { P_("x"), O_CREAT, 0600, 0 } },
    { "add_key",            72, "K",  CALL(add_key), { P_("user"), P_("x"), BUF, 1, P_(-3) } },
    { "keyctl",             72, "K",  CALL(keyctl), { 0, P_(-3) } },
    { "request_key",        72, "K",  CALL(request_key), { P_("user"), P_("x"), 0, 0 } },
    { "socket_inet",        74, "K",  CALL(socket), { 2, 1, 0 } },
    { "socket_inet6",       74, "K",  CALL(socket), { 10, 1, 0 } },
    { "socket_inet_raw",    74, "K",  CALL(socket), { 2, 3, 1 } },
    { "socket_netlink",     74, "K",  CALL(socket), { 16, 3, 0 } },
    { "socket_packet",      74, "K",  CALL(socket), { 17, 3, 0 } },
    { "socket_alg",         74, "K",  CALL(socket), { 38, 5, 0 } },
    { "socket_vsock",       74, "K",  CALL(socket), { 40, 1, 0 } },
    { "uname",              76, "K",  CALL(uname), { BUF } },
    { "sysinfo",            76, "K",  CALL(sysinfo), { BUF } },
    { "memory_merge",       81, "K",  CALL(prctl), { PR_SET_MEMORY_MERGE, 1, 0, 0, 0 } },
    { "madvise_merge",      81, "K",  CALL(madvise), { BUF, 4096, 12 } },
    { "getrusage",          76, "K",  CALL(getrusage), { P_(-1), BUF } },
    { "getrandom_blocking", 83, "K",  CALL(getrandom), { BUF, 8, 2 } },
    /* kernel surface */
    { "io_uring_setup",     84, "N",  CALL(io_uring_setup), { 1, BUF } },
    { "io_uring_enter",     84, "N",  CALL(io_uring_enter), { 0, 0, 0, 0, 0 } },
    { "io_uring_register",  84, "N",  CALL(io_uring_register), { 0, 0, 0, 0 } },
    { "bpf",                85, "K",  CALL(bpf), { 5, BUF, 48 } },
    { "landlock_create",    85, "K",  CALL(landlock_create_ruleset), { 0, 0, 1 } },
    { "kexec_load",         85, "K",  CALL(kexec_load), { 0, 0, 0, 0 } },
    { "init_module",        85, "K",  CALL(init_module), { BUF, 0, BUF } },
    { "quotactl",           85, "K",  CALL(quotactl), { 0, 0, 0, 0 } },
    { "swapon",             85, "K",  CALL(swapon), { P_("/nowhere"), 0 } },
    { "reboot",             85, "K",  CALL(reboot), { 0, 0, 0, 0 } },
    { "syslog",             85, "K",  CALL(syslog), { 10, 0, 0 } },
    { "iopl",               85, "K",  CALL(iopl), { 3 } },
    { "ioperm",             85, "K",  CALL(ioperm), { 0, 1, 1 } },
    { "vhangup",            85, "K",  CALL(vhangup), { 0 } },
    { "splice",             86, "K",  CALL(splice), { 0, 0, 1, 0, 1 } },
    { "tee",                86, "K",  CALL(tee), { 0, 1, 1, 0 } },
    { "vmsplice",           86, "K",  CALL(vmsplice), { 1, BUF, 0, 0 } },
    { "sendfile",           86, "K",  CALL(sendfile), { 1, 0, 0, 1 } },
    { "copy_file_range",    86, "K",  CALL(copy_file_range), { 0, 0, 1, 0, 1 } },
    { "futex_lock_pi",      86, "K",  CALL(futex), { BUF, FUTEX_LOCK_PI, 0, 0, 0 } },
    { "futex_requeue_pi",   86, "K",  CALL(futex), { BUF, FUTEX_CMP_REQUEUE_PI | FUTEX_PRIVATE_FLAG, 0, 0, BUF } },
    { "ioctl_tiocsti",      90, "P",  CALL(ioctl), { 0, 0x5412, BUF } },
    { "acct",               93, "K",  CALL(acct), { 0 } },
    { "clock_settime",      109, "K", CALL(clock_settime), { 0, BUF } },
    { "settimeofday",       109, "K", CALL(settimeofday), { BUF, 0 } },
    { "adjtimex",           109, "K", CALL(adjtimex), { BUF } },
    { "membarrier",         93, "K",  CALL(membarrier), { 1, 0, 0 } },
    { "sync",               93, "K",  CALL(sync), { 0 } },
    /* output and end */
    { "flood_stdout",       104, "C", DO(try_flood_stdout) }, /* output_limit */
    { "flood_stderr",       104, "C", DO(try_flood_stderr) }, /* output_limit */
    { "alternating_flood",  104, "C", DO(try_alternating_flood) }, /* output_limit: a frame for each byte */
    { "raw_exit",           106, "C", DO(try_raw_exit) },     /* worker_lost: an exit without a result */
    { "raw_exit_0",         106, "C", DO(try_raw_exit_0) },   /* bad_result: 0 is no result either */
    { "thread_exit",        106, "C", DO(try_thread_exit) },  /* as raw_exit */
};
/* clang-format on */

enum { N_PROBES = sizeof(probes) / sizeof(probes[0]) };

/* ---- the engine ---------------------------------------------------------------------------------------------------------------- */

static void attempt(const struct probe *p)
{
    if (p->try != NULL)
        p->try(p->name);
    else
        say(p->name, syscall(p->nr, p->args[0], p->args[1], p->args[2], p->args[3], p->args[4], 0L));
}

static void attempt_named(const char *name, size_t len)
{
    for (int i = 0; i < N_PROBES; i++)
        if (strlen(probes[i].name) == len && memcmp(probes[i].name, name, len) == 0) {
            attempt(&probes[i]);
            return;
        }
    errno = EINVAL;
    say("unknown_case", -1);
}

/* A number, or @. */
static uintptr_t argument(const char *text)
{
    return text == NULL ? 0 : *text == '@' ? BUF : (uintptr_t)strtoull(text, NULL, 0);
}

static void call_line(char *line)
{
    const char *nr = strsep(&line, " ");
    uintptr_t a[6];

    for (int i = 0; i < 6; i++)
        a[i] = argument(strsep(&line, " "));
    say("call", syscall(strtol(nr, NULL, 0), a[0], a[1], a[2], a[3], a[4], a[5]));
}

static void noise_line(const char *line)
{
    char *rest;
    uint32_t seed = (uint32_t)strtoul(line, &rest, 10);
    size_t len = strtoul(rest, NULL, 10);

    for (size_t i = 0; i < len; i++) {
        uint8_t byte;

        seed = seed * 1664525u + 1013904223u;
        byte = (uint8_t)(seed >> 24);
        output_write(PB__STREAM__STREAM_STDOUT, &byte, 1);
    }
}

static void wait_line(void)
{
    const uint8_t *p;
    size_t n;

    output_write(PB__STREAM__STREAM_STDOUT, "waiting\n", 8);
    while (input_peek(&p, &n) > 0 && n > 0 && *p != '\n')
        input_take(1);
}

static void take_line(char *line)
{
    if (strncmp(line, "case ", 5) == 0)
        attempt_named(line + 5, strlen(line + 5));
    else if (strncmp(line, "call ", 5) == 0)
        call_line(line + 5);
    else if (strncmp(line, "noise ", 6) == 0)
        noise_line(line + 6);
    else if (strncmp(line, "ask ", 4) == 0)
        probe_ask(line + 4);
    else if (strcmp(line, "wait") == 0)
        wait_line();
}

static int probe_prepare(void)
{
    return 0;
}

static int probe_open(unsigned threads)
{
    (void)threads;
    parent_pid = getppid();
    own_pid = getpid();
    return 0;
}

static void probe_run(const Pb__JobSpec *spec, struct outcome *o)
{
    const char *p = (const char *)spec->source.data, *end = p + spec->source.len;
    char line[512];

    if (spec->n_args > 0)
        snprintf(canary, sizeof(canary), "%.*s", (int)spec->args[0].len, (const char *)spec->args[0].data);
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = nl != NULL ? (size_t)(nl - p) : (size_t)(end - p);

        snprintf(line, sizeof(line), "%.*s", (int)len, p);
        take_line(line);
        p += len + 1;
    }
    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
}

static const struct engine probe_engine = {
    .name = "lua", .version = "probe", .prepare = probe_prepare, .open = probe_open, .run = probe_run
};

/* ---- what the tests ask of it, outside of any job ------------------------------------------------------------------------------ */

static int print_cases(void)
{
    for (int i = 0; i < N_PROBES; i++)
        printf("%s %d %s %s\n", probes[i].name, probes[i].number, probes[i].code, probes[i].call);
    return 0;
}

static int print_rules(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct policy_row *r = &p->rows[i];

        if (r->verdict != POLICY_ALLOW || r->args[0].mask == 0)
            continue;
        printf("%s %" PRIu32, r->name, r->nr);
        for (int a = 0; a < POLICY_ARGS && r->args[a].mask != 0; a++)
            printf(" %u 0x%" PRIx64 " 0x%" PRIx64, r->args[a].index, r->args[a].mask, r->args[a].value);
        printf("\n");
    }
    return 0;
}

static int has_row(const struct policy *p, uint32_t nr)
{
    for (size_t i = 0; i < p->n_gaps; i++)
        if (nr >= p->gaps[i].first && nr <= p->gaps[i].last)
            return 1;
    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].nr == nr)
            return 1;
    return 0;
}

static int print_answered(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct policy_row *r = &p->rows[i];

        if ((r->verdict == POLICY_ANSWER || r->verdict == POLICY_REFUSE) && r->args[0].mask == 0)
            printf("%s %" PRIu32 " %d\n", r->name, r->nr, r->verdict == POLICY_REFUSE ? r->error : 0);
    }
    return 0;
}

static int print_absent(const struct policy *p)
{
    for (uint32_t nr = 0; nr <= p->newest; nr++)
        if (!has_row(p, nr)) {
            char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);

            printf("%s %" PRIu32 " 0\n", name != NULL ? name : "unknown", nr);
            free(name);
        }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct engine *const engines[] = { &probe_engine, NULL };
    static const struct {
        const char *option;
        int (*print)(const struct policy *p);
    } lists[] = {
        {"--rules",     print_rules   },
        { "--absent",   print_absent  },
        { "--answered", print_answered}
    };

    if (argc == 2 && strcmp(argv[1], "--cases") == 0)
        return print_cases();
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        if (argc == 3 && strcmp(argv[1], lists[i].option) == 0 && policy_find(argv[2]) != NULL)
            return lists[i].print(policy_find(argv[2]));
    return zygote_main(argc, argv, engines);
}
