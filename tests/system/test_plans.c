/* test_plans.c - arrays, dependencies, cron and limiters by the command, across the broker's death. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"
#include "when.h"

#define FOR_EVER "while true do end\n"
enum { IDS = 1100 };

/* ---- help ------------------------------------------------------------------------------------------------------------------------------ */

static struct broker *up_with_workers(void **state, const char *workers)
{
    struct broker *b = broker_new();

    *state = b;
    b->args[0] = "--workers";
    b->args[1] = workers;
    broker_up(b);
    return b;
}

static const char *ok_script(const struct broker *b)
{
    return script(b, "ok.lua", "print('ok')");
}

static const char *state_of(const struct broker *b, const char *id)
{
    return json_str(status_of(b, id), "state");
}

static void expect_state(const struct broker *b, const char *id, const char *state)
{
    if (strcmp(state_of(b, id), state) != 0)
        support_fail("%s is %s, wanted %s", id, state_of(b, id), state);
}

/* Ids of an array's tasks, in order of their index. */
static size_t tasks_of(const struct broker *b, const char *array, const char *ids[IDS])
{
    json_t *list = json_at(json_of(&proc_expect(coop(b, "ls", "--array", array, "--json", "--limit", "1000"), 0)->out), "jobs");
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++)
        ids[n - 1 - i] = json_str(json_array_get(list, i), "id");
    return n;
}

static void expect_counts(const struct broker *b, const char *array, int succeeded, int failed, int cancelled)
{
    json_t *s = status_of(b, array);

    if (json_num(s, "tasks.succeeded") != succeeded || json_num(s, "tasks.failed") != failed || json_num(s, "tasks.cancelled") != cancelled)
        support_fail("array %s: %s", array, json_shown(s));
}

static bool has_slot(const char *word)
{
    static const char *const words[] = { "claimed", "starting", "running" };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncmp(word, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static bool is_one_of(const char *id, const char *const *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(ids[i], id, strlen(ids[i])) == 0)
            return true;
    return false;
}

/* By every step that this coopd has logged: the most of these jobs that had a slot at once. */
static unsigned most_at_once(const struct broker *b, const char *const *ids, size_t n)
{
    unsigned now = 0, most = 0;

    for (const char *at = broker_log(b); (at = strstr(at, "event=job_state job=")) != NULL; at++) {
        const char *id = at + strlen("event=job_state job="), *from = strstr(id, "from="), *to = strstr(id, "to=");

        if (from == NULL || to == NULL || !is_one_of(id, ids, n))
            continue;
        now += has_slot(to + 3) && !has_slot(from + 5);
        now -= !has_slot(to + 3) && has_slot(from + 5);
        most = now > most ? now : most;
    }
    return most;
}

/* ---- arrays ---------------------------------------------------------------------------------------------------------------------------- */

static void an_array_of_1000_never_runs_more_than_20_at_once(void **state)
{
    struct broker *b = up_with_workers(state, "40");
    const char *array = submit(b, "--array", "1-1000%20", ok_script(b)), *ids[IDS];
    size_t n;
    unsigned most;

    proc_expect(coop(b, "wait", array), 0);
    expect_state(b, array, "succeeded");
    expect_counts(b, array, 1000, 0, 0);
    n = tasks_of(b, array, ids);
    assert_int_equal(n, 1000);
    most = most_at_once(b, ids, n);
    if (most < 2 || most > 20)
        support_fail("%u tasks ran at once, 20 may", most);
}

static void each_task_knows_which_it_is(void **state)
{
    struct broker *b = *state;
    const char *ids[IDS], *array;
    size_t n;

    array = submit(b, "--array", "3-9:3",
                   script(b, "which.lua", "print(os.getenv('COOP_ARRAY_INDEX') .. ' of ' .. os.getenv('COOP_ARRAY_ID'))"));
    proc_expect(coop(b, "wait", array), 0);
    n = tasks_of(b, array, ids);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        json_t *r = receipt_of(b, ids[i]);

        expect_text(proc_expect(coop(b, "logs", ids[i]), 0)->out, support_text("%zu of %s\n", 3 + 3 * i, array));
        assert_string_equal(json_str(r, "array_id"), array);
        assert_int_equal(json_num(r, "array_index"), 3 + 3 * i);
    }
}

static void what_is_each_tasks_own_is_refused_of_an_array_by_name(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-2", ok_script(b));

    proc_expect(coop(b, "wait", array), 0);
    expect_has(proc_expect(coop(b, "logs", array), COOP_EXIT_USAGE)->err, "say which task");
    expect_has(proc_expect(coop(b, "result", array), COOP_EXIT_USAGE)->err, "say which task");
    expect_has(proc_expect(coop(b, "cancel", array), COOP_EXIT_CONFLICT)->err, "has already ended");
    expect_has(proc_expect(coop(b, "hold", array), COOP_EXIT_CONFLICT)->err, "has already ended");
}

static void an_array_that_is_too_long_is_refused_by_its_length(void **state)
{
    struct broker *b = *state;
    struct proc *p = proc_expect(coop(b, "submit", "--array", "1-1000000000", ok_script(b)), COOP_EXIT_QUOTA);

    expect_has(p->err, "1000000000");
    p = proc_expect(coop(b, "submit", "--array", "0-18446744073709551615", ok_script(b)), COOP_EXIT_QUOTA);
    expect_has(p->err, "18446744073709551615");
}

static json_int_t limits_asked(const struct broker *b, const char *id)
{
    return json_num(json_of(&proc_expect(coop(b, "show", "--json", id), 0)->out), "spec.limits_asked");
}

static void the_failed_tasks_of_an_array_are_tried_again_as_an_array(void **state)
{
    struct broker *b = *state;
    const char *ids[IDS], *again;
    const char *array =
        submit(b, "--array", "1-6", script(b, "odd.lua", "if os.getenv('COOP_ARRAY_INDEX') % 2 == 1 then error('odd') end"));
    size_t n;

    proc_expect(coop(b, "wait", array), 1);
    expect_state(b, array, "failed");
    expect_counts(b, array, 3, 3, 0);
    again = heard_line(&proc_expect(coop(b, "retry", array), 0)->out);
    proc_expect(coop(b, "wait", again), 1);
    expect_counts(b, again, 0, 3, 0);
    assert_int_equal(limits_asked(b, again), limits_asked(b, array)); /* what was a default is one again */
    n = tasks_of(b, again, ids);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(json_num(receipt_of(b, ids[i]), "array_index"), 1 + 2 * i);
}

static void an_array_is_listed_as_one_line(void **state)
{
    struct broker *b = *state;
    const char *before = submit(b, "--hold", ok_script(b)), *array = submit(b, "--array", "1-5", ok_script(b)), *after, *ids;

    after = submit(b, "--hold", ok_script(b));
    proc_expect(coop(b, "wait", array), 0);
    ids = proc_expect(coop(b, "ls", "--arrays", "-q"), 0)->out.bytes;
    assert_string_equal(ids, support_text("%s\n%s\n%s\n", after, array, before));
    ids = proc_expect(coop(b, "ls", "--arrays", "-q", "--limit", "2"), 0)->out.bytes;
    assert_string_equal(ids, support_text("%s\n%s\n", after, array));
    ids = proc_expect(coop(b, "ls", "--arrays", "-q", "--state", "succeeded"), 0)->out.bytes;
    assert_string_equal(ids, support_text("%s\n", array));
    assert_non_null(strstr(proc_expect(coop(b, "ls", "--arrays"), 0)->out.bytes, "5 of 5 ended"));
    proc_expect(coop(b, "ls", "--arrays", "--array", array), 2);
}

/* What is rare among many: one request looks at some of them and says where to go on. */
static void a_list_of_the_rare_comes_in_pages(void **state)
{
    struct broker *b = *state;
    const char *rare = submit(b, "--in", "1h", ok_script(b)), *many = submit(b, "--hold", "--array", "1-6000", ok_script(b));
    Pb__State scheduled = PB__STATE__STATE_SCHEDULED;
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Ls ls = PB__LS__INIT;
    const Pb__Reply *r;
    int fd = sp_peer_open(b->socket);

    q.body_case = PB__REQUEST__BODY_LS;
    q.ls = &ls;
    ls.states = &scheduled;
    ls.n_states = 1;
    sp_peer_ask(fd, 1, &q);
    r = sp_peer_answer(fd, 1);
    assert_int_equal(r->body_case, PB__REPLY__BODY_LS);
    assert_int_equal(r->ls->n_jobs, 0);
    assert_true(r->ls->more);
    ls.before = r->ls->next;
    sp_peer_ask(fd, 2, &q);
    r = sp_peer_answer(fd, 2);
    assert_int_equal(r->ls->n_jobs, 1);
    assert_false(r->ls->more);
    assert_string_equal(r->ls->jobs[0]->id, rare);
    assert_string_equal(proc_expect(coop(b, "ls", "-q", "--state", "scheduled"), 0)->out.bytes, support_text("%s\n", rare));
    proc_expect(coop(b, "cancel", "-y", "--state", "scheduled"), 0);
    expect_end(b, rare, "cancelled");
    proc_expect(coop(b, "cancel", many), 0);
}

/* All jobs of a tenant may be chosen by it alone. */
static void a_tenant_is_enough_to_choose_by(void **state)
{
    struct broker *b = *state;
    const char *one = submit(b, "--hold", ok_script(b)), *two = submit(b, "--hold", ok_script(b));
    const char *tenant = json_str(status_of(b, one), "tenant");

    proc_expect(coop(b, "cancel", "-y", "--tenant", tenant), 0);
    expect_end(b, one, "cancelled");
    expect_end(b, two, "cancelled");
}

static void expect_edit_refused(const struct broker *b, Pb__Edit *e)
{
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;
    int fd = sp_peer_open(b->socket);

    q.body_case = PB__REQUEST__BODY_EDIT;
    q.edit = e;
    sp_peer_ask(fd, 1, &q);
    r = sp_peer_answer(fd, 1);
    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    assert_int_equal(r->error->code, PB__ERROR_CODE__ERROR_CODE_USAGE);
}

/* By the command none of it can be said. */
static void an_edit_of_an_array_is_checked_as_a_jobs_is(void **state)
{
    struct broker *b = *state;
    char *id = (char *)submit(b, "--array", "1-3", "--hold", ok_script(b));
    const struct {
        Pb__JobClass class;
        uint64_t not_before_us, deadline_us;
        const char *name;
    } bad[] = {
        {(Pb__JobClass)7,   0,                 0,                ""    },
        { (Pb__JobClass)-1, 0,                 0,                ""    },
        { 0,                UINT64_MAX,        0,                ""    },
        { 0,                0,                 1,                ""    }, /* 1970 */
        { 0,                0,                 UINT64_MAX / 2,   ""    },
        { 0,                0,                 WHEN_LAST_US + 1, ""    },
        { 0,                WHEN_LAST_US,      WHEN_LAST_US - 1, ""    },
        { 0,                0,                 0,                "a\nb"},
        { 0,                when_now_us() * 2, 1,                ""    },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        Pb__Edit e = PB__EDIT__INIT;

        e.id = id;
        e.set_class = true;
        e.class_ = bad[i].class;
        e.not_before_us = bad[i].not_before_us;
        e.deadline_us = bad[i].deadline_us;
        e.name = (char *)bad[i].name;
        expect_edit_refused(b, &e);
    }
    proc_expect(coop(b, "edit", id, "--class", "batch"), 0);
    proc_expect(coop(b, "release", id), 0);
    proc_expect(coop(b, "wait", id), 0);
}

static void an_array_is_cancelled_whole(void **state)
{
    struct broker *b = *state;
    const char *array = submit(b, "--array", "1-500%2", script(b, "loop.lua", FOR_EVER)), *ids[IDS];

    (void)tasks_of(b, array, ids);
    broker_says(b, "to=running", ids[0]);
    proc_expect(coop(b, "kill", array), 0);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
    expect_state(b, array, "cancelled");
    expect_counts(b, array, 0, 0, 500);
}

/* ---- dependencies ------------------------------------------------------------------------------------------------------------------------ */

static void a_diamond_runs_from_its_top_to_its_foot(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *top = submit(b, "--hold", ok), *left, *right, *foot;

    left = submit(b, "--after", top, ok);
    right = submit(b, "--array", "1-3", "--after", top, ok);
    foot = submit(b, "--after", left, "--after", right, ok);
    expect_state(b, left, "blocked");
    expect_state(b, foot, "blocked");
    assert_string_equal(json_str(status_of(b, left), "reason"), support_text("DEP:%s", top));
    proc_expect(coop(b, "release", top), 0);
    expect_end(b, foot, "ok");
    expect_state(b, left, "succeeded");
    expect_counts(b, right, 3, 0, 0);
    expect_state(b, top, "succeeded");
}

static void a_wrong_end_skips_down_the_chain_and_names_whom(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *bad = submit(b, script(b, "bad.lua", "error('no')"));
    const char *first = submit(b, "--after", bad, ok), *second = submit(b, "--after", first, ok), *array, *any, *fail, *ids[IDS];
    json_t *r;

    array = submit(b, "--array", "1-3", "--after", second, ok);
    any = submit(b, "--after", support_text("%s:any", array), ok);
    fail = submit(b, "--after", support_text("%s:fail", second), ok);
    expect_end(b, any, "ok");
    expect_end(b, fail, "ok");
    r = expect_end(b, first, "dep_failed");
    assert_non_null(strstr(json_str(r, "cause_detail"), bad));
    r = expect_end(b, second, "dep_failed");
    assert_string_equal(json_str(r, "outcome"), "skipped");
    assert_non_null(strstr(json_str(r, "cause_detail"), first));
    expect_state(b, array, "failed");
    assert_int_equal(tasks_of(b, array, ids), 3);
    assert_non_null(strstr(json_str(receipt_of(b, ids[2]), "cause_detail"), second));
}

static void what_cannot_be_waited_for_is_not_found(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *ended = submit(b, ok);

    proc_expect(coop(b, "submit", "--after", "01HZZZZZZZ0000000000000000", ok), COOP_EXIT_NOT_FOUND);
    expect_end(b, ended, "ok");
    expect_end(b, submit(b, "--after", ended, ok), "ok"); /* has ended already: counts at once */
    expect_end(b, submit(b, "--after", support_text("%s:fail", ended), ok), "dep_failed");
}

static void a_task_is_waited_for_by_its_place_in_the_array(void **state)
{
    struct broker *b = *state;
    const char *third_only = script(b, "third.lua", "os.exit(os.getenv('COOP_ARRAY_INDEX') == '3' and 0 or 1)");
    const char *ok = ok_script(b), *array = submit(b, "--array", "1-4", third_only), *third = support_text("%s.3", array);
    const char *after = submit(b, "--after", third, ok), *fail = submit(b, "--after", support_text("%s:fail", third), ok);
    const char *edited = submit(b, "--hold", ok), *a_waiting;

    proc_expect(coop(b, "submit", "--after", support_text("%s.9", array), ok), COOP_EXIT_NOT_FOUND);
    proc_expect(coop(b, "submit", "--after", support_text("%s.1", after), ok), COOP_EXIT_NOT_FOUND); /* no array */
    proc_expect(coop(b, "submit", "--after", support_text("%s.x", array), ok), COOP_EXIT_USAGE);
    proc_expect(coop(b, "edit", edited, "--after", third), 0);
    expect_end(b, after, "ok"); /* the other tasks, and the array, fail */
    expect_end(b, fail, "dep_failed");
    proc_expect(coop(b, "release", edited), 0);
    expect_end(b, edited, "ok");
    a_waiting = submit(b, "--array", "1-2", "--hold", ok);
    edited = submit(b, "--hold", "--after", support_text("%s.2", a_waiting), ok);
    proc_expect(coop(b, "edit", edited, "--drop-after", support_text("%s.1", a_waiting)), COOP_EXIT_NOT_FOUND);
    proc_expect(coop(b, "edit", edited, "--drop-after", support_text("%s.2", a_waiting)), 0);
    proc_expect(coop(b, "release", edited), 0);
    expect_end(b, edited, "ok");
}

static void a_circle_is_refused_with_its_members(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *one = submit(b, "--hold", ok), *two = submit(b, "--after", one, ok),
               *three = submit(b, "--after", two, ok);
    struct proc *p = proc_expect(coop(b, "edit", one, "--after", three), COOP_EXIT_CONFLICT);

    expect_has(p->err, one);
    expect_has(p->err, two);
    expect_has(p->err, three);
    proc_expect(coop(b, "edit", two, "--drop-after", one), 0);
    proc_expect(coop(b, "edit", one, "--after", three), 0);
    expect_end(b, two, "ok");
    expect_end(b, three, "ok");
    proc_expect(coop(b, "release", one), 0);
    expect_end(b, one, "ok");
}

/* An array ends when its tasks have, and each of them waits for what its array waits for. */
static void a_circle_through_an_array_and_its_tasks_is_refused_too(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *array = submit(b, "--array", "1-3", "--hold", ok), *ids[IDS], *job, *after_one;
    struct proc *p;

    (void)tasks_of(b, array, ids);
    job = submit(b, "--after", support_text("%s:any", array), ok);
    p = proc_expect(coop(b, "edit", "--after", support_text("%s:any", job), support_text("%s.1", array)), COOP_EXIT_CONFLICT);
    expect_has(p->err, array);
    expect_has(p->err, job);
    expect_has(p->err, ids[0]);
    expect_has(proc_expect(coop(b, "edit", "--after", array, ids[1]), COOP_EXIT_CONFLICT)->err, array);
    after_one = submit(b, "--after", support_text("%s.2", array), ok);
    p = proc_expect(coop(b, "edit", "--after", after_one, array), COOP_EXIT_CONFLICT);
    expect_has(p->err, after_one);
    expect_has(p->err, ids[1]);
    proc_expect(coop(b, "edit", "--after", support_text("%s.3", array), support_text("%s.1", array)), 0);
    proc_expect(coop(b, "release", array), 0);
    expect_end(b, job, "ok");
    expect_end(b, after_one, "ok");
    expect_counts(b, array, 3, 0, 0);
}

/* ---- limiters ------------------------------------------------------------------------------------------------------------------------------ */

static void a_limiter_of_2_never_lets_3_of_20_run(void **state)
{
    struct broker *b = up_with_workers(state, "10");
    const char *ok = ok_script(b), *ids[20];
    unsigned most;

    proc_expect(coop(b, "limiter", "set", "db", "0"), 0);
    for (int i = 0; i < 20; i++)
        ids[i] = submit(b, "--limiter", "db", ok);
    expect_state(b, ids[0], "ready"); /* none may while it is 0 */
    assert_string_equal(json_str(status_of(b, ids[0]), "reason"), "LIMITER:db");
    expect_has(proc_expect(coop(b, "limiter", "rm", "db"), COOP_EXIT_CONFLICT)->err, "name limiter db");
    proc_expect(coop(b, "limiter", "set", "db", "2"), 0);
    for (int i = 0; i < 20; i++)
        expect_end(b, ids[i], "ok");
    most = most_at_once(b, ids, 20);
    if (most < 1 || most > 2)
        support_fail("%u jobs had a place of a limiter of 2", most);
    proc_expect(coop(b, "limiter", "rm", "db"), 0);
    expect_has(proc_expect(coop(b, "submit", "--limiter", "db", ok), COOP_EXIT_NOT_FOUND)->err, "there is no limiter db");
}

static void the_nearest_limiter_is_named(void **state)
{
    struct broker *b = *state;

    proc_expect(coop(b, "limiter", "set", "database", "3"), 0);
    expect_has(proc_expect(coop(b, "submit", "--limiter", "databse", ok_script(b)), COOP_EXIT_NOT_FOUND)->err, "the nearest is database");
    expect_has(proc_expect(coop(b, "submit", "--limiter", "database=4", ok_script(b)), COOP_EXIT_QUOTA)->err, "could never run");
}

/* ---- cron ------------------------------------------------------------------------------------------------------------------------------------ */

static const char *entry_field(const struct broker *b, const char *field)
{
    return json_str(json_of(&proc_expect(coop(b, "cron", "ls", "--json"), 0)->out), support_text("crons.0.%s", field));
}

/* So far away that no test meets it by itself. */
#define NEVER_NOW "0 0 29 2 *"

static void an_entry_is_fired_paused_resumed_and_removed(void **state)
{
    struct broker *b = *state;
    const char *entry = submit(b, "--cron", NEVER_NOW, script(b, "tick.lua", "print('tick')")), *job;

    job = heard_line(&proc_expect(coop(b, "cron", "fire", entry), 0)->out);
    expect_end(b, job, "ok");
    expect_text(proc_expect(coop(b, "logs", job), 0)->out, "tick\n");
    assert_string_equal(entry_field(b, "last_job"), job);
    proc_expect(coop(b, "cron", "pause", entry), 0);
    proc_expect(coop(b, "cron", "pause", entry), COOP_EXIT_CONFLICT);
    proc_expect(coop(b, "cron", "resume", entry), 0);
    proc_expect(coop(b, "cron", "rm", entry), 0);
    proc_expect(coop(b, "cron", "fire", entry), COOP_EXIT_NOT_FOUND);
}

/* How many may wait is for those that do: an entry's own quota is max_cron. */
static void an_entry_is_made_whatever_waits(void **state)
{
    struct broker *b = *state;
    const char *tenant = support_text("uid-%u", (unsigned)geteuid()), *ok = ok_script(b), *entry;

    proc_expect(coop(b, "quota", "set", tenant, "max_queued=1"), 0);
    (void)submit(b, "--hold", ok);
    expect_has(proc_expect(coop(b, "submit", ok), COOP_EXIT_QUOTA)->err, "max_queued");
    entry = submit(b, "--cron", NEVER_NOW, ok);
    expect_has(proc_expect(coop(b, "cron", "fire", entry), COOP_EXIT_QUOTA)->err, "max_queued");
    expect_has(proc_expect(coop(b, "submit", "--cron", NEVER_NOW, "--array", "1-2", ok), COOP_EXIT_QUOTA)->err, "max_queued"); /* never */
    proc_expect(coop(b, "quota", "set", tenant, "max_queued=none"), 0);
    expect_end(b, heard_line(&proc_expect(coop(b, "cron", "fire", entry), 0)->out), "ok");
    expect_has(proc_expect(coop(b, "cron", "ls"), 0)->out, "by hand");
}

static void an_entry_does_not_fire_over_the_one_before(void **state)
{
    struct broker *b = *state;
    const char *entry = submit(b, "--cron", NEVER_NOW, script(b, "loop.lua", FOR_EVER)), *job;

    job = heard_line(&proc_expect(coop(b, "cron", "fire", entry), 0)->out);
    expect_has(proc_expect(coop(b, "cron", "fire", entry), COOP_EXIT_CONFLICT)->err, job);
    proc_expect(coop(b, "kill", job), 0);
    proc_expect(coop(b, "wait", job), COOP_EXIT_CANCELLED);
    (void)heard_line(&proc_expect(coop(b, "cron", "fire", entry), 0)->out);
}

static void what_never_fires_is_refused(void **state)
{
    struct broker *b = *state;

    expect_has(proc_expect(coop(b, "submit", "--cron", "0 0 31 2 *", ok_script(b)), COOP_EXIT_USAGE)->err, "never fires");
    expect_has(proc_expect(coop(b, "submit", "--cron", "61 * * * *", ok_script(b)), COOP_EXIT_USAGE)->err, "minute 61");
}

/* ---- the same again -------------------------------------------------------------------------------------------------------------------------- */

/* "In an hour" is another moment each time; that it was said is the same. */
static void a_key_with_a_span_of_time_is_the_same_job_again(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *first = submit(b, "--idem", "k", "--in", "1h", "--deadline", "+2h", ok), *array;
    uint64_t at = (uint64_t)json_num(status_of(b, first), "not_before_us");

    assert_true(at > when_now_us() + 3500000000ull && at < when_now_us() + 3600000000ull);
    assert_string_equal(submit(b, "--idem", "k", "--in", "1h", "--deadline", "+2h", ok), first);
    assert_string_equal(submit(b, "--idem", "k", "--at", "+60m", "--deadline", "+120m", ok), first);
    proc_expect(coop(b, "submit", "--idem", "k", "--in", "61m", "--deadline", "+2h", ok), COOP_EXIT_CONFLICT);
    proc_expect(coop(b, "submit", "--idem", "k", "--in", "1h", "--deadline", "+3h", ok), COOP_EXIT_CONFLICT);
    proc_expect(coop(b, "submit", "--in", "2h", "--deadline", "+1h", ok), COOP_EXIT_USAGE);
    array = submit(b, "--idem", "a", "--array", "1-3", "--in", "1h", ok);
    assert_string_equal(submit(b, "--idem", "a", "--array", "1-3", "--in", "1h", ok), array);
    proc_expect(coop(b, "submit", "--cron", NEVER_NOW, "--in", "1h", ok), COOP_EXIT_USAGE);
}

static void a_dry_run_says_what_it_would_wait_for(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *held = submit(b, "--hold", ok);

    expect_has(proc_expect(coop(b, "submit", "--dry-run", ok), 0)->out, "# it would begin at once");
    expect_has(proc_expect(coop(b, "submit", "--dry-run", "--hold", ok), 0)->out, "# it would wait: HELD_USER");
    expect_has(proc_expect(coop(b, "submit", "--dry-run", "--in", "1h", ok), 0)->out, "# it would wait: NOT_BEFORE");
    expect_has(proc_expect(coop(b, "submit", "--dry-run", "--after", held, ok), 0)->out, support_text("# it would wait: DEP:%s", held));
    proc_expect(coop(b, "limiter", "set", "db", "0"), 0);
    expect_has(proc_expect(coop(b, "submit", "--dry-run", "--limiter", "db", ok), 0)->out, "# it would wait: LIMITER:db");
    assert_string_equal(
        json_str(json_of(&proc_expect(coop(b, "submit", "--dry-run", "--json", "--limiter", "db", ok), 0)->out), "why.reason"),
        "LIMITER:db");
}

static void a_job_file_says_a_span_of_time(void **state)
{
    struct broker *b = *state;
    const char *file = script(b, "job.yaml", "engine: lua\ncode: print(1)\nidem_key: f\nschedule: { not_before_in: 1h }\n"), *first;

    first = heard_line(&proc_expect(coop(b, "submit", "-f", file), 0)->out);
    expect_state(b, first, "scheduled");
    assert_string_equal(heard_line(&proc_expect(coop(b, "submit", "-f", file), 0)->out), first);
    file = script(b, "both.yaml", "engine: lua\ncode: print(1)\nschedule: { not_before_in: 1h, not_before: 2099-01-01 }\n");
    expect_has(proc_expect(coop(b, "submit", "-f", file), COOP_EXIT_USAGE)->err, "one of them will do");
}

/* ---- retention -------------------------------------------------------------------------------------------------------------------------------- */

static void what_is_kept_no_longer_is_gone_and_the_chain_is_whole(void **state)
{
    struct broker *b = *state;
    const char *first = submit(b, ok_script(b)), *gone, *array, *last;

    expect_end(b, first, "ok");
    gone = submit(b, "--keep", "1ms", ok_script(b));
    broker_says(b, "event=kept_no_longer", gone);
    proc_expect(coop(b, "show", gone), COOP_EXIT_NOT_FOUND);
    proc_expect(coop(b, "logs", gone), COOP_EXIT_NOT_FOUND);
    array = submit(b, "--array", "1-3", "--keep", "1ms", ok_script(b));
    broker_says_times(b, "event=kept_no_longer", "what=all", 4); /* tasks go together */
    proc_expect(coop(b, "show", array), COOP_EXIT_NOT_FOUND);
    last = submit(b, ok_script(b));
    expect_end(b, last, "ok");
    proc_expect(coop(b, "audit", "verify"), 0);
    (void)receipt_of(b, first);
}

/* On a slow machine it is due before the broker is killed, which has removed it then: another one's turn. */
static void what_is_due_while_no_broker_runs_goes_with_the_next_one(void **state)
{
    struct broker *b = *state;
    unsigned tries = 0;
    const char *id;

    do {
        assert_true(++tries < 20);
        id = submit(b, "--keep", "1s", ok_script(b));
        broker_says(b, "to=succeeded", id);
        broker_kill(b);
        broker_up(b);
    } while (coop(b, "show", id)->code == COOP_EXIT_NOT_FOUND && broker_said(b, "event=kept_no_longer", id) == 0);
    broker_says(b, "event=kept_no_longer", id);
    proc_expect(coop(b, "audit", "verify"), 0);
}

/* ---- the broker dies -------------------------------------------------------------------------------------------------------------------------- */

static void killed_broker(struct broker *b)
{
    broker_kill(b);
    broker_up(b);
}

static void an_array_survives_the_brokers_death_at_any_point(void **state)
{
    struct broker *b = up_with_workers(state, "8");
    const char *array = submit(b, "--array", "1-300%4", ok_script(b)), *ids[IDS];
    size_t n;

    for (int i = 0; i < 3; i++)
        killed_broker(b);
    proc_expect(coop(b, "wait", array), 0);
    expect_counts(b, array, 300, 0, 0);
    n = tasks_of(b, array, ids);
    assert_int_equal(n, 300);
    assert_true(most_at_once(b, ids, n) <= 4);
    expect_receipts(b, 300);
    killed_broker(b);
    expect_state(b, array, "succeeded"); /* the note of its end, or the count of its tasks */
}

static void a_hold_and_a_cancel_of_an_array_go_on_after_the_brokers_death(void **state)
{
    struct broker *b = up_with_workers(state, "4");
    const char *array = submit(b, "--array", "1-400", "--hold", ok_script(b)), *ids[IDS];

    killed_broker(b);
    (void)tasks_of(b, array, ids);
    expect_state(b, ids[399], "held");
    proc_expect(coop(b, "release", array), 0);
    killed_broker(b);
    proc_expect(coop(b, "wait", array), 0);
    expect_counts(b, array, 400, 0, 0);

    array = submit(b, "--array", "1-400", "--hold", ok_script(b));
    proc_expect(coop(b, "cancel", array), 0);
    killed_broker(b);
    proc_expect(coop(b, "wait", array), COOP_EXIT_CANCELLED);
    expect_counts(b, array, 0, 0, 400);
}

static void dependencies_are_settled_by_the_next_broker(void **state)
{
    struct broker *b = *state;
    const char *ok = ok_script(b), *loop = submit(b, script(b, "loop.lua", FOR_EVER)), *top = submit(b, ok), *foot, *never;

    broker_says(b, "to=running", loop);
    expect_end(b, top, "ok");
    foot = submit(b, "--after", top, "--after", support_text("%s:fail", loop), ok);
    never = submit(b, "--array", "1-3", "--after", loop, ok);
    killed_broker(b);
    expect_state(b, foot, "blocked");
    broker_says(b, "to=running", loop);
    proc_expect(coop(b, "kill", loop), 0);
    broker_says(b, "from=finishing to=cancelled", loop); /* else it would run again, as whatever runs when a broker dies */
    killed_broker(b);                                    /* between its end and what follows from it, or not: the same comes of it */
    expect_end(b, foot, "ok");
    proc_expect(coop(b, "wait", never), 1);
    expect_counts(b, never, 0, 3, 0);
}

static void entries_and_limiters_are_there_after_the_brokers_death(void **state)
{
    struct broker *b = *state;
    const char *entry = submit(b, "--cron", NEVER_NOW, ok_script(b)), *job, *limited;

    proc_expect(coop(b, "limiter", "set", "db", "0"), 0);
    limited = submit(b, "--limiter", "db", ok_script(b));
    job = heard_line(&proc_expect(coop(b, "cron", "fire", entry), 0)->out);
    proc_expect(coop(b, "cron", "pause", entry), 0);
    killed_broker(b);
    assert_string_equal(entry_field(b, "id"), entry);
    assert_string_equal(entry_field(b, "last_job"), job);
    expect_end(b, job, "ok");
    assert_string_equal(json_str(status_of(b, limited), "reason"), "LIMITER:db");
    proc_expect(coop(b, "limiter", "set", "db", "1"), 0);
    expect_end(b, limited, "ok");
}

int main(void)
{
#define T(name)   cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define OWN(name) cmocka_unit_test_teardown(name, broker_teardown)
    const struct CMUnitTest tests[] = {
        OWN(an_array_of_1000_never_runs_more_than_20_at_once),
        T(each_task_knows_which_it_is),
        T(what_is_each_tasks_own_is_refused_of_an_array_by_name),
        T(an_array_that_is_too_long_is_refused_by_its_length),
        T(the_failed_tasks_of_an_array_are_tried_again_as_an_array),
        T(an_array_is_listed_as_one_line),
        T(a_list_of_the_rare_comes_in_pages),
        T(a_tenant_is_enough_to_choose_by),
        T(an_edit_of_an_array_is_checked_as_a_jobs_is),
        T(an_array_is_cancelled_whole),
        T(a_diamond_runs_from_its_top_to_its_foot),
        T(a_wrong_end_skips_down_the_chain_and_names_whom),
        T(what_cannot_be_waited_for_is_not_found),
        T(a_task_is_waited_for_by_its_place_in_the_array),
        T(a_circle_is_refused_with_its_members),
        T(a_circle_through_an_array_and_its_tasks_is_refused_too),
        OWN(a_limiter_of_2_never_lets_3_of_20_run),
        T(the_nearest_limiter_is_named),
        T(an_entry_is_fired_paused_resumed_and_removed),
        T(an_entry_is_made_whatever_waits),
        T(an_entry_does_not_fire_over_the_one_before),
        T(what_never_fires_is_refused),
        T(a_key_with_a_span_of_time_is_the_same_job_again),
        T(a_dry_run_says_what_it_would_wait_for),
        T(a_job_file_says_a_span_of_time),
        T(what_is_kept_no_longer_is_gone_and_the_chain_is_whole),
        T(what_is_due_while_no_broker_runs_goes_with_the_next_one),
        OWN(an_array_survives_the_brokers_death_at_any_point),
        OWN(a_hold_and_a_cancel_of_an_array_go_on_after_the_brokers_death),
        T(dependencies_are_settled_by_the_next_broker),
        T(entries_and_limiters_are_there_after_the_brokers_death),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
