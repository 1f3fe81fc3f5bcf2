/*
 * test_native_escape.c - hostile machine code: each attempt of tests/native/attack.c as a job of its own beside an honest one; started by us
 * and by another user. After each: no harm (host.h), the neighbour's output exact, the receipt true.
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

struct row {
    const char *name;   /* of the attempt, or "behave" and what that job is to do */
    const char *causes; /* those that are right */
    const char *said;   /* what its output is after the name, or what the cause's detail has in it; NULL: not looked at */
};

#define NAMES(call) call "("

/* clang-format off */
static const struct row rows[] = {
    /* memory becomes executable in no way */
    { "rwx_mmap",         "policy", NAMES("mmap") },
    { "rx_mmap",          "policy", NAMES("mmap") },
    { "exec_gain",        "policy", NAMES("mprotect") },
    { "rwx_mprotect",     "policy", NAMES("mprotect") },
    { "run_data",         "signal", "signal 11" },
    { "patch_code",       "signal", "signal 11" },        /* code that was made writable is no code any more */
    { "map_module_again", "ok",     "-1 19" },            /* /dev/null is in its place, when the loader has mapped it */
    { "map_module_early", "ok",     "-1 19" },            /* before its first IFUNC is resolved */
    { "write_module",     "ok",     "6 0" },              /* into nothing */
    { "closes_module",    "ok",     "-1 9" },             /* its number is never free */
    { "closes_null",      "ok",     "-1 9" },             /* nor that of what is put there */
    { "null_over_module", "ok",     "4 0" },              /* what is there already */
    { "link_over_module", "policy", NAMES("dup2") },
    { "map_link",         "policy", NAMES("mmap") },
    { "map_null",         "policy", NAMES("mmap") },
    { "another_memfd",    "policy", NAMES("memfd_create") },
    { "unmap_all",        "signal", "signal 11" },

    /* files */
    { "open_canary",      "ok",     "-1 13" },
    { "stdio_canary",     "ok",     "-1 13" },
    { "list_root",        "ok",     "-1 13" },
    { "open_own_memory",  "ok",     "-1 13" },
    { "open_module_name", "ok",     "-1 13" },
    { "load_passwd",      "ok",     NULL },               /* -1, and whatever errno the loader leaves */
    { "load_library",     "ok",     NULL },
    { "unload_self",      "signal", "signal 11" },
    { "make_link",        "policy", NAMES("symlink") },

    /* processes and threads */
    { "forks",            "policy", NAMES("clone") },
    { "vforks",           "policy", NAMES("vfork") },
    { "thread",           "policy", NULL },               /* libc asks for signal handlers first, or for the thread */
    { "runs_shell",       "policy", NULL },
    { "spawns",           "policy", NULL },
    { "execs",            "policy", NAMES("execve") },
    { "kill_parent",      "policy", NAMES("getppid") },
    { "kill_everybody",   "policy", NAMES("kill") },
    { "kill_neighbour",   "policy", NAMES("tgkill") },
    { "traces",           "policy", NAMES("ptrace") },
    { "reads_init",       "policy", NAMES("process_vm_readv") },
    { "raises_processes", "ok",     "-1 1" },

    /* the kernel's settings */
    { "personal",         "policy", NAMES("personality") },
    { "dumpable",         "policy", NAMES("prctl") },
    { "own_filter",       "policy", NAMES("seccomp") },
#if !defined(COOP_ASAN) && !defined(COOP_TSAN)
    { "handles_sigsys",   "policy", NAMES("rt_sigaction") },
    { "raises_limit",     "ok",     "-1 1" },             /* a sanitizer has no address-space limit */
    { "abort_neighbour",  "signal", "abort()" },          /* and see tests/system/test_native.c */
#endif
    { "blocked_sigsys",   "policy", "SIGSYS blocked" },
    { "blocked_answer",   "policy", "SIGSYS blocked" },   /* an answer needs the handler */
    { "no_signal_stack",  "policy", NAMES("socket") },
    { "bad_signal_stack", "policy signal", NULL },
    { "int80",            "policy", "foreign ABI" },
    { "x32",              "policy", "foreign ABI" },

    /* the scheduler's own memory: what it does then is not ours to say, but whose end it is */
    { "behave forges_yield_to", "signal", "signal 11" },
    { "behave forges_unpark", "ok exit signal exception", NULL },
    { "behave forges_join", "signal", "signal 11" },
    { "behave overwrites", "ok exit signal exception cpu_limit", NULL },

    /* talking */
    { "internet",         "policy", NAMES("socket") },
    { "abstract_socket",  "policy", NAMES("socket") },
    { "sends_descriptor", "policy", NAMES("sendmsg") },
    { "closes_link",      "ok",     "-1 9" },
    { "shuts_link",       "policy", NAMES("shutdown") },
    { "garbage",          "bad_result", "not a message" },
    { "second_hello",     "bad_result", "hello" },
    { "exit_code_300",    "bad_result", "result" },
    { "endless_frame",    "bad_result", NULL },
    { "overdraws",        "bad_result", "output" },

    /* descriptors of buffers, which the broker sends: none is ever where it could be mapped to be executed */
    { "buffer_lands",     "ok",     "5 0" },
    { "buffer_exec",      "policy", NAMES("mmap") },
    { "buffer_shared_exec", "policy", NAMES("mmap") },
    { "buffer_exec_gain", "policy", NAMES("mprotect") },
    { "buffer_run",       "signal", "signal 11" },
    { "buffer_over_module", "policy", NAMES("dup2") },
    { "buffers_all",      "ok",     "59 0" },             /* 5 to 63: then it has no more room */
    { "buffer_writes_after_seal", "ok", "-1 1" },
    { "buffer_sealed_while_mapped", "ok", "0 0" },
    { "buffer_made_writable", "ok", "-1 13" },
    { "buffer_peeks",     "policy", NAMES("recvmsg") },

    /* queues */
    { "queue_flood",      "ok",     "0 0" },              /* what waits is bounded, and it is told so */
    { "queue_guesses",    "ok",     "0 0" },              /* as many refusals */
    { "queue_same_number", "bad_result", "ask" },
};
/* clang-format on */

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static struct host *host; /* NULL: cannot run here */
static struct broker *group_broker;
static uid_t group_uid;
static struct neighbour neighbour;

static const char *attack(void)
{
    return support_program("tests/native/attack.so");
}

static struct ended run(const char *name)
{
    const char *space = strchr(name, ' '), *variable = support_text("CANARY=%s", host->canary);

    if (space != NULL)
        return attempt_heard(coop(host->b, "run", "--json", "--limit", ATTEMPT_LIMITS, "--limit", "cpu=1s",
                                  support_program("tests/native/behave.so"), space + 1));
    return attempt_heard(coop(host->b, "run", "--json", "--limit", ATTEMPT_LIMITS, "--cap", "buffers=1M", "--cap", "queues", "-e", variable,
                              attack(), name));
}

static void a_row_holds(void **state)
{
    const struct row *r = *state;
    struct ended e;

    if (host == NULL)
        skip();
    attempt_neighbour(host, &neighbour);
    e = run(r->name);
    attempt_ended(&e, r->causes);
    if (strchr(r->name, ' ') != NULL && r->said == NULL)
        ; /* any of its causes */
    else if (strcmp(e.cause, "ok") == 0 && r->said != NULL)
        assert_string_equal(e.out, support_text("%s %s\n", r->name, r->said));
    else if (strcmp(e.cause, "ok") == 0)
        assert_non_null(strstr(e.out, support_text("%s -1 ", r->name)));
    else if (r->said != NULL && strstr(e.detail, r->said) == NULL)
        support_fail("the receipt says \"%s\", wanted \"%s\"", e.detail, r->said);
    attempt_harmed_nobody(host, &neighbour, &e);
}

/* Nothing of the job is left in the process that the next one gets, because it is another process. */
static void a_hundred_in_a_row_end_the_same(void **state)
{
    (void)state;
    if (host == NULL)
        skip();
    for (int i = 0; i < 100; i++) {
        struct ended e = run(i % 2 == 0 ? "patch_code" : "internet");

        attempt_ended(&e, i % 2 == 0 ? "signal" : "policy");
    }
    host_unharmed(host);
}

static int leave_no_neighbour(void **state)
{
    (void)state;
    if (host != NULL)
        attempt_teardown(host, &neighbour);
    return 0;
}

static void the_broker_is_as_it_was_before(void **state)
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
    h->profile = "native";
    group_broker = h->b;
    neighbour = (struct neighbour){ "print('waiting')\nio.read()\nprint(('honest '):rep(1000))\n", NULL, 0, NULL };
    neighbour.says = support_text("waiting\n");
    for (int i = 0; i < 1000; i++)
        neighbour.says = support_text("%shonest ", neighbour.says);
    neighbour.says = strdup(support_text("%s\n", neighbour.says));
    neighbour.len = strlen(neighbour.says);
    if (group_uid != 0 && !broker_belongs_to(h->b, group_uid))
        return 0;
    host_up(h, attack());
    host = h;
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    host = NULL;
    free((char *)(uintptr_t)neighbour.says);
    return broker_teardown(&b);
}

static int run_as(const char *user)
{
    static struct CMUnitTest tests[N_ROWS + 2];
    size_t n = 0;

    for (; n < N_ROWS; n++)
        tests[n] = (struct CMUnitTest){ rows[n].name, a_row_holds, NULL, leave_no_neighbour, (void *)&rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_hundred_in_a_row_end_the_same);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(the_broker_is_as_it_was_before);
    return _cmocka_run_group_tests(user, tests, n, group_up, group_down);
}

int main(void)
{
    int failed = run_as("native, as started by us");

    group_uid = SUPPORT_NOBODY;
    if (host_as_other())
        failed += run_as("native, as started by another user");
    return failed == 0 ? 0 : 1;
}
