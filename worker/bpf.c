/*
 * bpf.c - see bpf.h.
 *
 * The program is a search tree over call numbers, whose leaves are answers, or the rows of one call in their order. It is written from its end
 * to its beginning, so that wherever a jump leads is known when the jump is written. A jump reaches 255 instructions; what lies farther gets a
 * JA in between. Nothing here is believed: tests/unit/test_policy.c runs every program against the table.
 */
#include "worker/bpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sha256.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RET_KILL   SECCOMP_RET_KILL_PROCESS
#define RET_ENOSYS (SECCOMP_RET_ERRNO | ENOSYS)

enum { REACH = 255, SHARE_WITHIN = 200 };

/* Instructions from at on are written; places are indices. */
struct code {
    struct sock_filter insns[BPF_MAXINSNS];
    unsigned at;
    bool full;
};

/* ---- instructions -------------------------------------------------------------------------------------------------------------- */

static unsigned put(struct code *c, struct sock_filter insn)
{
    if (c->at == 0)
        c->full = true;
    else
        c->at--;
    c->insns[c->at] = insn;
    return c->at;
}

static unsigned put_load(struct code *c, size_t offset)
{
    return put(c, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

/* The same place, or one in reach that leads there. */
static unsigned in_reach(struct code *c, unsigned place)
{
    if (place - c->at <= REACH - 1) /* room for one more JA in between */
        return place;
    return put(c, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, place - c->at));
}

static unsigned put_jump(struct code *c, uint16_t compare, uint32_t k, unsigned yes, unsigned no)
{
    yes = in_reach(c, yes);
    no = in_reach(c, no);
    return put(c, (struct sock_filter)BPF_JUMP(BPF_JMP | compare | BPF_K, k, (uint8_t)(yes - c->at), (uint8_t)(no - c->at)));
}

/* Where this answer is given: one that is near serves all. */
static unsigned put_answer(struct code *c, uint32_t answer)
{
    for (unsigned i = c->at; i < BPF_MAXINSNS && i < c->at + SHARE_WITHIN; i++)
        if (c->insns[i].code == (BPF_RET | BPF_K) && c->insns[i].k == answer)
            return i;
    return put(c, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, answer));
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------- */

static uint32_t answer_of(const struct policy *p, enum policy_verdict v, int error)
{
    if (v == POLICY_VIOLATION)
        v = p->unlisted;
    else if (v == POLICY_NOTIFY && p->asked_before)
        v = POLICY_ALLOW;
    switch (v) {
    case POLICY_ALLOW: return SECCOMP_RET_ALLOW;
    case POLICY_REFUSE: return SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA);
    case POLICY_NOTIFY: return SECCOMP_RET_USER_NOTIF;
    default: return SECCOMP_RET_TRAP; /* VIOLATION and ANSWER: the handler tells them apart */
    }
}

static bool stands(const struct policy *p, const struct policy_row *r)
{
    return (r->given & ~p->given) == 0;
}

/* x86-64 is little-endian: the low word of an argument comes first. */
static size_t word_of(const struct policy_arg *a, bool high)
{
    return offsetof(struct seccomp_data, args) + 8u * a->index + (high ? 4 : 0);
}

static unsigned put_word(struct code *c, const struct policy_arg *a, bool high, unsigned yes, unsigned no)
{
    uint32_t mask = (uint32_t)(a->mask >> (high ? 32 : 0)), value = (uint32_t)(a->value >> (high ? 32 : 0));

    if (mask == 0)
        return yes;
    if (value == 0 && mask != UINT32_MAX) {
        put_jump(c, BPF_JSET, mask, no, yes);
        return put_load(c, word_of(a, high));
    }
    put_jump(c, BPF_JEQ, value, yes, no);
    if (mask != UINT32_MAX)
        put(c, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
    return put_load(c, word_of(a, high));
}

/* A row with one condition, that a whole word is so. */
static const struct policy_arg *sole_word(const struct policy_row *r)
{
    return r->args[0].mask == UINT32_MAX && r->args[1].mask == 0 ? &r->args[0] : NULL;
}

/* Such rows one after the other, about the same word, load it once. */
static bool shares_load(const struct policy_row *r, const struct policy_row *with)
{
    const struct policy_arg *a = sole_word(r), *b = sole_word(with);

    return a != NULL && b != NULL && a->index == b->index;
}

static unsigned put_row(struct code *c, const struct policy *p, const struct policy_row *r, unsigned next, bool loaded)
{
    unsigned yes = put_answer(c, answer_of(p, r->verdict, r->error));

    if (loaded)
        return put_jump(c, BPF_JEQ, (uint32_t)r->args[0].value, yes, next);
    for (int i = POLICY_ARGS - 1; i >= 0; i--) {
        yes = put_word(c, &r->args[i], true, yes, next);
        yes = put_word(c, &r->args[i], false, yes, next);
    }
    return yes;
}

/* The rows of one call that stand, in their order. */
struct call_rows {
    const struct policy_row **rows;
    size_t n;
};

static unsigned put_rows(struct code *c, const struct policy *p, const struct call_rows *rows)
{
    bool always = rows->rows[rows->n - 1]->args[0].mask == 0; /* the last holds for all that is left */
    unsigned next = always ? c->at : put_answer(c, answer_of(p, POLICY_VIOLATION, 0));

    for (size_t i = rows->n; i-- > 0;) {
        const struct policy_row *r = rows->rows[i];
        bool shared = (i > 0 && shares_load(rows->rows[i - 1], r)) || (i + 1 < rows->n && shares_load(r, rows->rows[i + 1]));

        next = put_row(c, p, r, next, shared);
        if (shared && (i == 0 || !shares_load(rows->rows[i - 1], r)))
            next = put_load(c, word_of(&r->args[0], false));
    }
    return next;
}

/* ---- numbers ------------------------------------------------------------------------------------------------------------------- */

/* Numbers from first up to the next one's first, that all get the same answer; or a single call with rows about its arguments. */
struct span {
    uint32_t first, answer;
    struct call_rows rows; /* n 0: the answer is the same whatever the arguments */
};

struct spans {
    struct span *all;
    const struct policy_row **sorted; /* rows that stand, by number; those of a call in their order */
    size_t n, n_rows;
};

static bool no_call(const struct policy *p, uint32_t nr)
{
    for (size_t i = 0; i < p->n_gaps; i++)
        if (nr >= p->gaps[i].first && nr <= p->gaps[i].last)
            return true;
    return nr > p->newest;
}

/* Whatever the later one holds for, the earlier one holds for. */
static bool covers(const struct policy_row *earlier, const struct policy_row *later)
{
    for (int i = 0; i < POLICY_ARGS && earlier->args[i].mask != 0; i++) {
        const struct policy_arg *e = &earlier->args[i];
        bool said = false;

        for (int k = 0; k < POLICY_ARGS && later->args[k].mask != 0; k++) {
            const struct policy_arg *l = &later->args[k];

            said = said || (l->index == e->index && (e->mask & ~l->mask) == 0 && (l->value & e->mask) == e->value);
        }
        if (!said)
            return false;
    }
    return true;
}

/* A row that is never asked, because an earlier one of its call holds whenever it does, would only be carried along. */
static void add_row(struct spans *s, size_t of_call, const struct policy_row *r)
{
    for (size_t i = of_call; i < s->n_rows; i++)
        if (covers(s->sorted[i], r))
            return;
    s->sorted[s->n_rows++] = r;
}

static void sort_rows(const struct policy *p, struct spans *s)
{
    for (uint32_t nr = 0; nr <= p->newest; nr++) {
        size_t of_call = s->n_rows;

        for (size_t i = 0; i < p->n_rows; i++)
            if (p->rows[i].nr == nr && stands(p, &p->rows[i]))
                add_row(s, of_call, &p->rows[i]);
    }
}

static struct span span_of(const struct policy *p, uint32_t nr, const struct policy_row **rows, size_t n)
{
    struct span s = { .first = nr, .answer = RET_ENOSYS };

    if (no_call(p, nr))
        return s;
    if (n == 0)
        s.answer = answer_of(p, POLICY_VIOLATION, 0);
    else if (rows[0]->args[0].mask == 0)
        s.answer = answer_of(p, rows[0]->verdict, rows[0]->error);
    else
        s.rows = (struct call_rows){ rows, n };
    return s;
}

static void add_span(struct spans *s, struct span new)
{
    struct span *last = s->n > 0 ? &s->all[s->n - 1] : NULL;

    if (last == NULL || last->rows.n > 0 || new.rows.n > 0 || last->answer != new.answer)
        s->all[s->n++] = new;
}

static int make_spans(const struct policy *p, struct spans *s)
{
    size_t row = 0;

    s->all = calloc(p->newest + 2, sizeof(*s->all));
    s->sorted = calloc(p->n_rows + 1, sizeof(*s->sorted));
    if (s->all == NULL || s->sorted == NULL)
        return -ENOMEM;
    sort_rows(p, s);
    for (uint32_t nr = 0; nr <= p->newest + 1; nr++) {
        size_t n = 0;

        while (row + n < s->n_rows && s->sorted[row + n]->nr == nr)
            n++;
        add_span(s, span_of(p, nr, s->sorted + row, n));
        row += n;
    }
    return 0;
}

/* Finds the span of the number that is loaded, by halves. */
static unsigned put_tree(struct code *c, const struct policy *p, const struct span *s, size_t n)
{
    unsigned above, below;

    if (n == 1)
        return s->rows.n > 0 ? put_rows(c, p, &s->rows) : put_answer(c, s->answer);
    above = put_tree(c, p, s + n / 2, n - n / 2);
    below = put_tree(c, p, s, n / 2);
    return put_jump(c, BPF_JGE, s[n / 2].first, above, below);
}

/* The number -1 has the x32 bit set but is nobody's call: a tracer's way to skip one. */
static void put_program(struct code *c, const struct policy *p, const struct spans *s)
{
    unsigned next = put_tree(c, p, s->all, s->n);

    next = put_jump(c, BPF_JSET, POLICY_X32_BIT, put_answer(c, RET_KILL), next);
    next = put_jump(c, BPF_JEQ, UINT32_MAX, put_answer(c, RET_ENOSYS), next);
    next = put_load(c, offsetof(struct seccomp_data, nr));
    put_jump(c, BPF_JEQ, AUDIT_ARCH_X86_64, next, put_answer(c, RET_KILL));
    put_load(c, offsetof(struct seccomp_data, arch));
}

/* ---- the whole ----------------------------------------------------------------------------------------------------------------- */

static int take_program(const struct code *c, struct bpf_program *ret_prog)
{
    size_t n = BPF_MAXINSNS - c->at, len = n * sizeof(c->insns[0]);
    struct sock_filter *insns;
    SHA2_CTX sha;

    if (c->full)
        return -E2BIG;
    insns = malloc(len);
    if (insns == NULL)
        return -ENOMEM;
    memcpy(insns, c->insns + c->at, len);
    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)insns, len);
    SHA256Final(ret_prog->hash, &sha);
    ret_prog->insns = insns;
    ret_prog->len = (unsigned short)n;
    return 0;
}

int bpf_compile(const struct policy *p, struct bpf_program *ret_prog)
{
    struct code *c = calloc(1, sizeof(*c));
    struct spans s = { 0 };
    int rc = -ENOMEM;

    if (c == NULL)
        goto out;
    c->at = BPF_MAXINSNS;
    rc = make_spans(p, &s);
    if (rc != 0)
        goto out;
    put_program(c, p, &s);
    rc = take_program(c, ret_prog);
out:
    free(s.all);
    free(s.sorted);
    free(c);
    return rc;
}

void bpf_finish(struct bpf_program *prog)
{
    free(prog->insns);
    prog->insns = NULL;
    prog->len = 0;
}

int bpf_install(const struct bpf_program *prog, unsigned flags)
{
    struct sock_fprog raw = { .len = prog->len, .filter = prog->insns };
    long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &raw);

    if (rc < 0)
        return -errno;
    if (rc > 0 && (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) == 0)
        return -EBUSY; /* a thread id: some thread could not be sealed */
    return (int)rc;
}
