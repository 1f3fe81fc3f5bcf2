/*
 * interps_fixture.h - interpreters without processes: a broker with a store, a host program whose answers are kept, and workers that are played.
 *
 * Side:    tests.
 * A played worker has the far end of a real link: what the broker says is read there, what it says itself goes through the gate. It ends by ends().
 */
#ifndef TESTS_UNIT_INTERPS_FIXTURE_H
#define TESTS_UNIT_INTERPS_FIXTURE_H

#include "bare_broker.h"
#include "broker/interps_own.h"
#include "broker/jobs_own.h"

enum { ANSWERS = 4096, PLAYED = 32 };

struct played {
    struct worker *w; /* NULL: it has ended */
    int fd;
    char job[ULID_LEN + 1];
};

struct interp_fixture {
    struct bare_broker bare;
    struct store *store;
    char why[STORE_WHY];
    struct asker host, other;
    uint64_t number; /* of the last ask */
    struct frame answers[ANSWERS];
    bool has[ANSWERS];
    struct played played[PLAYED];
    unsigned n_played;
};

static struct interp_fixture *fixture; /* of the hook below */

static inline void fx_keep(uint64_t number, const void *bytes, size_t len)
{
    assert_true(number < ANSWERS && !fixture->has[number]); /* one answer for each ask */
    assert_int_equal(frame_decode(&fixture->answers[number], &pb__answer__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    fixture->has[number] = true;
}

static inline void fx_keep_message(const Pb__Answer *m)
{
    uint8_t *bytes;
    size_t len;

    assert_int_equal(frame_pack(&m->base, &bytes, &len), 0);
    fx_keep(m->number, bytes, len);
    free(bytes);
}

static inline void fx_on_reply(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    (void)s;
    (void)way;
    fx_keep_message(((const Pb__Reply *)m)->ask);
}

static inline int fx_setup(void **state)
{
    struct interp_fixture *fx = calloc(1, sizeof(*fx));

    *state = fixture = fx;
    if (bare_start(&fx->bare) != 0)
        return -1;
    fx->bare.b.control.send = fx_on_reply;
    asker_init(&fx->host, &fx->bare.b, NULL, 1);
    asker_init(&fx->other, &fx->bare.b, NULL, 2);
    bare_bind(&fx->bare, &fx->host, geteuid(), ACTOR_ALL);
    bare_bind(&fx->bare, &fx->other, geteuid(), ACTOR_ALL);
    if (store_open(fx->bare.dir, &fx->store, fx->why) != 0)
        return -1;
    fx->bare.b.store = fx->store;
    return 0;
}

/* The store's word of what was pushed until now. */
static inline void fx_commit(struct interp_fixture *fx)
{
    while (store_pending(fx->store) > 0) {
        struct pollfd p = { .fd = store_event_fd(fx->store), .events = POLLIN };
        struct store_op *op, *next;

        assert_int_equal(poll(&p, 1, 60000), 1);
        for (op = store_collect(fx->store); op != NULL; op = next) {
            struct job *job = jobs_find(&fx->bare.b.jobs, op->job);

            next = op->next;
            if (job != NULL && op->kind == STORE_SUBMIT)
                jobs_stored(job, op->status);
            else if (job != NULL && op->kind == STORE_FINISH)
                jobs_finished(job, op);
            store_op_free(op);
        }
    }
}

/* ---- played workers --------------------------------------------------------------------------------------------------------------------- */

/* One more that is idle: the next interpreter gets it. */
static inline struct played *fx_spare(struct interp_fixture *fx)
{
    struct played *p = &fx->played[fx->n_played++];

    assert_true(fx->n_played <= PLAYED);
    p->w = bare_worker(&fx->bare);
    p->fd = bare_open_link(&fx->bare, p->w);
    p->w->hello = 1;
    pool_set_phase(p->w, WORKER_IDLE);
    jobs_dispatch(&fx->bare.b.jobs);
    return p;
}

/* The next message that the broker has said to it, but answers, which are kept. false: none. */
static inline bool fx_hear(struct played *p, struct frame *ret)
{
    struct pollfd in = { .fd = p->fd, .events = POLLIN };
    static uint8_t *buf;
    static size_t cap;
    size_t len;

    while (poll(&in, 1, 0) == 1 && sp_recv(p->fd, &buf, &cap, FRAME_MAX_CONTROL, &len) == 0) {
        const Pb__ToWorker *m;

        assert_int_equal(frame_decode(ret, &pb__to_worker__descriptor, buf, len, FRAME_MAX_CONTROL), 0);
        m = (const Pb__ToWorker *)ret->msg;
        if (m->body_case != PB__TO_WORKER__BODY_ANSWER)
            return true;
        fx_keep_message(m->answer);
        frame_release(ret);
    }
    return false;
}

static inline int fx_says(struct played *p, Pb__FromWorker__BodyCase body, ProtobufCMessage *m)
{
    Pb__FromWorker from = PB__FROM_WORKER__INIT;
    uint8_t *bytes;
    size_t len;
    int rc;

    from.body_case = body;
    from.hello = (Pb__Hello *)m;
    assert_int_equal(frame_pack(&from.base, &bytes, &len), 0);
    rc = gate_receive(p->w, bytes, len);
    free(bytes);
    return rc;
}

/* It hears of its job, and says that it has started. */
static inline void fx_starts_only(struct played *p)
{
    Pb__Started s = PB__STARTED__INIT;
    struct frame f;

    assert_true(fx_hear(p, &f));
    assert_int_equal(((const Pb__ToWorker *)f.msg)->body_case, PB__TO_WORKER__BODY_ASSIGN);
    assert_true(((const Pb__ToWorker *)f.msg)->assign->interpreter);
    frame_release(&f);
    strcpy(p->job, p->w->job->id);
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_STARTED, &s.base), 0);
}

/* The same, and that it has begun. */
static inline void fx_starts(struct played *p)
{
    Pb__CallDone d = PB__CALL_DONE__INIT;

    fx_starts_only(p);
    assert_int_equal(fx_says(p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base), 0);
}

/* The number of the call that it is told; its text in ret (64 bytes), may be NULL. 0: none. */
static inline uint64_t fx_called(struct played *p, Pb__CallKind kind, char *ret)
{
    const Pb__Call *c;
    struct frame f;
    uint64_t number;

    if (!fx_hear(p, &f))
        return 0;
    assert_int_equal(((const Pb__ToWorker *)f.msg)->body_case, PB__TO_WORKER__BODY_CALL);
    c = ((const Pb__ToWorker *)f.msg)->call;
    assert_int_equal(c->kind, kind);
    number = c->number;
    if (ret != NULL)
        (void)snprintf(ret, 64, "%s", kind == PB__CALL_KIND__CALL_KIND_EXEC ? c->source_name : c->function);
    frame_release(&f);
    return number;
}

static inline int fx_done(struct played *p, uint64_t number, Pb__CallFailure *failure)
{
    Pb__CallDone d = PB__CALL_DONE__INIT;
    Pb__Value v = PB__VALUE__INIT;

    d.number = number;
    d.failure = failure;
    v.cbor = (ProtobufCBinaryData){ 1, (uint8_t *)"\x07" };
    d.value = failure == NULL ? &v : NULL;
    return fx_says(p, PB__FROM_WORKER__BODY_CALL_DONE, &d.base);
}

/* Its process is over: by a signal, or by its own exit code. */
static inline void fx_ends(struct played *p, int code, int status)
{
    Pb__Exited e = PB__EXITED__INIT;

    e.code = (uint32_t)code;
    e.status = status;
    close(p->fd);
    pool_on_exited(p->w, &e);
    p->w = NULL;
    p->fd = -1;
}

static inline int fx_teardown(void **state)
{
    struct interp_fixture *fx = *state;

    interps_session_over(&fx->host);
    interps_session_over(&fx->other);
    asker_finish(&fx->host);
    asker_finish(&fx->other);
    for (unsigned i = 0; i < fx->n_played; i++)
        if (fx->played[i].fd >= 0)
            close(fx->played[i].fd);
    for (unsigned i = 0; i < ANSWERS; i++)
        if (fx->has[i])
            frame_release(&fx->answers[i]);
    bare_clear(&fx->bare);
    store_close(fx->store);
    bare_stop(&fx->bare);
    free(fx);
    return 0;
}

/* ---- asks ---------------------------------------------------------------------------------------------------------------------------------- */

static inline uint64_t fx_ask(struct interp_fixture *fx, struct asker *by, Pb__Ask__BodyCase body, ProtobufCMessage *m)
{
    Pb__Ask ask = PB__ASK__INIT;

    ask.number = ++fx->number;
    ask.body_case = body;
    ask.interp_create = (Pb__InterpCreate *)m;
    assert_int_equal(asks_receive(by, (struct rep_way){ .peer = by->peer }, &ask, -1), 0);
    return ask.number;
}

/* Its answer; NULL: not yet. What workers were told is looked through first. */
static inline const Pb__Answer *fx_answer(struct interp_fixture *fx, uint64_t number)
{
    return fx->has[number] ? (const Pb__Answer *)fx->answers[number].msg : NULL;
}

static inline const Pb__CallFailure *fx_failure(struct interp_fixture *fx, uint64_t number, Pb__CallError error)
{
    const Pb__Answer *a = fx_answer(fx, number);

    assert_non_null(a);
    assert_int_equal(a->body_case, PB__ANSWER__BODY_FAILURE);
    assert_int_equal(a->failure->error, error);
    return a->failure;
}

static inline void fx_is_done(struct interp_fixture *fx, uint64_t number)
{
    assert_non_null(fx_answer(fx, number));
    assert_int_equal(fx_answer(fx, number)->body_case, PB__ANSWER__BODY_DONE);
}

static inline uint64_t fx_create(struct interp_fixture *fx, struct asker *by, Pb__Owner owner, const char *name, uint32_t children)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;

    spec.engine = "lua";
    spec.name = (char *)name;
    m.spec = &spec;
    m.owner = owner;
    m.max_children = children;
    return fx_ask(fx, by, PB__ASK__BODY_INTERP_CREATE, &m.base);
}

/* One of the host program's that has begun, with its played worker. */
static inline struct played *fx_live(struct interp_fixture *fx, uint32_t children)
{
    struct played *p;
    uint64_t n = fx_create(fx, &fx->host, OW(NONE), "", children);

    p = fx_spare(fx);
    fx_starts(p);
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    return p;
}

/* One that p's worker makes; *ret_handle: what it calls it. */
static inline struct played *fx_child(struct interp_fixture *fx, struct played *p, uint32_t children, uint32_t *ret_handle)
{
    struct played *child;
    struct frame f;
    uint64_t n = fx_create(fx, &p->w->asker, OW(NONE), "child", children);

    child = fx_spare(fx);
    fx_starts(child);
    assert_false(fx_hear(p, &f)); /* but the answer */
    assert_int_equal(fx_answer(fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    *ret_handle = fx_answer(fx, n)->handle->handle;
    assert_int_not_equal(*ret_handle, 0);
    return child;
}

/* A Ref: by its handle (a worker's), or by its id. */
static inline Pb__Ref *fx_ref(uint32_t handle, const char *id)
{
    static Pb__Ref refs[8];
    static unsigned at;
    Pb__Ref *r = &refs[at++ % 8];

    pb__ref__init(r);
    r->handle = handle;
    if (handle == 0)
        r->id = (char *)id;
    return r;
}

static inline uint64_t fx_call(struct interp_fixture *fx, struct asker *by, Pb__Ref *ref, const char *function, uint64_t timeout_us)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;

    m.interp = ref;
    m.function = (char *)function;
    m.timeout_us = timeout_us;
    return fx_ask(fx, by, PB__ASK__BODY_INTERP_CALL, &m.base);
}

/* Those with nothing but a Ref. */
static inline uint64_t fx_simple(struct interp_fixture *fx, struct asker *by, Pb__Ask__BodyCase body, Pb__Ref *ref)
{
    Pb__InterpInterrupt interrupt = PB__INTERP_INTERRUPT__INIT;
    Pb__InterpClose close_it = PB__INTERP_CLOSE__INIT;
    Pb__InterpKill kill_it = PB__INTERP_KILL__INIT;
    Pb__InterpReset reset = PB__INTERP_RESET__INIT;
    Pb__InterpInfo info = PB__INTERP_INFO__INIT;
    Pb__InterpWait wait_it = PB__INTERP_WAIT__INIT;
    Pb__InterpLink link_it = PB__INTERP_LINK__INIT;
    const struct {
        Pb__Ask__BodyCase body;
        ProtobufCMessage *m;
        Pb__Ref **ref;
    } rows[] = {
        {PB__ASK__BODY_INTERP_INTERRUPT, &interrupt.base, &interrupt.interp},
        { PB__ASK__BODY_INTERP_CLOSE,    &close_it.base,  &close_it.interp },
        { PB__ASK__BODY_INTERP_KILL,     &kill_it.base,   &kill_it.interp  },
        { PB__ASK__BODY_INTERP_RESET,    &reset.base,     &reset.interp    },
        { PB__ASK__BODY_INTERP_INFO,     &info.base,      &info.interp     },
        { PB__ASK__BODY_INTERP_WAIT,     &wait_it.base,   &wait_it.interp  },
        { PB__ASK__BODY_INTERP_LINK,     &link_it.base,   &link_it.interp  },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].body == body) {
            *rows[i].ref = ref;
            return fx_ask(fx, by, body, rows[i].m);
        }
    fail();
    return 0;
}

/* The loop's clock goes on, and what is due happens. */
static inline void fx_pass(struct interp_fixture *fx, uint64_t us)
{
    fx->bare.b.loop.now_us += us;
    timers_run(&fx->bare.b.loop.timers, fx->bare.b.loop.now_us);
}

#endif
