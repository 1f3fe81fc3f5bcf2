/*
 * fuzz_policy.c - any text as rows of a policy, and any call under it. First byte: what is given, and how the rest is shared out; then numbers of
 * calls and their arguments; then text. Rows that are taken print as rows that are taken; what is compiled answers as the rows read.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "syscall_words.h"
#include "tests/unit/policy_oracle.h"
#include "worker/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CALLS = 4, CALL_BYTES = 4 + 6 * 8 };

static void check_text(const char *text)
{
    struct policy_text t, back;
    char why[POLICY_WHY] = "", line[POLICY_LINE];
    int rc = policy_text_read(text, &t, why);

    if (rc != 0) {
        assert(rc == -EINVAL && memchr(why, '\0', POLICY_WHY) != NULL && why[0] != '\0');
        return;
    }
    for (size_t i = 0; i < t.n; i++) {
        policy_row_print(&t.rows[i], line, sizeof(line));
        assert(policy_text_read(line, &back, why) == 0 && back.n == 1);
        assert(back.rows[0].nr == t.rows[i].nr && back.rows[0].verdict == t.rows[i].verdict && back.rows[0].error == t.rows[i].error);
        assert(back.rows[0].given == t.rows[i].given && strcmp(back.rows[0].why, t.rows[i].why) == 0);
        for (int k = 0; k < POLICY_ARGS; k++)
            assert(back.rows[0].args[k].mask == t.rows[i].args[k].mask && back.rows[0].args[k].value == t.rows[i].args[k].value &&
                   (t.rows[i].args[k].mask == 0 || back.rows[0].args[k].index == t.rows[i].args[k].index));
        policy_text_finish(&back);
    }
    policy_text_finish(&t);
}

static void check_call(const struct policy *p, const struct bpf_program *prog, const struct seccomp_data *d)
{
    const char *why;
    uint32_t is = oracle_run(prog, d, NULL);

    assert(is != ORACLE_BROKEN && is == oracle_read(p, d));
    /* Whatever a user adds: what can never be granted is not, but for what the profile itself knows to be harmless. */
    if (is == SECCOMP_RET_ALLOW && !policy_call_may_be_granted((uint32_t)d->nr, (const uint64_t *)d->args, p->given, &why))
        assert(oracle_read(policy_find("exec"), d) == SECCOMP_RET_ALLOW);
}

/* Each added row's own arguments, and those with what the input says turned round. All others are test_policy.c's. */
static void check_rows(const struct policy *p, size_t n_added, const struct bpf_program *prog, uint64_t turn)
{
    for (size_t i = 0; i < n_added; i++) {
        struct seccomp_data d = { .nr = (int)p->rows[i].nr, .arch = AUDIT_ARCH_X86_64 };

        for (int k = 0; k < POLICY_ARGS && p->rows[i].args[k].mask != 0; k++)
            d.args[p->rows[i].args[k].index] |= p->rows[i].args[k].value;
        check_call(p, prog, &d);
        for (int k = 0; k < 6; k++) {
            d.args[k] ^= turn;
            check_call(p, prog, &d);
        }
    }
}

static void check_policy(const uint8_t *calls, unsigned given, const char *text)
{
    struct policy base = *policy_find("exec"), *p;
    struct bpf_program prog;
    char why[POLICY_WHY] = "";
    uint64_t turn;

    base.given = given;
    if (policy_merge(&base, text, &p, why) != 0) {
        assert(why[0] != '\0');
        return;
    }
    assert(bpf_compile(p, &prog) == 0);
    for (int i = 0; i < CALLS; i++) {
        struct seccomp_data d = { .arch = AUDIT_ARCH_X86_64 };

        memcpy(&d.nr, calls + i * CALL_BYTES, 4);
        memcpy(d.args, calls + i * CALL_BYTES + 4, sizeof(d.args));
        check_call(p, &prog, &d);
        d.nr = (int)((uint32_t)d.nr % 460);
        check_call(p, &prog, &d);
        memcpy(&turn, d.args, sizeof(turn));
        check_rows(p, p->n_rows - base.n_rows, &prog, turn);
    }
    bpf_finish(&prog);
    policy_free(p);
}

static void check_words(const uint8_t *call)
{
    char text[CALL_TEXT], line[POLICY_LINE];
    uint64_t args[6];
    uint32_t nr;

    memcpy(&nr, call, 4);
    memcpy(args, call + 4, sizeof(args));
    policy_describe_call(AUDIT_ARCH_X86_64, nr, args, "exec", 0, text, sizeof(text));
    assert(text[0] != '\0');
    policy_row_for_call(nr % 460, args, "learned", line, sizeof(line));
    assert(line[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t head = 1 + CALLS * CALL_BYTES;
    char *text;

    if (size < head)
        return 0;
    text = malloc(size - head + 1); /* exact, so that a read past its end is seen */
    memcpy(text, data + head, size - head);
    text[size - head] = '\0';
    check_text(text);
    check_policy(data + 1, data[0] & POLICY_GIVEN_ALL, text);
    check_words(data + 1);
    free(text);
    return 0;
}
