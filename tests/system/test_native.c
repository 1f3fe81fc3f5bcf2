/* test_native.c - native jobs: what reaches them, how they end, and what is said of a file that is no job. Attacks are in tests/escape. */
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "job_limits.h"
#include "tests/support/broker_fixture.h"

static struct broker *b; /* one for all: native workers share nothing, which is part of what is tested */

static const char *job(const char *name)
{
    return support_program(support_text("tests/native/%s.so", name));
}

static const char *behave(void)
{
    return job("behave");
}

static json_t *last_receipt(void)
{
    return receipt_of(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));
}

/* ---- the ways to end ------------------------------------------------------------------------------------------------------------- */

struct end {
    const char *sentence;
    const char *file, *args[3];
    const char *limit; /* or NULL */
    int code;
    const char *cause;
    int signal;
    const char *out; /* exactly; NULL: not looked at */
    const char *err; /* has it; NULL: nothing was said but by the command */
};

#define DEFAULTS NULL
#define SIG(n)   COOP_EXIT_SIGNAL_BASE + (n), "signal", (n)
#define ENDS(n)  (n), (n) == 0 ? "ok" : "exit", 0
#define FAILS    COOP_EXIT_EXCEPTION, "exception", 0

/*
 * A sanitizer in the worker sees to some ends itself: it wants an address space without limit; a function that does not return, on a signal's
 * stack, makes it look for the stack's bounds in a file, which is not there; and it must have seen libstdc++ at its own start.
 */
#if defined(COOP_ASAN) || defined(COOP_TSAN)
#define SANITIZED
#endif

/* clang-format off */
static const struct end ends[] = {
    { "arguments and variables reach it", "behave", { "echo", "a b", "" }, DEFAULTS, ENDS(0), "0 behave.so\n1 echo\n2 a b\n3 \n1\n-\n", NULL },
    { "what coop_job() returns is the exit code", "behave", { "code", "7" }, DEFAULTS, ENDS(7), "not flushed by me, destroyed\n", NULL },
    { "255 is an exit code", "behave", { "code", "255" }, DEFAULTS, ENDS(255), "not flushed by me, destroyed\n", NULL },
    { "256 is no exit code", "behave", { "code", "256" }, DEFAULTS, FAILS, NULL, "coop_job() returned 256, which is no exit code: those are 0 to 255" },
    { "a negative errno is no exit code", "behave", { "code", "-5" }, DEFAULTS, FAILS, NULL, "coop_job() returned -5 (Input/output error)" },
    { "exit() ends it, after its handlers", "behave", { "exits" }, DEFAULTS, ENDS(5), "atexit\n", NULL },
    { "exit() in a tasklet does", "behave", { "tasklet_exits" }, DEFAULTS, ENDS(5), "atexit\n", NULL },
    { "exit() in a destructor does, with its code", "behave", { "exits_late" }, DEFAULTS, ENDS(8), "late\n", NULL },
    { "_exit() ends it, and what stdio holds is lost as anywhere", "behave", { "leaves", "6" }, DEFAULTS, ENDS(6), "kept\n", NULL },
    { "_exit(0) is a good end", "behave", { "leaves", "0" }, DEFAULTS, ENDS(0), "kept\n", NULL },
    { "exit() in a constructor ends it before it begins", "early_exits", { NULL }, DEFAULTS, ENDS(4), "in the constructor\n", NULL },
    { "a bad pointer is SIGSEGV", "behave", { "segv" }, DEFAULTS, SIG(SIGSEGV), "", "signal 11" },
    { "a division by zero is SIGFPE", "behave", { "divides" }, DEFAULTS, SIG(SIGFPE), "", "signal 8" },
    { "what it printed before a bad pointer is seen", "behave", { "says_and_dies", "segv" }, DEFAULTS, SIG(SIGSEGV), "before\n", "signal 11" },
    { "before a division by zero", "behave", { "says_and_dies", "fpe" }, DEFAULTS, SIG(SIGFPE), "before\n", "signal 8" },
    { "before an instruction that there is not", "behave", { "says_and_dies", "ill" }, DEFAULTS, SIG(SIGILL), "before\n", "signal 4" },
    { "before bytes to print that are nowhere", "behave", { "says_and_dies", "write" }, DEFAULTS, SIG(SIGSEGV), "before\n", "signal 11" },
    { "there is no descriptor to wait on", "behave", { "waits_on_descriptors" }, DEFAULTS, ENDS(0), "", NULL },
    { "an endless loop ends at the cpu limit", "behave", { "loops" }, "cpu=200ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", 0, "", "cpu_limit" },
    { "a tasklet that ignores its cancellation ends at the cpu limit", "behave", { "leaves_stubborn_ones" }, "cpu=300ms", COOP_EXIT_TIME_LIMIT, "cpu_limit", 0, "", "cpu_limit" },
    { "output past the cap ends it", "behave", { "flood" }, "stdout=10K", COOP_EXIT_JOB_FAILED, "output_limit", 0, NULL, "output_limit" },
    { "it can sleep", "behave", { "sleeps" }, DEFAULTS, ENDS(0), "", NULL },

    { "a deadlock that is not handled is told, with who waits for what", "behave", { "deadlocks" }, DEFAULTS, FAILS, "", "tasklet 2 listener [chan recv]" },
    { "a deadlock that is handled is none", "behave", { "survives_deadlock" }, DEFAULTS, ENDS(0), "", NULL },
    { "tasklets that are left are cancelled", "behave", { "leaves_tasklets" }, DEFAULTS, ENDS(0), "", NULL },
    { "more tasklets than the limit cannot be made", "behave", { "spawns" }, "tasklets=5", ENDS(0), "5 1\n", NULL },
    { "a tasklet that keeps the others from running is named", "behave", { "hogs" }, DEFAULTS, ENDS(0), "", "greedy has not yielded for 1 s of CPU time" },
    { "one that keeps nobody from running is not", "behave", { "hogs_alone" }, DEFAULTS, ENDS(0), "", NULL },

    { "a forged tasklet to yield to kills its own interpreter", "behave", { "forges_yield_to" }, DEFAULTS, SIG(SIGSEGV), "", "signal 11" },
    { "a forged tasklet to join does", "behave", { "forges_join" }, DEFAULTS, SIG(SIGSEGV), "", "signal 11" },

    { "a function chosen by IFUNC is chosen after the seal", "early_ifunc", { NULL }, DEFAULTS, COOP_EXIT_POLICY, "policy", 0, "", "socket(AF_INET, SOCK_STREAM, 0) is not in profile native" },
    { "a constructor runs after the seal", "early", { NULL }, DEFAULTS, COOP_EXIT_POLICY, "policy", 0, "in the constructor\n", "socket(AF_INET, SOCK_STREAM, 0) is not in profile native" },

    { "everything that coop/task.h declares is there", "all_symbols", { NULL }, DEFAULTS, ENDS(0), "", NULL },

    /* files that are shared objects, and no jobs */
    { "an entry point is missing", "no_entry", { NULL }, DEFAULTS, FAILS, "", "no_entry.so has no coop_job()" },
    { "a function is missing", "unresolved", { NULL }, DEFAULTS, FAILS, "", "unresolved.so: undefined symbol: nobody_has_this_function" },
    { "what the interpreter has inside is not offered", "internal", { NULL }, DEFAULTS, FAILS, "", "internal.so: undefined symbol: link_send_packed" },
    { "a library is missing", "needs_absent", { NULL }, DEFAULTS, FAILS, "", "needs_absent.so needs the library libabsent.so.7, which is not there" },

#ifndef SANITIZED
    { "memory ends at its limit, and malloc() says so", "behave", { "eats" }, DEFAULTS, ENDS(0), "1\n", NULL },
    { "before abort()", "behave", { "says_and_dies", "abort" }, DEFAULTS, SIG(SIGABRT), "before\n", "abort()" },
    { "abort() is SIGABRT", "behave", { "aborts" }, DEFAULTS, SIG(SIGABRT), "before\n", "it called abort()" },
    { "a failed assert says so and is SIGABRT", "behave", { "asserts" }, DEFAULTS, SIG(SIGABRT), "", "behave.so: " },
    { "a smashed stack is found out", "behave", { "smashes" }, DEFAULTS, SIG(SIGABRT), NULL, "stack smashing detected" },
    { "memory that cannot be written any more counts", "behave", { "eats_read_only" }, "memory=64M", ENDS(0), "1\n", NULL },
    { "so does a stack that was made to grow", "behave", { "grows_the_stack" }, "memory=64M", ENDS(0), "1\n", NULL },
    { "endless recursion of coop_job() is one of main's", "behave", { "recurses" }, DEFAULTS, FAILS, "", "stack overflow in tasklet 1 main" },
    { "endless recursion of a tasklet is an overflow of its stack", "behave", { "tasklet_recurses" }, DEFAULTS, FAILS, "", "stack overflow in tasklet 2 deep" },
    { "output past the cap by write(2) ends it", "behave", { "flood_raw" }, "stdout=10K", COOP_EXIT_JOB_FAILED, "output_limit", 0, NULL, "output_limit" },
    { "C++ streams and exceptions work", "throws", { "x" }, DEFAULTS, ENDS(0), "caught 5\ndestroyed\n", NULL },
    { "an exception that leaves a tasklet ends the job", "throws", { "tasklet" }, DEFAULTS, SIG(SIGABRT), NULL, "out of a tasklet" },
    { "an exception that leaves coop_job() ends the job", "throws", { "main" }, DEFAULTS, SIG(SIGABRT), NULL, "out of coop_job" },
#endif
};
/* clang-format on */

enum { N_ENDS = sizeof(ends) / sizeof(ends[0]) };

static void it_ends_so(void **state)
{
    const struct end *e = *state;
    const char *limit = e->limit != NULL ? e->limit : "cpu=20s";
    struct proc *p = proc_expect(coop(b, "run", "--limit", limit, job(e->file), e->args[0], e->args[0] != NULL ? e->args[1] : NULL,
                                      e->args[0] != NULL && e->args[1] != NULL ? e->args[2] : NULL),
                                 e->code);
    json_t *r = last_receipt();

    assert_string_equal(json_str(r, "cause"), e->cause);
    assert_int_equal(json_num(r, "signal"), e->signal);
    assert_string_equal(json_str(r, "engine"), "native");
    assert_string_equal(json_str(r, "enforcement.seccomp"), "native");
    assert_int_equal(json_num(r, "attempt"), 1);
    if (e->out != NULL)
        expect_text(p->out, e->out);
    if (e->err != NULL)
        expect_has(p->err, e->err);
    else
        expect_text(p->err, "");
}

static void an_exception_has_its_type_in_the_receipt(void **state)
{
    (void)state;
    (void)coop(b, "run", behave(), "deadlocks");
    assert_string_equal(json_str(last_receipt(), "error.type"), "Deadlock");
    assert_non_null(strstr(json_str(last_receipt(), "error.traceback"), "listener [chan recv]"));
    assert_non_null(strstr(json_str(last_receipt(), "error.traceback"), "\n    /behave.so+0x")); /* where in the job */
    assert_null(strstr(json_str(last_receipt(), "error.traceback"), "coop-worker"));
    (void)coop(b, "run", job("no_entry"));
    assert_string_equal(json_str(last_receipt(), "error.type"), "LoadError");
    (void)coop(b, "run", behave(), "code", "-1");
    assert_string_equal(json_str(last_receipt(), "error.type"), "ExitCode");
}

/* ---- streams ---------------------------------------------------------------------------------------------------------------------- */

static void stdio_reads_and_writes_the_jobs_streams(void **state)
{
    struct proc *p = proc_expect(coop_in(b, "ann\nbob\n", 8, "run", behave(), "streams"), 0);

    (void)state;
    expect_text(p->out, "name? got ann\ngot bob\n0 1 2\n");
    expect_text(p->err, "read ann\nread bob\n");
}

static void so_do_the_descriptors_themselves(void **state)
{
    struct proc *p = proc_expect(coop_in(b, "xyz", 3, "run", behave(), "descriptors"), 0);

    (void)state;
    expect_text(p->out, "to 1, 2 xy\n-1 9\n-1 9\n");
    expect_text(p->err, "to 2\n");
}

static void a_line_is_out_before_the_job_goes_on(void **state)
{
    struct proc *p = coop_start(b, "run", behave(), "live");

    (void)state;
    proc_until(p, &p->out, "first line\n");
    proc_write(p, "\n", 1);
    (void)proc_expect(p, 0);
}

#ifndef SANITIZED
static void cpp_streams_out_of_step_with_stdio_work(void **state)
{
    struct proc *p = proc_expect(coop_in(b, "a\nb\n", 4, "run", job("throws"), "unsynced"), 0);

    (void)state;
    expect_text(p->out, "got a\ngot b\ncaught 5\ndestroyed\n");
}
#endif

static void variables_are_the_environment(void **state)
{
    (void)state;
    expect_has(proc_expect(coop(b, "run", "-e", "GREETING=hello there", behave(), "echo"), 0)->out, "\nhello there\n");
}

static void truncated_output_is_counted(void **state)
{
    json_t *r;

    (void)state;
    (void)coop(b, "run", "--limit", "stdout=1K,cpu=300ms", "--on-output-limit", "truncate", behave(), "flood");
    r = last_receipt();
    assert_string_equal(json_str(r, "cause"), "cpu_limit");
    assert_int_equal(json_num(r, "stdout.bytes"), 1024);
}

static void no_two_jobs_have_the_same_canary(void **state)
{
    struct proc *one = proc_expect(coop(b, "run", behave(), "canary"), 0), *other = proc_expect(coop(b, "run", behave(), "canary"), 0);

    (void)state;
    assert_true(one->out.len > 8 && other->out.len > 8);
    assert_string_not_equal(one->out.bytes, other->out.bytes);
}

/* ---- cancel ----------------------------------------------------------------------------------------------------------------------- */

static void a_cancel_reaches_main_and_all_tasklets(void **state)
{
    static const char *const how[] = { "waits", "waits_for_input" };

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct proc *p = coop_start(b, "run", behave(), how[i]);

        proc_until(p, &p->out, "up\n");
        proc_kill(p, SIGINT);
        expect_text(proc_expect(p, COOP_EXIT_CANCELLED)->out, "up\ntold\n");
        assert_string_equal(json_str(last_receipt(), "cause_detail"), "cancelled");
    }
}

static void one_that_does_not_listen_is_killed(void **state)
{
    struct proc *p = coop_start(b, "run", behave(), "refuses_to_end");

    (void)state;
    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_string_equal(json_str(last_receipt(), "cause_detail"), "cancelled; it did not end by itself in time");
}

/* ---- files that are no jobs -------------------------------------------------------------------------------------------------------- */

/* A good job with some bytes of it changed. */
static const char *changed(const char *name, size_t at, const void *bytes, size_t n)
{
    size_t len;
    char *file = support_get(behave(), &len);

    memcpy(file + at, bytes, n);
    return support_put(b->dir, name, file, len);
}

static const char *cut(const char *name, size_t keep)
{
    size_t len;
    char *file = support_get(behave(), &len);

    return support_put(b->dir, name, file, keep < len ? keep : len - 1);
}

static void refused(const char *path, const char *why)
{
    struct proc *p = proc_expect(coop(b, "run", "--engine", "native", path), COOP_EXIT_USAGE);

    expect_has(p->err, why);
    expect_text(p->out, "");
}

static void files_of_other_kinds_are_refused_by_name(void **state)
{
    static const uint16_t aarch64 = EM_AARCH64, unheard_of = 0x7777, exec = ET_EXEC, object = ET_REL, core = ET_CORE;
    static const unsigned char narrow = ELFCLASS32, big = ELFDATA2MSB;

    (void)state;
    refused(support_put(b->dir, "text.so", "int coop_job;", (size_t)-1), "text.so is not an ELF file; build it with: cc -shared -fPIC");
    refused(support_put(b->dir, "empty.so", "", 0), "empty.so is empty");
    refused(support_program("coop-courier"), "is an executable, which the engine exec runs");
    refused(changed("exec.so", offsetof(Elf64_Ehdr, e_type), &exec, 2), "is an executable, which the engine exec runs");
    refused(changed("object.so", offsetof(Elf64_Ehdr, e_type), &object, 2), "is an object file that is not linked");
    refused(changed("core.so", offsetof(Elf64_Ehdr, e_type), &core, 2), "is a core dump");
    refused(changed("arm.so", offsetof(Elf64_Ehdr, e_machine), &aarch64, 2), "is built for aarch64, this machine is x86-64");
    refused(changed("odd.so", offsetof(Elf64_Ehdr, e_machine), &unheard_of, 2),
            "is built for machine number 30583, this machine is x86-64");
    refused(changed("narrow.so", EI_CLASS, &narrow, 1), "is built for a 32-bit or big-endian kind of x86-64");
    refused(changed("big.so", EI_DATA, &big, 1), "this machine is x86-64");
    refused(cut("head.so", 40), "is truncated: an ELF header has 64 bytes, the file 40");
    refused(cut("half.so", 5000), "is truncated: its section headers end at byte");
    refused(cut("last.so", (size_t)-1), "is truncated: its section headers end at byte");
    refused(job("textrel"), "has text relocations");
    refused(job("execstack"), "wants an executable stack");
}

static void a_job_without_ending_is_known_by_how_it_begins(void **state)
{
    size_t len;
    char *file = support_get(behave(), &len);

    (void)state;
    (void)proc_expect(coop(b, "run", support_put(b->dir, "job", file, len), "code", "3"), 3);
    (void)proc_expect(coop(b, "run", support_put(b->dir, "job.lua", file, len), "code", "3"), 3);
    (void)proc_expect(coop_in(b, file, len, "run", "-", "code", "3"), 3);
    expect_has(proc_expect(coop(b, "run", "--engine", "lua", support_put(b->dir, "job", file, len)), COOP_EXIT_USAGE)->err, "NUL bytes");
}

static void one_that_is_too_large_is_refused_before_it_is_sent(void **state)
{
    char *big = support_keep(calloc(1, LIMITS_SOURCE + 1));

    (void)state;
    memcpy(big, ELFMAG, SELFMAG);
    expect_has(proc_expect(coop(b, "run", support_put(b->dir, "big.so", big, LIMITS_SOURCE + 1)), COOP_EXIT_QUOTA)->err, "it may have 8M");
}

static void one_of_any_size_within_the_limit_is_loaded(void **state)
{
    size_t len;
    char *file = support_get(behave(), &len), *big = support_keep(calloc(1, LIMITS_SOURCE));

    (void)state;
    memcpy(big, file, len); /* what follows the section headers is nobody's business */
    (void)proc_expect(coop(b, "run", support_put(b->dir, "big.so", big, LIMITS_SOURCE), "code", "3"), 3);
}

static void what_a_native_job_cannot_have_is_refused(void **state)
{
    (void)state;
    expect_has(proc_expect(coop(b, "run", "--file", script(b, "m.lua", "return 1"), behave()), COOP_EXIT_USAGE)->err, "takes no --file");
    expect_has(proc_expect(coop(b, "run", "--limit", "threads=2", script(b, "a.lua", "print(1)")), COOP_EXIT_USAGE)->err,
               "limit threads: 2 is above the maximum of 1 for the engine 'lua'");
    expect_has(proc_expect(coop(b, "run", "--limit", "threads=65", behave()), COOP_EXIT_QUOTA)->err, "above the maximum of 64");
}

static const char *wide(void)
{
    return support_program("tests/native/wide.so");
}

static void a_job_of_several_threads_gets_a_worker_made_for_it(void **state)
{
    struct proc *p;

    (void)state;
    expect_text(proc_expect(coop(b, "run", wide()), 0)->out, "1 threads\nthread 1\nsum 5000050000\n");
    p = proc_expect(coop(b, "run", "--limit", "threads=3", wide()), 0);
    expect_has(p->out, "3 threads\n");
    for (int k = 1; k <= 3; k++)
        expect_has(p->out, support_text("thread %d\n", k));
    expect_has(p->out, "sum 5000050000\n");
    p = proc_expect(coop(b, "run", "--limit", "threads=64", "--limit", "memory=256M", wide()), 0);
    expect_has(p->out, "thread 64\n");
    expect_has(p->out, "sum 5000050000\n");
    expect_has(proc_expect(coop(b, "run", wide()), 0)->out, "1 threads\n");
}

static void several_jobs_of_several_threads_wait_for_each_other_only(void **state)
{
    static const char *const threads[] = { "threads=2", "threads=5", "threads=1", "threads=2", "threads=9", "threads=1" };
    struct proc *many[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        many[i] = coop_start(b, "run", "--limit", threads[i], wide());
    for (int i = 0; i < 6; i++)
        expect_has(proc_expect(many[i], 0)->out, support_text("%s threads\n", threads[i] + strlen("threads=")));
}

/* Its worker may not be made while the others hold the only place; when the last of them ends somebody has to think of it. */
static void one_of_several_threads_gets_its_turn_behind_others(void **state)
{
    struct broker *own = broker_new();
    const char *busy;
    char *id;

    (void)state;
    own->args[0] = "--workers";
    own->args[1] = "1";
    broker_up(own);
    (void)proc_expect(coop(own, "run", behave(), "code", "0"), 0); /* the zygote is there */
    busy = script(own, "a.lua", "local stop = os.clock() + 0.3 while os.clock() < stop do end");
    (void)submit(own, busy);
    (void)submit(own, busy);
    id = submit(own, "--limit", "threads=3", wide());
    (void)proc_expect(coop(own, "wait", id), 0);
    assert_int_equal(broker_down(own), 0);
}

static void each_of_several_threads_is_sealed(void **state)
{
    struct proc *p;

    (void)state;
    p = proc_expect(coop(b, "run", "--limit", "threads=2", wide(), "socket"), COOP_EXIT_POLICY);
    expect_has(p->err, "socket(AF_INET, SOCK_STREAM, 0) is not in profile native");
}

/* In the job's own file, at the place that addr2line(1) finds; or in libc's, by a tasklet with a name. */
static void a_refused_call_is_reported_with_its_place_and_its_maker(void **state)
{
    json_t *v;

    (void)state;
    (void)proc_expect(coop(b, "run", job("behave"), "calls_itself"), COOP_EXIT_POLICY);
    v = json_at(last_receipt(), "violation");
    json_expect_shape(v, NULL, "name nr abi args ip module offset pid tid who text");
    assert_string_equal(json_str(v, "name"), "socket");
    assert_int_equal(json_num(v, "nr"), 41);
    assert_string_equal(json_str(v, "abi"), "x86_64");
    assert_int_equal(json_num(v, "args.0"), 2);
    assert_int_equal(json_num(v, "args.1"), 1);
    assert_string_equal(json_str(v, "module"), "behave.so");
    assert_true(json_num(v, "offset") > 0 && json_num(v, "offset") < json_num(v, "ip"));
    assert_int_equal(json_num(v, "pid"), json_num(last_receipt(), "where.worker_pid"));
    assert_int_equal(json_num(v, "tid"), json_num(v, "pid"));
    assert_string_equal(json_str(v, "who"), "main");
    assert_string_equal(json_str(v, "text"), json_str(last_receipt(), "cause_detail"));
    (void)proc_expect(coop(b, "run", job("behave"), "calls_in_tasklet"), COOP_EXIT_POLICY);
    v = json_at(last_receipt(), "violation");
    assert_non_null(strstr(json_str(v, "module"), "libc.so.6"));
    assert_string_equal(json_str(v, "who"), "tasklet 2 (dialler)");
}

static void a_crash_of_any_thread_ends_its_job_only(void **state)
{
    (void)state;
    (void)proc_expect(coop(b, "run", "--limit", "threads=2", wide(), "exit"), 5);
#if !defined(SANITIZED)
    struct proc *p;

    (void)proc_expect(coop(b, "run", "--limit", "threads=2", wide(), "crash"), 128 + SIGSEGV);
    (void)proc_expect(coop(b, "run", "--limit", "threads=2", wide(), "abort"), 128 + SIGABRT);
    p = coop(b, "run", "--limit", "threads=2", wide(), "overflow");
    expect_has(p->err, "stack overflow in tasklet");
    expect_has(p->err, "adds");
#endif
    expect_has(proc_expect(coop(b, "run", "--limit", "threads=2", wide()), 0)->out, "sum 5000050000\n");
}

static void a_deadlock_is_of_all_threads(void **state)
{
    struct proc *p;

    (void)state;
    p = coop(b, "run", "--limit", "threads=3", wide(), "nothing");
    expect_has(p->err, "Deadlock: every tasklet is blocked");
    assert_string_equal(json_str(last_receipt(), "cause"), "exception");
}

/* ---- beside other engines ----------------------------------------------------------------------------------------------------------- */

static unsigned zygotes(void)
{
    pid_t children[TREE_MAX];

    return tree_children(b->proc->pid, children) - (broker_janitor(b) != 0);
}

static void the_zygote_comes_with_the_first_native_job(void **state)
{
    struct broker *own;
    void *fresh = NULL;

    (void)state;
    assert_int_equal(broker_setup(&fresh), 0);
    own = fresh;
    (void)proc_expect(coop(own, "run", script(own, "a.lua", "print(1)")), 0);
    assert_int_equal(broker_said(own, "event=zygote_started", "engine=native"), 0);
    (void)proc_expect(coop(own, "run", behave(), "code", "3"), 3);
    assert_int_equal(broker_said(own, "event=zygote_started", "engine=native"), 1);
    (void)proc_expect(coop(own, "run", behave(), "code", "3"), 3);
    assert_int_equal(broker_said(own, "event=zygote_started", "engine=native"), 1);
    assert_int_equal(broker_down(own), 0);
}

static void a_native_zygote_that_dies_is_replaced_and_lua_does_not_notice(void **state)
{
    pid_t lua;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", "print('waiting') io.read() print('done')"));

    (void)state;
    proc_until(p, &p->out, "waiting\n");
    (void)proc_expect(coop(b, "run", behave(), "code", "3"), 3);
    assert_int_equal(zygotes(), 2);
    lua = broker_zygote(b);
    support_kill(broker_zygote_of(b, "native"), SIGKILL);
    broker_says(b, "event=zygote_gone", "engine=native");
    (void)proc_expect(coop(b, "run", behave(), "code", "3"), 3);
    assert_int_equal(broker_zygote(b), lua);
    proc_write(p, "\n", 1);
    expect_has(proc_expect(p, 0)->out, "done\n");
}

static void native_jobs_and_scripts_do_not_wait_for_each_other(void **state)
{
    const char *text = script(b, "a.lua", "os.exit(3)");
    struct proc *many[8];

    (void)state;
    for (int i = 0; i < 8; i++)
        many[i] = coop_start(b, "run", i % 2 == 0 ? behave() : text, "code", "3");
    for (int i = 0; i < 8; i++)
        (void)proc_expect(many[i], 3);
}

/* One slot, and three that wait for it: they get it in the order in which they came, whatever runs them. */
static void who_came_first_goes_first_whatever_runs_it(void **state)
{
    struct broker *own = broker_new();
    struct proc *first;
    char *ids[3];
    json_int_t last = 0;

    (void)state;
    own->args[0] = "--workers";
    own->args[1] = "1";
    broker_up(own);
    (void)proc_expect(coop(own, "run", behave(), "code", "3"), 3); /* there is a native zygote, and a worker to spare */
    first = coop_start(own, "run", script(own, "wait.lua", "print('waiting') io.read()"));
    proc_until(first, &first->out, "waiting\n");
    ids[0] = submit(own, behave(), "code", "0");
    ids[1] = submit(own, script(own, "a.lua", "print(1)"));
    ids[2] = submit(own, behave(), "code", "0");
    proc_write(first, "\n", 1);
    (void)proc_expect(first, 0);
    for (int i = 0; i < 3; i++) {
        json_int_t started = json_num(expect_end(own, ids[i], "ok"), "times.started_us");

        assert_true(started > last);
        last = started;
    }
    assert_int_equal(broker_down(own), 0);
}

static void one_that_waits_when_the_broker_dies_is_run_by_the_next(void **state)
{
    struct broker *own = broker_new();
    struct proc *first;
    char *id;

    (void)state;
    own->args[0] = "--workers";
    own->args[1] = "1";
    broker_up(own);
    first = coop_start(own, "run", script(own, "wait.lua", "print('waiting') io.read()"));
    proc_until(first, &first->out, "waiting\n");
    id = submit(own, behave(), "code", "6");
    broker_kill(own);
    broker_up(own);
    assert_int_equal(json_num(expect_end(own, id, "exit"), "exit_code"), 6);
    assert_int_equal(broker_down(own), 0);
}

static void what_is_submitted_is_run_and_kept(void **state)
{
    char *id = submit(b, behave(), "code", "4");

    (void)state;
    (void)expect_end(b, id, "exit");
    expect_text(coop(b, "logs", id)->out, "not flushed by me, destroyed\n");
}

static void the_examples_run(void **state)
{
    (void)state;
    expect_text(proc_expect(coop_in(b, "a\nb\n", 4, "run", support_program("examples/native/hello.so"), "you"), 0)->out,
                "Hello, you!\n1: a\n2: b\n");
    expect_text(proc_expect(coop(b, "run", support_program("examples/native/primes.so"), "6"), 0)->out, "2\n3\n5\n7\n11\n13\n");
    expect_text(proc_expect(coop(b, "run", support_program("examples/native/fetch.so")), 0)->out,
                "fast: done\nbroken: failed\nslow: cancelled\nfailure of broken: -5\n");
}

static int group_up(void **state)
{
    void *made = NULL;
    int rc = broker_setup(&made);

    (void)state; /* stays NULL: a group's state would stand before a test's own */
    b = made;
    return rc;
}

static int group_down(void **state)
{
    void *made = b;

    (void)state;
    return broker_teardown(&made);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    static const struct CMUnitTest others[] = {
        TEST(an_exception_has_its_type_in_the_receipt),
        TEST(stdio_reads_and_writes_the_jobs_streams),
        TEST(so_do_the_descriptors_themselves),
        TEST(a_line_is_out_before_the_job_goes_on),
#ifndef SANITIZED
        TEST(cpp_streams_out_of_step_with_stdio_work),
#endif
        TEST(variables_are_the_environment),
        TEST(truncated_output_is_counted),
        TEST(no_two_jobs_have_the_same_canary),
        TEST(a_cancel_reaches_main_and_all_tasklets),
        TEST(one_that_does_not_listen_is_killed),
        TEST(files_of_other_kinds_are_refused_by_name),
        TEST(a_job_without_ending_is_known_by_how_it_begins),
        TEST(one_that_is_too_large_is_refused_before_it_is_sent),
        TEST(one_of_any_size_within_the_limit_is_loaded),
        TEST(what_a_native_job_cannot_have_is_refused),
        TEST(a_native_zygote_that_dies_is_replaced_and_lua_does_not_notice),
        TEST(native_jobs_and_scripts_do_not_wait_for_each_other),
        TEST(what_is_submitted_is_run_and_kept),
        TEST(the_examples_run),
        TEST(the_zygote_comes_with_the_first_native_job),
        TEST(who_came_first_goes_first_whatever_runs_it),
        TEST(one_that_waits_when_the_broker_dies_is_run_by_the_next),
        TEST(a_job_of_several_threads_gets_a_worker_made_for_it),
        TEST(several_jobs_of_several_threads_wait_for_each_other_only),
        TEST(one_of_several_threads_gets_its_turn_behind_others),
        TEST(each_of_several_threads_is_sealed),
        TEST(a_refused_call_is_reported_with_its_place_and_its_maker),
        TEST(a_crash_of_any_thread_ends_its_job_only),
        TEST(a_deadlock_is_of_all_threads),
    };
    static struct CMUnitTest tests[N_ENDS + sizeof(others) / sizeof(others[0])];

    for (size_t i = 0; i < N_ENDS; i++)
        tests[i] = (struct CMUnitTest){ ends[i].sentence, it_ends_so, NULL, NULL, (void *)&ends[i] };
    memcpy(tests + N_ENDS, others, sizeof(others));
    cmocka_set_test_filter(getenv("TEST"));
    return _cmocka_run_group_tests("native", tests, sizeof(tests) / sizeof(tests[0]), group_up, group_down);
}
