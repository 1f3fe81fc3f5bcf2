/*
 * asks_fixture.h - workers and host programs that ask, over what a bare broker has: real links, real frames, answers decoded and kept.
 *
 * Side:    tests.
 * Shared by the tests of asks, handles, aliases and keys. What a worker says goes through the gate; what it hears is read from its link's far end.
 */
#ifndef TESTS_UNIT_ASKS_FIXTURE_H
#define TESTS_UNIT_ASKS_FIXTURE_H

#include "bare_broker.h"
#include "broker/aliases.h"
#include "broker/asks.h"
#include "broker/calls.h"
#include "broker/caps.h"
#include "broker/kv.h"
#include "call_errors.h"

#define CE(name)    PB__CALL_ERROR__CALL_ERROR_##name
#define KIND(name)  PB__KIND__KIND_##name
#define RIGHT(name) PB__RIGHT__RIGHT_##name
#define BODY(name)  PB__ANSWER__BODY_##name

enum { ENDS_MAX = 16, HEARD_MAX = 4096, HOST_PEER = 1000 };

/* Somebody who asks. */
struct end {
    struct world *world;
    struct worker *w; /* NULL: a host program */
    struct job *job;
    int fd; /* its end of the link */
    struct asker own, *asker;
    Pb__Answer *heard[HEARD_MAX];
    unsigned n_heard;
    uint64_t number;
};

struct world {
    struct bare_broker bare;
    struct end *ends[ENDS_MAX];
    unsigned n_ends;
    unsigned freed, unheld; /* things of the tests' own */
};

static struct world *the_world; /* whose hosts' replies are heard */

static inline void keep_answer(struct end *e, const Pb__Answer *m)
{
    size_t len = pb__answer__get_packed_size(m);
    uint8_t *bytes = malloc(len + 1);

    pb__answer__pack(m, bytes);
    assert_true(e->n_heard < HEARD_MAX);
    e->heard[e->n_heard++] = pb__answer__unpack(NULL, len, bytes);
    assert_non_null(e->heard[e->n_heard - 1]); /* text in it is text */
    free(bytes);
}

static inline void hear_reply(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    const Pb__Reply *r = (const Pb__Reply *)m;

    (void)s;
    for (unsigned i = 0; i < the_world->n_ends; i++)
        if (the_world->ends[i]->w == NULL && the_world->ends[i]->asker->peer == way.peer) {
            assert_int_equal(r->body_case, PB__REPLY__BODY_ASK);
            keep_answer(the_world->ends[i], r->ask);
            return;
        }
    fail_msg("a reply to nobody");
}

static inline void hear_link(struct end *e)
{
    struct pollfd p = { .fd = e->fd, .events = POLLIN };
    uint8_t *buf = NULL;
    size_t cap = 0, len;

    while (e->fd >= 0 && poll(&p, 1, 0) == 1 && sp_recv(e->fd, &buf, &cap, FRAME_MAX_ASSIGN, &len) == 0) {
        struct frame f;

        assert_int_equal(frame_decode(&f, &pb__to_worker__descriptor, buf, len, FRAME_MAX_ASSIGN), 0);
        if (((const Pb__ToWorker *)f.msg)->body_case == PB__TO_WORKER__BODY_ANSWER)
            keep_answer(e, ((const Pb__ToWorker *)f.msg)->answer);
        frame_release(&f);
    }
    free(buf);
}

static inline int world_start(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = the_world = w;
    if (bare_start(&w->bare) != 0)
        return -1;
    w->bare.b.control.broker = &w->bare.b;
    w->bare.b.control.send = hear_reply;
    w->bare.b.loop.now_us = 1000000;
    return 0;
}

static inline struct end *new_end(struct world *w)
{
    struct end *e = calloc(1, sizeof(*e));

    assert_true(w->n_ends < ENDS_MAX);
    w->ends[w->n_ends++] = e;
    e->world = w;
    e->number = 1 << 20; /* above those that tests choose */
    e->fd = -1;
    return e;
}

/* A busy worker; caps: a list ended by NULL, or NULL. */
static inline struct end *a_worker(struct world *w, const char *const *caps)
{
    struct end *e = new_end(w);
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    char why[JOB_CAPS_WHY];

    e->w = bare_worker_in(&w->bare, WORKER_BUSY, &e->job);
    e->fd = bare_open_link(&w->bare, e->w);
    asker_init(&e->w->asker, &w->bare.b, e->w, 0);
    e->asker = &e->w->asker;
    e->asker->estate = estate_ref(w->bare.own); /* as with its first ask: tests call what comes behind that */
    s.engine = "lua";
    s.caps = (char **)caps;
    while (caps != NULL && caps[s.n_caps] != NULL)
        s.n_caps++;
    if (job_caps_read(&s, &e->job->caps, why) != 0)
        fail_msg("%s", why);
    return e;
}
#define CAPS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static inline struct end *a_host(struct world *w)
{
    struct end *e = new_end(w);

    e->asker = &e->own;
    asker_init(&e->own, &w->bare.b, NULL, HOST_PEER + w->n_ends);
    bare_bind(&w->bare, e->asker, geteuid(), ACTOR_ALL);
    return e;
}

/* It goes: a worker as when its phase becomes ENDING, a host program as when its connection closes. */
static inline void leaves(struct end *e)
{
    if (e->w != NULL && e->w->phase != WORKER_ENDING)
        pool_set_phase(e->w, WORKER_ENDING);
    else if (e->w == NULL)
        asker_finish(e->asker);
}

static inline void end_free(struct end *e)
{
    leaves(e);
    for (unsigned i = 0; i < e->n_heard; i++)
        pb__answer__free_unpacked(e->heard[i], NULL);
    if (e->fd >= 0)
        (void)close(e->fd);
    free(e);
}

static inline int world_stop(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_ends; i++)
        end_free(w->ends[i]);
    bare_stop(&w->bare);
    kv_finish(&w->bare.b);
    free(w);
    return 0;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------- */

/* Says it as it is, with a number of its own unless it has one. What the broker says to it: 0, or -EPROTO. */
static inline int says(struct end *e, Pb__Ask *m)
{
    Pb__FromWorker from = PB__FROM_WORKER__INIT;
    uint8_t *bytes;
    size_t len;
    int rc;

    if (m->number == 0)
        m->number = ++e->number;
    if (e->w == NULL) {
        struct frame f;

        assert_int_equal(frame_pack(&m->base, &bytes, &len), 0);
        assert_int_equal(frame_decode(&f, &pb__ask__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
        rc = asks_receive(e->asker, (struct rep_way){ .peer = e->asker->peer }, (const Pb__Ask *)f.msg, -1);
        frame_release(&f);
        free(bytes);
        return rc;
    }
    from.body_case = PB__FROM_WORKER__BODY_ASK;
    from.ask = m;
    assert_int_equal(frame_pack(&from.base, &bytes, &len), 0);
    rc = gate_receive(e->w, bytes, len);
    free(bytes);
    return rc;
}

/* The answer with this number; NULL: there is none yet. Good until the world ends. */
static inline const Pb__Answer *heard(struct end *e, uint64_t number)
{
    hear_link(e);
    for (unsigned i = e->n_heard; i-- > 0;)
        if (e->heard[i]->number == number)
            return e->heard[i];
    return NULL;
}

static inline const Pb__Answer *asks(struct end *e, Pb__Ask *m)
{
    assert_int_equal(says(e, m), 0);
    return heard(e, m->number);
}

static inline const Pb__Answer *answered_by(const Pb__Answer *m, Pb__Answer__BodyCase body, const char *file, int line)
{
    if (m == NULL)
        _fail(file, line);
    if (m->body_case != body) {
        if (m->body_case == BODY(FAILURE))
            print_error("%s: %s\n", call_error(m->failure->error)->name, m->failure->message);
        _fail(file, line);
    }
    return m;
}
#define answered(m, body) answered_by(m, BODY(body), __FILE__, __LINE__)

static inline const Pb__Answer *failed_with(const Pb__Answer *m, Pb__CallError error, const char *words, const char *file, int line)
{
    answered_by(m, BODY(FAILURE), file, line);
    if (m->failure->error != error || strstr(m->failure->message, words) == NULL) {
        print_error("%s: %s\n", call_error(m->failure->error)->name, m->failure->message);
        _fail(file, line);
    }
    return m;
}
#define failed(m, error, words) failed_with(m, CE(error), words, __FILE__, __LINE__)

/* Pb__Ask NAME with its body NAME_body of type Pb__TYPE, ready to be filled in. */
#define ASK(name, type, init, field, body)                                                                                                 \
    Pb__##type name##_body = PB__##init##__INIT;                                                                                           \
    Pb__Ask name = PB__ASK__INIT;                                                                                                          \
    name.body_case = PB__ASK__BODY_##body;                                                                                                 \
    name.field = &name##_body

static inline const Pb__Answer *asks_cancel(struct end *e, uint64_t number)
{
    ASK(m, AskCancel, ASK_CANCEL, ask_cancel, ASK_CANCEL);

    m_body.number = number;
    return asks(e, &m);
}

static inline const Pb__Answer *asks_attenuate(struct end *e, uint32_t handle, uint32_t rights)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleAttenuate, HANDLE_ATTENUATE, handle_attenuate, HANDLE_ATTENUATE);

    ref.handle = handle;
    m_body.ref = &ref;
    m_body.rights = rights;
    return asks(e, &m);
}

static inline const Pb__Answer *asks_revoke(struct end *e, uint32_t handle, const char *id, Pb__Kind kind)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleRevoke, HANDLE_REVOKE, handle_revoke, HANDLE_REVOKE);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.ref = &ref;
    m_body.kind = kind;
    return asks(e, &m);
}

static inline const Pb__Answer *asks_drop(struct end *e, uint32_t handle)
{
    ASK(m, HandleDrop, HANDLE_DROP, handle_drop, HANDLE_DROP);

    m_body.handle = handle;
    return asks(e, &m);
}

static inline const Pb__Answer *asks_granted(struct end *e, const char *name)
{
    ASK(m, HandleGranted, HANDLE_GRANTED, handle_granted, HANDLE_GRANTED);

    m_body.name = (char *)name;
    return asks(e, &m);
}

/* ---- things of the tests' own ---------------------------------------------------------------------------------------------------------- */

struct test_thing {
    struct thing thing;
    struct world *world;
    bool may_not_pass;
};

static inline void test_thing_free(struct thing *t)
{
    ((struct test_thing *)t)->world->freed++;
    free(t);
}

static inline void test_thing_unheld(struct thing *t)
{
    ((struct test_thing *)t)->world->unheld++;
}

static inline int test_thing_may_pass(const struct thing *t, struct call_why *why)
{
    return ((const struct test_thing *)t)->may_not_pass ? call_refuse(why, CE(BUSY), "not sealed") : 0;
}

static const struct thing_ops test_thing_ops = { .free = test_thing_free, .unheld = test_thing_unheld, .may_pass = test_thing_may_pass };

/* One reference, the caller's. name: registered by it; NULL: not registered. */
static inline struct thing *a_thing(struct world *w, Pb__Kind kind, const char *name)
{
    struct test_thing *t = calloc(1, sizeof(*t));

    thing_init(&t->thing, w->bare.own, kind, &test_thing_ops);
    t->world = w;
    if (name != NULL)
        assert_int_equal(thing_register(&t->thing, name), 0);
    return &t->thing;
}

/* A first handle of it in somebody's table. */
static inline struct handle *given(struct end *e, struct thing *t, uint32_t rights, const char *grant)
{
    struct handle *h = handle_new(t, rights, NULL);
    struct call_why why;

    assert_int_equal(handle_give(h, e->asker, grant, &why), 0);
    return h;
}

#endif
