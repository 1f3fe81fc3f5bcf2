/*
 * host_broker.h - the broker's end of the control socket, for unit tests of libcoop: a process of its own that answers as the test asks it
 * to.
 *
 * Side:    tests.
 * InterpInfo of these ids: "die": it ends; "garbage": no Reply; "wrong": an answer of another kind; "fail": a failure with every field;
 * "park...": only when it is cancelled; "hold...": with "release", the last first; "cancels": how many there were so far; any other: a
 * status that is running it.
 * host_model: what this answers is not answered as said here.
 * Wait: the third time says that the job has ended. Everything else: not answered.
 */
#ifndef TESTS_HOST_BROKER_H
#define TESTS_HOST_BROKER_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control.pb-c.h"
#include "frame.h"
#include "sp_stream.h"

enum { HOST_PEERS = 16, HOST_OPEN = 4096 };

struct host_open {
    int peer; /* -1: not in use */
    uint32_t id;
    uint64_t number;
    char text[64];
};

struct host_broker {
    int listener;
    struct sp_stream peers[HOST_PEERS];
    struct host_open open[HOST_OPEN];
    unsigned n_open, cancels, waits;
};

static inline void host_say(struct host_broker *b, int peer, uint32_t id, const ProtobufCMessage *m, int fd)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    struct sp_stream *s = &b->peers[peer];
    uint8_t *at = fd < 0 ? sp_stream_frame(s, SP_REQUEST_ID + len) : sp_stream_frame_fd(s, SP_REQUEST_ID + len, fd);

    if (at == NULL)
        abort();
    sp_request_id_put(at, id);
    protobuf_c_message_pack(m, at + SP_REQUEST_ID);
    sp_stream_flush(s);
}

static inline void host_answer(struct host_broker *b, int peer, uint32_t id, Pb__Answer *a, int fd)
{
    Pb__Reply r = PB__REPLY__INIT;

    r.body_case = PB__REPLY__BODY_ASK;
    r.ask = a;
    host_say(b, peer, id, &r.base, fd);
}

static inline void host_status(struct host_broker *b, int peer, uint32_t id, uint64_t number, const char *text)
{
    Pb__InterpStatus s = PB__INTERP_STATUS__INIT;
    Pb__Answer a = PB__ANSWER__INIT;

    s.running = (char *)text;
    s.calls = b->cancels;
    a.number = number;
    a.body_case = PB__ANSWER__BODY_INTERP;
    a.interp = &s;
    host_answer(b, peer, id, &a, -1);
}

static inline void host_fail(struct host_broker *b, int peer, uint32_t id, uint64_t number, Pb__CallError error)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    char *cycle[] = { (char *)"A", (char *)"B" };

    e.type = (char *)"error";
    e.message = (char *)"x:1: boom";
    e.traceback = (char *)"stack traceback:\n\tx:1: in main chunk";
    f.error = error;
    f.message = (char *)"it failed";
    f.path = (char *)"args[2]";
    f.remote = &e;
    f.cause = PB__CAUSE__CAUSE_CPU_LIMIT;
    f.cause_detail = (char *)"200ms";
    f.receipt = (char *)"01J9ZQ6W3V8XK2T5M7N4P0RBCD";
    f.cycle = cycle;
    f.n_cycle = 2;
    a.number = number;
    a.body_case = PB__ANSWER__BODY_FAILURE;
    a.failure = &f;
    host_answer(b, peer, id, &a, -1);
}

static inline void host_keep(struct host_broker *b, int peer, uint32_t id, uint64_t number, const char *text)
{
    struct host_open *o = &b->open[b->n_open++];

    if (b->n_open > HOST_OPEN)
        abort();
    *o = (struct host_open){ .peer = peer, .id = id, .number = number };
    snprintf(o->text, sizeof(o->text), "%s", text);
}

static inline void host_release(struct host_broker *b)
{
    unsigned n = b->n_open;

    b->n_open = 0;
    for (unsigned i = 0; i < n; i++)
        if (strncmp(b->open[i].text, "hold", 4) != 0)
            b->open[b->n_open++] = b->open[i];
        else
            host_status(b, b->open[i].peer, b->open[i].id, b->open[i].number, b->open[i].text);
}

static inline void host_reverse(struct host_broker *b)
{
    for (unsigned i = 0; i < b->n_open / 2; i++) {
        struct host_open o = b->open[i];

        b->open[i] = b->open[b->n_open - 1 - i];
        b->open[b->n_open - 1 - i] = o;
    }
}

static inline void host_cancel(struct host_broker *b, int peer, uint32_t id, const Pb__Ask *ask)
{
    Pb__Done d = PB__DONE__INIT;
    Pb__Answer a = PB__ANSWER__INIT;

    b->cancels++;
    for (unsigned i = 0; i < b->n_open; i++) {
        struct host_open o = b->open[i];

        if (o.peer != peer || o.number != ask->ask_cancel->number)
            continue;
        b->open[i] = b->open[--b->n_open];
        host_fail(b, o.peer, o.id, o.number, PB__CALL_ERROR__CALL_ERROR_INTERRUPTED);
        break;
    }
    a.number = ask->number;
    a.body_case = PB__ANSWER__BODY_DONE;
    a.done = &d;
    host_answer(b, peer, id, &a, -1);
}

static inline void host_info(struct host_broker *b, int peer, uint32_t id, uint64_t number, const char *text)
{
    Pb__Done d = PB__DONE__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__JobError none = PB__JOB_ERROR__INIT; /* its text is no message, as which a Reply's reader takes it */

    none.type = (char *)"garbage";
    a.number = number;
    a.body_case = PB__ANSWER__BODY_DONE;
    a.done = &d;
    if (strcmp(text, "die") == 0)
        _exit(0);
    else if (strcmp(text, "garbage") == 0)
        host_say(b, peer, id, &none.base, -1);
    else if (strcmp(text, "wrong") == 0)
        host_answer(b, peer, id, &a, -1);
    else if (strcmp(text, "fail") == 0)
        host_fail(b, peer, id, number, PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED);
    else if (strncmp(text, "park", 4) == 0 || strncmp(text, "hold", 4) == 0)
        host_keep(b, peer, id, number, text);
    else {
        if (strcmp(text, "release") == 0) {
            host_reverse(b);
            host_release(b);
        }
        host_status(b, peer, id, number, text);
    }
}

/* Memory of its own, with the length as its content. */
static inline void host_buffer(struct host_broker *b, int peer, uint32_t id, const Pb__Ask *ask)
{
    Pb__Handle h = PB__HANDLE__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    int fd = memfd_create("buffer", MFD_CLOEXEC);

    if (fd < 0 || ftruncate(fd, (off_t)ask->buffer_new->bytes) != 0)
        abort();
    h.handle = 7;
    h.kind = PB__KIND__KIND_BUFFER;
    h.bytes = ask->buffer_new->bytes;
    a.number = ask->number;
    a.body_case = PB__ANSWER__BODY_HANDLE;
    a.handle = &h;
    a.descriptors = 1;
    host_answer(b, peer, id, &a, fd);
}

static inline void host_wait(struct host_broker *b, int peer, uint32_t id, const Pb__Wait *w)
{
    Pb__WaitReply wr = PB__WAIT_REPLY__INIT;
    Pb__JobStatus st = PB__JOB_STATUS__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    st.id = w->id;
    wr.status = &st;
    wr.ended = ++b->waits % 3 == 0;
    st.state = wr.ended ? PB__STATE__STATE_SUCCEEDED : PB__STATE__STATE_RUNNING;
    r.body_case = PB__REPLY__BODY_WAIT;
    r.wait = &wr;
    host_say(b, peer, id, &r.base, -1);
}

/* Of a test with a model of its own: true: answered, or kept to be answered. */
static bool (*host_model)(struct host_broker *b, int peer, uint32_t id, const Pb__Request *q);

static inline void host_hear(struct host_broker *b, int peer, const uint8_t *body, size_t len)
{
    uint32_t id = sp_request_id_get(body);
    const Pb__Request *q;
    struct frame f;

    if (frame_decode(&f, &pb__request__descriptor, body + SP_REQUEST_ID, len - SP_REQUEST_ID, FRAME_MAX_CONTROL) != 0)
        abort();
    q = (const Pb__Request *)f.msg;
    if (host_model != NULL && host_model(b, peer, id, q))
        ;
    else if (q->body_case == PB__REQUEST__BODY_WAIT)
        host_wait(b, peer, id, q->wait);
    else if (q->body_case == PB__REQUEST__BODY_ASK && q->ask->body_case == PB__ASK__BODY_ASK_CANCEL)
        host_cancel(b, peer, id, q->ask);
    else if (q->body_case == PB__REQUEST__BODY_ASK && q->ask->body_case == PB__ASK__BODY_INTERP_INFO)
        host_info(b, peer, id, q->ask->number, q->ask->interp_info->interp->id);
    else if (q->body_case == PB__REQUEST__BODY_ASK && q->ask->body_case == PB__ASK__BODY_BUFFER_NEW)
        host_buffer(b, peer, id, q->ask);
    frame_release(&f);
}

static inline void host_drop(struct host_broker *b, int peer)
{
    unsigned n = b->n_open;

    sp_stream_finish(&b->peers[peer]);
    b->n_open = 0;
    for (unsigned i = 0; i < n; i++)
        if (b->open[i].peer != peer)
            b->open[b->n_open++] = b->open[i];
}

static inline void host_serve(struct host_broker *b, int peer)
{
    uint8_t *body;
    size_t len;
    int rc;

    sp_stream_flush(&b->peers[peer]);
    while ((rc = sp_stream_hear(&b->peers[peer], 1 << 20, &body, &len)) == 1) {
        host_hear(b, peer, body, len);
        free(body);
    }
    if (rc < 0)
        host_drop(b, peer);
}

static inline void host_accept(struct host_broker *b)
{
    int fd = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), i = 0;

    while (i < HOST_PEERS && b->peers[i].fd >= 0)
        i++;
    if (fd < 0 || i == HOST_PEERS || sp_stream_init(&b->peers[i], fd, SP_PROTO_REP0, SP_PROTO_REQ0, FRAME_MAX_CONTROL) != 0)
        abort();
    sp_stream_flush(&b->peers[i]);
}

static inline void host_run(struct host_broker *b)
{
    for (int i = 0; i < HOST_PEERS; i++)
        b->peers[i].fd = -1;
    for (;;) {
        struct pollfd p[HOST_PEERS + 1];

        for (int i = 0; i < HOST_PEERS; i++) {
            p[i] = (struct pollfd){ .fd = b->peers[i].fd, .events = POLLIN };
            if (b->peers[i].fd >= 0 && sp_stream_unsent(&b->peers[i]) > 0)
                p[i].events |= POLLOUT;
        }
        p[HOST_PEERS] = (struct pollfd){ .fd = b->listener, .events = POLLIN };
        if (poll(p, HOST_PEERS + 1, -1) < 0)
            _exit(1);
        for (int i = 0; i < HOST_PEERS; i++)
            if (p[i].revents != 0)
                host_serve(b, i);
        if (p[HOST_PEERS].revents != 0)
            host_accept(b);
    }
}

/* Listens when this returns, and dies with the test. */
static inline pid_t host_start(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    struct host_broker *b = calloc(1, sizeof(*b));
    pid_t pid;

    strcpy(addr.sun_path, path);
    (void)unlink(path);
    b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(b->listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(b->listener, 16) != 0)
        abort();
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        host_run(b);
    }
    close(b->listener);
    free(b);
    return pid;
}

#endif
