/* req_socket.c - see req_socket.h. */
#include "client/req_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "client/req_own.h"

enum {
    GREETING_MS = 5000,      /* for the peer to say its eight bytes */
    TLS_GREETING_MS = 15000, /* the same with what comes before */
    REDIAL_MAX_MS = 200,
    READ_MAX = 1 << 20, /* in one step */
};

uint64_t req_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* One timer for whatever is due first. It is set when something is due earlier than it says, and looks again when it has fired. */
static void arm(struct req_socket *s, uint64_t at)
{
    struct itimerspec t = { .it_value = { 0 } };

    if (at >= s->armed_ms)
        return;
    s->armed_ms = at;
    t.it_value.tv_sec = (time_t)(at / 1000);
    t.it_value.tv_nsec = (long)(at % 1000) * 1000000 + 1; /* 0.0 would disarm it */
    timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

/* ---- the calls that are open ----------------------------------------------------------------------------------------------------- */

static struct req_call *find(const struct req_socket *s, uint32_t id)
{
    struct req_call *call = s->calls[id % REQ_BUCKETS];

    while (call != NULL && call->id != id)
        call = call->next;
    return call;
}

static void add(struct req_socket *s, struct req_call *call)
{
    struct req_call **at = &s->calls[call->id % REQ_BUCKETS];

    call->next = *at;
    call->at = at;
    if (*at != NULL)
        (*at)->at = &call->next;
    *at = call;
    s->n_calls++;
}

static void take_out(struct req_socket *s, struct req_call *call)
{
    *call->at = call->next;
    if (call->next != NULL)
        call->next->at = call->at;
    s->n_calls--;
}

static void end_call(struct req_socket *s, struct req_call *call, int rc)
{
    take_out(s, call);
    call->state = REQ_CALL_DONE;
    call->rc = rc;
    if (call->on_end != NULL)
        call->on_end(call);
}

static void end_all(struct req_socket *s, int rc)
{
    for (int i = 0; i < REQ_BUCKETS; i++)
        while (s->calls[i] != NULL)
            end_call(s, s->calls[i], rc);
}

static void go_down(struct req_socket *s, int why, int why_calls)
{
    if (s->stream.fd >= 0)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->stream.fd, NULL); /* by hand: a child that was forked may hold it, too */
    if (s->link != NULL) {
        int rc = tls_link_error(s->link, s->words, &s->hint);

        why = rc != 0 ? rc : why;
        s->name = s->name->ai_next != NULL ? s->name->ai_next : s->names;
    }
    sp_stream_finish(&s->stream);
    tls_link_free(s->link);
    s->link = NULL;
    s->state = REQ_DOWN;
    s->last_error = why;
    s->link_at_ms = req_now_ms() + s->redial_ms;
    s->redial_ms = s->redial_ms * 2 > REDIAL_MAX_MS ? REDIAL_MAX_MS : s->redial_ms * 2;
    arm(s, s->link_at_ms);
    end_all(s, why_calls);
}

/* ---- out and in ---------------------------------------------------------------------------------------------------------------- */

static void flush(struct req_socket *s)
{
    struct epoll_event ev = { .data.fd = s->stream.fd };

    sp_stream_flush(&s->stream);
    ev.events = EPOLLIN | ((s->link != NULL ? tls_link_wants_write(s->link) : sp_stream_unsent(&s->stream) > 0) ? EPOLLOUT : 0);
    if (ev.events != s->events && epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->stream.fd, &ev) == 0)
        s->events = ev.events;
}

static void note_greeting(struct req_socket *s)
{
    s->state = REQ_UP;
    s->redial_ms = REQ_REDIAL_MIN_MS;
    s->link_at_ms = REQ_NEVER;
}

/* An answer to what is no longer asked is dropped. */
static void take_reply(struct req_socket *s, uint8_t *body, size_t len)
{
    uint32_t id = len < SP_REQUEST_ID ? 0 : sp_request_id_get(body);
    struct req_call *call = find(s, id);

    if (call == NULL) {
        free(body);
        return;
    }
    memmove(body, body + SP_REQUEST_ID, len - SP_REQUEST_ID);
    call->body = body;
    call->len = len - SP_REQUEST_ID;
    call->fd = sp_stream_take_fd(&s->stream);
    end_call(s, call, 0);
}

static int hear(struct req_socket *s)
{
    uint8_t *body;
    size_t len;
    int rc;

    while ((rc = sp_stream_hear(&s->stream, READ_MAX, &body, &len)) == 1 || (rc == 0 && s->link != NULL && tls_link_has_more(s->link))) {
        if (rc == 0)
            continue;
        take_reply(s, body, len);
        if (s->n_calls == 0 && s->state == REQ_UP)
            return 0; /* nothing more is awaited: what comes all the same, or its end, is for the next step */
    }
    if (rc == 0 && s->stream.greeted && s->state == REQ_GREETING)
        note_greeting(s);
    return rc == -EPIPE ? -ECONNRESET : rc;
}

/* ---- dialling ------------------------------------------------------------------------------------------------------------------ */

void req_dial(struct req_socket *s)
{
    int rc;

    if (s->state != REQ_DOWN)
        return;
    rc = req_connect(s);
    if (rc != 0) {
        go_down(s, rc, -ECONNRESET);
        return;
    }
    s->state = REQ_GREETING;
    s->link_at_ms = req_now_ms() + (s->names != NULL ? TLS_GREETING_MS : GREETING_MS);
    arm(s, s->link_at_ms);
    flush(s);
}

/* ---- the socket ---------------------------------------------------------------------------------------------------------------- */

/* Ends what is late. Returns when the next one is due. */
static uint64_t end_late(struct req_socket *s, uint64_t now)
{
    uint64_t due = REQ_NEVER;

    for (int i = 0; i < REQ_BUCKETS; i++)
        for (struct req_call *call = s->calls[i], *next; call != NULL; call = next) {
            next = call->next;
            if (now >= call->at_ms)
                end_call(s, call, -ETIMEDOUT);
            else if (call->at_ms < due)
                due = call->at_ms;
        }
    return due;
}

static void on_timer(struct req_socket *s)
{
    uint64_t fired, now, due;

    now = req_now_ms();
    if (now < s->armed_ms || read(s->timer_fd, &fired, sizeof(fired)) < 0)
        return; /* not yet */
    s->armed_ms = REQ_NEVER;
    due = end_late(s, now);
    if (now >= s->link_at_ms) {
        if (s->state == REQ_GREETING)
            go_down(s, -ETIMEDOUT, -ECONNRESET);
        else
            req_dial(s);
    }
    arm(s, due < s->link_at_ms ? due : s->link_at_ms);
}

void req_step(struct req_socket *s)
{
    int rc;

    on_timer(s);
    if (s->state == REQ_DOWN)
        return;
    flush(s);
    rc = hear(s);
    if (rc == 0 && s->link != NULL)
        flush(s); /* what waited for the handshake */
    if (rc < 0)
        go_down(s, rc, rc == -EMSGSIZE || rc == -ENOMEM ? rc : -ECONNRESET);
}

static uint8_t *new_frame(struct req_socket *s, size_t len, int fd)
{
    int copy;

    if (fd < 0)
        return sp_stream_frame(&s->stream, len);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? NULL : sp_stream_frame_fd(&s->stream, len, copy);
}

static uint32_t new_id(struct req_socket *s)
{
    do
        s->last_id = (s->last_id + 1) | 0x80000000u;
    while (find(s, s->last_id) != NULL);
    return s->last_id;
}

int req_send(struct req_socket *s, struct req_call *call, const void *body, size_t len, int fd, int timeout_ms)
{
    uint8_t *at;

    if (call->state != REQ_CALL_NONE)
        return -EBUSY;
    if (s->state != REQ_UP)
        return -ECONNRESET;
    if (s->names != NULL && fd >= 0)
        return -EOPNOTSUPP; /* no descriptor goes over a network */
    at = new_frame(s, SP_REQUEST_ID + len + s->tail_len, fd);
    if (at == NULL)
        return errno == EMFILE ? -EMFILE : errno == EBADF ? -EBADF : -ENOMEM;
    call->id = new_id(s);
    sp_request_id_put(at, call->id);
    memcpy(at + SP_REQUEST_ID, body, len);
    if (s->tail_len > 0)
        memcpy(at + SP_REQUEST_ID + len, s->tail, s->tail_len);
    call->state = REQ_CALL_PENDING;
    call->fd = -1;
    call->at_ms = timeout_ms < 0 ? REQ_NEVER : req_now_ms() + (uint64_t)timeout_ms;
    add(s, call);
    arm(s, call->at_ms);
    flush(s); /* a peer that is gone is found by the next step, which ends the call */
    return 0;
}

void req_forget(struct req_socket *s, struct req_call *call)
{
    if (call->state == REQ_CALL_PENDING)
        take_out(s, call);
    if (call->state == REQ_CALL_DONE && call->fd >= 0)
        close(call->fd);
    free(call->body);
    memset(call, 0, sizeof(*call));
}

size_t req_open_calls(const struct req_socket *s)
{
    return s->n_calls;
}

void req_wait(const struct req_socket *s, int timeout_ms)
{
    struct pollfd p = { .fd = s->epoll_fd, .events = POLLIN };

    (void)poll(&p, 1, timeout_ms);
}

int req_fd(const struct req_socket *s)
{
    return s->epoll_fd;
}

enum req_state req_state(const struct req_socket *s)
{
    return s->state;
}

int req_last_error(const struct req_socket *s, uid_t *ret_uid)
{
    *ret_uid = s->peer_uid;
    return s->last_error;
}

const char *req_last_words(const struct req_socket *s)
{
    return s->words;
}

const char *req_last_hint(const struct req_socket *s)
{
    return s->hint;
}

int req_set_tail(struct req_socket *s, const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL)
        return -ENOMEM;
    memcpy(copy, bytes, len);
    if (s->tail != NULL)
        explicit_bzero(s->tail, s->tail_len);
    free(s->tail);
    s->tail = copy;
    s->tail_len = len;
    return 0;
}

void req_close(struct req_socket *s)
{
    if (s == NULL)
        return;
    sp_stream_finish(&s->stream);
    tls_link_free(s->link);
    end_all(s, -ECONNRESET);
    tls_context_free(s->tls);
    if (s->names != NULL)
        freeaddrinfo(s->names);
    if (s->tail != NULL)
        explicit_bzero(s->tail, s->tail_len);
    free(s->tail);
    if (s->timer_fd >= 0)
        close(s->timer_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s);
}
