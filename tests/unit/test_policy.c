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
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "worker/bpf.h"
#include "worker/engines/native/load.h"
#include "worker/link.h"
#include "worker/policy.h"

struct fixture {
    struct policy policy;
    struct bpf_program prog;
};

static const char *profile;
static unsigned given;

static int setup(void **state)
{
    static struct fixture f;

    if (policy_find(profile) == NULL)
        return -1;
    f.policy = *policy_find(profile);
    f.policy.given = given;
    *state = &f;
    return bpf_compile(&f.policy, &f.prog);
}

static int teardown(void **state)
{
    bpf_finish(&((struct fixture *)*state)->prog);
    return 0;
}

/* ---- a classic BPF machine, as far as filters use it; anything else fails the test --------------------------------------------- */

static int jump_taken(const struct sock_filter *i, uint32_t a, uint32_t x)
{
    uint32_t with = BPF_SRC(i->code) == BPF_X ? x : i->k;

    switch (BPF_OP(i->code)) {
    case BPF_JEQ: return a == with;
    case BPF_JGT: return a > with;
    case BPF_JGE: return a >= with;
    case BPF_JSET: return (a & with) != 0;
    default: fail_msg("jump %#x", i->code); return 0;
    }
}

static uint32_t evaluate(const struct bpf_program *p, const struct seccomp_data *d)
{
    uint32_t a = 0, x = 0, word;

    for (size_t pc = 0; pc < p->len; pc++) {
        const struct sock_filter *i = &p->insns[pc];

        if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
            assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*d));
            memcpy(&word, (const char *)d + i->k, sizeof(word));
            a = word;
        } else if (i->code == (BPF_ALU | BPF_AND | BPF_K)) {
            a &= i->k;
        } else if (i->code == (BPF_MISC | BPF_TAX)) {
            x = a;
        } else if (i->code == (BPF_JMP | BPF_JA)) {
            pc += i->k;
        } else if (BPF_CLASS(i->code) == BPF_JMP) {
            pc += jump_taken(i, a, x) ? i->jt : i->jf;
        } else if (i->code == (BPF_RET | BPF_K)) {
            return i->k;
        } else {
            fail_msg("instruction %zu has code %#x", pc, i->code);
        }
    }
    fail_msg("the program runs off its end");
    return 0;
}

/* ---- the walk ------------------------------------------------------------------------------------------------------------------ */

static int in_gap(const struct policy *p, uint32_t nr)
{
    for (size_t i = 0; i < p->n_gaps; i++)
        if (nr >= p->gaps[i].first && nr <= p->gaps[i].last)
            return 1;
    return nr > p->newest;
}

static int holds(const struct policy_row *r, const uint64_t args[6])
{
    for (int i = 0; i < POLICY_ARGS; i++)
        if (r->args[i].mask != 0 && (args[r->args[i].index] & r->args[i].mask) != r->args[i].value)
            return 0;
    return 1;
}

static uint32_t walk(const struct policy *p, const struct seccomp_data *d)
{
    uint64_t args[6];

    memcpy(args, d->args, sizeof(args));
    if (d->arch != AUDIT_ARCH_X86_64)
        return SECCOMP_RET_KILL_PROCESS;
    if (d->nr == -1)
        return SECCOMP_RET_ERRNO | ENOSYS;
    if (((uint32_t)d->nr & 0x40000000u) != 0)
        return SECCOMP_RET_KILL_PROCESS;
    if (in_gap(p, (uint32_t)d->nr))
        return SECCOMP_RET_ERRNO | ENOSYS;
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct policy_row *r = &p->rows[i];

        if (r->nr != (uint32_t)d->nr || (r->given & p->given) != r->given || !holds(r, args))
            continue;
        if (r->verdict == POLICY_VIOLATION)
            break;
        if (r->verdict == POLICY_ANSWER)
            return SECCOMP_RET_TRAP; /* the kernel makes no difference: the worker does */
        return r->verdict == POLICY_ALLOW ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)r->error;
    }
    return p->unlisted == POLICY_NOTIFY ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP;
}

static void check(const struct fixture *f, uint32_t arch, uint32_t nr, const uint64_t args[6])
{
    struct seccomp_data d = { .nr = (int)nr, .arch = arch };
    uint32_t is, wanted;

    memcpy(d.args, args, sizeof(d.args));
    is = evaluate(&f->prog, &d);
    wanted = walk(&f->policy, &d);
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

static void memory_can_never_become_executable_or_shared(void **state)
{
    const uint64_t anon = MAP_PRIVATE | MAP_ANONYMOUS, rw = PROT_READ | PROT_WRITE;

    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, anon), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_NONE, anon | MAP_NORESERVE), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, PROT_EXEC, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw | PROT_EXEC, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw | PROT_EXEC | 1ull << 32, anon), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_PRIVATE), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_SHARED | MAP_ANONYMOUS), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mmap, 0, 4096, rw, MAP_SHARED_VALIDATE | MAP_ANONYMOUS), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, PROT_READ, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(answer(*state, SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC, 0), SECCOMP_RET_TRAP);
    assert_int_equal(answer(*state, SYS_pkey_mprotect, 0, 4096, PROT_EXEC, 0), SECCOMP_RET_TRAP);
}

/* ---- facts of the native profile ------------------------------------------------------------------------------------------------ */

static uint32_t map(const struct fixture *f, uint64_t prot, uint64_t flags, uint64_t fd)
{
    struct seccomp_data d = {
        .nr = SYS_mmap, .arch = AUDIT_ARCH_X86_64, .args = {0, 4096, prot, flags, fd, 0}
    };

    return evaluate(&f->prog, &d);
}

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
            assert_int_equal(map(*state, prot, MAP_SHARED, fd), SECCOMP_RET_TRAP);
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
        assert_int_equal(answer(*state, SYS_close, fd, 0, 0, 0), module);
    }
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
        assert_true(r->verdict == POLICY_ALLOW || r->verdict == POLICY_REFUSE || r->verdict == POLICY_ANSWER);
        assert_int_equal(r->verdict == POLICY_REFUSE, r->error != 0);
        for (int k = 0; k < POLICY_ARGS; k++)
            assert_int_equal(r->args[k].value & ~r->args[k].mask, 0); /* else it could never hold */
    }
}

/* Or the last of them says what becomes of all other arguments: that the worker answers. */
static void only_rows_with_conditions_share_a_call(void **state)
{
    const struct policy *p = &((struct fixture *)*state)->policy;

    for (size_t i = 0; i < p->n_rows; i++)
        for (size_t k = i + 1; k < p->n_rows; k++)
            if (p->rows[i].nr == p->rows[k].nr) {
                assert_true(p->rows[i].args[0].mask != 0);
                assert_int_equal(p->rows[i].verdict, POLICY_ALLOW);
                assert_true(p->rows[k].verdict == POLICY_ANSWER || (p->rows[k].verdict == POLICY_ALLOW && p->rows[k].args[0].mask != 0));
            }
}

static void known_numbers_are_those_libseccomp_knows(void **state)
{
    const struct policy *p = &((struct fixture *)*state)->policy;

    for (uint32_t nr = 0; nr <= p->newest; nr++) {
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, (int)nr);

        assert_int_equal(name != NULL, !in_gap(p, nr));
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
    assert_true(again.len < 400); /* long programs are slow to install */
    bpf_finish(&again);
}

/* The test of this test: a program with one answer turned round must be noticed by the walk. */
static void a_program_that_disagrees_with_the_table_is_noticed(void **state)
{
    const struct fixture *f = *state;
    struct seccomp_data d = { .nr = SYS_open, .arch = AUDIT_ARCH_X86_64 };
    struct bpf_program bent = f->prog;

    bent.insns = malloc(bent.len * sizeof(*bent.insns));
    assert_non_null(bent.insns);
    memcpy(bent.insns, f->prog.insns, bent.len * sizeof(*bent.insns));
    for (size_t i = 0; i < bent.len; i++)
        if (bent.insns[i].code == (BPF_RET | BPF_K) && bent.insns[i].k == (SECCOMP_RET_ERRNO | EACCES))
            bent.insns[i].k = SECCOMP_RET_ALLOW;
    assert_int_not_equal(evaluate(&bent, &d), walk(&f->policy, &d));
    free(bent.insns);
}

static void an_unknown_profile_is_not_found(void **state)
{
    (void)state;
    assert_null(policy_find("nothing"));
}

#define OF_BOTH                                                                                                                            \
    cmocka_unit_test(every_number_on_every_abi_gets_the_answer_of_the_table),                                                              \
        cmocka_unit_test(every_argument_rule_holds_on_each_of_its_64_bits),                                                                \
        cmocka_unit_test(small_argument_values_of_conditional_calls_get_the_answer_of_the_table),                                          \
        cmocka_unit_test(memory_can_never_become_executable_or_shared), cmocka_unit_test(priority_inheriting_futexes_are_out_of_reach),    \
        cmocka_unit_test(limits_are_the_workers_own_business_and_nobody_elses), cmocka_unit_test(calls_that_would_widen_a_worker_end_it),  \
        cmocka_unit_test(every_row_has_a_reason_a_verdict_and_its_right_name), cmocka_unit_test(only_rows_with_conditions_share_a_call),   \
        cmocka_unit_test(known_numbers_are_those_libseccomp_knows), cmocka_unit_test(the_program_is_the_same_each_time_and_short),         \
        cmocka_unit_test(a_program_that_disagrees_with_the_table_is_noticed), cmocka_unit_test(an_unknown_profile_is_not_found)

int main(void)
{
    static const struct CMUnitTest lua[] = { OF_BOTH };
    static const struct CMUnitTest native[] = {
        OF_BOTH,
        cmocka_unit_test(only_the_module_can_be_mapped_and_never_to_write_and_execute),
        cmocka_unit_test(only_the_seals_themselves_can_be_set_and_on_the_module_only),
        cmocka_unit_test(only_the_link_and_the_module_are_read_and_written),
        cmocka_unit_test(the_kernel_is_never_asked_about_a_path),
    };
    int failed;

    profile = "lua";
    failed = cmocka_run_group_tests_name("policy of lua", lua, setup, teardown);
    profile = "native";
    return failed + cmocka_run_group_tests_name("policy of native", native, setup, teardown);
}
