/* test_kill.c - broker, zygote and worker killed in every phase of a job: what was acknowledged is kept, and ends once. */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define FOR_EVER "while true do end\n"

/* ---- one job held in one phase -------------------------------------------------------------------------------------------------- */

enum phase { WAITING, STARTING, RUNNING, PRINTING, READING, FINISHING, PHASES };

struct scene {
    struct broker *b;
    const char *id;
    const char *blocker;     /* WAITING: the job that has the only place */
    struct proc *client;     /* READING: the coop run that feeds it */
    pid_t stopped[TREE_MAX]; /* STARTING: the workers that cannot say they started */
    unsigned n_stopped;
    size_t jobs;
};

static void hold_waiting(struct scene *s)
{
    s->blocker = submit(s->b, ENDLESS, script(s->b, "blocker.lua", FOR_EVER));
    broker_says(s->b, "to=running", s->blocker);
    s->id = submit(s->b, script(s->b, "ok.lua", "print('ok')"));
    assert_string_equal(json_str(status_of(s->b, s->id), "state"), "ready");
    s->jobs = 2;
}

static void hold_starting(struct scene *s)
{
    broker_expect_idle(s->b, 1);
    s->n_stopped = broker_workers(s->b, s->stopped);
    for (unsigned i = 0; i < s->n_stopped; i++)
        (void)kill(s->stopped[i], SIGSTOP);
    s->id = submit(s->b, script(s->b, "ok.lua", "print('ok')"));
    broker_says(s->b, "to=starting", s->id);
    assert_string_equal(json_str(status_of(s->b, s->id), "state"), "starting");
    s->jobs = 1;
}

static void hold_running(struct scene *s)
{
    s->id = submit(s->b, ENDLESS, script(s->b, "loop.lua", FOR_EVER));
    broker_says(s->b, "to=running", s->id);
    s->jobs = 1;
}

static void hold_printing(struct scene *s)
{
    struct proc *follow;

    s->id = submit(s->b, "--on-output-limit", "truncate", "--limit", "stdout=64M",
                   script(s->b, "print.lua", "while true do print(('x'):rep(2000)) end"));
    follow = coop_start(s->b, "logs", "-f", s->id);
    proc_until(follow, &follow->out, "xxx");
    proc_kill(follow, SIGKILL);
    s->jobs = 1;
}

static void hold_reading(struct scene *s)
{
    s->client = coop_start(s->b, "run", script(s->b, "read.lua", BURN "print('got ' .. io.read())\nio.read()"));
    proc_write(s->client, "one\n", 4);
    proc_until(s->client, &s->client->out, "got one\n");
    s->id = json_str(json_of(&coop(s->b, "ls", "--json")->out), "jobs.0.id");
    s->jobs = 1;
}

/* Its end is known and is being written: the victim is killed at some point of that. */
static void hold_finishing(struct scene *s)
{
    s->id = submit(s->b, script(s->b, "ok.lua", "print('ok')"));
    broker_says(s->b, "to=finishing", s->id);
    s->jobs = 1;
}

static void (*const hold[PHASES])(struct scene *s) = { hold_waiting,  hold_starting, hold_running,
                                                       hold_printing, hold_reading,  hold_finishing };

/* ---- who is killed --------------------------------------------------------------------------------------------------------------- */

enum victim { BROKER, ZYGOTE, WORKER };

static void kill_broker(struct scene *s)
{
    struct tree *old = tree_of(s->b->proc->pid);

    assert_true(old->n >= 2); /* the zygote at least */
    broker_kill(s->b);
    for (unsigned i = 0; i < old->n; i++)
        proc_wait_gone(old->pidfds[i]);
    broker_up(s->b);
}

static void kill_zygote(struct scene *s)
{
    pid_t zygote = broker_zygote(s->b);
    struct tree *old = tree_of(zygote);
    unsigned ready = broker_said(s->b, "event=zygote_ready", NULL);

    support_kill(zygote, SIGKILL);
    for (unsigned i = 0; i < old->n; i++)
        proc_wait_gone(old->pidfds[i]);
    broker_says_times(s->b, "event=zygote_ready", NULL, ready + 1);
    assert_int_not_equal(broker_zygote(s->b), zygote);
}

static void kill_worker(struct scene *s, enum phase phase)
{
    pid_t all[TREE_MAX];
    unsigned n;

    if (phase == STARTING) {
        for (unsigned i = 0; i < s->n_stopped; i++)
            (void)kill(s->stopped[i], SIGKILL);
    } else if (phase == FINISHING) { /* its own has most likely been ended by the broker */
        n = broker_workers(s->b, all);
        for (unsigned i = 0; i < n; i++)
            (void)kill(all[i], SIGKILL);
    } else {
        (void)kill(broker_worker_with_job(s->b), SIGKILL);
    }
}

/* ---- what becomes of the job ------------------------------------------------------------------------------------------------------ */

/* Runs once more, and for ever: ended by request, so that there is an end to look at. */
static void expect_second_run(const struct scene *s, enum victim victim)
{
    json_t *r;

    broker_says_times(s->b, "to=running", s->id, victim == BROKER ? 1 : 2); /* a new broker has a new log */
    (void)proc_expect(coop(s->b, "kill", s->id), 0);
    r = expect_end(s->b, s->id, "cancelled");
    if (victim != BROKER) /* whose count of attempts may be one commit behind */
        assert_int_equal(json_num(r, "attempt"), 2);
}

static void expect_fate(const struct scene *s, enum phase phase, enum victim victim)
{
    switch (phase) {
    case WAITING:
        (void)proc_expect(coop(s->b, "kill", s->blocker), 0);
        (void)expect_end(s->b, s->blocker, "cancelled");
        assert_int_equal(json_num(expect_end(s->b, s->id, "ok"), "attempt"), 1);
        break;
    case RUNNING:
    case PRINTING: expect_second_run(s, victim); break;
    case READING:
        (void)proc_expect(s->client, COOP_EXIT_PLATFORM);
        (void)expect_end(s->b, s->id, victim == BROKER ? "broker_lost" : "worker_lost");
        expect_text(s->client->out, "got one\n");
        break;
    default: (void)expect_end(s->b, s->id, "ok"); expect_text(proc_expect(coop(s->b, "logs", s->id), 0)->out, "ok\n");
    }
    expect_receipts(s->b, s->jobs);
}

static void play(struct broker *b, enum phase phase, enum victim victim)
{
    struct scene s = { .b = b };

    b->args[0] = phase == STARTING ? "--pool" : phase == WAITING ? "--workers" : NULL;
    b->args[1] = "1";
    broker_up(b);
    hold[phase](&s);
    if (victim == BROKER)
        kill_broker(&s);
    else if (victim == ZYGOTE)
        kill_zygote(&s);
    else
        kill_worker(&s, phase);
    expect_fate(&s, phase, victim);
    assert_int_equal(broker_down(b), 0);
}

#define CELL(sentence, phase, victim)                                                                                                      \
    static void sentence(void **state)                                                                                                     \
    {                                                                                                                                      \
        play(*state, phase, victim);                                                                                                       \
    }
CELL(the_broker_is_killed_while_a_job_waits, WAITING, BROKER)
CELL(the_broker_is_killed_while_a_job_starts, STARTING, BROKER)
CELL(the_broker_is_killed_while_a_job_runs, RUNNING, BROKER)
CELL(the_broker_is_killed_while_a_job_prints, PRINTING, BROKER)
CELL(the_broker_is_killed_while_a_job_waits_for_input, READING, BROKER)
CELL(the_broker_is_killed_while_a_receipt_is_written, FINISHING, BROKER)
CELL(the_zygote_is_killed_while_a_job_waits, WAITING, ZYGOTE)
CELL(the_zygote_is_killed_while_a_job_starts, STARTING, ZYGOTE)
CELL(the_zygote_is_killed_while_a_job_runs, RUNNING, ZYGOTE)
CELL(the_zygote_is_killed_while_a_job_prints, PRINTING, ZYGOTE)
CELL(the_zygote_is_killed_while_a_job_waits_for_input, READING, ZYGOTE)
CELL(the_zygote_is_killed_while_a_receipt_is_written, FINISHING, ZYGOTE)
CELL(the_worker_is_killed_while_another_job_waits, WAITING, WORKER)
CELL(the_worker_is_killed_while_its_job_starts, STARTING, WORKER)
CELL(the_worker_is_killed_while_its_job_runs, RUNNING, WORKER)
CELL(the_worker_is_killed_while_its_job_prints, PRINTING, WORKER)
CELL(the_worker_is_killed_while_its_job_waits_for_input, READING, WORKER)
CELL(the_worker_is_killed_while_its_receipt_is_written, FINISHING, WORKER)

/* ---- nobody at work --------------------------------------------------------------------------------------------------------------- */

static void a_killed_zygote_or_its_idle_workers_are_replaced(void **state)
{
    struct broker *b = *state;
    struct scene s = { .b = b };
    const char *ok = script(b, "ok.lua", "print('ok')");

    broker_up(b);
    for (int i = 0; i < 5; i++) {
        struct tree *all;

        kill_zygote(&s);
        expect_text(proc_expect(coop(b, "run", ok), 0)->out, "ok\n");
        broker_expect_idle(b, 4);
        all = tree_of(broker_zygote(b));
        for (unsigned k = 1; k < all->n; k++)
            (void)kill(all->pids[k], SIGKILL);
        for (unsigned k = 1; k < all->n; k++) /* on a busy machine dying takes its time, and a job has three attempts */
            proc_wait_gone(all->pidfds[k]);
        expect_text(proc_expect(coop(b, "run", ok), 0)->out, "ok\n");
    }
    expect_receipts(b, 10);
    assert_int_equal(broker_down(b), 0);
}

static void the_end_of_a_zygote_costs_each_job_one_attempt(void **state)
{
    enum { JOBS = 3, ROUNDS = 5 };
    struct broker *b = *state;
    struct scene s = { .b = b };
    const char *path = script(b, "loop.lua", FOR_EVER);

    broker_up(b);
    for (int round = 0; round < ROUNDS; round++) {
        char *ids[JOBS];

        for (int i = 0; i < JOBS; i++) {
            ids[i] = submit(b, ENDLESS, path);
            broker_says(b, "to=running", ids[i]);
        }
        broker_expect_idle(b, 4); /* who die with it, and are no place for a job to run again */
        kill_zygote(&s);
        for (int i = 0; i < JOBS; i++) {
            broker_says_times(b, "to=running", ids[i], 2);
            assert_int_equal(json_num(status_of(b, ids[i]), "attempt"), 2);
            (void)proc_expect(coop(b, "kill", ids[i]), 0);
            (void)expect_end(b, ids[i], "cancelled");
        }
    }
    assert_int_equal(broker_down(b), 0);
}

static void one_job_outlives_many_brokers(void **state)
{
    struct broker *b = *state;
    struct scene s = { .b = b };

    broker_up(b);
    hold_running(&s);
    kill_broker(&s);
    broker_says(b, "to=running", s.id);
    kill_broker(&s); /* a job may be started three times at most: the next broker gives up on it, or runs it a last time */
    if (broker_said(b, "cause=broker_lost", s.id) == 0) {
        broker_says(b, "to=running", s.id);
        kill_broker(&s);
    }
    if (broker_said(b, "cause=broker_lost", s.id) == 0) { /* a start that was not yet committed does not count */
        broker_says(b, "to=running", s.id);
        (void)proc_expect(coop(b, "kill", s.id), 0);
        (void)expect_end(b, s.id, "cancelled");
    } else {
        (void)expect_end(b, s.id, "broker_lost");
    }
    expect_receipts(b, 1);
    assert_int_equal(broker_down(b), 0);
}

/* ---- many at once ----------------------------------------------------------------------------------------------------------------- */

/* A process that submits a script n times, one after the other, and prints the ids; it stops at the first that is refused. */
static struct proc *submitter(const struct broker *b, const char *path, int n)
{
    const char *loop =
        support_text("i=0; while [ $i -lt %d ]; do '%s' submit '%s' || exit 9; i=$((i + 1)); done", n, support_program("coop"), path);

    return proc_start(
        &(struct proc_how){
            .env = (const char *const[]){support_text("COOP_ENDPOINT=%s", b->url), NULL},
                .uid = b->uid
    },
        (const char *const[]){ "/bin/sh", "-c", loop, NULL });
}

/* The ids that a submitter printed whole. Returns how many; appends to ids. */
static size_t ids_of(const struct proc *p, const char **ids, size_t n)
{
    const char *line = p->out.bytes, *end;

    for (; (end = strchr(line, '\n')) != NULL; line = end + 1)
        ids[n++] = support_text("%.*s", (int)(end - line), line);
    return n;
}

static void two_hundred_jobs_at_once_give_two_hundred_receipts(void **state)
{
    enum { CLIENTS = 8, EACH = 25 };
    struct broker *b = *state;
    struct proc *clients[CLIENTS];
    const char *ids[CLIENTS * EACH], *path;
    size_t n = 0;

    broker_up(b);
    path = script(b, "a.lua", "local s = 0\nfor i = 1, 20000 do s = s + i end\nprint(s)");
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = submitter(b, path, EACH);
    for (int i = 0; i < CLIENTS; i++)
        n = ids_of(proc_expect(clients[i], 0), ids, n);
    assert_int_equal(n, CLIENTS * EACH);
    for (size_t i = 0; i < n; i++)
        (void)expect_end(b, ids[i], "ok");
    expect_receipts(b, CLIENTS * EACH);
    assert_int_equal(broker_said(b, "event=job_ended", NULL), CLIENTS * EACH);
    assert_int_equal(broker_down(b), 0);
}

static void what_was_acknowledged_outlives_a_kill_at_any_moment(void **state)
{
    enum { ROUNDS = 4, CLIENTS = 4, EACH = 60 };
    struct broker *b = *state;
    const char *ids[ROUNDS * CLIENTS * EACH], *path = script(b, "a.lua", "print('ok')");
    size_t n = 0;

    broker_up(b);
    for (int round = 0; round < ROUNDS; round++) {
        struct scene s = { .b = b };
        struct proc *clients[CLIENTS];
        size_t some = (size_t)(3 + 7 * round) * 27; /* ids of one client, in bytes */

        for (int i = 0; i < CLIENTS; i++)
            clients[i] = submitter(b, path, EACH);
        proc_until_len(clients[0], &clients[0]->out, some);
        kill_broker(&s);
        for (int i = 0; i < CLIENTS; i++) {
            (void)proc_end(clients[i]); /* it may have found the new broker, or given up between the two */
            n = ids_of(clients[i], ids, n);
        }
    }
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++)
        (void)expect_end(b, ids[i], "ok");
    assert_int_equal(broker_down(b), 0);
}

static void a_client_that_waits_hears_the_end_from_the_next_broker(void **state)
{
    struct broker *b = *state;
    struct scene s = { .b = b };
    struct proc *wait, *follow;

    broker_up(b);
    s.id = submit(b, ENDLESS, script(b, "loop.lua", "print('up')\n" FOR_EVER));
    follow = coop_start(b, "logs", "-f", s.id);
    proc_until(follow, &follow->out, "up\n");
    wait = coop_start_as(b, (&(struct proc_how){ .err_is_terminal = true }), "wait", s.id);
    proc_until(wait, &wait->err, "running"); /* its live line: it is there, and waits */
    kill_broker(&s);
    proc_until(wait, &wait->err, "reconnecting");
    proc_until(follow, &follow->err, "reconnecting");
    broker_says(b, "to=running", s.id);
    (void)proc_expect(coop(b, "kill", s.id), 0);
    (void)proc_expect(wait, COOP_EXIT_CANCELLED);
    (void)proc_expect(follow, 0);
    assert_int_equal(broker_down(b), 0);
}

/* Whoever has the socket between two brokers, and hangs up on everybody: a client goes on trying. */
static void hang_up_on_clients(const struct broker *b, int clients)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pollfd f = { .fd = fd, .events = POLLIN };

    assert_true(strlen(b->socket) < sizeof(addr.sun_path));
    strcpy(addr.sun_path, b->socket);
    (void)unlink(b->socket);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(fd, 8), 0);
    while (clients-- > 0 && poll(&f, 1, 1000) > 0) /* one that has given up does not come: the test goes on, and will see */
        (void)close(accept(fd, NULL, NULL));
    (void)close(fd);
    (void)unlink(b->socket);
}

static void a_client_finds_its_way_back_past_one_that_hangs_up(void **state)
{
    struct broker *b = *state;
    const struct tree *janitor;
    struct proc *follow;
    char *id;

    broker_up(b);
    id = submit(b, ENDLESS, script(b, "loop.lua", "print('up')\n" FOR_EVER));
    follow = coop_start(b, "logs", "-f", id);
    proc_until(follow, &follow->out, "up\n");
    janitor = tree_of(broker_janitor(b));
    broker_kill(b);
    proc_wait_gone(janitor->pidfds[0]); /* it removes the socket's name, and would take ours for it */
    hang_up_on_clients(b, 8);
    broker_up(b);
    proc_until(follow, &follow->err, "runs again");
    (void)proc_expect(coop(b, "kill", id), 0);
    (void)proc_expect(follow, 0);
    assert_int_equal(broker_down(b), 0);
}

/*
 * Each line says whose it is: a number of its own for each run, and which of that run's lines it is. The first run does not end: there is no key
 * before the broker has been killed.
 */
static void the_output_of_two_runs_is_never_mixed(void **state)
{
    enum { ROUNDS = 6, LINES = 30 };
    struct broker *b = *state;
    const char *path = script(b, "a.lua",
                              "local kv = require('coop.kv').open('run/')\nlocal run, i = ('%08d'):format(math.random(99999999)), 0\n"
                              "repeat\n i = i + 1 print(run, i)\n local t = os.clock(); while os.clock() - t < 0.005 do end\n"
                              "until i >= 30 and pcall(kv.get, kv, arg[1])\nprint 'whole'");

    broker_up(b);
    for (int round = 0; round < ROUNDS; round++) {
        const char *key = support_text("%d", round);
        struct proc *run = coop_start_as(b, (&(struct proc_how){ .in = PROC_IN_NULL }), "run", "--cap", "kv=run/:ro", path, key);
        char one[32] = "", is[32];
        int last = 0, n, runs = 0;
        const char *line;

        proc_until(run, &run->out, "\n");
        broker_kill(b);
        broker_up(b);
        (void)proc_expect(coop(b, "kv", "put", support_text("run/%s", key), "ends"), 0);
        (void)proc_expect(run, 0);
        for (line = run->out.bytes; sscanf(line, "%8s\t%d", is, &n) == 2; line = strchr(line, '\n') + 1) {
            if (strcmp(is, one) != 0 ? n != 1 : n != last + 1)
                fail_msg("line %d of run %s follows line %d of run %s", n, is, last, one);
            runs += strcmp(is, one) != 0;
            strcpy(one, is);
            last = n;
        }
        assert_int_equal(runs, 2);
        assert_true(last >= LINES);
        assert_string_equal(line, "whole\n");
        expect_has(run->err, "runs again");
    }
    assert_int_equal(broker_down(b), 0);
}

/* A job starts while its submit is still being committed, and so it may lose its worker before that. */
static void a_worker_lost_before_the_submit_is_committed_is_one_attempt(void **state)
{
    enum { ROUNDS = 40 };
    struct broker *b = *state;
    const char *path = script(b, "ok.lua", "print('ok')");

    b->args[0] = "--pool";
    b->args[1] = "1";
    broker_up(b);
    for (int i = 0; i < ROUNDS; i++) {
        pid_t stopped[TREE_MAX];
        unsigned n, starts = broker_said(b, "to=starting", NULL);
        struct proc *run;

        broker_expect_idle(b, 1);
        n = broker_workers(b, stopped);
        for (unsigned k = 0; k < n; k++)
            (void)kill(stopped[k], SIGSTOP);
        run = coop_start(b, "run", path);
        broker_says_times(b, "to=starting", NULL, starts + 1);
        for (unsigned k = 0; k < n; k++)
            (void)kill(stopped[k], SIGKILL);
        (void)proc_expect(run, 0);
        expect_text(run->out, "ok\n");
    }
    expect_receipts(b, ROUNDS);
    assert_int_equal(broker_down(b), 0);
}

/* ---- leaving in order ------------------------------------------------------------------------------------------------------------- */

static void sigterm_lets_running_jobs_end_and_leaves_waiting_ones_to_the_next_broker(void **state)
{
    struct broker *b = *state;
    struct proc *run, *p;
    char *waiting;

    b->args[0] = "--workers";
    b->args[1] = "1";
    broker_up(b);
    run = coop_start(b, "run", script(b, "read.lua", "print('up')\nprint(io.read())"));
    proc_until(run, &run->out, "up\n");
    waiting = submit(b, script(b, "ok.lua", "print('later')"));
    proc_kill(b->proc, SIGTERM);
    broker_says(b, "event=draining", NULL);
    p = proc_expect(coop(b, "submit", script(b, "ok.lua", "print('no')")), COOP_EXIT_TEMPORARY);
    expect_text(p->out, "");
    expect_has(p->err, "draining");
    assert_string_equal(json_str(status_of(b, waiting), "state"), "ready");
    assert_string_equal(json_str(status_of(b, waiting), "reason"), "DRAINING");
    proc_write(run, "end\n", 4);
    (void)proc_expect(run, 0); /* told by the broker that leaves */
    expect_text(run->out, "up\nend\n");
    assert_int_equal(broker_wait(b), 0);
    broker_up(b);
    (void)expect_end(b, waiting, "ok");
    expect_receipts(b, 2);
    assert_int_equal(broker_down(b), 0);
}

static void a_drain_that_takes_too_long_leaves_the_job_to_the_next_broker(void **state)
{
    struct broker *b = *state;
    struct scene s = { .b = b };

    b->args[0] = "--drain";
    b->args[1] = "50ms";
    broker_up(b);
    hold_running(&s);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    expect_second_run(&s, BROKER);
    expect_receipts(b, 1);
    assert_int_equal(broker_down(b), 0);
}

static void a_client_hears_the_end_even_if_it_is_the_brokers_last_word(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "read.lua", "print('up')\nio.read()");

    for (int i = 0; i < 10; i++) {
        struct proc *run;

        broker_up(b);
        run = coop_start(b, "run", path);
        proc_until(run, &run->out, "up\n");
        proc_kill(b->proc, SIGTERM);
        broker_says(b, "event=draining", NULL);
        proc_write(run, "x\n", 2);
        (void)proc_expect(run, 0);
        expect_text(run->err, "");
        assert_int_equal(broker_wait(b), 0);
    }
}

static void an_idle_broker_leaves(void **state)
{
    struct broker *b = *state;

    b->args[0] = "--idle-exit";
    b->args[1] = "20ms";
    broker_up(b);
    assert_int_equal(broker_wait(b), 0);
    assert_int_equal(access(b->socket, F_OK), -1);
}

/* It finds one that waits for a limiter, so that it does not leave before the first command has come, whenever that is. */
static void a_broker_with_a_job_is_not_idle(void **state)
{
    struct broker *b = *state;
    char *id;

    broker_up(b);
    (void)proc_expect(coop(b, "limiter", "set", "gate", "0"), 0);
    id = submit(b, "--limiter", "gate", "--limit", "wall=900ms", script(b, "a.lua", FOR_EVER));
    assert_int_equal(broker_down(b), 0);
    b->args[0] = "--idle-exit";
    b->args[1] = "200ms";
    broker_up(b);
    (void)proc_expect(coop(b, "limiter", "set", "gate", "1"), 0); /* it runs, and nobody is there */
    assert_int_equal(broker_wait(b), 0);
    assert_int_equal(broker_said(b, "cause=wall_limit", id), 1);
    b->args[0] = NULL;
    broker_up(b);
    (void)expect_end(b, id, "wall_limit");
    assert_int_equal(broker_down(b), 0);
}

/* ---- as another user -------------------------------------------------------------------------------------------------------------- */

static void a_broker_that_is_not_root_works_the_same(void **state)
{
    struct broker *b = *state;
    json_t *r;

    if (geteuid() != 0 || !broker_belongs_to(b, SUPPORT_NOBODY))
        skip(); /* not root: every other test is this one */
    broker_up(b);
    expect_text(proc_expect(coop_in(b, "in", 2, "run", script(b, "a.lua", "print(io.read('a'))")), 0)->out, "in\n");
    r = expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok");
    assert_int_equal(json_num(r, "enforcement.uid"), SUPPORT_NOBODY);
    assert_string_not_equal(json_str(r, "enforcement.tier"), "none");
    (void)expect_end(b, submit(b, script(b, "a.lua", "error('x')")), "exception");
    (void)expect_end(b, submit(b, "--limit", "memory=4M", script(b, "a.lua", "local s = 'x' while true do s = s .. s end")), "oom");
    (void)expect_end(b, submit(b, "--limit", "cpu=50ms", script(b, "a.lua", FOR_EVER)), "cpu_limit");
    (void)expect_end(b, submit(b, "--limit", "wall=50ms", script(b, "a.lua", FOR_EVER)), "wall_limit");
    expect_receipts(b, 6);
    assert_int_equal(broker_down(b), 0);
}

static void end_daemon(void *thing)
{
    (void)syscall(SYS_pidfd_send_signal, (int)(intptr_t)thing, SIGKILL, NULL, 0);
    (void)close((int)(intptr_t)thing);
}

struct home {
    struct broker *b; /* never started by us: its directory, scripts and user */
    const char *env[8];
    struct proc_how how;
};

/* A user with a home, and no broker. */
static bool make_home(struct broker *b, struct home *h)
{
    uid_t uid = geteuid() == 0 ? SUPPORT_NOBODY : geteuid();
    const char *run = support_text("%s/x", b->dir);

    if (geteuid() == 0 && !broker_belongs_to(b, uid))
        return false;
    if (mkdir(run, 0700) != 0 || (geteuid() == 0 && chown(run, uid, uid) != 0))
        return false;
    *h = (struct home){ .b = b };
    h->env[0] = "COOP_ENDPOINT";
    h->env[1] = "COOP_RUN_DIR";
    h->env[2] = "COOP_STATE_DIR";
    h->env[3] = support_text("XDG_RUNTIME_DIR=%s", run);
    h->env[4] = support_text("XDG_STATE_HOME=%s/y/z", b->dir);
    h->env[5] = support_text("HOME=%s", b->dir);
    h->env[6] = "ASAN_OPTIONS=detect_leaks=0";
    h->how = (struct proc_how){ .env = h->env, .uid = geteuid() == 0 ? uid : 0 };
    return true;
}

#define at_home(h, ...) proc_start(&(h)->how, (const char *const[]){ support_program("coop"), __VA_ARGS__, NULL })

/* The broker that was started for us, which the test has to end. */
static int daemon_of(const struct home *h, pid_t *ret_pid)
{
    json_t *v = json_of(&proc_expect(at_home(h, "version", "--json"), 0)->out);
    int fd;

    *ret_pid = (pid_t)json_num(v, "broker.pid");
    fd = (int)syscall(SYS_pidfd_open, *ret_pid, 0);
    assert_true(fd >= 0);
    support_on_release(end_daemon, (void *)(intptr_t)fd);
    return fd;
}

static void a_users_broker_starts_by_itself_and_stays_for_the_next_command(void **state)
{
    struct broker *b = *state;
    const char *path = script(b, "a.lua", "print('hello')");
    pid_t first, second;
    struct home h;
    struct stat st;
    int fd;

    if (!make_home(b, &h))
        skip();
    assert_true(json_is_null(json_at(json_of(&proc_expect(at_home(&h, "version", "--json"), 0)->out), "broker"))); /* which starts none */
    expect_text(proc_expect(at_home(&h, "run", path), 0)->out, "hello\n"); /* and its end is ours: no daemon holds our pipes */
    fd = daemon_of(&h, &first);
    expect_text(proc_expect(at_home(&h, "run", "--no-autostart", path), 0)->out, "hello\n");
    (void)daemon_of(&h, &second);
    assert_int_equal(first, second);
    assert_int_equal(stat(support_text("%s/x/coop", b->dir), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(support_text("%s/y/z/coop", b->dir), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    (void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    proc_wait_gone(fd);
    expect_text(proc_expect(at_home(&h, "run", path), 0)->out, "hello\n"); /* over the dead one's socket */
    fd = daemon_of(&h, &second);
    assert_int_not_equal(first, second);
    assert_int_equal(json_array_size(json_at(json_of(&proc_expect(at_home(&h, "ls", "--json"), 0)->out), "jobs")), 3);
    (void)syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
    proc_wait_gone(fd);
}

static void commands_that_start_at_the_same_time_share_one_broker(void **state)
{
    enum { AT_ONCE = 8 };
    struct broker *b = *state;
    const char *path = script(b, "a.lua", "print('hello')");
    struct proc *p[AT_ONCE];
    struct home h;
    pid_t pid;
    int fd;

    if (!make_home(b, &h))
        skip();
    for (int i = 0; i < AT_ONCE; i++)
        p[i] = at_home(&h, "run", path);
    for (int i = 0; i < AT_ONCE; i++)
        expect_text(proc_expect(p[i], 0)->out, "hello\n");
    fd = daemon_of(&h, &pid);
    assert_int_equal(json_array_size(json_at(json_of(&proc_expect(at_home(&h, "ls", "--json"), 0)->out), "jobs")), AT_ONCE);
    (void)syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
    proc_wait_gone(fd);
}

static int setup(void **state)
{
    *state = broker_new();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_broker_is_killed_while_a_job_waits),
        TEST(the_broker_is_killed_while_a_job_starts),
        TEST(the_broker_is_killed_while_a_job_runs),
        TEST(the_broker_is_killed_while_a_job_prints),
        TEST(the_broker_is_killed_while_a_job_waits_for_input),
        TEST(the_broker_is_killed_while_a_receipt_is_written),
        TEST(the_zygote_is_killed_while_a_job_waits),
        TEST(the_zygote_is_killed_while_a_job_starts),
        TEST(the_zygote_is_killed_while_a_job_runs),
        TEST(the_zygote_is_killed_while_a_job_prints),
        TEST(the_zygote_is_killed_while_a_job_waits_for_input),
        TEST(the_zygote_is_killed_while_a_receipt_is_written),
        TEST(the_worker_is_killed_while_another_job_waits),
        TEST(the_worker_is_killed_while_its_job_starts),
        TEST(the_worker_is_killed_while_its_job_runs),
        TEST(the_worker_is_killed_while_its_job_prints),
        TEST(the_worker_is_killed_while_its_job_waits_for_input),
        TEST(the_worker_is_killed_while_its_receipt_is_written),
        TEST(a_killed_zygote_or_its_idle_workers_are_replaced),
        TEST(the_end_of_a_zygote_costs_each_job_one_attempt),
        TEST(one_job_outlives_many_brokers),
        TEST(two_hundred_jobs_at_once_give_two_hundred_receipts),
        TEST(what_was_acknowledged_outlives_a_kill_at_any_moment),
        TEST(a_client_that_waits_hears_the_end_from_the_next_broker),
        TEST(a_client_finds_its_way_back_past_one_that_hangs_up),
        TEST(the_output_of_two_runs_is_never_mixed),
        TEST(a_worker_lost_before_the_submit_is_committed_is_one_attempt),
        TEST(sigterm_lets_running_jobs_end_and_leaves_waiting_ones_to_the_next_broker),
        TEST(a_drain_that_takes_too_long_leaves_the_job_to_the_next_broker),
        TEST(a_client_hears_the_end_even_if_it_is_the_brokers_last_word),
        TEST(an_idle_broker_leaves),
        TEST(a_broker_with_a_job_is_not_idle),
        TEST(a_broker_that_is_not_root_works_the_same),
        TEST(a_users_broker_starts_by_itself_and_stays_for_the_next_command),
        TEST(commands_that_start_at_the_same_time_share_one_broker),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
