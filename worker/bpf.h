/*
 * bpf.h - compiles a policy into the program the kernel runs at each system call, and installs it.
 *
 * Side:    zygote, once; workers inherit the bytes and install them. A job's own rows (--policy) are compiled by its worker.
 * Owned:   the program's instructions belong to the struct: bpf_finish().
 * Returns: 0 or -errno.
 */
#ifndef WORKER_BPF_H
#define WORKER_BPF_H

#include <linux/filter.h>
#include <stdint.h>

#include "worker/policy.h"

enum { BPF_HASH_LEN = 32 };

struct bpf_program {
    struct sock_filter *insns;
    unsigned short len;
    uint8_t hash[BPF_HASH_LEN]; /* sha256 of the instructions */
};

/* -E2BIG when the kernel would not take so many instructions, -ENOMEM. The same policy gives the same program. */
int bpf_compile(const struct policy *p, struct bpf_program *ret_prog);
void bpf_finish(struct bpf_program *prog);

/*
 * Puts the filter on the calling process, for good; it must have no_new_privs. flags: SECCOMP_FILTER_FLAG_*. Returns the listener's descriptor
 * with NEW_LISTENER (close-on-exec), else 0; -errno; -EBUSY also when with TSYNC a thread could not be given it.
 */
int bpf_install(const struct bpf_program *prog, unsigned flags);

#endif
