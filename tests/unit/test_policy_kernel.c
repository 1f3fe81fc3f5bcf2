/*
 * test_policy_kernel.c - every rule of every profile against the kernel: a child under the real filter makes each call, with the arguments that
 * a rule wants, then with each bit of each of them changed, and is answered as the table says.
 *
 * A call that the filter lets through is really made, so it is made in vain: what no rule looks at is -1, which is no descriptor, no address, no
 * length and no process. What would be refused does not kill the child: it has a handler for SIGSYS, and the test is its supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "syscall_names.h"
#include "tests/unit/policy_oracle.h"

enum { PLAN_MAX = 16 << 10, NOT_MADE = -4096, TOLD = -EHWPOISON };

struct planned {
    int nr;
    uint64_t args[6];
    long result;   /* as the kernel gives it */
    bool trapped;  /* SIGSYS came, with this number */
    bool notified; /* the listener was told, of this number and these arguments */
};

/* Shared with the child. */
struct plan {
    volatile size_t at; /* which one the child makes */
    size_t n;
    struct planned calls[PLAN_MAX];
};

static const struct variant {
    const char *title, *profile;
    unsigned given;
} * variant;

static struct plan *plan;
static struct policy policy;
static struct bpf_program low; /* of a profile that is asked about in the filter below its own; len 0: none */

/* ---- what is called ------------------------------------------------------------------------------------------------------------ */

/* Calls that come back to nobody, or late, when they are let through. rt_sigreturn is made by every handler that returns, and exit_group at the end. */
static bool never_returns(uint32_t nr)
{
    return nr == SYS_pause || nr == SYS_rt_sigreturn || nr == SYS_exit || nr == SYS_exit_group || nr == SYS_vfork;
}

/* -1 is every process there is. And a clone that is in order makes one: a thread without shared handlers is not. */
static void make_vain(int nr, uint64_t args[6], const bool ruled[6])
{
    static const int to_processes[] = { SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo };

    for (int i = 0; i < 6; i++)
        if (!ruled[i])
            args[i] = ~(uint64_t)0;
    for (size_t i = 0; i < sizeof(to_processes) / sizeof(to_processes[0]); i++)
        if (nr == to_processes[i])
            args[0] = args[1] = 0x7fffffff; /* no pid is so high; as a signal it is none */
    if (nr == SYS_kill && ruled[1])
        args[1] = 0; /* filled in again by who rules */
    if (nr == SYS_clone)
        args[0] |= CLONE_THREAD;
}

static void add(int nr, const uint64_t args[6])
{
    struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };

    memcpy(d.args, args, sizeof(d.args));
    if (oracle_read(&policy, &d) == SECCOMP_RET_ALLOW && never_returns((uint32_t)nr))
        return;
    assert_true(plan->n < PLAN_MAX);
    plan->calls[plan->n] = (struct planned){ .nr = nr, .result = NOT_MADE };
    memcpy(plan->calls[plan->n++].args, args, 6 * sizeof(args[0]));
}

/* The row's arguments, then each bit of each of them the other way: as the table says, others of its rows may hold then. */
static void add_row(const struct policy_row *r)
{
    uint64_t args[6] = { 0 }, turned[6];
    bool ruled[6] = { false };

    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        ruled[r->args[i].index] = true;
    make_vain((int)r->nr, args, ruled);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        args[r->args[i].index] = (args[r->args[i].index] & ~r->args[i].mask) | r->args[i].value;
    add((int)r->nr, args);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++)
        for (int bit = 0; bit < 64; bit++) {
            memcpy(turned, args, sizeof(args));
            turned[r->args[i].index] ^= 1ull << bit;
            add((int)r->nr, turned);
        }
}

/* 335 and 336 pass by every filter, from Linux 6.11 (uretprobe) and 6.18 (uprobe) on. */
static bool passes_by(int nr)
{
    return nr == 335 || nr == 336;
}

static void make_plan(void)
{
    static const bool none[6];
    static const int odd[] = { 512, 547, 1000, 0x12345, 0x3fffffff, -1 };
    uint64_t args[6];

    plan->n = plan->at = 0;
    for (size_t i = 0; i < policy.n_rows; i++)
        if ((policy.rows[i].given & ~policy.given) == 0)
            add_row(&policy.rows[i]);
    for (int nr = 0; nr <= SYSCALL_NEWEST + 30; nr++) {
        make_vain(nr, args, none);
        if (!passes_by(nr))
            add(nr, args);
    }
    make_vain(0, args, none);
    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
        add(odd[i], args);
}

/* Somebody is told of some calls: then there is a listener. */
static bool asks(const struct policy *p)
{
    for (size_t i = 0; i < p->n_rows; i++)
        if (p->rows[i].verdict == POLICY_NOTIFY)
            return true;
    return p->unlisted == POLICY_NOTIFY;
}

/* ---- the child ----------------------------------------------------------------------------------------------------------------- */

static long raw(long nr, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void on_sigsys(int signo, siginfo_t *si, void *context)
{
    struct planned *c = &plan->calls[plan->at];

    (void)signo;
    c->trapped = si->si_syscall == c->nr;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = TOLD;
}

static void send_fd(int to, int fd)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'x';
    struct iovec io = { &byte, 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);

    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(h), &fd, sizeof(fd));
    if (sendmsg(to, &m, 0) != 1)
        _exit(3);
}

static int receive_fd(int from)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
    struct iovec io = { &byte, 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
    int fd;

    assert_int_equal(recvmsg(from, &m, 0), 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
    return fd;
}

/* No descriptor but nothing's, no core, no terminal, no privileges to do harm with. */
static void bare(int link)
{
    static const struct rlimit none = { 0, 0 };
    struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER };
    int null_fd = open("/dev/null", O_RDWR);

    for (int fd = 0; fd <= 2; fd++)
        dup2(null_fd, fd);
    dup2(link, 700);
    syscall(SYS_close_range, 3, 699, 0);
    syscall(SYS_close_range, 701, ~0u, 0);
    setrlimit(RLIMIT_CORE, &none);
    setsid();
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        _exit(4);
    sigaction(SIGSYS, &sa, NULL);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        _exit(4);
}

static _Noreturn void child(const struct bpf_program *prog, int link)
{
    static const uint64_t zeros[6];
    uint64_t end[6] = { 0 };
    int listener;

    bare(link);
    listener = bpf_install(low.len > 0 ? &low : prog, asks(&policy) ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
    if (listener < 0)
        end[0] = 5;
    if (listener > 0)
        send_fd(700, listener);
    if (listener > 0)
        raw(SYS_close_range, (const uint64_t[6]){ 3, ~0u }); /* the listener lives as long as the supervisor wants */
    if (low.len > 0 && bpf_install(prog, 0) != 0)
        end[0] = 5;
    for (; end[0] == 0 && plan->at < plan->n; plan->at++) {
        struct planned *c = &plan->calls[plan->at];

        c->result = raw(c->nr, c->args);
        if ((c->nr == SYS_fork || c->nr == SYS_clone) && c->result == 0)
            raw(SYS_exit_group, zeros);
    }
    raw(SYS_exit_group, end);
    __builtin_unreachable();
}

/* ---- its supervisor ------------------------------------------------------------------------------------------------------------ */

static void answer(int listener)
{
    struct seccomp_notif n;
    struct seccomp_notif_resp r = { 0 };
    struct planned *c = &plan->calls[plan->at];

    memset(&n, 0, sizeof(n));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n) != 0)
        return;
    c->notified = n.data.nr == c->nr && memcmp(n.data.args, c->args, sizeof(c->args)) == 0;
    r.id = n.id;
    r.error = TOLD;
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* Until nobody is left under the filter. */
static void supervise(int listener)
{
    struct pollfd p = { .fd = listener, .events = POLLIN };

    while (poll(&p, 1, -1) > 0 && (p.revents & POLLHUP) == 0)
        if ((p.revents & POLLIN) != 0)
            answer(listener);
    close(listener);
}

static int run_child(const struct bpf_program *prog)
{
    int sv[2], status;
    pid_t pid;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child(prog, sv[1]);
    close(sv[1]);
    if (asks(&policy))
        supervise(receive_fd(sv[0]));
    close(sv[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- the verdicts -------------------------------------------------------------------------------------------------------------- */

static bool as_wanted(const struct planned *c, uint32_t wanted)
{
    switch (wanted & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW: return !c->trapped && !c->notified && c->result != NOT_MADE && c->result != TOLD;
    case SECCOMP_RET_ERRNO: return !c->trapped && !c->notified && c->result == -(long)(wanted & SECCOMP_RET_DATA);
    case SECCOMP_RET_TRAP: return c->trapped && c->result == TOLD;
    case SECCOMP_RET_USER_NOTIF: return c->notified && c->result == TOLD;
    default: return false;
    }
}

static void judge(const struct planned *c)
{
    struct seccomp_data d = { .nr = c->nr, .arch = AUDIT_ARCH_X86_64 };
    uint32_t wanted;
    const char *name = syscall_name((uint32_t)c->nr);

    memcpy(d.args, c->args, sizeof(d.args));
    wanted = oracle_read(&policy, &d);
    if (!as_wanted(c, wanted))
        fail_msg("%s (%d) %#llx %#llx %#llx %#llx: wanted %#x, was answered %ld%s%s", name != NULL ? name : "no call", c->nr, d.args[0],
                 d.args[1], d.args[2], d.args[3], wanted, c->result, c->trapped ? ", by SIGSYS" : "",
                 c->notified ? ", by the listener" : "");
}

/* As the zygote does it: rows that ask are in a filter of their own. */
static void compile(struct bpf_program *ret_prog)
{
    struct policy_row *rows = calloc(policy.n_rows, sizeof(*rows));
    struct policy leave;

    assert_non_null(rows);
    if (policy.unlisted != POLICY_NOTIFY && policy_leave(&policy, rows, &leave) > 0) {
        assert_int_equal(bpf_compile(&leave, &low), 0);
        policy.asked_before = true;
    }
    assert_int_equal(bpf_compile(&policy, ret_prog), 0);
    policy.asked_before = false; /* of the two together the table is to be true */
    free(rows);
}

static void every_rule_and_each_bit_of_its_arguments_is_answered_as_the_table_says(void **state)
{
    struct bpf_program prog;
    size_t of[2] = { 0 };
    int status;

    (void)state;
    policy = *policy_find(variant->profile);
    policy.given = variant->given;
    compile(&prog);
    make_plan();
    status = run_child(&prog);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the child ended with %#x at call %zu of %zu: %s", status, plan->at, plan->n,
                 plan->at < plan->n && syscall_name((uint32_t)plan->calls[plan->at].nr) != NULL
                     ? syscall_name((uint32_t)plan->calls[plan->at].nr)
                     : "?");
    assert_int_equal(plan->at, plan->n);
    for (size_t i = 0; i < plan->n; i++) {
        judge(&plan->calls[i]);
        of[plan->calls[i].trapped || plan->calls[i].notified]++;
    }
    printf("%s: %u instructions; %zu calls made under it, %zu of them reported\n", variant->title, prog.len, plan->n, of[1]);
    bpf_finish(&prog);
    bpf_finish(&low);
}

/* A foreign ABI is killed at once: no handler, no listener. */
static void an_x32_number_kills_whatever_the_handler(void **state)
{
    struct bpf_program prog;
    int status;

    (void)state;
    policy = *policy_find(variant->profile);
    policy.given = variant->given;
    compile(&prog);
    plan->n = plan->at = 0;
    plan->calls[plan->n++] = (struct planned){ .nr = 0x40000000 | SYS_getpid, .result = NOT_MADE };
    status = run_child(&prog);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    assert_int_equal(plan->calls[0].result, NOT_MADE);
    assert_false(plan->calls[0].trapped || plan->calls[0].notified);
    bpf_finish(&prog);
    bpf_finish(&low);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_and_each_bit_of_its_arguments_is_answered_as_the_table_says),
        cmocka_unit_test(an_x32_number_kills_whatever_the_handler),
    };
    static const struct variant variants[] = {
        {"compute",               "compute",         0                    },
        { "lua",                  "lua",             0                    },
        { "lua-template",         "lua-template",    0                    },
        { "python",               "python",          0                    },
        { "python-template",      "python-template", 0                    },
        { "native",               "native",          0                    },
        { "init",                 "init",            0                    },
        { "exec",                 "exec",            0                    },
        { "exec, net=loopback",   "exec",            POLICY_NET_LOOPBACK  },
        { "exec, shared signals", "exec",            POLICY_SHARED_SIGNALS},
        { "exec, shared sockets", "exec",            POLICY_SHARED_SOCKETS},
        { "exec, shared files",   "exec",            POLICY_SHARED_FILES  },
        { "exec, shared sizes",   "exec",            POLICY_SHARED_SIZES  },
        { "exec, sampled memory", "exec",            POLICY_SAMPLED_MEMORY},
    };
    int failed = 0;

    plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan == MAP_FAILED)
        return 1;
    for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        variant = &variants[i];
        failed += _cmocka_run_group_tests(variant->title, tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
    }
    return failed;
}
