/*
 * test_policy_rows.c - tests made from the policy itself, against the kernel: each rule about an argument with each bit of it changed,
 * each call that has no row, each number that is no call.
 *
 * A rule holds when (argument & mask) == value. A bit outside the mask may be anything, so the call goes through; a bit inside it,
 * changed, ends the job, unless another rule of the same call then holds, or all other calls of it are answered. The calls are such that they would harm nobody if made.
 */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/escape/host.h"

enum { RULES_MAX = 64, RULE_ARGS = 3, CALL_ARGS = 6, ABSENT_MAX = 600, AT_ONCE = 4 };

struct arg_rule {
    unsigned index;
    uint64_t mask, value;
};

struct rule {
    char name[40];
    unsigned nr, n_args;
    struct arg_rule args[RULE_ARGS];
};

struct named_call {
    char name[40];
    unsigned nr;
    int error; /* it is refused with; 0: the worker answers it */
};

/* Which policy, and what makes a job's calls one by one under it: the probe in the place of Lua, or real machine code. */
static const struct way {
    const char *profile, *title;
    bool probe;
} ways[] = {
    {"lua",     "policy rows of lua",    true },
    { "native", "policy rows of native", false},
};

static const struct way *way;
static struct rule rules[RULES_MAX];
static struct named_call absent[ABSENT_MAX], answered[ABSENT_MAX];
static size_t n_rules, n_absent, n_answered;
static struct host *host;

/* What the other arguments are; where a rule looks, its value stands instead. @: the probe's page. */
/* clang-format off */
static const struct harmless {
    const char *name, *args[CALL_ARGS];
} harmless[] = {
    { "mmap",          { "0", "4096", "0", "0", "-1", "0" } },
    { "mremap",        { "@", "4096", "4096", "0", "0", "0" } },
    { "mprotect",      { "@", "4096", "0", "0", "0", "0" } },
    { "madvise",       { "@", "4096", "0", "0", "0", "0" } },
    { "futex",         { "@", "0", "1", "0", "0", "1" } }, /* the page holds 0: a wait for 1 does not wait */
    { "clock_gettime", { "0", "@", "0", "0", "0", "0" } },
    { "clock_getres",  { "0", "@", "0", "0", "0", "0" } },
    { "setitimer",     { "0", "0", "@", "0", "0", "0" } },
    { "getrandom",     { "@", "8", "0", "0", "0", "0" } },
    { "prlimit64",     { "0", "4", "0", "@", "0", "0" } },
    { "read",          { "0", "@", "0", "0", "0", "0" } }, /* of nothing */
    { "readv",         { "0", "@", "0", "0", "0", "0" } },
    { "writev",        { "0", "@", "0", "0", "0", "0" } },
    { "pread64",       { "0", "@", "0", "0", "0", "0" } }, /* the module's descriptor is closed by now: EBADF */
    { "pwrite64",      { "0", "@", "0", "0", "0", "0" } },
    { "close",         { "0", "0", "0", "0", "0", "0" } },
    { "dup2",          { "0", "0", "0", "0", "0", "0" } },
    { "recvmsg",       { "0", "1", "0", "0", "0", "0" } }, /* no address: EFAULT, before anything is waited for */
    { "fcntl",         { "0", "0", "0", "0", "0", "0" } },
    { "write",         { "0", "@", "0", "0", "0", "0" } }, /* no threads, so no such descriptors: EBADF */
    { "epoll_wait",    { "0", "@", "1", "0", "0", "0" } },
    { "clock_nanosleep", { "0", "0", "@", "0", "0", "0" } }, /* the page holds 0 seconds */
};
/* clang-format on */

static const struct harmless *harmless_args(const char *name)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (strcmp(harmless[i].name, name) == 0)
            return &harmless[i];
    return NULL;
}

/* A job that makes these calls, a line each. */
static struct proc *start_lines(const char *name, const char *lines)
{
    const char *path = script(host->b, name, lines);

    if (way->probe)
        return coop_start_as(host->b, &(struct proc_how){ .in = PROC_IN_NULL }, "run", path);
    return coop_start_as(host->b, &(struct proc_how){ .in = PROC_IN_NULL }, "run", "--stdin", path,
                         support_program("tests/native/attack.so"), "-");
}

/* The rule's call with one argument's value changed. */
static const char *call_text(const struct rule *r, unsigned index, uint64_t value)
{
    const struct harmless *h = harmless_args(r->name);
    const char *text = support_text("call %u", r->nr);

    if (h == NULL)
        support_fail("harmless[] has to say with what %s may be called", r->name);
    for (unsigned i = 0; i < CALL_ARGS; i++) {
        const char *arg = h->args[i];

        for (unsigned k = 0; k < r->n_args; k++)
            if (r->args[k].index == i)
                arg = support_text("0x%" PRIx64, i == index ? value : r->args[k].value);
        text = support_text("%s %s", text, arg);
    }
    return text;
}

/* ---- bits that are free -------------------------------------------------------------------------------------------------------- */

static void allowed_arguments_pass(void **state)
{
    const struct rule *r = *state;
    const char *text = support_text("%s\n", call_text(r, r->args[0].index, r->args[0].value));
    size_t calls = 1, answers = 0;
    struct proc *p;

    for (unsigned a = 0; a < r->n_args; a++)
        for (unsigned bit = 0; bit < 64; bit++)
            if ((r->args[a].mask >> bit & 1) == 0) {
                text = support_text("%s%s\n", text, call_text(r, r->args[a].index, r->args[a].value ^ 1ull << bit));
                calls++;
            }
    p = proc_expect(start_lines("allowed.lua", text), 0);
    for (const char *at = p->out.bytes; (at = strstr(at, "call ")) != NULL; at++)
        answers++;
    assert_int_equal(answers, calls);
    host_unharmed(host);
}

/* ---- bits that are not --------------------------------------------------------------------------------------------------------- */

/* Some at once, because each is a process or two. */
struct denied {
    struct proc *p[AT_ONCE];
    const char *named[AT_ONCE], *text[AT_ONCE];
    size_t n;
};

static void denied_end(struct denied *d)
{
    for (size_t i = 0; i < d->n; i++) {
        struct proc *p = d->p[i];

        if (proc_end(p) != COOP_EXIT_POLICY || strstr(p->err.bytes, d->named[i]) == NULL || p->out.len != 0)
            support_fail("\"%s\" ended with %d and said: %s%s\nwanted: policy, \"%s\"", d->text[i], p->code, p->out.bytes, p->err.bytes,
                         d->named[i]);
        host_forget(p);
    }
    d->n = 0;
}

static void denied_start(struct denied *d, const char *call, const char *named)
{
    d->text[d->n] = call;
    d->named[d->n] = named;
    d->p[d->n] = start_lines(support_text("denied%zu.lua", d->n), support_text("%s\n", call));
    d->n++;
    if (d->n == AT_ONCE)
        denied_end(d);
}

/* An argument of the rule's call with one changed. */
static uint64_t arg_of(const struct rule *r, unsigned index, uint64_t value, unsigned i)
{
    const char *text = harmless_args(r->name)->args[i];

    for (unsigned k = 0; k < r->n_args; k++)
        if (r->args[k].index == i)
            return i == index ? value : r->args[k].value;
    return *text == '@' ? (uint64_t)(uintptr_t)text : strtoull(text, NULL, 0); /* any address */
}

static bool another_rule_holds(const struct rule *r, unsigned index, uint64_t value)
{
    for (size_t i = 0; i < n_rules; i++) {
        const struct rule *o = &rules[i];
        unsigned holds = 0;

        if (o == r || o->nr != r->nr)
            continue;
        for (unsigned a = 0; a < o->n_args; a++)
            holds += (arg_of(r, index, value, o->args[a].index) & o->args[a].mask) == o->args[a].value;
        if (holds == o->n_args)
            return true;
    }
    return false;
}

static const struct named_call *who_answers(unsigned nr)
{
    for (size_t i = 0; i < n_answered; i++)
        if (answered[i].nr == nr)
            return &answered[i];
    return NULL;
}

/* That these are none of a job's descriptors, or its input, of which nothing is asked; or, where the policy itself refuses it, so. */
static size_t count_answers(const char *out, int error)
{
    const char *refused = support_text("call -1 %d\n", error != 0 ? error : EBADF);
    size_t n = 0;

    for (; (out = strstr(out, "call ")) != NULL; out++)
        n += strncmp(out, refused, strlen(refused)) == 0 || (error == 0 && strncmp(out, "call 0 0\n", 9) == 0);
    return n;
}

static void changed_arguments_end_the_job(void **state)
{
    const struct rule *r = *state;
    const struct named_call *answer = who_answers(r->nr);
    const char *named = support_text("%s(", r->name), *go_on = "";
    struct denied d = { .n = 0 };
    size_t tried = 0, bits = 0;

    for (unsigned a = 0; a < r->n_args; a++) {
        bits += (size_t)__builtin_popcountll(r->args[a].mask);
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t value = r->args[a].value ^ 1ull << bit;
            const char *text;

            if ((r->args[a].mask >> bit & 1) == 0 || another_rule_holds(r, r->args[a].index, value))
                continue;
            text = call_text(r, r->args[a].index, value);
            if (answer != NULL)
                go_on = support_text("%s%s\n", go_on, text);
            else
                denied_start(&d, text, named);
            tried++;
        }
    }
    denied_end(&d);
    if (answer != NULL)
        assert_int_equal(count_answers(proc_expect(start_lines("answered.lua", go_on), 0)->out.bytes, answer->error), tried);
    assert_true(tried + 5 >= bits); /* a few lead to another row: of close, as many as there are spans of numbers */
    host_unharmed(host);
}

/* ---- calls without a row ------------------------------------------------------------------------------------------------------- */

static void a_call_without_a_row_ends_the_job_and_is_named(void **state)
{
    struct denied d = { .n = 0 };

    (void)state;
    assert_true(n_absent > 250);
    for (size_t i = 0; i < n_absent; i++)
        denied_start(&d, support_text("call %u", absent[i].nr), support_text("%s(", absent[i].name));
    denied_end(&d);
    host_unharmed(host);
}

/* 335 and 336 pass by every filter, from Linux 6.11 (uretprobe) and 6.18 (uprobe) on: test_attempts has them. */
static void a_number_that_is_no_call_is_answered_enosys(void **state)
{
    static const struct {
        long first, last;
    } spans[] = {
        {337,         423       },
        { 451,        800       },
        { 1023,       1025      },
        { 0xffff,     0x10000   },
        { 0x3fffffff, 0x3fffffff},
        { -1,         -1        }
    };
    const char *text = "";
    size_t calls = 0, answers = 0;
    struct proc *p;

    (void)state;
    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        for (long nr = spans[i].first; nr <= spans[i].last; nr++, calls++)
            text = support_text("%scall %ld\n", text, nr);
    p = proc_expect(start_lines("unknown.lua", text), 0);
    for (const char *at = p->out.bytes; (at = strstr(at, "call -1 38\n")) != NULL; at++)
        answers++;
    assert_int_equal(answers, calls);
}

static void every_x32_number_is_killed_at_once(void **state)
{
    static const unsigned numbers[] = { 0, 1, 9, 41, 59, 334, 512, 520, 547, (unsigned)-38 };
    struct denied d = { .n = 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        denied_start(&d, support_text("call 0x%x", 0x40000000u | numbers[i]), "foreign ABI");
    denied_end(&d);
}

static void the_broker_is_as_it_was_before(void **state)
{
    (void)state;
    host_at_rest(host);
}

/* ---- reading the policy -------------------------------------------------------------------------------------------------------- */

static FILE *ask_probe(const char *what)
{
    return popen(support_text("'%s' %s %s", support_program("tests/escape/probe-worker"), what, way->profile), "r");
}

static size_t read_calls(const char *what, struct named_call *into)
{
    FILE *f = ask_probe(what);
    size_t n = 0;

    while (f != NULL && n < ABSENT_MAX && fscanf(f, "%39s %u %d", into[n].name, &into[n].nr, &into[n].error) == 3)
        n++;
    return f != NULL && pclose(f) == 0 ? n : 0;
}

static void read_rule(const char *line, struct rule *r)
{
    struct arg_rule *a = r->args;
    int n = sscanf(line, "%39s %u %u %" SCNx64 " %" SCNx64 " %u %" SCNx64 " %" SCNx64 " %u %" SCNx64 " %" SCNx64, r->name, &r->nr,
                   &a[0].index, &a[0].mask, &a[0].value, &a[1].index, &a[1].mask, &a[1].value, &a[2].index, &a[2].mask, &a[2].value);

    r->n_args = (unsigned)(n - 2) / 3;
}

static void read_policy(void)
{
    FILE *f = ask_probe("--rules");
    char line[256];

    n_rules = 0;
    while (f != NULL && n_rules < RULES_MAX && fgets(line, sizeof(line), f) != NULL)
        read_rule(line, &rules[n_rules++]);
    if (f == NULL || pclose(f) != 0)
        n_rules = 0;
    n_absent = read_calls("--absent", absent);
    n_answered = read_calls("--answered", answered);
    support_release();
}

static int group_up(void **state)
{
    (void)state; /* stays NULL: a group's state would stand before a test's own */
    host = host_new();
    host->profile = way->profile;
    if (way->probe) {
        host->b->args[2] = "--worker";
        host->b->args[3] = support_program("tests/escape/probe-worker");
    }
    host_up(host, way->probe ? script(host->b, "noop.lua", "noise 1 1\n") : support_program("tests/native/attack.so"));
    return 0;
}

static int group_down(void **state)
{
    void *b = host->b;

    (void)state;
    return broker_teardown(&b);
}

static char *name_of(const struct rule *r, const char *what)
{
    char *text = NULL;

    if (asprintf(&text, "%s, argument %u of value 0x%" PRIx64 ": %s", r->name, r->args[0].index, r->args[0].value, what) < 0)
        abort();
    return text;
}

static int run_way(const struct way *w)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(a_call_without_a_row_ends_the_job_and_is_named),
        cmocka_unit_test(a_number_that_is_no_call_is_answered_enosys),
        cmocka_unit_test(every_x32_number_is_killed_at_once),
        cmocka_unit_test(the_broker_is_as_it_was_before),
    };
    static struct CMUnitTest tests[2 * RULES_MAX + sizeof(others) / sizeof(others[0])];
    static char *names[2 * RULES_MAX];
    size_t n = 0;
    int failed;

    way = w;
    read_policy();
    if (n_rules == 0 || n_absent == 0) {
        fprintf(stderr, "probe-worker --rules or --absent does not work\n");
        return 1;
    }
    for (size_t i = 0; i < n_rules; i++, n += 2) {
        names[n] = name_of(&rules[i], "what it leaves free passes");
        names[n + 1] = name_of(&rules[i], "each bit of it changed ends the job");
        tests[n] = (struct CMUnitTest){ names[n], allowed_arguments_pass, NULL, NULL, &rules[i] };
        tests[n + 1] = (struct CMUnitTest){ names[n + 1], changed_arguments_end_the_job, NULL, NULL, &rules[i] };
    }
    memcpy(tests + n, others, sizeof(others));
    n += sizeof(others) / sizeof(others[0]);
    failed = _cmocka_run_group_tests(w->title, tests, n, group_up, group_down);
    for (size_t i = 0; i < 2 * n_rules; i++)
        free(names[i]);
    return failed;
}

int main(void)
{
    int failed = run_way(&ways[0]);

    return failed + run_way(&ways[1]) == 0 ? 0 : 1;
}
