/*
 * host_store.c - the store by itself, in this process: jobs are submitted, claimed, and given their receipts. Each is durable before it counts.
 *
 * Method: so many ops are under way at once, as a broker has them of that many clients; the writer commits in groups what has gathered.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench_host.h"
#include "bench/host.h"
#include "broker/store.h"
#include "ulid.h"

enum { JOBS = 20000, ALONE = 2000, IN_FLIGHT = 64, SPEC_BYTES = 300, RECEIPT_BYTES = 700, TENANTS = 100 };

typedef char id_text[ULID_LEN + 1];

static struct store *store;
static id_text *ids;
static size_t under_way;

static struct store_op *new_op(enum store_kind kind, const char *id)
{
    struct store_op *op = store_op_new(kind, id);

    if (op == NULL)
        host_die("memory", -ENOMEM);
    return op;
}

static struct store_blob bytes_of(size_t len)
{
    struct store_blob b = { malloc(len), len };

    if (b.bytes == NULL)
        host_die("memory", -ENOMEM);
    memset(b.bytes, 'x', len);
    return b;
}

static void push(struct store_op *op)
{
    store_push(store, op);
    under_way++;
}

/* Until at most so many are under way. */
static void collect(size_t until)
{
    struct pollfd p = { .fd = store_event_fd(store), .events = POLLIN };

    while (under_way > until) {
        struct store_op *next;

        (void)poll(&p, 1, -1);
        for (struct store_op *op = store_collect(store); op != NULL; op = next) {
            next = op->next;
            if (op->status != 0)
                host_die("an op of the store", op->status);
            store_op_free(op);
            under_way--;
        }
    }
}

static void submit(size_t i)
{
    struct store_op *op = new_op(STORE_SUBMIT, ids[i]);
    struct store_job *row = &op->submit.row;

    row->tenant = 1 + i % TENANTS;
    row->prio = 3;
    row->max_attempts = 1;
    row->submitted_us = 1700000000000000u + i;
    (void)snprintf(row->id, sizeof(row->id), "%s", ids[i]);
    (void)snprintf(row->name, sizeof(row->name), "bench-%zu", i);
    (void)snprintf(row->engine, sizeof(row->engine), "lua");
    (void)snprintf(row->user, sizeof(row->user), "uid:%zu", 1 + i % TENANTS);
    row->state = PB__STATE__STATE_READY;
    op->submit.spec = bytes_of(SPEC_BYTES);
    push(op);
}

static void claim(size_t i)
{
    struct store_op *op = new_op(STORE_CLAIM, ids[i]);

    op->move.state = PB__STATE__STATE_CLAIMED;
    op->move.attempt = 1;
    op->move.epoch = 1;
    push(op);
}

static void finish(size_t i)
{
    struct store_op *op = new_op(STORE_FINISH, ids[i]);

    op->finish.attempt = 1;
    op->finish.epoch = 1;
    op->finish.state = PB__STATE__STATE_SUCCEEDED;
    op->finish.cause = PB__CAUSE__CAUSE_OK;
    op->finish.receipt = bytes_of(RECEIPT_BYTES);
    op->finish.usage.jobs = 1;
    push(op);
}

static void claim_and_finish(size_t i)
{
    claim(i);
    finish(i);
}

/* fn for each of n jobs from the first on, so many of them at once: jobs a second. */
static double rate(void (*fn)(size_t i), size_t from, size_t n, size_t at_once)
{
    double start = host_now_us();

    for (size_t i = from; i < from + n; i++) {
        fn(i);
        collect(under_way >= at_once ? at_once - 1 : under_way);
    }
    collect(0);
    return (double)n * 1e6 / (host_now_us() - start);
}

/* What the disk gives at most where each waits for its own. */
static double bare_syncs(const char *dir)
{
    enum { WRITES = 500 };
    char path[128], page[4096];
    double start;
    int fd;

    memset(page, 'x', sizeof(page));
    (void)snprintf(path, sizeof(path), "%s/bare", dir);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        host_die(path, -errno);
    start = host_now_us();
    for (int i = 0; i < WRITES; i++) {
        if (write(fd, page, sizeof(page)) != sizeof(page) || fdatasync(fd) != 0)
            host_die(path, -errno);
    }
    start = host_now_us() - start;
    close(fd);
    return WRITES * 1e6 / start;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static void make_tenants(void)
{
    for (unsigned i = 0; i < TENANTS; i++) {
        struct store_op *op = new_op(STORE_TENANT_PUT, "");

        op->tenant.id = i + 1;
        op->tenant.weight = 1;
        (void)snprintf(op->tenant.name, sizeof(op->tenant.name), "bench-%u", i);
        push(op);
    }
    collect(0);
}

void host_store_rows(void)
{
    char dir[] = "/tmp/coop-bench-store-XXXXXX", why[STORE_WHY];

    ids = calloc(JOBS + ALONE, sizeof(*ids));
    if (ids == NULL || mkdtemp(dir) == NULL)
        host_die(dir, -errno);
    for (size_t i = 0; i < JOBS + ALONE; i++)
        ulid_make(1700000000000u + i, ids[i]);
    if (store_open(dir, &store, why) != 0)
        host_die(why, -EIO);
    make_tenants();
    host_print_row("the bare limit: 4 KiB written and synced, one by one", bare_syncs(dir), "/s", "");
    host_print_row("submits, one after the other", rate(submit, JOBS, ALONE, 1), "/s", "");
    host_print_row("submits, 64 under way", rate(submit, 0, JOBS, IN_FLIGHT), "/s", "");
    host_print_row("claim and receipt, one job after the other", rate(claim_and_finish, JOBS, ALONE, 1), "/s", "");
    host_print_row("claim and receipt, 64 under way", rate(claim_and_finish, 0, JOBS, IN_FLIGHT), "/s", "");
    store_close(store);
    free(ids);
    (void)nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}
