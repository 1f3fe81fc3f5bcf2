/* test_doctor.c - coop doctor: what it finds, here and where things are forbidden, what it says to do, and that it leaves nothing behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/cage.h"
#include "tests/support/deny.h"

/* What is in the way of a doctor that runs as somebody. */
struct place {
    const char *cage, *deny;
    bool as_user; /* not root */
};

static void confine(const void *arg)
{
    const struct place *p = arg;
    int rc = p->cage != NULL ? cage_enter(p->cage) : 0;

    if (rc == 0 && p->deny != NULL)
        rc = deny_install(p->deny);
    if (rc != 0)
        _exit(121);
}

/* b's directories, which are not made. */
static struct proc *doctor_(struct broker *b, const struct place *place, const char *const *args)
{
    const char *env[] = { support_text("COOP_RUN_DIR=%s", b->run_dir), support_text("COOP_STATE_DIR=%s", b->state_dir),
                          "ASAN_OPTIONS=detect_leaks=0", NULL };
    const char *argv[16] = { support_program("coop"), "doctor" };
    struct proc_how how = { .env = env, .uid = b->uid, .before_exec = confine, .arg = place };

    for (size_t i = 0; args[i] != NULL; i++)
        argv[2 + i] = args[i];
    return proc_start(&how, argv);
}

#define doctor(b, place, ...) doctor_((b), (place), (const char *const[]){ __VA_ARGS__, NULL })

static const struct place here = { NULL, NULL, false };

static json_t *probe(json_t *doc, const char *name)
{
    json_t *p, *probes = json_at(doc, "probes");
    size_t i;

    json_array_foreach(probes, i, p) if (strcmp(json_str(p, "probe"), name) == 0) return p;
    support_fail("no probe %s", name);
}

static void what_it_finds_is_a_document_and_each_probe_says_what_to_do(void **state)
{
    static const char *const first[] = { "kernel", "started_by_root", "run_dir", "cgroups", "user_namespaces", "landlock", "tier_T3" };
    struct broker *b = broker_new();
    struct proc *p = doctor(b, &here, "--json");
    json_t *doc, *one;
    size_t i;

    (void)state;
    (void)proc_expect(p, 0);
    doc = json_of(&p->out);
    json_expect_shape(doc, "coop.Doctor/1", "tier why_not_above required reachable refused held probes");
    assert_string_equal(json_str(doc, "required"), "tier=T2");
    assert_true(json_is_true(json_at(doc, "reachable")));
    json_array_foreach(json_at(doc, "probes"), i, one)
    {
        if (json_str(one, "probe")[0] == '\0' || json_str(one, "for")[0] == '\0' || json_str(one, "fix")[0] == '\0')
            support_fail("%s", json_shown(one));
        if (json_is_true(json_at(one, "ok")) != (json_str(one, "error")[0] == '\0'))
            support_fail("%s", json_shown(one));
    }
    for (i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        (void)probe(doc, first[i]);
    assert_int_equal(json_is_true(json_at(probe(doc, "started_by_root"), "ok")), geteuid() == 0);
    assert_int_not_equal(access(b->run_dir, F_OK), 0); /* and nothing was made */
    assert_int_not_equal(access(b->state_dir, F_OK), 0);
}

static void the_tier_that_it_says_is_the_one_that_jobs_get(void **state)
{
    struct broker *b = broker_new();
    struct proc *p = proc_expect(doctor(b, &here, "--quiet"), 0);
    const char *tier = heard_line(&p->out);
    json_t *r;

    (void)state;
    broker_up(b);
    r = expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok");
    assert_string_equal(json_str(r, "enforcement.tier"), tier);
    p = proc_expect(doctor(b, &here, "--quiet"), 0); /* beside a broker that runs, which does not notice */
    assert_string_equal(heard_line(&p->out), tier);
    (void)expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok");
    assert_int_equal(broker_down(b), 0);
}

/* And in the words of its receipt. */
static void what_it_says_holds_a_program_is_what_its_receipt_says(void **state)
{
    static const char *const keys[] = { "tier", "memory", "cpu", "pids", "disk" };
    struct broker *b = broker_new();
    json_t *doc = json_of(&proc_expect(doctor(b, &here, "--json"), 0)->out), *r;

    (void)state;
    broker_up(b);
    r = expect_end(b, submit(b, "--", "true"), "ok");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        assert_string_equal(json_str(doc, support_text("held.%s", keys[i])), json_str(r, support_text("enforcement.%s", keys[i])));
    assert_int_equal(broker_down(b), 0);
}

static void what_is_forbidden_is_named_with_its_error_and_its_fix(void **state)
{
    static const struct {
        struct place place;
        const char *require, *probe, *error, *fix, *tier;
        int code;
    } rows[] = {
        {{ "no_userns", NULL, true },                       NULL,                 "max_user_namespaces", "ENOSPC", "sysctl -w user.max_user_namespaces", "T2", 0},
        { { "no_userns", NULL, true },                      "tier=T1",            "user_namespaces",     "ENOSPC", "sysctl -w user.max_user_namespaces", "T2", 1},
        { { NULL, "unshare", true },                        "tier=T1",            "user_namespaces",     "EPERM",  "apparmor_userns",                    "T2", 1},
        { { NULL, "unshare", true },                        "tier=T2,landlock=1", "outer_filter",        "EPERM",  "SystemCallFilter",                   "T2", 0},
        { { "no_userns", "landlock_create_ruleset", true }, NULL,                 "landlock",            "EPERM",  "CONFIG_SECURITY_LANDLOCK",           "T3", 1},
        { { "lone_root", NULL, true },                      "tier=T0",            "worker_uids",         "EPERM",  "systemctl enable --now coopd",       "T2", 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();
        struct proc *p;
        json_t *doc, *one;

        if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
            skip();
        p = rows[i].require != NULL ? doctor(b, &rows[i].place, "--json", "--require", rows[i].require)
                                    : doctor(b, &rows[i].place, "--json");
        if (proc_end(p) != rows[i].code)
            support_fail("row %zu: code %d: %.1000s%.1000s", i, p->code, p->out.bytes, p->err.bytes);
        doc = json_of(&p->out);
        one = probe(doc, rows[i].probe);
        if (json_is_true(json_at(one, "ok")) || strcmp(json_str(one, "error"), rows[i].error) != 0 ||
            strstr(json_str(one, "fix"), rows[i].fix) == NULL || strcmp(json_str(doc, "tier"), rows[i].tier) != 0)
            support_fail("row %zu: tier %s: %s", i, json_str(doc, "tier"), json_shown(one));
        assert_int_equal(json_is_true(json_at(doc, "reachable")), rows[i].code == 0);
        p = rows[i].require != NULL ? doctor(b, &rows[i].place, "--require", rows[i].require) : doctor(b, &rows[i].place, NULL);
        assert_int_equal(proc_end(p), rows[i].code);
        expect_has(p->out, rows[i].fix);
        expect_has(p->out, support_text("tier     %s", rows[i].tier));
    }
}

static void what_nobody_can_have_is_not_reachable(void **state)
{
    struct broker *b = broker_new();
    struct proc *p = proc_expect(doctor(b, &here, "--require", "landlock=999"), COOP_EXIT_JOB_FAILED);

    (void)state;
    expect_has(p->out, "it requires landlock=999, and here it is");
    p = proc_expect(doctor(b, &here, "--require", "tier=T9"), COOP_EXIT_USAGE);
    expect_has(p->err, "T3 T2 T1 T0");
}

static void directories_that_a_broker_could_not_use_are_found(void **state)
{
    struct broker *b = broker_new();
    struct proc *p;
    json_t *doc;

    (void)state;
    if (mkdir(b->state_dir, 0777) != 0 || chmod(b->state_dir, 0777) != 0)
        support_fail("%s", strerror(errno));
    (void)support_put(b->dir, "run", "a file", (size_t)-1);
    p = doctor(b, &here, "--json");
    (void)proc_end(p);
    doc = json_of(&p->out);
    assert_string_equal(json_str(probe(doc, "run_dir"), "error"), "ENOTDIR");
    assert_string_equal(json_str(probe(doc, "state_dir"), "error"), "EACCES");
    assert_non_null(strstr(json_str(probe(doc, "state_dir"), "detail"), b->state_dir));
}

/* A user without root, where nothing is forbidden: each fix once, and words where the worker knew only an errno. */
static void what_it_prints_is_for_people(void **state)
{
    static const struct place user = { NULL, NULL, true };
    struct broker *b = broker_new();
    struct proc *p;

    (void)state;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
        skip();
    p = proc_expect(doctor(b, &user, NULL), 0);
    expect_lacks(p->out, "EBADF");
    expect_has(p->out, "root did not start it, so there is no range of uids");
    expect_lacks(p->out, "required");
    for (char *at = (char *)p->out.bytes, *end; (at = strstr(at, "       fix   ")) != NULL; at = end) {
        char line[1024];

        end = at + strcspn(at + 1, "\n") + 1;
        snprintf(line, sizeof(line), "%.*s\n", (int)(end - at), at);
        if (strstr(line, "as for") == NULL && strstr(end, line) != NULL)
            support_fail("twice: %s", line);
    }
    p = proc_expect(doctor(b, &user, "--require", "tier=T2"), 0);
    expect_has(p->out, "required tier=T2: can be had");
}

static void a_policy_is_printed_with_its_reasons(void **state)
{
    struct broker *b = broker_new();
    struct proc *p = proc_expect(doctor(b, &here, "--explain-policy", "exec"), 0);

    (void)state;
    expect_has(p->out, "allow socket if family == AF_UNIX  # ");
    p = proc_expect(doctor(b, &here, "--explain-policy", "nothing"), COOP_EXIT_USAGE);
    expect_has(p->err, "no policy is called \"nothing\"");
}

int main(void)
{
#define ALONE(name) cmocka_unit_test_setup_teardown(name, NULL, broker_teardown)
    static const struct CMUnitTest tests[] = {
        ALONE(what_it_finds_is_a_document_and_each_probe_says_what_to_do),
        ALONE(the_tier_that_it_says_is_the_one_that_jobs_get),
        ALONE(what_it_says_holds_a_program_is_what_its_receipt_says),
        ALONE(what_is_forbidden_is_named_with_its_error_and_its_fix),
        ALONE(what_nobody_can_have_is_not_reachable),
        ALONE(directories_that_a_broker_could_not_use_are_found),
        ALONE(what_it_prints_is_for_people),
        ALONE(a_policy_is_printed_with_its_reasons),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
