/*
 * interp_fixture.h - an interpreter in a forked, unsealed worker whose link ends in the test: the test is its broker.
 *
 * Side:    tests.
 * Owned: what call_*() returns lives until the next one of them, and belongs to the fixture.
 */
#ifndef TESTS_INTERP_FIXTURE_H
#define TESTS_INTERP_FIXTURE_H

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "value.h"
#include "worker/engines.h"
#include "worker/engines/lua/engine.h"
#include "worker/link.h"
#include "worker/serve.h"
#include "worker/signals.h"

enum { SHOWN = 8 << 10, PEER_MIB = 1 << 20, PEER_FD = 40 };

struct peer {
    Pb__JobSpec spec;
    Pb__Limits limits;
    pid_t pid;
    int fd;
    uint64_t number;
    int begun;          /* how often it has said so */
    struct frame frame; /* of the last CallDone or Result */
    struct told told;   /* output, and the Result */
    char shown[SHOWN];  /* the last value, as text */
    /* What the broker does with an Ask: it may answer, now or later. NULL: none may come. */
    void (*on_ask)(struct peer *p, const Pb__Ask *a);
    int n_asks;
    const char *interrupt_at; /* SIGTERM, with the number of the call, once standard output ends with this */
    bool plain_signal;        /* and without it */
    uint64_t kept[64];        /* the test's own */
    int n_kept;
};

static inline int peer_setup(void **state)
{
    static struct peer p;

    memset(&p, 0, sizeof(p));
    pb__job_spec__init(&p.spec);
    pb__limits__init(&p.limits);
    p.limits.stdout_bytes = p.limits.stderr_bytes = PEER_MIB;
    p.limits.memory_bytes = 32 * PEER_MIB;
    p.limits.cpu_us = 60 * 1000000;
    p.spec.limits = &p.limits;
    p.spec.source_name = (char *)"init.lua";
    *state = &p;
    return 0;
}

static inline void peer_kill(struct peer *p)
{
    if (p->pid > 0) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, &p->told.status, 0);
        close(p->fd);
    }
    p->pid = 0;
}

static inline int peer_teardown(void **state)
{
    struct peer *p = *state;

    peer_kill(p);
    frame_release(&p->frame);
    told_finish(&p->told);
    return 0;
}

static inline void peer_assign(struct peer *p, bool interpreter)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;

    a.job = (char *)"JOB";
    a.spec = &p->spec;
    a.interpreter = interpreter;
    m.body_case = PB__TO_WORKER__BODY_ASSIGN;
    m.assign = &a;
    told_send(p->fd, &m);
}

/* The worker's own end is the number that every worker has it by. */
static inline void peer_start_as(struct peer *p, const struct engine *e, bool interpreter)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    p->fd = fcntl(pair[0], F_DUPFD_CLOEXEC, PEER_FD);
    close(pair[0]);
    p->pid = fork();
    assert_true(p->pid >= 0);
    if (p->pid == 0) {
        close(p->fd);
        if (pair[1] != LINK_FD && dup2(pair[1], LINK_FD) != LINK_FD)
            _exit(98);
        link_use(LINK_FD);
        if (signals_install() != 0 || e->prepare() != 0 || e->open(1) != 0)
            _exit(99);
        serve(e);
    }
    close(pair[1]);
    peer_assign(p, interpreter);
}

static inline struct peer *peer_start(void *state)
{
    peer_start_as(state, &lua_engine, true);
    return state;
}

/* ---- what it says ---------------------------------------------------------------------------------------------------------------------- */

static inline void peer_interrupt(struct peer *p, uint64_t number)
{
    union sigval v = { .sival_int = (int)(number & INT32_MAX) };

    assert_int_equal(p->plain_signal ? kill(p->pid, SIGTERM) : sigqueue(p->pid, SIGTERM, v), 0);
}

static inline void peer_look_at_output(struct peer *p)
{
    size_t n = p->interrupt_at != NULL ? strlen(p->interrupt_at) : 0;

    if (n == 0 || p->told.out_len < n || memcmp(p->told.out + p->told.out_len - n, p->interrupt_at, n) != 0)
        return;
    p->interrupt_at = NULL;
    peer_interrupt(p, p->number);
}

/* Takes one message. true: it was a CallDone or the Result, which p->frame has. false with told.lost: nobody is there. */
static inline bool peer_hear(struct peer *p)
{
    static const struct told_how how;
    struct pollfd in = { .fd = p->fd, .events = POLLIN };
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    struct frame f;
    const Pb__FromWorker *m;

    if (poll(&in, 1, TOLD_WAIT_MS) == 0)
        fail_msg("the worker says nothing");
    if (sp_recv(p->fd, &bytes, &cap, FRAME_MAX_LINK, &len) != 0) {
        free(bytes);
        p->told.lost = 1;
        return false;
    }
    assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
    free(bytes);
    m = (const Pb__FromWorker *)f.msg;
    if (m->body_case == PB__FROM_WORKER__BODY_CALL_DONE && m->call_done->number == 0) {
        assert_int_equal(++p->begun, 1);
        frame_release(&f);
        return false;
    }
    if (m->body_case == PB__FROM_WORKER__BODY_CALL_DONE || m->body_case == PB__FROM_WORKER__BODY_RESULT) {
        if (m->body_case == PB__FROM_WORKER__BODY_RESULT)
            told_message(p->fd, &p->told, &how, m);
        frame_release(&p->frame);
        p->frame = f;
        return true;
    }
    if (m->body_case == PB__FROM_WORKER__BODY_ASK) {
        p->n_asks++;
        assert_non_null(p->on_ask);
        p->on_ask(p, m->ask);
    } else {
        told_message(p->fd, &p->told, &how, m);
    }
    frame_release(&f);
    peer_look_at_output(p);
    return false;
}

/* Until it has ended a call, or itself. */
static inline const Pb__FromWorker *peer_listen(struct peer *p)
{
    while (!peer_hear(p))
        if (p->told.lost)
            return NULL;
    return (const Pb__FromWorker *)p->frame.msg;
}

/* Until it has printed this. */
static inline void peer_listen_for(struct peer *p, const char *text)
{
    while ((p->told.out == NULL || strstr(p->told.out, text) == NULL) && (p->told.err == NULL || strstr(p->told.err, text) == NULL)) {
        assert_false(peer_hear(p));
        assert_int_equal(p->told.lost, 0);
    }
}

/* ---- values ---------------------------------------------------------------------------------------------------------------------------- */

static inline void show_add(char *into, const char *text)
{
    assert_true(strlen(into) + strlen(text) < SHOWN);
    strcat(into, text);
}

static inline void show_item(char *into, const struct value_item *i)
{
    char text[SHOWN / 2];

    switch (i->type) {
    case VALUE_NULL: snprintf(text, sizeof(text), "null"); break;
    case VALUE_BOOL: snprintf(text, sizeof(text), i->boolean ? "true" : "false"); break;
    case VALUE_INT: snprintf(text, sizeof(text), "%" PRId64, i->integer); break;
    case VALUE_BIG: snprintf(text, sizeof(text), "big(%.*s)", (int)i->len, i->bytes); break;
    case VALUE_DOUBLE: snprintf(text, sizeof(text), "%.17gf", i->number); break;
    case VALUE_TEXT: snprintf(text, sizeof(text), "\"%.*s\"", (int)i->len, i->bytes); break;
    case VALUE_DATA: snprintf(text, sizeof(text), "bytes(%zu)", i->len); break;
    case VALUE_HANDLE: snprintf(text, sizeof(text), "handle(%u)", i->handle); break;
    default: fail_msg("no scalar");
    }
    show_add(into, text);
}

/* The next of r and all that is in it: [1,"x"] and {"k":1} */
static inline void show_next(char *into, struct value_reader *r)
{
    struct value_item i;

    assert_int_equal(value_next(r, &i), 0);
    if (i.type != VALUE_LIST && i.type != VALUE_MAP) {
        show_item(into, &i);
        return;
    }
    show_add(into, i.type == VALUE_LIST ? "[" : "{");
    for (size_t k = 0; k < i.count; k++) {
        if (k > 0)
            show_add(into, ",");
        show_next(into, r);
        if (i.type == VALUE_LIST)
            continue;
        show_add(into, ":");
        show_next(into, r);
    }
    show_add(into, i.type == VALUE_LIST ? "]" : "}");
}

static inline const char *peer_show(struct peer *p, const Pb__Value *v)
{
    struct value_reader r;
    struct value_item end;

    p->shown[0] = '\0';
    if (v == NULL || v->cbor.len == 0)
        return strcpy(p->shown, "nothing");
    assert_int_equal(value_reader_init(&r, v->cbor.data, v->cbor.len, VALUE_BYTES, (uint32_t)v->n_handles), 0);
    show_next(p->shown, &r);
    assert_int_equal(value_next(&r, &end), -ENODATA);
    return p->shown;
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------------------- */

static inline void peer_send_call(struct peer *p, Pb__Call *c)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;

    c->number = ++p->number;
    m.body_case = PB__TO_WORKER__BODY_CALL;
    m.call = c;
    told_send(p->fd, &m);
}

static inline const Pb__CallDone *peer_done(struct peer *p)
{
    const Pb__FromWorker *m = peer_listen(p);

    assert_non_null(m);
    if (m->body_case == PB__FROM_WORKER__BODY_RESULT)
        fail_msg("the interpreter has ended: %d %s", p->told.kind, p->told.message);
    assert_int_equal(m->call_done->number, p->number);
    return m->call_done;
}

static inline void peer_send_exec(struct peer *p, const char *source)
{
    Pb__Call c = PB__CALL__INIT;

    c.kind = PB__CALL_KIND__CALL_KIND_EXEC;
    c.source.data = (uint8_t *)source;
    c.source.len = strlen(source);
    c.source_name = (char *)"chunk.lua";
    peer_send_call(p, &c);
}

static inline const Pb__CallDone *call_exec(struct peer *p, const char *source)
{
    peer_send_exec(p, source);
    return peer_done(p);
}

static inline const Pb__CallDone *call_with(struct peer *p, Pb__CallKind kind, const char *function, struct value_writer *w)
{
    Pb__Call c = PB__CALL__INIT;
    Pb__Value v = PB__VALUE__INIT;

    c.kind = kind;
    c.function = (char *)function;
    if (w != NULL) {
        assert_int_equal(value_writer_take(w, &v.cbor.data, &v.cbor.len), 0);
        c.args = &v;
    }
    peer_send_call(p, &c);
    free(v.cbor.data);
    return peer_done(p);
}

static inline const Pb__CallDone *call_function(struct peer *p, const char *function, struct value_writer *w)
{
    return call_with(p, PB__CALL_KIND__CALL_KIND_CALL, function, w);
}

/* Its end, as it is told: a Result. */
static inline void call_close(struct peer *p)
{
    Pb__Call c = PB__CALL__INIT;
    const Pb__FromWorker *m;

    c.kind = PB__CALL_KIND__CALL_KIND_CLOSE;
    peer_send_call(p, &c);
    m = peer_listen(p);
    assert_non_null(m);
    assert_int_equal(m->body_case, PB__FROM_WORKER__BODY_RESULT);
}

/* What a chunk returns, or how it fails. */
static inline void gives(struct peer *p, const char *source, const char *shown)
{
    const Pb__CallDone *d = call_exec(p, source);

    if (d->failure != NULL)
        fail_msg("%s: %s\n%s", d->failure->message, d->failure->path, d->failure->remote != NULL ? d->failure->remote->traceback : "");
    assert_string_equal(peer_show(p, d->value), shown);
}

static inline const Pb__CallFailure *expect_failure_of(const Pb__CallDone *d, Pb__CallError error)
{
    assert_non_null(d->failure);
    if (d->failure->error != error)
        fail_msg("error %d, not %d: %s", d->failure->error, error, d->failure->message);
    assert_null(d->value);
    return d->failure;
}

static inline const Pb__CallFailure *expect_failure(struct peer *p, const char *source, Pb__CallError error)
{
    return expect_failure_of(call_exec(p, source), error);
}

static inline void expect_contains(const char *text, const char *part)
{
    if (text == NULL || strstr(text, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

#define PEER_TEST(name) cmocka_unit_test_setup_teardown(name, peer_setup, peer_teardown)

#endif
