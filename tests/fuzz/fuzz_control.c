/*
 * fuzz_control.c - any requests from several clients, dispatched for real: control.c, the verbs, the jobs, the pool and the gate, over
 * a store that is an array and workers that are only structs.
 *
 * Input: records of what (one byte: low three bits, who in the others), length (two bytes, little-endian), bytes.
 * Held: every request has exactly one fate, every answer is a Reply, what goes to a worker is a ToWorker, every receipt is a Receipt.
 */
#include <assert.h>
#include <errno.h>

#include <sys/random.h>

/* Ids that a corpus can name: the real checks, another maker. */
#define ulid_make ulid_make_real
#include "proto/ulid.c"
#undef ulid_make
/* A clock that the input may turn, for all who look at it. */
#define loop_clock_us loop_clock_us_real
#include "broker/loop.c"
#undef loop_clock_us
uint64_t loop_clock_us(void);

#include "../unit/bare_broker.h"
#include "broker/control_verbs.h"
#include "coop/version.h"
#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void ulid_make(uint64_t unix_ms, char ret_id[ULID_LEN + 1]);

enum { REQUEST, REQUEST_2, WORKER_SAYS, WORKER_NEW, WORKER_ENDS, CLOCK, PEER_GONE, STORE };
enum { NOBODY = 1 << 22 }; /* above every pid that Linux gives */
enum { ROWS = 32, LINKS = 8 };

/* ---- a store of ROWS jobs ------------------------------------------------------------------------------------------------------------- */

struct row {
    struct store_job job;
    struct store_blob spec, receipt, out[STORE_STREAMS];
};

struct store {
    struct row rows[ROWS];
    unsigned count, made;
    struct store_op *first, **last;
    size_t pending;
    int fail; /* the status of ops from now on */
};

static struct bare_broker bare;
static struct store disk;
static unsigned replies, dropped, forsaken; /* requests answered, whose peer lied, whose peer left while they waited */

void ulid_make(uint64_t unix_ms, char ret_id[ULID_LEN + 1])
{
    if (disk.fail != 0) /* will be refused: nobody can know this id before */
        ulid_make_real(unix_ms, ret_id);
    else
        (void)snprintf(ret_id, ULID_LEN + 1, "01HZZZZZZZ00000000000000%02u", disk.made++ % 100);
}

struct store_op *store_op_new(enum store_kind kind, const char *job)
{
    struct store_op *op = calloc(1, sizeof(*op));

    op->kind = kind;
    for (unsigned i = 0; i < STORE_STREAMS && kind == STORE_FINISH; i++)
        op->finish.sync_fd[i] = -1;
    (void)snprintf(op->job, sizeof(op->job), "%s", job);
    return op;
}

struct store_claim *store_claim_add(struct store_op *op, const char *job)
{
    struct store_claim *c;

    op->claims.at = realloc(op->claims.at, (op->claims.n + 1) * sizeof(*c));
    c = &op->claims.at[op->claims.n++];
    *c = (struct store_claim){ 0 };
    (void)snprintf(c->job, sizeof(c->job), "%s", job);
    return c;
}

void store_op_free(struct store_op *op)
{
    if (op->kind == STORE_CLAIM)
        free(op->claims.at);
    if (op->kind == STORE_SUBMIT)
        free(op->submit.spec.bytes);
    if (op->kind == STORE_FINISH)
        free(op->finish.receipt.bytes);
    for (unsigned i = 0; i < STORE_STREAMS && op->kind == STORE_FINISH; i++)
        free(op->finish.out[i].bytes);
    free(op);
}

void store_push(struct store *s, struct store_op *op)
{
    op->next = NULL;
    *s->last = op;
    s->last = &op->next;
    s->pending++;
}

size_t store_pending(const struct store *s)
{
    return s->pending;
}

static struct row *row_of(struct store *s, const char *id)
{
    for (unsigned i = 0; i < s->count; i++)
        if (strcmp(s->rows[i].job.id, id) == 0)
            return &s->rows[i];
    return NULL;
}

int store_find(struct store *s, const char *id, struct store_job *ret)
{
    unsigned found = 0;

    for (unsigned i = 0; i < s->count; i++)
        if (strncmp(s->rows[i].job.id, id, strlen(id)) == 0) {
            *ret = s->rows[i].job;
            found++;
        }
    return found == 1 ? 0 : found == 0 ? -ENOENT : -ENOTUNIQ;
}

static int copy_blob(const struct store_blob *from, size_t offset, size_t max, struct store_blob *ret)
{
    size_t n = offset >= from->len ? 0 : from->len - offset < max ? from->len - offset : max;

    *ret = (struct store_blob){ n > 0 ? malloc(n) : NULL, n };
    if (n > 0)
        memcpy(ret->bytes, from->bytes + offset, n);
    return 0;
}

int store_read_spec(struct store *s, const char *id, struct store_blob *ret)
{
    struct row *r = row_of(s, id);

    return r == NULL ? -ENOENT : copy_blob(&r->spec, 0, SIZE_MAX, ret);
}

int store_read_receipt(struct store *s, const char *id, struct store_blob *ret)
{
    struct row *r = row_of(s, id);

    return r == NULL || r->receipt.bytes == NULL ? -ENOENT : copy_blob(&r->receipt, 0, SIZE_MAX, ret);
}

int store_read_output(struct store *s, const char *id, int stream, uint64_t offset, size_t max, struct store_blob *ret)
{
    struct row *r = row_of(s, id);

    return r == NULL ? -ENOENT : copy_blob(&r->out[stream], offset, max, ret);
}

int store_read_link(struct store *s, const char *id, struct store_link *ret)
{
    struct row *r = row_of(s, id);

    if (r == NULL || r->receipt.bytes == NULL)
        return -ENOENT;
    *ret = (struct store_link){ .seq = (uint64_t)(r - s->rows) + 1 };
    return 0;
}

int store_read_head(struct store *s, struct store_head *ret)
{
    *ret = (struct store_head){ .there = s->count > 0, .seq = s->count };
    return 0;
}

/* Any answer that the real one can give, as the cursor says. */
int store_audit(struct store *s, struct store_audit *a)
{
    if (a->seq > ROWS)
        return -EIO;
    a->ended = a->seq >= s->count;
    a->fault = a->hash[0] % (AUDIT_JOB + 1);
    a->found_seq = a->find != NULL ? a->find[0] : 0;
    memcpy(a->fault_job, a->hash, ULID_LEN); /* bytes that are no text */
    memcpy(a->text, a->hash, ULID_LEN);
    a->seq++;
    return store_read_head(s, &a->head);
}

int store_list(struct store *s, const struct store_filter *f, struct store_job *ret, int max)
{
    uint32_t states = f->states;
    const char *before = f->before;
    int n = 0;

    for (unsigned i = s->count; i-- > 0 && n < max;)
        if ((states == 0 || (states & 1u << s->rows[i].job.state) != 0) && (before == NULL || strcmp(s->rows[i].job.id, before) < 0))
            ret[n++] = s->rows[i].job;
    return n;
}

int store_each_unfinished(struct store *s, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

#include "empty_store.h"

static void take(struct store_blob *to, struct store_blob *from)
{
    *to = *from;
    *from = (struct store_blob){ 0 };
}

static int commit_submit(struct store *s, struct store_op *op)
{
    struct row *r = &s->rows[s->count];

    if (row_of(s, op->job) != NULL)
        return -EEXIST;
    if (s->count == ROWS)
        return -ENOSPC;
    *r = (struct row){ .job = op->submit.row };
    memcpy(r->job.id, op->job, sizeof(op->job));
    if (r->job.state == PB__STATE__STATE_NONE)
        r->job.state = PB__STATE__STATE_READY;
    take(&r->spec, &op->submit.spec);
    s->count++;
    return 0;
}

static void commit_claim(struct store *s, struct store_claim *c)
{
    struct row *r = row_of(s, c->job);

    c->status = r == NULL ? -ENOENT : r->receipt.bytes != NULL ? -EEXIST : 0;
    if (c->status != 0)
        return;
    r->job.attempt = c->attempt;
    r->job.epoch = c->epoch;
    r->job.state = PB__STATE__STATE_CLAIMED;
}

static int commit(struct store *s, struct store_op *op)
{
    struct row *r = row_of(s, op->job);

    if (s->fail != 0)
        return s->fail;
    for (size_t i = 0; op->kind == STORE_CLAIM && i < op->claims.n; i++)
        commit_claim(s, &op->claims.at[i]);
    if (op->kind == STORE_CLAIM)
        return 0;
    if (op->kind == STORE_SUBMIT)
        return commit_submit(s, op);
    if (r == NULL)
        return -ENOENT;
    if (r->receipt.bytes != NULL)
        return -EEXIST;
    if (op->kind == STORE_MOVE) {
        r->job.attempt = op->move.attempt;
        r->job.epoch = op->move.epoch;
        r->job.state = op->move.state;
    }
    if (op->kind == STORE_FINISH) {
        struct frame f;

        assert(frame_decode(&f, &pb__receipt__descriptor, op->finish.receipt.bytes, op->finish.receipt.len, FRAME_MAX_CONTROL) == 0);
        frame_release(&f);
        r->job.attempt = op->finish.attempt;
        r->job.epoch = op->finish.epoch;
        r->job.state = op->finish.state;
        r->job.cause = op->finish.cause;
        take(&r->receipt, &op->finish.receipt);
        for (unsigned i = 0; i < STORE_STREAMS; i++)
            take(&r->out[i], &op->finish.out[i]);
    }
    return 0;
}

/* As on_store() of main.c. */
static void collect(struct broker *b)
{
    struct store *s = b->store;

    while (s->first != NULL) {
        struct store_op *op = s->first;

        s->first = op->next;
        if (s->first == NULL)
            s->last = &s->first;
        s->pending--;
        op->status = commit(s, op);
        if (op->done != NULL)
            op->done(op);
        jobs_on_op(&b->jobs, op);
        store_op_free(op);
    }
}

static void empty_store(struct store *s)
{
    while (s->first != NULL) {
        struct store_op *next = s->first->next;

        store_op_free(s->first);
        s->first = next;
    }
    for (unsigned i = 0; i < s->count; i++) {
        free(s->rows[i].spec.bytes);
        free(s->rows[i].receipt.bytes);
        for (unsigned k = 0; k < STORE_STREAMS; k++)
            free(s->rows[i].out[k].bytes);
    }
    *s = (struct store){ .last = &s->first };
}

/* ---- in the socket's place --------------------------------------------------------------------------------------------------------------------- */

static void reply_goes_out(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    struct frame f;
    uint8_t *bytes;
    size_t len;
    int rc = frame_pack(m, &bytes, &len);

    (void)s;
    assert(rc == 0 && way.peer != 0);
    rc = frame_decode(&f, &pb__reply__descriptor, bytes, len, FRAME_MAX_CONTROL);
    assert(rc == 0);
    frame_release(&f);
    free(bytes);
    replies++;
}

static void peer_is_dropped(struct rep_socket *s, uint32_t peer)
{
    (void)s;
    (void)peer;
    dropped++;
}

/* ---- what can happen ---------------------------------------------------------------------------------------------------------------------- */

static unsigned parked(const struct control *c)
{
    const struct control_peer *p;
    unsigned n = 0;

    for (p = c->peers; p != NULL; p = p->hh.next)
        n += p->parked;
    return n;
}

static void check_fates(const struct broker *b)
{
    unsigned in_flight = b->events.n_waiters;

    for (const struct store_op *op = b->store->first; op != NULL; op = op->next)
        in_flight += op->owner != NULL; /* whose answer comes with its commit */
    assert(b->control.requests == replies + dropped + forsaken + parked(&b->control) + in_flight);
}

static void peer_gone(struct broker *b, unsigned who)
{
    unsigned before = parked(&b->control) + b->events.n_waiters;

    control_on_peer(&b->control, who, 0);
    forsaken += before - parked(&b->control) - b->events.n_waiters;
}

static void request(struct broker *b, uint32_t who, const uint8_t *bytes, size_t len)
{
    control_on_peer(&b->control, who + 1, 1);
    control_on_message(&b->control, (struct rep_way){ who + 1, 0x80000000u }, bytes, len);
}

static struct worker *working(struct broker *b)
{
    for (struct worker *w = b->pool.all; w != NULL; w = w->next)
        if (w->job != NULL)
            return w;
    return b->pool.all;
}

/* The workers' ends of their links. */
static struct far_end {
    uint64_t worker;
    int fd; /* 0: none */
} far_ends[LINKS];

static void hear_all(void)
{
    for (unsigned i = 0; i < LINKS; i++)
        if (far_ends[i].fd != 0)
            (void)bare_heard(far_ends[i].fd);
}

static void close_ends_of_the_dead(struct pool *p)
{
    for (unsigned i = 0; i < LINKS; i++)
        if (far_ends[i].fd != 0 && pool_find(p, far_ends[i].worker) == NULL) {
            (void)close(far_ends[i].fd);
            far_ends[i].fd = 0;
        }
}

static void new_worker(struct bare_broker *bb, unsigned engine)
{
    struct worker *w;
    unsigned at = 0;

    close_ends_of_the_dead(&bb->b.pool);
    while (at < LINKS && far_ends[at].fd != 0)
        at++;
    if (at == LINKS || bb->b.pool.idle + bb->b.pool.busy >= 4)
        return;
    bb->engine = (int)engine % ENGINE_COUNT;
    w = bare_worker(bb);
    far_ends[at] = (struct far_end){ w->id, bare_open_link(bb, w) };
    w->hello = 1;
    w->pid = NOBODY;
    w->seal[w->seal_count++] = strdup("seccomp");
    w->landlock_abi = 1;
    pool_set_phase(w, WORKER_IDLE);
    jobs_dispatch(&bb->b.jobs);
}

static void end_worker(struct worker *w, const uint8_t *bytes, size_t len)
{
    Pb__Exited e = PB__EXITED__INIT;

    if (w == NULL)
        return;
    e.code = len > 0 ? bytes[0] % 8 : 1;
    e.status = len > 1 ? bytes[1] : 0;
    w->gone = 1;
    pool_on_exited(w, &e);
}

static uint64_t clock_ahead_us;

uint64_t loop_clock_us(void)
{
    return loop_clock_us_real() + clock_ahead_us;
}

static void turn_clock(struct broker *b, const uint8_t *bytes, size_t len)
{
    uint64_t ms = 0;

    for (size_t i = 0; i < len && i < 3; i++)
        ms = ms << 8 | bytes[i];
    clock_ahead_us += ms * 1000;
    b->loop.now_us = loop_clock_us();
    timers_run(&b->loop.timers, b->loop.now_us);
}

static void happen(struct broker *b, unsigned what, unsigned who, const uint8_t *bytes, size_t len)
{
    struct worker *w = working(b);

    switch (what) {
    case REQUEST:
    case REQUEST_2: request(b, who % 4, bytes, len); break;
    case WORKER_SAYS:
        if (w != NULL)
            gate_receive(w, bytes, len);
        break;
    case WORKER_NEW: new_worker(&bare, who); break;
    case WORKER_ENDS: end_worker(w, bytes, len); break;
    case CLOCK: turn_clock(b, bytes, len); break;
    case PEER_GONE: peer_gone(b, who % 4 + 1); break;
    default: /* who: collect, or break the disk, mend it, drain */
        if (who % 4 == 0)
            collect(b);
        else if (who % 4 == 3)
            b->phase = BROKER_DRAINING;
        else if (store_pending(b->store) == 0) /* an id that was promised a good disk keeps it */
            b->store->fail = who % 4 == 1 ? -ENOSPC : 0;
    }
}

static void begin(struct broker *b)
{
    if (bare.dir == NULL && bare_start(&bare) != 0)
        abort();
    empty_store(&disk);
    b->store = &disk;
    b->phase = BROKER_UP;
    clock_ahead_us = 0;
    b->loop.now_us = loop_clock_us();
    b->control = (struct control){ .broker = b, .send = reply_goes_out, .drop = peer_is_dropped };
    events_finish(&b->events);
    events_init(&b->events, b);
    b->pool.last_id = 0;
    replies = dropped = forsaken = 0;
}

static void end(struct broker *b)
{
    for (unsigned who = 1; who <= 4; who++)
        peer_gone(b, who);
    assert(parked(&b->control) == 0 && b->control.peer_count == 0);
    bare_clear(&bare);
    events_finish(&b->events);
    close_ends_of_the_dead(&b->pool);
    assert(b->loop.timers.count == 0); /* all were cancelled by their owners */
    empty_store(&disk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct broker *b = &bare.b;

    begin(b);
    while (size >= 3) {
        unsigned what = data[0] & 7, who = data[0] >> 3;
        size_t len = data[1] | (size_t)data[2] << 8;

        data += 3;
        size -= 3;
        len = len < size ? len : size;
        happen(b, what, who, data, len);
        hear_all();
        check_fates(b);
        data += len;
        size -= len;
    }
    end(b);
    return 0;
}

__attribute__((destructor)) static void finish(void)
{
    if (bare.dir != NULL)
        bare_stop(&bare);
}
