/*
 * policy_oracle.h - what judges a filter: a classic BPF machine, and the policy read row by row. They share no code with worker/bpf.c, nor with
 * each other. Used by test_policy.c and by fuzz_policy.c.
 *
 * Side:    tests and fuzzers.
 */
#ifndef TESTS_UNIT_POLICY_ORACLE_H
#define TESTS_UNIT_POLICY_ORACLE_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "worker/bpf.h"
#include "worker/policy.h"

/* No answer of a filter: it runs off its end, or has an instruction that the kernel's checker or we do not take. */
#define ORACLE_BROKEN 0xdeadbeefu

/* What was seen of each instruction: that it ran, and for a jump which ways it went. */
enum { RAN = 1, WENT_YES = 2, WENT_NO = 4 };

static inline int oracle_jump(const struct sock_filter *i, uint32_t a, uint32_t x)
{
    uint32_t with = BPF_SRC(i->code) == BPF_X ? x : i->k;

    switch (BPF_OP(i->code)) {
    case BPF_JEQ: return a == with;
    case BPF_JGT: return a > with;
    case BPF_JGE: return a >= with;
    case BPF_JSET: return (a & with) != 0;
    default: return -1;
    }
}

/* seen: an entry for each instruction, or NULL. */
static inline uint32_t oracle_run(const struct bpf_program *p, const struct seccomp_data *d, uint8_t *seen)
{
    uint32_t a = 0, x = 0;

    for (size_t pc = 0; pc < p->len; pc++) {
        const struct sock_filter *i = &p->insns[pc];
        size_t at = pc;
        int jump = 0;

        if (seen != NULL)
            seen[at] |= RAN;
        if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
            if (i->k % 4 != 0 || i->k + 4 > sizeof(*d))
                return ORACLE_BROKEN;
            memcpy(&a, (const char *)d + i->k, sizeof(a));
        } else if (i->code == (BPF_ALU | BPF_AND | BPF_K)) {
            a &= i->k;
        } else if (i->code == (BPF_MISC | BPF_TAX)) {
            x = a;
        } else if (i->code == (BPF_JMP | BPF_JA)) {
            pc += i->k;
        } else if (BPF_CLASS(i->code) == BPF_JMP) {
            jump = oracle_jump(i, a, x);
            if (jump < 0)
                return ORACLE_BROKEN;
            if (seen != NULL)
                seen[at] |= jump ? WENT_YES : WENT_NO;
            pc += jump ? i->jt : i->jf;
        } else if (i->code == (BPF_RET | BPF_K)) {
            return i->k;
        } else {
            return ORACLE_BROKEN;
        }
    }
    return ORACLE_BROKEN;
}

static inline bool oracle_no_call(const struct policy *p, uint32_t nr)
{
    for (size_t i = 0; i < p->n_gaps; i++)
        if (nr >= p->gaps[i].first && nr <= p->gaps[i].last)
            return true;
    return nr > p->newest;
}

static inline bool oracle_holds(const struct policy_row *r, const uint64_t args[6])
{
    for (int i = 0; i < POLICY_ARGS; i++)
        if (r->args[i].mask != 0 && (args[r->args[i].index] & r->args[i].mask) != r->args[i].value)
            return false;
    return true;
}

/* The policy as it is written down: the first row that holds. */
static inline uint32_t oracle_read(const struct policy *p, const struct seccomp_data *d)
{
    uint64_t args[6];

    memcpy(args, d->args, sizeof(args));
    if (d->arch != AUDIT_ARCH_X86_64)
        return SECCOMP_RET_KILL_PROCESS;
    if (d->nr == -1)
        return SECCOMP_RET_ERRNO | ENOSYS;
    if (((uint32_t)d->nr & 0x40000000u) != 0)
        return SECCOMP_RET_KILL_PROCESS;
    if (oracle_no_call(p, (uint32_t)d->nr))
        return SECCOMP_RET_ERRNO | ENOSYS;
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct policy_row *r = &p->rows[i];

        if (r->nr != (uint32_t)d->nr || (r->given & p->given) != r->given || !oracle_holds(r, args))
            continue;
        if (r->verdict == POLICY_VIOLATION)
            break;
        if (r->verdict == POLICY_ANSWER)
            return SECCOMP_RET_TRAP; /* the kernel makes no difference: the worker does */
        if (r->verdict == POLICY_NOTIFY)
            return p->asked_before ? SECCOMP_RET_ALLOW : SECCOMP_RET_USER_NOTIF;
        return r->verdict == POLICY_ALLOW ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (uint32_t)r->error;
    }
    return p->unlisted == POLICY_NOTIFY ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_TRAP;
}

#endif
