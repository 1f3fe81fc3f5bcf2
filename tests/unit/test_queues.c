/* test_queues.c - queues between workers and host programs that are played: order, bounds, patience, ends of senders, getters and queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "asks_fixture.h"
#include "broker/queues_own.h"

#undef CE
#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

enum { FOR_EVER = -1, NOT_AT_ALL = 0, A_SECOND = 1000000 };

/* Which queue, for those who name it by a handle and those who name it by its id. */
struct name {
    uint32_t handle;
    const char *id;
};
#define BY(h)    ((struct name){ h, NULL })
#define NAMED(n) ((struct name){ 0, n })

static void fill(Pb__Ref *ref, struct name n)
{
    pb__ref__init(ref);
    ref->handle = n.handle;
    if (n.id != NULL)
        ref->id = (char *)(uintptr_t)n.id;
}

struct how {
    const char *name;
    uint32_t max_items;
    uint64_t max_bytes;
    Pb__Unbound unbound;
    bool durable;
};

static const Pb__Answer *asks_create(struct end *e, struct how how)
{
    ASK(m, QueueCreate, QUEUE_CREATE, queue_create, QUEUE_CREATE);

    m_body.name = how.name != NULL ? (char *)(uintptr_t)how.name : m_body.name;
    m_body.max_items = how.max_items;
    m_body.max_bytes = how.max_bytes;
    m_body.unbound = how.unbound;
    m_body.durable = how.durable;
    return asks(e, &m);
}

static struct name created(struct end *e, struct how how)
{
    const Pb__Answer *a = answered(asks_create(e, how), HANDLE);

    assert_int_equal(a->handle->rights, RIGHTS_QUEUE);
    return BY(a->handle->handle);
}

static const Pb__Answer *asks_open(struct end *e, const char *name, uint32_t rights)
{
    ASK(m, QueueOpen, QUEUE_OPEN, queue_open, QUEUE_OPEN);

    m_body.name = (char *)(uintptr_t)name;
    m_body.rights = rights;
    return asks(e, &m);
}

/* A put of up to 8 texts, each an item; the number of the ask. */
static uint64_t says_put(struct end *e, struct name q, int64_t timeout_us, Pb__Unbound unbound, const char *const *texts)
{
    static Pb__Value values[QUEUE_BATCH + 1], *list[QUEUE_BATCH + 1];
    Pb__Ref ref;
    ASK(m, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    fill(&ref, q);
    for (; texts[m_body.n_items] != NULL; m_body.n_items++) {
        Pb__Value *v = &values[m_body.n_items];

        pb__value__init(v);
        v->cbor.data = (uint8_t *)(uintptr_t)texts[m_body.n_items];
        v->cbor.len = strlen(texts[m_body.n_items]);
        list[m_body.n_items] = v;
    }
    m_body.queue = &ref;
    m_body.items = list;
    m_body.timeout_us = timeout_us;
    m_body.unbound = unbound;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}
#define TEXTS(...)             ((const char *const[]){ __VA_ARGS__, NULL })
#define puts_(e, q, wait, ...) says_put(e, q, wait, UB(NONE), TEXTS(__VA_ARGS__))

static uint64_t says_get(struct end *e, struct name q, uint32_t max, int64_t timeout_us)
{
    Pb__Ref ref;
    ASK(m, QueueGet, QUEUE_GET, queue_get, QUEUE_GET);

    fill(&ref, q);
    m_body.queue = &ref;
    m_body.max = max;
    m_body.timeout_us = timeout_us;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static const Pb__Answer *asks_close(struct end *e, struct name q, bool discard)
{
    Pb__Ref ref;
    ASK(m, QueueClose, QUEUE_CLOSE, queue_close, QUEUE_CLOSE);

    fill(&ref, q);
    m_body.queue = &ref;
    m_body.discard = discard;
    return asks(e, &m);
}

static const Pb__QueueStatus *info(struct end *e, struct name q)
{
    Pb__Ref ref;
    ASK(m, QueueInfo, QUEUE_INFO, queue_info, QUEUE_INFO);

    fill(&ref, q);
    m_body.queue = &ref;
    return answered(asks(e, &m), QUEUE)->queue;
}

static void taken_by(const Pb__Answer *a, uint32_t count, const char *file, int line)
{
    answered_by(a, BODY(TAKEN), file, line);
    if (a->taken->count != count) {
        print_error("%u taken, not %u\n", a->taken->count, count);
        _fail(file, line);
    }
}
#define taken(a, count) taken_by(a, count, __FILE__, __LINE__)

/* The items of an answer are these; "!" is one whose sender has ended. */
static void got_by(const Pb__Answer *a, const char *const *texts, const char *file, int line)
{
    size_t n = 0;

    answered_by(a, BODY(ITEMS), file, line);
    for (; texts[n] != NULL; n++) {
        const Pb__QueueItem *i = n < a->items->n_items ? a->items->items[n] : NULL;

        if (i != NULL && texts[n][0] == '!' && i->unbound == UB(REPLACE) && i->value == NULL)
            continue;
        if (i == NULL || i->value == NULL || i->value->cbor.len != strlen(texts[n]) ||
            memcmp(i->value->cbor.data, texts[n], i->value->cbor.len) != 0) {
            print_error("item %zu is not %s\n", n, texts[n]);
            _fail(file, line);
        }
    }
    if (n != a->items->n_items) {
        print_error("%zu items, not %zu\n", a->items->n_items, n);
        _fail(file, line);
    }
}
#define got(a, ...) got_by(a, TEXTS(__VA_ARGS__), __FILE__, __LINE__)

/* A worker whose job has memory for queues. */
static struct end *a_maker(struct world *w, const char *const *caps)
{
    struct end *e = a_worker(w, caps);

    e->job->limits.memory_bytes = 64 << 20;
    return e;
}

static void pass_time(struct world *w, uint64_t us)
{
    w->bare.b.loop.now_us += us;
    timers_run(&w->bare.b.loop.timers, w->bare.b.loop.now_us);
}

static int stop(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_ends; i++)
        leaves(w->ends[i]);
    queues_finish(&w->bare.b);
    assert_int_equal(w->bare.b.queues.count, 0);
    assert_int_equal(w->bare.b.queues.reserved, 0);
    assert_int_equal(w->bare.b.queues.reserved_host, 0);
    assert_int_equal(w->bare.b.queues.waiting, 0);
    assert_null(w->bare.b.queues.dead);
    return world_stop(state);
}

#define QUEUES_CAPS CAPS("queues")

/* ---- order --------------------------------------------------------------------------------------------------------------------------- */

static void items_come_out_as_they_went_in(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ 0 });

    taken(heard(a, puts_(a, q, NOT_AT_ALL, "1", "2", "3")), 3);
    taken(heard(a, puts_(a, q, NOT_AT_ALL, "4")), 1);
    got(heard(a, says_get(a, q, 2, NOT_AT_ALL)), "1", "2");
    got(heard(a, says_get(a, q, 0, NOT_AT_ALL)), "3");
    got(heard(a, says_get(a, q, 100, NOT_AT_ALL)), "4");
    failed(heard(a, says_get(a, q, 1, NOT_AT_ALL)), QUEUE_EMPTY, "is empty");
    assert_int_equal(info(a, q)->put_total, 4);
    assert_int_equal(info(a, q)->got_total, 4);
    assert_int_equal(info(a, q)->bytes, 0);
}

static void getters_are_served_in_the_order_in_which_they_came(void **state)
{
    struct end *h = a_host(*state), *g[3] = { a_host(*state), a_maker(*state, CAPS("queue=jobs:recv")), a_host(*state) };
    uint64_t asked[3];
    struct name q[3] = { NAMED("jobs"), { 0 }, NAMED("jobs") };

    created(h, (struct how){ .name = "jobs" });
    q[1] = BY(answered(asks_open(g[1], "jobs", 0), HANDLE)->handle->handle);
    for (int i = 0; i < 3; i++)
        asked[i] = says_get(g[i], q[i], 1, FOR_EVER);
    assert_int_equal(info(h, NAMED("jobs"))->getters, 3);
    taken(heard(h, puts_(h, NAMED("jobs"), NOT_AT_ALL, "a", "b")), 2);
    got(heard(g[0], asked[0]), "a");
    got(heard(g[1], asked[1]), "b");
    assert_null(heard(g[2], asked[2]));
    taken(heard(h, puts_(h, NAMED("jobs"), NOT_AT_ALL, "c")), 1);
    got(heard(g[2], asked[2]), "c");
}

static void nobody_passes_a_putter_who_waits(void **state)
{
    struct end *a = a_host(*state), *b = a_host(*state), *g = a_host(*state);
    struct name q = NAMED("narrow");
    uint64_t first, second, third;

    created(a, (struct how){ .name = "narrow", .max_items = 2 });
    first = puts_(a, q, FOR_EVER, "a1", "a2", "a3", "a4");
    assert_null(heard(a, first));
    second = puts_(b, q, FOR_EVER, "b1");
    third = puts_(b, q, FOR_EVER, "b2");
    failed(heard(b, puts_(b, q, NOT_AT_ALL, "b3")), QUEUE_FULL, "is full");
    assert_int_equal(info(a, q)->putters, 3);
    got(heard(g, says_get(g, q, 1, NOT_AT_ALL)), "a1");
    assert_null(heard(a, first));
    failed(heard(b, puts_(b, q, NOT_AT_ALL, "b3")), QUEUE_FULL, "is full");
    got(heard(g, says_get(g, q, 9, NOT_AT_ALL)), "a2", "a3");
    taken(heard(a, first), 4);
    taken(heard(b, second), 1);
    assert_null(heard(b, third));
    got(heard(g, says_get(g, q, 9, NOT_AT_ALL)), "a4", "b1");
    taken(heard(b, third), 1);
    got(heard(g, says_get(g, q, 9, NOT_AT_ALL)), "b2");
}

/* ---- bounds ---------------------------------------------------------------------------------------------------------------------------- */

static void bytes_bound_a_queue_as_items_do(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ .max_bytes = 10 });
    const Pb__Answer *m;
    uint64_t waits;

    taken(heard(a, puts_(a, q, NOT_AT_ALL, "123456")), 1);
    waits = puts_(a, q, FOR_EVER, "12345");
    assert_null(heard(a, waits));
    m = failed(heard(a, puts_(a, q, FOR_EVER, "1", "12345678901")), TOO_BIG, "11 bytes");
    assert_string_equal(m->failure->path, "items[2]");
    got(heard(a, says_get(a, q, 1, NOT_AT_ALL)), "123456");
    taken(heard(a, waits), 1);
    assert_int_equal(info(a, q)->bytes, 5);
}

static void a_put_that_runs_out_of_time_says_how_much_is_in(void **state)
{
    struct world *w = *state;
    struct end *a = a_maker(w, QUEUES_CAPS);
    struct name q = created(a, (struct how){ .max_items = 2 });
    uint64_t some, none;

    some = puts_(a, q, A_SECOND, "1", "2", "3");
    none = puts_(a, q, 2 * A_SECOND, "4");
    pass_time(w, A_SECOND - 1);
    assert_null(heard(a, some));
    pass_time(w, 1);
    taken(heard(a, some), 2);
    assert_null(heard(a, none));
    pass_time(w, A_SECOND);
    failed(heard(a, none), QUEUE_FULL, "is full");
    failed(heard(a, puts_(a, q, NOT_AT_ALL, "5")), QUEUE_FULL, "is full");
    got(heard(a, says_get(a, q, 9, NOT_AT_ALL)), "1", "2");
}

static void a_get_that_runs_out_of_time_finds_it_empty(void **state)
{
    struct world *w = *state;
    struct end *a = a_maker(w, QUEUES_CAPS);
    struct name q = created(a, (struct how){ 0 });
    uint64_t n = says_get(a, q, 1, A_SECOND);

    pass_time(w, A_SECOND);
    failed(heard(a, n), QUEUE_EMPTY, "is empty");
    assert_int_equal(info(a, q)->getters, 0);
    taken(heard(a, puts_(a, q, NOT_AT_ALL, "1")), 1);
    got(heard(a, says_get(a, q, 1, NOT_AT_ALL)), "1");
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
    struct end *h = a_host(*state), *a = a_maker(*state, QUEUES_CAPS), *bare = a_maker(*state, NULL);
    const char *many[QUEUE_BATCH + 2] = { 0 };
    struct name q;

    failed(asks_create(h, (struct how){ .max_items = QUEUE_ITEMS_MAX + 1 }), BAD_REQUEST, "at most");
    failed(asks_create(h, (struct how){ .max_bytes = QUEUE_BYTES_MAX + 1 }), BAD_REQUEST, "at most");
    failed(asks_create(h, (struct how){ .unbound = 5 }), BAD_REQUEST, "no such policy");
    failed(asks_create(h, (struct how){ .name = "a\nb" }), BAD_REQUEST, "control");
    failed(asks_create(h, (struct how){ .name = "01ARZ3NDEKTSV4RRFFQ69G5FAV" }), BAD_REQUEST, "id");
    failed(asks_create(h, (struct how){ .durable = true }), BAD_REQUEST, "needs a name");
    failed(asks_create(a, (struct how){ .name = "mine" }), NOT_ALLOWED, "host programs");
    failed(asks_create(a, (struct how){ .durable = true }), NOT_ALLOWED, "host programs");
    failed(asks_create(bare, (struct how){ 0 }), NOT_ALLOWED, "capability queues");
    q = created(a, (struct how){ 0 });
    failed(heard(a, says_get(a, q, 1, -2)), BAD_REQUEST, "timeout");
    failed(heard(a, puts_(a, q, -2, "1")), BAD_REQUEST, "timeout");
    failed(heard(a, says_put(a, q, NOT_AT_ALL, 5, TEXTS("1"))), BAD_REQUEST, "no such policy");
    for (unsigned i = 0; i <= QUEUE_BATCH; i++)
        many[i] = "1";
    failed(heard(h, says_put(h, NAMED("none"), NOT_AT_ALL, UB(NONE), many)), NOT_FOUND, "no queue none");
    created(h, (struct how){ .name = "here" });
    failed(heard(h, says_put(h, NAMED("here"), NOT_AT_ALL, UB(NONE), many)), TOO_BIG, "at most 256");
    failed(asks_create(h, (struct how){ .name = "here" }), NAME_TAKEN, "of this name");
    failed(heard(a, says_get(a, NAMED("here"), 1, NOT_AT_ALL)), NOT_ALLOWED, "by its handle");
    failed(heard(a, says_get(a, BY(99), 1, NOT_AT_ALL)), BAD_HANDLE, "99");
    failed(asks_open(a, "here", 0), NOT_ALLOWED, "queue=here");
    failed(asks_open(h, "here", 1 << 20), BAD_REQUEST, "no such right");
    failed(asks_open(h, "there", 0), NOT_FOUND, "no such queue");
    taken(heard(a, says_put(a, q, NOT_AT_ALL, UB(NONE), TEXTS(NULL))), 0);
}

/* What is no whole id is a name, whatever its letters. */
static void a_name_may_have_the_letters_of_an_id(void **state)
{
    struct end *h = a_host(*state);

    created(h, (struct how){ .name = "messages" });
    created(h, (struct how){ .name = "events-by-day" });
    failed(asks_create(h, (struct how){ .name = "01ARZ3NDEKTSV4RRFFQ69G5FAV" }), BAD_REQUEST, "the id of something");
}

static void a_capability_gives_the_rights_that_it_names(void **state)
{
    struct end *h = a_host(*state), *s = a_maker(*state, CAPS("queue=jobs:send")), *r = a_maker(*state, CAPS("queue=jobs:recv"));
    struct name to, from;

    created(h, (struct how){ .name = "jobs" });
    to = BY(answered(asks_open(s, "jobs", 0), HANDLE)->handle->handle);
    from = BY(answered(asks_open(r, "jobs", 0), HANDLE)->handle->handle);
    failed(asks_open(s, "jobs", RIGHT(RECV)), NOT_ALLOWED, "less");
    taken(heard(s, puts_(s, to, NOT_AT_ALL, "1")), 1);
    failed(heard(s, says_get(s, to, 1, NOT_AT_ALL)), NOT_ALLOWED, "right");
    failed(heard(r, puts_(r, from, NOT_AT_ALL, "1")), NOT_ALLOWED, "right");
    failed(asks_close(s, to, false), NOT_ALLOWED, "right");
    got(heard(r, says_get(r, from, 1, NOT_AT_ALL)), "1");
}

static void a_job_has_as_many_queues_as_it_was_given_and_has_memory_for(void **state)
{
    struct end *a = a_maker(*state, CAPS("queues=2"));
    struct name q;

    a->job->limits.memory_bytes = 8 << 20;
    q = created(a, (struct how){ .max_bytes = 4 << 20 });
    failed(asks_create(a, (struct how){ .max_bytes = 4 << 20 }), LIMIT, "memory limit");
    created(a, (struct how){ .max_bytes = 1 << 20 });
    failed(asks_create(a, (struct how){ .max_bytes = 1, .max_items = 1 }), LIMIT, "2 queues");
    answered(asks_drop(a, q.handle), DONE);
    created(a, (struct how){ .max_bytes = 4 << 20 });
}

static void all_queues_together_are_bounded(void **state)
{
    struct world *w = *state;
    struct end *h = a_host(w);
    char name[32];
    unsigned n = 0;

    while (snprintf(name, sizeof(name), "q%u", n) > 0 &&
           asks_create(h, (struct how){ .name = name, .max_bytes = 64 << 20, .max_items = 1 })->body_case == BODY(HANDLE))
        n++;
    assert_int_equal(n, QUEUES_RESERVED_HOST / (64 << 20) - 1); /* an item's cost each */
    assert_true(w->bare.b.queues.reserved <= QUEUES_RESERVED);
    created(a_maker(w, QUEUES_CAPS), (struct how){ .max_bytes = 1 << 20 }); /* what is left is for jobs */
}

static void what_waits_for_room_is_bounded(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ .max_items = 1 });
    static char big[60000];
    const char *const four[] = { big, big, big, big, NULL };
    const Pb__Answer *refused = NULL;
    unsigned parked = 0;

    memset(big, 'x', sizeof(big) - 1);
    taken(heard(a, puts_(a, q, NOT_AT_ALL, "1")), 1);
    while (refused == NULL && parked < 1000) {
        refused = heard(a, says_put(a, q, FOR_EVER, UB(NONE), four));
        parked += refused == NULL;
    }
    failed(refused, LIMIT, "");
    assert_true(parked > 60 && parked * 4 * sizeof(big) <= QUEUE_WAITING_MAX + (1 << 20));
    got(heard(a, says_get(a, q, 1, NOT_AT_ALL)), "1"); /* it goes on */
}

/* ---- the end of things -------------------------------------------------------------------------------------------------------------------- */

static void a_closed_queue_takes_nothing_and_gives_what_it_has(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ .max_items = 2 });
    uint64_t partly = puts_(a, q, FOR_EVER, "1", "2", "3"), waits = puts_(a, q, FOR_EVER, "4");
    const Pb__Answer *m;

    answered(asks_close(a, q, false), DONE);
    taken(heard(a, partly), 2);
    failed(heard(a, waits), CLOSED, "is closed");
    failed(heard(a, puts_(a, q, FOR_EVER, "5")), CLOSED, "is closed");
    m = heard(a, says_get(a, q, 1, FOR_EVER));
    got(m, "1");
    assert_false(m->items->closed);
    m = heard(a, says_get(a, q, 9, FOR_EVER));
    got(m, "2");
    assert_true(m->items->closed);
    failed(heard(a, says_get(a, q, 9, FOR_EVER)), CLOSED, "is closed");
    answered(asks_close(a, q, false), DONE);
}

static void closing_tells_those_who_wait_and_discards_when_told_to(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ 0 }), p = created(a, (struct how){ 0 });
    uint64_t waits = says_get(a, q, 1, FOR_EVER);

    answered(asks_close(a, q, false), DONE);
    failed(heard(a, waits), CLOSED, "is closed");
    taken(heard(a, puts_(a, p, NOT_AT_ALL, "1", "2")), 2);
    answered(asks_close(a, p, true), DONE);
    assert_int_equal(info(a, p)->items, 0);
    assert_int_equal(info(a, p)->bytes, 0);
    failed(heard(a, says_get(a, p, 9, FOR_EVER)), CLOSED, "is closed");
}

static void who_cancels_takes_what_is_in_and_leaves_the_line(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS);
    struct name q = created(a, (struct how){ .max_items = 2 }), p = created(a, (struct how){ 0 });
    uint64_t partly = puts_(a, q, FOR_EVER, "1", "2", "3"), none = puts_(a, q, FOR_EVER, "4"), g = says_get(a, p, 1, FOR_EVER);

    answered(asks_cancel(a, partly), DONE);
    taken(heard(a, partly), 2);
    answered(asks_cancel(a, none), DONE);
    failed(heard(a, none), INTERRUPTED, "");
    answered(asks_cancel(a, g), DONE);
    failed(heard(a, g), INTERRUPTED, "");
    taken(heard(a, puts_(a, p, NOT_AT_ALL, "5")), 1);
    got(heard(a, says_get(a, p, 9, NOT_AT_ALL)), "5");
    got(heard(a, says_get(a, q, 9, NOT_AT_ALL)), "1", "2");
    failed(heard(a, says_get(a, q, 9, NOT_AT_ALL)), QUEUE_EMPTY, "");
}

/* Two workers, the second with a handle that was derived from the first's. */
static struct name handed(struct world *w, struct end *from, struct name q, struct end *to)
{
    struct handle *above = handle_find(from->asker, q.handle), *h = handle_new(above->thing, RIGHTS_QUEUE, above);
    struct call_why why;

    (void)w;
    assert_int_equal(handle_give(h, to->asker, NULL, &why), 0);
    return BY(h->number);
}

static void a_revoked_handle_ends_what_waits_through_it(void **state)
{
    struct end *a = a_maker(*state, QUEUES_CAPS), *b = a_maker(*state, NULL);
    struct name q = created(a, (struct how){ .max_items = 1 }), p = created(a, (struct how){ 0 });
    struct name bq = handed(*state, a, q, b), bp = handed(*state, a, p, b);
    uint64_t put, get;

    taken(heard(b, puts_(b, bq, NOT_AT_ALL, "1")), 1);
    put = puts_(b, bq, FOR_EVER, "2");
    get = says_get(b, bp, 1, FOR_EVER);
    answered(asks_revoke(a, q.handle, "", KIND(QUEUE)), DONE);
    failed(heard(b, put), REVOKED, "");
    assert_null(heard(b, get));
    answered(asks_revoke(a, p.handle, "", KIND(QUEUE)), DONE);
    failed(heard(b, get), REVOKED, "");
    failed(heard(b, puts_(b, bq, NOT_AT_ALL, "3")), REVOKED, "");
    got(heard(a, says_get(a, q, 9, NOT_AT_ALL)), "1");
    assert_int_equal(info(a, q)->putters, 0);
}

static void a_workers_queue_ends_with_it_and_with_its_last_handle(void **state)
{
    struct world *w = *state;
    struct end *a = a_maker(w, QUEUES_CAPS), *b = a_maker(w, NULL);
    struct name q = created(a, (struct how){ 0 }), p = created(a, (struct how){ 0 }), bq = handed(w, a, q, b);
    uint64_t waits = says_get(b, bq, 1, FOR_EVER);

    answered(asks_drop(a, p.handle), DONE);
    assert_int_equal(w->bare.b.queues.count, 1);
    leaves(a);
    failed(heard(b, waits), CLOSED, "");
    failed(heard(b, says_get(b, bq, 1, FOR_EVER)), REVOKED, "");
    assert_int_equal(w->bare.b.queues.count, 0);
}

static void a_sessions_anonymous_queue_ends_with_it_and_a_named_one_stays(void **state)
{
    struct world *w = *state;
    struct end *h = a_host(w), *other = a_host(w);

    created(h, (struct how){ .name = "stays" });
    created(h, (struct how){ 0 });
    assert_int_equal(w->bare.b.queues.count, 2);
    leaves(h);
    assert_int_equal(w->bare.b.queues.count, 1);
    assert_string_equal(info(other, NAMED("stays"))->queue->name, "stays");
}

/* One item: nothing but the queue itself. */
static void puts_queue(struct end *a, struct name into, struct name inner, Pb__Unbound unbound)
{
    Pb__Value v = PB__VALUE__INIT, *list = &v;
    Pb__Handle h = PB__HANDLE__INIT, *handles = &h;
    Pb__Ref ref;
    ASK(m, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    h.handle = inner.handle;
    h.kind = KIND(QUEUE);
    v.handles = &handles;
    v.n_handles = 1;
    fill(&ref, into);
    m_body.queue = &ref;
    m_body.items = &list;
    m_body.n_items = 1;
    m_body.unbound = unbound;
    taken(asks(a, &m), 1);
}

/* Each queue lies in the one before, and nobody else has it: one after the other goes, and the stack does not grow with them. */
static void a_chain_of_queues_within_queues_goes_link_by_link(void **state)
{
    struct world *w = *state;
    struct end *a = a_maker(w, CAPS("queues=1000"));
    struct name q = created(a, (struct how){ .max_items = 1, .max_bytes = 300 }), first = q;

    a->job->limits.memory_bytes = 1 << 30;
    for (int i = 0; i < 900; i++) {
        struct name inner = created(a, (struct how){ .max_items = 1, .max_bytes = 300 });

        puts_queue(a, q, inner, UB(NONE));
        if (q.handle != first.handle)
            answered(asks_drop(a, q.handle), DONE);
        q = inner;
    }
    answered(asks_drop(a, q.handle), DONE);
    assert_int_equal(w->bare.b.queues.count, 901);
    answered(asks_drop(a, first.handle), DONE);
    assert_int_equal(w->bare.b.queues.count, 0);
}

/* What was said of items when their sender ends takes the value, and with it the last handle of the queue that it is in. */
static void a_queue_that_lies_in_itself_ends_with_its_sender(void **state)
{
    static const Pb__Unbound said[] = { UB(REPLACE), UB(ERROR), UB(REMOVE), UB(PERSIST) };
    struct world *w = *state;

    for (size_t k = 0; k < sizeof(said) / sizeof(said[0]); k++) {
        struct end *a = a_maker(w, QUEUES_CAPS);
        struct name q = created(a, (struct how){ 0 }), round[2] = { created(a, (struct how){ 0 }), created(a, (struct how){ 0 }) };

        puts_queue(a, q, q, said[k]);
        puts_(a, q, NOT_AT_ALL, "and", "others");
        puts_queue(a, round[0], round[1], said[k]);
        puts_queue(a, round[1], round[0], said[k]);
        answered(asks_drop(a, q.handle), DONE);
        answered(asks_drop(a, round[0].handle), DONE);
        answered(asks_drop(a, round[1].handle), DONE);
        assert_int_equal(w->bare.b.queues.count, 3);
        leaves(a);
        assert_int_equal(w->bare.b.queues.count, 0);
    }
}

/* ---- senders ------------------------------------------------------------------------------------------------------------------------------- */

static void items_become_what_was_said_when_their_sender_ends(void **state)
{
    struct end *h = a_host(*state), *s = a_maker(*state, CAPS("queue=jobs:send"));
    struct name q = NAMED("jobs"), to;
    const Pb__Answer *m;

    created(h, (struct how){ .name = "jobs" });
    to = BY(answered(asks_open(s, "jobs", 0), HANDLE)->handle->handle);
    taken(heard(h, puts_(h, q, NOT_AT_ALL, "host's")), 1);
    taken(heard(s, puts_(s, to, NOT_AT_ALL, "replaced")), 1);
    taken(heard(s, says_put(s, to, NOT_AT_ALL, UB(REMOVE), TEXTS("removed"))), 1);
    taken(heard(s, says_put(s, to, NOT_AT_ALL, UB(PERSIST), TEXTS("kept"))), 1);
    taken(heard(s, says_put(s, to, NOT_AT_ALL, UB(ERROR), TEXTS("fails"))), 1);
    taken(heard(h, puts_(h, q, NOT_AT_ALL, "last")), 1);
    assert_int_equal(info(h, q)->items, 6);
    leaves(s);
    assert_int_equal(info(h, q)->items, 5);
    assert_int_equal(info(h, q)->bytes, strlen("host's") + strlen("kept") + strlen("last"));
    m = heard(h, says_get(h, q, 9, NOT_AT_ALL));
    got(m, "host's", "!", "kept");
    assert_string_equal(m->items->items[1]->sender, s->job->id);
    assert_string_equal(m->items->items[0]->sender, "");
    failed(heard(h, says_get(h, q, 9, NOT_AT_ALL)), ITEM_DESTROYED, "sender");
    got(heard(h, says_get(h, q, 9, NOT_AT_ALL)), "last");
}

static void a_queue_says_what_becomes_of_items_that_say_nothing(void **state)
{
    static const Pb__Unbound said[] = { UB(REPLACE), UB(ERROR), UB(REMOVE), UB(PERSIST) };

    for (int i = 0; i < 4; i++) {
        struct end *h = a_host(*state), *s = a_host(*state);
        struct name q = NAMED("q");
        const Pb__Answer *m;

        created(h, (struct how){ .name = "q", .unbound = said[i] });
        taken(heard(s, puts_(s, q, NOT_AT_ALL, "x")), 1);
        leaves(s);
        m = heard(h, says_get(h, q, 1, NOT_AT_ALL));
        switch (said[i]) {
        case UB(REPLACE): got(m, "!"); break;
        case UB(ERROR): failed(m, ITEM_DESTROYED, "sender"); break;
        case UB(REMOVE): failed(m, QUEUE_EMPTY, "is empty"); break;
        default: got(m, "x");
        }
        queue_end(queue_of(thing_find(((struct world *)*state)->bare.own, KIND(QUEUE), "q")));
    }
}

static void room_that_an_ended_sender_leaves_is_used(void **state)
{
    struct end *h = a_host(*state), *s = a_host(*state);
    struct name q = NAMED("q");
    uint64_t waits;

    created(h, (struct how){ .name = "q", .max_items = 1, .unbound = UB(REMOVE) });
    taken(heard(s, puts_(s, q, NOT_AT_ALL, "x")), 1);
    waits = puts_(h, q, FOR_EVER, "y");
    assert_null(heard(h, waits));
    leaves(s);
    taken(heard(h, waits), 1);
    got(heard(h, says_get(h, q, 1, NOT_AT_ALL)), "y");
}

static void a_putter_that_ends_takes_only_what_is_not_in(void **state)
{
    struct end *h = a_host(*state), *s = a_host(*state), *t = a_host(*state);
    struct name q = NAMED("q");
    uint64_t waits;

    created(h, (struct how){ .name = "q", .max_items = 2, .unbound = UB(PERSIST) });
    assert_null(heard(s, puts_(s, q, FOR_EVER, "1", "2", "3")));
    waits = puts_(t, q, FOR_EVER, "4");
    leaves(s);
    got(heard(h, says_get(h, q, 9, NOT_AT_ALL)), "1", "2");
    taken(heard(t, waits), 1);
    got(heard(h, says_get(h, q, 9, NOT_AT_ALL)), "4");
}

/* What a worker had said when it died is heard, and then it has ended. */
static void a_put_of_the_dead_counts_and_is_an_orphans(void **state)
{
    struct end *h = a_host(*state), *s = a_maker(*state, CAPS("queue=q:both"));
    struct name q = NAMED("q"), to;

    created(h, (struct how){ .name = "q" });
    to = BY(answered(asks_open(s, "q", 0), HANDLE)->handle->handle);
    s->asker->gone = true;
    puts_(s, to, FOR_EVER, "1");
    says_put(s, to, FOR_EVER, UB(PERSIST), TEXTS("2"));
    says_get(s, to, 9, FOR_EVER);
    leaves(s);
    got(heard(h, says_get(h, q, 9, NOT_AT_ALL)), "!", "2");
}

/* ---- getters -------------------------------------------------------------------------------------------------------------------------------- */

static void who_is_gone_is_given_nothing(void **state)
{
    struct end *h = a_host(*state), *g = a_maker(*state, CAPS("queue=q:recv")), *k = a_host(*state);
    struct name q = NAMED("q");
    uint64_t asked;

    created(h, (struct how){ .name = "q" });
    says_get(g, BY(answered(asks_open(g, "q", 0), HANDLE)->handle->handle), 1, FOR_EVER);
    asked = says_get(k, q, 1, FOR_EVER);
    g->asker->gone = true;
    taken(heard(h, puts_(h, q, NOT_AT_ALL, "1")), 1);
    got(heard(k, asked), "1");
}

/* Its end of the link is closed: it is dead, and nobody has said so yet. */
static void what_a_dead_getter_was_given_comes_back_in_front(void **state)
{
    struct end *h = a_host(*state), *g = a_maker(*state, CAPS("queue=q:recv"));
    struct name q = NAMED("q"), from;

    created(h, (struct how){ .name = "q" });
    from = BY(answered(asks_open(g, "q", 0), HANDLE)->handle->handle);
    says_get(g, from, 2, FOR_EVER);
    says_get(g, from, 1, FOR_EVER);
    (void)close(g->fd);
    g->fd = -1;
    taken(heard(h, puts_(h, q, NOT_AT_ALL, "1", "2", "3", "4")), 4);
    assert_int_equal(info(h, q)->items, 1);
    leaves(g);
    assert_int_equal(info(h, q)->items, 4);
    assert_int_equal(info(h, q)->got_total, 0);
    got(heard(h, says_get(h, q, 9, NOT_AT_ALL)), "1", "2", "3", "4");
}

/* It reads nothing: what its socket has not taken comes back when it ends, what it has taken may have been read. */
static void what_a_slow_getter_was_not_sent_comes_back_in_order(void **state)
{
    struct end *h = a_host(*state), *g = a_maker(*state, CAPS("queue=q:recv"));
    struct name q = NAMED("q"), from;
    static char big[40][60000];
    const Pb__Answer *m;
    unsigned back, next;

    created(h, (struct how){ .name = "q", .max_bytes = 16 << 20 });
    from = BY(answered(asks_open(g, "q", 0), HANDLE)->handle->handle);
    for (unsigned i = 0; i < 40; i++) {
        says_get(g, from, 1, FOR_EVER);
        memset(big[i], 'a' + (int)i, sizeof(big[i]) - 1);
    }
    for (unsigned i = 0; i < 40; i++)
        taken(heard(h, puts_(h, q, NOT_AT_ALL, big[i])), 1);
    assert_int_equal(info(h, q)->items, 0);
    leaves(g);
    back = info(h, q)->items;
    assert_true(back > 10 && back < 40);
    for (next = 40 - back; next < 40; next++) {
        m = heard(h, says_get(h, q, 1, NOT_AT_ALL));
        got(m, big[next]);
    }
}

/* It comes back with what was in it, and the getter has it no more. */
static void a_handle_in_an_item_comes_back_with_it(void **state)
{
    struct end *h = a_host(*state), *a = a_maker(*state, QUEUES_CAPS), *g = a_maker(*state, CAPS("queue=q:both"));
    struct name q = NAMED("q"), inner = created(a, (struct how){ 0 }), from, aq;
    Pb__Value v = PB__VALUE__INIT, *list = &v;
    Pb__Handle told = PB__HANDLE__INIT, *handles = &told;
    Pb__Ref ref;
    const Pb__Answer *m;
    ASK(put, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    created(h, (struct how){ .name = "q" });
    from = BY(answered(asks_open(g, "q", 0), HANDLE)->handle->handle);
    aq = handed(*state, g, from, a);
    says_get(g, from, 1, FOR_EVER);
    (void)close(g->fd);
    g->fd = -1;
    told.handle = inner.handle;
    told.kind = KIND(QUEUE);
    v.handles = &handles;
    v.n_handles = 1;
    fill(&ref, aq);
    put_body.queue = &ref;
    put_body.items = &list;
    put_body.n_items = 1;
    put_body.unbound = UB(PERSIST);
    taken(asks(a, &put), 1);
    leaves(g);
    m = heard(h, says_get(h, q, 1, NOT_AT_ALL));
    answered(m, ITEMS);
    assert_int_equal(m->items->items[0]->value->n_handles, 1);
    taken(heard(a, puts_(a, inner, NOT_AT_ALL, "deep")), 1);
    got(heard(h, says_get(h, BY(m->items->items[0]->value->handles[0]->handle), 1, NOT_AT_ALL)), "deep");
}

/* A getter that cannot hold what is in front is told so, and the item is the next one's. */
static void an_item_waits_for_who_has_room_for_its_handles(void **state)
{
    struct end *h = a_host(*state), *a = a_host(*state);
    struct name q = NAMED("q");
    Pb__Value v = PB__VALUE__INIT, *list = &v;
    Pb__Handle told = PB__HANDLE__INIT, *handles = &told;
    Pb__Ref ref;
    uint64_t asked;
    ASK(put, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    created(h, (struct how){ .name = "q" });
    while (handles_room(a->asker) > 0)
        given(a, thing_find(h->asker->estate, KIND(QUEUE), "q"), RIGHTS_QUEUE, NULL);
    asked = says_get(a, q, 1, FOR_EVER);
    told.id = "q";
    told.kind = KIND(QUEUE);
    v.handles = &handles;
    v.n_handles = 1;
    fill(&ref, q);
    put_body.queue = &ref;
    put_body.items = &list;
    put_body.n_items = 1;
    taken(asks(h, &put), 1);
    failed(heard(a, asked), LIMIT, "handles");
    answered(heard(h, says_get(h, q, 1, NOT_AT_ALL)), ITEMS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(items_come_out_as_they_went_in),
        TEST(getters_are_served_in_the_order_in_which_they_came),
        TEST(nobody_passes_a_putter_who_waits),
        TEST(bytes_bound_a_queue_as_items_do),
        TEST(a_put_that_runs_out_of_time_says_how_much_is_in),
        TEST(a_get_that_runs_out_of_time_finds_it_empty),
        TEST(what_makes_no_sense_is_refused_by_name),
        TEST(a_name_may_have_the_letters_of_an_id),
        TEST(a_capability_gives_the_rights_that_it_names),
        TEST(a_job_has_as_many_queues_as_it_was_given_and_has_memory_for),
        TEST(all_queues_together_are_bounded),
        TEST(what_waits_for_room_is_bounded),
        TEST(a_closed_queue_takes_nothing_and_gives_what_it_has),
        TEST(closing_tells_those_who_wait_and_discards_when_told_to),
        TEST(who_cancels_takes_what_is_in_and_leaves_the_line),
        TEST(a_revoked_handle_ends_what_waits_through_it),
        TEST(a_workers_queue_ends_with_it_and_with_its_last_handle),
        TEST(a_sessions_anonymous_queue_ends_with_it_and_a_named_one_stays),
        TEST(a_chain_of_queues_within_queues_goes_link_by_link),
        TEST(a_queue_that_lies_in_itself_ends_with_its_sender),
        TEST(items_become_what_was_said_when_their_sender_ends),
        TEST(a_queue_says_what_becomes_of_items_that_say_nothing),
        TEST(room_that_an_ended_sender_leaves_is_used),
        TEST(a_putter_that_ends_takes_only_what_is_not_in),
        TEST(a_put_of_the_dead_counts_and_is_an_orphans),
        TEST(who_is_gone_is_given_nothing),
        TEST(what_a_dead_getter_was_given_comes_back_in_front),
        TEST(what_a_slow_getter_was_not_sent_comes_back_in_order),
        TEST(a_handle_in_an_item_comes_back_with_it),
        TEST(an_item_waits_for_who_has_room_for_its_handles),
    };

    return cmocka_run_group_tests_name("queues", tests, NULL, NULL);
}
