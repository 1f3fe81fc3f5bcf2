/*
 * test_records.c - what is kept of jobs that have ended, against a real broker that runs programs: collected files and receipts agree, byte for byte,
 * whatever happened to the broker meanwhile or to its files afterwards, and the chain of receipts is whole.
 */
#include <dirent.h>
#include <fcntl.h>
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
#include "ulid.h"

enum { ROUNDS = 6 };

#define HALLO_SHA "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" /* of "hello" */
#define BIG       "head -c 3000000 /dev/zero > big"
#define BIG_BYTES 3000000

#define sh(b, text) submit(b, "--output", "*", "--output", "d/*", "--", "sh", "-c", text)

/* ---- whole ------------------------------------------------------------------------------------------------------------------------- */

static const char *output_dir(const struct broker *b)
{
    return support_text("%s/output", b->state_dir);
}

/* Files of the broker's output directory; each is named after a job that has ended. */
static unsigned kept_files(const struct broker *b)
{
    DIR *d = opendir(output_dir(b));
    unsigned n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char id[ULID_LEN + 1];

        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(id, sizeof(id), "%.*s", ULID_LEN, e->d_name);
        (void)receipt_of(b, id);
        n++;
    }
    (void)closedir(d);
    return n;
}

/* Each file that the receipt lists can be had, and has the hash that it says: coop looks itself. */
static void expect_files(const struct broker *b, const char *id, json_t *receipt)
{
    json_t *files = json_at(receipt, "outputs");

    for (size_t i = 0; i < json_array_size(files); i++) {
        json_t *f = json_array_get(files, i);
        struct proc *p = proc_expect(coop(b, "result", "--output", json_str(f, "name"), id), 0);

        assert_int_equal(p->out.len, json_num(f, "bytes"));
    }
}

static void files_come_back_as_they_were_written(void **state)
{
    struct broker *b = *state;
    char *id = sh(b, "printf hello > a; mkdir d; printf 'x\\000y' > d/b; : > empty; chmod 640 a; " BIG "; printf said");
    json_t *r = expect_end(b, id, "ok"), *files = json_at(r, "outputs");

    assert_int_equal(json_array_size(files), 4);
    for (size_t i = 0; i < 4; i++)
        json_expect_shape(json_array_get(files, i), NULL, "name bytes mode sha256");
    expect_files(b, id, r);
    expect_text(proc_expect(coop(b, "result", "--output", "a", id), 0)->out, "hello");
    expect_bytes(proc_expect(coop(b, "result", "--output", "d/b", id), 0)->out, "x\0y", 3);
    expect_text(proc_expect(coop(b, "result", "--output", "empty", id), 0)->out, "");
    assert_int_equal(proc_expect(coop(b, "result", "--output", "big", id), 0)->out.len, BIG_BYTES);
    expect_has(proc_expect(coop(b, "result", "--output", "absent", id), COOP_EXIT_NOT_FOUND)->err, "has no output file 'absent'");
    for (size_t i = 0; i < 4; i++)
        if (strcmp(json_str(json_array_get(files, i), "name"), "a") == 0) {
            assert_string_equal(json_str(json_array_get(files, i), "sha256"), HALLO_SHA);
            assert_int_equal(json_num(json_array_get(files, i), "mode"), 0640);
        }
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_files(b, id, r);
    (void)proc_expect(coop(b, "audit", "verify"), 0);
}

static void files_of_a_job_that_still_runs_are_a_conflict(void **state)
{
    struct broker *b = *state;
    char *id = sh(b, "printf hello > a; sleep 1000");

    broker_says(b, "to=running", id);
    expect_has(proc_expect(coop(b, "result", "--output", "a", id), COOP_EXIT_CONFLICT)->err, "has not ended");
    (void)proc_expect(coop(b, "kill", id), 0);
    assert_int_equal(json_array_size(json_at(expect_end(b, id, "cancelled"), "outputs")), 0);
    assert_int_equal(kept_files(b), 0);
}

/* ---- the broker dies --------------------------------------------------------------------------------------------------------------- */

/* At any moment after the job began: while it writes, is collected, or has its receipt on the way. It runs again, or is over already. */
static void a_broker_killed_in_the_middle_leaves_files_and_receipts_that_agree(void **state)
{
    struct broker *b = *state;

    for (unsigned round = 0; round < ROUNDS; round++) {
        /* the later the round the less there is to do before the files are on their way */
        char *id = sh(b, support_text("head -c %u /dev/zero > big; head -c 200000 /dev/zero; printf hello > a", 15000000u >> (2 * round)));
        json_t *r;

        broker_says(b, "to=running", id);
        broker_kill(b);
        broker_up(b);
        r = expect_end(b, id, "ok");
        assert_int_equal(json_array_size(json_at(r, "outputs")), 2);
        expect_files(b, id, r);
        (void)kept_files(b);
    }
    (void)proc_expect(coop(b, "audit", "verify"), 0);
    expect_receipts(b, ROUNDS);
}

static void put_file(const struct broker *b, const char *name)
{
    int fd = open(support_text("%s/%s", output_dir(b), name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

static void what_a_killed_broker_left_of_jobs_that_never_were_goes(void **state)
{
    struct broker *b = *state;
    char *id = sh(b, BIG);

    (void)expect_end(b, id, "ok");
    broker_kill(b);
    put_file(b, "01HZZZZZZZ0000000000000000.outputs");
    put_file(b, "01HZZZZZZZ0000000000000000.stdout");
    broker_up(b);
    assert_int_equal(kept_files(b), 1);
    expect_files(b, id, receipt_of(b, id));
}

/* ---- somebody's hand in its files ------------------------------------------------------------------------------------------------------ */

static void a_file_that_was_changed_afterwards_is_found_out(void **state)
{
    struct broker *b = *state;
    char *id = sh(b, BIG);
    struct proc *p;
    int fd;

    (void)expect_end(b, id, "ok");
    fd = open(support_text("%s/%s.outputs", output_dir(b), id), O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, BIG_BYTES / 2), 1);
    p = proc_expect(coop(b, "result", "--output", "big", id), COOP_EXIT_PLATFORM);
    expect_has(p->err, "is not what was collected");
    p = proc_expect(coop(b, "result", "--output-dir", support_text("%s/there", b->dir), id), COOP_EXIT_PLATFORM);
    expect_has(p->err, "is not what was collected");
    assert_int_not_equal(access(support_text("%s/there/big", b->dir), F_OK), 0);
    assert_int_equal(ftruncate(fd, BIG_BYTES - 1), 0);
    (void)close(fd);
    expect_has(proc_expect(coop(b, "result", "--output", "big", id), COOP_EXIT_PLATFORM)->err, "cannot be read");
    assert_int_equal(unlink(support_text("%s/%s.outputs", output_dir(b), id)), 0);
    expect_has(proc_expect(coop(b, "result", "--output", "big", id), COOP_EXIT_PLATFORM)->err, "cannot be read");
}

/* ---- ends --------------------------------------------------------------------------------------------------------------------------- */

static void a_program_that_dies_by_a_signal_says_which_and_its_files_are_kept(void **state)
{
    struct broker *b = *state;
    char *id = sh(b, "printf hello > a; kill -SEGV $$");
    json_t *r = expect_end(b, id, "signal");

    assert_int_equal(json_num(r, "signal"), SIGSEGV);
    expect_files(b, id, r);
    assert_int_equal(json_array_size(json_at(r, "outputs")), 1);
}

static void a_program_that_is_not_there_is_a_bad_spec(void **state)
{
    struct broker *b = *state;
    json_t *r = expect_end(b, submit(b, "--", "no_such_program"), "bad_spec");

    assert_int_equal(json_num(r, "exit_code"), 127);
    assert_non_null(strstr(json_str(r, "cause_detail"), "no_such_program"));
    r = expect_end(b, submit(b, "--engine", "exec", script(b, "a.sh", "#!/no/such/interpreter\n")), "bad_spec");
    assert_int_equal(json_num(r, "exit_code"), 127);
    assert_non_null(strstr(json_str(r, "cause_detail"), "/no/such/interpreter"));
}

static void a_refused_call_of_a_program_is_reported(void **state)
{
    struct broker *b = *state;
    json_t *r = expect_end(b, submit(b, "--", "unshare", "-n", "true"), "policy"), *v = json_at(r, "violation");

    json_expect_shape(v, NULL, "name nr abi args ip module offset pid tid who text");
    assert_string_equal(json_str(v, "name"), "unshare");
    assert_int_equal(json_num(v, "nr"), 272);
    assert_int_equal(json_num(v, "args.0"), 0x40000000);
    assert_string_equal(json_str(v, "abi"), "x86_64");
    assert_non_null(strstr(json_str(v, "text"), "unshare"));
    assert_string_equal(json_str(r, "cause_detail"), json_str(v, "text"));
}

/* What this machine can do, said by the receipt: each part has a word. */
static void the_evidence_is_complete(void **state)
{
    static const char *const parts[] = { "tier", "cpu",  "wall", "memory", "output", "seccomp", "seccomp_hash",
                                         "pids", "disk", "net",  "fs",     "idle",   "swap" };
    struct broker *b = *state;
    json_t *e = json_at(expect_end(b, submit(b, "--", "true"), "ok"), "enforcement");

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        assert_true(strlen(json_str(e, parts[i])) > 0);
    assert_int_equal(strlen(json_str(e, "seccomp_hash")), 64);
    assert_true(json_num(e, "filter_len") > 0);
    assert_true(json_array_size(json_at(e, "seal")) > 0);
    if (strcmp(json_str(e, "tier"), "T2") != 0)
        assert_true(json_array_size(json_at(e, "namespaces")) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_come_back_as_they_were_written),
        TEST(files_of_a_job_that_still_runs_are_a_conflict),
        TEST(a_broker_killed_in_the_middle_leaves_files_and_receipts_that_agree),
        TEST(what_a_killed_broker_left_of_jobs_that_never_were_goes),
        TEST(a_file_that_was_changed_afterwards_is_found_out),
        TEST(a_program_that_dies_by_a_signal_says_which_and_its_files_are_kept),
        TEST(a_program_that_is_not_there_is_a_bad_spec),
        TEST(a_refused_call_of_a_program_is_reported),
        TEST(the_evidence_is_complete),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
