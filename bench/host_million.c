/*
 * host_million.c - bench_host: a million jobs wait in a broker, and it goes on working; a broker finds a hundred thousand when it starts.
 *
 * Method: the million may all run: some do, all the time. Beside them another user's interactive jobs come one by one; what each waits from its
 * acknowledged submit until it has a worker, as its receipt says, is the broker's claim and all that is around it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench_host.h"
#include "bench/host_crowd.h"

enum { MILLION = 1000000, LOOKS = 1000, UNFINISHED = 100000 };

static const char *const args[] = { "--share", "all", "--max-queued", "3000000", "--workers", "4", NULL };

static void begin(void)
{
    if (!host_broker_start(args))
        host_die("coopd", -5);
}

/* One job, to its receipt: how long it waited, microseconds. */
static double waited(struct coop_client *c)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit submit = PB__SUBMIT__INIT;
    Pb__Logs logs = PB__LOGS__INIT;
    struct frame reply;
    Pb__JobSpec spec;
    char id[32];
    double us = -1;

    crowd_noop(&spec);
    spec.class_ = PB__JOB_CLASS__JOB_CLASS_INTERACTIVE;
    submit.spec = &spec;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &submit;
    snprintf(id, sizeof(id), "%s", crowd_ask(c, &q, &reply)->submit->id);
    frame_release(&reply);
    logs.id = id;
    logs.timeout_ms = 30000;
    logs.want_receipt = 1;
    q.body_case = PB__REQUEST__BODY_LOGS;
    q.logs = &logs;
    while (us < 0) {
        const Pb__LogsReply *r = crowd_ask(c, &q, &reply)->logs;

        if (r->ended && (r->receipt == NULL || r->receipt->usage == NULL))
            host_die("no receipt", -5);
        if (r->ended)
            us = (double)r->receipt->usage->queue_us;
        frame_release(&reply);
    }
    return us;
}

static void say_waits(struct coop_client *c, const char *what)
{
    static double v[LOOKS];
    char name[96];

    for (unsigned i = 0; i < LOOKS; i++)
        v[i] = waited(c);
    snprintf(name, sizeof(name), "a job of another tenant gets a worker, %s, p50", what);
    host_print_row(name, host_percentile(v, LOOKS, 0.5), "us", "");
    snprintf(name, sizeof(name), "the same, p99");
    host_print_row(name, host_percentile(v, LOOKS, 0.99), "us", "ask: < 5000");
}

void host_million_rows(void)
{
    struct coop_client *operator, * many, *one;
    Pb__JobSpec spec;
    double start, empty;

    if (!crowd_is_possible()) {
        printf("  (left out: only root can be two users)\n");
        return;
    }
    begin();
    operator= crowd_client(0);
    many = crowd_client(CROWD_UID);
    one = crowd_client(CROWD_UID + 1);
    crowd_set_tenant(operator, CROWD_UID, 1, true);
    empty = crowd_broker_memory();
    say_waits(one, "nothing else waits");
    crowd_shut(operator, CROWD_UID, true);
    crowd_noop(&spec);
    start = host_now_us();
    crowd_submit(many, &spec, MILLION);
    host_print_row("submits of one client, 256 under way", MILLION * 1e6 / (host_now_us() - start), "/s", "");
    host_print_row("memory of the broker, a million wait", crowd_broker_memory() / 1048576, "MiB", "ask: < 300");
    host_print_row("of which for the million", (crowd_broker_memory() - empty) / 1048576, "MiB", "");
    crowd_shut(operator, CROWD_UID, false);
    say_waits(one, "a million wait and some run");
    host_print_row("memory of the broker, then", crowd_broker_memory() / 1048576, "MiB", "ask: < 300");
    coop_client_close(one);
    coop_client_close(many);
    coop_client_close(operator);
    host_broker_stop();
}

void host_restart_rows(void)
{
    struct coop_client *operator, * c;
    Pb__JobSpec spec;
    double start;

    if (!crowd_is_possible()) {
        printf("  (left out: only root can be another user)\n");
        return;
    }
    begin();
    operator= crowd_client(0);
    c = crowd_client(CROWD_UID);
    crowd_set_tenant(operator, CROWD_UID, 1, true);
    crowd_shut(operator, CROWD_UID, true);
    crowd_noop(&spec);
    spec.hold = 1;
    crowd_submit(c, &spec, UNFINISHED / 2);
    spec.hold = 0;
    crowd_submit(c, &spec, UNFINISHED / 2);
    coop_client_close(c);
    coop_client_close(operator);
    start = host_now_us();
    if (!host_broker_restart(args))
        host_die("coopd, again", -5);
    host_print_row("killed, and ready again", (host_now_us() - start) / 1e6, "s", "ask: < 3");
    host_broker_stop();
}
