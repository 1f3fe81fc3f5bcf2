/* test_policy.c - the exported program says of every call what the table says, by an evaluator and a walk that share no code. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "tests/unit/policy_oracle.h"
#include "worker/bpf.h"
#include "worker/engines/native/load.h"
#include "worker/link.h"
#include "worker/policy.h"
#include "worker/template.h"

struct fixture {
    struct policy policy;
    struct policy *merged; /* with a user's rows, or NULL */
    struct bpf_program prog;
    uint8_t *seen; /* of each instruction of prog: what the walk has made it do */
};

/* A profile, as it stands where this is given, with a user's rows. */
static const struct variant {
    const char *title, *profile;
    unsigned given;
    const char *rows;
} * variant;

static int setup(void **state)
{
    static struct fixture f;
    char why[POLICY_WHY];

    if (policy_find(variant->profile) == NULL)
        return -1;
    f = (struct fixture){ .policy = *policy_find(variant->profile) };
    f.policy.given = variant->given;
    if (variant->rows != NULL) {
        if (policy_merge(&f.policy, variant->rows, &f.merged, why) != 0)
            return -1;
        f.policy = *f.merged;
    }
    *state = &f;
    if (bpf_compile(&f.policy, &f.prog) != 0)
        return -1;
    f.seen = calloc(f.prog.len, 1);
    return f.seen != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    bpf_finish(&f->prog);
    policy_free(f->merged);
    free(f->seen);
    return 0;
}

/* ---- the walk ------------------------------------------------------------------------------------------------------------------ */

static uint32_t evaluate(const struct bpf_program *p, const struct seccomp_data *d)
{
    uint32_t is = oracle_run(p, d, NULL);

    assert_int_not_equal(is, ORACLE_BROKEN);
    return is;
}

static void check(const struct fixture *f, uint32_t arch, uint32_t nr, const uint64_t args[6])
{
    struct seccomp_data d = { .nr = (int)nr, .arch = arch };
    uint32_t is, wanted;

    memcpy(d.args, args, sizeof(d.args));
    is = oracle_run(&f->prog, &d, f->seen);
    wanted = oracle_read(&f->policy, &d);
    if (is != wanted)
        fail_msg("arch %#x nr %#x args %#llx %#llx %#llx %#llx: program %#x, table %#x", arch, nr, d.args[0], d.args[1], d.args[2],
                 d.args[3], is, wanted);
}

static const uint32_t arches[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64 };

/* With the number as it is, and with x32's bit. */
static void check_number(const struct fixture *f, uint32_t nr, const uint64_t args[6])
{
    for (size_t a = 0; a < sizeof(arches) / sizeof(arches[0]); a++) {
        check(f, arches[a], nr, args);
        check(f, arches[a], nr | 0x40000000u, args);
    }
}

static void every_number_on_every_abi_gets_the_answer_of_the_table(void **state)
{
    static const uint64_t zeros[6], odd[6] = { ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull };
    static const uint32_t far_off[] = { 0xffffffffu, 0x12345u, 0x3fffffffu, 0x7fffffffu, 0x80000000u, 0x80000027u, 0xfffffffeu };

    for (uint32_t nr = 0; nr < 1024; nr++) {
        check_number(*state, nr, zeros);
        check_number(*state, nr, odd);
    }
    for (size_t i = 0; i < sizeof(far_off) / sizeof(far_off[0]); i++)
        check_number(*state, far_off[i], zeros);
}

/* From arguments that the row wants: each bit of each tested argument the other way, alone and with bit 32. */
static void check_row_edges(const struct fixture *f, const struct policy_row *r)
{
    uint64_t good[6] = { 0 };

    for (int i = 0; i < POLICY_ARGS; i++)
        if (r->args[i].mask != 0)
            good[r->args[i].index] = r->args[i].value;
    check_number(f, r->nr, good);
    for (int i = 0; i < POLICY_ARGS && r->args[i].mask != 0; i++) {
        for (int bit = 0; bit < 64; bit++) {
            uint64_t args[6];

            memcpy(args, good, sizeof(args));
            args[r->args[i].index] ^= 1ull << bit;
            check_number(f, r->nr, args);
            args[r->args[i].index] ^= 1ull << 32;
            check_number(f, r->nr, args);
        }
    }
}

static void every_argument_rule_holds_on_each_of_its_64_bits(void **state)
{
    const struct fixture *f = *state;

    for (size_t i = 0; i < f->policy.n_rows; i++)
        check_row_edges(f, &f->policy.rows[i]);
}

static void small_argument_values_of_conditional_calls_get_the_answer_of_the_table(void **state)
{
    const struct fixture *f = *state;

    for (size_t i = 0; i < f->policy.n_rows; i++) {
        const struct policy_arg *a = &f->policy.rows[i].args[0];

        for (uint64_t v = 0; v < 4096 && a->mask != 0; v++) {
            uint64_t args[6] = { 0 };

            args[a->index] = v;
            check(f, AUDIT_ARCH_X86_64, f->policy.rows[i].nr, args);
            args[a->index] = v | 1ull << 32;
            check(f, AUDIT_ARCH_X86_64, f->policy.rows[i].nr, args);
        }
    }
}

/* ---- facts that must hold whatever the table says ------------------------------------------------------------------------------- */

static uint32_t answer(const struct fixture *f, int nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    struct seccomp_data d = {
        .nr = nr, .arch = AUDIT_ARCH_X86_64, .args = {a0, a1, a2, a3, 0, 0}
    };

    return evaluate(&f->prog, &d);
}

static uint32_t map(const struct fixture *f, uint64_t prot, uint64_t flags, uint64_t fd)
{
    struct seccomp_data d = {
        .nr = SYS_mmap, .arch = AUDIT_ARCH_X86_64, .args = {0, 4096, prot, flags, fd, 0}
    };

    return evaluate(&f->prog, &d);
}

static void memory_can_never_become_executable_or_shared(void **state)
{
    const uint64_t anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;
    const bool counted = strncmp(variant->profile, "python", 6) == 0; /* what was written stays writable: RLIMIT_DATA counts it */

    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, anon), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_NONE, anon | MAP_NORESERVE), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_EXEC, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw | PROT_EXEC, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw | PROT_EXEC | 1ull << 32, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_PRIVATE), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_SHARED | MAP_ANONYMOUS), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_SHARED_VALIDATE | MAP_ANONYMOUS), SECCOMP_RET_TRAP);
    assert_int_equal(map(*state, rw, MAP_SHARED | MAP_ANONYMOUS, UINT32_MAX), counted ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_TRAP);
    assert_int_equal(map(*state, rw | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, UINT32_MAX), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, rw, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, PROT_READ, 0), counted ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, PROT_NONE, 0), counted ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_pkey_mprotect, 0, 4096, PROT_EXEC, 0), SECCOMP_RET_TRAP);
}

/* ---- facts of the profiles that may have buffers --------------------------------------------------------------------------------- */

static void buffers_are_mapped_shared_and_never_to_be_executed(void **state)
{
    const uint64_t r = PROT_READ, w = PROT_WRITE, x = PROT_EXEC;

    for (uint64_t fd = RECEIVED_FIRST; fd < RECEIVED_END; fd++) {
        assert_int_equal(map(*state, r, MAP_SHARED, fd), SECCOMP_RET_ALLOW);
        assert_int_equal(map(*state, r | w, MAP_SHARED, fd), SECCOMP_RET_ALLOW);
        for (uint64_t prot = 0; prot < 8; prot++)
            assert_int_equal(map(*state, prot, MAP_SHARED, fd), prot & x ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
        for (int bit = 3; bit < 64; bit++)
            assert_int_equal(map(*state, r | 1ull << bit, MAP_SHARED, fd), SECCOMP_RET_TRAP);
        for (int bit = 1; bit < 64; bit++)
            assert_int_equal(map(*state, r, MAP_SHARED | 1ull << bit, fd), SECCOMP_RET_TRAP);
    }
}

static void descriptors_come_over_the_link_alone_and_are_not_peeked_at(void **state)
{
    for (uint64_t fd = 0; fd < 256; fd++)
        assert_int_equal(answer(*state, SYS_recvmsg, fd, 0, MSG_CMSG_CLOEXEC, 0), fd == LINK_FD ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    for (int bit = 0; bit < 32; bit++) {
        bool ours = (1u << bit & (MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) != 0;

        assert_int_equal(answer(*state, SYS_recvmsg, LINK_FD, 0, 1u << bit, 0), ours ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    }
    assert_int_equal(answer(*state, SYS_recvmmsg, LINK_FD, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_recvfrom, LINK_FD, 0, 0, 0), SECCOMP_RET_TRAP);
}

static void only_what_the_broker_sent_can_be_closed(void **state)
{
    bool native = strcmp(((struct fixture *)*state)->policy.name, "native") == 0;

    for (uint64_t fd = 0; fd < 256; fd++) {
        bool ours = fd >= RECEIVED_FIRST && fd < RECEIVED_END && !(native && fd == MODULE_FD);
        uint32_t is = answer(*state, SYS_close, fd, 0, 0, 0);

#if defined(COOP_ASAN) || defined(COOP_TSAN)
        if (!ours && is == (SECCOMP_RET_ERRNO | EPERM)) /* the sanitizer's own row */
            continue;
#endif
        assert_int_equal(is, ours ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    }
    assert_int_equal(answer(*state, SYS_close_range, RECEIVED_FIRST, RECEIVED_END, 0, 0), SECCOMP_RET_TRAP);
}

static void no_buffer_comes_where_none_is_asked_for(void **state)
{
    for (uint64_t fd = 0; fd < RECEIVED_END; fd++) {
        assert_int_equal(map(*state, PROT_READ, MAP_SHARED, fd), SECCOMP_RET_TRAP);
        assert_int_equal(answer(*state, SYS_recvmsg, fd, 0, 0, 0), SECCOMP_RET_TRAP);
    }
}

/* ---- facts of the profile of templates ------------------------------------------------------------------------------------------- */

static const uint64_t fork_flags = CLONE_PARENT | SIGCHLD;

static void a_fork_is_of_one_kind_and_is_asked_about(void **state)
{
    static const uint64_t more[] = { CLONE_VM,    CLONE_FILES, CLONE_FS,       CLONE_SIGHAND, CLONE_THREAD, CLONE_NEWUSER, CLONE_NEWPID,
                                     CLONE_VFORK, CLONE_PIDFD, CLONE_UNTRACED, CLONE_IO,      CLONE_SETTLS, 1ull << 32 };

    assert_int_equal(answer(*state, SYS_clone, fork_flags, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(answer(*state, SYS_clone, fork_flags, 4096, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_clone, fork_flags, 1ull << 32, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_clone, SIGCHLD, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_clone, CLONE_PARENT, 0, 0, 0), SECCOMP_RET_TRAP);
    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        assert_int_equal(answer(*state, SYS_clone, fork_flags | more[i], 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_fork, 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_vfork, 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_clone3, 0, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(answer(*state, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_dup2, FORK_FD, LINK_FD, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_dup2, LINK_FD, FORK_FD, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_dup2, FORK_FD, 0, 0, 0), SECCOMP_RET_TRAP);
}

/* What is installed: one that asks, and above it one that lets pass what has been asked about. Neither alone would do. */
static void two_filters_say_together_what_the_table_says(void **state)
{
    const struct fixture *f = *state;
    struct policy_row rows[128];
    struct policy leave, under = f->policy;
    struct bpf_program low, high;

    assert_true(f->policy.n_rows <= 128);
    assert_int_equal(policy_leave(&f->policy, rows, &leave), 1);
    under.asked_before = true;
    assert_int_equal(bpf_compile(&leave, &low), 0);
    assert_int_equal(bpf_compile(&under, &high), 0);
    for (uint64_t flags = 0; flags < 4; flags++) {
        struct seccomp_data fork = { .nr = SYS_clone, .arch = AUDIT_ARCH_X86_64, .args = { flags == 0 ? fork_flags : flags } };
        bool asked = flags == 0;

        assert_int_equal(evaluate(&low, &fork), asked ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
        assert_int_equal(evaluate(&high, &fork), asked ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    }
    for (int nr = 0; nr <= (int)f->policy.newest; nr++) {
        struct seccomp_data d = { .nr = nr, .arch = AUDIT_ARCH_X86_64 };

        if (!oracle_no_call(&f->policy, (uint32_t)nr))
            assert_int_equal(evaluate(&low, &d), SECCOMP_RET_ALLOW);
        assert_int_equal(evaluate(&high, &d), oracle_read(&f->policy, &d));
    }
    bpf_finish(&low);
    bpf_finish(&high);
}

/* ---- facts of the native profile ------------------------------------------------------------------------------------------------ */

static void only_the_module_can_be_mapped_and_never_to_write_and_execute(void **state)
{
    const uint64_t r = PROT_READ, w = PROT_WRITE, x = PROT_EXEC;

    assert_int_equal(map(*state, r | x, MAP_PRIVATE | MAP_DENYWRITE, MODULE_FD), SECCOMP_RET_ALLOW);
    assert_int_equal(map(*state, r, MAP_PRIVATE | MAP_DENYWRITE, MODULE_FD), SECCOMP_RET_ALLOW);
    assert_int_equal(map(*state, r | w, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, MODULE_FD), SECCOMP_RET_ALLOW);
    assert_int_equal(map(*state, r | w | x, MAP_PRIVATE, MODULE_FD), SECCOMP_RET_TRAP);
    assert_int_equal(map(*state, w | x, MAP_PRIVATE, MODULE_FD), SECCOMP_RET_TRAP);
    for (uint64_t fd = 0; fd < 16; fd++)
        for (int writable = 0; writable < 2; writable++) {
            uint64_t prot = writable ? r | w : r | x;

            assert_int_equal(map(*state, prot, MAP_PRIVATE, fd), fd == MODULE_FD ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
            assert_int_equal(map(*state, prot, MAP_SHARED, fd), writable ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP); /* a buffer's pages */
            assert_int_equal(map(*state, prot, MAP_SHARED_VALIDATE, fd), SECCOMP_RET_TRAP);
            assert_int_equal(map(*state, prot, MAP_PRIVATE | MAP_GROWSDOWN, fd), SECCOMP_RET_TRAP);
        }
    assert_int_equal(map(*state, r | x, MAP_PRIVATE | MAP_ANONYMOUS, MODULE_FD), SECCOMP_RET_TRAP);
}

static void only_the_seals_themselves_can_be_set_and_on_the_module_only(void **state)
{
    assert_int_equal(answer(*state, SYS_fcntl, MODULE_FD, F_ADD_SEALS, MODULE_SEALS, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_fcntl, MODULE_FD, F_ADD_SEALS, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_fcntl, LINK_FD, F_ADD_SEALS, MODULE_SEALS, 0), SECCOMP_RET_TRAP);
    for (uint64_t op = 0; op < 2048; op++)
        if (op != F_ADD_SEALS)
            assert_int_equal(answer(*state, SYS_fcntl, MODULE_FD, op, MODULE_SEALS, 0), SECCOMP_RET_TRAP);
}

/* What a job writes to 1 and 2 is answered; the kernel lets nothing be read or written but the link and, for the loader, the module. */
static void only_the_link_and_the_module_are_read_and_written(void **state)
{
    for (uint64_t fd = 0; fd < 16; fd++) {
        uint32_t link = fd == LINK_FD ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP;
        uint32_t module = fd == MODULE_FD ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP;

        assert_int_equal(answer(*state, SYS_write, fd, 0, 0, 0), SECCOMP_RET_TRAP);
        assert_int_equal(answer(*state, SYS_writev, fd, 0, 0, 0), link);
        assert_int_equal(answer(*state, SYS_readv, fd, 0, 0, 0), link);
        assert_int_equal(answer(*state, SYS_read, fd, 0, 0, 0), fd == LINK_FD ? link : module);
        assert_int_equal(answer(*state, SYS_pread64, fd, 0, 0, 0), module);
        assert_int_equal(answer(*state, SYS_pwrite64, fd, 0, 0, 0), module);
    }
}

/* Its number may be mapped to be executed: so it is never free, and whoever has it mapped puts what cannot be mapped there. */
static void nothing_but_null_comes_in_the_modules_place(void **state)
{
    for (uint64_t from = 0; from < 256; from++)
        for (uint64_t to = 0; to < 256; to++)
            assert_int_equal(answer(*state, SYS_dup2, from, to, 0, 0), from == 0 && to == MODULE_FD ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_dup3, 0, MODULE_FD, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_dup, 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_fcntl, 0, F_DUPFD, MODULE_FD, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_close, MODULE_FD, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_close, 0, 0, 0, 0), SECCOMP_RET_TRAP);
}

static void the_kernel_is_never_asked_about_a_path(void **state)
{
    static const int calls[] = { SYS_openat, SYS_newfstatat, SYS_fstat };
    static const int refused[] = { SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_faccessat, SYS_readlink, SYS_readlinkat };

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        for (uint64_t a = 0; a < 8; a++)
            assert_int_equal(answer(*state, calls[i], a, a, a, a), SECCOMP_RET_TRAP);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_int_equal(answer(*state, refused[i], 0, 0, 0, 0), SECCOMP_RET_ERRNO | EACCES);
}

/* ---- facts of both -------------------------------------------------------------------------------------------------------------- */

static void priority_inheriting_futexes_are_out_of_reach(void **state)
{
    static const int bad[] = {
        FUTEX_LOCK_PI, FUTEX_UNLOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI, FUTEX_LOCK_PI2
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(answer(*state, SYS_futex, 0, (uint64_t)bad[i], 0, 0), SECCOMP_RET_TRAP);
        assert_int_equal(answer(*state, SYS_futex, 0, (uint64_t)bad[i] | FUTEX_PRIVATE_FLAG | 1ull << 32, 0, 0), SECCOMP_RET_TRAP);
    }
}

static void limits_are_the_workers_own_business_and_nobody_elses(void **state)
{
    assert_int_equal(answer(*state, SYS_prlimit64, 0, 0, 0, 0), SECCOMP_RET_ALLOW); /* raising them is the kernel's no: no capability */
    assert_int_equal(answer(*state, SYS_prlimit64, 1, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_prlimit64, (uint64_t)-1, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_prlimit64, 1ull << 32 | 1, 0, 0, 0), SECCOMP_RET_TRAP);
}

static void calls_that_would_widen_a_worker_end_it(void **state)
{
    static const int bad[] = {
        SYS_execve,       SYS_execveat, SYS_clone,   SYS_fork,       SYS_vfork,      SYS_prctl,       SYS_seccomp,     SYS_rt_sigaction,
        SYS_ptrace,       SYS_socket,   SYS_connect, SYS_sendmsg,    SYS_recvmsg,    SYS_kill,        SYS_tgkill,      SYS_dup,
        SYS_dup2,         SYS_dup3,     SYS_fcntl,   SYS_setsid,     SYS_mount,      SYS_bpf,         SYS_userfaultfd, SYS_process_vm_readv,
        SYS_memfd_create, SYS_keyctl,   SYS_shmget,  SYS_arch_prctl, SYS_modify_ldt, SYS_personality, SYS_splice,      SYS_sendfile,
        SYS_pidfd_getfd,  SYS_unshare,  SYS_setns,   SYS_chdir,      SYS_unlink,
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t is = answer(*state, bad[i], 0, 0, 0, 0);

#if defined(COOP_ASAN) || defined(COOP_TSAN)
        if (is == (SECCOMP_RET_ERRNO | EPERM)) /* the sanitizer's own rows say no more gently */
            continue;
#endif
        assert_int_equal(is, SECCOMP_RET_TRAP);
    }
}

/* ---- facts of the profile of programs ------------------------------------------------------------------------------------------- */

static bool is_given(const struct fixture *f, unsigned bit)
{
    return (f->policy.given & bit) != 0;
}

static void new_namespaces_are_out_of_reach_by_every_bit(void **state)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t flag = 1ull << bit;
        bool makes_one =
            (flag & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)) != 0;

        assert_int_equal(answer(*state, SYS_clone, flag | SIGCHLD, 0, 0, 0), makes_one ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
        assert_int_equal(answer(*state, SYS_unshare, flag, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
        assert_int_equal(answer(*state, SYS_setns, 3, flag, 0, 0), SECCOMP_RET_USER_NOTIF);
    }
    assert_int_equal(answer(*state, SYS_clone3, 0, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
}

static void sockets_are_local_unless_loopback_is_given(void **state)
{
    bool with_net = is_given(*state, POLICY_NET_LOOPBACK) && !is_given(*state, POLICY_SHARED_SOCKETS);
    uint32_t net = with_net ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
    uint32_t raw = with_net ? SECCOMP_RET_ERRNO | EPROTONOSUPPORT : SECCOMP_RET_USER_NOTIF;
    uint32_t local = is_given(*state, POLICY_SHARED_SOCKETS) ? SECCOMP_RET_ERRNO | EACCES : SECCOMP_RET_ALLOW;

    for (uint64_t high = 0; high <= 1; high++)
        for (uint64_t family = 0; family < 64; family++)
            for (uint64_t type = 0; type < 12; type++) {
                bool inet = family == AF_INET || family == AF_INET6, usual = type == SOCK_STREAM || type == SOCK_DGRAM;
                uint64_t flags = type | (high ? SOCK_CLOEXEC | SOCK_NONBLOCK : 0);
                uint32_t wanted = family == AF_UNIX ? local : inet ? (usual ? net : raw) : SECCOMP_RET_ERRNO | EAFNOSUPPORT;

                assert_int_equal(answer(*state, SYS_socket, family | high << 32, flags, 0, 0), wanted);
            }
    assert_int_equal(answer(*state, SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP, 0), raw);
    assert_int_equal(answer(*state, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0, 0), local);
    assert_int_equal(answer(*state, SYS_socketpair, AF_INET, SOCK_STREAM, 0, 0), SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

static void signals_reach_the_jobs_own_or_nobody(void **state)
{
    static const int calls[] = { SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal };
    uint32_t wanted = is_given(*state, POLICY_SHARED_SIGNALS) ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_ALLOW;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_int_equal(answer(*state, calls[i], 1, 1, 9, 0), wanted);
    assert_int_equal(answer(*state, SYS_fcntl, 0, F_SETOWN, 1, 0), wanted);
    assert_int_equal(answer(*state, SYS_fcntl, 0, F_SETOWN | 1ull << 32, 1, 0), wanted);
    assert_int_equal(answer(*state, SYS_fcntl, 0, F_NOTIFY, 1, 0), SECCOMP_RET_ERRNO | EINVAL);
}

static uint32_t refused_with(void *const *state, unsigned given, uint32_t error)
{
    return is_given(*state, given) ? SECCOMP_RET_ERRNO | error : SECCOMP_RET_ALLOW;
}

/* Landlock holds neither: without a view of its own, a program reaches every file of its user by such a call. */
static void files_change_by_their_path_only_in_a_view_of_ones_own(void **state)
{
    static const int by_path[] = { SYS_chmod, SYS_fchmodat, SYS_chown, SYS_lchown, SYS_fchownat, SYS_utime, SYS_utimes };
    uint32_t wanted = refused_with(state, POLICY_SHARED_FILES, EPERM);

    for (size_t i = 0; i < sizeof(by_path) / sizeof(by_path[0]); i++)
        assert_int_equal(answer(*state, by_path[i], 0x1000, 0x1000, 0755, 0), wanted);
    assert_int_equal(answer(*state, SYS_utimensat, AT_FDCWD, 0x1000, 0, 0), wanted);
    assert_int_equal(answer(*state, SYS_utimensat, AT_FDCWD, 1ull << 32, 0, 0), wanted);
    assert_int_equal(answer(*state, SYS_futimesat, AT_FDCWD, 0x1000, 0, 0), wanted);
    assert_int_equal(answer(*state, SYS_utimensat, 3, 0, 0, 0), SECCOMP_RET_ALLOW); /* futimens(3) */
    assert_int_equal(answer(*state, SYS_fchmod, 3, 0777, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_fchown, 3, 1000, 1000, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_truncate, 0x1000, 0, 0, 0), refused_with(state, POLICY_SHARED_SIZES, EPERM));
}

/* Others run it as the broker's user. */
static void a_set_uid_file_is_made_only_in_a_view_of_ones_own(void **state)
{
    uint32_t wanted = refused_with(state, POLICY_SHARED_FILES, EPERM);

    for (uint64_t bit = 02000; bit <= 04000; bit *= 2) {
        assert_int_equal(answer(*state, SYS_fchmod, 3, bit | 0755, 0, 0), wanted);
        assert_int_equal(answer(*state, SYS_open, 0x1000, O_CREAT | O_WRONLY, bit | 0755, 0), wanted);
        assert_int_equal(answer(*state, SYS_openat, AT_FDCWD, 0x1000, O_CREAT | O_RDWR, bit), wanted);
        assert_int_equal(answer(*state, SYS_openat, AT_FDCWD, 0x1000, O_TMPFILE | O_RDWR, bit), wanted);
        assert_int_equal(answer(*state, SYS_creat, 0x1000, bit, 0, 0), wanted);
        assert_int_equal(answer(*state, SYS_mknod, 0x1000, S_IFREG | bit, 0, 0), wanted);
        assert_int_equal(answer(*state, SYS_mknodat, AT_FDCWD, 0x1000, S_IFREG | bit, 0), wanted);
        assert_int_equal(answer(*state, SYS_open, 0x1000, O_RDONLY, bit, 0), SECCOMP_RET_ALLOW); /* no file is made: the mode is chance */
    }
    assert_int_equal(answer(*state, SYS_openat2, AT_FDCWD, 0x1000, 0x2000, 24), refused_with(state, POLICY_SHARED_FILES, ENOSYS));
}

static void memory_that_no_sample_shows_is_not_to_be_had_where_it_is_sampled(void **state)
{
    uint32_t memory = refused_with(state, POLICY_SAMPLED_MEMORY, ENOMEM), option = refused_with(state, POLICY_SAMPLED_MEMORY, EPERM);
    static const int sizes[] = { SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE };

    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS), memory);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | MAP_NORESERVE), memory);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED), SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_int_equal(answer(*state, SYS_setsockopt, 3, SOL_SOCKET, (uint64_t)sizes[i], 0x1000), option);
    assert_int_equal(answer(*state, SYS_fcntl, 3, F_SETPIPE_SZ, 1 << 20, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(answer(*state, SYS_fcntl, 3, F_GETPIPE_SZ, 0, 0), SECCOMP_RET_ALLOW);
}

static void sockets_take_no_programs_and_where_shared_no_names(void **state)
{
    static const int options[] = { SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF, SO_LOCK_FILTER };

    for (uint64_t high = 0; high <= 1; high++)
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
            assert_int_equal(answer(*state, SYS_setsockopt, 3, SOL_SOCKET | high << 32, (uint64_t)options[i] | high << 32, 0x1000),
                             SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(answer(*state, SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR, 0x1000), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_bind, 3, 0x1000, 20, 0), refused_with(state, POLICY_SHARED_SOCKETS, EACCES));
}

static void terminals_are_used_and_not_abused(void **state)
{
    static const uint64_t bad[] = { TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, TIOCSCTTY };
    size_t allowed = 0;

    for (uint64_t high = 0; high < 2; high++)
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            assert_int_equal(answer(*state, SYS_ioctl, 0, bad[i] | high << 32, 0, 0), SECCOMP_RET_ERRNO | EPERM);
    for (uint64_t request = 0x5400; request < 0x5500; request++)
        allowed += answer(*state, SYS_ioctl, 0, request, 0, 0) == SECCOMP_RET_ALLOW;
    assert_int_equal(allowed, 24); /* of the old terminal's requests; a new row is a decision */
    assert_int_equal(answer(*state, SYS_ioctl, 0, 0x80086601 /* FS_IOC_GETFLAGS */, 0, 0), SECCOMP_RET_ERRNO | ENOTTY);
    assert_int_equal(answer(*state, SYS_ioctl, 0, 0x5460 /* FIOQSIZE */, 0, 0), SECCOMP_RET_ERRNO | ENOTTY);
}

static void what_programs_ask_out_of_habit_is_refused_softly(void **state)
{
    static const struct {
        int nr;
        uint64_t a0, a1;
        int error;
    } rows[] = {
        {SYS_sendfile,                 0,         0,       EINVAL},
        { SYS_copy_file_range,         0,         0,       ENOSYS},
        { SYS_splice,                  0,         0,       EINVAL},
        { SYS_memfd_create,            0,         0,       EPERM },
        { SYS_execveat,                0,         0,       EPERM },
        { SYS_io_uring_setup,          0,         0,       ENOSYS},
        { SYS_seccomp,                 1,         0,       EPERM },
        { SYS_prctl,                   22,        2,       EPERM },
        { SYS_prctl,                   4,         1,       EPERM },
        { SYS_prctl,                   1,         0,       EPERM },
        { SYS_prctl,                   38,        0,       EPERM },
        { SYS_prctl,                   62,        1,       EPERM },
        { SYS_prctl,                   47,        2,       EPERM },
        { SYS_prctl,                   28,        1,       EPERM },
        { SYS_personality,             0x0400000, 0,       EPERM },
        { SYS_personality,             0x0040000, 0,       EPERM },
        { SYS_prlimit64,               1,         0,       EPERM },
        { SYS_sched_setscheduler,      0,         1,       EPERM },
        { SYS_setpriority,             0,         0,       EPERM },
        { SYS_sched_setaffinity,       0,         0,       EPERM },
        { SYS_shmget,                  0,         0,       ENOSYS},
        { SYS_msgsnd,                  0,         0,       ENOSYS},
        { SYS_mq_open,                 0,         0,       ENOSYS},
        { SYS_inotify_init1,           0,         0,       ENOSYS},
        { SYS_mknod,                   0,         0020666, EPERM },
        { SYS_mknod,                   0,         0060666, EPERM },
        { SYS_landlock_create_ruleset, 0,         0,       ENOSYS},
        { SYS_arch_prctl,              0x1001,    0,       EPERM },
        { SYS_arch_prctl,              0x2002,    0,       EPERM },
        { SYS_arch_prctl,              0x1023,    0,       EPERM },
        { SYS_membarrier,              1,         0,       EPERM },
        { SYS_sync,                    0,         0,       EPERM },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(answer(*state, rows[i].nr, rows[i].a0, rows[i].a1, 0, 0), SECCOMP_RET_ERRNO | (uint32_t)rows[i].error);
}

static void what_no_honest_program_needs_ends_the_job_by_name(void **state)
{
    static const int bad[] = {
        SYS_unshare,
        SYS_setns,
        SYS_mount,
        SYS_umount2,
        SYS_pivot_root,
        SYS_chroot,
        SYS_open_tree,
        SYS_move_mount,
        SYS_fsopen,
        SYS_fsconfig,
        SYS_fsmount,
        SYS_fspick,
        SYS_mount_setattr,
        SYS_ptrace,
        SYS_bpf,
        SYS_userfaultfd,
        SYS_add_key,
        SYS_request_key,
        SYS_keyctl,
        SYS_process_vm_readv,
        SYS_process_vm_writev,
        SYS_kexec_load,
        SYS_init_module,
        SYS_finit_module,
        SYS_delete_module,
        SYS_kexec_file_load,
        SYS_perf_event_open,
        SYS_swapon,
        SYS_swapoff,
        SYS_quotactl,
        SYS_acct,
        SYS_iopl,
        SYS_ioperm,
        SYS_reboot,
        SYS_syslog,
        SYS_modify_ldt,
        SYS_vhangup,
        SYS_lookup_dcookie,
        SYS_fanotify_init,
        SYS_open_by_handle_at,
        SYS_pidfd_getfd,
        SYS_kcmp,
        SYS_process_madvise,
        SYS_process_mrelease,
        SYS_uselib,
        SYS_nfsservctl,
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(answer(*state, bad[i], 0, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
}

/* Every word that the profile allows is one that a user could be granted, and what a user can never be granted it does not allow. */
static void the_profile_allows_nothing_that_can_never_be_granted(void **state)
{
    const struct fixture *f = *state;
    const char *why;

    for (size_t i = 0; i < f->policy.n_rows; i++) {
        const struct policy_row *r = &f->policy.rows[i];
        uint64_t args[6] = { 0 };

        for (int k = 0; k < POLICY_ARGS && r->args[k].mask != 0; k++)
            args[r->args[k].index] |= r->args[k].value;
        if (answer(f, (int)r->nr, args[0], args[1], args[2], args[3]) == SECCOMP_RET_ALLOW &&
            !policy_call_may_be_granted(r->nr, args, f->policy.given, &why) && r->nr != SYS_socketpair &&
            r->nr != SYS_fcntl) /* pairs that stay pairs, and whose signals stay at home, are the profile's own */
            fail_msg("%s is allowed, and can never be: %s", r->name, why);
    }
}

/* ---- facts of its first process's profile ---------------------------------------------------------------------------------------- */

static void init_makes_no_process_no_socket_and_opens_by_openat2_alone(void **state)
{
    static const int bad[] = { SYS_fork,  SYS_clone,     SYS_clone3, SYS_execve, SYS_socket,  SYS_connect,
                               SYS_open,  SYS_openat,    SYS_mount,  SYS_unlink, SYS_sendmsg, SYS_recvmsg,
                               SYS_prctl, SYS_setrlimit, SYS_ptrace, SYS_setuid, SYS_chmod,   SYS_rename };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(answer(*state, bad[i], 0, 0, 0, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_kill, 1, 0, 0, 0),
                     SECCOMP_RET_TRAP); /* the handler of SIGSYS counts on it: it must end somewhere */
    assert_int_equal(answer(*state, SYS_kill, UINT64_MAX, 9, 0, 0), SECCOMP_RET_ALLOW);
}

/* ---- the table itself ----------------------------------------------------------------------------------------------------------- */

static void every_row_has_a_reason_a_verdict_and_its_right_name(void **state)
{
    const struct policy *p = &((struct fixture *)*state)->policy;

    for (size_t i = 0; i < p->n_rows; i++) {
        const struct policy_row *r = &p->rows[i];
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)r->nr);

        assert_non_null(r->why);
        assert_true(strlen(r->why) > 0);
        assert_non_null(name);
        assert_string_equal(name, r->name);
        free(name);
        assert_true(r->verdict == POLICY_ALLOW || r->verdict == POLICY_REFUSE || r->verdict == POLICY_ANSWER ||
                    r->verdict == POLICY_VIOLATION || r->verdict == POLICY_NOTIFY);
        assert_int_equal(r->verdict == POLICY_REFUSE, r->error != 0);
        for (int k = 0; k < POLICY_ARGS; k++)
            assert_int_equal(r->args[k].value & ~r->args[k].mask, 0); /* else it could never hold */
    }
}

/* What comes after a row without conditions would never be asked. */
static void no_row_stands_after_one_that_always_holds(void **state)
{
    const struct policy *p = &((struct fixture *)*state)->policy;

    for (size_t i = 0; i < p->n_rows; i++)
        for (size_t k = i + 1; k < p->n_rows && p->rows[i].args[0].mask == 0 && p->rows[i].given == 0; k++)
            assert_int_not_equal(p->rows[i].nr, p->rows[k].nr);
}

static void known_numbers_are_those_libseccomp_knows(void **state)
{
    const struct policy *p = &((struct fixture *)*state)->policy;

    for (uint32_t nr = 0; nr <= p->newest; nr++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);

        assert_int_equal(name != NULL, !oracle_no_call(p, nr));
        free(name);
    }
}

static void the_program_is_the_same_each_time_and_short(void **state)
{
    const struct fixture *f = *state;
    struct bpf_program again;

    assert_int_equal(bpf_compile(&f->policy, &again), 0);
    assert_memory_equal(again.hash, f->prog.hash, BPF_HASH_LEN);
    assert_int_equal(again.len, f->prog.len);
    assert_true(again.len < 500); /* of 4096; what installing it costs grows with the depth of its tree, not with this */
    bpf_finish(&again);
}

/* The test of this test: a program with one answer turned round must be noticed by the walk. */
static void a_program_that_disagrees_with_the_table_is_noticed(void **state)
{
    const struct fixture *f = *state;
    struct seccomp_data d = { .nr = SYS_clone3, .arch = AUDIT_ARCH_X86_64 }; /* ENOSYS, or no row, in each of them */
    struct bpf_program bent = f->prog;
    uint32_t was = oracle_read(&f->policy, &d);

    bent.insns = malloc(bent.len * sizeof(*bent.insns));
    assert_non_null(bent.insns);
    memcpy(bent.insns, f->prog.insns, bent.len * sizeof(*bent.insns));
    assert_int_equal(evaluate(&bent, &d), was);
    for (size_t i = 0; i < bent.len; i++)
        if (bent.insns[i].code == (BPF_RET | BPF_K) && bent.insns[i].k == was)
            bent.insns[i].k = SECCOMP_RET_ALLOW;
    assert_int_not_equal(evaluate(&bent, &d), oracle_read(&f->policy, &d));
    free(bent.insns);
}

/* After the walks: an instruction that none of them has run, or a jump that went one way only, is one that nobody has judged. */
static void every_instruction_ran_and_every_jump_went_both_ways(void **state)
{
    const struct fixture *f = *state;

    for (size_t i = 0; i < f->prog.len; i++) {
        uint16_t code = f->prog.insns[i].code;
        bool jumps = BPF_CLASS(code) == BPF_JMP && BPF_OP(code) != BPF_JA;

        if (f->seen[i] != (jumps ? RAN | WENT_YES | WENT_NO : RAN))
            fail_msg("instruction %zu of %u, code %#x k %#x: seen %#x", i, f->prog.len, code, f->prog.insns[i].k, f->seen[i]);
    }
}

static void an_unknown_profile_is_not_found(void **state)
{
    (void)state;
    assert_null(policy_find("nothing"));
}

/* The walks come first; what they have run is looked at last. */
#define OF_ALL                                                                                                                             \
    cmocka_unit_test(every_number_on_every_abi_gets_the_answer_of_the_table),                                                              \
        cmocka_unit_test(every_argument_rule_holds_on_each_of_its_64_bits),                                                                \
        cmocka_unit_test(small_argument_values_of_conditional_calls_get_the_answer_of_the_table),                                          \
        cmocka_unit_test(every_instruction_ran_and_every_jump_went_both_ways),                                                             \
        cmocka_unit_test(every_row_has_a_reason_a_verdict_and_its_right_name), cmocka_unit_test(known_numbers_are_those_libseccomp_knows), \
        cmocka_unit_test(the_program_is_the_same_each_time_and_short),                                                                     \
        cmocka_unit_test(a_program_that_disagrees_with_the_table_is_noticed), cmocka_unit_test(an_unknown_profile_is_not_found)
/* Of profiles: a user's rows stand before those that they open. */
#define OF_PROFILES OF_ALL, cmocka_unit_test(no_row_stands_after_one_that_always_holds)
#define OF_PURE                                                                                                                            \
    cmocka_unit_test(memory_can_never_become_executable_or_shared), cmocka_unit_test(priority_inheriting_futexes_are_out_of_reach),        \
        cmocka_unit_test(limits_are_the_workers_own_business_and_nobody_elses), cmocka_unit_test(calls_that_would_widen_a_worker_end_it)
#define OF_BUFFERS                                                                                                                         \
    cmocka_unit_test(buffers_are_mapped_shared_and_never_to_be_executed),                                                                  \
        cmocka_unit_test(descriptors_come_over_the_link_alone_and_are_not_peeked_at),                                                      \
        cmocka_unit_test(only_what_the_broker_sent_can_be_closed)

static int run(const struct variant *v, const struct CMUnitTest *tests, size_t n)
{
    variant = v;
    return _cmocka_run_group_tests(v->title, tests, n, setup, teardown);
}

#define RUN(v, tests) run(v, tests, sizeof(tests) / sizeof((tests)[0]))

int main(void)
{
    static const struct CMUnitTest compute[] = { OF_PROFILES, OF_PURE, cmocka_unit_test(no_buffer_comes_where_none_is_asked_for) };
    static const struct CMUnitTest lua[] = { OF_PROFILES, OF_PURE, OF_BUFFERS };
    static const struct CMUnitTest lua_template[] = { OF_PROFILES, OF_PURE, OF_BUFFERS,
                                                      cmocka_unit_test(a_fork_is_of_one_kind_and_is_asked_about),
                                                      cmocka_unit_test(two_filters_say_together_what_the_table_says) };
    static const struct CMUnitTest native[] = {
        OF_PROFILES,
        OF_PURE,
        OF_BUFFERS,
        cmocka_unit_test(nothing_but_null_comes_in_the_modules_place),
        cmocka_unit_test(only_the_module_can_be_mapped_and_never_to_write_and_execute),
        cmocka_unit_test(only_the_seals_themselves_can_be_set_and_on_the_module_only),
        cmocka_unit_test(only_the_link_and_the_module_are_read_and_written),
        cmocka_unit_test(the_kernel_is_never_asked_about_a_path),
    };
    static const struct CMUnitTest python[] = { OF_PROFILES, cmocka_unit_test(memory_can_never_become_executable_or_shared),
                                                cmocka_unit_test(priority_inheriting_futexes_are_out_of_reach),
                                                cmocka_unit_test(limits_are_the_workers_own_business_and_nobody_elses) };
    static const struct CMUnitTest init[] = { OF_PROFILES, cmocka_unit_test(memory_can_never_become_executable_or_shared),
                                              cmocka_unit_test(priority_inheriting_futexes_are_out_of_reach),
                                              cmocka_unit_test(init_makes_no_process_no_socket_and_opens_by_openat2_alone) };
    static const struct CMUnitTest exec[] = {
        OF_PROFILES,
        cmocka_unit_test(new_namespaces_are_out_of_reach_by_every_bit),
        cmocka_unit_test(sockets_are_local_unless_loopback_is_given),
        cmocka_unit_test(signals_reach_the_jobs_own_or_nobody),
        cmocka_unit_test(files_change_by_their_path_only_in_a_view_of_ones_own),
        cmocka_unit_test(a_set_uid_file_is_made_only_in_a_view_of_ones_own),
        cmocka_unit_test(memory_that_no_sample_shows_is_not_to_be_had_where_it_is_sampled),
        cmocka_unit_test(sockets_take_no_programs_and_where_shared_no_names),
        cmocka_unit_test(terminals_are_used_and_not_abused),
        cmocka_unit_test(what_programs_ask_out_of_habit_is_refused_softly),
        cmocka_unit_test(what_no_honest_program_needs_ends_the_job_by_name),
        cmocka_unit_test(the_profile_allows_nothing_that_can_never_be_granted),
    };
    static const struct CMUnitTest merged[] = { OF_ALL };
    static const char rows[] = "allow sched_setscheduler # a database\n"
                               "allow ioctl if request == FS_IOC_GETFLAGS # lsattr\n"
                               "allow prctl if option == PR_SET_TSC and a2 & ~3 == 0 and arg2 == 0 # odd conditions\n"
                               "refuse EAFNOSUPPORT socket if family == AF_INET # goes on without\n"
                               "allow vserver if arg0 == 0x100000001 # another one\n";
    static const char wild[] = "allow vserver if arg0 & 0x8000000100000001 == 0x8000000000000001 # bits of both halves\n"
                               "allow vserver if arg0:32 == 5 and arg1 in 0xf0f0 and arg2 lacks 0x8000000000000000 # x\n"
                               "refuse EPERM vserver if arg0:32 == 6 # x\n"
                               "refuse EIO vserver if arg0:32 == 7 # x\n"
                               "refuse EROFS vserver if arg1 == ~0 # x\n"
                               "allow tuxcall if arg5 has 0x8000000080000000 # x\n";
    static const struct variant variants[] = {
        {"policy of compute",                          "compute", 0,                     NULL},
        { "policy of lua",                             "lua",     0,                     NULL},
        { "policy of python",                          "python",  0,                     NULL},
        { "policy of native",                          "native",  0,                     NULL},
        { "policy of init",                            "init",    0,                     NULL},
        { "policy of exec",                            "exec",    0,                     NULL},
        { "policy of exec, with a network",            "exec",    POLICY_NET_LOOPBACK,   NULL},
        { "policy of exec, signals that reach others", "exec",    POLICY_SHARED_SIGNALS, NULL},
        { "policy of exec, sockets that reach others", "exec",    POLICY_SHARED_SOCKETS, NULL},
        { "policy of exec, files that are others'",    "exec",    POLICY_SHARED_FILES,   NULL},
        { "policy of exec, sizes that are others'",    "exec",    POLICY_SHARED_SIZES,   NULL},
        { "policy of exec, memory that is sampled",    "exec",    POLICY_SAMPLED_MEMORY, NULL},
        { "policy of exec, all at once",               "exec",    POLICY_GIVEN_ALL,      NULL},
    };
    static const struct variant with_rows[] = {
        {"policy of exec, with rows of a user's",    "exec", 0,                   rows},
        { "policy of exec, with rows and a network", "exec", POLICY_NET_LOOPBACK, wild},
    };
    static const struct variant template_of_lua = { "policy of lua-template", "lua-template", 0, NULL };
    static const struct variant template_of_python = { "policy of python-template", "python-template", 0, NULL };
    int failed = RUN(&template_of_lua, lua_template) + RUN(&template_of_python, python) + RUN(&variants[0], compute) +
                 RUN(&variants[1], lua) + RUN(&variants[2], python) + RUN(&variants[3], native) + RUN(&variants[4], init);

    for (size_t i = 5; i < sizeof(variants) / sizeof(variants[0]); i++)
        failed += RUN(&variants[i], exec);
    for (size_t i = 0; i < sizeof(with_rows) / sizeof(with_rows[0]); i++)
        failed += RUN(&with_rows[i], merged);
    return failed;
}
