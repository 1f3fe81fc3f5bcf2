/* test_causes.c - one job for each way to end, told apart by cause, exit code and receipt. Policy has tests of its own in tests/escape. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define FOR_EVER "while true do end\n"

/* The receipt of the job that was submitted last, whose cause and outcome are these. */
static json_t *last_receipt(const struct broker *b, const char *outcome, const char *cause)
{
    json_t *r = expect_end(b, json_str(json_of(&coop(b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"), cause);

    assert_string_equal(json_str(r, "outcome"), outcome);
    return r;
}

/* ---- ended by itself ----------------------------------------------------------------------------------------------------------- */

static void a_job_that_reaches_its_end_is_ok(void **state)
{
    struct broker *b = *state;
    json_t *r;

    (void)proc_expect(coop(b, "run", script(b, "a.lua", BURN "print('x')")), 0);
    r = last_receipt(b, "succeeded", "ok");
    assert_int_equal(json_num(r, "exit_code"), 0);
    assert_int_equal(json_num(r, "signal"), 0);
    assert_string_equal(json_str(r, "cause_detail"), "");
    assert_true(json_is_null(json_at(r, "error")));
}

static void a_receipt_tells_what_was_used(void **state)
{
    struct broker *b = *state;
    static const char *const above_zero[] = { "usage.wall_us",
                                              "usage.cpu_user_us",
                                              "usage.mem_peak_bytes",
                                              "usage.page_faults",
                                              "usage.msgs_in",
                                              "usage.msgs_out",
                                              "times.submitted_us",
                                              "times.started_us",
                                              "times.first_output_us",
                                              "times.ended_us",
                                              "times.recorded_us",
                                              "where.worker_pid",
                                              "attempt",
                                              "epoch",
                                              "usage.csw_vol" };
    json_t *r;

    (void)proc_expect(coop(b, "run", script(b, "a.lua", BURN "local t = ('x'):rep(8 << 20)\nprint(#t)")), 0);
    r = last_receipt(b, "succeeded", "ok");
    for (size_t i = 0; i < sizeof(above_zero) / sizeof(above_zero[0]); i++)
        if (json_num(r, above_zero[i]) <= 0)
            fail_msg("%s is %lld", above_zero[i], (long long)json_num(r, above_zero[i]));
    assert_true(json_num(r, "usage.cpu_user_us") + json_num(r, "usage.cpu_sys_us") >= 250000); /* it burnt that */
    assert_true(json_num(r, "usage.wall_us") >= 250000);
    assert_true(json_num(r, "usage.mem_peak_bytes") >= 8 << 20);
    assert_true(json_num(r, "times.submitted_us") <= json_num(r, "times.started_us"));
    assert_true(json_num(r, "times.started_us") <= json_num(r, "times.first_output_us"));
    assert_true(json_num(r, "times.first_output_us") <= json_num(r, "times.ended_us"));
    assert_true(json_num(r, "times.ended_us") <= json_num(r, "times.recorded_us"));
}

static void a_receipt_tells_the_limits_in_effect_and_what_enforced_them(void **state)
{
    struct broker *b = *state;
    static const char *const enforced[] = { "tier", "cpu", "wall", "memory", "output", "seccomp" };
    json_t *r, *e;

    (void)proc_expect(coop(b, "run", "--limit", "cpu=3s,wall=1m30s", "--limit", "memory=32M,stdout=5K", script(b, "a.lua", "print(1)")), 2);
    (void)proc_expect(coop(b, "run", "--limit", "cpu=3s,wall=90s", "--limit", "memory=32M,stdout=5K", script(b, "a.lua", "print(1)")), 0);
    r = last_receipt(b, "succeeded", "ok");
    assert_int_equal(json_num(r, "limits_effective.cpu_us"), 3000000);
    assert_int_equal(json_num(r, "limits_effective.wall_us"), 90000000);
    assert_int_equal(json_num(r, "limits_effective.memory_bytes"), 32 << 20);
    assert_int_equal(json_num(r, "limits_effective.stdout_bytes"), 5 << 10);
    assert_int_equal(json_num(r, "limits_effective.stderr_bytes"), 1 << 20);
    e = json_at(r, "enforcement");
    for (size_t i = 0; i < sizeof(enforced) / sizeof(enforced[0]); i++) {
        assert_string_not_equal(json_str(e, enforced[i]), "");
        assert_string_not_equal(json_str(e, enforced[i]), "none");
    }
    assert_int_equal(strlen(json_str(e, "seccomp_hash")), 64);
    assert_true(json_array_size(json_at(e, "seal")) >= 8);
    assert_string_equal(json_str(e, support_text("seal.%zu", json_array_size(json_at(e, "seal")) - 1)), "seccomp");
    if (geteuid() == 0) {
        assert_true(json_num(e, "uid") != 0);
        assert_true(json_num(e, "uid") != SUPPORT_NOBODY);
    }
}

/* What a receipt claims, seen from outside while the job runs. */
static void the_kernels_limits_that_a_receipt_names_are_set(void **state)
{
    struct broker *b = *state;
    char *id;
    json_t *r;
    uint64_t cpu, memory, addresses;
    pid_t worker;

    id = submit(b, "--limit", "cpu=20s,memory=32M", script(b, "a.lua", FOR_EVER));
    worker = broker_worker_with_job(b);
    cpu = tree_limit(worker, "Max cpu time");
    memory = tree_limit(worker, "Max data size");
    addresses = tree_limit(worker, "Max address space");
    (void)proc_expect(coop(b, "kill", id), 0);
    r = expect_end(b, id, "cancelled");
    if (strstr(json_str(r, "enforcement.cpu"), "RLIMIT_CPU") != NULL)
        assert_in_range(cpu, 20, 30); /* seconds */
    if (strstr(json_str(r, "enforcement.memory"), "RLIMIT_DATA") != NULL) {
        assert_in_range(memory, 32 << 20, 1 << 30);
        assert_in_range(addresses, memory, memory + (5ULL << 30)); /* those of stacks that are closed, too */
    }
}

static void a_code_that_is_not_zero_is_exit(void **state)
{
    struct broker *b = *state;

    (void)proc_expect(coop(b, "run", script(b, "a.lua", "os.exit(9)")), 9);
    assert_int_equal(json_num(last_receipt(b, "failed", "exit"), "exit_code"), 9);
}

static void an_uncaught_error_is_an_exception_with_script_and_line(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(b, "run", script(b, "boom.lua", "print('before')\nlocal function f()\n  error('no way')\nend\nf()\n"));
    json_t *r;

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_text(p->out, "before\n");
    expect_has(p->err, "boom.lua:3: no way");
    expect_has(p->err, "stack traceback:");
    expect_has(p->err, "boom.lua:5:");
    r = last_receipt(b, "failed", "exception");
    assert_string_equal(json_str(r, "error.type"), "error");
    assert_string_equal(json_str(r, "error.message"), "boom.lua:3: no way");
    assert_non_null(strstr(json_str(r, "error.traceback"), "boom.lua:5:"));
}

static void an_error_in_a_module_names_the_module(void **state)
{
    struct broker *b = *state;
    const char *m = script(b, "mod.lua", "local m = {}\nfunction m.f() local x = nil; return x.y end\nreturn m\n");
    struct proc *p = coop(b, "run", "--file", m, script(b, "main.lua", "\nrequire('mod').f()"));

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_has(p->err, "mod.lua:2:");
    expect_has(p->err, "main.lua:2:");
}

static void a_syntax_error_has_file_and_line(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(b, "run", script(b, "bad.lua", "print(1)\nlocal = 2\n"));

    (void)proc_expect(p, COOP_EXIT_EXCEPTION);
    expect_text(p->out, "");
    expect_has(p->err, "bad.lua:2:");
    assert_string_equal(json_str(last_receipt(b, "failed", "exception"), "error.type"), "syntax");
}

/* ---- ended by a limit ---------------------------------------------------------------------------------------------------------- */

static void too_much_memory_is_oom_and_says_so(void **state)
{
    struct broker *b = *state;
    static const char *const scripts[] = {
        "local t = {}\nfor i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
        "local s = 'x'\nwhile true do s = s .. s end",
        "print(#string.rep('x', 1 << 30))",
        "local t = {}\nwhile true do local ok = pcall(function() while true do t[#t + 1] = ('y'):rep(1 << 16) .. #t end end) end",
    };

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct proc *p = coop(b, "run", "--limit", "memory=8M,cpu=1s", script(b, "a.lua", scripts[i]));

        if (i == 3) { /* one that catches its errors may go on until its time is over; it must not get more */
            json_t *r = last_receipt(b, "timed_out", "cpu_limit");

            assert_true(json_num(r, "usage.mem_peak_bytes") < 64 << 20);
            continue;
        }
        (void)proc_expect(p, COOP_EXIT_OOM);
        expect_has(p->err, "oom");
        (void)last_receipt(b, "failed", "oom");
    }
}

static void an_endless_loop_ends_at_its_cpu_limit(void **state)
{
    struct broker *b = *state;
    static const char *const scripts[] = {
        FOR_EVER,
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(error) end",
        "string.find(('a'):rep(60), ('a-'):rep(60) .. 'b')", /* inside one call of a C function */
        "local t = setmetatable({}, { __gc = function() while true do end end })\nt = nil\ncollectgarbage()",
        "coroutine.wrap(function() while true do end end)()",
        "table.sort({ 3, 2, 1, 5, 4 }, function() while true do end end)",
    };

    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct proc *p = coop(b, "run", "--limit", "cpu=200ms", script(b, "a.lua", scripts[i]));
        json_t *r;

        (void)proc_expect(p, COOP_EXIT_TIME_LIMIT);
        expect_has(p->err, "cpu_limit");
        r = last_receipt(b, "timed_out", "cpu_limit");
        assert_true(json_num(r, "usage.cpu_user_us") + json_num(r, "usage.cpu_sys_us") >= 190000);
    }
}

static void a_job_that_waits_for_input_for_ever_ends_at_its_wall_limit(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", "--limit", "wall=2s", script(b, "a.lua", "print('ready')\nio.read()"));
    json_t *r;

    (void)proc_expect(
        p, COOP_EXIT_TIME_LIMIT); /* its input stays open; the time counts from when a worker was given it, before it has printed */
    expect_text(p->out, "ready\n");
    expect_has(p->err, "wall_limit");
    r = last_receipt(b, "timed_out", "wall_limit");
    assert_true(json_num(r, "usage.wall_us") >= 2000000);
}

#define PRINT_TO(stream) "for i = 1, 1e9 do io." stream ":write(('0123456789'):rep(100)) end"

static void past_its_output_limit_a_job_ends(void **state)
{
    struct broker *b = *state;
    static const char *const names[] = { "stdout", "stderr" };
    static const char *const scripts[] = { PRINT_TO("stdout"), PRINT_TO("stderr") };
    uint8_t want[7777];

    for (size_t i = 0; i < sizeof(want); i++)
        want[i] = (uint8_t)('0' + i % 10);
    for (int i = 0; i < 2; i++) {
        struct proc *p = coop(b, "run", "--limit", "stdout=7777,stderr=7777", script(b, "a.lua", scripts[i]));
        json_t *r;

        (void)proc_expect(p, COOP_EXIT_JOB_FAILED);
        r = last_receipt(b, "failed", "output_limit");
        assert_int_equal(json_num(r, support_text("%s.bytes", names[i])), 7777);
        assert_true(json_num(r, support_text("%s.dropped", names[i])) > 0);
        assert_true(json_is_true(json_at(r, support_text("%s.truncated", names[i]))));
        p = proc_expect(coop(b, "logs", support_text("--%s", names[i]), json_str(r, "job")), 0);
        if (i == 0)
            expect_bytes(p->out, want, sizeof(want));
        else
            expect_bytes(p->err, want, sizeof(want));
    }
}

static void or_its_output_is_cut_at_the_limit_exactly(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              "for i = 0, 9999 do\n local c = string.char(i % 256)\n io.write(c)\n io.stderr:write(c, c)\nend\n"
                              "os.exit(5)");
    uint8_t out[1000], err[3001];
    struct proc *p;
    json_t *r;

    for (size_t i = 0; i < sizeof(out); i++)
        out[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof(err); i++)
        err[i] = (uint8_t)(i / 2);
    p = coop(b, "run", "--quiet", "--limit", "stdout=1000,stderr=3001", "--on-output-limit", "truncate", path);
    (void)proc_expect(p, 5);
    expect_bytes(p->out, out, sizeof(out));
    expect_bytes(p->err, err, sizeof(err));
    r = last_receipt(b, "failed", "exit");
    assert_int_equal(json_num(r, "stdout.bytes"), 1000);
    assert_int_equal(json_num(r, "stdout.dropped"), 10000 - 1000);
    assert_int_equal(json_num(r, "stderr.bytes"), 3001);
    assert_int_equal(json_num(r, "stderr.dropped"), 20000 - 3001);
    p = coop(b, "run", "--limit", "stdout=1000", "--on-output-limit", "truncate", path);
    (void)proc_expect(p, 5);
    expect_has(p->err, "9000 dropped"); /* and one is told */
}

static void output_that_just_fits_is_not_past_the_limit(void **state)
{
    struct broker *b = *state;

    (void)proc_expect(coop(b, "run", "--limit", "stdout=10", script(b, "a.lua", "io.write('0123456789')")), 0);
    assert_true(json_is_false(json_at(last_receipt(b, "succeeded", "ok"), "stdout.truncated")));
    (void)proc_expect(coop(b, "run", "--limit", "stdout=10", script(b, "a.lua", "io.write('0123456789x')")), COOP_EXIT_JOB_FAILED);
    (void)last_receipt(b, "failed", "output_limit");
}

/* ---- ended from outside -------------------------------------------------------------------------------------------------------- */

static void ctrl_c_cancels_a_running_job(void **state)
{
    struct broker *b = *state;
    struct proc *p =
        coop_start(b, "run", ENDLESS, script(b, "a.lua", "print('up')\nwhile true do pcall(function() while true do end end) end"));

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    expect_has(p->err, "cancelling");
    (void)last_receipt(b, "cancelled", "cancelled");
}

static void ctrl_c_cancels_a_job_that_waits_for_input(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", "print('up')\nio.read('a')\nprint('not reached')"));

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    expect_text(p->out, "up\n");
    (void)last_receipt(b, "cancelled", "cancelled");
}

/* Lua calls no hook in a finalizer: who has read "up" knows that it cannot be interrupted any more. */
#define DEAF                                                                                                                               \
    "setmetatable({}, { __gc = function() print('up') io.stdout:flush() while true do end end })\n"                                        \
    "collectgarbage()"

/* Only the second, harder request ends it before its grace is over. */
static void a_second_ctrl_c_kills(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", DEAF));

    proc_until(p, &p->out, "up\n");
    proc_kill(p, SIGINT);
    proc_until(p, &p->err, "cancelling");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    expect_has(p->err, "killing");
    assert_string_equal(json_str(last_receipt(b, "cancelled", "cancelled"), "cause_detail"), "killed by request");
}

static void a_job_deaf_to_cancel_is_killed_after_its_grace(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", DEAF));
    char *id;

    proc_until(p, &p->out, "up\n");
    id = heard_line(&proc_expect(coop(b, "ls", "--state", "running", "--quiet"), 0)->out);
    (void)proc_expect(coop(b, "cancel", id, id), 0); /* again, well within the grace, is harmless */
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_non_null(strstr(json_str(last_receipt(b, "cancelled", "cancelled"), "cause_detail"), "did not end by itself"));
}

static void a_waiting_job_is_cancelled_before_it_starts(void **state)
{
    struct broker *b = *state;
    char *first, *second;
    json_t *r;

    assert_int_equal(broker_down(b), 0);
    b->args[0] = "--workers";
    b->args[1] = "1";
    broker_up(b);
    first = submit(b, ENDLESS, script(b, "a.lua", FOR_EVER));
    broker_says(b, "to=running", first);
    second = submit(b, script(b, "b.lua", "print(1)"));
    assert_string_equal(json_str(status_of(b, second), "state"), "ready");
    assert_string_equal(json_str(status_of(b, second), "reason"), "NO_SLOT");
    (void)proc_expect(coop(b, "cancel", second), 0);
    (void)proc_expect(coop(b, "wait", second), COOP_EXIT_CANCELLED);
    r = expect_end(b, second, "cancelled");
    assert_int_equal(json_num(r, "attempt"), 0);
    assert_int_equal(json_num(r, "usage.cpu_user_us"), 0);
    assert_string_equal(json_str(r, "enforcement.tier"), "none");
    assert_string_equal(json_str(status_of(b, first), "state"), "running");
    (void)proc_expect(coop(b, "kill", first), 0);
    (void)expect_end(b, first, "cancelled");
}

static void a_cancelled_jobs_output_is_kept(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", ENDLESS, script(b, "a.lua", "print('kept')\n" FOR_EVER));

    proc_until(p, &p->out, "kept\n");
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    expect_text(proc_expect(coop(b, "logs", json_str(last_receipt(b, "cancelled", "cancelled"), "job")), 0)->out, "kept\n");
}

/* A signal that is neither ours nor the kill of a lost worker: the job died of it. */
static void a_worker_that_dies_of_a_signal_gives_that_signal(void **state)
{
    struct broker *b = *state;
    char *id;
    json_t *r;

    id = submit(b, ENDLESS, script(b, "a.lua", FOR_EVER));
    support_kill(broker_worker_with_job(b), SIGSEGV);
    (void)proc_expect(coop(b, "wait", id), COOP_EXIT_SIGNAL_BASE + SIGSEGV);
    r = expect_end(b, id, "signal");
    assert_int_equal(json_num(r, "signal"), SIGSEGV);
}

/* ---- not the job's fault -------------------------------------------------------------------------------------------------------- */

/* Waits until a worker has this job for the n-th time, and kills that one. */
static void kill_worker_of(struct broker *b, const char *id, unsigned attempt)
{
    broker_says_times(b, "to=running", id, attempt);
    support_kill(broker_worker_with_job(b), SIGKILL);
    broker_says_times(b, "from=running", id, attempt);
}

static void a_job_whose_worker_was_lost_runs_again(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    const char *id;
    json_t *r;

    p = coop_start(b, "run", script(b, "a.lua", BURN "print('up')\nprint('in: ' .. io.read('a'))"));
    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    kill_worker_of(b, id, 1);
    proc_until(p, &p->err, "runs again (attempt 2)");
    proc_write(p, "x", 1);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    expect_text(p->out, "up\nup\nin: x\n"); /* of each attempt what it wrote */
    r = last_receipt(b, "succeeded", "ok");
    assert_int_equal(json_num(r, "attempt"), 2);
    assert_int_equal(json_num(r, "stdout.bytes"), 9); /* the last one's only */
}

/* It is held, and not ended: whoever knows better lets it try again. What has been lost until then is in its receipt. */
static void a_job_whose_worker_is_lost_three_times_is_held(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    json_t *r;
    char *id;

    id = submit(b, ENDLESS, script(b, "a.lua", FOR_EVER));
    for (unsigned attempt = 1; attempt <= 3; attempt++)
        kill_worker_of(b, id, attempt);
    broker_says(b, "event=quarantine", id);
    r = status_of(b, id);
    assert_string_equal(json_str(r, "state"), "held");
    assert_string_equal(json_str(r, "reason"), "QUARANTINE");
    assert_int_equal(json_num(r, "infra_attempts"), 3);
    p = coop(b, "wait", id); /* it would wait for ever */
    (void)proc_expect(p, COOP_EXIT_PLATFORM);
    expect_has(p->err, "coop release");
    proc_expect(coop(b, "wait", "--any", id), COOP_EXIT_PLATFORM);
    (void)proc_expect(coop(b, "kill", id), 0);
    r = expect_end(b, id, "cancelled");
    assert_int_equal(json_num(r, "attempt"), 3);
    assert_string_equal(json_str(r, "attempts.0.cause"), "worker_lost");
    assert_int_equal(json_num(r, "attempts.2.n"), 3);
}

static void who_runs_a_job_that_goes_into_quarantine_is_told(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", ENDLESS, script(b, "a.lua", "print('up')\n" FOR_EVER));
    const char *id;

    proc_until(p, &p->out, "up\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    for (unsigned attempt = 1; attempt <= 3; attempt++)
        kill_worker_of(b, id, attempt);
    (void)proc_expect(p, COOP_EXIT_PLATFORM);
    expect_has(p->err, "coop release");
}

/* The two that its workers lost are not the brokers' fault: it is tried once more. */
static void losses_of_workers_are_not_those_of_brokers(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, ENDLESS, script(b, "a.lua", FOR_EVER));

    kill_worker_of(b, id, 1);
    kill_worker_of(b, id, 2);
    broker_says_times(b, "to=running", id, 3);
    (void)expect_end(b, submit(b, script(b, "ok.lua", "return 0")), "ok"); /* committed behind its claim */
    broker_kill(b);
    broker_up(b);
    broker_says(b, "to=running", id);
    assert_int_equal(json_num(status_of(b, id), "infra_attempts"), 3);
}

static void input_that_was_read_is_not_read_twice(void **state)
{
    struct broker *b = *state;
    struct proc *p;

    p = coop_start(b, "run", script(b, "a.lua", BURN "print('got ' .. io.read())\nprint(io.read())"));
    proc_write(p, "one\n", 4);
    proc_until(p, &p->out, "got one\n");
    support_kill(broker_worker_with_job(b), SIGKILL);
    (void)proc_expect(p, COOP_EXIT_PLATFORM);
    expect_has(p->err, "worker_lost");
    (void)last_receipt(b, "failed", "worker_lost");
}

static void a_stream_that_breaks_with_its_broker_is_broker_lost(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "a.lua", "print('got ' .. io.read())\nprint(io.read())"));
    json_t *r;

    proc_write(p, "one\n", 4);
    proc_until(p, &p->out, "got one\n");
    broker_kill(b);
    broker_up(b);
    (void)proc_expect(p, COOP_EXIT_PLATFORM); /* it has come back by itself and heard the end */
    expect_has(p->err, "broker_lost");
    r = last_receipt(b, "failed", "broker_lost");
    assert_true(json_num(r, "times.ended_us") >= json_num(r, "times.submitted_us"));
}

/* ---- a seal that cannot be taken ------------------------------------------------------------------------------------------------- */

static void a_worker_that_cannot_be_sealed_runs_nothing(void **state)
{
    /* brokers_too: a broker that gives root up needs it as well, and does not start (test_root.c); an ordinary user's shows it. */
    static const struct {
        const char *deny, *step;
        bool brokers_too;
    } rows[] = {
        {"landlock_restrict_self",     "landlock",     false},
        { "landlock_create_ruleset",   "landlock",     false},
        { "prctl:PR_SET_NO_NEW_PRIVS", "no_new_privs", true },
        { "prctl:PR_SET_DUMPABLE",     "not_dumpable", true },
        { "close_range",               "descriptors",  false},
        { "setsid",                    "session",      false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();
        struct proc *p;
        json_t *r;

        b->deny = rows[i].deny;
        if (rows[i].brokers_too && geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
            continue;
        broker_up(b);
        p = coop(b, "run", script(b, "a.lua", "print('this must not be seen')"));
        (void)proc_expect(p, COOP_EXIT_PLATFORM);
        expect_text(p->out, "");
        expect_has(p->err, "start_failed");
        expect_has(p->err, rows[i].step);
        r = last_receipt(b, "failed", "start_failed");
        assert_non_null(strstr(json_str(r, "cause_detail"), support_text("step %s failed", rows[i].step)));
        assert_non_null(strstr(json_str(r, "cause_detail"), "errno 1")); /* EPERM */
        assert_string_equal(json_str(r, "enforcement.tier"), "none");
        assert_int_equal(broker_down(b), 0);
    }
}

static void an_unsealable_worker_does_not_keep_the_broker_from_its_other_work(void **state)
{
    struct broker *b;
    char *one, *two;

    (void)state;
    b = broker_new();
    b->deny = "landlock_restrict_self";
    broker_up(b);
    one = submit(b, script(b, "a.lua", "print(1)"));
    two = submit(b, script(b, "a.lua", "print(2)"));
    (void)expect_end(b, one, "start_failed");
    (void)expect_end(b, two, "start_failed");
    (void)proc_expect(coop(b, "version"), 0);
    expect_receipts(b, 2);
    assert_int_equal(broker_down(b), 0);
}

static int setup_nothing(void **state)
{
    *state = NULL;
    return 0;
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, setup_nothing, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_that_reaches_its_end_is_ok),
        TEST(a_receipt_tells_what_was_used),
        TEST(a_receipt_tells_the_limits_in_effect_and_what_enforced_them),
        TEST(the_kernels_limits_that_a_receipt_names_are_set),
        TEST(a_code_that_is_not_zero_is_exit),
        TEST(an_uncaught_error_is_an_exception_with_script_and_line),
        TEST(an_error_in_a_module_names_the_module),
        TEST(a_syntax_error_has_file_and_line),
        TEST(too_much_memory_is_oom_and_says_so),
        TEST(an_endless_loop_ends_at_its_cpu_limit),
        TEST(a_job_that_waits_for_input_for_ever_ends_at_its_wall_limit),
        TEST(past_its_output_limit_a_job_ends),
        TEST(or_its_output_is_cut_at_the_limit_exactly),
        TEST(output_that_just_fits_is_not_past_the_limit),
        TEST(ctrl_c_cancels_a_running_job),
        TEST(ctrl_c_cancels_a_job_that_waits_for_input),
        TEST(a_second_ctrl_c_kills),
        TEST(a_job_deaf_to_cancel_is_killed_after_its_grace),
        TEST(a_waiting_job_is_cancelled_before_it_starts),
        TEST(a_cancelled_jobs_output_is_kept),
        TEST(a_worker_that_dies_of_a_signal_gives_that_signal),
        TEST(a_job_whose_worker_was_lost_runs_again),
        TEST(a_job_whose_worker_is_lost_three_times_is_held),
        TEST(losses_of_workers_are_not_those_of_brokers),
        TEST(who_runs_a_job_that_goes_into_quarantine_is_told),
        TEST(input_that_was_read_is_not_read_twice),
        TEST(a_stream_that_breaks_with_its_broker_is_broker_lost),
        ALONE(a_worker_that_cannot_be_sealed_runs_nothing),
        ALONE(an_unsealable_worker_does_not_keep_the_broker_from_its_other_work),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
