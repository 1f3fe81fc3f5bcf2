/*
 * test_estate.c - whose things are: names of one tenant, what others see of them (nothing), what an operator may do with them, scopes of calls, shares
 * and quotas.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "broker/calls.h"
#include "broker/kv.h"
#include "broker/queues_own.h"
#include "interps_fixture.h"

#define BODY(name)  PB__ASK__BODY_##name
#define SCOPE(name) ACTOR_##name

enum { ALICE = 70001, BOB = 70002, USER = ACTOR_SUBMIT | ACTOR_READ | ACTOR_CANCEL };

/* fx->host is an operator; these two are users. */
struct peers {
    struct asker alice, bob;
};

static struct peers *peers_of(struct interp_fixture *fx)
{
    static struct peers p;

    asker_init(&p.alice, &fx->bare.b, NULL, 11);
    asker_init(&p.bob, &fx->bare.b, NULL, 12);
    bare_bind(&fx->bare, &p.alice, ALICE, USER);
    bare_bind(&fx->bare, &p.bob, BOB, USER);
    return &p;
}

static void leave(struct peers *p)
{
    interps_session_over(&p->alice);
    interps_session_over(&p->bob);
    asker_finish(&p->alice);
    asker_finish(&p->bob);
}

static struct tenant *tenant_of(struct interp_fixture *fx, uint32_t uid)
{
    return tenants_of_uid(&fx->bare.b.tenants, uid);
}

/* A queue of this name; its id, or NULL when it is refused so. */
static const char *queue(struct interp_fixture *fx, struct asker *by, const char *name, uint64_t bytes, Pb__CallError refused)
{
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;
    uint64_t n;

    m.name = (char *)name;
    m.max_bytes = bytes;
    n = fx_ask(fx, by, BODY(QUEUE_CREATE), &m.base);
    if (refused != CE(NONE)) {
        (void)fx_failure(fx, n, refused);
        return NULL;
    }
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    return fx_answer(fx, n)->handle->id;
}

static uint64_t look(struct interp_fixture *fx, struct asker *by, Pb__Ref *ref)
{
    Pb__QueueInfo m = PB__QUEUE_INFO__INIT;

    m.queue = ref;
    return fx_ask(fx, by, BODY(QUEUE_INFO), &m.base);
}

static uint64_t remove_queue(struct interp_fixture *fx, struct asker *by, const char *name)
{
    Pb__QueueDelete m = PB__QUEUE_DELETE__INIT;

    m.queue = fx_ref(0, name);
    return fx_ask(fx, by, BODY(QUEUE_DELETE), &m.base);
}

static size_t listed(struct interp_fixture *fx, struct asker *by)
{
    Pb__QueueList m = PB__QUEUE_LIST__INIT;
    uint64_t n = fx_ask(fx, by, BODY(QUEUE_LIST), &m.base);

    return fx_answer(fx, n)->queues->n_queues;
}

/* ---- names -------------------------------------------------------------------------------------------------------------------------------- */

static void a_name_is_one_tenants(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    const char *of_alice = queue(fx, &p->alice, "jobs", 0, CE(NONE)), *of_bob = queue(fx, &p->bob, "jobs", 0, CE(NONE));
    uint64_t n;

    assert_string_not_equal(of_alice, of_bob);
    (void)queue(fx, &p->alice, "jobs", 0, CE(NAME_TAKEN));
    n = look(fx, &p->alice, fx_ref(0, "jobs"));
    assert_string_equal(fx_answer(fx, n)->queue->queue->id, of_alice);
    n = look(fx, &p->bob, fx_ref(0, "jobs"));
    assert_string_equal(fx_answer(fx, n)->queue->queue->id, of_bob);
    fx_is_done(fx, remove_queue(fx, &p->bob, "jobs"));
    (void)fx_failure(fx, look(fx, &p->bob, fx_ref(0, "jobs")), CE(NOT_FOUND));
    assert_int_equal(fx_answer(fx, look(fx, &p->alice, fx_ref(0, "jobs")))->body_case, PB__ANSWER__BODY_QUEUE);
    fx_is_done(fx, remove_queue(fx, &p->alice, "jobs"));
    leave(p);
}

/* A failure's words with the text that was asked for cut out. */
static void words_without(const Pb__CallFailure *f, const char *asked, char ret[512])
{
    const char *at = strstr(f->message, asked);

    if (at == NULL)
        snprintf(ret, 512, "%d %s", f->error, f->message);
    else
        snprintf(ret, 512, "%d %.*s*%s", f->error, (int)(at - f->message), f->message, at + strlen(asked));
}

static void same_as_missing(struct interp_fixture *fx, struct asker *by, const char *foreign, const char *missing)
{
    char one[512], other[512];
    uint64_t n = look(fx, by, fx_ref(0, foreign)), m = look(fx, by, fx_ref(0, missing));

    words_without(fx_failure(fx, n, CE(NOT_FOUND)), foreign, one);
    words_without(fx_failure(fx, m, CE(NOT_FOUND)), missing, other);
    assert_string_equal(one, other);
}

static void what_is_anothers_is_answered_as_what_is_not_there(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    const char *id = queue(fx, &p->alice, "secret", 0, CE(NONE));
    char prefix[9];

    (void)snprintf(prefix, sizeof(prefix), "%s", id);
    same_as_missing(fx, &p->bob, id, "01ARZ3NDEKTSV4RRFFQ69G5FAV");
    same_as_missing(fx, &p->bob, prefix, "7ZZZZZZZ");
    same_as_missing(fx, &p->bob, "secret", "secreT");
    (void)fx_failure(fx, look(fx, &p->bob, fx_ref(1, "")), CE(BAD_HANDLE)); /* alice's number for it */
    (void)fx_failure(fx, remove_queue(fx, &p->bob, id), CE(NOT_FOUND));
    assert_int_equal(listed(fx, &p->bob), 0);
    assert_int_equal(listed(fx, &p->alice), 1);
    assert_int_equal(listed(fx, &fx->host), 1);
    fx_is_done(fx, remove_queue(fx, &p->alice, "secret"));
    leave(p);
}

/* Ids of one millisecond begin alike: that of another must not make one's own ambiguous, or somebody could tell that it is there. */
static void anothers_id_makes_no_prefix_ambiguous(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    const char *of_alice = queue(fx, &p->alice, "", 0, CE(NONE)), *of_bob = queue(fx, &p->bob, "", 0, CE(NONE));
    struct thing *a = thing_seen(&p->alice, PB__KIND__KIND_QUEUE, of_alice), *b = thing_seen(&p->bob, PB__KIND__KIND_QUEUE, of_bob);
    char prefix[9];
    uint64_t n;

    thing_unregister(b);
    memcpy(b->id, a->id, 12);
    assert_int_equal(thing_register(b, ""), 0);
    (void)snprintf(prefix, sizeof(prefix), "%s", a->id);
    n = look(fx, &p->alice, fx_ref(0, prefix));
    assert_string_equal(fx_answer(fx, n)->queue->queue->id, a->id);
    n = look(fx, &p->bob, fx_ref(0, prefix));
    assert_string_equal(fx_answer(fx, n)->queue->queue->id, b->id);
    (void)fx_failure(fx, look(fx, &fx->host, fx_ref(0, prefix)), CE(NOT_FOUND)); /* who sees both */
    leave(p);
}

static void an_operator_finds_its_own_first_and_then_all_by_id(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    const char *of_alice = queue(fx, &p->alice, "jobs", 0, CE(NONE));
    uint64_t n;

    (void)fx_failure(fx, look(fx, &fx->host, fx_ref(0, "jobs")), CE(NOT_FOUND)); /* a name is a tenant's */
    n = look(fx, &fx->host, fx_ref(0, of_alice));
    assert_string_equal(fx_answer(fx, n)->queue->queue->id, of_alice);
    (void)queue(fx, &fx->host, "jobs", 0, CE(NONE));
    n = look(fx, &fx->host, fx_ref(0, "jobs"));
    assert_string_not_equal(fx_answer(fx, n)->queue->queue->id, of_alice);
    fx_is_done(fx, remove_queue(fx, &fx->host, "jobs"));
    fx_is_done(fx, remove_queue(fx, &fx->host, of_alice));
    leave(p);
}

/* What an operator holds of one tenant goes to no other, nor what is its own to any: nobody could take it back. */
static void an_operator_hands_nothing_from_one_tenant_to_another(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    struct {
        const char *thing, *into;
        Pb__CallError error;
    } rows[] = {
        {queue(fx,   &p->alice, "a",     0, CE(NONE)), queue(fx, &p->bob, "b", 0, CE(NONE)), CE(NOT_ALLOWED) },
        { queue(fx, &fx->host,  "own",  0, CE(NONE)), NULL, CE(NOT_ALLOWED) },
        { NULL,         NULL,         CE(NONE)},
    };

    rows[1].into = rows[2].into = rows[2].thing = rows[0].into;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__QueuePut m = PB__QUEUE_PUT__INIT;
        Pb__Handle h = PB__HANDLE__INIT, *handles = &h;
        Pb__Value v = PB__VALUE__INIT, *items = &v;
        uint64_t n;

        h.kind = PB__KIND__KIND_QUEUE;
        h.id = (char *)rows[i].thing;
        v.handles = &handles;
        v.n_handles = 1;
        m.queue = fx_ref(0, rows[i].into);
        m.items = &items;
        m.n_items = 1;
        n = fx_ask(fx, &fx->host, BODY(QUEUE_PUT), &m.base);
        if (rows[i].error != CE(NONE))
            (void)fx_failure(fx, n, rows[i].error);
        else
            assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_TAKEN);
    }
    fx_is_done(fx, remove_queue(fx, &p->alice, "a"));
    fx_is_done(fx, remove_queue(fx, &p->bob, "b"));
    fx_is_done(fx, remove_queue(fx, &fx->host, "own"));
    leave(p);
}

static uint64_t put_key(struct interp_fixture *fx, struct asker *by, const char *key, const char *value)
{
    Pb__KvPut m = PB__KV_PUT__INIT;

    m.key = (char *)key;
    m.value = (ProtobufCBinaryData){ strlen(value), (uint8_t *)value };
    return fx_ask(fx, by, BODY(KV_PUT), &m.base);
}

static uint64_t get_key(struct interp_fixture *fx, struct asker *by, const char *key)
{
    Pb__KvGet m = PB__KV_GET__INIT;

    m.key = (char *)key;
    return fx_ask(fx, by, BODY(KV_GET), &m.base);
}

/* Also what was read behind a change that is on its way. */
static void keys_are_each_tenants_own(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    uint64_t of_alice = put_key(fx, &p->alice, "k", "alice's"), of_bob = get_key(fx, &p->bob, "k"), own = get_key(fx, &p->alice, "k");

    (void)fx_failure(fx, of_bob, CE(NOT_FOUND)); /* it waits for nobody's change but its own */
    while (store_pending(fx->store) > 0) {
        struct pollfd in = { .fd = store_event_fd(fx->store), .events = POLLIN };
        struct store_op *op, *next;

        assert_int_equal(poll(&in, 1, 60000), 1);
        for (op = store_collect(fx->store); op != NULL; op = next) {
            next = op->next;
            if (op->done != NULL)
                op->done(op);
            store_op_free(op);
        }
    }
    fx_is_done(fx, of_alice);
    assert_memory_equal(fx_answer(fx, own)->kv_value->value.data, "alice's", 7);
    (void)fx_failure(fx, get_key(fx, &p->bob, "k"), CE(NOT_FOUND));
    (void)fx_failure(fx, get_key(fx, &fx->host, "k"), CE(NOT_FOUND));
    leave(p);
    kv_finish(&fx->bare.b);
}

/* ---- interpreters ------------------------------------------------------------------------------------------------------------------------- */

static void an_interpreter_is_seen_by_its_tenant_alone_also_when_it_has_ended(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    uint64_t n = fx_create(fx, &p->alice, OW(NONE), "mine", 0);
    struct played *w = fx_spare(fx);
    const char *id;
    Pb__InterpList all = PB__INTERP_LIST__INIT;

    fx_starts(w);
    id = fx_answer(fx, n)->handle->id;
    assert_int_equal(job_tenant(w->w->job), ALICE);
    (void)fx_failure(fx, fx_simple(fx, &p->bob, BODY(INTERP_INFO), fx_ref(0, id)), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_simple(fx, &p->bob, BODY(INTERP_INFO), fx_ref(0, "mine")), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_simple(fx, &p->bob, BODY(INTERP_WAIT), fx_ref(0, id)), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_simple(fx, &p->bob, BODY(INTERP_KILL), fx_ref(0, id)), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_call(fx, &p->bob, fx_ref(0, "mine"), "f", 0), CE(NOT_FOUND));
    assert_int_equal(fx_answer(fx, fx_simple(fx, &fx->host, BODY(INTERP_INFO), fx_ref(0, id)))->body_case, PB__ANSWER__BODY_INTERP);
    fx_is_done(fx, fx_simple(fx, &p->alice, BODY(INTERP_KILL), fx_ref(0, "mine")));
    fx_ends(w, CLD_KILLED, SIGKILL);
    fx_commit(fx);
    (void)fx_failure(fx, fx_call(fx, &p->bob, fx_ref(0, "mine"), "f", 0), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_call(fx, &p->bob, fx_ref(0, id), "f", 0), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_call(fx, &p->alice, fx_ref(0, "mine"), "f", 0), CE(DEAD));
    all.all = true;
    n = fx_ask(fx, &p->bob, BODY(INTERP_LIST), &all.base);
    assert_int_equal(fx_answer(fx, n)->interps->n_interps, 0);
    n = fx_ask(fx, &p->alice, BODY(INTERP_LIST), &all.base);
    assert_int_equal(fx_answer(fx, n)->interps->n_interps, 1);
    leave(p);
}

/* Forgotten by the broker, known to the store: nothing more to others for it. */
static void one_that_only_the_store_knows_is_no_bodys_but_its_tenants(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    uint64_t n = fx_create(fx, &p->alice, OW(NONE), "mine", 0);
    struct played *w = fx_spare(fx);
    char id[ULID_LEN + 1];

    fx_starts(w);
    strcpy(id, fx_answer(fx, n)->handle->id);
    fx_is_done(fx, fx_simple(fx, &p->alice, BODY(INTERP_KILL), fx_ref(0, id)));
    fx_ends(w, CLD_KILLED, SIGKILL);
    fx_commit(fx);
    interps_finish(&fx->bare.b);
    (void)fx_failure(fx, fx_call(fx, &p->bob, fx_ref(0, id), "f", 0), CE(NOT_FOUND));
    (void)fx_failure(fx, fx_call(fx, &p->alice, fx_ref(0, id), "f", 0), CE(DEAD));
    (void)fx_failure(fx, fx_call(fx, &fx->host, fx_ref(0, id), "f", 0), CE(DEAD));
    leave(p);
}

/* ---- who may what ------------------------------------------------------------------------------------------------------------------------- */

static ProtobufCMessage *empty_body(Pb__Ask__BodyCase body)
{
    const ProtobufCMessageDescriptor *d = protobuf_c_message_descriptor_get_field(&pb__ask__descriptor, body)->descriptor;
    ProtobufCMessage *m = calloc(1, d->sizeof_message);

    protobuf_c_message_init(d, m);
    return m;
}

/* Each call by each set of scopes: refused for want of a scope exactly when one is missing. */
static void a_call_needs_the_scopes_of_its_row(void **state)
{
    struct interp_fixture *fx = *state;
    struct asker a;

    for (unsigned scopes = 0; scopes < 1u << ACTOR_SCOPES; scopes++) {
        asker_init(&a, &fx->bare.b, NULL, 20);
        bare_bind(&fx->bare, &a, ALICE, scopes);
        for (unsigned i = 0; i < call_rows_count; i++) {
            const struct call_row *row = call_row((Pb__Ask__BodyCase)i);
            const Pb__Answer *m;
            bool refused;
            ProtobufCMessage *body;

            if (row == NULL || (row->who & CALL_HOST) == 0)
                continue;
            body = empty_body((Pb__Ask__BodyCase)i);
            m = fx_answer(fx, fx_ask(fx, &a, (Pb__Ask__BodyCase)i, body));
            free(body);
            refused = m != NULL && m->body_case == PB__ANSWER__BODY_FAILURE && strstr(m->failure->message, " needs the scope ") != NULL;
            if (refused)
                assert_int_equal(m->failure->error, CE(NOT_ALLOWED));
            if (refused != ((row->needs & ~scopes) != 0))
                fail_msg("%s by scopes %u: %s", row->name, scopes, refused ? "refused" : "not refused");
        }
        asker_finish(&a);
    }
    kv_finish(&fx->bare.b);
}

/* What only workers ask for needs no scope; what ends something of others needs cancel; what only looks, read; nothing needs more. */
static void scopes_are_those_of_the_three_kinds_of_calls(void **state)
{
    (void)state;
    for (unsigned i = 0; i < call_rows_count; i++) {
        const struct call_row *row = call_row((Pb__Ask__BodyCase)i);

        if (row == NULL)
            continue;
        assert_true(row->needs == 0 || row->needs == ACTOR_SUBMIT || row->needs == ACTOR_READ || row->needs == ACTOR_CANCEL);
        assert_int_equal(row->needs == 0,
                         row->who == CALL_WORKER || strcmp(row->name, "ask_cancel") == 0 || strcmp(row->name, "handle_drop") == 0);
    }
}

static void a_connection_is_of_the_tenant_that_asked_on_it_first(void **state)
{
    struct interp_fixture *fx = *state;
    const struct actor other = { .tenant = tenant_of(fx, BOB), .scopes = USER };
    struct actor bound = { .tenant = tenant_of(fx, ALICE), .scopes = USER };
    struct call_why why;
    struct asker a;

    asker_init(&a, &fx->bare.b, NULL, 20);
    strcpy(bound.queue, "fast");
    assert_int_equal(asker_bind(&a, &bound, &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    bare_bind(&fx->bare, &a, ALICE, USER);
    assert_int_equal(asker_bind(&a, &other, &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    assert_int_equal(a.estate->tenant, ALICE);
    asker_finish(&a);
}

static void nobody_asks_before_it_is_known_who(void **state)
{
    struct interp_fixture *fx = *state;
    struct asker a;

    asker_init(&a, &fx->bare.b, NULL, 20);
    a.scopes = ACTOR_ALL;
    (void)queue(fx, &a, "", 0, CE(NOT_ALLOWED));
    asker_finish(&a);
}

/* ---- shares ------------------------------------------------------------------------------------------------------------------------------- */

enum { BIG = 32 << 20 };

static void one_tenant_takes_its_share_and_no_more(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    unsigned n = 0;

    while (estate_has_room(p->alice.estate, ESTATE_QUEUE_BYTES, BIG + QUEUE_ITEMS * QUEUE_ITEM_COST)) {
        (void)queue(fx, &p->alice, "", BIG, CE(NONE));
        n++;
    }
    assert_int_equal(n, QUEUES_RESERVED / ESTATE_SHARE / BIG - 1); /* an item's cost each */
    (void)queue(fx, &p->alice, "", BIG, CE(LIMIT));
    (void)queue(fx, &p->bob, "", BIG, CE(NONE));
    assert_int_equal(estate_bound(fx->host.estate, ESTATE_QUEUES), QUEUES_MAX);
    assert_int_equal(estate_bound(p->bob.estate, ESTATE_QUEUES), QUEUES_MAX / ESTATE_SHARE);
    leave(p);
    assert_false(estate_is_used(&fx->bare.b, ALICE));
}

/* Else who may make tenants below its own would have as many shares as it likes. */
static void those_below_one_tenant_have_one_share_together(void **state)
{
    struct interp_fixture *fx = *state;
    struct tenants *all = &fx->bare.b.tenants;
    struct tenant *top = tenants_add(all, TENANT_FIRST_NAMED, "top", NULL, 1);
    struct estate *e[3];
    struct call_why why;

    for (unsigned i = 0; i < 3; i++) {
        char name[8];

        (void)snprintf(name, sizeof(name), "t%u", i);
        assert_non_null(tenants_add(all, TENANT_FIRST_NAMED + 1 + i, name, i < 2 ? top : NULL, 1));
        e[i] = estate_get(&fx->bare.b, TENANT_FIRST_NAMED + 1 + i);
    }
    estate_count(e[0], ESTATE_BUFFERS, (int64_t)estate_bound(e[0], ESTATE_BUFFERS));
    assert_int_equal(estate_room(e[1], ESTATE_BUFFERS, 1, &why), -1);
    assert_int_equal(why.error, CE(LIMIT));
    assert_int_equal(estate_room(e[2], ESTATE_BUFFERS, 1, &why), 0);
    estate_count(e[0], ESTATE_BUFFERS, -1);
    assert_int_equal(estate_room(e[1], ESTATE_BUFFERS, 1, &why), 0);
    estate_count(e[0], ESTATE_BUFFERS, 1 - (int64_t)estate_bound(e[0], ESTATE_BUFFERS));
    for (unsigned i = 0; i < 3; i++)
        estate_unref(e[i]);
}

static void a_tenant_that_has_something_is_not_removed(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);

    (void)queue(fx, &p->alice, "kept", 0, CE(NONE));
    assert_int_equal(tenants_drop(&fx->bare.b.tenants, tenant_of(fx, ALICE)), -EBUSY);
    fx_is_done(fx, remove_queue(fx, &p->alice, "kept"));
    leave(p);
    assert_int_equal(tenants_drop(&fx->bare.b.tenants, tenant_of(fx, ALICE)), 0);
}

static void quotas_of_a_tenant_hold_for_its_interpreters(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    struct tenant *t = tenant_of(fx, ALICE);
    const struct tenant_use use = { .cpu_us = 5 * 1000000 };
    struct played *w;
    uint64_t n;

    t->quota[QUOTA_INTERPRETERS] = 1;
    (void)fx_create(fx, &p->alice, OW(NONE), "", 0);
    w = fx_spare(fx);
    fx_starts(w);
    assert_int_equal(t->interpreters, 1);
    n = fx_create(fx, &p->alice, OW(NONE), "", 0);
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "max_interpreters"));
    t->quota[QUOTA_INTERPRETERS] = TENANT_NO_BOUND;
    t->state = TENANT_SUSPENDED;
    n = fx_create(fx, &p->alice, OW(NONE), "", 0);
    assert_non_null(strstr(fx_failure(fx, n, CE(NOT_ALLOWED))->message, "suspended"));
    t->state = TENANT_ACTIVE;
    t->quota[QUOTA_CPU_DAY] = 5;
    tenant_used(t, loop_wall_us(), &use);
    n = fx_create(fx, &p->alice, OW(NONE), "", 0);
    assert_non_null(strstr(fx_failure(fx, n, CE(LIMIT))->message, "today's CPU time"));
    leave(p);
    fx_ends(w, CLD_KILLED, SIGKILL);
    assert_int_equal(t->interpreters, 0);
}

static void what_an_interpreter_used_counts_for_its_tenant(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    struct played *w;

    (void)fx_create(fx, &p->alice, OW(NONE), "", 0);
    w = fx_spare(fx);
    fx_starts(w);
    leave(p);
    fx_ends(w, CLD_KILLED, SIGKILL);
    assert_int_equal(tenant_today(tenant_of(fx, ALICE), loop_wall_us()).jobs, 1);
}

static void calls_that_wait_have_a_tenants_share_of_memory(void **state)
{
    struct interp_fixture *fx = *state;
    struct peers *p = peers_of(fx);
    uint64_t n = fx_create(fx, &p->alice, OW(NONE), "one", 0), share;
    struct played *w = fx_spare(fx);

    fx_starts(w);
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    (void)fx_call(fx, &p->alice, fx_ref(0, "one"), "runs", 0);
    share = estate_bound(p->alice.estate, ESTATE_CALL_BYTES);
    assert_int_equal(share, INTERPS_WAITING_ALL / ESTATE_SHARE);
    estate_count(p->alice.estate, ESTATE_CALL_BYTES, (int64_t)share + 1);
    (void)fx_failure(fx, fx_call(fx, &p->alice, fx_ref(0, "one"), "waits", 0), CE(LIMIT));
    estate_count(p->alice.estate, ESTATE_CALL_BYTES, -(int64_t)share - 1);
    assert_null(fx_answer(fx, fx_call(fx, &p->alice, fx_ref(0, "one"), "waits", 0)));
    leave(p);
    fx_ends(w, CLD_KILLED, SIGKILL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_one_tenants),
        TEST(what_is_anothers_is_answered_as_what_is_not_there),
        TEST(anothers_id_makes_no_prefix_ambiguous),
        TEST(an_operator_finds_its_own_first_and_then_all_by_id),
        TEST(an_operator_hands_nothing_from_one_tenant_to_another),
        TEST(keys_are_each_tenants_own),
        TEST(an_interpreter_is_seen_by_its_tenant_alone_also_when_it_has_ended),
        TEST(one_that_only_the_store_knows_is_no_bodys_but_its_tenants),
        TEST(a_call_needs_the_scopes_of_its_row),
        TEST(scopes_are_those_of_the_three_kinds_of_calls),
        TEST(a_connection_is_of_the_tenant_that_asked_on_it_first),
        TEST(nobody_asks_before_it_is_known_who),
        TEST(one_tenant_takes_its_share_and_no_more),
        TEST(those_below_one_tenant_have_one_share_together),
        TEST(a_tenant_that_has_something_is_not_removed),
        TEST(quotas_of_a_tenant_hold_for_its_interpreters),
        TEST(what_an_interpreter_used_counts_for_its_tenant),
        TEST(calls_that_wait_have_a_tenants_share_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
