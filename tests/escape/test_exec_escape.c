/*
 * test_exec_escape.c - hostile programs: each attempt of exec_attempts.h as a job of its own beside an honest one, at each tier that there is;
 * by root's broker and by an ordinary user's. After each: no harm (host.h), the neighbour's answer exact, the receipt true. After each group:
 * the broker as before, and nothing left on the machine (tests/support/traces.h).
 *
 * A run of all groups writes build/escape-table.md, which `make docs` puts into docs/security.md.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/escape/attempt.h"
#include "tests/escape/exec_attempts.h"
#include "tests/support/traces.h"

#define LIMITS "cpu=20s,wall=30s,memory=128M,stdout=64K,stderr=64K"

/* ---- the rows and the ways to run them -------------------------------------------------------------------------------------------- */

struct row {
    int number;
    const char *name, *expected, *limits;
};

#define CALL_ROW(number, name, expected, ...)   { number, #name, expected, NULL },
#define ACT_ROW(number, name, expected, limits) { number, #name, expected, limits },
/* clang-format off */
static const struct row rows[] = { EXEC_CALLS(CALL_ROW) EXEC_ACTS(ACT_ROW) };
/* clang-format on */
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

struct left_out {
    int number;
    const char *why;
};
#define LEFT_OUT_ROW(number, why) { number, why },
static const struct left_out left_out[] = { EXEC_LEFT_OUT(LEFT_OUT_ROW) };
enum { N_LEFT_OUT = sizeof(left_out) / sizeof(left_out[0]) };

static const struct way {
    const char *title, *tier;
    uid_t uid; /* 0: as we are */
} ways[] = {
    {"T0, root's broker",              "T0", 0             },
    { "T1, an ordinary user's broker", "T1", SUPPORT_NOBODY},
    { "T2, root's broker",             "T2", 0             },
    { "T2, an ordinary user's broker", "T2", SUPPORT_NOBODY},
};
enum { N_WAYS = sizeof(ways) / sizeof(ways[0]) };

enum result { NOT_RUN, HELD, LEFT, FAILED };
static enum result results[N_ROWS][N_WAYS];

/* ---- the group that runs ---------------------------------------------------------------------------------------------------------- */

static const struct way *way;
static struct host *host; /* NULL: this tier is not to be had here */
static struct broker *group_broker;
static const char *why_not;
static bool holds_pids; /* where nothing does, a job that asks for it is refused */
static struct proc *neighbour;
static unsigned neighbour_seed;
static pid_t zygote;
static const struct traces *before;

static const char *probe(void)
{
    return support_program("tests/escape/probes/probe");
}

static void expect_neighbour_answers(void)
{
    char answer[2049], line[16];
    unsigned seed = ++neighbour_seed;
    size_t from = neighbour->out.len;

    (void)snprintf(line, sizeof(line), "%u\n", seed);
    for (size_t i = 0; i < 2047; i++) {
        seed = seed * 1664525u + 1013904223u;
        answer[i] = (char)('a' + (seed >> 24) % 26);
    }
    answer[2047] = '\n';
    proc_write(neighbour, line, strlen(line));
    proc_until_len(neighbour, &neighbour->out, from + 2048);
    assert_int_equal(neighbour->out.len, from + 2048);
    assert_memory_equal(neighbour->out.bytes + from, answer, 2048);
}

/* ---- one attempt ------------------------------------------------------------------------------------------------------------------ */

/* What is expected at this tier. */
static const char *expected_of(const struct row *r)
{
    const char *bar = strstr(r->expected, " | ");

    if (bar == NULL)
        return r->expected;
    return strcmp(way->tier, "T2") == 0 ? bar + 3 : support_text("%.*s", (int)(bar - r->expected), r->expected);
}

static struct ended run(const struct row *r)
{
    struct proc *p = coop(host->b, "run", "--json", "--limit", holds_pids ? LIMITS ",pids=64" : LIMITS, "--limit",
                          r->limits != NULL ? r->limits : "cpu=20s", probe(), r->name, support_text("%d", (int)host->b->proc->pid),
                          support_text("%d", (int)zygote), host->canary, host->b->run_dir);

    return attempt_heard(p);
}

static bool has_word(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; len > 0 && (at = strstr(at, word)) != NULL; at++)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static void expect_answer(const struct row *r, const struct ended *e, const char *errnos)
{
    char name[64];
    int error = 0;
    long ret = 0;

    attempt_ended(e, "ok");
    if (sscanf(e->out, "%63s %ld %d", name, &ret, &error) != 3 || strcmp(name, r->name) != 0)
        support_fail("it said \"%s\"", e->out);
    if (ret != -1 || !has_word(errnos, strerrorname_np(error)))
        support_fail("it got %ld with %s, wanted -1 with one of: %s", ret, strerrorname_np(error), errnos);
}

static void expect_return(const struct row *r, const struct ended *e, const char *value)
{
    attempt_ended(e, *value != '\0' ? "ok" : "ok signal"); /* what it does to itself is its own */
    if (strcmp(e->cause, "signal") == 0)
        return;
    if (*value != '\0')
        assert_string_equal(e->out, support_text("%s %s 0\n", r->name, value));
    else
        assert_int_equal(strncmp(e->out, r->name, strlen(r->name)), 0);
}

static void expect_named(const struct ended *e, const char *call)
{
    attempt_ended(e, "policy");
    assert_string_equal(e->out, "");
    if (strcmp(support_text("%.*s", (int)strcspn(json_str(e->receipt, "violation.name"), " ("), json_str(e->receipt, "violation.name")),
               call) != 0)
        support_fail("the receipt names %s, wanted %s: %.1500s", json_str(e->receipt, "violation.name"), call, json_shown(e->receipt));
    assert_non_null(strstr(e->detail, call));
}

static void expect_outcome(const struct row *r, const struct ended *e)
{
    const char *x = expected_of(r), *rest = strlen(x) > 2 ? x + 2 : "";

    if (strcmp(x, "Ks") == 0) {
        attempt_ended(e, "policy signal");
        assert_string_equal(e->out, "");
        if (strcmp(e->cause, "signal") == 0)
            assert_int_equal(e->signal, SIGSYS);
    } else if (*x == 'K') {
        expect_named(e, rest);
    } else if (*x == 'A') {
        expect_answer(r, e, rest);
    } else if (*x == 'O') {
        expect_return(r, e, rest);
    } else {
        attempt_ended(e, rest);
        if (strcmp(e->cause, "ok") == 0 && strcmp(r->name, "exit_256") != 0)
            assert_string_equal(e->out, support_text("%s 0 0\n", r->name));
    }
}

/* The receipt says what held, whatever was tried. */
static void receipt_is_true(const struct ended *e)
{
    json_t *r = e->receipt;

    assert_int_equal(json_num(r, "attempt"), 1);
    assert_string_equal(json_str(r, "enforcement.tier"), way->tier);
    assert_string_equal(json_str(r, "enforcement.seccomp"), "exec");
    assert_int_equal(strlen(json_str(r, "enforcement.seccomp_hash")), 64);
    for (const char *p = e->detail; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20 && *p != 0x7f);
    attempt_numbers_are_not_negative(r);
}

/* What the row has to do with nothing holds here: it is not run at all. */
static bool is_refused(const struct row *r)
{
    struct ended e;

    if (holds_pids || r->limits == NULL || strstr(r->limits, "pids=") == NULL)
        return false;
    e = run(r);
    assert_string_equal(e.cause, "start_failed");
    assert_non_null(strstr(e.detail, "limit pids: nothing enforces it here, at tier T2 without a control group"));
    return true;
}

static void attempt_holds(void **state)
{
    const struct row *r = *state;
    enum result *result = &results[r - rows][way - ways];
    struct ended e;

    if (host == NULL)
        skip();
    *result = FAILED;
    if (*expected_of(r) == 'S' || is_refused(r)) {
        *result = LEFT;
        skip();
    }
    e = run(r);
    expect_outcome(r, &e);
    receipt_is_true(&e);
    expect_neighbour_answers(); /* through the broker */
    host_same(host);
    *result = HELD;
}

/* The same attempt ends the same, however often. */
static void a_hundred_in_a_row_end_the_same(void **state)
{
    const struct row call = { 74, "socket_inet", "K socket", NULL }, answer = { 84, "io_uring_setup", "A ENOSYS", NULL };

    (void)state;
    if (host == NULL)
        skip();
    for (int i = 0; i < 100; i++) {
        const struct row *r = i % 2 == 0 ? &call : &answer;
        struct ended e = run(r);

        expect_outcome(r, &e);
    }
    host_unharmed(host);
}

static void the_broker_is_as_it_was_and_nothing_is_left(void **state)
{
    (void)state;
    if (host == NULL)
        skip();
    proc_close_in(neighbour);
    (void)proc_expect(neighbour, 0);
    host_at_rest(host);
    traces_expect(host->b, before);
}

/* ---- groups ----------------------------------------------------------------------------------------------------------------------- */

/* Whether programs run here at that tier: what the broker says when they do not is why the group is left out. */
static bool tier_is_there(void)
{
    struct proc *p = coop(host->b, "run", "--json", "--require", support_text("tier=%s", way->tier), probe(), "noop");
    json_t *r = json_line(&p->out, json_lines(&p->out) - 1);

    if (p->code == 0)
        return true;
    why_not = strdup(json_str(r, "cause_detail"));
    return false;
}

/*
 * A user's own broker may make no group among root's, but uses those that root's broker of that user has left (docs/security.md, what stays): not
 * there yet on a machine that has just started. Where it finds none all the same, it holds what it can without.
 */
static void leave_groups(uid_t uid)
{
    struct broker *b = broker_new();

    if (!broker_belongs_to(b, uid))
        return;
    b->uid = 0; /* root starts it */
    b->args[0] = "--user";
    b->args[1] = support_text("%u", (unsigned)uid);
    broker_up(b);
    assert_int_equal(broker_down(b), 0);
}

static int group_up(void **state)
{
    struct host *h;

    if (geteuid() == 0 && way->uid != 0)
        leave_groups(way->uid);
    h = host_new();
    (void)state; /* stays NULL: a group's state would stand before a test's own */
    host = NULL;
    why_not = "this user cannot run the programs";
    group_broker = h->b;
    neighbour_seed = 0;
    h->profile = "exec";
    h->b->args[2] = "--tier";
    h->b->args[3] = way->tier;
    if (geteuid() == 0 ? way->uid != 0 && !broker_belongs_to(h->b, way->uid) : way->uid == 0)
        return 0; /* we are an ordinary user ourselves, or not at all */
    if (way->uid != 0 && geteuid() == 0)
        host_canary_belongs_to(h, way->uid);
    host = h;
    if (chmod(h->b->dir, 0711) != 0) /* at T2 a program's own directory has its path in there */
        support_fail("chmod: %s", strerror(errno));
    broker_up(h->b);
    holds_pids = strcmp(way->tier, "T2") != 0 || broker_said(h->b, "event=cgroups", "kind=none") == 0;
    if (!tier_is_there()) {
        host = NULL;
        return 0;
    }
    assert_int_equal(broker_down(h->b), 0);
    traces_begin();
    host_up(h, script(h->b, "noop.lua", "print('x')\n"));
    for (int i = 0; i < 4; i++)
        (void)proc_expect(coop(h->b, "run", probe(), "noop"), 0);
    host_rest(h);
    h->zygotes = host_zygotes(h);
    h->fds = host_fds(h->b->proc->pid);
    h->rss_kb = tree_status_kb(h->b->proc->pid, "VmRSS");
    h->run_dir_was = host_list(h->b->run_dir);
    zygote = broker_zygote_of(h->b, "exec");
    before = traces_settled(h->b);
    neighbour = coop_start(h->b, "run", "--limit", "wall=1h,stdout=64M", probe(), "neighbour");
    expect_neighbour_answers();
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    if (host == NULL)
        printf("@ %s: not here: %s\n", way->title, why_not);
    host = NULL;
    return broker_teardown(&b);
}

/* COOP_ESCAPE_ROWS=acts, where time is short: without the rows of one call each, which the filter answers, alike on every kernel. */
static bool acts_only(void)
{
    const char *which = getenv("COOP_ESCAPE_ROWS");

    return which != NULL && strcmp(which, "acts") == 0;
}

#define ONE(...) +1
enum { N_CALLS = 0 EXEC_CALLS(ONE) };

static int run_way(const struct way *w)
{
    static struct CMUnitTest tests[N_ROWS + 2];
    size_t n = 0;

    way = w;
    for (size_t i = acts_only() ? N_CALLS : 0; i < N_ROWS; i++)
        tests[n++] = (struct CMUnitTest){ rows[i].name, attempt_holds, NULL, NULL, (void *)&rows[i] };
    if (!acts_only())
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_hundred_in_a_row_end_the_same);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_broker_is_as_it_was_and_nothing_is_left);
    return _cmocka_run_group_tests(w->title, tests, n, group_up, group_down);
}

/* ---- the list itself ------------------------------------------------------------------------------------------------------------- */

static void each_row_has_a_name_of_its_own_and_a_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ROWS; i++) {
        assert_non_null(strchr("KAOC", rows[i].expected[0]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(rows[i].name, rows[k].name);
        for (size_t k = 0; k < N_LEFT_OUT; k++)
            assert_true(rows[i].number != left_out[k].number); /* tried, or left out with a reason */
    }
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct row *x = *(const struct row *const *)a, *y = *(const struct row *const *)b;

    return x->number != y->number ? x->number - y->number : strcmp(x->name, y->name);
}

static const char *in_words(const char *expected)
{
    static char text[128];

    if (strcmp(expected, "Ks") == 0)
        return "killed at once";
    (void)snprintf(text, sizeof(text), "%s%s",
                   *expected == 'K'   ? "ends the job, named: "
                   : *expected == 'A' ? ""
                   : *expected == 'O' ? "harmless "
                   : *expected == 'S' ? "left out: "
                                      : "contained: ",
                   *expected == 'O' ? "" : expected + 2);
    return text;
}

static void print_row(FILE *f, const struct row *r)
{
    static const char *const words[] = { "not run", "held", "left out", "FAILED" };
    const char *bar = strstr(r->expected, " | ");
    size_t len = bar != NULL ? (size_t)(bar - r->expected) : strlen(r->expected);
    char first[128];

    (void)snprintf(first, sizeof(first), "%.*s", (int)len, r->expected);
    fprintf(f, "| %d | %s | %s", r->number, r->name, in_words(first));
    if (bar != NULL)
        fprintf(f, "; at T2 %s", in_words(bar + 3));
    for (size_t w = 0; w < N_WAYS; w++)
        fprintf(f, " | %s", words[results[r - rows][w]]);
    fprintf(f, " |\n");
}

static void write_table(const char *path)
{
    const struct row *sorted[N_ROWS];
    FILE *f = fopen(path, "we");

    if (f == NULL)
        return;
    for (size_t i = 0; i < N_ROWS; i++)
        sorted[i] = &rows[i];
    qsort(sorted, N_ROWS, sizeof(sorted[0]), by_number);
    fprintf(f, "| no. | attempt | what comes of it |");
    for (size_t w = 0; w < N_WAYS; w++)
        fprintf(f, " %s |", ways[w].title);
    fprintf(f, "\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_ROWS; i++)
        print_row(f, sorted[i]);
    fprintf(f, "\nNot tried by a program, of the same list:\n\n");
    for (size_t i = 0; i < N_LEFT_OUT; i++)
        fprintf(f, "- %d: %s\n", left_out[i].number, left_out[i].why);
    (void)fclose(f);
}

static void print_figures(void)
{
    for (size_t w = 0; w < N_WAYS; w++) {
        unsigned n[4] = { 0 };

        for (size_t i = 0; i < N_ROWS; i++)
            n[results[i][w]]++;
        printf("@ %-32s %3zu attempts, %3u held, %u failed, %u left out by name, %u not run\n", ways[w].title, (size_t)N_ROWS, n[HELD],
               n[FAILED], n[LEFT], n[NOT_RUN]);
    }
}

int main(void)
{
    static const struct CMUnitTest of_the_list[] = { cmocka_unit_test(each_row_has_a_name_of_its_own_and_a_kind) };
    const char *only = getenv("COOP_ESCAPE_TIER"), *table;
    int failed;

    cmocka_set_test_filter(getenv("TEST"));
    failed = cmocka_run_group_tests_name("attempts of programs", of_the_list, NULL, NULL);
    for (size_t i = 0; i < N_WAYS; i++)
        if ((only == NULL || strcmp(only, ways[i].tier) == 0) && (ways[i].uid == 0 || host_as_other()))
            failed += run_way(&ways[i]);
    print_figures();
    table = support_text("%s", support_program("../escape-table.md"));
    if (only == NULL && !acts_only() && getenv("TEST") == NULL && host_as_other() && geteuid() == 0)
        write_table(table);
    support_release();
    return failed == 0 ? 0 : 1;
}
