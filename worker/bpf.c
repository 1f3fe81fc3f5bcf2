/*
 * bpf.c - see bpf.h.
 *
 * libseccomp compiles the rows; it has one default action for whatever has no rule, and we want two (a known call ends the worker,
 * an unknown number is ENOSYS). So its program is exported and a hand-written head is put before it. BPF jumps are relative:
 * what follows the head does not notice.
 */
#include "worker/bpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sha256.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD_MAX = 64 };

#define RET_KILL   SECCOMP_RET_KILL_PROCESS
#define RET_ENOSYS (SECCOMP_RET_ERRNO | ENOSYS)

struct head {
    struct sock_filter insns[HEAD_MAX];
    unsigned short n;
};

static void put(struct head *h, struct sock_filter insn)
{
    if (h->n >= HEAD_MAX)
        abort(); /* our own table outgrew its buffer */
    h->insns[h->n++] = insn;
}

static void put_load(struct head *h, size_t offset)
{
    put(h, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* When the loaded word compares so with k (or, not_if: does not), answer. */
static void put_answer_if(struct head *h, uint16_t compare, uint32_t k, int not_if, uint32_t answer)
{
    put(h, (struct sock_filter)BPF_JUMP(BPF_JMP | compare | BPF_K, k, not_if ? 1 : 0, not_if ? 0 : 1));
    put(h, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

static void put_gap(struct head *h, const struct policy_gap *g)
{
    put(h, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, g->first, 0, 2));
    put(h, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, g->last, 1, 0));
    put(h, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, RET_ENOSYS));
}

static void make_head(struct head *h, const struct policy *p)
{
    h->n = 0;
    put_load(h, offsetof(struct seccomp_data, arch));
    put_answer_if(h, BPF_JEQ, AUDIT_ARCH_X86_64, 1, RET_KILL);
    put_load(h, offsetof(struct seccomp_data, nr));
    put_answer_if(h, BPF_JEQ, UINT32_MAX, 0, RET_ENOSYS); /* -1 has the x32 bit set but is nobody's call */
    put_answer_if(h, BPF_JSET, POLICY_X32_BIT, 0, RET_KILL);
    put_answer_if(h, BPF_JGT, p->newest, 0, RET_ENOSYS);
    for (size_t i = 0; i < p->n_gaps; i++)
        put_gap(h, &p->gaps[i]);
}

static int add_row(scmp_filter_ctx ctx, const struct policy_row *r)
{
    struct scmp_arg_cmp cmp[POLICY_ARGS];
    unsigned n = 0;
    uint32_t action = r->verdict == POLICY_ALLOW ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((uint32_t)r->error);

    if (r->verdict == POLICY_ANSWER)
        return 0; /* SIGSYS, as for what has no row: the handler tells them apart */
    for (; n < POLICY_ARGS && r->args[n].mask != 0; n++)
        cmp[n] = SCMP_CMP64(r->args[n].index, SCMP_CMP_MASKED_EQ, r->args[n].mask, r->args[n].value);
    return seccomp_rule_add_array(ctx, action, (int)r->nr, n, cmp);
}

static int build_rules(const struct policy *p, scmp_filter_ctx *ret_ctx)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
    int rc;

    if (ctx == NULL)
        return -ENOMEM;
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree: a linear program is slow to install */
    for (size_t i = 0; i < p->n_rows && rc == 0; i++)
        rc = add_row(ctx, &p->rows[i]);
    if (rc != 0) {
        seccomp_release(ctx);
        return rc;
    }
    *ret_ctx = ctx;
    return 0;
}

static int export_rules(scmp_filter_ctx ctx, void **ret_bytes, size_t *ret_len)
{
    int fd = memfd_create("coop-policy", MFD_CLOEXEC), rc;
    void *bytes = NULL;
    struct stat st;

    if (fd < 0)
        return -errno;
    rc = seccomp_export_bpf(ctx, fd);
    if (rc != 0)
        goto out;
    rc = -EIO;
    if (fstat(fd, &st) != 0 || st.st_size == 0 || (size_t)st.st_size % sizeof(struct sock_filter) != 0)
        goto out;
    rc = -ENOMEM;
    bytes = malloc((size_t)st.st_size);
    if (bytes == NULL)
        goto out;
    rc = -EIO;
    if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
        goto out;
    *ret_len = (size_t)st.st_size;
    *ret_bytes = bytes;
    bytes = NULL;
    rc = 0;
out:
    free(bytes);
    close(fd);
    return rc;
}

static int join(const struct head *h, const void *tail, size_t tail_len, struct bpf_program *ret_prog)
{
    size_t head_len = h->n * sizeof(h->insns[0]), len = head_len + tail_len, n = len / sizeof(struct sock_filter);
    struct sock_filter *insns;
    SHA2_CTX sha;

    if (n > BPF_MAXINSNS)
        return -E2BIG;
    insns = malloc(len);
    if (insns == NULL)
        return -ENOMEM;
    memcpy(insns, h->insns, head_len);
    memcpy((char *)insns + head_len, tail, tail_len);
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)insns, len);
    SHA256Final(ret_prog->hash, &sha);
    ret_prog->insns = insns;
    ret_prog->len = (unsigned short)n;
    return 0;
}

int bpf_compile(const struct policy *p, struct bpf_program *ret_prog)
{
    scmp_filter_ctx ctx;
    struct head head;
    void *tail = NULL;
    size_t tail_len = 0;
    int rc = build_rules(p, &ctx);

    if (rc != 0)
        return rc;
    rc = export_rules(ctx, &tail, &tail_len);
    seccomp_release(ctx);
    if (rc != 0)
        return rc;
    make_head(&head, p);
    rc = join(&head, tail, tail_len, ret_prog);
    free(tail);
    return rc;
}

void bpf_finish(struct bpf_program *prog)
{
    free(prog->insns);
    prog->insns = NULL;
    prog->len = 0;
}
