/*
 * bpf.h - compiles a policy into the program the kernel runs at each system call of a worker.
 *
 * Side:    zygote, once; workers inherit the bytes and install them.
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

int bpf_compile(const struct policy *p, struct bpf_program *ret_prog);
void bpf_finish(struct bpf_program *prog);

#endif
