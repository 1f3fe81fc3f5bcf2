/*
 * bench_store.c - what the broker's memory on disk costs, without a broker: submits and receipts a second, how long a restart walks.
 *
 * Usage:  bench_store [DIRECTORY [TENANTS]]
 * Method: a directory of its own under the first argument, or the working directory, so that the disk is a real one. A window of ops is
 *         kept pushed, as many clients would; each figure is all ops over CLOCK_MONOTONIC, every one of them committed with its fsync.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "broker/store.h"
#include "ulid.h"

enum { JOBS = 100000, SPEC = 600, RECEIPT = 700 };

static struct store *store;
static unsigned tenants = 1;
static char (*ids)[ULID_LEN + 1];

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage u;

    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct store_blob blob(size_t len)
{
    struct store_blob b = { malloc(len), len };

    memset(b.bytes, 'x', len);
    return b;
}

static struct store_op *submit(unsigned i)
{
    struct store_op *op = store_op_new(STORE_SUBMIT, ids[i]);

    (void)snprintf(op->submit.row.name, sizeof(op->submit.row.name), "bench-%u", i);
    (void)snprintf(op->submit.row.engine, sizeof(op->submit.row.engine), "lua");
    op->submit.row.tenant = 1000 + i % tenants;
    op->submit.row.submitted_us = 1;
    op->submit.spec = blob(SPEC);
    return op;
}

static struct store_op *claim(unsigned i)
{
    struct store_op *op = store_op_new(STORE_CLAIM, "");
    struct store_claim *c = store_claim_add(op, ids[i]);

    c->epoch = i + 1;
    c->attempt = 1;
    return op;
}

static struct store_op *finish(unsigned i)
{
    struct store_op *op = store_op_new(STORE_FINISH, ids[i]);

    op->finish.epoch = op->finish.fence.was = i + 1;
    op->finish.attempt = 1;
    op->finish.state = PB__STATE__STATE_SUCCEEDED;
    op->finish.cause = PB__CAUSE__CAUSE_OK;
    op->finish.receipt = blob(RECEIPT);
    op->finish.out[0] = blob(20);
    op->finish.usage = (struct store_usage){ .jobs = 1, .cpu_us = 1000, .wall_us = 2000, .mib_us = 64000 };
    return op;
}

static void collect(void)
{
    struct pollfd p = { .fd = store_event_fd(store), .events = POLLIN };
    struct store_op *op;

    (void)poll(&p, 1, -1);
    while ((op = store_collect(store)) != NULL)
        while (op != NULL) {
            struct store_op *next = op->next;

            if (op->status != 0) {
                (void)fprintf(stderr, "an op was refused: %s\n", strerror(-op->status));
                exit(1);
            }
            store_op_free(op);
            op = next;
        }
}

static void run(const char *what, unsigned window, unsigned from, unsigned to, struct store_op *(*first)(unsigned),
                struct store_op *(*second)(unsigned))
{
    double begun = now(), spent = cpu(), took;

    for (unsigned i = from; i < to; i++) {
        store_push(store, first(i));
        if (second != NULL)
            store_push(store, second(i));
        while (store_pending(store) >= window)
            collect();
    }
    while (store_pending(store) > 0)
        collect();
    took = now() - begun;
    (void)printf("%-26s %6u at once %9.0f /s, %5.1f us of CPU each\n", what, window, (to - from) / took,
                 (cpu() - spent) * 1e6 / (to - from));
}

static int count(void *ctx, const struct store_job *job)
{
    (void)job;
    ++*(unsigned *)ctx;
    return 0;
}

static void restart(const char *dir)
{
    char why[STORE_WHY];
    unsigned n = 0;
    double begun;

    store_close(store);
    begun = now();
    if (store_open(dir, &store, why) != 0 || store_each_unfinished(store, count, &n) != 0) {
        (void)fprintf(stderr, "%s\n", why);
        exit(1);
    }
    (void)printf("%-26s %6u jobs    %9.3f s\n", "opened, and walked", n, now() - begun);
}

int main(int argc, char **argv)
{
    char dir[256], why[STORE_WHY], command[300];

    (void)snprintf(dir, sizeof(dir), "%s/bench-store.XXXXXX", argc > 1 ? argv[1] : ".");
    if (argc > 2)
        tenants = (unsigned)atoi(argv[2]);
    ids = calloc(JOBS, sizeof(*ids));
    for (unsigned i = 0; i < JOBS; i++)
        ulid_make(1700000000000 + i / 10, ids[i]);
    if (mkdtemp(dir) == NULL || store_open(dir, &store, why) != 0) {
        (void)fprintf(stderr, "%s: %s\n", dir, why);
        return 1;
    }
    run("submits", 1, 0, 5000, submit, NULL);
    run("submits", 8, 5000, 15000, submit, NULL);
    run("submits", 64, 15000, JOBS, submit, NULL);
    restart(dir);
    run("claims and receipts", 2, 0, 5000, claim, finish);
    run("claims and receipts", 16, 5000, 15000, claim, finish);
    run("claims and receipts", 128, 15000, JOBS, claim, finish);
    restart(dir);
    store_close(store);
    (void)snprintf(command, sizeof(command), "rm -r '%s'", dir);
    return system(command) != 0;
}
