/* test_verbs.c - every verb of coop, used well, against a real broker: what it prints, in which shape, and its exit code. */
#include <glob.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

/* The fields of each message as they are printed: public and stable. A new one is added here at its place, none goes. */
#define STATUS_FIELDS                                                                                                                      \
    "id name engine state cause cause_detail reason attempt exit_code submitted_us elapsed_us cpu_us mem_bytes stdout_bytes stderr_bytes interp tenant queue class priority labels array_id array_index is_array not_before_us tasks infra_attempts"
#define RECEIPT_FIELDS                                                                                                                     \
    "job name engine attempt epoch outcome cause cause_detail exit_code signal error stdout stderr usage limits_effective enforcement times where violation outputs learned outputs_note chain interp tenant user attempts array_id array_index cost_charged cost_settled fault"
#define LIMITS_FIELDS                                                                                                                      \
    "cpu_us wall_us memory_bytes stdout_bytes stderr_bytes tasklets threads idle_us pids files file_bytes disk_bytes inodes result_bytes"
#define STREAM_FIELDS "bytes dropped truncated"
#define USAGE_FIELDS                                                                                                                       \
    "queue_us start_us wall_us cpu_user_us cpu_sys_us mem_peak_bytes page_faults csw_vol csw_forced msgs_in msgs_out io_read_bytes io_write_bytes pids_peak paused_us"
#define ENFORCEMENT_FIELDS                                                                                                                 \
    "tier cpu wall memory output seccomp seccomp_hash landlock_abi uid seal pids disk net fs idle swap namespaces filter_len"
#define TIMES_FIELDS "submitted_us started_us first_output_us ended_us recorded_us"
#define CHAIN_FIELDS "seq sha256 previous"
#define WHERE_FIELDS "broker worker_pid engine_version kernel"
#define SPEC_FIELDS                                                                                                                        \
    "name engine source_name source modules args env limits stdin_mode stdin_data on_output_limit program files outputs caps tty require policy learn limits_asked template builds tenant user idem_key queue class priority labels schedule retry webhooks retention hold array_index array_id traceparent"
#define VERSION_FIELDS "version protocol pid state_dir kernel workers_idle workers_busy jobs_waiting engines"
#define CHUNK_FIELDS   "stream offset data encoding"
#define ERROR_FIELDS   "code message hint exit_code"

#define FOR_EVER "while true do end\n"
#define CAT                                                                                                                                \
    "while true do\n local part = io.read(65536)\n if not part then break end\n"                                                           \
    " io.write(part)\nend\n"

/* ---- run ----------------------------------------------------------------------------------------------------------------------- */

static void run_prints_what_the_job_prints(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(coop(b, "run", script(b, "hello.lua", "print('hello', 42)\nio.stderr:write('oh\\n')\n")), 0);

    expect_text(p->out, "hello\t42\n");
    expect_text(p->err, "oh\n");
}

static void the_jobs_own_exit_code_is_the_commands(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "exit.lua", "os.exit(tonumber(arg[1]))\n");
    static const int codes[] = { 0, 1, 7, 255 };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct proc *p = proc_expect(coop(b, "run", path, support_text("%d", codes[i])), codes[i]);

        expect_text(p->err, ""); /* the job said nothing, and its code says it all */
    }
    (void)proc_expect(coop(b, "run", script(b, "true.lua", "os.exit(true)\n")), 0);
    (void)proc_expect(coop(b, "run", script(b, "false.lua", "os.exit(false)\n")), 1);
}

static void both_streams_arrive_apart_and_byte_for_byte(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "bytes.lua",
                              "local t = {}\nfor i = 0, 255 do t[#t + 1] = string.char(i) end\nlocal all = table.concat(t)\n"
                              "for i = 1, 40 do\n io.write(all, '\\xff\\xfe\\0', i, '\\n')\n io.stderr:write(all:reverse(), i)\nend\n");
    struct proc *p = proc_expect(coop(b, "run", path), 0);
    struct heard out = { 0 }, err = { 0 };
    FILE *o = open_memstream(&out.bytes, &out.len), *e = open_memstream(&err.bytes, &err.len);

    for (int i = 1; i <= 40; i++) {
        for (int c = 0; c < 256; c++) {
            (void)fputc(c, o);
            (void)fputc(255 - c, e);
        }
        (void)fwrite("\xff\xfe", 1, 3, o);
        (void)fprintf(o, "%d\n", i);
        (void)fprintf(e, "%d", i);
    }
    (void)fclose(o);
    (void)fclose(e);
    support_keep(out.bytes);
    support_keep(err.bytes);
    expect_bytes(p->out, out.bytes, out.len);
    expect_bytes(p->err, err.bytes, err.len);
}

static void five_megabytes_stream_through_a_job_unchanged(void **state)
{
    enum { LEN = 5000011 };
    struct broker *b = *state;
    uint8_t *noise = support_noise(LEN, 1);
    struct proc *p = coop_in(b, noise, LEN, "run", "--limit", "stdout=16M", script(b, "cat.lua", CAT));

    (void)proc_expect(p, 0);
    expect_bytes(p->out, noise, LEN);
    expect_text(p->err, "");
}

static void a_line_arrives_while_the_job_still_waits_for_input(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "talk.lua", "print('who?')\nprint('you are ' .. io.read())\nprint(io.read('a'))\n"));

    proc_until(p, &p->out, "who?\n");
    proc_write(p, "me\n", 3);
    proc_until(p, &p->out, "you are me\n"); /* the pipe is still open */
    proc_write(p, "rest", 4);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    expect_text(p->out, "who?\nyou are me\nrest\n");
}

static void stderr_arrives_live_too(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", script(b, "err.lua", "io.stderr:write('asking')\nio.read()\n"));

    proc_until(p, &p->err, "asking");
    proc_write(p, "\n", 1);
    (void)proc_expect(p, 0);
}

static void a_job_that_does_not_read_its_input_ends_all_the_same(void **state)
{
    enum { LEN = 1 << 20 };
    struct broker *b = *state;
    struct proc *p = coop_in(b, support_noise(LEN, 2), LEN, "run", script(b, "deaf.lua", "print('done')\n"));

    (void)proc_expect(p, 0);
    expect_text(p->out, "done\n");
}

static void input_comes_from_a_file_a_pipe_or_nowhere(void **state)
{
    struct broker *b = *state;
    const char *cat = script(b, "cat.lua", CAT), *input = support_put(b->dir, "input", "from\0file", 9);

    expect_bytes(proc_expect(coop(b, "run", "--stdin", input, cat), 0)->out, "from\0file", 9);
    expect_text(proc_expect(coop_in(b, "piped", 5, "run", "--stdin", "-", cat), 0)->out, "piped");
    expect_text(proc_expect(coop_in(b, "piped", 5, "run", cat), 0)->out, "piped");
    expect_text(proc_expect(coop_in(b, "", 0, "run", cat), 0)->out, "");
    expect_text(proc_expect(coop(b, "run", cat), 0)->out, "");
}

static void a_script_may_come_from_standard_input(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_in(b, "print(arg[0], arg[1], io.read('a'))", 35, "run", "--engine", "lua", "-", "x");

    (void)proc_expect(p, 0);
    expect_text(p->out, "stdin\tx\t\n");
}

static void the_engine_is_told_by_flag_ending_or_first_line(void **state)
{
    struct broker *b = *state;

    expect_text(proc_expect(coop(b, "run", "--engine", "lua", script(b, "plain", "print(1)")), 0)->out, "1\n");
    expect_text(proc_expect(coop(b, "run", script(b, "x.lua", "print(2)")), 0)->out, "2\n");
    expect_text(proc_expect(coop(b, "run", script(b, "bang", "#!/usr/bin/env lua5.4\nprint(3)")), 0)->out, "3\n");
    expect_text(proc_expect(coop(b, "run", script(b, "bang2", "#!/usr/bin/lua -W\nprint(4)")), 0)->out, "4\n");
}

static void arguments_reach_the_job_as_they_were_typed(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "args.lua", "io.write(arg[0], '|', table.concat(arg, '|'), '|', select('#', ...), '\\n')\n");

    expect_text(proc_expect(coop(b, "run", path, "--", "--json", "", "a b", "-x"), 0)->out, "args.lua|--json||a b|-x|4\n");
    expect_text(proc_expect(coop(b, "run", path, "--limit", "\xff\xfe*"), 0)->out, "args.lua|--limit|\xff\xfe*|2\n");
    expect_text(proc_expect(coop(b, "run", path, "--", "--", "x"), 0)->out, "args.lua|--|x|2\n");
    expect_text(proc_expect(coop(b, "run", path), 0)->out, "args.lua||0\n");
}

static void the_job_has_the_variables_given_and_no_others(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "env.lua", "for _, n in ipairs(arg) do print(n, os.getenv(n)) end\n");
    struct proc *p = coop(b, "run", "-e", "A=1", "--env", "B=x=y z", "-e", "C=", "-eD=\xff", "-e", "A=2", path, "A", "B", "C", "D", "PATH",
                          "HOME", "COOP_ENDPOINT");

    (void)proc_expect(p, 0);
    expect_text(p->out, "A\t2\nB\tx=y z\nC\t\nD\t\xff\nPATH\tnil\nHOME\tnil\nCOOP_ENDPOINT\tnil\n");
}

static void modules_sent_along_can_be_required(void **state)
{
    struct broker *b = *state;
    const char *m = script(b, "helper.lua", "return { name = ..., twice = function(x) return 2 * x end }\n");
    const char *main_file =
        script(b, "main.lua", "local h, o = require 'helper', require 'other.deep'\nprint(h.twice(21), h.name, o.twice(1))\n");
    struct proc *p = coop(b, "run", "--file", m, "--file", support_text("%s:other/deep.lua", m), main_file);

    (void)proc_expect(p, 0);
    expect_text(p->out, "42\thelper\t2\n");
}

static void the_receipt_flag_says_on_stderr_what_held_each_limit(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(coop(b, "run", "--receipt", script(b, "a.lua", "print(1)")), 0);
    static const char *const words[] = { "outcome", "succeeded", "wall", "cpu", "memory", "stdout", "held by", "tier" };

    expect_text(p->out, "1\n");
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        expect_has(p->err, words[i]);
}

/* What LogChunks say of one stream, put together again. */
static void expect_chunks(const struct proc *p, const char *stream, const char *text, const char *encoding)
{
    json_int_t offset = 0;
    struct heard all = { support_text("%s", ""), 0, 0 };

    for (size_t i = 0; i < json_lines(&p->out); i++) {
        json_t *c = json_line(&p->out, i);

        if (strcmp(json_str(c, "schema"), "coop.LogChunk/1") != 0 || strcmp(json_str(c, "stream"), stream) != 0)
            continue;
        json_expect_shape(c, "coop.LogChunk/1", CHUNK_FIELDS);
        assert_int_equal(json_num(c, "offset"), offset);
        assert_string_equal(json_str(c, "encoding"), encoding);
        all.bytes = support_text("%s%s", all.bytes, json_str(c, "data"));
        all.len = strlen(all.bytes);
        offset = (json_int_t)all.len;
    }
    expect_text(all, text);
}

static void run_as_json_gives_chunks_and_then_the_receipt(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(b, "run", "--json", script(b, "a.lua", "print('out \\u{20ac}')\nio.stderr:write('err')\n"));
    json_t *last;

    (void)proc_expect(p, 0);
    expect_text(p->err, "");
    expect_chunks(p, "stdout", "out \xe2\x82\xac\n", "utf8");
    expect_chunks(p, "stderr", "err", "utf8");
    last = json_line(&p->out, json_lines(&p->out) - 1);
    json_expect_shape(last, "coop.Receipt/1", RECEIPT_FIELDS);
    assert_string_equal(json_str(last, "cause"), "ok");
}

static void bytes_that_are_not_text_are_base64_in_json(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(coop(b, "run", "--json", script(b, "a.lua", "io.write('\\0\\xff\\n')")), 0);

    expect_chunks(p, "stdout", "AP8K", "base64");
}

static void a_timeout_of_run_cancels_the_job(void **state)
{
    struct broker *b = *state;
    struct proc *p =
        proc_expect(coop(b, "run", "--timeout", "300ms", "--name", "late", script(b, "a.lua", FOR_EVER)), COOP_EXIT_TIME_LIMIT);
    json_t *job = json_at(json_of(&coop(b, "ls", "--json")->out), "jobs.0");

    expect_has(p->err, "--timeout");
    assert_string_equal(json_str(job, "name"), "late");
    (void)expect_end(b, json_str(job, "id"), "cancelled");
}

static void a_reader_that_goes_away_ends_the_job(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop_start(b, "run", "--on-output-limit", "truncate", script(b, "a.lua", "while true do print(('x'):rep(1000)) end"));

    proc_until(p, &p->out, "xxx");
    (void)close(p->out_fd);
    p->out_fd = -1;
    (void)proc_expect(p, COOP_EXIT_SIGNAL_BASE + SIGPIPE);
    (void)expect_end(b, json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id"), "cancelled");
}

static void quiet_leaves_nothing_but_the_jobs_own_words(void **state)
{
    struct broker *b = *state;
    struct proc *p = coop(b, "run", "--quiet", "--limit", "cpu=100ms", script(b, "a.lua", "print(1)\n" FOR_EVER));

    (void)proc_expect(p, COOP_EXIT_TIME_LIMIT);
    expect_text(p->out, "1\n");
    expect_text(p->err, "");
}

/* ---- submit, wait, logs --------------------------------------------------------------------------------------------------------- */

static void submit_prints_the_id_alone(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(coop(b, "submit", script(b, "a.lua", "print(1)")), 0);
    json_t *r;

    assert_int_equal(p->out.len, 27);
    assert_int_equal(strspn(p->out.bytes, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), 26);
    expect_text(p->err, "");
    r = json_of(&proc_expect(coop(b, "submit", "--json", "--limit", "cpu=3s,memory=32M", script(b, "a.lua", "print(1)")), 0)->out);
    json_expect_shape(r, "coop.SubmitReply/1", "id limits_effective existing effective why tasks");
    json_expect_shape(json_at(r, "limits_effective"), NULL, LIMITS_FIELDS);
    assert_int_equal(json_num(r, "limits_effective.cpu_us"), 3000000);
    assert_int_equal(json_num(r, "limits_effective.memory_bytes"), 32 << 20);
    assert_int_equal(json_num(r, "limits_effective.wall_us"), 60000000);
}

static void what_submit_is_given_as_input_reaches_the_job(void **state)
{
    struct broker *b = *state;
    const char *cat = script(b, "cat.lua", CAT), *input = support_put(b->dir, "input", "a\0b", 3);
    char *from_file = submit(b, "--stdin", input, cat), *none = submit(b, cat);
    struct proc *piped = proc_expect(coop_in(b, "piped", 5, "submit", "--stdin", "-", cat), 0);

    (void)expect_end(b, from_file, "ok");
    expect_bytes(proc_expect(coop(b, "logs", from_file), 0)->out, "a\0b", 3);
    (void)expect_end(b, none, "ok");
    expect_text(proc_expect(coop(b, "logs", none), 0)->out, "");
    (void)expect_end(b, heard_line(&piped->out), "ok");
    expect_text(proc_expect(coop(b, "logs", heard_line(&piped->out)), 0)->out, "piped");
}

static void wait_counts_chosen_jobs_that_have_ended_and_none_at_all_is_not_found(void **state)
{
    struct broker *b = *state;
    char *bad = submit(b, "-l", "run=9", "--name", "nine", script(b, "exit.lua", "os.exit(7)"));
    struct proc *p;

    (void)expect_end(b, bad, "exit");
    p = proc_expect(coop(b, "wait", "-l", "run=9"), COOP_EXIT_JOB_FAILED);
    expect_text(p->out, support_text("%s failed (exit)\n", bad));
    (void)proc_expect(coop(b, "wait", "--name", "nine"), COOP_EXIT_JOB_FAILED);
    (void)proc_expect(coop(b, "wait", "--any", "-l", "run=9"), COOP_EXIT_JOB_FAILED);
    expect_has(proc_expect(coop(b, "wait", "-l", "run=8"), COOP_EXIT_NOT_FOUND)->err, "there is no such job");
    (void)proc_expect(coop(b, "wait", "-q", "--name", "eight"), COOP_EXIT_NOT_FOUND);
}

/* For a program: a list with nothing in it, as ls has it. */
static void a_choice_of_nothing_is_an_empty_document(void **state)
{
    static const char *const verbs[] = { "cancel", "kill", "hold", "release", "pause", "resume", "rm", "retry", "ls" };
    struct broker *b = *state;

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        struct proc *p = proc_expect(coop(b, verbs[i], "-l", "nosuch=1", "--json"), 0);

        expect_has(p->out, "\"schema\": \"coop.LsReply/1\"");
        expect_has(p->out, "\"jobs\": []");
        expect_text(proc_expect(coop(b, verbs[i], "-l", "nosuch=1", "-q"), 0)->out, "");
    }
}

static void wait_says_how_each_job_ended_and_exits_for_the_first_that_failed(void **state)
{
    struct broker *b = *state;
    const char *exits = script(b, "exit.lua", "os.exit(tonumber(arg[1]))");
    char *good = submit(b, exits, "0"), *bad = submit(b, exits, "7"), *ugly = submit(b, script(b, "err.lua", "error('x')"));
    struct proc *p;

    p = proc_expect(coop(b, "wait", good), 0);
    expect_text(p->out, support_text("%s succeeded (ok)\n", good));
    p = proc_expect(coop(b, "wait", bad), COOP_EXIT_JOB_FAILED);
    expect_text(p->out, support_text("%s failed (exit)\n", bad));
    p = proc_expect(coop(b, "wait", good, ugly, bad), COOP_EXIT_EXCEPTION);
    assert_int_equal(json_lines(&p->out), 3);
    expect_text(proc_expect(coop(b, "wait", "--quiet", good), 0)->out, "");
    p = proc_expect(coop(b, "wait", "--json", good, bad), COOP_EXIT_JOB_FAILED);
    for (size_t i = 0; i < 2; i++)
        json_expect_shape(json_line(&p->out, i), "coop.JobStatus/1", STATUS_FIELDS);
    assert_string_equal(json_str(json_line(&p->out, 0), "id"), good);
    assert_string_equal(json_str(json_line(&p->out, 1), "state"), "failed");
    assert_int_equal(json_num(json_line(&p->out, 1), "exit_code"), 7);
}

static void a_timeout_of_wait_leaves_the_job_alone(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", FOR_EVER));

    broker_says(b, "to=running", id);
    expect_has(proc_expect(coop(b, "wait", "--timeout", "50ms", id), COOP_EXIT_TIME_LIMIT)->err, "--timeout");
    assert_string_equal(json_str(status_of(b, id), "state"), "running");
    (void)proc_expect(coop(b, "kill", id), 0);
    (void)expect_end(b, id, "cancelled");
}

static void logs_are_what_was_written_each_stream_on_its_own(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "io.write('o\\0ut')\nio.stderr:write('err')"));
    struct proc *p;

    (void)expect_end(b, id, "ok");
    p = proc_expect(coop(b, "logs", id), 0);
    expect_bytes(p->out, "o\0ut", 4);
    expect_text(p->err, "err");
    p = proc_expect(coop(b, "logs", "--stdout", id), 0);
    expect_bytes(p->out, "o\0ut", 4);
    expect_text(p->err, "");
    p = proc_expect(coop(b, "logs", "--stderr", id), 0);
    expect_text(p->out, "");
    expect_text(p->err, "err");
    expect_chunks(proc_expect(coop(b, "logs", "--json", id), 0), "stderr", "err", "utf8");
    expect_bytes(proc_expect(coop(b, "logs", "--follow", id), 0)->out, "o\0ut", 4);
}

static void logs_follow_a_job_until_it_ends(void **state)
{
    struct broker *b = *state;
    struct proc *run = coop_start(b, "run", "--name", "talker", script(b, "a.lua", "for l in io.lines() do print('got ' .. l) end")),
                *follow;
    const char *id;

    proc_write(run, "one\n", 4);
    proc_until(run, &run->out, "got one\n");
    id = json_str(json_of(&coop(b, "ls", "--json")->out), "jobs.0.id");
    expect_text(proc_expect(coop(b, "logs", id), 0)->out, "got one\n"); /* so far, without waiting */
    follow = coop_start(b, "logs", "-f", id);
    proc_until(follow, &follow->out, "got one\n");
    proc_write(run, "two\n", 4);
    proc_until(follow, &follow->out, "got two\n");
    proc_close_in(run);
    (void)proc_expect(run, 0);
    (void)proc_expect(follow, 0);
    expect_text(follow->out, "got one\ngot two\n");
}

static void many_followers_of_one_job_all_hear_the_same(void **state)
{
    enum { FOLLOWERS = 10 };
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "for i = 1, 20000 do print(i) end"));
    struct proc *f[FOLLOWERS];

    for (int i = 0; i < FOLLOWERS; i++)
        f[i] = coop_start(b, "logs", "-f", id);
    for (int i = 0; i < FOLLOWERS; i++)
        (void)proc_expect(f[i], 0);
    for (int i = 1; i < FOLLOWERS; i++)
        expect_bytes(f[i]->out, f[0]->out.bytes, f[0]->out.len);
    assert_int_equal(json_lines(&f[0]->out), 20000);
}

/* ---- result, show, ls ------------------------------------------------------------------------------------------------------------ */

static void expect_receipt_shape(json_t *r)
{
    json_expect_shape(json_at(r, "stdout"), NULL, STREAM_FIELDS);
    json_expect_shape(json_at(r, "stderr"), NULL, STREAM_FIELDS);
    json_expect_shape(json_at(r, "usage"), NULL, USAGE_FIELDS);
    json_expect_shape(json_at(r, "limits_effective"), NULL, LIMITS_FIELDS);
    json_expect_shape(json_at(r, "enforcement"), NULL, ENFORCEMENT_FIELDS);
    json_expect_shape(json_at(r, "times"), NULL, TIMES_FIELDS);
    json_expect_shape(json_at(r, "where"), NULL, WHERE_FIELDS);
    json_expect_shape(json_at(r, "chain"), NULL, CHAIN_FIELDS);
}

static void result_prints_the_receipt(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "--name", "named", script(b, "a.lua", "print(1)\nio.stderr:write('12')\nos.exit(3)"));
    json_t *r = expect_end(b, id, "exit");
    struct proc *p;

    json_expect_shape(r, "coop.Receipt/1", RECEIPT_FIELDS);
    expect_receipt_shape(r);
    assert_string_equal(json_str(r, "name"), "named");
    assert_string_equal(json_str(r, "engine"), "lua");
    assert_string_equal(json_str(r, "outcome"), "failed");
    assert_int_equal(json_num(r, "attempt"), 1);
    assert_int_equal(json_num(r, "exit_code"), 3);
    assert_int_equal(json_num(r, "stdout.bytes"), 2);
    assert_int_equal(json_num(r, "stderr.bytes"), 2);
    assert_true(json_is_null(json_at(r, "error")));
    p = proc_expect(coop(b, "result", id), COOP_EXIT_JOB_FAILED);
    expect_has(p->out, id);
    expect_has(p->out, "failed (exit)");
    expect_text(proc_expect(coop(b, "result", "--quiet", id), COOP_EXIT_JOB_FAILED)->out, "failed (exit)\n");
}

static void an_output_that_was_not_collected_is_not_found(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "print(1)"));
    struct proc *p;

    (void)expect_end(b, id, "ok");
    p = proc_expect(coop(b, "result", "--output", "a.txt", id), COOP_EXIT_NOT_FOUND);
    expect_text(p->out, "");
    expect_has(p->err, "has no output file 'a.txt': none was collected");
}

/* ---- audit ------------------------------------------------------------------------------------------------------------------------- */

static void audit_finds_a_chain_that_is_whole(void **state)
{
    struct broker *b = *state;
    const char *first, *second;
    json_t *r;

    expect_text(proc_expect(coop(b, "audit", "verify"), 0)->out,
                "0 records, each fits; the last is 0000000000000000000000000000000000000000000000000000000000000000\n");
    first = json_str(expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok"), "chain.sha256");
    r = expect_end(b, submit(b, script(b, "b.lua", "error()")), "exception");
    second = json_str(r, "chain.sha256");
    assert_string_equal(json_str(r, "chain.previous"), first);
    assert_int_equal(json_num(r, "chain.seq"), 2);
    expect_has(proc_expect(coop(b, "audit", "verify"), 0)->out, support_text("2 records, each fits; the last is %s\n", second));
    expect_text(proc_expect(coop(b, "audit", "verify", "--quiet"), 0)->out, "");
    expect_text(proc_expect(coop(b, "audit", "head", "--quiet"), 0)->out, support_text("%s\n", second));
    expect_has(proc_expect(coop(b, "audit", "verify", "--head", first), 0)->out, "is that of record 1: it and all before it");
    r = json_of(&proc_expect(coop(b, "audit", "verify", "--json", "--head", second), 0)->out);
    json_expect_shape(r, "coop.Audit/1", "records sha256 whole fault kept_sha256 kept_seq");
    assert_true(json_is_true(json_at(r, "whole")) && json_is_null(json_at(r, "fault")));
    assert_int_equal(json_num(r, "kept_seq"), 2);
    json_expect_shape(json_of(&proc_expect(coop(b, "audit", "head", "--json"), 0)->out), "coop.Audit/1", "records sha256 recorded_us");
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    (void)proc_expect(coop(b, "audit", "verify", "--head", first), 0);
    (void)proc_expect(coop(b, "audit", "verify", "--head", support_text("%s  record 1, of 2026-01-01 00:00:00", first)), 0);
}

/* As whoever owns the file can: every place where the text stands becomes the other one. */
static void overwrite_in(const char *path, const char *text, const char *other)
{
    FILE *f = fopen(path, "r+");
    size_t len = strlen(text), size, found = 0;
    char *bytes;

    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    size = (size_t)ftell(f);
    bytes = malloc(size);
    rewind(f);
    assert_int_equal(fread(bytes, 1, size, f), size);
    for (size_t i = 0; i + len <= size; i++)
        if (memcmp(bytes + i, text, len) == 0) {
            memcpy(bytes + i, other, len);
            found++;
        }
    assert_true(found > 0);
    rewind(f);
    assert_int_equal(fwrite(bytes, 1, size, f), size);
    free(bytes);
    assert_int_equal(fclose(f), 0);
}

static void audit_names_the_first_receipt_that_was_changed(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    char *id;
    json_t *r;

    (void)expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok");
    id = submit(b, "--name", "it-was-me-and-nobody-else", script(b, "b.lua", "print(1)"));
    (void)expect_end(b, id, "ok");
    (void)expect_end(b, submit(b, script(b, "c.lua", "print(1)")), "ok");
    assert_int_equal(broker_down(b), 0);
    overwrite_in(support_text("%s/coop.db", b->state_dir), "it-was-me-and-nobody-else", "it-was-you-and-all-of-you");
    broker_up(b);
    expect_has(proc_expect(coop(b, "result", id), 0)->out, "it-was-you"); /* the receipt itself does not tell */
    p = proc_expect(coop(b, "audit", "verify"), COOP_EXIT_JOB_FAILED);
    expect_text(p->out, support_text("does not fit: record 2, of job %s, is not what was recorded in this place\n", id));
    r = json_of(&proc_expect(coop(b, "audit", "verify", "--json"), COOP_EXIT_JOB_FAILED)->out);
    json_expect_shape(json_at(r, "fault"), NULL, "kind seq job text");
    assert_string_equal(json_str(r, "fault.kind"), "changed");
    assert_string_equal(json_str(r, "fault.job"), id);
    assert_int_equal(json_num(r, "fault.seq"), 2);
    assert_true(json_is_false(json_at(r, "whole")));
}

static void audit_looks_for_a_hash_that_was_kept(void **state)
{
    static const char *const bad[] = { "", "0", "xyz", "00000000000000000000000000000000000000000000000000000000000000000",
                                       "0000000000000000000000000000000000000000000000000000000000000g00" };
    const char *absent = "00000000000000000000000000000000000000000000000000000000000000ff";
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "audit", "verify", "--head", absent), COOP_EXIT_JOB_FAILED)->out, "no record has the hash");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect_has(proc_expect(coop(b, "audit", "verify", "--head", bad[i]), COOP_EXIT_USAGE)->err, "is not a hash");
    expect_has(proc_expect(coop(b, "audit", "head", "--head", absent), COOP_EXIT_USAGE)->err, "is a flag of audit verify");
    expect_has(proc_expect(coop(b, "audit", "verfy"), COOP_EXIT_USAGE)->err, "did you mean 'coop audit verify'");
    (void)proc_expect(coop(b, "audit"), COOP_EXIT_USAGE);
}

static void there_is_no_result_before_the_end(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", FOR_EVER));
    struct proc *p = proc_expect(coop(b, "result", id), COOP_EXIT_CONFLICT);
    json_t *e;

    expect_has(p->err, id);
    expect_has(p->err, "has not ended");
    p = proc_expect(coop(b, "result", "--json", id), COOP_EXIT_CONFLICT);
    e = json_of(&p->out);
    json_expect_shape(e, "coop.Error/1", ERROR_FIELDS);
    assert_string_equal(json_str(e, "code"), "conflict");
    assert_int_equal(json_num(e, "exit_code"), COOP_EXIT_CONFLICT);
    expect_text(p->err, "");
    (void)proc_expect(coop(b, "kill", id), 0);
}

static void show_tells_status_spec_and_receipt(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, "-e", "A=b", "--file", script(b, "m.lua", "return 1"), "--limit", "wall=9s", "--on-output-limit", "truncate",
                      script(b, "a.lua", "print(1)"), "x", "\xff");
    json_t *s;

    (void)expect_end(b, id, "ok");
    s = json_of(&proc_expect(coop(b, "show", "--json", id), 0)->out);
    json_expect_shape(s, "coop.ShowReply/1", "status spec receipt why attempts webhooks");
    json_expect_shape(json_at(s, "status"), NULL, STATUS_FIELDS);
    json_expect_shape(json_at(s, "spec"), NULL, SPEC_FIELDS);
    json_expect_shape(json_at(s, "receipt"), NULL, RECEIPT_FIELDS);
    assert_string_equal(json_str(s, "spec.source_name"), "a.lua");
    assert_string_equal(json_str(s, "spec.source"), "");
    assert_string_equal(json_str(s, "spec.args.0"), "x");
    assert_string_equal(json_str(s, "spec.args.1.base64"), "/w==");
    assert_string_equal(json_str(s, "spec.env.0.name"), "A");
    assert_string_equal(json_str(s, "spec.env.0.value"), "b");
    assert_string_equal(json_str(s, "spec.modules.0.name"), "m.lua");
    assert_string_equal(json_str(s, "spec.modules.0.source"), "");
    assert_string_equal(json_str(s, "spec.on_output_limit"), "truncate");
    assert_string_equal(json_str(s, "spec.stdin_mode"), "none");
    assert_int_equal(json_num(s, "spec.limits.wall_us"), 9000000);
    expect_has(proc_expect(coop(b, "show", id), 0)->out, "asked for");
    expect_text(proc_expect(coop(b, "show", "--quiet", id), 0)->out, "succeeded (ok)\n");
}

static void show_of_a_running_job_has_no_receipt_yet(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", FOR_EVER));
    json_t *s;

    broker_says(b, "to=running", id);
    (void)broker_worker_with_job(b);
    s = json_of(&proc_expect(coop(b, "show", "--json", id), 0)->out);
    assert_string_equal(json_str(s, "status.state"), "running");
    assert_true(json_num(s, "status.cpu_us") > 0);
    assert_true(json_num(s, "status.mem_bytes") > 0);
    assert_true(json_num(s, "status.elapsed_us") > 0);
    assert_true(json_is_null(json_at(s, "receipt")));
    (void)proc_expect(coop(b, "kill", id), 0);
}

static void ls_lists_newest_first_and_filters(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "exit.lua", "os.exit(tonumber(arg[1]))");
    char *ids[3];
    struct proc *p;
    json_t *l;

    for (int i = 0; i < 3; i++) {
        ids[i] = submit(b, "--name", support_text("job %d", i), path, support_text("%d", i == 1));
        (void)proc_expect(coop(b, "wait", ids[i]), i == 1);
    }
    p = proc_expect(coop(b, "ls", "--quiet"), 0);
    expect_text(p->out, support_text("%s\n%s\n%s\n", ids[2], ids[1], ids[0]));
    l = json_of(&proc_expect(coop(b, "ls", "--json", "--limit", "2"), 0)->out);
    json_expect_shape(l, "coop.LsReply/1", "jobs more next");
    json_expect_shape(json_at(l, "jobs.0"), NULL, STATUS_FIELDS);
    assert_int_equal(json_array_size(json_at(l, "jobs")), 2);
    assert_string_equal(json_str(l, "jobs.0.name"), "job 2");
    assert_int_equal(json_num(l, "jobs.0.exit_code"), 0);
    assert_int_equal(json_num(l, "jobs.1.exit_code"), 1);
    assert_true(json_num(l, "jobs.1.elapsed_us") > 0);
    assert_true(json_is_true(json_at(l, "more")));
    expect_text(proc_expect(coop(b, "ls", "-q", "--state", "failed"), 0)->out, support_text("%s\n", ids[1]));
    expect_text(proc_expect(coop(b, "ls", "-q", "--state", "ready,running"), 0)->out, "");
    p = proc_expect(coop(b, "ls"), 0);
    assert_int_equal(json_lines(&p->out), 4);
    expect_has(p->out, "job 1");
    expect_has(p->out, "STATE");
}

static void a_filter_of_ls_finds_jobs_that_run(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", FOR_EVER);
    char *id = submit(b, path);

    for (int i = 0; i < 5; i++)
        (void)expect_end(b, submit(b, script(b, "ok.lua", "-- nothing")), "ok");
    broker_says(b, "to=running", id);
    expect_text(proc_expect(coop(b, "ls", "-q", "--state", "running", "--limit", "1"), 0)->out, support_text("%s\n", id));
    (void)proc_expect(coop(b, "kill", id), 0);
}

static void ids_may_be_shortened_and_written_small(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "print(1)")), *small;

    (void)expect_end(b, id, "ok");
    small = support_text("%.12s", id);
    for (char *p = small; *p != '\0'; p++)
        *p = (char)(*p >= 'A' ? *p | 0x20 : *p);
    expect_text(proc_expect(coop(b, "logs", small), 0)->out, "1\n");
    expect_text(proc_expect(coop(b, "wait", "-q", small), 0)->out, "");
}

/* ---- cancel, kill ---------------------------------------------------------------------------------------------------------------- */

static void cancel_and_kill_say_how_the_job_stands(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", FOR_EVER);
    static const char *const verbs[] = { "cancel", "kill" };

    for (int i = 0; i < 2; i++) {
        char *id = submit(b, path);
        json_t *s;

        broker_says(b, "to=running", id);
        s = json_of(&proc_expect(coop(b, verbs[i], "--json", id), 0)->out);
        json_expect_shape(s, "coop.JobStatus/1", STATUS_FIELDS);
        assert_string_equal(json_str(s, "id"), id);
        (void)proc_expect(coop(b, "wait", id), COOP_EXIT_CANCELLED);
        expect_has(proc_expect(coop(b, verbs[i], id), COOP_EXIT_CONFLICT)->err, "already ended");
    }
}

static void cancel_takes_several_ids(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", FOR_EVER);
    char *one = submit(b, path), *two = submit(b, path);
    struct proc *p = proc_expect(coop(b, "cancel", one, two), 0);

    expect_has(p->out, one);
    expect_has(p->out, two);
    (void)expect_end(b, one, "cancelled");
    (void)expect_end(b, two, "cancelled");
    (void)proc_expect(coop(b, "cancel", "--quiet", one), COOP_EXIT_CONFLICT);
}

/* ---- version, help, completion ---------------------------------------------------------------------------------------------------- */

static void version_tells_of_the_command_and_of_the_broker(void **state)
{
    struct broker *b = *state;
    json_t *v = json_of(&proc_expect(coop(b, "version", "--json"), 0)->out);
    struct proc *p;

    json_expect_shape(v, "coop.Version/1", "version protocol broker");
    json_expect_shape(json_at(v, "broker"), NULL, VERSION_FIELDS);
    assert_int_equal(json_num(v, "broker.pid"), b->proc->pid);
    assert_string_equal(json_str(v, "broker.state_dir"), b->state_dir);
    assert_string_equal(json_str(v, "broker.engines.0"), "lua");
    p = proc_expect(coop(b, "version"), 0);
    expect_has(p->out, "coop   0.");
    expect_has(p->out, "broker 0.");
    p = proc_expect(coop(b, "version", "--quiet"), 0);
    assert_int_equal(json_lines(&p->out), 1);
    p = proc_expect(coop(b, "--version"), 0);
    expect_has(p->out, "coop   0.");
}

static void version_without_a_broker_is_an_answer(void **state)
{
    struct broker *b = *state;
    json_t *v;

    assert_int_equal(broker_down(b), 0);
    v = json_of(&proc_expect(coop(b, "version", "--json"), 0)->out);
    assert_true(json_is_null(json_at(v, "broker")));
    expect_has(proc_expect(coop(b, "version"), 0)->out, "broker none");
}

static void every_verb_has_help_and_says_its_own_flags(void **state)
{
    struct broker *b = *state;
    json_t *help = json_of(&proc_expect(coop(b, "help", "--json"), 0)->out), *verbs = json_at(help, "verbs");
    struct proc *all = proc_expect(coop(b, "help"), 0), *man = proc_expect(coop(b, "help", "--man"), 0);

    json_expect_shape(help, "coop.Help/1", "verbs");
    assert_in_range(json_array_size(verbs), 27, 63);
    expect_has(man->out, ".TH COOP 1");
    for (size_t i = 0; i < json_array_size(verbs); i++) {
        json_t *v = json_array_get(verbs, i), *flags = json_at(v, "flags");
        struct proc *p = proc_expect(coop(b, "help", json_str(v, "name")), 0);

        expect_has(all->out, json_str(v, "name"));
        expect_has(man->out, support_text("coop %s", json_str(v, "name")));
        expect_has(p->out, support_text("usage: coop %s", json_str(v, "name")));
        if (strcmp(json_str(v, "name"), "help") != 0)
            expect_text(proc_expect(coop(b, json_str(v, "name"), "--help"), 0)->out, p->out.bytes);
        for (size_t k = 0; k < json_array_size(flags); k++)
            expect_has(p->out, support_text("--%s", json_str(json_array_get(flags, k), "name")));
    }
    expect_text(proc_expect(coop(b, "--help"), 0)->out, all->out.bytes);
}

/* The script's own answer, in a real bash. words: the line so far, the last one being completed. */
static struct proc *complete(const struct broker *b, const char *const *words)
{
    const char *list = "", *coop_dir = support_program("");
    int last = -1;

    for (; *words != NULL; words++, last++)
        list = support_text("%s '%s'", list, *words);
    return proc_start(
        &(struct proc_how){
            .env = (const char *const[]){support_text("COOP_ENDPOINT=%s", b->url), NULL}
    },
        (const char *const[]){ "bash", "--norc", "-c",
                               support_text("PATH=%s:$PATH; source <(coop completion bash); COMP_WORDS=(%s); COMP_CWORD=%d; "
                                            "_coop; printf '%%s\\n' \"${COMPREPLY[@]}\"",
                                            coop_dir, list, last),
                               NULL });
}

#define COMPLETE(b, ...) complete((b), (const char *const[]){ "coop", __VA_ARGS__, NULL })

static void completion_knows_verbs_flags_and_ids(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "-- nothing"));
    struct proc *p;

    if (access("/bin/bash", X_OK) != 0)
        skip();
    expect_text(proc_expect(COMPLETE(b, "can"), 0)->out, "cancel\n");
    p = proc_expect(COMPLETE(b, "run", "--on"), 0);
    expect_text(p->out, "--on-output-limit\n");
    p = proc_expect(COMPLETE(b, "run", "--on-output-limit", ""), 0);
    expect_text(p->out, "kill\ntruncate\n");
    p = proc_expect(COMPLETE(b, "run", "--limit", "w"), 0);
    expect_text(p->out, "wall=\n");
    p = proc_expect(COMPLETE(b, "wait", "0"), 0);
    expect_text(p->out, support_text("%s\n", id));
    p = proc_expect(COMPLETE(b, "help", "comp"), 0);
    expect_text(p->out, "completion\n");
    expect_text(proc_expect(COMPLETE(b, "interp", "pre"), 0)->out, "prepare\n");
    expect_text(proc_expect(COMPLETE(b, "queue", "sh"), 0)->out, "show\n");
    proc_expect(coop(b, "queue", "create", "numbers"), 0);
    expect_text(proc_expect(COMPLETE(b, "queue", "get", "num"), 0)->out, "numbers\n");
    p = proc_expect(coop(b, "interp", "create", "--engine", "lua", "--quiet"), 0);
    expect_text(proc_expect(COMPLETE(b, "interp", "show", "0"), 0)->out, p->out.bytes);
    expect_text(proc_expect(COMPLETE(b, "interp", "create", "--max-c"), 0)->out, "--max-children\n");
    proc_expect(coop(b, "tenant", "create", "acme"), 0);
    p = proc_expect(coop(b, "token", "create", "read", "tenant=acme", "--json"), 0);
    expect_text(proc_expect(COMPLETE(b, "quota", "show", "ac"), 0)->out, "acme\n");
    expect_text(proc_expect(COMPLETE(b, "quota", "set", "acme", "max_r"), 0)->out, "max_running=\n");
    expect_text(proc_expect(COMPLETE(b, "tenant", "set", "acme", "w"), 0)->out, "weight=\n");
    expect_text(proc_expect(COMPLETE(b, "usage", "--tenant", "ac"), 0)->out, "acme\n");
    expect_text(proc_expect(COMPLETE(b, "token", "create", "s"), 0)->out, "submit\n");
    expect_text(proc_expect(COMPLETE(b, "token", "create", "read", "e"), 0)->out, "expires=\n");
    expect_text(proc_expect(COMPLETE(b, "token", "revoke", ""), 0)->out, support_text("%s\n", json_str(json_of(&p->out), "id")));
    expect_text(proc_expect(COMPLETE(b, "submit", "--retry", "3,on", "=", "exit+sig"), 0)->out, "exit+signal\n");
    expect_text(proc_expect(COMPLETE(b, "ls", "--state", "sche"), 0)->out, "scheduled\n");
    expect_text(proc_expect(COMPLETE(b, "completion", "f"), 0)->out, "fish\n");
    json_expect_shape(json_of(&proc_expect(coop(b, "completion", "--json", "bash"), 0)->out), "coop.Completion/1", "shell script");
    expect_has(proc_expect(coop(b, "completion", "zhs"), COOP_EXIT_USAGE)->err, "did you mean 'coop completion zsh'");
}

/* A shell that has the script, and runs text. */
static struct proc *in_shell(const struct broker *b, const char *shell, const char *option, const char *text)
{
    const char *env[] = { support_text("COOP_ENDPOINT=%s", b->url), support_text("PATH=%s:%s", support_program(""), getenv("PATH")), NULL };

    return proc_start(&(struct proc_how){ .env = env }, (const char *const[]){ shell, option, "-c", text, NULL });
}

/* What zsh's own functions are handed is what they would show. */
static struct proc *complete_zsh(const struct broker *b, const char *line)
{
    return in_shell(b, "zsh", "-f",
                    support_text("compdef() { : }; _files() { print files }; compset() { : }\n"
                                 "compadd() { while [[ $1 != -- ]]; do shift; done; shift; print -rl -- \"$@\" }\n"
                                 "_describe() { local n=${@[-1]}; print -rl -- \"${(@P)n}\" }\n"
                                 "source <(coop completion zsh); words=(%s); CURRENT=${#words}; PREFIX=$words[-1]; _coop",
                                 line));
}

static void completion_in_zsh_knows_the_same(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "-- nothing"));

    if (access("/usr/bin/zsh", X_OK) != 0)
        skip();
    expect_has(proc_expect(complete_zsh(b, "coop ''"), 0)->out, "\ncancel:ask jobs to end");
    expect_has(proc_expect(complete_zsh(b, "coop run --on"), 0)->out, "--on-output-limit:");
    expect_text(proc_expect(complete_zsh(b, "coop run --on-output-limit ''"), 0)->out, "kill\ntruncate\n");
    expect_has(proc_expect(complete_zsh(b, "coop ls --state ''"), 0)->out, "scheduled\n");
    expect_has(proc_expect(complete_zsh(b, "coop submit --retry 3,on=ex"), 0)->out, "exception\n");
    expect_has(proc_expect(complete_zsh(b, "coop cron ''"), 0)->out, "fire:make a job of it now");
    expect_text(proc_expect(complete_zsh(b, "coop wait ''"), 0)->out, support_text("%s\n", id));
    proc_expect(coop(b, "tenant", "create", "acme"), 0);
    expect_has(proc_expect(complete_zsh(b, "coop quota show ''"), 0)->out, "acme\n");
    expect_has(proc_expect(complete_zsh(b, "coop quota set acme ''"), 0)->out, "max_running=\n");
    expect_has(proc_expect(complete_zsh(b, "coop usage --tenant ''"), 0)->out, "acme\n");
    expect_has(proc_expect(complete_zsh(b, "coop interp exec id ''"), 0)->out, "files\n");
}

static struct proc *complete_fish(const struct broker *b, const char *line)
{
    return in_shell(b, "fish", "--no-config", support_text("source (coop completion fish | psub); complete -C '%s'", line));
}

static void completion_in_fish_knows_the_same(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", "-- nothing"));

    if (access("/usr/bin/fish", X_OK) != 0)
        skip();
    expect_has(proc_expect(complete_fish(b, "coop can"), 0)->out, "cancel\task jobs to end");
    expect_has(proc_expect(complete_fish(b, "coop run --on-o"), 0)->out, "--on-output-limit\t");
    expect_has(proc_expect(complete_fish(b, "coop run --on-output-limit t"), 0)->out, "truncate\t");
    expect_has(proc_expect(complete_fish(b, "coop ls --state sche"), 0)->out, "scheduled\t");
    expect_has(proc_expect(complete_fish(b, "coop submit --retry 3,on=exit+sig"), 0)->out, "3,on=exit+signal\t");
    expect_has(proc_expect(complete_fish(b, "coop cron fi"), 0)->out, "fire\tmake a job of it now");
    expect_has(proc_expect(complete_fish(b, "coop wait 0"), 0)->out, id);
    proc_expect(coop(b, "tenant", "create", "acme"), 0);
    expect_has(proc_expect(complete_fish(b, "coop quota show ac"), 0)->out, "acme");
    expect_has(proc_expect(complete_fish(b, "coop quota set acme max_r"), 0)->out, "max_running=");
    expect_has(proc_expect(complete_fish(b, "coop usage --tenant ac"), 0)->out, "acme");
    proc_expect(coop(b, "token", "create", "read", "tenant=acme"), 0);
    expect_has(proc_expect(complete_fish(b, "coop token create read e"), 0)->out, "expires=");
}

/* ---- documents by hand ------------------------------------------------------------------------------------------------------------ */

static void the_manual_of_the_broker_has_each_of_its_options(void **state)
{
    struct proc *p = proc_expect(
        proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, (const char *const[]){ support_program("coopd"), "--help", NULL }), 0);
    const char *man = support_get("docs/man/coopd.8", NULL);
    unsigned n = 0;

    (void)state;
    for (const char *at = p->out.bytes; (at = strstr(at, "\n")) != NULL;
         at++) { /* "r --workers N ...": the mark says where else it may stand */
        if (strlen(at) < 6 || strncmp(at + 2, " --", 3) != 0)
            continue;
        if (strstr(man, support_text("%.*s", (int)strcspn(at + 3, " \n"), at + 3)) == NULL)
            support_fail("docs/man/coopd.8 does not speak of %.24s", at + 3);
        n++;
    }
    assert_true(n > 15);
}

static void the_readme_names_every_document(void **state)
{
    const char *readme = support_get("README.md", NULL);
    glob_t found;

    (void)state;
    assert_int_equal(glob("docs/*.md", 0, NULL, &found), 0);
    assert_int_equal(glob("docs/man/*.[18]", GLOB_APPEND, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (strstr(readme, support_text("(%s)", found.gl_pathv[i])) == NULL)
            support_fail("README.md does not name %s", found.gl_pathv[i]);
    globfree(&found);
}

/* ---- the live line ---------------------------------------------------------------------------------------------------------------- */

static void a_wait_on_a_terminal_shows_one_live_line_and_takes_it_away(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", FOR_EVER));
    struct proc *p = coop_start_as(b, (&(struct proc_how){ .err_is_terminal = true }), "wait", id);

    proc_until(p, &p->err, "running");
    expect_has(p->err, support_text("\r\033[K%s", id));
    expect_lacks(p->err, "\n");
    (void)proc_expect(coop(b, "kill", id), 0);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_memory_equal(p->err.bytes + p->err.len - 4, "\r\033[K", 4);
}

static void a_wait_without_a_terminal_shows_none(void **state)
{
    struct broker *b = *state;
    char *id = submit(b, script(b, "a.lua", BURN "print(1)"));
    struct proc *p = proc_expect(coop(b, "wait", id), 0);

    expect_text(p->err, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(run_prints_what_the_job_prints),
        TEST(the_jobs_own_exit_code_is_the_commands),
        TEST(both_streams_arrive_apart_and_byte_for_byte),
        TEST(five_megabytes_stream_through_a_job_unchanged),
        TEST(a_line_arrives_while_the_job_still_waits_for_input),
        TEST(stderr_arrives_live_too),
        TEST(a_job_that_does_not_read_its_input_ends_all_the_same),
        TEST(input_comes_from_a_file_a_pipe_or_nowhere),
        TEST(a_script_may_come_from_standard_input),
        TEST(the_engine_is_told_by_flag_ending_or_first_line),
        TEST(arguments_reach_the_job_as_they_were_typed),
        TEST(the_job_has_the_variables_given_and_no_others),
        TEST(modules_sent_along_can_be_required),
        TEST(the_receipt_flag_says_on_stderr_what_held_each_limit),
        TEST(run_as_json_gives_chunks_and_then_the_receipt),
        TEST(bytes_that_are_not_text_are_base64_in_json),
        TEST(a_timeout_of_run_cancels_the_job),
        TEST(a_reader_that_goes_away_ends_the_job),
        TEST(quiet_leaves_nothing_but_the_jobs_own_words),
        TEST(submit_prints_the_id_alone),
        TEST(what_submit_is_given_as_input_reaches_the_job),
        TEST(wait_counts_chosen_jobs_that_have_ended_and_none_at_all_is_not_found),
        TEST(a_choice_of_nothing_is_an_empty_document),
        TEST(wait_says_how_each_job_ended_and_exits_for_the_first_that_failed),
        TEST(a_timeout_of_wait_leaves_the_job_alone),
        TEST(logs_are_what_was_written_each_stream_on_its_own),
        TEST(logs_follow_a_job_until_it_ends),
        TEST(many_followers_of_one_job_all_hear_the_same),
        TEST(result_prints_the_receipt),
        TEST(audit_finds_a_chain_that_is_whole),
        TEST(audit_names_the_first_receipt_that_was_changed),
        TEST(audit_looks_for_a_hash_that_was_kept),
        TEST(an_output_that_was_not_collected_is_not_found),
        TEST(there_is_no_result_before_the_end),
        TEST(show_tells_status_spec_and_receipt),
        TEST(show_of_a_running_job_has_no_receipt_yet),
        TEST(ls_lists_newest_first_and_filters),
        TEST(a_filter_of_ls_finds_jobs_that_run),
        TEST(ids_may_be_shortened_and_written_small),
        TEST(cancel_and_kill_say_how_the_job_stands),
        TEST(cancel_takes_several_ids),
        TEST(version_tells_of_the_command_and_of_the_broker),
        TEST(version_without_a_broker_is_an_answer),
        TEST(every_verb_has_help_and_says_its_own_flags),
        TEST(completion_knows_verbs_flags_and_ids),
        TEST(completion_in_zsh_knows_the_same),
        TEST(completion_in_fish_knows_the_same),
        cmocka_unit_test(the_manual_of_the_broker_has_each_of_its_options),
        cmocka_unit_test(the_readme_names_every_document),
        TEST(a_wait_on_a_terminal_shows_one_live_line_and_takes_it_away),
        TEST(a_wait_without_a_terminal_shows_none),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("verbs", tests, NULL, NULL);
}
