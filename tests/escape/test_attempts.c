/*
 * test_attempts.c - each attempt that probe_worker.c knows, as a job of its own beside an honest one; started by us and by another user.
 *
 * The outcome is the one that the probe's table promises; for those that are only contained, contained[] below says which ends are
 * right. After each: no harm (host.h), the neighbour's output exact, the receipt true. After each group: the broker as before.
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

enum { MEMORY_MIB = 32, AS_SLACK_MIB = 2, CASES_MAX = 512, NOISE = 20000 };

struct attempt {
    char name[64], code[4], call[64];
    int number;
};

static struct attempt attempts[CASES_MAX];
static size_t n_attempts;

/* ---- the ends that are right --------------------------------------------------------------------------------------------------- */

static void died_by(const struct ended *e, int sig)
{
    if (strcmp(e->cause, "signal") == 0 && e->signal != sig)
        support_fail("it died by signal %d, not %d", e->signal, sig);
}

static void by_sigsegv(const struct host *h, const struct ended *e)
{
    (void)h;
    died_by(e, SIGSEGV);
}

static void by_sigill(const struct host *h, const struct ended *e)
{
    (void)h;
    died_by(e, SIGILL);
}

static void by_sigfpe(const struct host *h, const struct ended *e)
{
    (void)h;
    died_by(e, SIGFPE);
}

static void by_sigtrap(const struct host *h, const struct ended *e)
{
    (void)h;
    died_by(e, SIGTRAP);
}

static void enosys_or_sigill(const struct host *h, const struct ended *e)
{
    (void)h;
    if (strcmp(e->cause, "ok") == 0)
        assert_string_equal(e->out, "uretprobe_335 -1 38\n");
    died_by(e, SIGILL);
}

static void enosys_or_enxio(const struct host *h, const struct ended *e)
{
    (void)h;
    if (strcmp(e->out, "uprobe_336 -1 38\n") != 0)
        assert_string_equal(e->out, "uprobe_336 -1 6\n");
}

static void little_memory(const struct host *h, const struct ended *e)
{
    long mib = 0;

    (void)h;
    assert_int_equal(sscanf(e->out, "memory %ld 0\n", &mib), 1);
    assert_in_range(mib, 1, MEMORY_MIB + AS_SLACK_MIB);
    assert_true(json_num(e->receipt, "usage.mem_peak_bytes") < (MEMORY_MIB + AS_SLACK_MIB + 32) * 1048576LL);
}

static void some_maps(const struct host *h, const struct ended *e)
{
    long n = 0;

    (void)h;
    assert_int_equal(sscanf(e->out, "many_maps %ld 0\n", &n), 1);
    assert_in_range(n, 1, 70000); /* vm.max_map_count */
}

static void no_terabyte(const struct host *h, const struct ended *e)
{
    (void)h;
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    assert_non_null(strstr(e->out, "mmap_1tb ")); /* no address-space limit there; nothing of it is touched */
#else
    assert_string_equal(e->out, "mmap_1tb -1 12\n");
#endif
}

static void whole_output(const struct host *h, const struct ended *e)
{
    if (strcmp(e->cause, "ok") != 0)
        return;
    (void)h;
    assert_true(strlen(e->out) > 20000);
    for (size_t i = 0; i < 20000; i++)
        assert_int_equal(e->out[i], '0' + i % 10);
    assert_string_equal(strchr(e->out, ' '), " 1 0\n");
}

static void four_descriptors(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->out, "descriptors.fd 0 0\ndescriptors.fd 1 0\ndescriptors.fd 2 0\ndescriptors.fd 3 0\ndescriptors 4 0\n");
}

static void into_nothing(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->out, "write_elsewhere 1 0\n"); /* its byte is nowhere */
}

static void cap_of_stdout(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_int_equal(json_num(e->receipt, "stdout.bytes"), ATTEMPT_OUT_CAP);
    assert_int_equal(json_num(e->receipt, "stderr.bytes"), 0);
    assert_true(json_is_true(json_at(e->receipt, "stdout.truncated")));
}

static void cap_of_stderr(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_int_equal(json_num(e->receipt, "stderr.bytes"), ATTEMPT_OUT_CAP);
    assert_int_equal(json_num(e->receipt, "stdout.bytes"), 0);
}

static void escaped_in_the_log(const struct host *h, const struct ended *e)
{
    const char *log = broker_log(h->b);

    assert_string_equal(e->out, "log_escapes 0 0\n");
    broker_says(h->b, "event=worker_says", "\\x1b[2J\\x0a%s%n event=forged job=1");
    assert_null(strchr(log, '\x1b'));
    for (const char *at = log; (at = strstr(at, "event=forged")) != NULL; at++) /* never where an event's own name stands */
        assert_memory_equal(at - 5, "%s%n ", 5);
}

static void quoted(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->detail, "\\x1b[2J\\x0a%s%n\\x0d cause=ok job=1");
}

static void dripped(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->out, "dripframe_drip 0 0\n");
}

static void names_the_tasklet(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->detail, "stack overflow in tasklet 2 digger");
    assert_string_equal(json_str(e->receipt, "error.type"), "StackOverflow");
    assert_non_null(strstr(e->err, "stack overflow in tasklet 2 digger\n    "));
    assert_string_equal(e->out, "");
}

static void names_the_tasklet_and_its_calls(const struct host *h, const struct ended *e)
{
    const char *calls = json_str(e->receipt, "error.traceback");

    names_the_tasklet(h, e);
    assert_non_null(strstr(calls, "probe-worker+0x"));
    assert_non_null(strstr(e->err, calls)); /* the same on standard error */
}

static void write_was_not_lost(const struct host *h, const struct ended *e)
{
    (void)h;
    if (strcmp(e->out, "tasklet_hibernates -95 0\n") != 0) /* a kernel or a build without */
        assert_string_equal(e->out, "tasklet_hibernates 42 0\n");
}

static void no_such_call(const struct host *h, const struct ended *e)
{
    (void)h;
    assert_string_equal(e->detail, "system call 4294967295 of the foreign ABI unknown: none of its calls is in a profile");
}

/* clang-format off */
static const struct contained {
    const char *name, *causes; /* with spaces between */
    const char *limits;        /* tighter ones; NULL: ATTEMPT_LIMITS */
    void (*check)(const struct host *h, const struct ended *e);
} contained[] = {
    { "uretprobe_335",      "ok signal",               NULL,         enosys_or_sigill },
    { "uprobe_336",         "ok",                      NULL,         enosys_or_enxio },
    { "vsyscall",           "ok policy signal",        NULL,         by_sigsegv },
    { "memory",             "ok",                      NULL,         little_memory },
    { "mmap_1tb",           "ok",                      NULL,         no_terabyte },
    { "stack",              "signal",                  NULL,         by_sigsegv },
    { "many_maps",          "ok",                      NULL,         some_maps },
    { "alarm_storm",        "ok",                      NULL,         whole_output },
    { "alarm_livelock",     "ok cpu_limit",            "cpu=200ms",  whole_output },
    { "spin_all_blocked",   "cpu_limit",               "cpu=200ms",  NULL },
    { "sleep_forever",      "wall_limit",              "wall=300ms", NULL },
    { "prlimit_cpu_end",    "cpu_limit signal policy", NULL,         NULL }, /* its own doing: never run again as if it were ours */
    { "segv",               "signal",                  NULL,         by_sigsegv },
    { "fpe",                "signal",                  NULL,         by_sigfpe },
    { "ill",                "signal",                  NULL,         by_sigill },
    { "trap",               "signal",                  NULL,         by_sigtrap },
    { "jump_into_data",     "signal",                  NULL,         by_sigsegv },
    { "tasklet_stack",      "exception",               NULL,         names_the_tasklet_and_its_calls },
    { "tasklet_canary",     "exception",               NULL,         names_the_tasklet },
    { "tasklet_hibernates", "ok",                      NULL,         write_was_not_lost },
    { "descriptors",        "ok",                      NULL,         four_descriptors },
    { "write_elsewhere",    "ok",                      NULL,         into_nothing },
    { "frame_silence",      "wall_limit",              "wall=300ms", NULL },
    { "frame_loris",        "wall_limit",              "wall=300ms", NULL }, /* the broker's patience: tests/system/test_liar.c */
    { "never_reads",        "wall_limit bad_result",   "wall=300ms", NULL },
    { "frame_drip",         "ok",                      NULL,         dripped },
    { "frame_two_bodies",   "ok bad_result",           NULL,         NULL },
    { "violation_forged",   "policy",                  NULL,         no_such_call },
    { "result_dropped_max", "ok bad_result",           NULL,         NULL },
    { "result_while_asked", "ok",                      NULL,         NULL },
    { "log_flood",          "ok bad_result",           NULL,         NULL },
    { "empty_output_flood", "ok bad_result",           NULL,         NULL },
    { "result_twice",       "ok",                      NULL,         NULL },
    { "result_huge",        "bad_result exception",    NULL,         NULL },
    { "log_escapes",        "ok",                      NULL,         escaped_in_the_log },
    { "error_escapes",      "exception",               NULL,         quoted },
    { "flood_stdout",       "output_limit",            NULL,         cap_of_stdout },
    { "flood_stderr",       "output_limit",            NULL,         cap_of_stderr },
    { "alternating_flood",  "output_limit",            "stdout=2K",  NULL },
    { "raw_exit",           "bad_result",              NULL,         NULL },
    { "raw_exit_0",         "bad_result",              NULL,         NULL },
    { "thread_exit",        "bad_result",              NULL,         NULL },
};
/* clang-format on */

static const struct contained *contained_row(const char *name)
{
    for (size_t i = 0; i < sizeof(contained) / sizeof(contained[0]); i++)
        if (strcmp(contained[i].name, name) == 0)
            return &contained[i];
    return NULL;
}

static void expect_named(const struct attempt *a, const struct ended *e)
{
    attempt_ended(e, "policy");
    assert_int_equal(e->signal, 0);
    if (strncmp(e->detail, a->call, strlen(a->call)) != 0 || e->detail[strlen(a->call)] != '(' ||
        strstr(e->detail, ") is not in profile lua") == NULL)
        support_fail("the receipt says \"%s\" of %s", e->detail, a->call);
    assert_string_equal(e->out, "");
}

static void expect_killed_at_once(const struct ended *e)
{
    attempt_ended(e, "policy");
    assert_int_equal(e->signal, SIGSYS);
    assert_string_equal(e->out, "");
}

static void expect_answer(const struct attempt *a, const struct ended *e, const char *answers)
{
    char name[64];
    int error = 0;
    long ret = 0;

    attempt_ended(e, "ok");
    if (sscanf(e->out, "%63s %ld %d\n", name, &ret, &error) != 3 || strcmp(name, a->name) != 0)
        support_fail("it said \"%s\"", e->out);
    if (ret != -1 || strstr(answers, strerrorname_np(error)) == NULL)
        support_fail("the call gave %ld with %s, wanted -1 with one of: %s", ret, strerrorname_np(error), answers);
}

static void expect_contained(const struct host *h, const struct attempt *a, const struct ended *e)
{
    const struct contained *c = contained_row(a->name);

    if (c == NULL)
        support_fail("contained[] has to say which ends are right for %s; it ended %s", a->name, e->cause);
    attempt_ended(e, c->causes);
    if (c->check != NULL)
        c->check(h, e);
}

static void expect_outcome(const struct host *h, const struct attempt *a, const struct ended *e)
{
    if (strcmp(a->code, "K") == 0)
        expect_named(a, e);
    else if (strcmp(a->code, "Ks") == 0)
        expect_killed_at_once(e);
    else if (strcmp(a->code, "N") == 0)
        expect_answer(a, e, "ENOSYS");
    else if (strcmp(a->code, "P") == 0)
        expect_answer(a, e, "EACCES EPERM ENOTTY");
    else if (strcmp(a->code, "B") == 0)
        attempt_ended(e, "bad_result");
    else
        expect_contained(h, a, e);
}

/* ---- one test for each attempt ------------------------------------------------------------------------------------------------- */

static struct host *host; /* of the group that runs; NULL: it cannot run here */
static struct broker *group_broker;
static struct neighbour neighbour;
static uid_t group_uid;

static void neighbour_up(void)
{
    char *says = support_keep(malloc(2 * NOISE + 8));

    memcpy(says, support_noise(NOISE, 7), NOISE);
    memcpy(says + NOISE, "waiting\n", 8);
    memcpy(says + NOISE + 8, support_noise(NOISE, 8), NOISE);
    neighbour = (struct neighbour){ support_text("noise 7 %d\nwait\nnoise 8 %d\n", NOISE, NOISE), says, 2 * NOISE + 8, NULL };
}

/* There is no address-space limit in these builds; and the end of an overflow, on a signal's stack, makes the sanitizer look for the stack's
 * bounds in a file, which is not there. */
static bool is_not_for_sanitizers(const struct attempt *a)
{
#if defined(COOP_ASAN) || defined(COOP_TSAN)
    return strcmp(a->name, "memory") == 0 || strcmp(a->name, "tasklet_stack") == 0;
#else
    (void)a;
    return false;
#endif
}

static void attempt_holds(void **state)
{
    const struct attempt *a = *state;
    const struct contained *c = contained_row(a->name);
    struct ended e;

    if (host == NULL || is_not_for_sanitizers(a))
        skip();
    attempt_neighbour(host, &neighbour);
    e = attempt_run(host, support_text("case %s\n", a->name), c != NULL ? c->limits : NULL);
    expect_outcome(host, a, &e);
    attempt_harmed_nobody(host, &neighbour, &e);
}

static int leave_no_neighbour(void **state)
{
    (void)state;
    if (host != NULL)
        attempt_teardown(host, &neighbour);
    return 0;
}

static void broker_is_as_before(void **state)
{
    (void)state;
    if (host == NULL)
        skip();
    host_at_rest(host);
}

static int group_up(void **state)
{
    struct host *h = host_new();

    (void)state; /* stays NULL: a group's state would stand before a test's own */
    host = NULL;
    group_broker = h->b;
    h->b->args[2] = "--worker";
    h->b->args[3] = support_program("tests/escape/probe-worker");
    if (group_uid != 0 && !broker_belongs_to(h->b, group_uid))
        return 0;
    neighbour_up();
    host_up(h, script(h->b, "noop.lua", "noise 1 1\n"));
    host = h;
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    host = NULL;
    return broker_teardown(&b);
}

/* ---- groups -------------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct group {
    const char *name;
    int first, last; /* of the numbers in the list of attempts */
} groups[] = {
    { "ABI and filter", 1, 16 },  { "memory", 17, 29 },          { "processes", 30, 48 },       { "descriptors", 49, 54 },
    { "link frames", 55, 60 },    { "files", 61, 69 },           { "cross-tenant", 70, 83 },    { "kernel surface", 84, 103 },
    { "output and time", 104, 110 },
};
/* clang-format on */

static const char *sentence_of(const struct attempt *a)
{
    static const struct {
        const char *code, *sentence;
    } sentences[] = {
        {"K",   "ends its job, and the receipt names the call"},
        { "Ks", "is killed by the kernel at once"             },
        { "N",  "is answered ENOSYS, and the job goes on"     },
        { "P",  "is refused, and the job goes on"             },
        { "B",  "ends its own job as bad_result"              },
        { "O",  "is harmless"                                 },
    };

    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strcmp(sentences[i].code, a->code) == 0)
            return sentences[i].sentence;
    return "is contained";
}

static char names[2 * CASES_MAX][160]; /* cmocka borrows them until the program ends */
static size_t n_names;

static const char *test_name(const char *fmt, ...)
{
    char *name = names[n_names++];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(name, sizeof(names[0]), fmt, ap);
    va_end(ap);
    return name;
}

static int run_group(const struct group *g, const char *user)
{
    static struct CMUnitTest tests[CASES_MAX];
    size_t n = 0;

    for (size_t i = 0; i < n_attempts; i++) {
        struct attempt *a = &attempts[i];

        if (a->number < g->first || a->number > g->last)
            continue;
        tests[n++] = (struct CMUnitTest){ test_name("%s: %s (%d) %s, %s", g->name, a->name, a->number, sentence_of(a), user), attempt_holds,
                                          NULL, leave_no_neighbour, a };
    }
    tests[n++] =
        (struct CMUnitTest){ test_name("%s: the broker is as it was before, %s", g->name, user), broker_is_as_before, NULL, NULL, NULL };
    return _cmocka_run_group_tests(g->name, tests, n, group_up, group_down);
}

/* What is in the table and in no group would be tried by nobody. */
static void every_attempt_is_in_a_group(void **state)
{
    (void)state;
    assert_true(n_attempts > 250);
    for (size_t i = 0; i < n_attempts; i++) {
        size_t in = 0;

        for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
            in += attempts[i].number >= groups[g].first && attempts[i].number <= groups[g].last;
        if (in != 1)
            fail_msg("%s (%d) is in %zu groups", attempts[i].name, attempts[i].number, in);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(attempts[i].name, attempts[k].name);
    }
}

static void every_contained_row_is_an_attempt(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(contained) / sizeof(contained[0]); i++) {
        size_t known = 0;

        for (size_t k = 0; k < n_attempts; k++)
            known += strcmp(attempts[k].name, contained[i].name) == 0 && strchr("CO", attempts[k].code[0]) != NULL;
        if (known != 1)
            fail_msg("contained[] has %s, which the probe does not call C or O", contained[i].name);
    }
}

static void read_attempts(void)
{
    FILE *f = popen(support_text("'%s' --cases", support_program("tests/escape/probe-worker")), "r");
    struct attempt *a = attempts;

    while (f != NULL && n_attempts < CASES_MAX && fscanf(f, "%63s %d %3s %63s", a->name, &a->number, a->code, a->call) == 4)
        a = &attempts[++n_attempts];
    if (f == NULL || pclose(f) != 0 || n_attempts == 0) {
        fprintf(stderr, "probe-worker --cases does not work\n");
        exit(1);
    }
    support_release();
}

int main(void)
{
    static const struct CMUnitTest of_the_table[] = { cmocka_unit_test(every_attempt_is_in_a_group),
                                                      cmocka_unit_test(every_contained_row_is_an_attempt) };
    int failed;

    read_attempts();
    failed = cmocka_run_group_tests_name("attempts", of_the_table, NULL, NULL);
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        group_uid = 0;
        failed += run_group(&groups[i], "as started by us");
        group_uid = SUPPORT_NOBODY;
        if (host_as_other())
            failed += run_group(&groups[i], "as started by another user");
    }
    return failed == 0 ? 0 : 1;
}
