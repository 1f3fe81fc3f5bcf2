/* test_exec_seal.c - calls that no row allows end the job and are told by name, place and caller; init keeps its hands clean. */
#include "exec_fixture.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "worker/policy.h"

#ifndef SECCOMP_FILTER_FLAG_NEW_LISTENER
#define SECCOMP_FILTER_FLAG_NEW_LISTENER (1UL << 3)
#endif

enum {
    UNLISTED = SYS_acct,
    GRANTABLE = SYS_vserver
}; /* calls without a row: the first test looks. The kernel has nothing behind the second */

#ifdef COOP_ASAN
/* Inside, the search for leaks would trace its own process; and it finds its options in /proc only. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* ---- what runs inside: this program ---------------------------------------------------------------------------------------------- */

static void *call_it(void *arg)
{
    (void)prctl(PR_SET_NAME, "second");
    syscall(UNLISTED, 0x1234, 2, 3, 4, 5, 6);
    return arg;
}

static void on_sigsys(int signo)
{
    (void)signo;
}

/*
 * Signals to the first process that look as if nobody inside had sent them: a queued one that says so itself, and a descriptor's. Then more
 * than a pipe holds, so that it has been at its events since.
 */
static void forge_cancels(void)
{
    siginfo_t si = { .si_signo = SIGTERM, .si_code = SI_QUEUE };
    pid_t init = getppid();
    int ends[2];

    (void)signal(SIGTERM, SIG_IGN); /* what a cancel would be */
    (void)syscall(SYS_rt_sigqueueinfo, init, SIGTERM, &si);
    if (pipe(ends) == 0) {
        (void)fcntl(ends[0], F_SETOWN, init);
        (void)fcntl(ends[0], F_SETSIG, SIGTERM);
        (void)fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
        (void)!write(ends[1], "x", 1);
    }
    for (int i = 0; i < 6 * 65536 / 64; i++)
        printf("%63d\n", i);
    fflush(stdout);
}

static int probe(const char *what)
{
    pthread_t t;
    long rc = 0;

    printf("before\n");
    fflush(stdout);
    if (strcmp(what, "call") == 0) {
        rc = syscall(UNLISTED, 0x1234, 2, 3, 4, 5, 6);
    } else if (strcmp(what, "caught") == 0) {
        signal(SIGSYS, on_sigsys);
        rc = syscall(UNLISTED, 0x1234, 2, 3, 4, 5, 6);
    } else if (strcmp(what, "thread") == 0) {
        if (pthread_create(&t, NULL, call_it, NULL) == 0)
            pthread_join(t, NULL);
    } else if (strcmp(what, "child") == 0) {
        if (fork() == 0)
            syscall(UNLISTED, 0x1234, 2, 3, 4, 5, 6);
        pause();
    } else if (strcmp(what, "i386") == 0) {
        __asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory");
    } else if (strcmp(what, "x32") == 0) {
        rc = syscall(0x40000000 | SYS_getpid);
    } else if (strcmp(what, "unknown") == 0) {
        rc = syscall(9999) == -1 && errno == ENOSYS ? 0 : -1;
    } else if (strcmp(what, "forge") == 0) {
        forge_cancels();
        return 7;
    } else if (strcmp(what, "learn") == 0) {
        int never = 0, granted;

        for (int i = 0; i < 3; i++)
            never += syscall(UNLISTED, NULL) == -1 && errno == EPERM;
        granted = syscall(GRANTABLE, 0, 0, 0, 0, 0) != -1 || errno != EPERM;
        printf("%d %d\n", never == 3, granted);
    } else if (strcmp(what, "limits") == 0) {
        struct rlimit files, core;

        getrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_CORE, &core);
        printf("%llu %llu\n", (unsigned long long)files.rlim_max, (unsigned long long)core.rlim_max);
    }
    printf("after %ld\n", rc);
    return 0;
}

static void run_probe(struct job *j, const char *what)
{
    FILE *f = fopen("/proc/self/exe", "re");
    uint8_t *bytes = malloc(20 * MIB);
    size_t len;

    assert_true(f != NULL && bytes != NULL);
    len = fread(bytes, 1, 20 * MIB, f);
    fclose(f);
    j->spec.source_name = (char *)"probe";
    j->spec.source = (ProtobufCBinaryData){ len, bytes };
    add_arg(j, "probe");
    add_arg(j, what);
    run(j);
    free(bytes);
}

/* ---- violations ------------------------------------------------------------------------------------------------------------------ */

static void the_calls_that_these_tests_make_have_no_row(void **state)
{
    const struct policy *p = policy_find("exec");

    (void)state;
    for (size_t i = 0; i < p->n_rows; i++)
        assert_true(p->rows[i].nr != UNLISTED && p->rows[i].nr != GRANTABLE);
    assert_false(policy_may_be_granted(UNLISTED));
    assert_true(policy_may_be_granted(GRANTABLE));
}

static void is_violated(const struct job *j)
{
    if (j->t.violations != 1)
        print_message("kind %d code %d signal %d: %s\n%s\n", (int)j->t.kind, j->t.exit_code, j->t.signal, j->t.out, j->t.err);
    assert_int_equal(j->t.violations, 1);
    assert_int_equal(j->t.results, 0);
    assert_int_equal(j->t.violation_nr, UNLISTED);
    assert_int_equal(j->t.violation_args[0], 0x1234);
    assert_int_equal(j->t.violation_args[5], 6);
    assert_string_equal(j->t.out, "before\n");
}

static void a_call_without_a_row_ends_the_job_and_is_told(void **state)
{
    struct job *j = *state;

    run_probe(j, "call");
    is_violated(j);
    assert_true(j->t.violation_tid > 1);
    if (!without_namespaces()) { /* no /proc of its own */
        assert_string_equal(j->t.who, "probe");
        assert_non_null(strstr(j->t.module, "libc"));
        assert_in_range(j->t.violation_offset, 4096, 4 * MIB); /* in its code, not where that is mapped */
    }
}

static void a_handler_does_not_help(void **state)
{
    run_probe(*state, "caught");
    is_violated(*state);
}

static void a_threads_call_is_its_own(void **state)
{
    struct job *j = *state;

    run_probe(j, "thread");
    is_violated(j);
    if (!without_namespaces())
        assert_string_equal(j->t.who, "second");
}

static void a_childs_call_ends_the_job_too(void **state)
{
    run_probe(*state, "child");
    is_violated(*state);
}

static void a_call_of_another_abi_kills(void **state)
{
    static const char *const abis[] = { "i386", "x32" };

    for (int i = 0; i < 2; i++) {
        struct job *j;

        setup(state);
        j = *state;
        run_probe(j, abis[i]);
        assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_SIGNAL);
        assert_int_equal(j->t.signal, SIGSYS);
        assert_string_equal(j->t.out, "before\n");
        if (i == 0)
            teardown(state);
    }
}

static void a_number_nobody_knows_is_answered(void **state)
{
    run_probe(*state, "unknown");
    ended_with(*state, 0);
}

static void limits_of_each_process_stand(void **state)
{
    struct job *j = *state;

    j->limits.files = 77;
    run_probe(j, "limits");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "before\n77 1\nafter 0\n");
}

static void where_the_worker_lies_is_not_to_be_read(void **state)
{
    struct job *j = *state;

    if (without_namespaces())
        skip(); /* no /proc of its own */
    add_cap(j, "proc");
    run_shell(j, "tr '\\0' '\\n' < /proc/1/cmdline | head -n 1");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "test_exec_seal\n");
}

/* ---- rows of the job's own, and learning ----------------------------------------------------------------------------------------- */

static void a_row_of_the_jobs_own_is_added(void **state)
{
    struct job *j = *state;

    j->spec.policy = (char *)"refuse ENOSYS acct  # asked by habit\n";
    run_probe(j, "call");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "before\nafter -1\n");
}

static void a_bad_row_is_refused_before_anything_runs(void **state)
{
    struct job *j = *state;

    j->spec.policy = (char *)"allow bpf  # please\n";
    run_probe(j, "call");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN);
    assert_int_equal(j->t.exit_code, 126);
    assert_non_null(strstr(j->t.message, "policy: line 1"));
    assert_string_equal(j->t.out, "");
}

static const struct told_row *learned(const struct job *j, const char *row)
{
    for (int i = 0; i < j->t.n_rows; i++)
        if (strncmp(j->t.rows[i].row, row, strlen(row)) == 0)
            return &j->t.rows[i];
    for (int i = 0; i < j->t.n_rows; i++)
        print_message("%s\n", j->t.rows[i].row);
    fail_msg("nothing was learned of %s", row);
    return NULL;
}

static void a_learning_job_goes_on_and_lists_what_it_lacked(void **state)
{
    struct job *j = *state;

    j->spec.learn = 1;
    run_probe(j, "learn");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "before\n1 1\nafter 0\n");
    assert_int_equal(j->t.violations, 0);
    assert_int_equal(learned(j, "allow acct")->times, 3);
    assert_int_equal(learned(j, "allow acct")->granted, 0);
    assert_true(learned(j, "allow acct")->why_not[0] != '\0');
    assert_int_equal(learned(j, "allow vserver")->times, 1);
    assert_int_equal(learned(j, "allow vserver")->granted, 1);
    assert_int_equal(j->t.all_rows, 2);
}

/* ---- under a supervisor that has the one listener -------------------------------------------------------------------------------- */

static void be_supervised(void)
{
    static struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog prog = { 1, &allow };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &prog) < 0)
        abort();
}

static int start_supervised(void **state)
{
    zygote_prelude = be_supervised;
    return zygote_start(state);
}

static void without_a_listener_the_call_kills(void **state)
{
    struct job *j = *state;

    run_probe(j, "call");
    assert_int_equal(j->t.unnamed, 1);
    assert_int_equal(j->t.violations, 0);
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_SIGNAL);
    assert_int_equal(j->t.signal, SIGSYS);
}

static void without_a_listener_a_handler_does_not_help(void **state)
{
    struct job *j = *state;

    run_probe(j, "caught");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_SIGNAL);
    assert_int_equal(j->t.signal, SIGSYS);
}

static void without_a_listener_nothing_can_be_learned(void **state)
{
    struct job *j = *state;

    j->spec.learn = 1;
    run_probe(j, "call");
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_CANNOT_RUN);
    assert_string_equal(j->t.type, "NoListener");
    assert_string_equal(j->t.out, "");
}

static void without_a_listener_programs_run(void **state)
{
    struct job *j = *state;

    run_shell(j, "echo on");
    ended_with(j, 0);
    assert_string_equal(j->t.out, "on\n");
}

/* ---- a kernel whose Landlock does not keep signals in ------------------------------------------------------------------------------ */

static void have_no_landlock(void)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = { sizeof(insns) / sizeof(insns[0]), insns };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != 0)
        abort();
}

static int start_without_landlock(void **state)
{
    zygote_prelude = have_no_landlock;
    return zygote_start(state);
}

static void a_forged_cancel_is_none(void **state)
{
    struct job *j = *state;

    if (without_namespaces() || strcmp(zygote.tier, "T3") == 0)
        skip(); /* no programs without Landlock */
    run_probe(j, "forge");
    ended_with(j, 7);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calls_that_these_tests_make_have_no_row),
        T(a_call_without_a_row_ends_the_job_and_is_told),
        T(a_handler_does_not_help),
        T(a_threads_call_is_its_own),
        T(a_childs_call_ends_the_job_too),
        T(a_call_of_another_abi_kills),
        T(a_row_of_the_jobs_own_is_added),
        T(a_bad_row_is_refused_before_anything_runs),
        T(a_learning_job_goes_on_and_lists_what_it_lacked),
        T(a_number_nobody_knows_is_answered),
        T(limits_of_each_process_stand),
        T(where_the_worker_lies_is_not_to_be_read),
    };
    const struct CMUnitTest supervised[] = {
        T(without_a_listener_the_call_kills),
        T(without_a_listener_a_handler_does_not_help),
        T(without_a_listener_nothing_can_be_learned),
        T(without_a_listener_programs_run),
    };
    const struct CMUnitTest without_landlock[] = {
        T(a_forged_cancel_is_none),
    };
    int failed;

    if (argc == 3 && strcmp(argv[1], "probe") == 0)
        return probe(argv[2]);
    failed = cmocka_run_group_tests(tests, zygote_start, zygote_stop);
    failed += cmocka_run_group_tests(supervised, start_supervised, zygote_stop);
    return failed + cmocka_run_group_tests(without_landlock, start_without_landlock, zygote_stop);
}
