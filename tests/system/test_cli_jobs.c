/*
 * test_cli_jobs.c - the command's side of verbs that are about several jobs, or about what happens: against a broker of which the test
 * decides what it has, and when something happens to it.
 */
#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/json_read.h"
#include "tests/support/run.h"
#include "tests/unit/host_broker.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- the broker: jobs 0 to 9, a page of three, and events as they are made ----------------------------------------------------------- */

enum { JOBS = 10, PAGE = 3, EVENTS = 100, PARKED = 16, ARRAY = 9 };
#define ID "01J9ZQ6W3V8XK2T5M7N4P0RBC"

static struct {
    char ids[JOBS][27];
    Pb__State state[JOBS];
    Pb__Event events[EVENTS];
    unsigned n_events, forgotten; /* events before this one are kept no more */
    struct {
        int peer;
        uint32_t id;
        uint64_t seq;
        int job; /* of a Wait; -1: GetEvents */
    } parked[PARKED];
    unsigned n_parked, tops;
} model;

static bool has_ended(Pb__State s)
{
    return s == PB__STATE__STATE_SUCCEEDED || s == PB__STATE__STATE_FAILED || s == PB__STATE__STATE_CANCELLED;
}

static void model_status(int job, Pb__JobStatus *s, Pb__ArrayCounts *t)
{
    pb__job_status__init(s);
    pb__array_counts__init(t);
    s->id = model.ids[job];
    s->name = "job";
    s->engine = "lua";
    s->state = model.state[job];
    s->elapsed_us = 1;
    s->cause = s->state == PB__STATE__STATE_SUCCEEDED   ? PB__CAUSE__CAUSE_OK
               : s->state == PB__STATE__STATE_FAILED    ? PB__CAUSE__CAUSE_EXIT
               : s->state == PB__STATE__STATE_CANCELLED ? PB__CAUSE__CAUSE_CANCELLED
                                                        : PB__CAUSE__CAUSE_NONE;
    t->tasks = 40;
    t->succeeded = 9;
    t->failed = 1;
    t->running = 5;
    if (job == ARRAY) {
        s->is_array = true;
        s->tasks = t;
    }
}

static int model_find(const char *id)
{
    for (int i = 0; i < JOBS; i++)
        if (strncmp(model.ids[i], id, strlen(id)) == 0)
            return i;
    return -1;
}

static void model_refuse(struct host_broker *b, int peer, uint32_t id, Pb__ErrorCode code, const char *message)
{
    Pb__Error e = PB__ERROR__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    e.code = code;
    e.message = (char *)message;
    r.body_case = PB__REPLY__BODY_ERROR;
    r.error = &e;
    host_say(b, peer, id, &r.base, -1);
}

static void model_wait(struct host_broker *b, int peer, uint32_t id, int job)
{
    Pb__WaitReply w = PB__WAIT_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__ArrayCounts t;
    Pb__JobStatus s;

    model_status(job, &s, &t);
    w.status = &s;
    w.ended = has_ended(s.state);
    r.body_case = PB__REPLY__BODY_WAIT;
    r.wait = &w;
    host_say(b, peer, id, &r.base, -1);
}

static void model_events(struct host_broker *b, int peer, uint32_t id, uint64_t seq)
{
    Pb__EventsReply e = PB__EVENTS_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__Event *list[EVENTS];

    e.events = list;
    if (seq != 0 && seq <= model.forgotten) {
        e.missed = model.forgotten - seq + 1;
        seq = model.forgotten + 1;
    }
    for (unsigned i = seq != 0 ? (unsigned)seq - 1 : EVENTS; i < model.n_events; i++)
        list[e.n_events++] = &model.events[i];
    e.seq = model.n_events + 1;
    r.body_case = PB__REPLY__BODY_EVENTS;
    r.events = &e;
    host_say(b, peer, id, &r.base, -1);
}

static void model_park(int peer, uint32_t id, uint64_t seq, int job)
{
    if (model.n_parked == PARKED)
        abort();
    model.parked[model.n_parked].peer = peer;
    model.parked[model.n_parked].id = id;
    model.parked[model.n_parked].seq = seq;
    model.parked[model.n_parked++].job = job;
}

/* Whoever waits for it is told. */
static void model_step(struct host_broker *b, int job, Pb__State to)
{
    Pb__Event *e = &model.events[model.n_events++];
    unsigned n = model.n_parked;

    pb__event__init(e);
    e->seq = model.n_events;
    e->kind = "state";
    e->job = model.ids[job];
    e->from = model.state[job];
    e->to = model.state[job] = to;
    model.n_parked = 0;
    for (unsigned i = 0; i < n; i++)
        if (model.parked[i].job < 0)
            model_events(b, model.parked[i].peer, model.parked[i].id, model.parked[i].seq);
        else if (has_ended(model.state[model.parked[i].job]))
            model_wait(b, model.parked[i].peer, model.parked[i].id, model.parked[i].job);
        else
            model.parked[model.n_parked++] = model.parked[i];
}

static void model_change(struct host_broker *b, int peer, uint32_t id, const char *name, Pb__State to, bool ended)
{
    Pb__SignalReply g = PB__SIGNAL_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    int job = model_find(name);
    Pb__ArrayCounts t;
    Pb__JobStatus s;

    if (job < 0 || has_ended(model.state[job]) != ended) {
        model_refuse(b, peer, id, job < 0 ? PB__ERROR_CODE__ERROR_CODE_NOT_FOUND : PB__ERROR_CODE__ERROR_CODE_CONFLICT, "not so");
        return;
    }
    model_step(b, job, to);
    model_status(job, &s, &t);
    g.status = &s;
    r.body_case = PB__REPLY__BODY_SIGNAL;
    r.signal = &g;
    host_say(b, peer, id, &r.base, -1);
}

/* Newest, the last, first. */
static void model_ls(struct host_broker *b, int peer, uint32_t id, const Pb__Ls *q)
{
    Pb__LsReply l = PB__LS_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__JobStatus status[JOBS], *list[JOBS];
    Pb__ArrayCounts t[JOBS];

    l.jobs = list;
    for (int i = JOBS - 1; i >= 0; i--) {
        bool wanted = q->n_states == 0;

        for (size_t k = 0; k < q->n_states; k++)
            wanted |= q->states[k] == model.state[i];
        if (!wanted || i == ARRAY || (q->before[0] != '\0' && strcmp(model.ids[i], q->before) >= 0))
            continue;
        if (l.n_jobs == PAGE) {
            l.more = true;
            l.next = list[l.n_jobs - 1]->id;
            break;
        }
        model_status(i, &status[l.n_jobs], &t[l.n_jobs]);
        list[l.n_jobs] = &status[l.n_jobs];
        l.n_jobs++;
    }
    r.body_case = PB__REPLY__BODY_LS;
    r.ls = &l;
    host_say(b, peer, id, &r.base, -1);
}

static void model_top(struct host_broker *b, int peer, uint32_t id)
{
    Pb__TopReply p = PB__TOP_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__Tenant t = PB__TENANT__INIT, *tenants[] = { &t };

    t.name = "blue\x1b[2J";
    t.weight = 2;
    p.at_us = 100000000 + 1000000 * model.tops;
    p.uptime_us = 50000000;
    p.submitted = 100 + 7 * model.tops++;
    p.version = "1.2";
    p.tenants = tenants;
    p.n_tenants = 1;
    r.body_case = PB__REPLY__BODY_TOP;
    r.top = &p;
    host_say(b, peer, id, &r.base, -1);
}

/* Cancel and kill end a job; hold and pause put it into that state; remove takes back what is kept of events. */
static bool answer(struct host_broker *b, int peer, uint32_t id, const Pb__Request *q)
{
    switch (q->body_case) {
    case PB__REQUEST__BODY_LS: model_ls(b, peer, id, q->ls); return true;
    case PB__REQUEST__BODY_TOP: model_top(b, peer, id); return true;
    case PB__REQUEST__BODY_CANCEL: model_change(b, peer, id, q->cancel->id, PB__STATE__STATE_CANCELLED, false); return true;
    case PB__REQUEST__BODY_KILL: model_change(b, peer, id, q->kill->id, PB__STATE__STATE_FAILED, false); return true;
    case PB__REQUEST__BODY_RELEASE: model_change(b, peer, id, q->release->id, PB__STATE__STATE_SUCCEEDED, false); return true;
    case PB__REQUEST__BODY_HOLD: model_change(b, peer, id, q->hold->id, PB__STATE__STATE_HELD, false); return true;
    case PB__REQUEST__BODY_RESUME: model_change(b, peer, id, q->resume->id, PB__STATE__STATE_RUNNING, false); return true;
    case PB__REQUEST__BODY_REMOVE:
        model.forgotten = model.n_events;
        model_refuse(b, peer, id, PB__ERROR_CODE__ERROR_CODE_CONFLICT, "forgotten");
        return true;
    case PB__REQUEST__BODY_EVENTS:
        if (q->events->timeout_ms == 0 || q->events->seq <= model.n_events)
            model_events(b, peer, id, q->events->seq);
        else
            model_park(peer, id, q->events->seq, -1);
        return true;
    case PB__REQUEST__BODY_WAIT:
        if (model_find(q->wait->id) < 0)
            model_refuse(b, peer, id, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, "there is no such job");
        else if (q->wait->timeout_ms < 5000 || has_ended(model.state[model_find(q->wait->id)]))
            model_wait(b, peer, id, model_find(q->wait->id));
        else
            model_park(peer, id, 0, model_find(q->wait->id));
        return true;
    default: return false;
    }
}

/* ---- the command --------------------------------------------------------------------------------------------------------------------- */

struct test {
    char *path;
    pid_t broker;
    const char *env[2];
};

static int setup(void **state)
{
    static struct test t;
    char *dir = support_dir();

    memset(&model, 0, sizeof(model));
    for (int i = 0; i < JOBS; i++) {
        snprintf(model.ids[i], sizeof(model.ids[i]), ID "%d", i);
        model.state[i] = PB__STATE__STATE_RUNNING;
    }
    host_model = answer;
    t.path = support_text("%s/control.sock", dir);
    t.broker = host_start(t.path);
    t.env[0] = support_text("COOP_ENDPOINT=ipc://%s", t.path);
    t.env[1] = NULL;
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct test *t = *state;

    kill(t->broker, SIGKILL);
    (void)waitpid(t->broker, NULL, 0);
    support_release();
    return 0;
}

#define start(t, ...)      start_((t), false, (const char *const[]){ support_program("coop"), __VA_ARGS__, NULL })
#define run(t, ...)        start_((t), false, (const char *const[]){ support_program("coop"), __VA_ARGS__, NULL })
#define start_seen(t, ...) start_((t), true, (const char *const[]){ support_program("coop"), __VA_ARGS__, NULL })

static struct proc *start_(const struct test *t, bool seen, const char *const *argv)
{
    return proc_start(&(struct proc_how){ .in = PROC_IN_NULL, .env = t->env, .err_is_terminal = seen }, argv);
}

/* ---- which jobs ---------------------------------------------------------------------------------------------------------------------- */

static void a_selector_reaches_every_page_and_the_oldest_first(void **state)
{
    struct test *t = *state;
    struct proc *p = proc_expect(run(t, "cancel", "-l", "x"), 0);
    const char *expected = "";

    for (int i = 0; i < JOBS - 1; i++)
        expected = support_text("%s" ID "%d cancelled\n", expected, i);
    expect_text(p->out, expected);
    p = proc_expect(run(t, "cancel", "-l", "x"), 0); /* the second time there is none left to do it to */
    expect_text(p->out, "");
    expect_has(p->err, "no such job");
}

static void nothing_to_choose_by_is_never_everything(void **state)
{
    static const char *const verbs[] = { "cancel", "kill", "hold", "release", "pause", "resume", "retry", "rm", "wait" };
    struct test *t = *state;

    for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
        expect_has(proc_expect(run(t, verbs[i]), COOP_EXIT_USAGE)->err, "wants ids, or something to choose jobs by");
        expect_has(proc_expect(run(t, verbs[i], "--tenant", "*"), COOP_EXIT_USAGE)->err, "wants ids");
        expect_has(proc_expect(run(t, verbs[i], "-l", ""), COOP_EXIT_USAGE)->err, "has no key");
        expect_has(proc_expect(run(t, verbs[i], "-l", "a\033=b"), COOP_EXIT_USAGE)->err, "printable");
        expect_has(proc_expect(run(t, verbs[i], ID "1", "-l", "x"), COOP_EXIT_USAGE)->err, "not both");
        expect_has(proc_expect(run(t, verbs[i], "nonsense"), COOP_EXIT_USAGE)->err, "not a job id");
        expect_has(proc_expect(run(t, verbs[i], ID "1.07"), COOP_EXIT_USAGE)->err, "not a job id");
    }
}

static void one_that_fails_does_not_keep_the_others_from_it(void **state)
{
    struct test *t = *state;
    struct proc *p;

    (void)proc_expect(run(t, "kill", ID "2"), 0);
    p = proc_expect(run(t, "cancel", ID "1", ID "2", "01J00000", ID "3"), COOP_EXIT_CONFLICT);
    expect_text(p->out, ID "1 cancelled\n" ID "3 cancelled\n");
    p = proc_expect(run(t, "cancel", "01J00000", ID "3"), COOP_EXIT_NOT_FOUND);
    p = proc_expect(run(t, "cancel", "--json", ID "4", "01J00000"), COOP_EXIT_NOT_FOUND);
    assert_string_equal(json_str(json_line(&p->out, 0), "schema"), "coop.JobStatus/1");
    assert_string_equal(json_str(json_line(&p->out, 1), "schema"), "coop.Error/1");
}

/* ---- a terminal for standard input and output ---------------------------------------------------------------------------------------- */

struct seen {
    int fd;
    pid_t pid;
    struct termios before;
    char text[1 << 16];
    size_t len;
};

static void seen_start(struct seen *s, const struct test *t, const char *const *argv)
{
    struct winsize w = { 20, 60, 0, 0 };
    int slave;

    memset(s, 0, sizeof(*s));
    assert_int_equal(openpty(&s->fd, &slave, NULL, NULL, &w), 0);
    assert_int_equal(tcgetattr(slave, &s->before), 0);
    s->pid = fork();
    if (s->pid == 0) {
        close(s->fd);
        (void)login_tty(slave);
        (void)putenv((char *)t->env[0]);
        execv(argv[0], (char *const *)argv);
        _exit(121);
    }
    close(slave);
}

/* Until it has shown this. */
static void seen_until(struct seen *s, const char *text)
{
    while (strstr(s->text, text) == NULL) {
        ssize_t n = read(s->fd, s->text + s->len, sizeof(s->text) - 1 - s->len);

        if (n <= 0)
            fail_msg("the terminal never showed '%s', but:\n%s", text, s->text);
        s->len += (size_t)n;
        s->text[s->len] = '\0';
    }
}

static void seen_forget(struct seen *s)
{
    s->len = 0;
    s->text[0] = '\0';
}

static int seen_end(struct seen *s)
{
    struct termios after;
    int status, code;

    while (true) { /* what it still shows must have room */
        ssize_t n = read(s->fd, s->text + s->len, sizeof(s->text) - 1 - s->len);

        if (n <= 0)
            break;
        s->len += (size_t)n;
        s->text[s->len] = '\0';
    }
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    assert_int_equal(tcgetattr(s->fd, &after), 0);
    assert_int_equal(after.c_lflag, s->before.c_lflag);
    assert_int_equal(after.c_iflag, s->before.c_iflag);
    close(s->fd);
    return code;
}

static void a_terminal_is_asked_before_a_selector_does_anything(void **state)
{
    struct test *t = *state;
    const char *argv[] = { support_program("coop"), "kill", "-l", "x", NULL };
    const char *argv_yes[] = { support_program("coop"), "kill", "-y", "-l", "x", NULL };
    struct seen s;

    seen_start(&s, t, argv);
    seen_until(&s, "kill 9 jobs: go on? [y/N] ");
    assert_int_equal(write(s.fd, "\n", 1), 1);
    assert_int_equal(seen_end(&s), COOP_EXIT_CANCELLED);
    assert_null(strstr(s.text, "failed"));
    seen_start(&s, t, argv);
    seen_until(&s, "[y/N] ");
    assert_int_equal(write(s.fd, "y\n", 2), 2);
    seen_until(&s, ID "8 failed");
    assert_int_equal(seen_end(&s), 0);
    seen_start(&s, t, argv_yes);
    seen_until(&s, "no such job");
    assert_int_equal(seen_end(&s), 0);
}

static void top_is_a_picture_that_leaves_the_terminal_as_it_was(void **state)
{
    static const struct {
        const char *keys;
        int signal;
    } ends[] = {
        {"q",     0      },
        { "\x03", 0      },
        { NULL,   SIGTERM},
        { NULL,   SIGHUP }
    };
    struct test *t = *state;
    const char *argv[] = { support_program("coop"), "top", NULL };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        struct winsize wide = { 20, 50, 0, 0 };
        struct seen s;

        seen_start(&s, t, argv);
        seen_until(&s, "\033[?1049h");
        seen_until(&s, "blue\\x1b[2J");
        seen_until(&s, "7.0/s handed in"); /* the second picture, and what was new in it */
        seen_forget(&s);
        assert_int_equal(ioctl(s.fd, TIOCSWINSZ, &wide), 0);
        seen_until(&s, "blue\\x1b[2J");
        if (ends[i].keys != NULL)
            assert_int_equal(write(s.fd, ends[i].keys, 1), 1);
        else
            kill(s.pid, ends[i].signal);
        seen_until(&s, "\033[?1049l");
        assert_int_equal(seen_end(&s), 0);
    }
}

static void top_stops_and_goes_on_as_a_shell_expects(void **state)
{
    struct test *t = *state;
    const char *argv[] = { support_program("coop"), "top", NULL };
    struct seen s;
    int status;

    seen_start(&s, t, argv);
    seen_until(&s, "blue");
    assert_int_equal(write(s.fd, "\x1a", 1), 1);
    seen_until(&s, "\033[?1049l");
    assert_int_equal(waitpid(s.pid, &status, WUNTRACED), s.pid);
    assert_true(WIFSTOPPED(status));
    seen_forget(&s);
    kill(s.pid, SIGCONT);
    seen_until(&s, "\033[?1049h");
    seen_until(&s, "blue");
    assert_int_equal(write(s.fd, "q", 1), 1);
    assert_int_equal(seen_end(&s), 0);
}

static void top_is_printed_once_where_nobody_watches(void **state)
{
    struct test *t = *state;
    struct proc *p = proc_expect(run(t, "top"), 0);

    expect_has(p->out, "2.0/s handed in"); /* since the broker began */
    expect_has(p->out, "blue\\x1b[2J");
    expect_lacks(p->out, "\033");
    assert_string_equal(json_str(json_of(&proc_expect(run(t, "top", "--json"), 0)->out), "schema"), "coop.TopReply/1");
    expect_has(proc_expect(run(t, "ls", "--watch"), COOP_EXIT_USAGE)->err, "terminal");
}

/* ---- wait ---------------------------------------------------------------------------------------------------------------------------- */

static void any_is_the_first_that_ends_and_its_code(void **state)
{
    struct test *t = *state;
    struct proc *p = start_seen(t, "wait", "--any", ID "1", ID "2", ID "3"), *trigger;

    (void)proc_expect(start(t, "hold", ID "3"), 0);
    trigger = proc_expect(start(t, "kill", ID "2"), 0);
    expect_text(trigger->out, ID "2 failed (exit)\n");
    (void)proc_expect(p, COOP_EXIT_JOB_FAILED);
    expect_text(p->out, ID "2 failed (exit)\n");
}

static void a_bar_counts_and_the_lines_come_in_the_order_given(void **state)
{
    struct test *t = *state;
    struct proc *p = start_seen(t, "wait", ID "1", ID "2", ID "3");

    proc_until(p, &p->err, "0 of 3 ended");
    (void)proc_expect(start(t, "release", ID "3"), 0);
    proc_until(p, &p->err, "[##########....................] 1 of 3 ended");
    expect_text(p->out, "");
    (void)proc_expect(start(t, "kill", ID "1"), 0);
    proc_until(p, &p->err, "2 of 3 ended, 1 badly");
    (void)proc_expect(start(t, "release", ID "2"), 0);
    (void)proc_expect(p, COOP_EXIT_JOB_FAILED);
    expect_text(p->out, ID "1 failed (exit)\n" ID "2 succeeded (ok)\n" ID "3 succeeded (ok)\n");
}

static void an_array_has_a_bar_of_its_tasks(void **state)
{
    struct test *t = *state;
    struct proc *p = start_seen(t, "wait", ID "9");

    proc_until(p, &p->err, "10 of 40 ended, 1 badly, 5 run");
    (void)proc_expect(start(t, "release", ID "9"), 0);
    (void)proc_expect(p, 0);
    p = start_seen(t, "wait", "--no-progress", "--timeout", "1s", ID "8", ID "7");
    (void)proc_expect(p, COOP_EXIT_TIME_LIMIT);
    expect_lacks(p->err, "of 2 ended");
}

static void events_that_were_missed_are_made_up_for_by_looking(void **state)
{
    struct test *t = *state;
    struct proc *p;

    (void)proc_expect(start(t, "hold", ID "5"), 0);
    p = start(t, "events", "-f", "--since-start");
    proc_until(p, &p->out, ID "5");
    (void)proc_expect(start(t, "rm", ID "5"), COOP_EXIT_CONFLICT);
    proc_kill(p, SIGINT);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    p = proc_expect(run(t, "events"), 0);
    expect_text(p->out, "");
    expect_has(p->err, "1 older events are not kept");
}

static void a_state_that_was_only_passed_through_counts(void **state)
{
    struct test *t = *state;
    struct proc *p = start_seen(t, "wait", "--state", "held", ID "1", ID "3"), *q = start(t, "wait", "--state", "held", ID "2");

    proc_until(p, &p->err, "0 of 2 ended");                                       /* from here on it sees what happens */
    (void)proc_expect(start(t, "wait", "--state", "running", ID "1", ID "2"), 0); /* as they are now */
    (void)proc_expect(start(t, "hold", ID "1"), 0);
    (void)proc_expect(start(t, "release", ID "1"), 0);
    (void)proc_expect(start(t, "hold", ID "3"), 0);
    (void)proc_expect(p, 0);
    (void)proc_expect(start(t, "release", ID "2"), 0);
    (void)proc_expect(q, COOP_EXIT_CONFLICT);
    expect_has(q->err, "has ended otherwise");
    expect_has(proc_expect(run(t, "wait", "--state", "hled", ID "1"), COOP_EXIT_USAGE)->err, "did you mean 'held'");
    expect_has(proc_expect(run(t, "wait", "--any", "--all", ID "1"), COOP_EXIT_USAGE)->err, "opposite");
}

static void ctrl_c_ends_the_waiting_and_not_the_job(void **state)
{
    struct test *t = *state;
    struct proc *one = start_seen(t, "wait", ID "1"), *many = start_seen(t, "wait", ID "1", ID "2");

    proc_until(one, &one->err, "running");
    proc_kill(one, SIGINT);
    (void)proc_expect(one, COOP_EXIT_CANCELLED);
    proc_until(many, &many->err, "0 of 2 ended");
    proc_kill(many, SIGINT);
    (void)proc_expect(many, COOP_EXIT_CANCELLED);
    expect_has(proc_expect(run(t, "ls", "--state", "running", "--quiet"), 0)->out, ID "8");
}

static void events_are_lines_or_documents_until_the_job_has_ended(void **state)
{
    struct test *t = *state;
    struct proc *p = start(t, "events", "-f", "--json", "--since-start");

    (void)proc_expect(start(t, "hold", ID "1"), 0);
    proc_until(p, &p->out, "held");
    (void)proc_expect(start(t, "cancel", ID "1"), 0);
    proc_until(p, &p->out, "cancelled");
    proc_kill(p, SIGTERM);
    (void)proc_expect(p, COOP_EXIT_CANCELLED);
    assert_int_equal(json_lines(&p->out), 2);
    json_expect_shape(json_line(&p->out, 0), "coop.Event/1", "seq at_us kind job tenant from to reason cause attempt name array_id");
    assert_string_equal(json_str(json_line(&p->out, 1), "from"), "held");
    p = proc_expect(run(t, "events", ID "1"), 0);
    expect_has(p->out, ID "1  running -> held\n");
    expect_has(p->out, ID "1  held -> cancelled\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_selector_reaches_every_page_and_the_oldest_first),
        TEST(nothing_to_choose_by_is_never_everything),
        TEST(one_that_fails_does_not_keep_the_others_from_it),
        TEST(a_terminal_is_asked_before_a_selector_does_anything),
        TEST(top_is_a_picture_that_leaves_the_terminal_as_it_was),
        TEST(top_stops_and_goes_on_as_a_shell_expects),
        TEST(top_is_printed_once_where_nobody_watches),
        TEST(any_is_the_first_that_ends_and_its_code),
        TEST(a_bar_counts_and_the_lines_come_in_the_order_given),
        TEST(an_array_has_a_bar_of_its_tasks),
        TEST(events_that_were_missed_are_made_up_for_by_looking),
        TEST(a_state_that_was_only_passed_through_counts),
        TEST(ctrl_c_ends_the_waiting_and_not_the_job),
        TEST(events_are_lines_or_documents_until_the_job_has_ended),
    };

    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("cli_jobs", tests, NULL, NULL);
}
