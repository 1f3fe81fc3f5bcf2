/* test_submit_file.c - jobs as files, and all flags of submit, against a real broker: what comes of them, and each refusal's exit code. */
#include <glob.h>
#include <setjmp.h>
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

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define LUA          "engine: lua\ncode: {source: \"print(1)\"}\n"

static struct proc *submit_text(const struct broker *b, const char *text, const char *flag)
{
    return coop_in(b, text, strlen(text), "submit", "-f", "-", flag);
}

static struct proc *dry(const struct broker *b, const char *text)
{
    return submit_text(b, text, "--dry-run");
}

/* The spec as the broker would keep it. */
static json_t *effective(const struct broker *b, const char *text)
{
    struct proc *p = proc_expect(coop_in(b, text, strlen(text), "submit", "-f", "-", "--dry-run", "--json"), 0);

    return json_of(&p->out);
}

/* ---- from the file to the end --------------------------------------------------------------------------------------------------------- */

static void a_job_file_is_run_and_a_json_file_is_the_same_job(void **state)
{
    struct broker *b = *state;
    struct proc *yaml = proc_expect(coop(b, "submit", "-f", "examples/jobs/hello.yaml", "--dry-run"), 0);
    struct proc *json = proc_expect(coop(b, "submit", "-f", "examples/jobs/hello.json", "--dry-run"), 0);
    struct proc *p;

    expect_bytes(json->out, yaml->out.bytes, yaml->out.len);
    p = proc_expect(coop(b, "submit", "-f", "examples/jobs/hello.yaml", "--parsable"), 0);
    (void)expect_end(b, heard_line(&p->out), "ok");
    p = proc_expect(coop(b, "logs", heard_line(&p->out)), 0);
    expect_text(p->out, "Hello, World!\n");
    p = proc_expect(coop(b, "run", "-f", "examples/jobs/hello.json", "-e", "GREETING=Bye", "--", "you", "two"), 0);
    expect_text(p->out, "Bye, you two!\n");
    p = proc_expect(coop(b, "run", "-f", "examples/jobs/words.yaml"), 0);
    expect_has(p->out, "the");
}

static void submit_follows_and_waits(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(submit_text(b, "engine: lua\ncode: print('out') os.exit(3)\n", "--follow"), 1);

    expect_has(p->out, "\nout\n"); /* behind the id */
    p = proc_expect(submit_text(b, "engine: lua\ncode: os.exit(0)\n", "--wait"), 0);
    expect_has(p->out, "succeeded");
}

/* Whatever the broker fills in, it takes again: the file that --dry-run prints is the job, but for its code. */
static void what_a_dry_run_prints_can_be_handed_in(void **state)
{
    struct broker *b = *state;
    struct proc *first =
        proc_expect(dry(b, "program: sh\nargs: [-c, 'exit 3']\nlabels: {a: 'yes', b: ''}\nretry: {max_attempts: 2}\nhold: true\n"), 0);
    struct proc *again = proc_expect(dry(b, first->out.bytes), 0);

    expect_bytes(again->out, first->out.bytes, first->out.len);
    expect_receipts(b, 0); /* nothing was kept */
}

static void the_same_file_with_a_key_is_the_same_job_and_another_is_a_conflict(void **state)
{
    struct broker *b = *state;
    struct proc *first = proc_expect(submit_text(b, LUA "idem_key: k\n", "--parsable"), 0);
    struct proc *again = proc_expect(submit_text(b, "{\"idem_key\": \"k\", \"engine\": \"lua\", \"code\": \"print(1)\"}", "--parsable"), 0);
    struct proc *other;

    expect_bytes(again->out, first->out.bytes, first->out.len);
    expect_has(again->err, "this job is there already");
    other = proc_expect(submit_text(b, LUA "idem_key: k\npriority: 1\n", "--parsable"), COOP_EXIT_CONFLICT);
    expect_text(other->out, "");
    (void)expect_end(b, heard_line(&first->out), "ok");
    expect_receipts(b, 1);
}

/* ---- the effective spec ------------------------------------------------------------------------------------------------------------------ */

static void what_is_not_said_is_filled_in(void **state)
{
    struct broker *b = *state;
    json_t *r = effective(b, LUA);

    assert_string_equal(json_str(r, "schema"), "coop.SubmitReply/1");
    assert_string_equal(json_str(r, "id"), "");
    assert_int_equal(json_num(r, "effective.priority"), 3);
    assert_string_equal(json_str(r, "effective.class"), "normal");
    assert_string_equal(json_str(r, "effective.queue"), "default");
    assert_int_equal(json_num(r, "effective.retry.max_attempts"), 1);
    assert_int_equal(json_num(r, "effective.retry.backoff.base_us"), 1000000);
    assert_int_equal(json_num(r, "effective.limits.memory_bytes"), 64 << 20);
    assert_string_equal(json_str(r, "effective.source"), "");
}

static void every_flag_is_in_the_effective_spec(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "x.lua", "print(1)");
    json_t *r;

    (void)proc_expect(coop(b, "limiter", "set", "db", "4"), 0);
    (void)proc_expect(coop(b, "limiter", "set", "net", "1"), 0);
    (void)proc_expect(coop(b, "kv", "put", "k", "s3cret"), 0);
    r = json_of(
        &proc_expect(coop(b, "submit", "--dry-run", "--json", "--array", "1-9:2%3", "--at", "2098-01-01T00:00:00Z", "--deadline",
                          "2099-01-01", "--retry", "5,base=2s,factor=3,max=1m,jitter=0.5,on=exit+oom,infra=7,ok=4+5", "--prio", "5",
                          "--class", "batch", "-l", "a=b", "--label", "c/d=e=f", "--limiter", "db=2", "--limiter", "net", "--hold",
                          "--webhook", "https://h/x,key=k,events=failed+dead", "--keep", "2d", "--queue", "q", "--name", "n", path, "arg"),
                     0)
             ->out);

    assert_int_equal(json_num(r, "tasks"), 5);
    assert_int_equal(json_num(r, "effective.schedule.array.step"), 2);
    assert_int_equal(json_num(r, "effective.schedule.array.max_parallel"), 3);
    assert_true(json_num(r, "effective.schedule.not_before_us") == 4039372800000000ll);
    assert_int_equal(json_num(r, "effective.retry.max_attempts"), 5);
    assert_int_equal(json_num(r, "effective.retry.infra_attempts"), 7);
    assert_int_equal(json_num(r, "effective.retry.backoff.max_us"), 60000000);
    assert_string_equal(json_str(r, "effective.retry.on.1"), "oom");
    assert_int_equal(json_num(r, "effective.retry.success_exit_codes.1"), 5);
    assert_int_equal(json_num(r, "effective.priority"), 5);
    assert_string_equal(json_str(r, "effective.class"), "batch");
    assert_string_equal(json_str(r, "effective.labels.0.key"), "a");
    assert_string_equal(json_str(r, "effective.labels.1.value"), "e=f");
    assert_int_equal(json_num(r, "effective.schedule.limiters.0.n"), 2);
    assert_int_equal(json_num(r, "effective.schedule.limiters.1.n"), 1);
    assert_true(json_is_true(json_at(r, "effective.hold")));
    assert_string_equal(json_str(r, "effective.webhooks.0.url"), "https://h/x");
    assert_string_equal(json_str(r, "effective.webhooks.0.key"), "k");
    assert_string_equal(json_str(r, "effective.webhooks.0.events.1"), "dead");
    assert_true(json_num(r, "effective.retention.log_us") == 2 * 86400000000ll);
    assert_string_equal(json_str(r, "effective.queue"), "q");
    assert_string_equal(json_str(r, "effective.name"), "n");
}

/* ---- refused -------------------------------------------------------------------------------------------------------------------------------- */

static void each_refusal_has_its_exit_code(void **state)
{
    /* clang-format off */
    static const struct { const char *text; int code; const char *says; } rows[] = {
        { LUA "naem: x\n",                                        COOP_EXIT_USAGE, "stdin:3:1: unknown key 'naem'" },
        { LUA "a: &a [x]\nb: *a\n",                               COOP_EXIT_USAGE, "stdin:3:4: anchors (&) and aliases (*) are not taken" },
        { LUA "mounts: [x]\n",                                    COOP_EXIT_USAGE, "'mounts' cannot be had" },
        { LUA "schedule: {array: 0-999999999}\n",                 COOP_EXIT_QUOTA, "1000000000" },
        { LUA "schedule: {not_before: 2099-01-02T00:00:00Z, deadline: 2099-01-01T00:00:00Z}\n", COOP_EXIT_USAGE,
          "the deadline 2099-01-01T00:00:00Z is not after 2099-01-02T00:00:00Z" },
        { LUA "schedule: {deadline: 2020-01-01T00:00:00Z}\n",     COOP_EXIT_USAGE, "the deadline 2020-01-01T00:00:00Z has passed" },
        { LUA "labels: {a: \"x\\u0007y\"}\n",                     COOP_EXIT_USAGE, "the value of the label 'a' has a control character in it" },
        { LUA "labels: {\"a\\tb\": c}\n",                         COOP_EXIT_USAGE, "the label key 'a\\x09b' is not 1 to 63 of letters" },
        { LUA "priority: 6\n",                                    COOP_EXIT_USAGE, "the priority 6 is not 1 (last) to 5 (first)" },
        { LUA "retry: {max_attempts: 1001}\n",                    COOP_EXIT_QUOTA, "the limit 'attempts' allows 1000" },
        { LUA "retry: {backoff: {factor: 0.9}}\n",                COOP_EXIT_USAGE, "the factor 0.9 is not between" },
        { LUA "retry: {backoff: {jitter: 2}}\n",                  COOP_EXIT_USAGE, "the jitter 2 is not between" },
        { LUA "notify: {webhook: {url: 'http://u:p@h/'}}\n",      COOP_EXIT_USAGE, "has a user or a password in it" },
        { LUA "limits: {memory: 999G}\n",                         COOP_EXIT_QUOTA, "limit memory: 999G is above the maximum" },
        { LUA "schedule: {cron: '* * * * *', deadline: 2099-01-01}\n",      COOP_EXIT_USAGE, "cron" },
        { LUA "schedule: {cron: '0 0 31 2 *'}\n",                  COOP_EXIT_USAGE, "coop: " },
        { LUA "schedule: {limiter: nowhere}\n", COOP_EXIT_NOT_FOUND, "there is no limiter nowhere" },
        { LUA "schedule: {after: 01ARZ3NDEKTSV4RRFFQ69G5FAV}\n", COOP_EXIT_NOT_FOUND, "01ARZ3NDEKTSV4RRFFQ69G5FAV" },
        { "engine: lua\n",                                        COOP_EXIT_USAGE, "does not say what to run" },
        { "code: {file: nowhere.lua}\n",                          COOP_EXIT_PROGRAM_MISSING, "nowhere.lua does not exist" },
    };
    /* clang-format on */
    struct broker *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct proc *p = proc_expect(submit_text(b, rows[i].text, "--parsable"), rows[i].code);

        expect_has(p->err, rows[i].says);
        expect_text(p->out, "");
    }
    expect_receipts(b, 0);
}

static void a_file_of_1_gib_is_refused_from_a_disk_and_from_a_pipe(void **state)
{
    struct broker *b = *state;
    const char *path = support_put(b->dir, "huge.yaml", "x", 1);
    const char *argv[] = {
        "sh", "-c", "head -c 1G /dev/zero | tr '\\0' ' ' | \"$0\" --endpoint \"$1\" submit -f -", support_program("coop"), b->url, NULL
    };
    struct proc *p;

    assert_int_equal(truncate(path, 1ll << 30), 0);
    p = proc_expect(coop(b, "submit", "-f", path), COOP_EXIT_QUOTA);
    expect_has(p->err, "is too large: it may have 16M");
    p = proc_expect(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, argv), COOP_EXIT_QUOTA);
    expect_has(p->err, "is too large: it may have 16M");
    expect_receipts(b, 0);
}

static void a_job_file_is_a_file(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "submit", "-f", b->dir), COOP_EXIT_USAGE)->err, "is a directory");
    expect_has(proc_expect(coop(b, "submit", "-f", "/nowhere.yaml"), COOP_EXIT_USAGE)->err, "/nowhere.yaml does not exist");
    expect_has(proc_expect(coop(b, "submit"), COOP_EXIT_USAGE)->err, "wants FILE");
}

static void nobody_waits_for_what_has_no_end(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "run", "-f", "examples/jobs/sweep.yaml"), COOP_EXIT_USAGE)->err, "the job file has an array");
    expect_has(proc_expect(coop(b, "run", "-f", "examples/jobs/nightly.yaml"), COOP_EXIT_USAGE)->err, "the job file has a cron expression");
    expect_has(proc_expect(coop(b, "submit", "--wait", "-f", "examples/jobs/nightly.yaml"), COOP_EXIT_USAGE)->err,
               "--wait waits for an end");
    expect_has(proc_expect(coop(b, "submit", "--follow", "-f", "examples/jobs/sweep.yaml"), COOP_EXIT_USAGE)->err,
               "--follow shows the output of one job");
    expect_receipts(b, 0);
}

/* ---- documents -------------------------------------------------------------------------------------------------------------------------------- */

static void every_example_file_is_taken(void **state)
{
    struct broker *b = *state;
    glob_t found;

    (void)proc_expect(coop(b, "kv", "put", "hooks/nightly", "s3cret"), 0);
    assert_int_equal(glob("examples/jobs/*.yaml", 0, NULL, &found), 0);
    assert_int_equal(glob("examples/jobs/*.json", GLOB_APPEND, NULL, &found), 0);
    assert_true(found.gl_pathc >= 5);
    for (size_t i = 0; i < found.gl_pathc; i++)
        (void)proc_expect(coop(b, "submit", "--dry-run", "-f", found.gl_pathv[i]), 0);
    globfree(&found);
}

#define PLACEHOLDER "01ARZ3NDEKTSV4RRFFQ69G5FAV" /* in the document, of a job that is there */

/* Each block of docs/jobs.md that is a job file. */
static void every_file_in_the_document_is_taken(void **state)
{
    struct broker *b = *state;
    char *text = support_get("docs/jobs.md", NULL), *at = text;
    const char *held = submit(b, "--hold", script(b, "held.lua", "print(1)"));
    unsigned blocks = 0;

    (void)proc_expect(coop(b, "kv", "put", "hooks/web", "s3cret"), 0);
    (void)proc_expect(coop(b, "limiter", "set", "database", "4"), 0);
    (void)proc_expect(coop(b, "limiter", "set", "licence", "1"), 0);
    for (char *p = text; (p = strstr(p, PLACEHOLDER)) != NULL;)
        memcpy(p, held, strlen(PLACEHOLDER));
    while ((at = strstr(at, "\n```yaml\n")) != NULL) {
        char *from = at + 9, *end = strstr(from, "\n```\n");

        assert_non_null(end);
        end[1] = '\0';
        (void)proc_expect(dry(b, from), 0);
        at = end + 2;
        blocks++;
    }
    assert_true(blocks >= 4);
}

int main(void)
{
#define WITH_BROKER(f) cmocka_unit_test_setup_teardown(f, broker_setup, broker_teardown)
    const struct CMUnitTest tests[] = {
        WITH_BROKER(a_job_file_is_run_and_a_json_file_is_the_same_job),
        WITH_BROKER(submit_follows_and_waits),
        WITH_BROKER(what_a_dry_run_prints_can_be_handed_in),
        WITH_BROKER(the_same_file_with_a_key_is_the_same_job_and_another_is_a_conflict),
        WITH_BROKER(what_is_not_said_is_filled_in),
        WITH_BROKER(every_flag_is_in_the_effective_spec),
        WITH_BROKER(each_refusal_has_its_exit_code),
        WITH_BROKER(a_file_of_1_gib_is_refused_from_a_disk_and_from_a_pipe),
        WITH_BROKER(a_job_file_is_a_file),
        WITH_BROKER(nobody_waits_for_what_has_no_end),
        WITH_BROKER(every_example_file_is_taken),
        WITH_BROKER(every_file_in_the_document_is_taken),
    };

    return cmocka_run_group_tests_name("submit_file", tests, NULL, NULL);
}
