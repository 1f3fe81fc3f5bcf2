/* test_seal.c - a worker whose seal fails says which step and never runs a tenant's byte; a sealed one is as sealed as it says. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/bpf.h"
#include "worker/output.h"
#include "worker/seal.h"
#include "worker/zygote.h"

static struct bpf_program filter;
static const char *fault_at;
static void (*tenant)(void);

static int fault(const char *step)
{
    return strcmp(step, fault_at) == 0 ? -EXDEV : 0;
}

static int engine_nothing(void)
{
    return 0;
}

static int opens(unsigned threads)
{
    return threads == 1 ? 0 : -EINVAL;
}

static int does_not_open(unsigned threads)
{
    (void)threads;
    return -ENOMEM;
}

static void engine_run(const Pb__JobSpec *spec, struct outcome *o)
{
    (void)spec;
    output_write(PB__STREAM__STREAM_STDOUT, "tenant", 6);
    if (tenant != NULL)
        tenant();
    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
}

/* An engine with a thread of its own, made before the seal, that does what the tenant asks of it. */
static pthread_barrier_t begun, asked, done;
static void (*elsewhere)(void);

static void *other_thread(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&begun);
    pthread_barrier_wait(&asked);
    if (elsewhere != NULL)
        elsewhere();
    pthread_barrier_wait(&done);
    return NULL;
}

static int opens_two(unsigned threads)
{
    pthread_t t;
    int rc;

    pthread_barrier_init(&begun, NULL, 2);
    pthread_barrier_init(&asked, NULL, 2);
    pthread_barrier_init(&done, NULL, 2);
    rc = threads == 2 ? -pthread_create(&t, NULL, other_thread, NULL) : -EINVAL;
    if (rc == 0)
        pthread_barrier_wait(&begun);
    return rc;
}

static void ask_the_other(void)
{
    pthread_barrier_wait(&asked);
    pthread_barrier_wait(&done);
}

static const struct engine two_threads = { .name = "lua", .version = "0", .prepare = engine_nothing, .open = opens_two, .run = engine_run };

static const struct engine marker = { .name = "lua", .version = "0", .prepare = engine_nothing, .open = opens, .run = engine_run };
static const struct engine programs = {
    .name = "lua", .version = "0", .prepare = engine_nothing, .open = opens, .run = engine_run, .programs = true
};
static const struct engine no_open = { .name = "lua", .version = "0", .prepare = engine_nothing, .open = does_not_open, .run = engine_run };

/* Forks a worker, greets it, assigns a job at once, and listens. */
static void live_with(const struct engine *e, unsigned threads, struct told *t)
{
    static const struct told_how how;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    int pair[2];
    pid_t self = getpid(), pid;

    memset(t, 0, sizeof(*t));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct worker_start w = { .link_fd = pair[1],
                                  .null_fd = open("/dev/null", O_RDWR),
                                  .zygote = self,
                                  .token = "0123456789abcdef",
                                  .token_len = 16,
                                  .threads = threads,
                                  .engine = e,
                                  .filter = &filter };
        close(pair[0]);
        worker_main(&w);
    }
    close(pair[1]);
    limits.stdout_bytes = limits.stderr_bytes = 1000;
    spec.limits = &limits;
    assert_int_equal(sp_handshake(pair[0]), 0);
    signal(SIGPIPE, SIG_IGN);
    told_assign(pair[0], &spec);
    told_listen(pair[0], pid, &how, t);
    close(pair[0]);
}

static void live(const struct engine *e, struct told *t)
{
    live_with(e, 1, t);
}

static int setup(void **state)
{
    (void)state;
    space_now.zygote_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    return space_now.zygote_fd < 0 ? -1 : bpf_compile(policy_find("lua"), &filter);
}

static int teardown(void **state)
{
    (void)state;
    bpf_finish(&filter);
    close(space_now.zygote_fd);
    return 0;
}

static void fail_at_each_step(const struct engine *e)
{
    seal_fault = fault;
    for (const char *const *name = seal_step_names(e->programs); *name != NULL; name++) {
        struct told t;

        fault_at = *name;
        live(e, &t);
        assert_int_equal(t.seal_failed, 1);
        assert_string_equal(t.step, *name);
        assert_int_equal(t.step_error, EXDEV);
        assert_int_equal(t.hello + t.started + t.results, 0);
        assert_string_equal(t.out, "");
        assert_true(t.lost);
        assert_true(WIFEXITED(t.status) || WIFSIGNALED(t.status));
        told_finish(&t);
    }
    seal_fault = NULL;
}

static void each_failing_step_ends_the_worker_before_the_tenant(void **state)
{
    (void)state;
    fail_at_each_step(&marker);
}

static void each_failing_step_ends_a_programs_worker_too(void **state)
{
    (void)state;
    fail_at_each_step(&programs);
}

/* The two tables differ in what a program's init still needs, and in nothing by oversight. */
static void what_is_sealed_late_for_programs_is_known(void **state)
{
    static const char *const late[] = { "no_capabilities", "no_exec_gain", "landlock", "no_processes", "leave", "seccomp" };
    const char *pure[SEAL_STEPS_MAX];
    size_t n = 0;

    (void)state;
    for (const char *const *name = seal_step_names(false); *name != NULL; name++)
        pure[n++] = *name;
    for (size_t i = 0; i < n; i++) {
        bool both = false, is_late = strcmp(pure[i], "parent_death_2") == 0; /* its uid is changed before the first */

        for (const char *const *name = seal_step_names(true); *name != NULL; name++)
            both |= strcmp(*name, pure[i]) == 0;
        for (size_t k = 0; k < sizeof(late) / sizeof(late[0]); k++)
            is_late |= strcmp(late[k], pure[i]) == 0;
        if (both == is_late)
            fail_msg("%s", pure[i]);
    }
}

static void a_programs_worker_says_what_it_took(void **state)
{
    struct told t;

    (void)state;
    tenant = NULL;
    live(&programs, &t);
    assert_int_equal(t.hello, 1);
    assert_int_equal(t.results, 1);
    told_finish(&t);
}

static void a_programs_worker_whose_zygote_has_gone_refuses_to_live(void **state)
{
    int had = space_now.zygote_fd, status;
    struct told t;
    pid_t gone = fork();

    (void)state;
    if (gone == 0)
        _exit(0);
    space_now.zygote_fd = (int)syscall(SYS_pidfd_open, gone, 0);
    assert_true(space_now.zygote_fd >= 0);
    assert_int_equal(waitpid(gone, &status, 0), gone);
    live(&programs, &t);
    assert_string_equal(t.step, "parent_death");
    assert_int_equal(t.step_error, ESRCH);
    told_finish(&t);
    close(space_now.zygote_fd);
    space_now.zygote_fd = had;
}

static void an_engine_that_cannot_open_is_a_failed_seal(void **state)
{
    struct told t;

    (void)state;
    live(&no_open, &t);
    assert_int_equal(t.seal_failed, 1);
    assert_string_equal(t.step, "engine");
    assert_int_equal(t.step_error, ENOMEM);
    assert_int_equal(t.started, 0);
    told_finish(&t);
}

static void a_sealed_worker_says_hello_and_serves(void **state)
{
    struct told t;

    (void)state;
    tenant = NULL;
    live(&marker, &t);
    assert_int_equal(t.hello, 1);
    assert_int_equal(t.started, 1);
    assert_int_equal(t.results, 1);
    assert_string_equal(t.out, "tenant");
    told_finish(&t);
}

static void call_prctl(void)
{
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void a_forbidden_call_is_reported_by_number_after_what_was_printed(void **state)
{
    struct told t;

    (void)state;
    tenant = call_prctl;
    live(&marker, &t);
    assert_int_equal(t.violations, 1);
    assert_int_equal(t.violation_nr, SYS_prctl);
    assert_string_equal(t.out, "tenant");
    assert_int_equal(t.results, 0);
    told_finish(&t);
}

static void print_elsewhere(void)
{
    output_write(PB__STREAM__STREAM_STDOUT, " and its thread", 15);
}

static void a_thread_made_before_the_seal_works_in_it(void **state)
{
    struct told t;

    (void)state;
    tenant = ask_the_other;
    elsewhere = print_elsewhere;
    live_with(&two_threads, 2, &t);
    assert_int_equal(t.results, 1);
    assert_string_equal(t.out, "tenant and its thread");
    told_finish(&t);
}

static void a_thread_made_before_the_seal_is_sealed_too(void **state)
{
    struct told t;

    (void)state;
    tenant = ask_the_other;
    elsewhere = call_prctl;
    live_with(&two_threads, 2, &t);
    assert_int_equal(t.violations, 1);
    assert_int_equal(t.violation_nr, SYS_prctl);
    assert_string_equal(t.out, "tenant");
    assert_int_equal(t.results, 0);
    told_finish(&t);
}

static void no_thread_can_be_made_after_the_seal(void)
{
    struct rlimit processes;

    if (getrlimit(RLIMIT_NPROC, &processes) != 0 || processes.rlim_max != 0)
        output_write(PB__STREAM__STREAM_STDOUT, "?", 1);
    syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL, NULL, NULL, 0);
}

static void making_a_thread_is_a_violation(void **state)
{
    struct told t;

    (void)state;
    tenant = no_thread_can_be_made_after_the_seal;
    live(&marker, &t);
    assert_int_equal(t.violation_nr, SYS_clone);
    assert_string_equal(t.out, "tenant");
    told_finish(&t);
}

static void a_worker_whose_zygote_is_not_its_parent_refuses_to_live(void **state)
{
    (void)state;
    struct seal s = { .zygote = 1 };
    const char *step = NULL;
    pid_t pid = fork();

    if (pid == 0)
        _exit(seal_take(&s, &step) == -ESRCH && strcmp(step, "parent_death") == 0 ? 7 : 8);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void step_names_are_distinct(void **state)
{
    (void)state;
    for (int programs_too = 0; programs_too < 2; programs_too++) {
        const char *const *names = seal_step_names(programs_too);

        for (size_t i = 0; names[i] != NULL; i++)
            for (size_t k = i + 1; names[k] != NULL; k++)
                assert_string_not_equal(names[i], names[k]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failing_step_ends_the_worker_before_the_tenant),
        cmocka_unit_test(each_failing_step_ends_a_programs_worker_too),
        cmocka_unit_test(what_is_sealed_late_for_programs_is_known),
        cmocka_unit_test(a_programs_worker_says_what_it_took),
        cmocka_unit_test(a_programs_worker_whose_zygote_has_gone_refuses_to_live),
        cmocka_unit_test(an_engine_that_cannot_open_is_a_failed_seal),
        cmocka_unit_test(a_sealed_worker_says_hello_and_serves),
        cmocka_unit_test(a_forbidden_call_is_reported_by_number_after_what_was_printed),
        cmocka_unit_test(a_thread_made_before_the_seal_works_in_it),
        cmocka_unit_test(a_thread_made_before_the_seal_is_sealed_too),
        cmocka_unit_test(making_a_thread_is_a_violation),
        cmocka_unit_test(a_worker_whose_zygote_is_not_its_parent_refuses_to_live),
        cmocka_unit_test(step_names_are_distinct),
    };

    return cmocka_run_group_tests_name("seal", tests, setup, teardown);
}
