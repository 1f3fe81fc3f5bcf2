/*
 * test_templates.c - templates on a real broker: build, fork, versions, removal, a broker's restart, inits that fail; and templates and children that do
 * what they may not, which the probe in the place of Lua does for them.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

static struct broker *b;
static uint32_t last_id;
static int control;

/* ---- what is asked ------------------------------------------------------------------------------------------------------------- */

static int control_socket(void)
{
    if (control < 0)
        control = sp_peer_open(b->socket);
    return control;
}

/* Sends an ask; the number under which answered() finds its answer. */
static uint32_t ask(Pb__Ask *a)
{
    Pb__Request q = PB__REQUEST__INIT;

    a->number = ++last_id;
    q.body_case = PB__REQUEST__BODY_ASK;
    q.ask = a;
    sp_peer_ask(control_socket(), last_id, &q);
    return last_id;
}

static const Pb__Answer *answered(uint32_t number)
{
    const Pb__Reply *r = sp_peer_answer(control_socket(), number);

    assert_int_equal(r->body_case, PB__REPLY__BODY_ASK);
    return r->ask;
}

struct how {
    uint64_t wall_us, cpu_us, memory_bytes, stdout_bytes;
};

static void fill_spec(Pb__JobSpec *s, Pb__Limits *l, const char *source, const struct how *how)
{
    s->engine = (char *)"lua";
    s->source_name = (char *)"init.lua";
    s->source = (ProtobufCBinaryData){ strlen(source), (uint8_t *)source };
    s->limits = l;
    if (how != NULL) {
        l->wall_us = how->wall_us;
        l->cpu_us = how->cpu_us;
        l->memory_bytes = how->memory_bytes;
        l->stdout_bytes = how->stdout_bytes;
    }
}

static uint32_t ask_build(const char *name, const char *init, const struct how *how)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;

    fill_spec(&s, &l, init, how);
    m.name = (char *)name;
    m.spec = &s;
    a.body_case = PB__ASK__BODY_TEMPLATE_BUILD;
    a.template_build = &m;
    return ask(&a);
}

static const Pb__TemplateStatus *build(const char *name, const char *init)
{
    const Pb__Answer *m = answered(ask_build(name, init, NULL));

    if (m->body_case != PB__ANSWER__BODY_TEMPLATE)
        support_fail("%s was not built: %s", name, m->failure != NULL ? m->failure->message : "?");
    assert_string_equal(m->template_->name, name);
    assert_string_equal(m->template_->state, "warm");
    return m->template_;
}

static const Pb__CallFailure *build_fails(const char *name, const char *init, const struct how *how, Pb__CallError error)
{
    const Pb__Answer *m = answered(ask_build(name, init, how));

    assert_int_equal(m->body_case, PB__ANSWER__BODY_FAILURE);
    if (m->failure->error != error)
        support_fail("error %d: %s", (int)m->failure->error, m->failure->message);
    return m->failure;
}

/* NAME, the newest in the table; fails when it is not there. */
static const Pb__TemplateStatus *status(const char *name)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateList l = PB__TEMPLATE_LIST__INIT;
    const Pb__Answer *m;

    a.body_case = PB__ASK__BODY_TEMPLATE_LIST;
    a.template_list = &l;
    m = answered(ask(&a));
    assert_int_equal(m->body_case, PB__ANSWER__BODY_TEMPLATES);
    for (size_t i = 0; i < m->templates->n_templates; i++)
        if (strcmp(m->templates->templates[i]->name, name) == 0)
            return m->templates->templates[i];
    return NULL;
}

static Pb__CallError remove_template(const char *name)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__TemplateRemove r = PB__TEMPLATE_REMOVE__INIT;
    const Pb__Answer *m;

    r.name = (char *)name;
    a.body_case = PB__ASK__BODY_TEMPLATE_REMOVE;
    a.template_remove = &r;
    m = answered(ask(&a));
    return m->body_case == PB__ANSWER__BODY_DONE ? CE(NONE) : m->failure->error;
}

static const Pb__Reply *ask_submit(const char *template, const char *source, const struct how *how)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit sub = PB__SUBMIT__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;

    fill_spec(&s, &l, source, how);
    s.engine = (char *)"";
    s.template_ = (char *)template;
    sub.spec = &s;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &sub;
    sp_peer_ask(control_socket(), ++last_id, &q);
    return sp_peer_answer(control_socket(), last_id);
}

static const char *submit_to(const char *template, const char *source)
{
    const Pb__Reply *r = ask_submit(template, source, NULL);

    if (r->body_case != PB__REPLY__BODY_SUBMIT)
        support_fail("not submitted: %s", r->error->message);
    return support_text("%s", r->submit->id);
}

static const char *refused(const char *template, const char *source, const struct how *how)
{
    const Pb__Reply *r = ask_submit(template, source, how);

    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    return r->error->message;
}

static const char *output_of(const char *id)
{
    struct proc *p = coop(b, "logs", id);

    assert_int_equal(p->code, 0);
    return p->out.bytes;
}

static const char *run(const char *template, const char *source)
{
    const char *id = submit_to(template, source);

    expect_end(b, id, "ok");
    return output_of(id);
}

/* ---- fixture ------------------------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    control = -1;
    b = broker_new();
    broker_up(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    return broker_teardown(state);
}

/* ---- what works ---------------------------------------------------------------------------------------------------------------- */

static void a_job_finds_the_state_that_the_init_has_prepared(void **state)
{
    (void)state;
    build("squares", "squares = {} for i = 1, 1000 do squares[i] = i * i end");
    assert_string_equal(run("squares", "print(#squares, squares[1000])"), "1000\t1000000\n");
}

static void what_a_job_changes_the_next_one_does_not_see(void **state)
{
    (void)state;
    build("counter", "n = 1");
    for (int i = 0; i < 5; i++)
        assert_string_equal(run("counter", "n = n + 1; print(n)"), "2\n");
}

static void random_numbers_differ_in_each_child(void **state)
{
    const char *seen[20];

    (void)state;
    build("random", "first = math.random(0)");
    for (int i = 0; i < 20; i++) {
        seen[i] = run("random", "print(math.random(0), math.random(0))");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    }
}

static void two_hundred_forks_are_counted(void **state)
{
    const char *ids[200];

    (void)state;
    build("many", "word = 'made once'");
    for (int i = 0; i < 200; i++)
        ids[i] = submit_to("many", "print(word)");
    for (int i = 0; i < 200; i++) {
        expect_end(b, ids[i], "ok");
        if (i % 20 == 0)
            assert_string_equal(output_of(ids[i]), "made once\n");
    }
    assert_true(status("many")->forks >= 200);
    assert_true(status("many")->forks <= 202); /* one ahead of need, and the one after that */
}

static void a_version_is_what_it_was_when_it_was_named(void **state)
{
    (void)state;
    assert_int_equal(build("v", "is = 'first'")->version, 1);
    assert_int_equal(build("v", "is = 'second'")->version, 2);
    assert_string_equal(run("v@1", "print(is)"), "first\n");
    assert_string_equal(run("v@2", "print(is)"), "second\n");
    assert_string_equal(run("v", "print(is)"), "second\n");
    assert_non_null(strstr(refused("v@3", "print(is)", NULL), "v@3"));
}

static void a_number_is_never_given_twice(void **state)
{
    (void)state;
    build("n", "x = 1");
    build("n", "x = 2");
    assert_int_equal(remove_template("n@2"), CE(NONE));
    assert_int_equal(build("n", "x = 3")->version, 3);
    assert_string_equal(run("n", "print(x)"), "3\n");
    assert_string_equal(run("n@1", "print(x)"), "1\n");
    assert_int_equal(remove_template("n"), CE(NONE));
    assert_int_equal(remove_template("n"), CE(NOT_FOUND));
    refused("n", "print(x)", NULL);
}

static void who_runs_in_a_template_that_is_removed_ends_as_if_it_was_not(void **state)
{
    uint64_t start = support_now_ms();
    const char *id;

    (void)state;
    build("gone", "said = 'still here'");
    id = submit_to("gone", "print(said) io.flush() " BURN "print 'done'");
    broker_says(b, support_text("job_state job=%s", id), "to=running");
    assert_int_equal(remove_template("gone"), CE(NONE));
    expect_end(b, id, "ok");
    assert_string_equal(output_of(id), "still here\ndone\n");
    while (status("gone") != NULL)
        support_turn(start, "the end of a template that nobody uses");
}

static void a_new_broker_builds_it_again_at_its_first_use(void **state)
{
    (void)state;
    build("kept", "x = 'made by ' .. 'the init'");
    close(control);
    control = -1;
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    assert_string_equal(status("kept")->state, "cold");
    assert_string_equal(run("kept@1", "print(x)"), "made by the init\n");
    assert_string_equal(status("kept")->state, "warm");
    assert_int_equal(build("kept", "x = 2")->version, 2);
}

static void a_broker_that_was_killed_leaves_no_process_and_the_next_has_it_again(void **state)
{
    pid_t pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)build("killed", "x = 1")->pid;
    assert_string_equal(run("killed", "print(x)"), "1\n");
    close(control);
    control = -1;
    broker_kill(b);
    while (kill(pid, 0) == 0)
        support_turn(start, "the template's end");
    broker_up(b);
    assert_string_equal(run("killed", "print(x)"), "1\n");
}

static void a_template_that_is_killed_is_built_again_when_it_is_wanted(void **state)
{
    pid_t pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)build("shot", "x = 1")->pid;
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (status("shot")->pid != 0)
        support_turn(start, "the template's end");
    assert_string_equal(run("shot", "print(x)"), "1\n");
    assert_true(status("shot")->pid != (uint32_t)pid);
}

static void a_zygote_that_is_killed_takes_its_templates_along(void **state)
{
    pid_t zygote = broker_zygote(b), pid;
    uint64_t start = support_now_ms();

    (void)state;
    pid = (pid_t)build("orphan", "x = 1")->pid;
    assert_int_equal(kill(zygote, SIGKILL), 0);
    while (kill(pid, 0) == 0)
        support_turn(start, "the template's end");
    assert_string_equal(run("orphan", "print(x)"), "1\n");
}

static void a_receipt_names_the_profile_and_the_steps_of_a_fork(void **state)
{
    json_t *r, *seal;
    const char *id;

    (void)state;
    build("sealed", "x = 1");
    id = submit_to("sealed", "print(x)");
    r = expect_end(b, id, "ok");
    assert_string_equal(json_str(r, "enforcement.seccomp"), "lua-template");
    seal = json_object_get(json_object_get(r, "enforcement"), "seal");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 1)), "forked");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 2)), "seccomp");
    assert_string_equal(json_string_value(json_array_get(seal, json_array_size(seal) - 3)), "leave");
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What is printed is for people: no time is asserted. */
static void ten_megabytes_are_forked(void **state)
{
    double begin;

    (void)state;
    build("heavy", "blocks = {} for i = 1, 160 do blocks[i] = string.rep(string.char(i), 65536) end");
    assert_true(status("heavy")->mem_bytes > 10 << 20);
    begin = seconds();
    for (int i = 0; i < 50; i++)
        assert_string_equal(run("heavy", "print(#blocks)"), "160\n");
    printf("50 jobs one after the other in a template of 10 MiB: %.2f ms each, with coop wait and coop logs\n",
           (seconds() - begin) * 1e3 / 50);
}

/* ---- inits that fail ----------------------------------------------------------------------------------------------------------- */

static void an_init_that_fails_is_answered_with_its_traceback(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = build_fails("bad", "local function deep() error 'no way' end deep()", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(f->remote);
    assert_non_null(strstr(f->remote->message, "no way"));
    assert_non_null(strstr(f->remote->traceback, "init.lua:1"));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_EXCEPTION);
    expect_end(b, f->receipt, "exception");
    assert_null(status("bad"));
}

static void an_init_that_never_ends_is_ended_by_its_limit(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = build_fails("long", "while true do end", &(struct how){ .cpu_us = 300000 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_CPU_LIMIT);
    f = build_fails("asleep", "require 'coop'.sleep(1000)", &(struct how){ .wall_us = 300000 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_WALL_LIMIT);
}

static void an_init_that_exits_eats_memory_or_prints_too_much_is_no_template(void **state)
{
    const Pb__CallFailure *f;

    (void)state;
    f = build_fails("exits", "os.exit(0)", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(strstr(f->message, "instead of returning"));
    f = build_fails("exits", "os.exit(3)", NULL, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_EXIT);
    f = build_fails("eats", "local t = {} while true do t[#t + 1] = string.rep('x', 100000) end", &(struct how){ .memory_bytes = 16 << 20 },
                    CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_OOM);
    f = build_fails("prints", "for i = 1, 10000 do print 'and again' end", &(struct how){ .stdout_bytes = 1000 }, CE(TEMPLATE_FAILED));
    assert_int_equal(f->cause, PB__CAUSE__CAUSE_OUTPUT_LIMIT);
    f = build_fails("tasklets", "require 'coop'.spawn(function() require 'coop'.sleep(1000) end)", NULL, CE(TEMPLATE_FAILED));
    if (strstr(f->remote->message, "tasklets that have not ended") == NULL)
        support_fail("%s: %s", f->remote->type, f->remote->message);
    f = build_fails("syntax", "this is no Lua", NULL, CE(TEMPLATE_FAILED));
    assert_non_null(strstr(f->remote->message, "syntax error"));
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
    (void)state;
    assert_non_null(strstr(build_fails("a b", "x = 1", NULL, CE(BAD_REQUEST))->message, "letters"));
    assert_non_null(strstr(build_fails("a@1", "x = 1", NULL, CE(BAD_REQUEST))->message, "letters"));
    build_fails("", "x = 1", NULL, CE(BAD_REQUEST));
    build_fails("empty", "", NULL, CE(BAD_REQUEST));
    assert_int_equal(remove_template("@"), CE(BAD_REQUEST));
    assert_int_equal(remove_template("none"), CE(NOT_FOUND));
    build("small", "x = 1");
    assert_non_null(strstr(refused("small", "print(x)", &(struct how){ .memory_bytes = 1u << 30 }), "was built with"));
    assert_non_null(strstr(refused("small@", "print(x)", NULL), "no template"));
}

static void a_job_of_a_template_has_limits_of_its_own(void **state)
{
    (void)state;
    build("limits", "x = string.rep('x', 1000000)");
    expect_end(b, submit_to("limits", "while true do x = x .. x end"), "oom");
    assert_int_equal(ask_submit("limits", "while true do end", &(struct how){ .cpu_us = 100000 })->body_case, PB__REPLY__BODY_SUBMIT);
    broker_says(b, "job_ended", "cause=cpu_limit");
    assert_string_equal(run("limits", "print(#x)"), "1000000\n");
}

/* ---- hostile ones -------------------------------------------------------------------------------------------------------------- */

static int setup_probe(void **state)
{
    control = -1;
    b = broker_new();
    b->args[0] = "--log-level";
    b->args[1] = "debug";
    b->args[2] = "--worker";
    b->args[3] = support_program("tests/escape/probe-template");
    broker_up(b);
    *state = b;
    return 0;
}

/* Sends the build and the job that makes the template act, then waits for what the broker makes of it. */
static void act(const char *name, const char *why, const char *job)
{
    const char *id = NULL;
    const Pb__Answer *m = answered(ask_build(name, name, &(struct how){ .cpu_us = 500000 }));

    if (m->body_case == PB__ANSWER__BODY_TEMPLATE) {
        const Pb__Reply *r = ask_submit(name, "x", NULL);

        id = r->body_case == PB__REPLY__BODY_SUBMIT ? support_text("%s", r->submit->id) : NULL;
    } else {
        assert_int_equal(m->failure->error, CE(TEMPLATE_FAILED));
    }
    if (strcmp(why, "-") != 0)
        broker_says(b, support_text("template_ended template=%s@1", name), why);
    if (id != NULL && strcmp(job, "-") != 0)
        expect_end(b, id, job);
    assert_int_equal(remove_template(name), m->body_case == PB__ANSWER__BODY_TEMPLATE ? CE(NONE) : CE(NOT_FOUND));
}

/* Only spare workers, that are no templates, are left. */
static void expect_no_strays(void)
{
    uint64_t start = support_now_ms();
    pid_t pids[TREE_MAX];

    while (tree_children(broker_zygote(b), pids) > 4)
        support_turn(start, "the end of all that templates have made");
}

static void each_hostile_act_ends_the_template_with_its_reason(void **state)
{
    FILE *f = popen(support_text("'%s' --acts", support_program("tests/escape/probe-template")), "r");
    char name[64], why[128], job[32];
    unsigned n = 0;

    (void)state;
    assert_non_null(f);
    while (fscanf(f, "%63[^\t]\t%127[^\t]\t%31[^\n]\n", name, why, job) == 3) {
        printf("%-20s %s\n", name, why);
        act(name, why, job);
        n++;
    }
    pclose(f);
    assert_true(n > 20);
    expect_no_strays();
}

#define PROBE(name) cmocka_unit_test_setup_teardown(name, setup_probe, teardown)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_job_finds_the_state_that_the_init_has_prepared),
        TEST(what_a_job_changes_the_next_one_does_not_see),
        TEST(random_numbers_differ_in_each_child),
        TEST(two_hundred_forks_are_counted),
        TEST(a_version_is_what_it_was_when_it_was_named),
        TEST(a_number_is_never_given_twice),
        TEST(who_runs_in_a_template_that_is_removed_ends_as_if_it_was_not),
        TEST(a_new_broker_builds_it_again_at_its_first_use),
        TEST(a_broker_that_was_killed_leaves_no_process_and_the_next_has_it_again),
        TEST(a_template_that_is_killed_is_built_again_when_it_is_wanted),
        TEST(a_zygote_that_is_killed_takes_its_templates_along),
        TEST(a_receipt_names_the_profile_and_the_steps_of_a_fork),
        TEST(ten_megabytes_are_forked),
        TEST(an_init_that_fails_is_answered_with_its_traceback),
        TEST(an_init_that_never_ends_is_ended_by_its_limit),
        TEST(an_init_that_exits_eats_memory_or_prints_too_much_is_no_template),
        TEST(what_makes_no_sense_is_refused_by_name),
        TEST(a_job_of_a_template_has_limits_of_its_own),
        PROBE(each_hostile_act_ends_the_template_with_its_reason),
    };

    return cmocka_run_group_tests_name("templates", tests, NULL, NULL);
}
